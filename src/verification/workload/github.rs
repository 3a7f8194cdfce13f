//! The tokens of jobs of GitHub Actions.

use serde_json::Value;

use crate::jose::Claims;
use crate::oauth::TokenFault;
use crate::registry::AgentClass;

/// How the names of the events begin that a stranger can cause by opening a pull request, or by writing at one.
const PULL_REQUEST: &str = "pull_request";

/// What started the workflow.
///
/// # Errors
/// [`TokenFault::Claim`]: without it nobody knows whether it was a pull request.
pub fn event(claims: &Claims) -> Result<&str, TokenFault> {
    claims.get("event_name").and_then(Value::as_str).ok_or(TokenFault::Claim)
}

/// Whether a class takes workflows that this event started: those that it lists, else any but those of pull requests.
pub fn takes(class: &AgentClass, event: &str) -> bool {
    match &class.events {
        Some(listed) => listed.contains(event),
        None => !event.starts_with(PULL_REQUEST),
    }
}

/// The path of a workflow without the branch, tag or commit that it is from. The name of a file has no slash, so that
/// the first `@refs/` is where the path ends, whatever the branch is called.
pub fn path(reference: &str) -> &str {
    let cut = reference.split_once("@refs/").or_else(|| reference.rsplit_once('@'));
    cut.map_or(reference, |(path, _)| path)
}

#[cfg(test)]
mod tests {
    use super::path;

    #[test]
    fn a_path_ends_where_the_branch_begins() {
        let file = "acme/shop/.github/workflows/agent.yml";
        for reference in
            ["refs/heads/main", "refs/heads/a@b", "refs/heads/a@refs/heads/b", "refs/tags/v1", "5f3e"]
        {
            assert_eq!(path(&format!("{file}@{reference}")), file, "{reference}");
        }
        let odd = "acme/shop/.github/workflows/agent.yml@evil.yml";
        assert_eq!(path(&format!("{odd}@refs/heads/main")), odd, "another file is another path");
        assert_eq!(path(file), file);
    }
}

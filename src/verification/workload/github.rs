//! The tokens of jobs of GitHub Actions.

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

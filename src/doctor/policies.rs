//! The policy set: whether it would be taken, and whether its rules name what the configuration has.

use super::Findings;
use crate::config::Config;
use crate::policy;

pub(super) fn check(findings: &mut Findings, config: &Config) {
    const ID: &str = "policy";
    let place = match &config.policy.directory {
        Some(directory) => directory.display().to_string(),
        None => "the built-in set".to_owned(),
    };
    match policy::check::check(config.policy.directory.as_deref(), Some(config)) {
        Err(error) => findings.fail(ID, format!("{place}: {error}"), fix(config)),
        Ok(found) => {
            for warning in &found.warnings {
                findings.warn(ID, warning.to_string(), "see whether that rule says what you mean");
            }
            findings.ok_unless_reported(ID, format!("{place} is valid: {} rules", found.rules.len()));
            words(findings, &found);
        }
    }
}

/// What to do about a set that is refused.
fn fix(config: &Config) -> &'static str {
    let Some(directory) = &config.policy.directory else { return "report it: the built-in set has a fault" };
    let is_policy = |entry: std::io::Result<std::fs::DirEntry>| {
        entry.is_ok_and(|entry| entry.path().extension().is_some_and(|extension| extension == "cedar"))
    };
    match std::fs::read_dir(directory).map(|mut entries| entries.any(is_policy)) {
        Err(_) if directory.is_file() => {
            "name the directory that the file is in: all its `*.cedar` files are one set"
        }
        Err(_) => "make the directory, or leave `policy.directory` out for the built-in set",
        Ok(false) => {
            "give the files names that end in `.cedar`, or leave `policy.directory` out for the built-in set"
        }
        Ok(true) => "mend the rule at that line; `deputy policy check --policy DIR` checks a set by itself",
    }
}

fn words(findings: &mut Findings, found: &policy::check::Summary) {
    const ID: &str = "policy_words";
    for word in &found.unknown_words {
        findings.warn(ID, word.to_string(), word.fix());
    }
    findings.ok_unless_reported(ID, "the configuration has every word that the rules name");
}

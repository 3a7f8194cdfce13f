//! Whether a directory would be taken as a set (`deputy policy check`), without taking it.

use std::fmt;
use std::path::Path;

use super::{PolicyError, PolicySet, Problem, UnknownWord};
use crate::config::Config;

/// What a set that would be taken consists of.
#[derive(Clone, Debug)]
pub struct Summary {
    /// SHA-256 of the set, hex.
    pub hash: String,
    /// `@id`, effect and file of each rule, by file and `@id`.
    pub rules: Vec<(String, &'static str, String)>,
    /// Odd, but not wrong.
    pub warnings: Vec<Problem>,
    /// The words of its rules that the configuration does not have, where there is one.
    pub unknown_words: Vec<UnknownWord>,
}

impl Summary {
    /// Of a set, held against a configuration if there is one.
    pub fn of(set: &PolicySet, config: Option<&Config>) -> Self {
        let mut rules: Vec<_> =
            set.rules().iter().map(|(id, rule)| (id.clone(), rule.effect, rule.file.clone())).collect();
        rules.sort_by(|a, b| (&a.2, &a.0).cmp(&(&b.2, &b.0)));
        let unknown_words = config.map(|config| set.unknown_words(&config.registry, &config.issuer));
        Self {
            hash: set.hash().to_owned(),
            rules,
            warnings: set.warnings().to_vec(),
            unknown_words: unknown_words.unwrap_or_default(),
        }
    }

    /// Everything odd, in words.
    pub fn warnings(&self) -> impl Iterator<Item = String> {
        let words = self.unknown_words.iter().map(|word| format!("{}: {word}; {}", word.file, word.fix()));
        self.warnings.iter().map(ToString::to_string).chain(words)
    }

    /// As one JSON value, for `--json`.
    pub fn to_json(&self) -> serde_json::Value {
        let rules: Vec<_> = self
            .rules
            .iter()
            .map(|(id, effect, file)| serde_json::json!({ "id": id, "effect": effect, "file": file }))
            .collect();
        let warnings: Vec<_> = self.warnings().collect();
        serde_json::json!({ "set": self.hash, "rules": rules, "warnings": warnings })
    }
}

impl fmt::Display for Summary {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let width = self.rules.iter().map(|(id, ..)| id.len()).max().unwrap_or(0);
        for (id, effect, file) in &self.rules {
            writeln!(f, "{effect}  {id:width$}  {file}")?;
        }
        for warning in self.warnings() {
            writeln!(f, "warning: {warning}")?;
        }
        write!(f, "{} rules, set {}", self.rules.len(), self.hash.get(..16).unwrap_or(&self.hash))
    }
}

/// Loads `directory`, or the built-in set without one, as the server would, and holds it against `config`.
///
/// # Errors
/// As [`PolicySet::load`].
pub fn check(directory: Option<&Path>, config: Option<&Config>) -> Result<Summary, PolicyError> {
    let set = directory.map_or_else(PolicySet::builtin, PolicySet::load)?;
    Ok(Summary::of(&set, config))
}

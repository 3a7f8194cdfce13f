//! Whether a directory would be taken as a set (`deputy policy check`), without taking it.

use std::fmt;
use std::path::Path;

use super::{PolicyError, PolicySet, Problem};

/// What a set that would be taken consists of.
#[derive(Clone, Debug)]
pub struct Summary {
    /// SHA-256 of the set, hex.
    pub hash: String,
    /// `@id`, effect and file of each rule, by file and `@id`.
    pub rules: Vec<(String, &'static str, String)>,
    /// Odd, but not wrong.
    pub warnings: Vec<Problem>,
}

impl Summary {
    pub fn of(set: &PolicySet) -> Self {
        let mut rules: Vec<_> =
            set.rules().iter().map(|(id, rule)| (id.clone(), rule.effect, rule.file.clone())).collect();
        rules.sort_by(|a, b| (&a.2, &a.0).cmp(&(&b.2, &b.0)));
        Self { hash: set.hash().to_owned(), rules, warnings: set.warnings().to_vec() }
    }

    /// As one JSON value, for `--json`.
    pub fn to_json(&self) -> serde_json::Value {
        let rules: Vec<_> = self
            .rules
            .iter()
            .map(|(id, effect, file)| serde_json::json!({ "id": id, "effect": effect, "file": file }))
            .collect();
        let warnings: Vec<_> = self.warnings.iter().map(ToString::to_string).collect();
        serde_json::json!({ "set": self.hash, "rules": rules, "warnings": warnings })
    }
}

impl fmt::Display for Summary {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let width = self.rules.iter().map(|(id, ..)| id.len()).max().unwrap_or(0);
        for (id, effect, file) in &self.rules {
            writeln!(f, "{effect}  {id:width$}  {file}")?;
        }
        for warning in &self.warnings {
            writeln!(f, "warning: {warning}")?;
        }
        write!(f, "{} rules, set {}", self.rules.len(), self.hash.get(..16).unwrap_or(&self.hash))
    }
}

/// Loads `directory`, or the built-in set without one, as the server would.
///
/// # Errors
/// As [`PolicySet::load`].
pub fn check(directory: Option<&Path>) -> Result<Summary, PolicyError> {
    let set = directory.map_or_else(PolicySet::builtin, PolicySet::load)?;
    Ok(Summary::of(&set))
}

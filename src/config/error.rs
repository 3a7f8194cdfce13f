//! What is wrong with a configuration, all of it at once: file, line, key, and what to write instead.

use std::fmt;
use std::path::PathBuf;

#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Problem {
    /// Counted from 1; absent for what has no place in the file (an environment variable).
    pub line: Option<usize>,
    /// The key as written in a file, without list positions: `client.scopes`; or the variable's name.
    pub key: String,
    /// What is wrong, in a half sentence. Never holds a secret.
    pub what: String,
    pub fix: String,
}

impl fmt::Display for Problem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "`{}` {}", self.key, self.what)?;
        if self.fix.is_empty() { Ok(()) } else { write!(f, "; {}", self.fix) }
    }
}

/// A configuration that is refused as a whole.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ConfigError {
    pub file: PathBuf,
    /// Everything found, in the order of the file. Never empty.
    pub problems: Vec<Problem>,
}

impl ConfigError {
    /// A single problem that has no line.
    pub(super) fn whole_file(file: PathBuf, key: &str, what: String, fix: &str) -> Self {
        Self { file, problems: vec![Problem { line: None, key: key.to_owned(), what, fix: fix.to_owned() }] }
    }
}

impl fmt::Display for ConfigError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (position, problem) in self.problems.iter().enumerate() {
            if position > 0 {
                f.write_str("\n")?;
            }
            match problem.line {
                Some(line) => write!(f, "{}:{line}: {problem}", self.file.display())?,
                None => write!(f, "{}: {problem}", self.file.display())?,
            }
        }
        Ok(())
    }
}

impl std::error::Error for ConfigError {}

//! What every section's conversion uses: a place to put problems, paths, ranges.

use std::cell::RefCell;
use std::collections::BTreeSet;
use std::ops::RangeInclusive;
use std::path::{Path, PathBuf};

use super::error::Problem;
use super::reference;
use super::source::Places;
use crate::base::time::Lifetime;
use crate::jose::Algorithm;
use crate::oauth::{Scope, ScopeToken};

/// Collects problems while sections are converted. A conversion that found one gives `None`, or a
/// placeholder that is never used, because any problem refuses the whole.
pub(super) struct Validation<'a> {
    places: &'a Places,
    base: &'a Path,
    problems: RefCell<Vec<Problem>>,
}

impl<'a> Validation<'a> {
    pub(super) fn new(places: &'a Places, base: &'a Path) -> Self {
        Self { places, base, problems: RefCell::default() }
    }

    pub(super) fn into_problems(self) -> Vec<Problem> {
        self.problems.into_inner()
    }

    /// Notes what is wrong with `path` and what to write instead.
    pub(super) fn refuse(&self, path: &str, what: impl Into<String>, fix: impl Into<String>) {
        self.problems.borrow_mut().push(self.places.problem(path, what.into(), fix.into()));
    }

    /// A value that must be there.
    pub(super) fn required<T>(&self, path: &str, value: Option<T>) -> Option<T> {
        if value.is_none() {
            self.refuse(path, "is missing", self.example(path));
        }
        value
    }

    /// A string that must be there and not be empty.
    pub(super) fn required_text(&self, path: &str, value: Option<String>) -> Option<String> {
        let value = self.required(path, value)?;
        if value.trim().is_empty() {
            self.refuse(path, "is empty", self.example(path));
            return None;
        }
        Some(value)
    }

    fn example(&self, path: &str) -> String {
        let pattern = pattern_of(path);
        reference::find(&pattern)
            .map_or_else(String::new, |key| format!("write for example `{} = {}`", key.name(), key.example))
    }

    /// A path of the file system; relative ones count from the configuration file.
    pub(super) fn file(&self, relative: &str) -> PathBuf {
        self.base.join(relative)
    }

    /// As [`Validation::file`], where one is given.
    pub(super) fn optional_file(&self, path: &str, value: Option<String>) -> Option<PathBuf> {
        let value = value?;
        if value.is_empty() {
            self.refuse(path, "is empty", "name a file, or remove the key");
        }
        Some(self.file(&value))
    }

    /// A whole number within `range`.
    pub(super) fn number(
        &self,
        path: &str,
        value: Option<i64>,
        default: u32,
        range: RangeInclusive<u32>,
    ) -> u32 {
        let Some(value) = value else { return default };
        match u32::try_from(value).ok().filter(|number| range.contains(number)) {
            Some(number) => number,
            None => {
                let what = format!("is {value}");
                self.refuse(path, what, format!("write {} to {}", range.start(), range.end()));
                default
            }
        }
    }

    /// Seconds within `range`.
    pub(super) fn seconds(
        &self,
        path: &str,
        value: Option<i64>,
        default: u32,
        range: RangeInclusive<u32>,
    ) -> Lifetime {
        Lifetime::from_seconds(self.number(path, value, default, range))
    }

    /// One of a few words; the first is the default.
    pub(super) fn word<T: Copy>(&self, path: &str, value: Option<&str>, words: &[(&str, T)]) -> Option<T> {
        let Some(value) = value else { return words.first().map(|(_, meaning)| *meaning) };
        let found = words.iter().find(|(word, _)| *word == value).map(|(_, meaning)| *meaning);
        if found.is_none() {
            let known: Vec<String> = words.iter().map(|(word, _)| format!("`{word}`")).collect();
            self.refuse(path, format!("is `{value}`"), format!("write {}", known.join(" or ")));
        }
        found
    }

    /// A set of algorithms within `allowed`; all of `default` where none are given.
    pub(super) fn algorithms(
        &self,
        path: &str,
        names: Option<Vec<String>>,
        allowed: &[Algorithm],
        default: &[Algorithm],
    ) -> BTreeSet<Algorithm> {
        let Some(names) = names else { return default.iter().copied().collect() };
        let known = || allowed.iter().map(|a| format!("`{}`", a.as_str())).collect::<Vec<_>>().join(", ");
        if names.is_empty() {
            self.refuse(path, "is empty: nothing would be accepted", format!("choose from {}", known()));
        }
        let mut set = BTreeSet::new();
        for (position, name) in names.iter().enumerate() {
            match Algorithm::parse(name).filter(|algorithm| allowed.contains(algorithm)) {
                Some(algorithm) => {
                    set.insert(algorithm);
                }
                None => {
                    let what = if name == "Ed25519" {
                        "names Ed25519, which is called `EdDSA` in a header".to_owned()
                    } else {
                        format!("names `{name}`, which is not allowed here")
                    };
                    self.refuse(&format!("{path}[{position}]"), what, format!("choose from {}", known()));
                }
            }
        }
        set
    }

    /// Names out of `known`, each at most once.
    pub(super) fn names<T: Ord>(
        &self,
        path: &str,
        names: &[String],
        known: &BTreeSet<String>,
        what: &str,
        make: impl Fn(&str) -> Option<T>,
    ) -> BTreeSet<T> {
        let mut set = BTreeSet::new();
        for (position, name) in names.iter().enumerate() {
            let path = format!("{path}[{position}]");
            if !self.exists(&path, name, known, what) {
                continue;
            }
            let Some(made) = make(name) else { continue };
            if !set.insert(made) {
                self.refuse(&path, format!("names `{name}` twice"), "remove one");
            }
        }
        set
    }

    /// Whether `name` is among `known`; if not, says which is nearest.
    pub(super) fn exists(&self, path: &str, name: &str, known: &BTreeSet<String>, what: &str) -> bool {
        if known.contains(name) {
            return true;
        }
        let fix = match reference::nearest_of(name, known.iter()) {
            Some(near) => format!("the nearest {what} there is is `{near}`"),
            None => format!("there is no {what} in the file: add one"),
        };
        self.refuse(path, format!("names `{name}`, and there is no such {what}"), fix);
        false
    }

    /// A scope token (RFC 6749 §3.3).
    pub(super) fn scope_token(&self, path: &str, text: &str) -> Option<ScopeToken> {
        let token = ScopeToken::parse(text);
        if token.is_none() {
            let fix = "use printable ASCII without space, quote and backslash, 256 at most";
            self.refuse(path, format!("`{text}` is no scope token (RFC 6749 §3.3)"), fix);
        }
        token
    }

    /// The scope of these names and of `answers`, which imply theirs.
    pub(super) fn scope(
        &self,
        path: &str,
        names: &[String],
        known: &BTreeSet<String>,
        answers: &BTreeSet<ScopeToken>,
    ) -> Scope {
        let mut tokens = self.names(path, names, known, "scope of a target", ScopeToken::parse);
        tokens.extend(answers.iter().cloned());
        Scope::from_tokens(tokens.iter())
    }
}

/// `client[0].scopes` → `client[].scopes`, and names of a table of tables → `{}`.
fn pattern_of(path: &str) -> String {
    let mut pattern = String::new();
    for part in path.split('.') {
        let name = part.split_once('[').map_or(part, |(name, _)| name);
        if !pattern.is_empty() {
            pattern.push('.');
        }
        pattern.push_str(name);
        if part.contains('[') {
            pattern.push_str("[]");
        }
    }
    pattern
}

//! One table of the file while it is converted: its place, and what every conversion uses.

use std::cell::RefCell;
use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

use super::error::Problem;
use super::names::Names;
use super::reference::join;
use super::source::Places;
use crate::base::nearest::nearest;
use crate::jose::Algorithm;
use crate::oauth::{ClientId, Scope, ScopeToken, TargetId};
use crate::registry::Delegate;
use crate::registry::forms::Fault;

/// What the conversions of one file share.
pub(super) struct Reading<'a> {
    pub(super) places: &'a Places,
    /// The directory that relative paths count from.
    pub(super) base: &'a Path,
    pub(super) names: Names,
    /// Values that were taken out because they are not legal.
    pub(super) removed: BTreeSet<String>,
    /// The problems found. Any of them refuses the whole file, so that a conversion may go on with a placeholder.
    pub(super) problems: RefCell<Vec<Problem>>,
}

/// A table, or the top of the file where `path` is empty. Keys are relative to it.
#[derive(Clone)]
pub(super) struct Section<'a> {
    pub(super) reading: &'a Reading<'a>,
    pub(super) path: String,
}

impl<'a> Section<'a> {
    /// The section `name` in this one.
    pub(super) fn at(&self, name: &str) -> Self {
        Self { reading: self.reading, path: self.path_of(name) }
    }

    /// A table in the list of tables `name`.
    pub(super) fn item(&self, name: &str, position: usize) -> Self {
        self.at(&format!("{name}[{position}]"))
    }

    fn path_of(&self, key: &str) -> String {
        if key.is_empty() { self.path.clone() } else { join(&self.path, key) }
    }

    /// What the file names somewhere.
    pub(super) fn known(&self) -> &'a Names {
        &self.reading.names
    }

    /// Notes what is wrong with `key`, or with the section itself where `key` is empty, and what to write instead.
    pub(super) fn refuse(&self, key: &str, what: impl Into<String>, fix: impl Into<String>) {
        let problem = self.reading.places.problem(&self.path_of(key), what.into(), fix.into());
        self.reading.problems.borrow_mut().push(problem);
    }

    /// The value, unless something is wrong with it.
    pub(super) fn accept<T>(&self, key: &str, value: Result<T, Fault>) -> Option<T> {
        value.map_err(|fault| self.refuse(key, fault.what, fault.fix)).ok()
    }

    /// Whether the file has a value for `key`, legal or not.
    pub(super) fn has(&self, key: &str) -> bool {
        self.reading.places.has(&self.path_of(key))
    }

    /// Whether the value of `key` was refused already.
    pub(super) fn is_refused(&self, key: &str) -> bool {
        self.reading.removed.contains(&self.path_of(key))
    }

    /// A path of the file system; relative ones count from the configuration file.
    pub(super) fn file(&self, relative: impl AsRef<Path>) -> PathBuf {
        self.reading.base.join(relative)
    }

    /// The set of the algorithms named, all of which must be `allowed`.
    pub(super) fn algorithms(
        &self,
        key: &str,
        names: &[String],
        allowed: &[Algorithm],
    ) -> BTreeSet<Algorithm> {
        let known = || allowed.iter().map(|a| format!("`{}`", a.as_str())).collect::<Vec<_>>().join(", ");
        if names.is_empty() {
            self.refuse(key, "is empty: nothing would be accepted", format!("choose from {}", known()));
        }
        let mut set = BTreeSet::new();
        for (position, name) in names.iter().enumerate() {
            if let Some(algorithm) = Algorithm::parse(name).filter(|algorithm| allowed.contains(algorithm)) {
                set.insert(algorithm);
                continue;
            }
            let what = match name.as_str() {
                "Ed25519" => "names Ed25519, which is called `EdDSA` in a header".to_owned(),
                _ => format!("names `{name}`, which is not allowed here"),
            };
            self.refuse(&format!("{key}[{position}]"), what, format!("choose from {}", known()));
        }
        set
    }

    /// Names out of `known`, each at most once.
    fn names<T: Ord>(
        &self,
        key: &str,
        names: &[String],
        known: &BTreeSet<String>,
        what: &str,
        make: impl Fn(&str) -> Option<T>,
    ) -> BTreeSet<T> {
        let mut set = BTreeSet::new();
        for (position, name) in names.iter().enumerate() {
            let key = format!("{key}[{position}]");
            if !self.exists(&key, name, known, what) {
                continue;
            }
            let Some(made) = make(name) else { continue };
            if !set.insert(made) {
                self.refuse(&key, format!("names `{name}` twice"), "remove one");
            }
        }
        set
    }

    /// Clients of the file, at least one: without any, nobody could do what `purpose` says.
    pub(super) fn clients(&self, key: &str, names: &[String], purpose: &str) -> BTreeSet<ClientId> {
        if names.is_empty() {
            self.refuse(
                key,
                format!("names no client, so that nobody could {purpose}"),
                "name the clients that may",
            );
        }
        self.names(key, names, &self.known().clients, "client", |id| Some(ClientId::new(id)))
    }

    /// Targets of the file.
    pub(super) fn targets(&self, key: &str, names: &[String]) -> BTreeSet<TargetId> {
        self.names(key, names, &self.known().targets, "target", |id| Some(TargetId::new(id)))
    }

    /// The key `delegates_to`: classes of the file, and the own agents of its clients.
    pub(super) fn delegates(&self, names: &[String]) -> BTreeSet<Delegate> {
        let make = |name: &str| Some(Delegate::parse(name));
        self.names("delegates_to", names, &self.known().delegates, "class or `client:ID`", make)
    }

    /// The keys `answers` and `scopes`: yes/no scopes, and the scopes with those among them.
    pub(super) fn scopes(&self, answers: &[String], scopes: &[String]) -> (BTreeSet<ScopeToken>, Scope) {
        let answers =
            self.names("answers", answers, &self.known().answers, "yes/no scope", ScopeToken::parse);
        let mut tokens =
            self.names("scopes", scopes, &self.known().scopes, "scope of a target", ScopeToken::parse);
        tokens.extend(answers.iter().cloned());
        (answers, Scope::from_tokens(tokens.iter()))
    }

    /// Whether `name` is among `known`; if not, says which is nearest.
    pub(super) fn exists(&self, key: &str, name: &str, known: &BTreeSet<String>, what: &str) -> bool {
        if known.contains(name) {
            return true;
        }
        let fix = match nearest(name, known.iter()) {
            Some(near) => format!("the nearest {what} is `{near}`"),
            None => format!("there is no {what} in the file: add one"),
        };
        self.refuse(key, format!("names `{name}`, and there is no such {what}"), fix);
        false
    }

    /// A scope token (RFC 6749 §3.3).
    pub(super) fn scope_token(&self, key: &str, text: &str) -> Option<ScopeToken> {
        let token = ScopeToken::parse(text);
        if token.is_none() {
            let fix = "use printable ASCII without space, quote and backslash, 256 at most";
            self.refuse(key, format!("`{text}` is no scope token (RFC 6749 §3.3)"), fix);
        }
        token
    }
}

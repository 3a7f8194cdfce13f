//! From files to a validated set, all or nothing.

use std::collections::BTreeMap;
use std::fmt;
use std::path::Path;

use cedar_policy::{Policy, PolicyId, Schema, ValidationMode, ValidationWarning, Validator};
use data_encoding::HEXLOWER;
use miette::Diagnostic;

use super::request::Vocabulary;
use super::{NO_PERMIT, Part, PolicySet, Rule};
use crate::base::digest::sha256_of_parts;
use crate::base::text::why_unread;

/// What a policy may speak of.
pub const SCHEMA: &str = include_str!("schema.cedarschema");

/// The set that ships with Deputy: `policies/*.cedar` of its source, by name and content.
pub const BUILTIN_FILES: &[(&str, &str)] = &[
    ("answers.cedar", include_str!("../../policies/answers.cedar")),
    ("chain.cedar", include_str!("../../policies/chain.cedar")),
    ("exchange.cedar", include_str!("../../policies/exchange.cedar")),
    ("login.cedar", include_str!("../../policies/login.cedar")),
];

/// The longest file that is read.
const MAX_FILE_BYTES: u64 = 1024 * 1024;
/// The most files that are read.
const MAX_FILES: usize = 1000;

#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Problem {
    pub file: String,
    /// Its line, from 1, where one can be told.
    pub line: Option<usize>,
    pub message: String,
}

impl Problem {
    fn of_file(file: impl fmt::Display, message: impl Into<String>) -> Self {
        Self { file: file.to_string(), line: None, message: message.into() }
    }
}

impl fmt::Display for Problem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.line {
            Some(line) => write!(f, "{}:{line}: {}", self.file, self.message),
            None => write!(f, "{}: {}", self.file, self.message),
        }
    }
}

/// Why a set is refused: everything found wrong, never empty. Nothing of the set takes effect.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PolicyError {
    /// In the order of files and lines.
    pub problems: Vec<Problem>,
}

impl From<Problem> for PolicyError {
    fn from(problem: Problem) -> Self {
        Self { problems: vec![problem] }
    }
}

impl fmt::Display for PolicyError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (at, problem) in self.problems.iter().enumerate() {
            let separator = if at == 0 { "" } else { "\n" };
            write!(f, "{separator}{problem}")?;
        }
        Ok(())
    }
}

impl std::error::Error for PolicyError {}

impl PolicySet {
    /// The set that ships with Deputy.
    ///
    /// # Errors
    /// None in a build whose tests passed: they load it.
    pub fn builtin() -> Result<Self, PolicyError> {
        Self::from_sources("", BUILTIN_FILES.iter().copied())
    }

    /// Every `*.cedar` file of `directory` itself (hidden ones left out), together.
    ///
    /// # Errors
    /// [`PolicyError`] when a file cannot be read, parsed or validated, when a rule has no `@id` or one
    /// that another has, and when there is no rule at all.
    pub fn load(directory: &Path) -> Result<Self, PolicyError> {
        let sources = read(directory)?;
        let prefix = format!("{}/", directory.display().to_string().trim_end_matches('/'));
        Self::from_sources(&prefix, sources.iter().map(|(name, text)| (name.as_str(), text.as_str())))
    }

    /// The set that the configuration asks for: the files of its directory or the built-in set, with or without a
    /// memory.
    ///
    /// # Errors
    /// As [`PolicySet::load`].
    pub fn configured(policy: &crate::config::Policy) -> Result<Self, PolicyError> {
        let set = policy.directory.as_deref().map_or_else(Self::builtin, Self::load)?;
        if policy.remember_decisions { Ok(set.remembering().map_err(fault)?) } else { Ok(set) }
    }

    /// The set of one text, for tests of what asks policy.
    #[cfg(test)]
    pub(crate) fn of_text(text: &str) -> Self {
        match Self::from_sources("", [("test.cedar", text)]) {
            Ok(set) => set,
            Err(error) => panic!("{error}"),
        }
    }

    /// A set of files given by name and content. `prefix` goes before the name in messages.
    pub(super) fn from_sources<'a>(
        prefix: &str,
        sources: impl IntoIterator<Item = (&'a str, &'a str)>,
    ) -> Result<Self, PolicyError> {
        let mut sources: Vec<(&str, &str)> = sources.into_iter().collect();
        sources.sort_unstable();
        let mut gathered = Gathered::new(prefix);
        for (name, text) in &sources {
            gathered.add_file(name, text);
        }
        let (cedar, rules, warnings) = gathered.validated()?;
        let vocabulary = Vocabulary::whole().map_err(fault)?;
        let whole = Part { cedar, vocabulary };
        Ok(Self { whole, memory: None, rules, hash: hash(&sources), warnings })
    }
}

fn fault(message: String) -> Problem {
    Problem::of_file("schema", message)
}

/// Reads the files that make up a set, by name, in the order of names.
fn read(directory: &Path) -> Result<BTreeMap<String, String>, PolicyError> {
    let at = directory.display();
    let unreadable =
        |error: std::io::Error| Problem::of_file(&at, format!("cannot be read: {}", why_unread(&error)));
    let mut sources = BTreeMap::new();
    for entry in std::fs::read_dir(directory).map_err(unreadable)? {
        let entry = entry.map_err(unreadable)?;
        let Some(name) = policy_file_name(&entry.file_name()) else { continue };
        let path = entry.path();
        let shown = path.display();
        let fault = |message: String| Problem::of_file(&shown, message);
        let size = std::fs::metadata(&path)
            .map_err(|error| fault(format!("cannot be read: {}", why_unread(&error))))?
            .len();
        if size > MAX_FILE_BYTES {
            return Err(fault("is longer than 1 MiB".to_owned()).into());
        }
        let text = std::fs::read_to_string(&path)
            .map_err(|error| fault(format!("cannot be read: {}", why_unread(&error))))?;
        sources.insert(name, text);
        if sources.len() > MAX_FILES {
            return Err(Problem::of_file(&at, "holds more than 1000 policy files").into());
        }
    }
    if sources.is_empty() {
        return Err(
            Problem::of_file(&at, "holds no `*.cedar` file; an empty set would deny everything").into()
        );
    }
    Ok(sources)
}

/// The name of a file that is part of a set. Editors leave hidden files behind; those are none.
pub(super) fn policy_file_name(name: &std::ffi::OsStr) -> Option<String> {
    let name = name.to_string_lossy();
    (name.ends_with(".cedar") && !name.starts_with('.')).then(|| name.into_owned())
}

/// SHA-256 over the sorted files; lengths keep a name and a content from running into each other.
fn hash(sources: &[(&str, &str)]) -> String {
    let parts = sources.iter().flat_map(|(name, text)| [name.as_bytes(), text.as_bytes()]);
    HEXLOWER.encode(&sha256_of_parts(parts))
}

/// What is gathered while files are read: all that is wrong, not the first.
struct Gathered<'a> {
    prefix: &'a str,
    cedar: cedar_policy::PolicySet,
    rules: BTreeMap<String, Rule>,
    texts: BTreeMap<String, String>,
    problems: Vec<Problem>,
}

type Validated = (cedar_policy::PolicySet, BTreeMap<String, Rule>, Vec<Problem>);

impl<'a> Gathered<'a> {
    fn new(prefix: &'a str) -> Self {
        Self {
            prefix,
            cedar: cedar_policy::PolicySet::new(),
            rules: BTreeMap::new(),
            texts: BTreeMap::new(),
            problems: Vec::new(),
        }
    }

    fn add_file(&mut self, name: &str, text: &str) {
        let file = format!("{}{name}", self.prefix);
        let parsed: cedar_policy::PolicySet = match text.parse() {
            Ok(parsed) => parsed,
            Err(errors) => {
                let errors: &cedar_policy::ParseErrors = &errors;
                for error in errors.iter() {
                    self.problems.push(problem(&file, text, error));
                }
                return;
            }
        };
        if parsed.templates().next().is_some() {
            self.problems.push(Problem::of_file(&file, "templates are not supported; write out each policy"));
        }
        // Policies come in the order of the file, so the text of each is found after the one before.
        let mut from = 0;
        for policy in parsed.policies() {
            let own = policy.to_string();
            let start = text.get(from..).and_then(|rest| rest.find(&own)).map(|offset| from + offset);
            let line = start.map(|start| line_of(text, start));
            from = start.map_or(from, |start| start + own.len());
            if let Err(message) = self.add_policy(&file, policy) {
                self.problems.push(Problem { file: file.clone(), line, message });
            }
        }
        self.texts.insert(file, text.to_owned());
    }

    fn add_policy(&mut self, file: &str, policy: &Policy) -> Result<(), String> {
        let id = policy.annotation("id").ok_or("the policy has no `@id(\"…\")`")?;
        let legal = |c: char| c.is_ascii_alphanumeric() || matches!(c, '-' | '_' | '.');
        if id.is_empty() || id.len() > 64 || !id.chars().all(legal) {
            return Err(format!(
                "`@id(\"{}\")`: write 1 to 64 letters, digits, `-`, `_` or `.`",
                id.escape_debug()
            ));
        }
        if id == NO_PERMIT || id == "facts" {
            return Err(format!("`@id(\"{id}\")`: the audit uses this word for something else"));
        }
        if policy.annotation("obligation").is_some() {
            return Err(format!("`{id}`: `@obligation` cannot be fulfilled by this version"));
        }
        if let Some(other) = self.rules.get(id) {
            return Err(format!("`@id(\"{id}\")` is already in {}", other.file));
        }
        let rule = Rule {
            effect: match policy.effect() {
                cedar_policy::Effect::Permit => "permit",
                cedar_policy::Effect::Forbid => "forbid",
            },
            reason: policy.annotation("reason").filter(|reason| !reason.is_empty()).map(str::to_owned),
            file: file.to_owned(),
        };
        self.cedar.add(policy.new_id(PolicyId::new(id))).map_err(|error| format!("`{id}`: {error}"))?;
        self.rules.insert(id.to_owned(), rule);
        Ok(())
    }

    /// Validates strictly, so that no rule meets a type or a missing attribute when it decides.
    fn validated(mut self) -> Result<Validated, PolicyError> {
        let (schema, _) = Schema::from_cedarschema_str(SCHEMA)
            .map_err(|error| Problem::of_file("schema", error.to_string()))?;
        let result = Validator::new(schema).validate(&self.cedar, ValidationMode::Strict);
        for error in result.validation_errors() {
            let found = self.located(error.policy_id(), error);
            self.problems.push(found);
        }
        let mut warnings = Vec::new();
        for warning in result.validation_warnings() {
            let found = self.located(warning.policy_id(), warning);
            // A rule that can never fire is a mistake, and a forbid that can never fire a dangerous one.
            match warning {
                ValidationWarning::ImpossiblePolicy(_) | ValidationWarning::InvalidActionApplication(_) => {
                    self.problems.push(found);
                }
                _ => warnings.push(found),
            }
        }
        if self.problems.is_empty() && self.rules.is_empty() {
            let place = if self.prefix.is_empty() { "policies" } else { self.prefix };
            self.problems
                .push(Problem::of_file(place, "there is no policy; an empty set would deny everything"));
        }
        if !self.problems.is_empty() {
            self.problems.sort_by(|a, b| (&a.file, a.line).cmp(&(&b.file, b.line)));
            self.problems.dedup();
            return Err(PolicyError { problems: self.problems });
        }
        Ok((self.cedar, self.rules, warnings))
    }

    fn located(&self, policy: &PolicyId, found: &dyn Diagnostic) -> Problem {
        let file = self.rules.get(AsRef::<str>::as_ref(policy)).map_or("", |rule| rule.file.as_str());
        problem(file, self.texts.get(file).map_or("", String::as_str), found)
    }
}

/// What Cedar found in `text`, with the line and the help it gives.
fn problem(file: &str, text: &str, found: &dyn Diagnostic) -> Problem {
    let offset = found.labels().and_then(|mut labels| labels.next()).map(|label| label.offset());
    let help = found.help().map(|help| format!(" ({help})")).unwrap_or_default();
    Problem {
        file: file.to_owned(),
        line: offset.map(|offset| line_of(text, offset)),
        message: format!("{found}{help}").replace('\n', " "),
    }
}

/// The line of a byte offset, from 1.
fn line_of(text: &str, offset: usize) -> usize {
    1 + text.bytes().take(offset).filter(|&byte| byte == b'\n').count()
}

//! What comments and pages refer to: files, documents and requirements that have to be in the repository.

use std::collections::BTreeSet;
use std::path::{Component, Path, PathBuf};

use super::rust;

/// Where this test and its planted texts are; they have to name what is not there.
const PLANTED: &str = "tests/api/structure";
/// Directories whose files nobody here wrote. Hidden directories are left out too, except for [`HIDDEN`].
const FOREIGN: [&str; 2] = ["node_modules", "target"];
/// The hidden directories that belong to the repository.
const HIDDEN: [&str; 2] = [".cargo", ".ci"];
/// The endings of files that a text may only name if they are there.
const ENDINGS: [&str; 8] = [".rs", ".md", ".toml", ".cedar", ".cedarschema", ".sql", ".js", ".sh"];
/// What ends like a file of the repository but is none: a program, and files that a reader of the pages writes.
const NO_FILES: [&str; 3] = ["Node.js", "night.cedar", "night.toml"];
/// Directories of an operator, which may have files that are not in the repository.
const OF_OPERATORS: [&str; 3] = ["certs", "clients", "data"];

/// Beginnings of references to documents that were never part of the repository. Lower case, because the letter
/// case of the text does not matter.
const ABSENT_DOCUMENTS: [&str; 22] = [
    "agent-drafts",
    "client-authentication a",
    "client-authentication b",
    "client-authentication c",
    "client-authentication j",
    "client-authentication k",
    "core-exchange",
    "design-agents",
    "design-enforcement",
    "design-people",
    "design.md",
    "first issue",
    "house style",
    "house-style",
    "later issue",
    "policy-and-events",
    "roadmap",
    "security-bcp",
    "the sheet",
    "the spike",
    "this issue",
    "token-lifecycle",
];
/// Words that refer to such a document when a number follows.
const ABSENT_WITH_NUMBER: [&str; 4] = ["design", "issue", "workload-identity", "yes-no-claims"];

/// The page that defines the guarantees, `I1` and so on.
const GUARANTEES: &str = "guarantees.md";

/// Everything in the repository below `root` that a text can refer to.
pub struct Repository {
    root: PathBuf,
    files: BTreeSet<PathBuf>,
    requirements: BTreeSet<String>,
}

impl Repository {
    pub fn read(root: &Path) -> Self {
        let mut files = BTreeSet::new();
        let mut open = vec![root.to_owned()];
        while let Some(directory) = open.pop() {
            for entry in std::fs::read_dir(directory).unwrap() {
                let path = entry.unwrap().path();
                if path.is_dir() {
                    let name = path.file_name().unwrap().to_str().unwrap();
                    let is_ours =
                        !FOREIGN.contains(&name) && (!name.starts_with('.') || HIDDEN.contains(&name));
                    open.extend(is_ours.then_some(path));
                } else {
                    files.insert(path.strip_prefix(root).unwrap().to_owned());
                }
            }
        }
        let table = std::fs::read_to_string(root.join("conformance/requirements.md")).unwrap_or_default();
        let rows = table.lines().filter_map(|line| line.strip_prefix("| ")?.strip_suffix(". |"));
        let requirements = rows.filter_map(|row| Some(row.split_once(" | ")?.0.to_owned())).collect();
        Self { root: root.to_owned(), files, requirements }
    }

    pub fn files(&self) -> impl Iterator<Item = &Path> {
        self.files.iter().map(PathBuf::as_path).filter(|file| is_scanned(file))
    }

    /// Every reference to something that is not in the repository, as `file: reference`.
    pub fn absent(&self) -> Vec<String> {
        let mut absent = Vec::new();
        for file in self.files() {
            let text = std::fs::read_to_string(self.root.join(file)).unwrap();
            let comments = comments_of(file, &text);
            let mut found = BTreeSet::from_iter(self.absent_files(file, &comments));
            found.extend(absent_documents(&text));
            found.extend(self.absent_requirements(&text));
            found.extend(self.absent_decisions(&text));
            absent.extend(found.into_iter().map(|reference| format!("{}: {reference}", file.display())));
        }
        absent
    }

    /// The files that `text` in `file` names and that are neither where it says, counted from the root or from
    /// `file`, nor anywhere below the root under that name.
    fn absent_files(&self, file: &Path, text: &str) -> Vec<String> {
        let words = text.split(|c: char| c.is_whitespace() || "`()[]\"',|<>".contains(c));
        let paths = words.map(|word| {
            let path = word.split("::").next().unwrap_or(word).split('#').next().unwrap_or(word);
            path.trim_end_matches(['.', ';', ':', '/', '…', '?', '!'])
        });
        paths
            .filter(|path| !path.contains(['*', '{', '$', '=', '@']) && !path.contains("//"))
            .filter(|path| {
                !NO_FILES.contains(path) && !path.starts_with(['/', '~', '.', '-']) || path.starts_with("../")
            })
            .filter(|path| self.is_like_a_path(path) && !self.has(file, path))
            .map(str::to_owned)
            .collect()
    }

    /// Whether `word` ends like a file, or begins with a directory at the root.
    fn is_like_a_path(&self, word: &str) -> bool {
        let is_file =
            ENDINGS.iter().any(|ending| word.strip_suffix(ending).is_some_and(|name| !name.is_empty()));
        let is_below_a_directory = word.split_once('/').is_some_and(|(first, rest)| {
            let is_plain = !rest.is_empty() && !OF_OPERATORS.contains(&first);
            is_plain && self.files.iter().any(|file| file.starts_with(first) && file != Path::new(first))
        });
        is_file || is_below_a_directory
    }

    fn has(&self, file: &Path, path: &str) -> bool {
        let beside = normal(&file.parent().unwrap_or(Path::new("")).join(path));
        let is_below = |path: &Path| self.files.iter().any(|file| file.starts_with(path));
        is_below(Path::new(path)) || is_below(&beside) || self.files.iter().any(|file| file.ends_with(path))
    }

    /// The requirements that `text` names and that have no row with a sentence.
    fn absent_requirements(&self, text: &str) -> Vec<String> {
        requirements_in(text).into_iter().filter(|id| !self.requirements.contains(id)).collect()
    }

    /// The architecture decision records that `text` names by number and that are not there.
    fn absent_decisions(&self, text: &str) -> Vec<String> {
        words_from(text, "ADR ")
            .map(digits)
            .filter(|number| !number.is_empty())
            .filter(|number| {
                let begin = format!("docs/adr/{number:0>4}-");
                !self.files.iter().any(|file| file.to_str().is_some_and(|file| file.starts_with(&begin)))
            })
            .map(|number| format!("ADR {number}"))
            .collect()
    }
}

/// `path` without `.` and `..`.
fn normal(path: &Path) -> PathBuf {
    path.components().fold(PathBuf::new(), |mut path, component| {
        match component {
            Component::ParentDir => drop(path.pop()),
            Component::Normal(name) => path.push(name),
            _ => {}
        }
        path
    })
}

fn is_scanned(file: &Path) -> bool {
    let is_scanned = match file.extension().and_then(|ending| ending.to_str()) {
        Some("rs" | "md" | "toml" | "cedar" | "cedarschema" | "sql" | "js" | "sh") => true,
        None => ["test", "justfile", ".ci/run"].iter().any(|name| file == Path::new(name)),
        _ => false,
    };
    is_scanned && !file.starts_with(PLANTED)
}

/// The comments of a file; a page is all comment.
fn comments_of(file: &Path, text: &str) -> String {
    let marks: &[&str] = match file.extension().and_then(|ending| ending.to_str()) {
        Some("rs") => return rust::comments_of(text),
        Some("md") => return text.to_owned(),
        Some("cedar" | "cedarschema" | "js") => &["//"],
        Some("sql") => &["--"],
        _ => &["#"],
    };
    let comment = |line: &str| {
        let at = marks.iter().filter_map(|mark| line.find(mark)).min()?;
        Some(line[at..].to_owned())
    };
    text.lines().filter_map(comment).collect::<Vec<_>>().join("\n")
}

/// References to documents that are not in the repository.
fn absent_documents(text: &str) -> Vec<String> {
    let lower = text.to_lowercase();
    let mut found = guarantees_without_page(text);
    for phrase in ABSENT_DOCUMENTS {
        let rests = words_from(&lower, phrase).map(|rest| rest.strip_prefix('s').unwrap_or(rest));
        found.extend(rests.filter(|rest| !begins_with_a_word(rest)).map(|_| phrase.to_owned()));
    }
    for word in ABSENT_WITH_NUMBER {
        let numbers = words_from(&lower, word).filter_map(|rest| rest.strip_prefix(' ')).map(digits);
        found.extend(numbers.filter(|number| !number.is_empty()).map(|number| format!("{word} {number}")));
    }
    found
}

/// The rests of `text` after each place where `phrase` begins a word.
fn words_from<'a>(text: &'a str, phrase: &'a str) -> impl Iterator<Item = &'a str> {
    let hits = text.match_indices(phrase).filter(|(at, _)| !ends_with_a_word(&text[..*at]));
    hits.map(move |(at, _)| &text[at + phrase.len()..])
}

fn digits(text: &str) -> String {
    text.chars().take_while(char::is_ascii_digit).collect()
}

fn is_of_a_word(c: char) -> bool {
    c.is_alphanumeric() || c == '_' || c == '-'
}

fn begins_with_a_word(text: &str) -> bool {
    text.starts_with(is_of_a_word)
}

fn ends_with_a_word(text: &str) -> bool {
    text.ends_with(is_of_a_word)
}

/// Tags of guarantees, such as `I8`, in lines that do not name the page which defines them.
fn guarantees_without_page(text: &str) -> Vec<String> {
    let lines = text.lines().filter(|line| !line.starts_with("## ") && !line.contains(GUARANTEES));
    let tags = lines.flat_map(|line| words_from(line, "I").map(|rest| (digits(rest), rest)));
    tags.filter(|(number, rest)| number.len() == 1 && !begins_with_a_word(&rest[1..]))
        .map(|(number, _)| format!("I{number}"))
        .collect()
}

/// The requirements that `text` names; in a list such as `8693-2.1-05, -06` each of them in full.
pub fn requirements_in(text: &str) -> Vec<String> {
    let is_part = |c: char| c.is_ascii_alphanumeric() || c == '.' || c == '-' || c == '_' || c == '/';
    let mut found = Vec::new();
    let mut family: Option<&str> = None;
    for word in text.split(|c: char| !is_part(c)) {
        let word = word.trim_end_matches(['.', '-', '/']);
        match (word.strip_prefix('-'), family) {
            _ if word.is_empty() => {}
            (Some(number), Some(family)) if is_number(number) => found.push(format!("{family}-{number}")),
            _ => {
                family = family_of(word);
                found.extend(family.map(|_| word.to_owned()));
            }
        }
    }
    found
}

fn is_number(text: &str) -> bool {
    let digits = text.trim_end_matches(|c: char| c.is_ascii_lowercase());
    digits.len() >= 2 && text.len() - digits.len() <= 1 && digits.chars().all(|c| c.is_ascii_digit())
}

/// The part of a requirement's ID before its last number, if `word` is such an ID. It is the number of an RFC and a
/// section, or words in capital letters. Dates and the names of algorithms are no requirements.
fn family_of(word: &str) -> Option<&str> {
    const OTHERS: [&str; 11] =
        ["AES", "ES", "HKDF", "HMAC", "P", "PS", "RSA", "RUSTSEC", "SHA", "UTC", "UTF"];
    let (family, number) = word.rsplit_once('-')?;
    let first = family.split('-').next()?;
    let rfc = first.strip_suffix("bis").unwrap_or(first);
    let is_rfc = rfc.len() == 4 && rfc.chars().all(|c| c.is_ascii_digit());
    let section = family.split_once('-').map(|(_, section)| section);
    let is_date = section.is_none_or(is_number) && first == rfc;
    let is_capitals = first.starts_with(|c: char| c.is_ascii_uppercase())
        && family.chars().all(|c| c.is_ascii_uppercase() || c.is_ascii_digit() || c == '-' || c == '.');
    let is_family = (is_rfc && !is_date) || (is_capitals && !OTHERS.contains(&first));
    (is_family && is_number(number) && !word.contains(['/', '_'])).then_some(family)
}

//! Steps for people: plain words first, then what was said on the wire, then the record.

use serde_json::Value;

use super::layout::{command, cut, length, wrap, wrap_indented};
use super::look::{Kind, Line, Look};
use super::shown;
use crate::oauth::exchange::token_type::ACCESS_TOKEN;
use crate::sandbox::step::{Denial, Part, Step};
use crate::sandbox::wire::Call;
use crate::sdk::Decoded;

/// Where text begins beside a label.
const INDENT: usize = 10;
/// Where text begins beside what is told of a denial.
const DENIAL_INDENT: usize = 19;
/// Where the second line of what is told of a denial begins on a narrow terminal, where its label has a line of its own.
const NARROW_INDENT: usize = 4;
/// Terminals with fewer columns are narrow.
const NARROW: usize = 60;

/// A line to try, for those who watch.
pub enum Offer {
    /// What the next command does, or what is worth knowing about it.
    Comment(String),
    /// A command, in words. One that is longer than a line is not in single quotes.
    Command(Vec<String>),
}

/// The lines of a step or a passage.
struct Page {
    look: Look,
    lines: Vec<Line>,
}

impl Page {
    const fn new(look: Look) -> Self {
        Self { look, lines: Vec::new() }
    }

    fn push(&mut self, kind: Kind, texts: impl IntoIterator<Item = String>) {
        self.lines.extend(texts.into_iter().map(|text| Line { kind, text }));
    }

    /// A paragraph in plain words.
    fn say(&mut self, text: &str) {
        let lines = wrap(text, self.look.inner());
        self.push(Kind::Words, lines);
    }

    /// Text beside a label.
    fn tell(&mut self, kind: Kind, label: &str, text: &str) {
        for (i, part) in wrap(text, self.look.inner() - INDENT).into_iter().enumerate() {
            let label = if i == 0 { label } else { "" };
            self.push(kind, [format!("  {label:<8}{part}")]);
        }
    }

    /// A line that is shown as it is, with a hanging indentation where it has to be broken.
    fn keep(&mut self, text: &str) {
        let kept = 2 + text.chars().take_while(|c| *c == ' ').count();
        let lines = wrap_indented(text.trim_start(), self.look.inner(), kept, kept + 2);
        self.push(Kind::Words, lines);
    }

    /// A refusal: who asked, for what, which rule refused, and what would have passed.
    fn deny(&mut self, denial: &Denial, cause: &str) {
        let rule = format!("{}{cause}", denial.rule);
        let told = [
            ("who asked:", &denial.who),
            ("for what:", &denial.asked),
            ("the rule:", &rule),
            ("would have passed:", &denial.passes),
        ];
        for (i, (what, text)) in told.into_iter().enumerate() {
            let label = if i == 0 { "DENIED" } else { "" };
            if self.look.inner() < NARROW {
                self.tell(Kind::Denied, label, what);
                let lines = wrap_indented(text, self.look.inner(), NARROW_INDENT, NARROW_INDENT);
                self.push(Kind::Denied, lines);
                continue;
            }
            let parts = wrap(text, self.look.inner() - INDENT - DENIAL_INDENT);
            for (j, part) in parts.into_iter().enumerate() {
                let (label, what) = if j == 0 { (label, what) } else { ("", "") };
                self.push(Kind::Denied, [format!("  {label:<8}{what:<DENIAL_INDENT$}{part}")]);
            }
        }
    }
}

pub fn step(step: &Step, look: Look) -> String {
    let mut page = Page::new(look);
    if !step.words.is_empty() {
        page.say(&step.words.join(" "));
    }
    if let Some(denial) = &step.denial {
        page.deny(denial, &cause(step));
    }
    for call in &step.before {
        page.tell(Kind::Wire, "", &cut(&spoken(call), look.inner() - INDENT));
    }
    if let Some(call) = &step.call {
        page.tell(Kind::Wire, "request", &spoken(call));
        if step.token.is_none() || call.token().is_none() {
            page.tell(Kind::Wire, "answer", &answered(call));
        }
    }
    if let Some(means) = &step.means {
        page.tell(Kind::Token, "token", means);
    }
    if let Some(token) = &step.token {
        let typ = token.header.get("typ").and_then(Value::as_str).unwrap_or("JWT");
        let claims = members(&shown::brief(&shown::without_repeated_issuer(&shown::value(&token.claims))));
        let label = if step.means.is_some() { "" } else { "token" };
        page.tell(Kind::Token, label, &format!("{typ} {claims}"));
    }
    for text in &step.text {
        page.keep(text);
    }
    if let Some(rule) = permitted_by(step).filter(|_| step.denial.is_none()) {
        page.tell(Kind::Rule, "rule", &rule);
    }
    if let Some(row) = &step.audit {
        page.tell(Kind::Audit, "audit", &members(&Value::Object(shown::row(row))));
    }
    for check in step.differences() {
        let text = format!("{}: expected {}, got {}", check.what, check.expected, check.actual);
        page.tell(Kind::Bad, "DIFFERS", &text);
    }
    let title = format!("{} [{}]", title(step), checked(step));
    // Lines that belong together are printed together.
    let goes_on = step.id.ends_with(['b', 'c', 'd']);
    format!("{}{}", if goes_on { "" } else { before(look) }, look.framed(&title, &page.lines))
}

/// What separates a step from the one before it: a frame needs nothing.
const fn before(look: Look) -> &'static str {
    if look.has_boxes { "" } else { "\n" }
}

/// What a step is called.
pub fn title(step: &Step) -> String {
    match step.part {
        Part::Story | Part::Agents => format!("{}. {}", step.id, step.title),
        Part::Drill => format!("Drill {}: {}", step.id, step.title),
        Part::Limits => step.title.clone(),
    }
}

/// How the checks of a step came out.
fn checked(step: &Step) -> String {
    match (step.differences().count(), step.checks.len()) {
        (0, 1) => "ok:\u{a0}1\u{a0}check".to_owned(),
        (0, checks) => format!("ok:\u{a0}{checks}\u{a0}checks"),
        (n, checks) => format!("{n}\u{a0}of\u{a0}{checks}\u{a0}checks\u{a0}DIFFER"),
    }
}

/// Paragraphs under a title. One that has a term is told beside it.
pub fn passage(title: &str, paragraphs: &[(Option<&str>, String)], look: Look) -> String {
    let mut page = Page::new(look);
    let terms = paragraphs.iter().filter_map(|(term, _)| *term);
    let most = terms.map(length).max().unwrap_or_default();
    for (term, text) in paragraphs {
        let Some(term) = *term else {
            page.say(text);
            continue;
        };
        let indent = most + 4;
        for (i, line) in wrap(text, look.inner().saturating_sub(indent)).into_iter().enumerate() {
            let term = if i == 0 { term } else { "" };
            page.push(Kind::Words, [format!("  {term:<most$}  {line}")]);
        }
    }
    format!("{}{}", before(look), look.framed(title, &page.lines))
}

/// Commands to copy: under a heading and without a frame, so that nothing but the commands is copied.
pub fn to_copy(title: &str, offers: &[Offer], look: Look) -> String {
    let mut out = format!("\n{}", unframed(&format!("== {title}"), Kind::Title, look));
    for (i, offer) in offers.iter().enumerate() {
        match offer {
            Offer::Comment(text) => {
                if i > 0 {
                    out.push('\n');
                }
                for line in wrap(text, look.width - 2) {
                    out += &format!("{}\n", look.paint(&format!("# {line}"), Kind::Wire));
                }
            }
            Offer::Command(words) => {
                for line in command(words, look.width) {
                    out += &format!("{}\n", look.paint(&line, Kind::Words));
                }
            }
        }
    }
    out
}

/// A sentence that sums up.
pub fn verdict(sentence: &str, is_good: bool, look: Look) -> String {
    let kind = if is_good { Kind::Good } else { Kind::Bad };
    format!("\n{}", unframed(sentence, kind, look))
}

/// How the next step is reached.
pub fn prompt(sentence: &str, look: Look) -> String {
    unframed(sentence, Kind::Wire, look)
}

/// A sentence without a frame.
fn unframed(sentence: &str, kind: Kind, look: Look) -> String {
    let lines = wrap(sentence, look.width).into_iter();
    lines.map(|line| format!("{}\n", look.paint(&line, kind))).collect()
}

/// `assistant -> Deputy POST /token audience=… scope=…`
fn spoken(call: &Call) -> String {
    let mut text = format!("{} -> {}  {} {}", call.from, call.to, call.method, call.path);
    if let Some(token) = &call.bearer {
        let scheme = if call.proof_by.is_some() { "DPoP" } else { "Bearer" };
        text += &format!("  {scheme} {}", shown::bearer(token));
    }
    for (name, value) in &call.params {
        // The fixed half of client authentication tells a reader nothing, and a token of Deputy's is shown with its kind.
        if name == "client_assertion_type" || (name == "subject_token_type" && value == ACCESS_TOKEN) {
            continue;
        }
        // Tokens begin alike: what kind it is tells more than how it begins.
        let kind = if name == "subject_token" { kind_of(value) } else { String::new() };
        let value = shown::brief_id(&shown::param(name, value)) + &kind;
        let value = value
            .replace("urn:ietf:params:oauth:grant-type:", "")
            .replace("urn:ietf:params:oauth:token-type:", "");
        let value = if value.contains(' ') { format!("\"{}\"", value.replace(' ', "\u{a0}")) } else { value };
        text += &format!("  {name}={value}");
    }
    if let Some(key) = &call.proof_by {
        text += &format!("  proof-by={}", shown::brief_key(key));
    }
    if call.token().is_some() {
        text += &format!("  =>\u{a0}{}", call.status);
    }
    text
}

/// `[task+jwt]` for a token of Deputy's; nothing for others, whose type is a parameter of its own.
fn kind_of(token: &str) -> String {
    Decoded::read(token)
        .filter(|token| token.typ().ends_with("+jwt"))
        .map_or(String::new(), |token| format!("[{}]", token.typ()))
}

/// `403 {"error": …}`
fn answered(call: &Call) -> String {
    if let Some(location) = &call.location {
        return format!("{} to {}", call.status, cut(location, 60));
    }
    match shown::body(call) {
        Value::Null => call.status.to_string(),
        Value::String(text) => format!("{} {}", call.status, cut(&text, 80)),
        body => format!("{} {}", call.status, members(&shown::brief(&body))),
    }
}

/// Which policies permitted, from the audit row.
fn permitted_by(step: &Step) -> Option<String> {
    let policy = step.audit.as_ref()?.get("policy")?;
    let word = |name: &str| policy.get(name).and_then(Value::as_str).unwrap_or_default().to_owned();
    Some(format!("{} by {} (policy set {})", word("decision"), policy_names(policy), word("set")))
}

fn policy_names(policy: &Value) -> String {
    let ids = policy.get("policies").and_then(Value::as_array);
    let ids: Vec<&str> = ids.into_iter().flatten().filter_map(Value::as_str).collect();
    if ids.is_empty() { "no policy".to_owned() } else { ids.join(", ") }
}

/// What the record says of a refusal, which the caller is not told.
fn cause(step: &Step) -> String {
    let Some(row) = &step.audit else { return String::new() };
    let Some(cause) = row.get("cause").and_then(Value::as_str) else { return String::new() };
    match row.get("policy").filter(|policy| policy.get("decision").and_then(Value::as_str) != Some("permit"))
    {
        Some(policy) => format!(" [cause\u{a0}{cause}, by\u{a0}policy\u{a0}{}]", policy_names(policy)),
        None => format!(" [cause\u{a0}{cause}]"),
    }
}

/// A JSON object in one line that can be broken at spaces: `{"a": 1, "b": {…}}`.
fn members(value: &Value) -> String {
    match value {
        Value::Object(members) => {
            let inner: Vec<String> =
                members.iter().map(|(name, v)| format!("\"{name}\":{}", self::members(v))).collect();
            format!("{{{}}}", inner.join(", "))
        }
        Value::Array(items) => {
            let inner: Vec<String> = items.iter().map(self::members).collect();
            format!("[{}]", inner.join(", "))
        }
        Value::String(text) => Value::from(text.replace(' ', "\u{a0}")).to_string(),
        other => other.to_string(),
    }
}

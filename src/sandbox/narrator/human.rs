//! Steps for people: plain words first, then what was said on the wire, then the record.

use anstyle::{AnsiColor, Style};
use serde_json::Value;

use super::shown;
use crate::oauth::exchange::token_type::ACCESS_TOKEN;
use crate::sandbox::step::{Part, Step};
use crate::sandbox::wire::Call;
use crate::sdk::Decoded;

/// Characters of a line, frame not counted.
const WIDTH: usize = 116;
/// Where text begins beside a label.
const INDENT: usize = 10;

/// Where text begins beside what is told of a denial.
const DENIAL_INDENT: usize = 19;

/// What the output can do.
#[derive(Clone, Copy, Debug, Default)]
pub struct Look {
    pub has_boxes: bool,
    pub has_colour: bool,
}

/// What a line is, and so how it looks.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Kind {
    Title,
    Words,
    Wire,
    Token,
    Rule,
    Denied,
    Audit,
    Good,
    Bad,
}

struct Line {
    kind: Kind,
    text: String,
}

impl Kind {
    fn style(self) -> Style {
        let colour = |colour: AnsiColor| Style::new().fg_color(Some(colour.into()));
        match self {
            Self::Title => Style::new().bold(),
            Self::Words => Style::new(),
            Self::Wire | Self::Audit => Style::new().dimmed(),
            Self::Token => colour(AnsiColor::Cyan),
            Self::Rule => colour(AnsiColor::Yellow),
            Self::Denied => colour(AnsiColor::Magenta),
            Self::Good => colour(AnsiColor::Green),
            Self::Bad => colour(AnsiColor::Red).bold(),
        }
    }
}

pub fn step(step: &Step, look: Look) -> String {
    let mut lines = Vec::new();
    if !step.words.is_empty() {
        let words = wrap(&step.words.join(" "), 0);
        lines.extend(words.into_iter().map(|text| Line { kind: Kind::Words, text }));
    }
    if let Some(denial) = &step.denial {
        for (i, (what, text)) in [
            ("who asked:", denial.who.clone()),
            ("for what:", denial.asked.clone()),
            ("the rule:", format!("{}{}", denial.rule, cause(step))),
            ("would have passed:", denial.passes.clone()),
        ]
        .into_iter()
        .enumerate()
        {
            for (j, part) in wrap(&text, INDENT + DENIAL_INDENT).into_iter().enumerate() {
                let label = if i + j == 0 { "DENIED" } else { "" };
                let what = if j == 0 { what } else { "" };
                lines.push(Line {
                    kind: Kind::Denied,
                    text: labelled(label, &format!("{what:<DENIAL_INDENT$}{part}")),
                });
            }
        }
    }
    for call in &step.before {
        lines.push(Line { kind: Kind::Wire, text: labelled("", &cut(&spoken(call), WIDTH - INDENT)) });
    }
    if let Some(call) = &step.call {
        tell(&mut lines, Kind::Wire, "request", &spoken(call));
        if step.token.is_none() || call.token().is_none() {
            tell(&mut lines, Kind::Wire, "answer", &answered(call));
        }
    }
    if let Some(means) = &step.means {
        tell(&mut lines, Kind::Token, "token", means);
    }
    if let Some(token) = &step.token {
        let typ = token.header.get("typ").and_then(Value::as_str).unwrap_or("JWT");
        let claims = members(&shown::brief(&shown::without_repeated_issuer(&shown::value(&token.claims))));
        tell(
            &mut lines,
            Kind::Token,
            if step.means.is_some() { "" } else { "token" },
            &format!("{typ} {claims}"),
        );
    }
    for text in &step.text {
        lines.extend(wrap_kept(text).into_iter().map(|text| Line { kind: Kind::Words, text }));
    }
    if let Some(rule) = permitted_by(step).filter(|_| step.denial.is_none()) {
        tell(&mut lines, Kind::Rule, "rule", &rule);
    }
    if let Some(row) = &step.audit {
        tell(&mut lines, Kind::Audit, "audit", &members(&Value::Object(shown::row(row))));
    }
    for check in step.differences() {
        let text = format!("{}: expected {}, got {}", check.what, check.expected, check.actual);
        tell(&mut lines, Kind::Bad, "DIFFERS", &text);
    }
    let title = match step.part {
        Part::Story => format!("{}. {}", step.id, step.title),
        Part::Drill => format!("Drill {}: {}", step.id, step.title),
    };
    let differing = step.differences().count();
    let title = match (differing, step.checks.len()) {
        (0, 1) => format!("{title} [ok: 1 check]"),
        (0, checks) => format!("{title} [ok: {checks} checks]"),
        (n, checks) => format!("{title} [{n} of {checks} checks DIFFER]"),
    };
    // Lines that belong together are printed together.
    let goes_on = step.id.ends_with(['b', 'c']) && !look.has_boxes;
    format!("{}{}", if goes_on || look.has_boxes { "" } else { "\n" }, framed(&title, &lines, look))
}

/// Lines between steps, kept as they are.
pub fn passage(title: &str, lines: &[String], look: Look) -> String {
    let lines: Vec<Line> = lines.iter().map(|text| Line { kind: Kind::Words, text: text.clone() }).collect();
    framed(title, &lines, look)
}

/// Lines to copy: under a heading, without a frame, and never broken.
pub fn to_copy(title: &str, lines: &[String], look: Look) -> String {
    let mut out = format!("\n{}\n", paint(&format!("== {title}"), Kind::Title, look));
    for line in lines {
        let kind = if line.starts_with('#') { Kind::Wire } else { Kind::Words };
        out += &format!("{}\n", paint(line, kind, look));
    }
    out
}

/// One line that sums up.
pub fn verdict(line: &str, is_good: bool, look: Look) -> String {
    let kind = if is_good { Kind::Good } else { Kind::Bad };
    format!("\n{}\n", paint(line, kind, look))
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
        let value = if value.contains(' ') { format!("\"{value}\"") } else { value };
        text += &format!("  {name}={value}");
    }
    if let Some(key) = &call.proof_by {
        text += &format!("  proof-by={}", shown::brief_key(key));
    }
    if call.token().is_some() {
        text += &format!("  => {}", call.status);
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
        Some(policy) => format!(" [cause {cause}, by policy {}]", policy_names(policy)),
        None => format!(" [cause {cause}]"),
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

fn tell(lines: &mut Vec<Line>, kind: Kind, label: &str, text: &str) {
    for (i, part) in wrap(text, INDENT).into_iter().enumerate() {
        lines.push(Line { kind, text: labelled(if i == 0 { label } else { "" }, &part) });
    }
}

fn labelled(label: &str, text: &str) -> String {
    format!("  {label:<8}{text}")
}

/// Breaks at spaces; what has none stays whole. A no-break space becomes a space.
fn wrap(text: &str, indent: usize) -> Vec<String> {
    let width = WIDTH - indent;
    let mut lines = vec![String::new()];
    for word in text.split(' ') {
        let line = lines.last_mut();
        match line {
            Some(line) if line.is_empty() => line.push_str(word),
            Some(line) if line.chars().count() + 1 + word.chars().count() <= width => {
                line.push(' ');
                line.push_str(word);
            }
            _ => lines.push(word.to_owned()),
        }
    }
    lines.into_iter().map(|line| line.replace('\u{a0}', " ")).collect()
}

/// As [`wrap`], indented by two columns, with a hanging indent for the lines that follow.
fn wrap_kept(text: &str) -> Vec<String> {
    let kept = 2 + text.chars().take_while(|c| *c == ' ').count();
    let hanging = kept + 4;
    wrap(text.trim_start(), hanging)
        .into_iter()
        .enumerate()
        .map(|(i, part)| format!("{}{part}", " ".repeat(if i == 0 { kept } else { hanging })))
        .collect()
}

fn cut(text: &str, to: usize) -> String {
    if text.chars().count() <= to {
        return text.to_owned();
    }
    let mut kept: String = text.chars().take(to.saturating_sub(1)).collect();
    kept.push('…');
    kept
}

fn framed(title: &str, lines: &[Line], look: Look) -> String {
    let mut out = String::new();
    let title = cut(title, WIDTH - 4);
    if !look.has_boxes {
        out += &format!("{}\n", paint(&format!("== {title}"), Kind::Title, look));
        for line in lines {
            out += &format!("{}\n", paint(line.text.trim_end(), line.kind, look));
        }
        return out;
    }
    let rule = |n: usize| "─".repeat(n);
    let rest = rule((WIDTH + 1).saturating_sub(title.chars().count() + 2));
    out += &format!("┌─ {} {rest}┐\n", paint(&title, Kind::Title, look));
    for line in lines {
        // A line too long for the frame keeps its end: it may be a command to copy.
        let padding = " ".repeat(WIDTH.saturating_sub(line.text.chars().count()));
        out += &format!("│ {}{padding} │\n", paint(&line.text, line.kind, look));
    }
    out += &format!("└{}┘\n", rule(WIDTH + 2));
    out
}

fn paint(text: &str, kind: Kind, look: Look) -> String {
    let style = kind.style();
    if look.has_colour { format!("{style}{text}{style:#}") } else { text.to_owned() }
}

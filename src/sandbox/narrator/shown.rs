//! What of a value may be shown: tokens cut short, passwords and birthdates not at all.

use serde_json::{Map, Value};

use crate::sandbox::wire::Call;

/// The text that replaces a birthdate, which only Deputy may see.
const BIRTHDATE: &str = "(a date; only Deputy reads it)";

/// Whether this looks like a compact JWS.
pub fn is_jws(text: &str) -> bool {
    text.starts_with("eyJ") && text.bytes().filter(|&b| b == b'.').count() == 2
}

/// A token as it may be shown: the first characters of the header, never the signature.
pub fn shorten(token: &str) -> String {
    let start: String = token.chars().take(7).collect();
    format!("{start}…")
}

/// A value with every string in it as `shown` shows the string of a member of this name.
fn map(name: &str, value: &Value, shown: &impl Fn(&str, &str) -> String) -> Value {
    match value {
        Value::Object(members) => {
            let shown = |(name, value): (&String, &Value)| (name.clone(), map(name, value, shown));
            Value::Object(members.iter().map(shown).collect())
        }
        Value::Array(items) => items.iter().map(|item| map(name, item, shown)).collect(),
        Value::String(text) => shown(name, text).into(),
        other => other.clone(),
    }
}

/// A value with every token cut short.
pub fn value(value: &Value) -> Value {
    map("", value, &|name, text| match name {
        "birthdate" => BIRTHDATE.to_owned(),
        // An opaque token (the provider's): nothing in it to read.
        "access_token" => bearer(text),
        _ if is_jws(text) => shorten(text),
        _ => text.to_owned(),
    })
}

/// A parameter as it may be shown.
pub fn param(name: &str, text: &str) -> String {
    match name {
        "password" | "client_secret" | "code_verifier" | "code" | "signature" | "login" => {
            let start: String = text.chars().take(if name == "password" { 0 } else { 5 }).collect();
            format!("{start}…")
        }
        _ if is_jws(text) => shorten(text),
        _ => text.to_owned(),
    }
}

/// A bearer token as it may be shown: a JWT's beginning, nothing of an opaque one.
pub fn bearer(token: &str) -> String {
    if is_jws(token) { shorten(token) } else { "…".to_owned() }
}

/// The answer's body: JSON with tokens cut short; a page only as what it is.
pub fn body(call: &Call) -> Value {
    match &call.body {
        Value::String(text) if text.starts_with("<!doctype html>") => "(a page with a form)".into(),
        Value::String(text) if text.is_empty() => Value::Null,
        other => value(other),
    }
}

/// A value with long opaque strings cut, for people: enough stays to see which are equal.
pub fn brief(value: &Value) -> Value {
    map("", value, &|name, text| if name == "jkt" { brief_key(text) } else { brief_id(text) })
}

/// The claims of a token without the issuer of each actor where it is that of the token.
pub fn without_repeated_issuer(claims: &Value) -> Value {
    let mut told = claims.clone();
    let mut level = told.get_mut("act");
    while let Some(Value::Object(act)) = level {
        if act.get("iss") == claims.get("iss") {
            act.retain(|name, _| name != "iss");
        }
        level = act.get_mut("act");
    }
    told
}

/// The thumbprint of a key, cut: enough stays to see which are equal.
pub fn brief_key(thumbprint: &str) -> String {
    let start: String = thumbprint.chars().take(8).collect();
    format!("{start}…")
}

/// Cuts what is an opaque identifier: an agent's, a pairwise subject or transaction, a UUID.
pub fn brief_id(text: &str) -> String {
    let is_opaque = text.len() > 18
        && !text.contains([' ', ':', '/'])
        && (text.starts_with("agent_")
            || text.starts_with("pw_")
            || text.starts_with("tx_")
            || is_uuid(text));
    if !is_opaque {
        return text.to_owned();
    }
    // A UUID v7 begins with the time, so its end tells two of them apart.
    let chars: Vec<char> = text.chars().collect();
    match is_uuid(text) {
        true => format!("…{}", chars.iter().rev().take(6).rev().collect::<String>()),
        false => format!("{}…", chars.iter().take(12).collect::<String>()),
    }
}

fn is_uuid(text: &str) -> bool {
    text.len() == 36
        && text.bytes().enumerate().all(|(i, b)| match i {
            8 | 13 | 18 | 23 => b == b'-',
            _ => b.is_ascii_hexdigit(),
        })
}

/// The members of an audit row that tell what happened, in the order of telling.
pub fn row(row: &Value) -> Map<String, Value> {
    const TOLD: &str = "seq event outcome cause client agent class agent_created chain delegator_kind handed_to \
                        accepted_from task task_begun purpose levels jti parent target scope_asked scope died count why";
    let mut told = Map::new();
    for name in TOLD.split(' ') {
        // Left out where it repeats the member beside it.
        let is_told_already = match name {
            "scope_asked" => row.get("scope").is_some(),
            "class" => row.get("class") == row.get("client") || row["class"] == "client",
            // A token that was granted is shown with both.
            "target" | "scope" => {
                row.get("jti").is_some()
                    && ["exchange", "handover", "accept"].iter().any(|event| row["event"] == *event)
            }
            "delegator_kind" => row["delegator_kind"] == "user",
            "chain" => row.get("chain").and_then(Value::as_array).is_some_and(|chain| chain.len() < 2),
            _ => false,
        };
        if let Some(v) = row.get(name).filter(|_| !is_told_already) {
            told.insert(name.to_owned(), brief(v));
        }
    }
    told
}

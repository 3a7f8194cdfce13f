//! Client secrets: read from files, strong enough, at most two, never printed.

use std::collections::BTreeSet;
use std::path::Path;

use secrecy::SecretString;
use serde::Deserialize;
use zeroize::Zeroizing;

use super::validation::Validation;
use crate::base::time::Timestamp;
use crate::registry::ClientSecret;

/// One of `client.secret_files`.
#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub(super) struct RawSecretFile {
    file: Option<String>,
    expires_at: Option<String>,
}

/// Least entropy of a secret, because it is kept as a fast keyed hash.
const LEAST_BITS: f64 = 160.0;

const HOW_TO_MAKE: &str = "make one with `openssl rand -base64 32 | tr '+/' '-_' | tr -d '='`";

/// The secrets of one client, in the order of the file.
pub(super) fn secrets(
    validation: &Validation<'_>,
    section: &str,
    one: Option<String>,
    several: Vec<RawSecretFile>,
) -> Option<Vec<ClientSecret>> {
    let list = format!("{section}.secret_files");
    if one.is_some() && !several.is_empty() {
        validation.refuse(&list, "is set together with `secret_file`", "keep one of the two");
        return None;
    }
    if several.len() > 2 {
        let what = format!("has {} secrets", several.len());
        validation.refuse(&list, what, "keep two at most: the old one and the new one");
    }
    if let Some(file) = one {
        let value = read(validation, &format!("{section}.secret_file"), &file)?;
        return Some(vec![ClientSecret { value, expires_at: None }]);
    }
    if several.is_empty() {
        let what = "is missing: the client has no secret";
        validation.refuse(&format!("{section}.secret_file"), what, "name the file that holds it");
        return None;
    }
    let mut secrets: Vec<ClientSecret> = Vec::new();
    for (position, raw) in several.into_iter().enumerate() {
        let path = format!("{list}[{position}]");
        let expires_at = raw.expires_at.and_then(|at| moment(validation, &format!("{path}.expires_at"), &at));
        let Some(file) = validation.required_text(&format!("{path}.file"), raw.file) else { continue };
        let Some(value) = read(validation, &format!("{path}.file"), &file) else { continue };
        use secrecy::ExposeSecret as _;
        if secrets.iter().any(|other| other.value.expose_secret() == value.expose_secret()) {
            validation.refuse(&path, "holds the same secret as the one before", HOW_TO_MAKE);
        }
        secrets.push(ClientSecret { value, expires_at });
    }
    (!secrets.is_empty()).then_some(secrets)
}

fn moment(validation: &Validation<'_>, path: &str, at: &str) -> Option<Timestamp> {
    match at.parse::<jiff::Timestamp>() {
        Ok(at) => Some(Timestamp::from_millis(at.as_millisecond())),
        Err(_) => {
            let what = format!("is `{at}`, which has no offset from UTC");
            validation.refuse(path, what, "write for example `2027-01-31T00:00:00Z`");
            None
        }
    }
}

fn read(validation: &Validation<'_>, path: &str, file: &str) -> Option<SecretString> {
    let full: &Path = &validation.file(file);
    let text = match std::fs::read_to_string(full) {
        Ok(text) => Zeroizing::new(text),
        Err(error) => {
            let what = format!("names `{file}`, which cannot be read: {}", error.kind());
            validation.refuse(path, what, "write the secret in that file, mode 0600");
            return None;
        }
    };
    let secret = text.strip_suffix('\n').unwrap_or(&text);
    let secret = secret.strip_suffix('\r').unwrap_or(secret);
    if let Err(what) = strength(secret) {
        validation.refuse(path, format!("names `{file}`, whose secret {what}"), HOW_TO_MAKE);
        return None;
    }
    Some(SecretString::from(secret))
}

/// Whether `secret` can hold 160 random bits, judged by its length and the alphabet it seems drawn from.
fn strength(secret: &str) -> Result<(), &'static str> {
    if !secret.bytes().all(|b| matches!(b, 0x20..=0x7e)) {
        return Err("holds characters that are not printable ASCII (RFC 6749 appendix A.2)");
    }
    let all = |class: fn(u8) -> bool| secret.bytes().all(class);
    let bits_each: f64 = if all(|b| b.is_ascii_digit()) {
        3.32
    } else if all(|b| matches!(b, b'0'..=b'9' | b'a'..=b'f'))
        || all(|b| matches!(b, b'0'..=b'9' | b'A'..=b'F'))
    {
        4.0
    } else if all(|b| matches!(b, b'0'..=b'9' | b'a'..=b'z'))
        || all(|b| matches!(b, b'0'..=b'9' | b'A'..=b'Z'))
    {
        5.0
    } else {
        6.0
    };
    let characters = u32::try_from(secret.len()).unwrap_or(u32::MAX);
    if f64::from(characters) * bits_each < LEAST_BITS {
        return Err("is too short for 160 random bits");
    }
    if secret.bytes().collect::<BTreeSet<u8>>().len() < 8 {
        return Err("repeats a few characters");
    }
    Ok(())
}

//! Client secrets: read from files, strong enough, at most two, never printed.

use std::io::ErrorKind;

use secrecy::{ExposeSecret as _, SecretString};
use zeroize::Zeroizing;

use super::section::Section;
use super::table::table;
use crate::base::text::why_unread;
use crate::base::time::Timestamp;
use crate::registry::ClientSecret;

table! {
    /// The secrets of a client, at most two, for changing one without an interruption; instead of `secret_file`.
    pub(super) struct RawSecretFile {
        /// The file that holds the secret.
        #[schemars(required, example = &"secrets/reporting-2027")]
        file: Option<String>,
        /// The secret is refused from then on.
        #[schemars(
            example = &"2027-01-31T00:00:00Z",
            extend("format" = "date-time", "x-default" = "never")
        )]
        expires_at: Option<String>,
    }
}

const HOW_TO_MAKE: &str = "make one with `openssl rand -base64 32 | tr '+/' '-_' | tr -d '='`";

/// What to do about a file with a secret that is there and cannot be read.
pub(super) const UNREADABLE: &str =
    "run the command as the user that Deputy runs as, and let the file belong to that user, mode 0600";

/// The secrets of one client, in the order of the file.
pub(super) fn secrets(
    section: &Section<'_>,
    one: Option<String>,
    several: Vec<RawSecretFile>,
) -> Option<Vec<ClientSecret>> {
    if one.is_some() && !several.is_empty() {
        section.refuse("secret_files", "is set together with `secret_file`", "keep one of the two");
        return None;
    }
    if several.len() > 2 {
        let what = format!("has {} secrets", several.len());
        section.refuse("secret_files", what, "keep two at most: the old one and the new one");
    }
    if let Some(file) = one {
        return Some(vec![ClientSecret { value: read(section, "secret_file", &file)?, expires_at: None }]);
    }
    if several.is_empty() && !section.is_refused("secret_file") {
        let what = "is missing: the client has no secret";
        section.refuse("secret_file", what, "name the file that holds it");
    }
    let mut secrets: Vec<ClientSecret> = Vec::new();
    for (position, raw) in several.into_iter().enumerate() {
        let place = section.item("secret_files", position);
        let expires_at = raw.expires_at.and_then(|at| moment(&place, &at));
        let Some(value) = raw.file.and_then(|file| read(&place, "file", &file)) else { continue };
        if secrets.iter().any(|other| other.value.expose_secret() == value.expose_secret()) {
            place.refuse("", "holds the same secret as the one before", HOW_TO_MAKE);
        }
        secrets.push(ClientSecret { value, expires_at });
    }
    (!secrets.is_empty()).then_some(secrets)
}

fn moment(section: &Section<'_>, at: &str) -> Option<Timestamp> {
    match at.parse::<jiff::Timestamp>() {
        Ok(at) => Some(Timestamp::from_millis(at.as_millisecond())),
        Err(_) => {
            let what = format!("is `{at}`, which has no offset from UTC");
            section.refuse("expires_at", what, "write for example `2027-01-31T00:00:00Z`");
            None
        }
    }
}

fn read(section: &Section<'_>, key: &str, file: &str) -> Option<SecretString> {
    let text = match std::fs::read_to_string(section.file(file)) {
        Ok(text) => Zeroizing::new(text),
        Err(error) => {
            let what = format!("names `{file}`, which cannot be read: {}", why_unread(&error));
            let fix = match error.kind() {
                ErrorKind::PermissionDenied => UNREADABLE,
                _ => "write the secret in that file, mode 0600",
            };
            section.refuse(key, what, fix);
            return None;
        }
    };
    let secret = text.strip_suffix('\n').unwrap_or(&text);
    let secret = secret.strip_suffix('\r').unwrap_or(secret);
    if let Err(what) = ClientSecret::check_strength(secret) {
        section.refuse(key, format!("names `{file}`, whose secret {what}"), HOW_TO_MAKE);
        return None;
    }
    Some(SecretString::from(secret))
}

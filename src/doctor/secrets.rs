//! Client secrets: when they end, and who can read their files.

use std::path::Path;

use secrecy::ExposeSecret as _;

use super::Findings;
use crate::base::time::{Lifetime, Timestamp};
use crate::config::{Config, Database};
use crate::keys::is_private;
use crate::registry::ClientAuthentication;

/// Time enough to change a secret.
const SOON: Lifetime = Lifetime::from_seconds(14 * 86_400);

pub(super) fn check(findings: &mut Findings, config: &Config, file: &Path, now: Timestamp) {
    sendable(findings, config);
    expiry(findings, config, now);
    files(findings, config, file);
}

fn expiry(findings: &mut Findings, config: &Config, now: Timestamp) {
    const ID: &str = "client_secrets";
    let mut counted = 0;
    for client in config.registry.clients.values() {
        let (ClientAuthentication::ClientSecretBasic(secrets)
        | ClientAuthentication::ClientSecretPost(secrets)) = &client.authentication
        else {
            continue;
        };
        counted += 1;
        // The last to end is when the client can no longer authenticate.
        let last =
            secrets.iter().map(|secret| secret.expires_at.unwrap_or(Timestamp::from_millis(i64::MAX))).max();
        let Some(last) = last else { continue };
        if last <= now {
            let what = format!("every secret of client `{}` has expired, the last at {last}", client.id);
            findings.fail(ID, what, "add a new one to `secret_files`, or give the client a key");
        } else if last <= now.plus(SOON) {
            let what = format!("the last secret of client `{}` expires at {last}", client.id);
            findings.warn(ID, what, "add a second one to `secret_files` now, and move the client to it");
        }
    }
    let what = if counted == 0 {
        "no client has a shared secret".to_owned()
    } else {
        format!("{counted} clients have a secret, long enough and not about to expire")
    };
    findings.ok_unless_reported(ID, what);
}

/// RFC 6749 §2.3.1 has the secret form-encoded in the header. Libraries that leave it out send `+` and `%` as something
/// else, and some end the secret at a `:` or trim white space.
fn sendable(findings: &mut Findings, config: &Config) {
    const ID: &str = "client_secrets";
    let is_changed = |c: char| matches!(c, '+' | '%' | ':') || c.is_whitespace() || !c.is_ascii();
    for client in config.registry.clients.values() {
        let ClientAuthentication::ClientSecretBasic(secrets) = &client.authentication else { continue };
        if secrets.iter().any(|secret| secret.value.expose_secret().contains(is_changed)) {
            let what = format!(
                "the secret of client `{}` has a character (`+`, `%`, `:` or white space) that many libraries send wrongly",
                client.id
            );
            findings.warn(ID, what, "make one that every library can send: `deputy key make --secret`");
        }
    }
}

/// The files that hold secrets, as the configuration file names them.
fn files(findings: &mut Findings, config: &Config, file: &Path) {
    const ID: &str = "secret_files";
    let text = std::fs::read_to_string(file).unwrap_or_default();
    let table: toml::Table = toml::from_str(&text).unwrap_or_default();
    let base = file.parent().unwrap_or(Path::new(""));
    let mut named = Vec::new();
    for client in table.get("client").and_then(toml::Value::as_array).into_iter().flatten() {
        named.extend(client.get("secret_file"));
        let several = client.get("secret_files").and_then(toml::Value::as_array);
        named.extend(several.into_iter().flatten().filter_map(|secret| secret.get("file")));
    }
    named.extend(table.get("database").and_then(|database| database.get("url_file")));
    for name in named.into_iter().filter_map(toml::Value::as_str) {
        let path = base.join(name);
        if std::fs::metadata(&path).is_ok_and(|metadata| !is_private(&metadata)) {
            let what = format!("{} holds a secret and can be read by others", path.display());
            findings.warn(ID, what, format!("chmod 0600 {}", path.display()));
        }
    }
    let url = table.get("database").and_then(|database| database.get("url")).and_then(toml::Value::as_str);
    let has_password =
        url.and_then(|url| url::Url::parse(url).ok()).is_some_and(|url| url.password().is_some());
    if has_password && matches!(config.database, Database::Postgres(_)) {
        let what = "the database's password is in the configuration file";
        findings.warn(ID, what, "write the URL in a file of mode 0600 and name it in `database.url_file`");
    }
    findings.ok_unless_reported(ID, "no file with a secret can be read by others");
}

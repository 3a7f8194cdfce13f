//! `[database]`: an SQLite file or a PostgreSQL URL. A URL may hold a password and is never printed.

use std::io::ErrorKind;
use std::net::IpAddr;
use std::path::Path;

use super::secrets::UNREADABLE;
use super::section::Section;
use super::table::table;
use super::{Database, PostgresTls, PostgresUrl};
use crate::base::text::why_unread;

table! {
    /// Where everything is kept.
    pub(super) struct RawDatabase {
        /// `sqlite://path` or `postgres://user@host/database?sslmode=verify-full`; `sslrootcert=` names a private CA.
        /// Without `sslmode`, `verify-full` applies; `disable` is possible only for literal loopback and Unix sockets.
        #[schemars(
            example = &"postgres://deputy@db.example/deputy?sslmode=verify-full",
            extend("x-default" = "`deputy.db` in `data_dir`")
        )]
        url: Option<String>,
        /// A file that holds the URL, for one with a password; instead of `url`.
        #[schemars(example = &"secrets/database-url")]
        url_file: Option<String>,
    }
}

const FORMS: &str = "write `sqlite://path` or `postgres://user@host/database?sslmode=verify-full`";

pub(super) fn database(section: &Section<'_>, raw: RawDatabase, data_dir: &Path) -> Option<Database> {
    let (key, url) = match (raw.url, raw.url_file) {
        (Some(_), Some(_)) => {
            section.refuse("url_file", "is set together with `url`", "keep one of the two");
            return None;
        }
        (None, None) => return Some(Database::Sqlite(data_dir.join("deputy.db"))),
        (Some(url), None) => ("url", url),
        (None, Some(file)) => match std::fs::read_to_string(section.file(&file)) {
            Ok(text) => ("url_file", text.trim().to_owned()),
            Err(error) => {
                let what = format!("names `{file}`, which cannot be read: {}", why_unread(&error));
                let fix = match error.kind() {
                    ErrorKind::PermissionDenied => UNREADABLE,
                    _ => "write the URL in that file, mode 0600",
                };
                section.refuse("url_file", what, fix);
                return None;
            }
        },
    };
    if let Some(file) = url.strip_prefix("sqlite://").or_else(|| url.strip_prefix("sqlite:")) {
        if file.is_empty() || file.contains('?') || file.starts_with(':') {
            let fix = "write `sqlite://` and the path of a file, without options";
            section.refuse(key, "names no SQLite file", fix);
            return None;
        }
        return Some(Database::Sqlite(section.file(file)));
    }
    if url.starts_with("postgres://") || url.starts_with("postgresql://") {
        return postgres(section, key, &url).map(Database::Postgres);
    }
    section.refuse(key, "has a scheme that is not known", FORMS);
    None
}

/// Takes `sslmode` and `sslrootcert` out of the URL; the rest reaches the driver as written. Without `sslmode` it is
/// `verify-full`.
fn postgres(section: &Section<'_>, key: &str, text: &str) -> Option<PostgresUrl> {
    if is_cut_short(text) {
        let what = "has a user or a password with a character that ends it in a URL";
        let fix = "percent-encode it: `@` is `%40`, `:` `%3A`, `/` `%2F`, `?` `%3F`, `#` `%23`, `%` `%25`";
        section.refuse(key, what, fix);
        return None;
    }
    let (base, query) = text.split_once('?').unwrap_or((text, ""));
    let (mut mode, mut root, mut hosts, mut rest) = (None, None, hosts_of(base), Vec::new());
    for pair in query.split('&').filter(|pair| !pair.is_empty()) {
        let Some((name, value)) = url::form_urlencoded::parse(pair.as_bytes()).next() else { continue };
        match name.as_ref() {
            "sslmode" => mode = Some(value.into_owned()),
            "sslrootcert" => root = Some(section.file(value.as_ref())),
            _ => {
                if matches!(name.as_ref(), "host" | "hostaddr") {
                    hosts.extend(value.split(',').map(str::to_owned));
                }
                rest.push(pair);
            }
        }
    }
    let tls = match mode.as_deref() {
        None | Some("verify-full") => PostgresTls::VerifyFull(root),
        Some("disable") if hosts.iter().all(|host| is_local(host)) => PostgresTls::Disabled,
        Some("disable") => {
            let what = "switches TLS off for a database that is not on this machine";
            section.refuse(key, what, "write `sslmode=verify-full`");
            return None;
        }
        Some(other) => {
            let what = format!("has `sslmode={other}`, which does not verify the database server");
            section.refuse(key, what, "write `sslmode=verify-full`");
            return None;
        }
    };
    let url = if rest.is_empty() { base.to_owned() } else { format!("{base}?{}", rest.join("&")) };
    Some(PostgresUrl { url, tls })
}

/// Whether what stands before the hosts of a URL holds a character that ends it there. Its rest would be taken for
/// hosts, and could be told in messages.
fn is_cut_short(text: &str) -> bool {
    let (_, after) = text.split_once("://").unwrap_or_default();
    let authority = after.split(['/', '?', '#']).next().unwrap_or_default();
    let rest = &after[authority.len()..];
    // An `@` in a parameter is no fault.
    let is_after = rest.find('@').is_some_and(|at| !rest[..at].contains('='));
    after.contains('#') || is_after || authority.matches('@').count() > 1
}

/// The hosts between the user and the database of a URL, each without its port. None at all is a Unix socket.
fn hosts_of(base: &str) -> Vec<String> {
    let (_, after) = base.split_once("://").unwrap_or_default();
    let authority = after.split('/').next().unwrap_or_default();
    let hosts = authority.rsplit_once('@').map_or(authority, |(_, hosts)| hosts);
    let without_port = |host: &str| match host.strip_prefix('[').and_then(|rest| rest.split_once(']')) {
        Some((address, _)) => address.to_owned(),
        None => host.split(':').next().unwrap_or_default().to_owned(),
    };
    hosts.split(',').map(without_port).filter(|host| !host.is_empty()).collect()
}

/// Whether a host is a literal loopback address or the directory of a Unix socket. What the driver makes of the URL is
/// checked again when it is opened.
fn is_local(host: &str) -> bool {
    host.starts_with('/')
        || host.starts_with("%2F")
        || host.starts_with("%2f")
        || host.parse::<IpAddr>().is_ok_and(|address| address.is_loopback())
}

#[cfg(test)]
mod tests {
    use super::is_cut_short;

    #[test]
    fn a_password_that_ends_the_user_early_is_found() {
        for password in ["p@ss", "p/ss", "p?ss", "p#ss", "p@ss/w#rd"] {
            assert!(
                is_cut_short(&format!("postgres://u:{password}@db.example:5432/d?sslmode=disable")),
                "{password}"
            );
        }
        for url in [
            "postgres://u:p%40ss@db.example/d",
            "postgres://u@a.example:1,b.example:2/d?sslmode=verify-full",
            "postgres://%2Fvar%2Frun/d",
            "postgres:///d?host=/var/run&user=a@b",
            "postgres://u@h/d?application_name=a@b",
        ] {
            assert!(!is_cut_short(url), "{url}");
        }
    }
}

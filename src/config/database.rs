//! `[database]`: an SQLite file or a PostgreSQL URL. A URL may hold a password and is never printed.

use std::net::IpAddr;
use std::path::Path;

use url::Url;

use super::section::Section;
use super::table::table;
use super::{Database, PostgresTls, PostgresUrl};

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
                let what = format!("names `{file}`, which cannot be read: {}", error.kind());
                section.refuse("url_file", what, "write the URL in that file, mode 0600");
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

/// Takes `sslmode` and `sslrootcert` out of the URL. Without `sslmode` it is `verify-full`.
fn postgres(section: &Section<'_>, key: &str, text: &str) -> Option<PostgresUrl> {
    let Ok(mut url) = Url::parse(text) else {
        section.refuse(key, "is no URL", FORMS);
        return None;
    };
    let (mut mode, mut root, mut hosts, mut rest) = (None, None, Vec::new(), Vec::new());
    for (name, value) in url.query_pairs().into_owned() {
        match name.as_str() {
            "sslmode" => mode = Some(value),
            "sslrootcert" => root = Some(section.file(&value)),
            _ => {
                if matches!(name.as_str(), "host" | "hostaddr") {
                    hosts.push(value.clone());
                }
                rest.push((name, value));
            }
        }
    }
    let tls = match mode.as_deref() {
        None | Some("verify-full") => PostgresTls::VerifyFull(root),
        Some("disable") if is_local(&url, &hosts) => PostgresTls::Disabled,
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
    if rest.is_empty() {
        url.set_query(None);
    } else {
        url.query_pairs_mut().clear().extend_pairs(&rest);
    }
    Some(PostgresUrl { url: url.into(), tls })
}

/// Whether every host is a literal loopback address or a Unix socket's directory. None at all is a socket.
fn is_local(url: &Url, parameters: &[String]) -> bool {
    let is_local_host = |host: &str| {
        host.starts_with('/')
            || host.starts_with("%2F")
            || host.starts_with("%2f")
            || host.trim_matches(['[', ']']).parse::<IpAddr>().is_ok_and(|address| address.is_loopback())
    };
    url.host_str().filter(|host| !host.is_empty()).is_none_or(is_local_host)
        && parameters.iter().all(|host| is_local_host(host))
}

//! Where PostgreSQL is and how it is reached: the URL with its `sslmode` and `sslrootcert`.

use std::net::IpAddr;
use std::path::PathBuf;

use diesel_async::AsyncPgConnection;
use tokio_postgres::config::{Host, SslMode};
use tokio_postgres::{Config, NoTls};
use tokio_postgres_rustls::MakeRustlsConnect;

use super::tls;
use crate::config::PostgresUrl;
use crate::store::StoreError;

/// How sure the client is of whom it speaks to (the meaning of libpq's words).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Mode {
    /// Plain; only to this machine.
    Disable,
    /// Encrypted, to whomever.
    Require,
    /// Encrypted, to someone the CA vouches for.
    VerifyCa,
    /// Encrypted, to the named host.
    VerifyFull,
}

/// A parsed URL. Holds a password, so it prints nothing.
pub(in crate::store) struct Address {
    config: Config,
    tls: Option<MakeRustlsConnect>,
}

impl Address {
    /// Reads the URL. Without `sslmode` it is `disable` to this machine and `verify-full` elsewhere.
    pub(in crate::store) fn parse(url: &PostgresUrl) -> Result<Self, StoreError> {
        let wrong = |what: &str| StoreError::Unusable(format!("database.url: {what}"));
        let (plain, mode, root) = split(&url.url).map_err(|what| wrong(&what))?;
        let mut config: Config =
            plain.parse().map_err(|error: tokio_postgres::Error| wrong(&error.to_string()))?;
        let is_local = !config.get_hosts().is_empty() && config.get_hosts().iter().all(is_local);
        let mode = mode.unwrap_or(if is_local { Mode::Disable } else { Mode::VerifyFull });
        if mode == Mode::Disable && !is_local {
            return Err(wrong("sslmode=disable is only for a loopback address or a Unix socket"));
        }
        let root = root.or_else(|| url.root_certificate_file.clone());
        let tls = match mode {
            Mode::Disable => None,
            mode => Some(MakeRustlsConnect::new(tls::client_config(mode, root.as_deref())?)),
        };
        config.ssl_mode(if tls.is_some() { SslMode::Require } else { SslMode::Disable });
        config.connect_timeout(super::PATIENCE).application_name("deputy");
        Ok(Self { config, tls })
    }

    /// Opens a connection; its driver runs on the current runtime.
    pub(super) async fn connect(&self) -> Result<AsyncPgConnection, StoreError> {
        let wrong = |what: String| StoreError::Unusable(format!("PostgreSQL: {what}"));
        match &self.tls {
            None => {
                let (client, connection) =
                    self.config.connect(NoTls).await.map_err(|error| wrong(describe(&error)))?;
                AsyncPgConnection::try_from_client_and_connection(client, connection).await
            }
            Some(tls) => {
                let (client, connection) =
                    self.config.connect(tls.clone()).await.map_err(|error| wrong(describe(&error)))?;
                AsyncPgConnection::try_from_client_and_connection(client, connection).await
            }
        }
        .map_err(|error| wrong(error.to_string()))
    }
}

/// The error with its causes.
fn describe(error: &tokio_postgres::Error) -> String {
    let mut text = error.to_string();
    let mut cause = std::error::Error::source(error);
    while let Some(inner) = cause {
        text.push_str(": ");
        text.push_str(&inner.to_string());
        cause = inner.source();
    }
    text
}

fn is_local(host: &Host) -> bool {
    match host {
        Host::Unix(_) => true,
        Host::Tcp(name) => {
            name == "localhost"
                || name
                    .trim_start_matches('[')
                    .trim_end_matches(']')
                    .parse::<IpAddr>()
                    .is_ok_and(|ip| ip.is_loopback())
        }
    }
}

/// Takes `sslmode` and `sslrootcert` out of the query: the driver does not know all of their values.
fn split(url: &str) -> Result<(String, Option<Mode>, Option<PathBuf>), String> {
    let Some((base, query)) = url.split_once('?') else { return Ok((url.to_owned(), None, None)) };
    let (mut mode, mut root, mut rest) = (None, None, Vec::new());
    for pair in query.split('&') {
        match pair.split_once('=') {
            Some(("sslmode", "disable")) => mode = Some(Mode::Disable),
            Some(("sslmode", "require")) => mode = Some(Mode::Require),
            Some(("sslmode", "verify-ca")) => mode = Some(Mode::VerifyCa),
            Some(("sslmode", "verify-full")) => mode = Some(Mode::VerifyFull),
            Some(("sslmode", other)) => {
                return Err(format!("sslmode `{other}` is none of disable, require, verify-ca, verify-full"));
            }
            Some(("sslrootcert", path)) => {
                let decoded = url::form_urlencoded::parse(format!("p={path}").as_bytes())
                    .next()
                    .map(|(_, value)| value.into_owned());
                root = decoded.map(PathBuf::from);
            }
            _ => rest.push(pair),
        }
    }
    let url = if rest.is_empty() { base.to_owned() } else { format!("{base}?{}", rest.join("&")) };
    Ok((url, mode, root))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn address(url: &str) -> Result<Address, StoreError> {
        Address::parse(&PostgresUrl { url: url.to_owned(), root_certificate_file: None })
    }

    #[test]
    fn a_plain_connection_is_only_for_this_machine() {
        assert!(address("postgres://u@127.0.0.1/d?sslmode=disable").is_ok());
        assert!(address("postgres://u@localhost/d").is_ok());
        assert!(address("postgres://u@%2Fvar%2Frun%2Fpostgresql/d").is_ok());
        assert!(address("postgres://u@db.example/d?sslmode=disable").is_err());
        assert!(address("postgres://u@127.0.0.1,db.example/d?sslmode=disable").is_err());
    }

    #[test]
    fn an_unknown_sslmode_is_refused() {
        assert!(address("postgres://u@127.0.0.1/d?sslmode=prefer").is_err());
    }

    #[test]
    fn verification_needs_a_root_certificate() {
        assert!(address("postgres://u@db.example/d").is_err());
        assert!(address("postgres://u@db.example/d?sslmode=verify-ca").is_err());
        assert!(address("postgres://u@db.example/d?sslmode=require").is_ok());
    }

    #[test]
    fn the_drivers_own_parameters_are_kept() {
        let (url, mode, root) =
            split("postgres://u@h/d?sslmode=verify-full&connect_timeout=3&sslrootcert=%2Fetc%2Fca.pem")
                .unwrap();
        assert_eq!(url, "postgres://u@h/d?connect_timeout=3");
        assert_eq!(mode, Some(Mode::VerifyFull));
        assert_eq!(root, Some(PathBuf::from("/etc/ca.pem")));
    }
}

//! Where PostgreSQL is and how it is reached: the URL, and TLS.

use std::net::IpAddr;

use diesel_async::AsyncPgConnection;
use tokio_postgres::config::{Host, SslMode};
use tokio_postgres::error::SqlState;
use tokio_postgres::{Config, NoTls};
use tokio_postgres_rustls::MakeRustlsConnect;

use super::tls;
use crate::base::certificate::CertificateFault;
use crate::config::{PostgresTls, PostgresUrl};
use crate::store::StoreError;

/// A parsed URL. Holds a password, so it prints nothing.
pub(in crate::store) struct Address {
    config: Config,
    tls: Option<MakeRustlsConnect>,
}

impl Address {
    /// Reads the URL. What the driver takes for the hosts is what has to be on this machine where TLS is off.
    pub(in crate::store) fn parse(url: &PostgresUrl) -> Result<Self, StoreError> {
        let wrong = |what: &str| StoreError::Unusable(format!("database.url: {what}"));
        let mut config: Config =
            url.url.parse().map_err(|error: tokio_postgres::Error| wrong(&error.to_string()))?;
        let tls = match &url.tls {
            PostgresTls::VerifyFull(root) => {
                Some(MakeRustlsConnect::new(tls::client_config(root.as_deref())?))
            }
            PostgresTls::Disabled if config.get_hosts().iter().all(is_local) => None,
            PostgresTls::Disabled => {
                return Err(wrong("sslmode=disable is only for a loopback address or a Unix socket"));
            }
        };
        config.ssl_mode(if tls.is_some() { SslMode::Require } else { SslMode::Disable });
        config.connect_timeout(super::PATIENCE).application_name("deputy");
        Ok(Self { config, tls })
    }

    /// Hosts, ports and the name of the database, without credentials.
    pub(in crate::store) fn location(&self) -> String {
        let host = |host: &Host| match host {
            Host::Tcp(name) => name.clone(),
            Host::Unix(path) => path.display().to_string(),
        };
        let hosts: Vec<String> = self.config.get_hosts().iter().map(host).collect();
        let ports: Vec<String> = self.config.get_ports().iter().map(u16::to_string).collect();
        let name = self.config.get_dbname().or(self.config.get_user()).unwrap_or_default();
        format!("{} {} {name}", hosts.join(","), ports.join(","))
    }

    /// Opens a connection; its driver runs on the current runtime.
    pub(super) async fn connect(&self) -> Result<AsyncPgConnection, StoreError> {
        let wrong = |what: String| StoreError::Unusable(format!("PostgreSQL: {what}"));
        match &self.tls {
            None => {
                let (client, connection) =
                    self.config.connect(NoTls).await.map_err(|error| self.fault(&error))?;
                AsyncPgConnection::try_from_client_and_connection(client, connection).await
            }
            Some(tls) => {
                let (client, connection) =
                    self.config.connect(tls.clone()).await.map_err(|error| self.fault(&error))?;
                AsyncPgConnection::try_from_client_and_connection(client, connection).await
            }
        }
        .map_err(|error| wrong(error.to_string()))
    }

    /// Why no connection could be opened, with what to do where that is known.
    fn fault(&self, error: &tokio_postgres::Error) -> StoreError {
        let what = format!("PostgreSQL: {}", describe(error));
        if let Some(fault) = CertificateFault::among_causes(error) {
            let what = format!("PostgreSQL: the server's certificate {}", fault.what());
            return StoreError::Unreachable { what, fix: fault.fix("sslrootcert") };
        }
        let (database, user) = (self.config.get_dbname(), self.config.get_user());
        let user = user.unwrap_or("USER");
        let fix = match error.code() {
            Some(&SqlState::INVALID_CATALOG_NAME) => {
                let name = database.unwrap_or(user);
                format!("make it as a superuser (`CREATE DATABASE {name} OWNER {user} ENCODING 'UTF8'`), or name another")
            }
            Some(&SqlState::INVALID_PASSWORD | &SqlState::INVALID_AUTHORIZATION_SPECIFICATION) => {
                "see that user and password are right and percent-encoded, and that `pg_hba.conf` lets them in".to_owned()
            }
            // The driver has no code of its own for this.
            _ if what.contains("server does not support TLS") => {
                "give the server a certificate and `ssl = on`; on loopback or a Unix socket write `sslmode=disable`"
                    .to_owned()
            }
            _ => return StoreError::Unusable(what),
        };
        StoreError::Unreachable { what, fix }
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
        Host::Tcp(name) => name.trim_matches(['[', ']']).parse::<IpAddr>().is_ok_and(|ip| ip.is_loopback()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn is_taken(url: &str, tls: PostgresTls) -> bool {
        Address::parse(&PostgresUrl { url: url.to_owned(), tls }).is_ok()
    }

    #[test]
    fn a_plain_connection_is_only_for_this_machine() {
        assert!(is_taken("postgres://u@127.0.0.1/d", PostgresTls::Disabled));
        assert!(is_taken("postgres://u@%2Fvar%2Frun%2Fpostgresql/d", PostgresTls::Disabled));
        assert!(!is_taken("postgres://u@db.example/d", PostgresTls::Disabled));
        assert!(!is_taken("postgres://u@127.0.0.1,db.example/d", PostgresTls::Disabled));
        assert!(!is_taken("postgres://u@127.0.0.1/d?host=db.example", PostgresTls::Disabled));
    }

    #[test]
    fn verification_needs_a_root_certificate() {
        assert!(!is_taken("postgres://u@db.example/d", PostgresTls::VerifyFull(None)));
        let empty = tempfile::NamedTempFile::new().unwrap();
        let root = PostgresTls::VerifyFull(Some(empty.path().to_owned()));
        assert!(!is_taken("postgres://u@db.example/d", root));
    }
}

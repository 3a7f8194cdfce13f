//! The database: reachable, schema, durability, and the time it has seen.

use std::io::ErrorKind;
use std::os::unix::fs::MetadataExt as _;

use super::Findings;
use super::files::as_owner;
use crate::base::time::{CLOCK_TOLERANCE, Lifetime, Timestamp};
use crate::config::{Config, Database, PostgresTls};
use crate::keys::NodeSecrets;
use crate::store::StoreError;
use crate::store::inspect::{Inspection, Sealed, Server, inspect};

pub(super) async fn check(findings: &mut Findings, config: &Config, now: Timestamp) {
    tls(findings, config);
    let kind = match &config.database {
        Database::Sqlite(file) => format!("SQLite {}", file.display()),
        Database::Postgres(_) => "PostgreSQL".to_owned(),
    };
    // What is wrong with the file of the master key is a finding of its own.
    let secrets = NodeSecrets::load(&config.keys.master_key_file).ok();
    let started = std::time::Instant::now();
    let found = match inspect(config, secrets.as_ref()).await {
        Ok(found) => found,
        Err(StoreError::Unreachable { what, fix }) => {
            findings.fail("database", format!("{kind} does not answer: {what}"), fix);
            return;
        }
        Err(error) => {
            let fix = unusable(config);
            findings.fail("database", format!("{kind} does not answer: {error}"), fix);
            return;
        }
    };
    findings.ok("database", format!("{kind} answers"));
    let passed = u32::try_from(started.elapsed().as_secs()).unwrap_or(u32::MAX);
    let now = now.plus(Lifetime::from_seconds(passed));
    if let Some(server) = &found.server {
        examine_server(findings, server, now);
    }
    // Of tables that the role may not read, nothing is known.
    if found.server.as_ref().is_none_or(|server| server.has_rights || !server.has_tables) {
        examine(findings, &found, now);
    }
}

/// What to do about a database that cannot be opened, where nothing more is known.
fn unusable(config: &Config) -> String {
    match &config.database {
        Database::Sqlite(file) => match std::fs::metadata(file) {
            Err(error) if error.kind() == ErrorKind::PermissionDenied => {
                let owner = std::fs::metadata(&config.data_dir).map(|metadata| metadata.uid());
                owner.map_or_else(|_| "run this check as the user that Deputy runs as".to_owned(), as_owner)
            }
            _ => "name a file that the user Deputy runs as may write, on a local disk".to_owned(),
        },
        Database::Postgres(_) => {
            "see that it runs, and that host, user, password and `sslmode` are right".to_owned()
        }
    }
}

fn examine(findings: &mut Findings, found: &Inspection, now: Timestamp) {
    match found.pending {
        0 => findings.ok("schema", "the schema is up to date"),
        _ if found.is_empty => {
            findings.warn("schema", "the database is empty", "`deputy migrate`; `deputy serve` does it too");
        }
        migrations => {
            let what = format!("{migrations} migrations are still to run");
            findings.warn("schema", what, "back it up, then `deputy migrate`; `deputy serve` does it too");
        }
    }
    if found.is_durable {
        findings.ok("durability", found.settings.clone());
    } else {
        let what = format!("what is acknowledged could be lost: {}", found.settings);
        findings.fail(
            "durability",
            what,
            "let the database keep its defaults: `fsync` and `synchronous_commit` on",
        );
    }
    sealed(findings, found.sealed);
    match &found.behind {
        Some(behind) => findings.fail("audit_reach", behind.what(), behind.fix()),
        None => findings.ok("audit_reach", "the database reaches as far as the checkpoint file"),
    }
    clock(findings, now, found.highest_time);
}

fn sealed(findings: &mut Findings, Sealed { keys, unopened }: Sealed) {
    const ID: &str = "sealed_keys";
    if unopened > 0 {
        let what =
            format!("the master key does not open {unopened} of {keys} keys that are sealed in the database");
        let fix = "restore the master key that belongs to this database; with this one Deputy does not start";
        findings.fail(ID, what, fix);
    } else {
        findings
            .ok(ID, format!("{keys} keys are sealed in the database, and the master key at hand opens them"));
    }
}

/// The oldest version that the tests know.
const OLDEST: u32 = 14;

fn examine_server(findings: &mut Findings, server: &Server, now: Timestamp) {
    let Server { version, encoding, clock, role, schema, .. } = server;
    let major = version / 10_000;
    if major < OLDEST {
        let what = format!("PostgreSQL {major} is older than {OLDEST}");
        findings.fail(
            "database_version",
            what,
            format!("upgrade the server to PostgreSQL {OLDEST} or later"),
        );
    } else {
        findings.ok("database_version", format!("PostgreSQL {major}"));
    }
    if encoding == "UTF8" {
        findings.ok("database_encoding", "the database keeps text as UTF-8");
    } else {
        let what = format!(
            "the encoding of the database is {encoding}: what users and agents are called may not fit"
        );
        findings.warn(
            "database_encoding",
            what,
            "make a new database with `ENCODING 'UTF8' TEMPLATE template0`",
        );
    }
    if server.is_read_only {
        let what = "the server takes no writes: it is a standby, or `default_transaction_read_only` is on";
        let fix = "name the primary in `database.url` (all hosts, with `target_session_attrs=read-write`), and switch \
                   that setting off for this role";
        findings.fail("database_rights", what, fix);
    } else if server.has_rights {
        findings.ok("database_rights", format!("the role `{role}` may read and write"));
    } else if !server.has_tables {
        let what = format!("the role `{role}` may make no tables in the schema `{schema}`");
        let fix = format!(
            "`GRANT CREATE, USAGE ON SCHEMA {schema} TO {role}`, or make that role the owner of the database"
        );
        findings.fail("database_rights", what, fix);
    } else {
        let what = format!("the role `{role}` may not read and write every table of the schema `{schema}`");
        let fix = format!(
            "`GRANT SELECT, INSERT, UPDATE, DELETE ON ALL TABLES IN SCHEMA {schema} TO {role}`, or use the owner"
        );
        findings.fail("database_rights", what, fix);
    }
    if !now.agrees_with(*clock) {
        let what = format!("this machine's clock shows {now}, and that of the database server {clock}");
        findings.fail(
            "clock",
            what,
            "set both clocks by NTP (`timedatectl set-ntp true`); a node so far off is not ready",
        );
    }
}

fn tls(findings: &mut Findings, config: &Config) {
    const ID: &str = "database_tls";
    let Database::Postgres(postgres) = &config.database else { return };
    match &postgres.tls {
        PostgresTls::VerifyFull(_) => findings.ok(ID, "TLS, certificate and name verified"),
        PostgresTls::Disabled => {
            findings.warn(
                ID,
                "no TLS, on this machine's own loopback",
                "fine here; elsewhere `sslmode=verify-full`",
            );
        }
    }
}

fn clock(findings: &mut Findings, now: Timestamp, highest: Option<Timestamp>) {
    const ID: &str = "clock";
    match highest {
        Some(highest) if now.plus(CLOCK_TOLERANCE) < highest => {
            let what = format!("this machine's clock shows {now}, and the database has seen {highest}");
            let fix = "set the clock right; if the recorded time is wrong, `deputy clock reset`";
            findings.fail(ID, what, fix);
        }
        Some(highest) => {
            findings.ok(ID, format!("the clock shows {now}; the highest time recorded is {highest}"))
        }
        None => findings.ok(ID, format!("the clock shows {now}; nothing is recorded yet")),
    }
}

#[cfg(test)]
mod tests {
    use super::super::{Finding, Status};
    use super::*;

    const NOW: Timestamp = Timestamp::from_seconds(1_795_000_000);

    fn found(change: impl FnOnce(&mut Inspection)) -> Vec<Finding> {
        let mut database = Inspection {
            is_empty: false,
            pending: 0,
            settings: "fsync=on full_page_writes=on synchronous_commit=on".to_owned(),
            is_durable: true,
            highest_time: Some(NOW),
            server: None,
            sealed: Sealed::default(),
            behind: None,
        };
        change(&mut database);
        let mut findings = Findings::default();
        examine(&mut findings, &database, NOW);
        findings.0.into_iter().filter(|finding| finding.status != Status::Ok).collect()
    }

    #[test]
    fn a_database_that_could_lose_what_was_acknowledged_is_found() {
        let findings = found(|database| {
            database.is_durable = false;
            database.settings = "fsync=off".to_owned();
        });

        assert_eq!(findings[0].id, "durability");
        assert_eq!(findings[0].status, Status::Failed);
        assert!(findings[0].what.contains("fsync=off") && findings[0].fix.contains("synchronous_commit"));
    }

    #[test]
    fn a_server_that_is_too_old_is_found() {
        let judged = |version| {
            let mut findings = Findings::default();
            let server = Server {
                version,
                encoding: "UTF8".to_owned(),
                clock: NOW,
                is_read_only: false,
                has_tables: true,
                has_rights: true,
                role: "deputy".to_owned(),
                schema: "public".to_owned(),
            };
            examine_server(&mut findings, &server, NOW);
            findings.0[0].clone()
        };

        assert_eq!(judged(140_000).status, Status::Ok);
        assert_eq!(judged(130_014).status, Status::Failed);
        assert!(judged(130_014).fix.contains("PostgreSQL 14"));
    }

    #[test]
    fn migrations_still_to_run_are_found() {
        let findings = found(|database| database.pending = 2);

        assert_eq!(findings[0].id, "schema");
        assert!(findings[0].what.contains("2 migrations") && findings[0].fix.contains("deputy migrate"));
    }

    #[test]
    fn a_clock_a_minute_behind_is_tolerated_and_no_more() {
        let ahead = |seconds| NOW.plus(crate::base::time::Lifetime::from_seconds(seconds));

        assert!(found(|database| database.highest_time = Some(ahead(60))).is_empty());
        assert_eq!(found(|database| database.highest_time = Some(ahead(61)))[0].id, "clock");
    }
}

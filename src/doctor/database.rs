//! The database: reachable, schema, durability, and the time it has seen.

use super::Findings;
use crate::base::time::{CLOCK_TOLERANCE, Timestamp};
use crate::config::{Config, Database, PostgresTls};
use crate::store::inspect::{Inspection, inspect};

pub(super) async fn check(findings: &mut Findings, config: &Config, now: Timestamp) {
    tls(findings, config);
    let kind = match &config.database {
        Database::Sqlite(file) => format!("SQLite {}", file.display()),
        Database::Postgres(_) => "PostgreSQL".to_owned(),
    };
    let found = match inspect(config).await {
        Ok(found) => found,
        Err(error) => {
            let fix = match &config.database {
                Database::Sqlite(_) => "name a file that the user Deputy runs as may write, on a local disk",
                Database::Postgres(_) => {
                    "see that it runs, and that host, user, password and `sslmode` are right"
                }
            };
            findings.fail("database", format!("{kind} does not answer: {error}"), fix);
            return;
        }
    };
    findings.ok("database", format!("{kind} answers"));
    examine(findings, &found, now);
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
    clock(findings, now, found.highest_time);
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

//! PostgreSQL servers and databases that Deputy cannot work with. Each test makes databases and roles of its own on the
//! server of `DEPUTY_TEST_POSTGRES_URL`.

use std::sync::atomic::{AtomicU32, Ordering};

use url::Url;

use super::super::world::World;
use super::{faults, is_told};
use crate::base::time::{Clock as _, Lifetime, SystemClock};
use crate::doctor::Status::{self, Failed, Warning};

/// A database and a role that owns nothing, both gone when it is dropped.
struct Server {
    admin: Url,
    name: String,
}

impl Server {
    /// `None` where PostgreSQL is left out (`DEPUTY_TEST_WITHOUT_POSTGRES=1`).
    async fn new(options: &str) -> Option<Self> {
        static MADE: AtomicU32 = AtomicU32::new(0);
        let Ok(admin) = std::env::var("DEPUTY_TEST_POSTGRES_URL") else {
            let is_left_out = std::env::var("DEPUTY_TEST_WITHOUT_POSTGRES").is_ok_and(|is| is == "1");
            assert!(is_left_out, "DEPUTY_TEST_POSTGRES_URL is not set");
            return None;
        };
        let number = MADE.fetch_add(1, Ordering::SeqCst);
        let server = Self {
            admin: Url::parse(&admin).unwrap(),
            name: format!("check_{}_{number}", std::process::id()),
        };
        let name = &server.name;
        server.run(&format!("CREATE DATABASE {name} {options}")).await;
        server.run(&format!("CREATE ROLE {name} LOGIN PASSWORD 'hunter2'")).await;
        Some(server)
    }

    async fn run(&self, statement: &str) {
        run(self.admin.as_str(), statement).await;
    }

    /// The database's URL, for the role.
    fn url(&self) -> Url {
        let mut url = self.admin.clone();
        url.set_path(&self.name);
        url.set_username(&self.name).unwrap();
        url.set_password(Some("hunter2")).unwrap();
        url
    }

    async fn drop(self) {
        // What was granted goes with the database, and the role after it.
        self.run(&format!("DROP DATABASE {} WITH (FORCE)", self.name)).await;
        self.run(&format!("DROP ROLE {}", self.name)).await;
    }
}

async fn run(url: &str, statement: &str) {
    let (client, connection) = tokio_postgres::connect(url, tokio_postgres::NoTls).await.unwrap();
    tokio::spawn(connection);
    client.batch_execute(statement).await.unwrap();
}

/// What is changed in the database or its URL by a superuser, which check says so, how bad it is, and words of the fix.
/// `%d` is the name of the database and of the role.
struct Story {
    what: &'static str,
    options: &'static str,
    statement: &'static str,
    url: fn(&mut Url, &mut World),
    told: (&'static str, Status, &'static str),
}

const STORIES: &[Story] = &[
    Story {
        what: "a server that takes no writes",
        options: "",
        statement: "ALTER ROLE %d SET default_transaction_read_only = on",
        url: |_, _| (),
        told: ("database_rights", Failed, "primary"),
    },
    Story {
        what: "a role that may make no tables",
        options: "",
        statement: "ALTER ROLE %d SET statement_timeout = 0",
        url: |_, _| (),
        told: ("database_rights", Failed, "GRANT"),
    },
    Story {
        what: "a database in which names of people have no place",
        options: "ENCODING 'LATIN1' LC_COLLATE 'C' LC_CTYPE 'C' TEMPLATE template0",
        statement: "ALTER DATABASE %d OWNER TO %d",
        url: |_, _| (),
        told: ("database_encoding", Warning, "UTF8"),
    },
    Story {
        what: "a database that was never made",
        options: "",
        statement: "ALTER DATABASE %d OWNER TO %d",
        url: |url, _| url.set_path("nowhere"),
        told: ("database", Failed, "CREATE DATABASE"),
    },
    Story {
        what: "another password",
        options: "",
        statement: "ALTER ROLE %d PASSWORD 'another'",
        url: |_, _| (),
        told: ("database", Failed, "password"),
    },
    Story {
        what: "TLS asked of a server that has none",
        options: "",
        statement: "ALTER DATABASE %d OWNER TO %d",
        url: |url, world| {
            let ca = world.path("certs/ca.pem");
            url.set_query(Some(&format!("sslmode=verify-full&sslrootcert={}", ca.display())));
        },
        told: ("database", Failed, "ssl = on"),
    },
    Story {
        what: "a clock an hour ahead of the database server's",
        options: "",
        statement: "ALTER DATABASE %d OWNER TO %d",
        url: |_, world| world.now = world.now.plus(Lifetime::from_seconds(3600)),
        told: ("clock", Failed, "NTP"),
    },
];

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn each_database_that_cannot_be_used_is_found_with_its_fix() {
    let mut missed = Vec::new();
    for Story { what, options, statement, url: change, told } in STORIES {
        let Some(server) = Server::new(options).await else { return };
        server.run(&statement.replace("%d", &server.name)).await;
        let mut world = World::fresh();
        world.now = SystemClock.now();
        let mut url = server.url();
        change(&mut url, &mut world);
        world.edit("[tokens]", &format!("[database]\nurl = \"{url}\"\n[tokens]"));
        let findings = world.check().await;
        server.drop().await;
        let told_all = faults(&findings);
        if !is_told(&findings, *told) {
            missed.push(format!("{what}: expected {told:?}, got:\n{told_all}"));
        }
        assert!(!told_all.contains("hunter2"), "{what}: a password is told:\n{told_all}");
    }
    assert!(missed.is_empty(), "{} of {} are missed:\n\n{}", missed.len(), STORIES.len(), missed.join("\n"));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_database_that_is_as_it_should_be_is_sound() {
    let Some(server) = Server::new("").await else { return };
    server.run(&format!("ALTER DATABASE {0} OWNER TO {0}", server.name)).await;
    let mut world = World::fresh();
    world.now = SystemClock.now();
    world.edit("[tokens]", &format!("[database]\nurl = \"{}\"\n[tokens]", server.url()));

    let findings = world.check().await;
    server.drop().await;

    let against = findings.iter().filter(|finding| finding.status != Status::Ok);
    let ids: Vec<&str> = against.map(|finding| finding.id).collect();
    super::all_are_on_the_page(&findings);
    assert_eq!(ids, ["secret_files", "database_tls", "schema"], "{}", faults(&findings));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_role_that_may_not_read_the_tables_of_another_is_told() {
    let Some(server) = Server::new("").await else { return };
    let mut world = World::fresh();
    let mut of_admin = server.admin.clone();
    of_admin.set_path(&server.name);
    world.edit("[tokens]", &format!("[database]\nurl = \"{of_admin}\"\n[tokens]"));
    world.migrate().await;
    world.edit(of_admin.as_str(), server.url().as_str());

    let findings = world.check().await;
    server.drop().await;

    assert!(is_told(&findings, ("database_rights", Failed, "GRANT SELECT")), "{}", faults(&findings));
}

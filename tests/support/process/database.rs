//! The two databases a world can run on.

use std::path::Path;
use std::process::Command;

use crate::jose::fresh_id;

/// Which database.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Backend {
    /// A file in the world's `data_dir`.
    Sqlite,
    /// A database of its own on the server of `DEPUTY_TEST_POSTGRES_URL`.
    Postgres,
}

const SERVER: &str = "DEPUTY_TEST_POSTGRES_URL";

impl Backend {
    /// Whether there is a PostgreSQL to run on. `./test` always gives one; a bare `cargo test` says on
    /// standard error what it left out.
    pub fn is_postgres_there() -> bool {
        let is_there = std::env::var(SERVER).is_ok();
        if !is_there {
            eprintln!("not run: {SERVER} is not set (./test starts a PostgreSQL and sets it)");
        }
        is_there
    }
}

/// A database of one world, removed when the world goes.
pub enum Database {
    /// The file's place is the configuration's default.
    Sqlite,
    /// By URL.
    Postgres(PostgresDatabase),
}

impl Database {
    /// An empty database.
    pub async fn create(backend: Backend) -> Self {
        match backend {
            Backend::Sqlite => Self::Sqlite,
            Backend::Postgres => Self::Postgres(PostgresDatabase::create().await),
        }
    }

    /// What `[database]` says.
    pub fn toml(&self) -> String {
        match self {
            Self::Sqlite => String::new(),
            Self::Postgres(database) => format!("[database]\nurl = \"{}\"\n", database.url()),
        }
    }

    /// Everything in it as bytes to be searched: the file with its WAL is in `data_dir` already; of
    /// PostgreSQL a dump is written to `to`.
    pub fn dump(&self, to: &Path) {
        if let Self::Postgres(database) = self {
            database.dump(to);
        }
    }
}

/// A database on the test server.
pub struct PostgresDatabase {
    server: url::Url,
    name: String,
}

impl PostgresDatabase {
    async fn create() -> Self {
        let server: url::Url = std::env::var(SERVER).expect("a server").parse().expect("a URL");
        let name = format!("world_{}", fresh_id());
        let database = Self { server, name };
        database.administer(&format!("CREATE DATABASE {}", database.name)).await;
        database
    }

    /// Its URL.
    pub fn url(&self) -> String {
        let mut url = self.server.clone();
        url.set_path(&self.name);
        url.into()
    }

    /// Its name on the server.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// Runs a statement in this database.
    pub async fn run(&self, statement: &str) {
        run(&self.url(), statement).await;
    }

    /// What a question for one number is answered with.
    pub async fn number(&self, question: &str) -> i64 {
        let (client, connection) =
            tokio_postgres::connect(&self.url(), tokio_postgres::NoTls).await.expect("the test server");
        tokio::spawn(connection);
        client.query_one(question, &[]).await.expect("a number").get(0)
    }

    /// Runs a statement on the server, outside this database.
    pub async fn administer(&self, statement: &str) {
        run(self.server.as_str(), statement).await;
    }

    /// From now on the clock of the server is this far ahead of the system's, for processes that use this database. A
    /// function that is not written with its schema is looked up in the path.
    pub async fn move_clock(&self, seconds: i64) {
        let statement = format!(
            "CREATE SCHEMA IF NOT EXISTS test_clock; \
             CREATE OR REPLACE FUNCTION test_clock.clock_timestamp() RETURNS timestamptz LANGUAGE sql VOLATILE \
             AS 'SELECT pg_catalog.clock_timestamp() + make_interval(secs => {seconds})'; \
             ALTER DATABASE {} SET search_path = public, test_clock, pg_catalog",
            self.name
        );
        self.run(&statement).await;
    }

    /// Removes it; connections of servers under test are cut.
    pub async fn drop_it(&self) {
        self.administer(&format!("DROP DATABASE {} WITH (FORCE)", self.name)).await;
    }

    fn dump(&self, to: &Path) {
        let program = match std::env::var("DEPUTY_TEST_PG_BIN") {
            Ok(directory) => Path::new(&directory).join("pg_dump"),
            Err(_) => "pg_dump".into(),
        };
        let status = Command::new(program)
            .arg("--file")
            .arg(to)
            .arg("--dbname")
            .arg(self.url())
            .status()
            .expect("pg_dump can be run");
        assert!(status.success(), "pg_dump: {status}");
    }
}

/// Runs a statement in the database of this URL.
async fn run(url: &str, statement: &str) {
    let (client, connection) =
        tokio_postgres::connect(url, tokio_postgres::NoTls).await.expect("the test server");
    let driver = tokio::spawn(connection);
    client.batch_execute(statement).await.expect("the statement");
    drop(client);
    driver.await.expect("the connection's task").expect("the connection");
}

//! One PostgreSQL database for one test.

use std::path::Path;

use diesel::RunQueryDsl as _;
use diesel::dsl::sql;
use diesel::sql_types::BigInt;

use super::START;
use crate::base::time::Timestamp;
use crate::store::sqlite;

/// Takes its database with it.
pub(super) struct TestDatabase {
    pub(super) admin: String,
    pub(super) name: String,
}

impl Drop for TestDatabase {
    fn drop(&mut self) {
        let (admin, statement) = (self.admin.clone(), format!("DROP DATABASE {} WITH (FORCE)", self.name));
        let dropping = std::thread::spawn(move || {
            tokio::runtime::Runtime::new().unwrap().block_on(administer(&admin, &statement));
        });
        dropping.join().unwrap();
    }
}

/// Gives the database of this name a clock that shows what a test sets, in place of its server's own: what is not
/// written with a schema is looked up in the path.
pub(super) fn clock_of(name: &str) -> String {
    format!(
        "CREATE SCHEMA test_clock; CREATE TABLE test_clock.shown (millis bigint NOT NULL); \
         INSERT INTO test_clock.shown VALUES (0); \
         CREATE FUNCTION test_clock.clock_timestamp() RETURNS timestamptz LANGUAGE sql VOLATILE \
         AS 'SELECT to_timestamp(millis / 1000.0) FROM test_clock.shown'; \
         ALTER DATABASE {name} SET search_path = public, test_clock, pg_catalog; {}",
        show(START)
    )
}

/// Sets that clock.
pub(super) fn show(time: Timestamp) -> String {
    format!("UPDATE test_clock.shown SET millis = {}", time.millis())
}

/// Runs statements on a connection of its own.
pub(super) async fn administer(url: &str, statement: &str) {
    run(url, statement).await.unwrap();
}

/// The same, where the database may refuse it.
pub(super) async fn run(url: &str, statement: &str) -> Result<(), String> {
    let (client, connection) = tokio_postgres::connect(url, tokio_postgres::NoTls).await.unwrap();
    let driver = tokio::spawn(connection);
    let done = client.batch_execute(statement).await;
    drop(client);
    driver.await.unwrap().unwrap();
    done.map_err(|error| error.as_db_error().map_or_else(|| error.to_string(), ToString::to_string))
}

/// What a question for one number is answered with.
pub(super) async fn count(url: &str, question: &str) -> u64 {
    let (client, connection) = tokio_postgres::connect(url, tokio_postgres::NoTls).await.unwrap();
    tokio::spawn(connection);
    let counted: i64 = client.query_one(question, &[]).await.unwrap().get(0);
    counted.try_into().unwrap()
}

/// The same of a file.
pub(super) fn count_sqlite(path: &Path, question: &str) -> u64 {
    let mut connection = sqlite::connect(path, sqlite::Use::Read).unwrap();
    let counted: i64 =
        diesel::select(sql::<BigInt>(&format!("({question})"))).get_result(&mut connection).unwrap();
    counted.try_into().unwrap()
}

/// How a query of a file is carried out.
pub(super) fn plan_sqlite(path: &Path, query: &str) -> String {
    #[derive(diesel::QueryableByName)]
    struct Step {
        #[diesel(sql_type = diesel::sql_types::Text)]
        detail: String,
    }
    let mut connection = sqlite::connect(path, sqlite::Use::Read).unwrap();
    let steps =
        diesel::sql_query(format!("EXPLAIN QUERY PLAN {query}")).load::<Step>(&mut connection).unwrap();
    steps.into_iter().map(|step| step.detail).collect::<Vec<_>>().join("\n")
}

//! The tables of this version, and how a database of another version is recognised.

use diesel::migration::{Migration, MigrationSource as _};
use diesel::sql_types::Text;
use diesel::sqlite::Sqlite;
use diesel::{QueryableByName, SqliteConnection};
use diesel_async::AsyncPgConnection;
use diesel_migrations::{EmbeddedMigrations, embed_migrations};

use super::StoreError;
use super::statement::Failure;

/// The tables, for both databases.
pub(super) const MIGRATIONS: EmbeddedMigrations = embed_migrations!();

/// Where diesel notes which migrations have run.
const APPLIED: &str = "SELECT version AS word FROM __diesel_schema_migrations ORDER BY version";

/// One text that a query answers with.
#[derive(QueryableByName)]
struct Word {
    #[diesel(sql_type = Text)]
    word: String,
}

/// The versions of the migrations that have run in an SQLite database; none if it holds nothing of Deputy's.
pub(super) fn applied_sqlite(connection: &mut SqliteConnection) -> Result<Vec<String>, StoreError> {
    let tables = "SELECT name AS word FROM sqlite_master WHERE name = '__diesel_schema_migrations'";
    if words_sqlite(connection, tables)?.is_empty() {
        return Ok(Vec::new());
    }
    words_sqlite(connection, APPLIED)
}

fn words_sqlite(connection: &mut SqliteConnection, query: &str) -> Result<Vec<String>, StoreError> {
    let rows: Result<Vec<Word>, _> = diesel::RunQueryDsl::load(diesel::sql_query(query), connection);
    Ok(rows.map_err(Failure::from)?.into_iter().map(|row| row.word).collect())
}

/// The versions of the migrations that have run in a PostgreSQL database; none if it holds nothing of Deputy's.
pub(super) async fn applied_postgres(connection: &mut AsyncPgConnection) -> Result<Vec<String>, StoreError> {
    let tables = "SELECT 'there' AS word WHERE to_regclass('__diesel_schema_migrations') IS NOT NULL";
    if words_postgres(connection, tables).await?.is_empty() {
        return Ok(Vec::new());
    }
    words_postgres(connection, APPLIED).await
}

/// The name of a PostgreSQL database. Its URL may hold a password and is never shown.
pub(super) async fn name_postgres(connection: &mut AsyncPgConnection) -> Result<String, StoreError> {
    let mut names = words_postgres(connection, "SELECT current_database()::text AS word").await?;
    Ok(names.pop().unwrap_or_default())
}

/// The texts that a query answers with, in its column `word`.
pub(super) async fn words_postgres(
    connection: &mut AsyncPgConnection,
    query: &str,
) -> Result<Vec<String>, StoreError> {
    let rows: Result<Vec<Word>, _> =
        diesel_async::RunQueryDsl::load(diesel::sql_query(query), connection).await;
    Ok(rows.map_err(Failure::from)?.into_iter().map(|row| row.word).collect())
}

/// How many migrations of this version have still to run in a database in which `applied` have.
///
/// # Errors
/// [`StoreError::Unusable`] if a migration has run that this version does not have: the database `name` was
/// made by another version.
pub(super) fn pending(name: &str, applied: &[String]) -> Result<usize, StoreError> {
    let migrations: Vec<Box<dyn Migration<Sqlite>>> =
        MIGRATIONS.migrations().map_err(|error| StoreError::Unusable(format!("migrations: {error}")))?;
    let own: Vec<String> =
        migrations.iter().map(|migration| migration.name().version().to_string()).collect();
    let Some(foreign) = applied.iter().find(|version| !own.contains(version)) else {
        return Ok(own.iter().filter(|version| !applied.contains(version)).count());
    };
    // Versions are dates of one length, so they are ordered as text.
    let (other, fix) = if own.iter().all(|version| foreign < version) {
        ("an earlier", "keep it with that version, and name a new database in `database.url`")
    } else {
        ("another", "run the version that made it, or name a new database in `database.url`")
    };
    Err(StoreError::Unusable(format!(
        "the database `{name}` was made by {other} version of Deputy (schema {foreign}) and cannot be opened by \
         this one; {fix}"
    )))
}

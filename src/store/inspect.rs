//! Looks at a database and changes nothing: for `deputy check`.

use std::path::Path;

use diesel::migration::{Migration, MigrationSource as _};
use diesel::sql_types::Text;
use diesel::sqlite::Sqlite;
use diesel::{QueryableByName, SqliteConnection};
use diesel_async::AsyncPgConnection;

use super::statements::{Failure, Statements as _};
use super::writer::HIGHEST_TIME;
use super::{MIGRATIONS, StoreError, postgres, sqlite};
use crate::base::time::Timestamp;
use crate::config::{Config, Database};

/// How a database stands.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Inspection {
    /// Whether there is nothing of Deputy's in it yet.
    pub is_empty: bool,
    /// Migrations still to run; all of them where it is empty.
    pub pending: usize,
    /// The durability settings as read back on a connection.
    pub settings: String,
    /// Whether they keep what was acknowledged (design.md 9).
    pub is_durable: bool,
    /// The highest time ever recorded.
    pub highest_time: Option<Timestamp>,
}

#[derive(QueryableByName)]
struct Word {
    #[diesel(sql_type = Text)]
    word: String,
}

/// Where diesel notes which migrations have run.
const APPLIED: &str = "SELECT version AS word FROM __diesel_schema_migrations";

/// Looks at the database of `config`.
///
/// # Errors
/// [`StoreError`]: it does not answer, or its durability settings do not hold.
pub async fn inspect(config: &Config) -> Result<Inspection, StoreError> {
    match &config.database {
        Database::Sqlite(file) => inspect_sqlite(file).await,
        Database::Postgres(url) => inspect_postgres(postgres::connect_read_only(url).await?).await,
    }
}

async fn inspect_sqlite(file: &Path) -> Result<Inspection, StoreError> {
    if !file.exists() {
        let directory = file.parent().filter(|directory| directory.is_dir());
        let missing =
            || StoreError::Unusable(format!("database file `{}`: no such directory", file.display()));
        directory.ok_or_else(missing)?;
        return nothing_there("journal_mode=wal synchronous=full once it is made");
    }
    let mut connection = sqlite::connect_read_only(file)?;
    let tables = "SELECT name AS word FROM sqlite_master WHERE name = '__diesel_schema_migrations'";
    if words(&mut connection, tables)?.is_empty() {
        return nothing_there("journal_mode=wal synchronous=full once the tables are made");
    }
    let applied = words(&mut connection, APPLIED)?;
    let highest_time =
        sqlite::Session(&mut connection).number(HIGHEST_TIME).await.map_err(StoreError::from)?;
    // It is ours: open it as the server does, which reads the settings back and fails where they do not hold.
    let settings = sqlite::Settings::of(&mut sqlite::connect(file, sqlite::Use::Read)?)?;
    Ok(Inspection {
        is_empty: false,
        pending: pending(&applied)?,
        settings: format!("journal_mode={} synchronous={}", settings.journal_mode, settings.synchronous),
        is_durable: true,
        highest_time: highest_time.map(Timestamp::from_millis),
    })
}

fn nothing_there(settings: &str) -> Result<Inspection, StoreError> {
    Ok(Inspection {
        is_empty: true,
        pending: pending(&[])?,
        settings: settings.to_owned(),
        is_durable: true,
        highest_time: None,
    })
}

fn words(connection: &mut SqliteConnection, query: &str) -> Result<Vec<String>, StoreError> {
    let rows: Result<Vec<Word>, _> = diesel::RunQueryDsl::load(diesel::sql_query(query), connection);
    Ok(rows.map_err(Failure::from)?.into_iter().map(|row| row.word).collect())
}

async fn inspect_postgres(mut connection: AsyncPgConnection) -> Result<Inspection, StoreError> {
    let settings = words_async(
        &mut connection,
        "SELECT name || '=' || setting AS word FROM pg_settings \
         WHERE name IN ('fsync', 'full_page_writes', 'synchronous_commit') ORDER BY name",
    )
    .await?;
    let tables = "SELECT 'there' AS word WHERE to_regclass('__diesel_schema_migrations') IS NOT NULL";
    let applied = if words_async(&mut connection, tables).await?.is_empty() {
        Vec::new()
    } else {
        words_async(&mut connection, APPLIED).await?
    };
    let highest_time = if applied.is_empty() {
        None
    } else {
        postgres::Session(&mut connection).number(HIGHEST_TIME).await.map_err(StoreError::from)?
    };
    Ok(Inspection {
        is_empty: applied.is_empty(),
        pending: pending(&applied)?,
        is_durable: settings.len() == 3 && settings.iter().all(|setting| setting.ends_with("=on")),
        settings: settings.join(" "),
        highest_time: highest_time.map(Timestamp::from_millis),
    })
}

async fn words_async(connection: &mut AsyncPgConnection, query: &str) -> Result<Vec<String>, StoreError> {
    let rows: Result<Vec<Word>, _> =
        diesel_async::RunQueryDsl::load(diesel::sql_query(query), connection).await;
    Ok(rows.map_err(Failure::from)?.into_iter().map(|row| row.word).collect())
}

/// How many of this build's migrations are not among `applied`.
fn pending(applied: &[String]) -> Result<usize, StoreError> {
    let migrations: Vec<Box<dyn Migration<Sqlite>>> =
        MIGRATIONS.migrations().map_err(|error| StoreError::Unusable(format!("migrations: {error}")))?;
    let versions = migrations.iter().map(|migration| migration.name().version().to_string());
    Ok(versions.filter(|version| !applied.contains(version)).count())
}

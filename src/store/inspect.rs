//! Looks at a database and changes nothing: for `deputy check`.

use std::path::Path;

use diesel_async::AsyncPgConnection;

use super::migration::{applied_postgres, applied_sqlite, name_postgres, pending, words_postgres};
use super::numbers::{HIGHEST_TIME, Numbers as _};
use super::{StoreError, postgres, sqlite};
use crate::base::time::Timestamp;
use crate::config::{Config, Database};

/// The state of a database.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Inspection {
    /// Whether there is nothing of Deputy's in it yet.
    pub is_empty: bool,
    /// Migrations still to run; all of them where it is empty.
    pub pending: usize,
    /// The durability settings as read back on a connection.
    pub settings: String,
    /// Whether these settings keep every change that was acknowledged (ADR 4).
    pub is_durable: bool,
    /// The highest time ever recorded.
    pub highest_time: Option<Timestamp>,
}

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
    let applied = applied_sqlite(&mut connection)?;
    if applied.is_empty() {
        return nothing_there("journal_mode=wal synchronous=full once the tables are made");
    }
    let pending = pending(&file.display().to_string(), &applied)?;
    let highest_time =
        sqlite::Session(&mut connection).number(HIGHEST_TIME).await.map_err(StoreError::from)?;
    // It is ours: open it as the server does, which reads the settings back and fails where they do not hold.
    let settings = sqlite::Settings::of(&mut sqlite::connect(file, sqlite::Use::Read)?)?;
    Ok(Inspection {
        is_empty: false,
        pending,
        settings: format!("journal_mode={} synchronous={}", settings.journal_mode, settings.synchronous),
        is_durable: true,
        highest_time: highest_time.map(Timestamp::from_millis),
    })
}

fn nothing_there(settings: &str) -> Result<Inspection, StoreError> {
    Ok(Inspection {
        is_empty: true,
        pending: pending("", &[])?,
        settings: settings.to_owned(),
        is_durable: true,
        highest_time: None,
    })
}

async fn inspect_postgres(mut connection: AsyncPgConnection) -> Result<Inspection, StoreError> {
    let settings = words_postgres(
        &mut connection,
        "SELECT name || '=' || setting AS word FROM pg_settings \
         WHERE name IN ('fsync', 'full_page_writes', 'synchronous_commit') ORDER BY name",
    )
    .await?;
    let applied = applied_postgres(&mut connection).await?;
    let pending = pending(&name_postgres(&mut connection).await?, &applied)?;
    let highest_time = if applied.is_empty() {
        None
    } else {
        postgres::Session(&connection).number(HIGHEST_TIME).await.map_err(StoreError::from)?
    };
    Ok(Inspection {
        is_empty: applied.is_empty(),
        pending,
        is_durable: settings.len() == 3 && settings.iter().all(|setting| setting.ends_with("=on")),
        settings: settings.join(" "),
        highest_time: highest_time.map(Timestamp::from_millis),
    })
}

//! SQLite: one file, one writer, readers beside it (WAL). Synchronous diesel; a future here is always ready.

mod file;
mod readings;

use std::fs::{OpenOptions, Permissions};
use std::os::unix::fs::{OpenOptionsExt as _, PermissionsExt as _};
use std::path::{Path, PathBuf};
use std::sync::Mutex;

use diesel::connection::SimpleConnection as _;
use diesel::sql_types::{BigInt, Text};
use diesel::{Connection as _, QueryableByName, RunQueryDsl as _, SqliteConnection};
use diesel_migrations::MigrationHarness as _;
use futures_util::FutureExt as _;

use super::disk::Spare;
use super::statement::Failure;
use super::transaction::transaction;
use super::{StoreError, migration};

/// Idle readers kept at most.
const READERS: usize = 16;

/// The settings of every connection, which are read back after they are set (ADR 4).
const SETTINGS: &str = "PRAGMA busy_timeout = 5000; PRAGMA journal_mode = WAL; PRAGMA synchronous = FULL; \
     PRAGMA foreign_keys = ON; PRAGMA wal_autocheckpoint = 4000; PRAGMA temp_store = MEMORY;";

/// The writer alone changes the file, so what it keeps of it stays true from one transaction to the next:
/// 8 MiB of pages. With fewer it would read the leaves of its indexes again for every group; each commit
/// walks the table of those kept, so more cost more than they save.
const WRITER_SETTINGS: &str = "PRAGMA cache_size = -8192";

/// The settings as a connection reports them.
#[derive(Debug, PartialEq, Eq, QueryableByName)]
pub(super) struct Settings {
    #[diesel(sql_type = Text)]
    pub(super) journal_mode: String,
    /// 2 is FULL.
    #[diesel(sql_type = BigInt)]
    pub(super) synchronous: i64,
    #[diesel(sql_type = BigInt)]
    pub(super) foreign_keys: i64,
    #[diesel(sql_type = BigInt)]
    pub(super) busy_timeout: i64,
}

impl Settings {
    fn demanded() -> Self {
        Self { journal_mode: "wal".to_owned(), synchronous: 2, foreign_keys: 1, busy_timeout: 5000 }
    }

    /// Reads them back.
    pub(super) fn of(connection: &mut SqliteConnection) -> Result<Self, StoreError> {
        diesel::sql_query(
            "SELECT (SELECT journal_mode FROM pragma_journal_mode) AS journal_mode, \
             (SELECT synchronous FROM pragma_synchronous) AS synchronous, \
             (SELECT foreign_keys FROM pragma_foreign_keys) AS foreign_keys, \
             (SELECT timeout FROM pragma_busy_timeout) AS busy_timeout",
        )
        .get_result(connection)
        .map_err(|error| StoreError::Database(error.to_string()))
    }
}

/// What a connection is for.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Use {
    Write,
    Read,
}

/// Opens one connection, sets it up and reads the settings back.
pub(super) fn connect(path: &Path, purpose: Use) -> Result<SqliteConnection, StoreError> {
    let name = path.to_str().ok_or_else(|| {
        StoreError::Unusable(format!("database file `{}`: the path is not UTF-8", path.display()))
    })?;
    let wrong = |what: String| StoreError::Unusable(format!("database file `{name}`: {what}"));
    let mut connection = SqliteConnection::establish(name).map_err(|error| wrong(error.to_string()))?;
    connection.batch_execute(SETTINGS).map_err(|error| wrong(error.to_string()))?;
    let own = match purpose {
        Use::Write => WRITER_SETTINGS,
        Use::Read => "PRAGMA query_only = ON",
    };
    connection.batch_execute(own).map_err(|error| wrong(error.to_string()))?;
    let found = Settings::of(&mut connection)?;
    if found != Settings::demanded() {
        return Err(wrong(format!("durability settings do not hold: {found:?}")));
    }
    Ok(connection)
}

/// A connection for offline verification: makes, migrates and writes nothing.
pub(super) fn connect_read_only(path: &Path) -> Result<SqliteConnection, StoreError> {
    let wrong = |what: String| StoreError::Unusable(format!("database file `{}`: {what}", path.display()));
    let absolute = std::path::absolute(path).map_err(|error| wrong(error.to_string()))?;
    let mut address =
        url::Url::from_file_path(absolute).map_err(|()| wrong("the path is not usable".to_owned()))?;
    address.set_query(Some("mode=ro"));
    let mut connection =
        SqliteConnection::establish(address.as_str()).map_err(|error| wrong(error.to_string()))?;
    connection
        .batch_execute("PRAGMA busy_timeout = 5000; PRAGMA query_only = ON")
        .map_err(|error| wrong(error.to_string()))?;
    Ok(connection)
}

/// Makes the file, mode 0600, and brings its tables up to date. A database of another version is refused.
pub(super) fn prepare(path: &Path) -> Result<SqliteConnection, StoreError> {
    let wrong = |what: String| StoreError::Unusable(format!("database file `{}`: {what}", path.display()));
    OpenOptions::new()
        .create(true)
        .append(true)
        .mode(0o600)
        .open(path)
        .and_then(|file| file.set_permissions(Permissions::from_mode(0o600)))
        .map_err(|error| wrong(error.to_string()))?;
    let mut connection = connect(path, Use::Write)?;
    migration::pending(&path.display().to_string(), &migration::applied_sqlite(&mut connection)?)?;
    connection.run_pending_migrations(migration::MIGRATIONS).map_err(|error| wrong(error.to_string()))?;
    Ok(connection)
}

/// The readers of one file.
pub(super) struct Database {
    path: PathBuf,
    idle: Mutex<Vec<SqliteConnection>>,
}

impl Database {
    pub(super) const fn new(path: PathBuf) -> Self {
        Self { path, idle: Mutex::new(Vec::new()) }
    }

    pub(super) fn path(&self) -> &Path {
        &self.path
    }

    /// A reader; opened if none is idle.
    pub(super) fn reader(&self) -> Result<Reader<'_>, StoreError> {
        let idle = self.idle.lock().unwrap_or_else(std::sync::PoisonError::into_inner).pop();
        let connection = match idle {
            Some(connection) => connection,
            None => connect(&self.path, Use::Read)?,
        };
        Ok(Reader { database: self, connection: Some(connection) })
    }
}

/// A reader on loan.
pub(super) struct Reader<'a> {
    database: &'a Database,
    connection: Option<SqliteConnection>,
}

impl Reader<'_> {
    pub(super) fn session(&mut self) -> Result<Session<'_>, StoreError> {
        self.connection.as_mut().map(Session).ok_or(StoreError::Busy)
    }
}

impl Drop for Reader<'_> {
    fn drop(&mut self) {
        let mut idle = self.database.idle.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
        if idle.len() < READERS
            && let Some(connection) = self.connection.take()
        {
            idle.push(connection);
        }
    }
}

/// The one writer's connection.
pub(super) struct Engine {
    connection: SqliteConnection,
    files: file::Files,
    spare: Spare,
}

impl Engine {
    pub(super) fn new(connection: SqliteConnection, path: &Path) -> Self {
        Self { connection, files: file::Files::of(path), spare: Spare::beside(path) }
    }
}

impl super::writer::Engine for Engine {
    type Session<'a> = Session<'a>;

    fn run<T>(
        &mut self,
        work: impl AsyncFnOnce(&mut Session<'_>) -> Result<T, Failure>,
    ) -> Result<T, Failure> {
        let mut session = Session(&mut self.connection);
        work(&mut session)
            .now_or_never()
            .unwrap_or_else(|| Err(StoreError::Database("a statement did not finish".to_owned()).into()))
    }

    fn check(&mut self) -> Result<(), Failure> {
        self.files.check()
    }

    fn keep_room(&mut self) -> bool {
        self.spare.keep()
    }

    fn give_room(&mut self) -> bool {
        self.spare.give_up()
    }
}

/// One connection at work.
pub(super) struct Session<'a>(pub(super) &'a mut SqliteConnection);

/// How a query runs on SQLite: at once, a row at a time, without locks, as there is only one writer.
macro_rules! sqlite {
    (locks) => {
        false
    };
    (backend) => {
        diesel::sqlite::Sqlite
    };
    (begin $self:ident) => {
        sqlite!(batch $self, "BEGIN IMMEDIATE")
    };
    (batch $self:ident, $text:literal) => {
        Ok($self.0.batch_execute($text)?)
    };
    (load $self:ident, $query:expr) => {
        $query.load(&mut *$self.0)
    };
    (first $self:ident, $query:expr) => {
        $query.get_result(&mut *$self.0)
    };
    (execute $self:ident, $query:expr) => {
        $query.execute(&mut *$self.0)
    };
    (locked $self:ident, $query:expr, $lock:expr) => {{
        let _: $crate::store::statement::Lock = $lock;
        $query.load(&mut *$self.0)?
    }};
    (free $self:ident, $query:expr) => {
        $query.load(&mut *$self.0)?
    };
    (by $self:ident, $row:ident, $table:ident, $column:ident, $keys:expr, $lock:expr) => {{
        use diesel::{ExpressionMethods as _, QueryDsl as _, SelectableHelper as _};
        let _: $crate::store::statement::Lock = $lock;
        let mut rows: Vec<$row> = Vec::with_capacity($keys.len());
        for key in $keys {
            let query = $table::table.filter($table::$column.eq(key)).select($row::as_select());
            rows.append(&mut query.load(&mut *$self.0)?);
        }
        rows
    }};
    (insert $self:ident, $table:ident, $rows:expr) => {{
        for row in $rows {
            diesel::insert_into($table::table).values(row).execute(&mut *$self.0)?;
        }
        Ok(())
    }};
    (upsert $self:ident, $rows:expr, $conflict:literal, |$row:ident| $query:block) => {{
        for $row in $rows {
            $query.execute(&mut *$self.0)?;
        }
        Ok(())
    }};
    (all $self:ident, $($call:ident($($argument:expr),*)),+ $(,)?) => {
        ($($self.$call($($argument),*).await?,)+)
    };
}
transaction!(Session, sqlite);

#[cfg(test)]
mod tests {
    use super::*;

    #[derive(QueryableByName)]
    struct Compiled {
        #[diesel(sql_type = Text)]
        compile_options: String,
    }

    /// Without it, each statement with a bound `LIMIT` is planned anew whenever it runs.
    #[test]
    fn no_plan_depends_on_the_values_that_a_statement_is_given() {
        let directory = tempfile::tempdir().unwrap();
        let mut connection = connect(&directory.path().join("deputy.db"), Use::Write).unwrap();
        let options: Vec<Compiled> =
            diesel::sql_query("PRAGMA compile_options").load(&mut connection).unwrap();
        let options: Vec<&str> = options.iter().map(|option| option.compile_options.as_str()).collect();
        assert!(options.contains(&"ENABLE_QPSG"), "{options:?}");
    }
}

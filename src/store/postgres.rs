//! PostgreSQL: diesel-async over tokio-postgres, TLS by rustls. No system libpq, no OpenSSL.
//!
//! Connections are driven by a runtime of the store's own, so that none depends on the thread that
//! happened to open it.

mod address;
mod insert;
mod readings;
mod tls;

use std::sync::Arc;
use std::time::Duration;

use diesel_async::pooled_connection::deadpool::{Object, Pool};
use diesel_async::pooled_connection::{AsyncDieselConnectionManager, ManagerConfig, RecyclingMethod};
use diesel_async::{AsyncPgConnection, RunQueryDsl as _, SimpleAsyncConnection as _};
use diesel_migrations::MigrationHarness as _;
use futures_util::FutureExt as _;
use tokio::runtime::{Handle, Runtime};
use tokio::time::timeout;

use super::statement::Failure;
use super::transaction::transaction;
use super::{StoreError, migration};
use crate::config::PostgresUrl;

pub(super) use address::Address;

/// Readers at most.
const READERS: usize = 16;

/// A database that does not answer in this time is not there.
const PATIENCE: Duration = Duration::from_secs(5);

/// What every connection is set to. The server ends by itself what nobody waits for any more.
///
/// What a request asks is found by an index. Left to itself, the planner reads a table whole while it is small, and
/// keeps such a plan for a prepared statement until the table is analysed, however much it grows in the meantime.
/// Compiling a plan would cost more than running any of these.
const SETTINGS: &str = "SET synchronous_commit = on; SET default_transaction_isolation = 'read committed'; \
     SET statement_timeout = '5s'; SET lock_timeout = '4s'; \
     SET idle_in_transaction_session_timeout = '10s'; SET enable_seqscan = off; SET jit = off";

/// Opens one connection, sets it up and reads the durability setting back.
///
/// A server that takes no writes is refused: a primary that another one has replaced does not know what is revoked.
async fn connect(address: &Address) -> Result<AsyncPgConnection, StoreError> {
    let connection = open(address).await?;
    let is_read_only = patiently(setting(&connection, "transaction_read_only"))
        .await
        .unwrap_or_else(|| Err(StoreError::Database("no answer in 5 s".to_owned())))?;
    if is_read_only == "on" {
        return Err(StoreError::Unusable("PostgreSQL: the server takes no writes".to_owned()));
    }
    Ok(connection)
}

/// As [`connect`], to any server.
async fn open(address: &Address) -> Result<AsyncPgConnection, StoreError> {
    let wrong = |what: String| StoreError::Unusable(format!("PostgreSQL: {what}"));
    let attempt = async {
        let mut connection = address.connect().await?;
        connection.batch_execute(SETTINGS).await.map_err(|error| wrong(error.to_string()))?;
        let found = synchronous_commit(&connection).await?;
        if found != "on" {
            return Err(wrong(format!("synchronous_commit is `{found}`, not `on`")));
        }
        Ok(connection)
    };
    timeout(PATIENCE, attempt).await.unwrap_or_else(|_| Err(wrong("no answer in 5 s".to_owned())))
}

/// The durability setting as the connection reports it.
pub(super) async fn synchronous_commit(connection: &AsyncPgConnection) -> Result<String, StoreError> {
    setting(connection, "synchronous_commit").await
}

async fn setting(connection: &AsyncPgConnection, name: &str) -> Result<String, StoreError> {
    use diesel::sql_types::Text;
    let setting = diesel::dsl::sql::<Text>("current_setting(").bind::<Text, _>(name).sql(")");
    diesel::select(setting)
        .get_result(&mut { connection })
        .await
        .map_err(|error| StoreError::Database(error.to_string()))
}

/// Brings the tables up to date; processes that start together take turns. A database of another version is
/// refused.
async fn migrate(mut connection: AsyncPgConnection) -> Result<(), StoreError> {
    /// Any fixed number: the migration lock of Deputy's databases.
    const TURN: &str = "SET lock_timeout = '30s'; SET statement_timeout = '60s'; \
                        SELECT pg_advisory_lock(7236837541)";
    let wrong = |what: String| StoreError::Unusable(format!("PostgreSQL migration: {what}"));
    connection.batch_execute(TURN).await.map_err(|error| wrong(error.to_string()))?;
    let name = migration::name_postgres(&mut connection).await?;
    migration::pending(&name, &migration::applied_postgres(&mut connection).await?)?;
    tokio::task::spawn_blocking(move || {
        let mut harness: diesel_async::async_connection_wrapper::AsyncConnectionWrapper<AsyncPgConnection> =
            connection.into();
        harness.run_pending_migrations(migration::MIGRATIONS).map(|_| ()).map_err(|error| error.to_string())
    })
    .await
    .map_err(|error| wrong(error.to_string()))?
    .map_err(wrong)
}

/// The readers of one database, and the runtime that drives all connections.
pub(super) struct Database {
    address: Arc<Address>,
    pool: Pool<AsyncPgConnection>,
    runtime: Option<Runtime>,
}

impl Database {
    /// Connects, migrates, and makes ready to read.
    pub(super) async fn open(url: &PostgresUrl) -> Result<Self, StoreError> {
        let address = Arc::new(Address::parse(url)?);
        let runtime = tokio::runtime::Builder::new_multi_thread()
            .worker_threads(1)
            .thread_name("deputy-postgres")
            .enable_all()
            .build()
            .map_err(|error| StoreError::Unusable(format!("PostgreSQL runtime: {error}")))?;
        let database = Self { pool: pool(&address, runtime.handle())?, address, runtime: Some(runtime) };
        let first = Arc::clone(&database.address);
        database
            .handle()?
            .spawn(async move { migrate(connect(&first).await?).await })
            .await
            .map_err(|error| StoreError::Unusable(format!("PostgreSQL: {error}")))??;
        Ok(database)
    }

    fn handle(&self) -> Result<&Handle, StoreError> {
        self.runtime.as_ref().map(Runtime::handle).ok_or(StoreError::Busy)
    }

    /// The writer's own connection, opened at its first use.
    pub(super) fn engine(&self) -> Result<Engine, StoreError> {
        Ok(Engine {
            address: Arc::clone(&self.address),
            handle: self.handle()?.clone(),
            connection: None,
            pool: self.pool.clone(),
        })
    }

    pub(super) async fn reader(&self) -> Result<Object<AsyncPgConnection>, StoreError> {
        match timeout(PATIENCE, self.pool.get()).await {
            Ok(Ok(reader)) => Ok(reader),
            Ok(Err(error)) => Err(StoreError::Database(error.to_string())),
            Err(_) => Err(StoreError::Database("no connection in 5 s".to_owned())),
        }
    }

    /// What came of a read with `reader`; `None` if it may be tried again with a new connection.
    pub(super) fn settle<T>(
        &self,
        reader: Object<AsyncPgConnection>,
        outcome: Option<Result<T, Failure>>,
        is_last_try: bool,
    ) -> Option<Result<T, StoreError>> {
        match outcome {
            Some(Err(Failure::Lost(text))) => {
                drop(Object::take(reader));
                self.pool.retain(|_, _| false);
                is_last_try.then_some(Err(StoreError::Database(text)))
            }
            Some(done) => Some(done.map_err(StoreError::from)),
            None => {
                drop(Object::take(reader));
                Some(Err(StoreError::Database("no answer in 5 s".to_owned())))
            }
        }
    }
}

/// Waits for an answer as long as is reasonable.
pub(super) async fn patiently<T>(work: impl Future<Output = T>) -> Option<T> {
    timeout(PATIENCE, work).await.ok()
}

impl Drop for Database {
    fn drop(&mut self) {
        if let Some(runtime) = self.runtime.take() {
            // A runtime may not be waited for inside another one.
            runtime.shutdown_background();
        }
    }
}

fn pool(address: &Arc<Address>, handle: &Handle) -> Result<Pool<AsyncPgConnection>, StoreError> {
    let (address, handle) = (Arc::clone(address), handle.clone());
    let mut manager = ManagerConfig::default();
    manager.recycling_method = RecyclingMethod::Fast;
    manager.custom_setup = Box::new(move |_| {
        let (address, handle) = (Arc::clone(&address), handle.clone());
        async move {
            let bad = |text: String| diesel::ConnectionError::BadConnection(text);
            handle
                .spawn(async move { connect(&address).await })
                .await
                .map_err(|error| bad(error.to_string()))?
                .map_err(|error| bad(error.to_string()))
        }
        .boxed()
    });
    Pool::builder(AsyncDieselConnectionManager::new_with_config("", manager))
        .max_size(READERS)
        .build()
        .map_err(|error| StoreError::Unusable(format!("PostgreSQL pool: {error}")))
}

/// A connection for offline verification: migrates and writes nothing.
pub(super) async fn connect_read_only(url: &PostgresUrl) -> Result<AsyncPgConnection, StoreError> {
    let mut connection = open(&Address::parse(url)?).await?;
    connection
        .batch_execute("SET default_transaction_read_only = on; SET statement_timeout = '60s'")
        .await
        .map_err(|error| StoreError::Database(error.to_string()))?;
    Ok(connection)
}

/// The writer's connection; opened again after it was lost.
pub(super) struct Engine {
    address: Arc<Address>,
    handle: Handle,
    connection: Option<AsyncPgConnection>,
    /// The readers, which are connected to the same server.
    pool: Pool<AsyncPgConnection>,
}

impl super::writer::Engine for Engine {
    type Session<'a> = Session<'a>;

    fn run<T>(
        &mut self,
        work: impl AsyncFnOnce(&mut Session<'_>) -> Result<T, Failure>,
    ) -> Result<T, Failure> {
        let handle = self.handle.clone();
        handle.block_on(async {
            let connection = match self.connection.take() {
                Some(connection) => connection,
                None => connect(&self.address).await.map_err(|error| Failure::Lost(error.to_string()))?,
            };
            let outcome = {
                let mut session = Session(&connection);
                patiently(work(&mut session)).await
            };
            let outcome = outcome.unwrap_or_else(|| Err(Failure::Lost("no answer in 5 s".to_owned())));
            if matches!(outcome, Err(Failure::Lost(_))) {
                self.pool.retain(|_, _| false);
            } else {
                self.connection = Some(connection);
            }
            outcome
        })
    }

    /// A commit is the proof that the server is there and takes writes.
    fn check(&mut self) -> Result<(), Failure> {
        Ok(())
    }

    /// The server's disk is its own.
    fn keep_room(&mut self) -> bool {
        true
    }

    fn give_room(&mut self) -> bool {
        false
    }
}

/// One connection at work.
///
/// It is shared, so that several statements can be sent before the first is answered.
pub(super) struct Session<'a>(pub(super) &'a AsyncPgConnection);

/// How a query runs on PostgreSQL: awaited, with arrays of keys and several rows at once, and with row locks.
macro_rules! postgres {
    (locks) => {
        true
    };
    (backend) => {
        diesel::pg::Pg
    };
    (begin $self:ident) => {
        postgres!(batch $self, "BEGIN")
    };
    (batch $self:ident, $text:literal) => {
        {
            let mut connection = $self.0;
            Ok(connection.batch_execute($text).await?)
        }
    };
    (load $self:ident, $query:expr) => {
        $query.load(&mut { $self.0 }).await
    };
    (first $self:ident, $query:expr) => {
        $query.get_result(&mut { $self.0 }).await
    };
    (execute $self:ident, $query:expr) => {
        $query.execute(&mut { $self.0 }).await
    };
    (locked $self:ident, $query:expr, $lock:expr) => {
        match $lock {
            $crate::store::statement::Lock::None => $query.load(&mut { $self.0 }).await?,
            $crate::store::statement::Lock::Share => $query.for_share().load(&mut { $self.0 }).await?,
            $crate::store::statement::Lock::Update => $query.for_update().load(&mut { $self.0 }).await?,
        }
    };
    (free $self:ident, $query:expr) => {
        $query.for_no_key_update().skip_locked().load(&mut { $self.0 }).await?
    };
    (by $self:ident, $row:ident, $table:ident, $column:ident, $keys:expr, $lock:expr) => {{
        use diesel::{ExpressionMethods as _, QueryDsl as _, SelectableHelper as _};
        let rows: Vec<$row> = if $keys.is_empty() {
            Vec::new()
        } else {
            let query = $table::table
                .filter($table::$column.eq_any($keys))
                .order($table::$column)
                .select($row::as_select());
            postgres!(locked $self, query, $lock)
        };
        rows
    }};
    (insert $self:ident, $table:ident, $rows:expr) => {
        postgres!(upsert $self, $rows, "", |row| {})
    };
    (upsert $self:ident, $rows:expr, $conflict:literal, |$row:ident| $query:block) => {{
        let rows = $rows;
        if !rows.is_empty() {
            let insert = $crate::store::postgres::insert::Insert::new(rows, $conflict);
            insert.execute(&mut { $self.0 }).await?;
        }
        Ok(())
    }};
    // Several statements, each sent without waiting for the answers to those before. The server runs them in this
    // order: the one that is first is polled first. The first failure is the one that counts, as all after it
    // only fail because the transaction has.
    (all $self:ident, $($call:ident($($argument:expr),*)),+ $(,)?) => {{
        let connection = $self.0;
        let ($($call,)+) = tokio::join!(
            biased;
            $(async { $crate::store::postgres::Session(connection).$call($($argument),*).await },)+
        );
        ($($call?,)+)
    }};
}
use postgres;

transaction!(Session, postgres);

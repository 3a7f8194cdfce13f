//! Looks at a database and changes nothing: for `deputy check`.

use std::path::Path;

use diesel_async::AsyncPgConnection;

use super::audit::file::Behind;
use super::migration::{applied_postgres, applied_sqlite, name_postgres, pending, words_postgres};
use super::numbers::{HIGHEST_TIME, Numbers as _};
use super::transaction::Transaction;
use super::{StoreError, node, postgres, sqlite};
use crate::base::time::Timestamp;
use crate::config::{Config, Database};
use crate::keys::{NodeSecrets, SealPurpose};

/// The state of a database.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Inspection {
    /// Whether there is nothing of Deputy's in it yet.
    pub is_empty: bool,
    /// Migrations still to run; all of them where it is empty, or where the role may not read which have.
    pub pending: usize,
    /// The durability settings as read back on a connection.
    pub settings: String,
    /// Whether these settings keep every change that was acknowledged (ADR 4).
    pub is_durable: bool,
    /// The highest time ever recorded.
    pub highest_time: Option<Timestamp>,
    /// What is to be known of the server, where the database has one.
    pub server: Option<Server>,
    /// How many keys are sealed in it, and how many of them the master key at hand does not open.
    pub sealed: Sealed,
    /// Where the database ends before the checkpoint file does.
    pub behind: Option<Behind>,
}

/// Keys that are sealed in a database.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Sealed {
    pub keys: usize,
    pub unopened: usize,
}

/// A database server, as this role and this database see it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Server {
    /// As in `server_version_num`: 150004 is 15.4.
    pub version: u32,
    pub encoding: String,
    /// What its clock shows.
    pub clock: Timestamp,
    pub is_read_only: bool,
    /// Whether Deputy's tables are there.
    pub has_tables: bool,
    /// Whether the role may do what Deputy does: make the tables where there are none, else read and write them.
    pub has_rights: bool,
    /// The role, and the schema that its tables are in.
    pub role: String,
    pub schema: String,
}

/// Looks at the database of `config`, with `secrets` where they could be read.
///
/// # Errors
/// [`StoreError`]: it does not answer, or its durability settings do not hold.
pub async fn inspect(config: &Config, secrets: Option<&NodeSecrets>) -> Result<Inspection, StoreError> {
    let look = Look { config, secrets };
    match &config.database {
        Database::Sqlite(file) => look.at_sqlite(file).await,
        Database::Postgres(url) => look.at_postgres(postgres::connect_read_only(url).await?).await,
    }
}

struct Look<'a> {
    config: &'a Config,
    secrets: Option<&'a NodeSecrets>,
}

impl Look<'_> {
    async fn at_sqlite(&self, file: &Path) -> Result<Inspection, StoreError> {
        let unusable =
            |what: String| StoreError::Unusable(format!("database file `{}`: {what}", file.display()));
        // That nothing can be seen of it does not mean that it is not there.
        if !file.try_exists().map_err(|error| unusable(error.to_string()))? {
            let directory = file.parent().filter(|directory| directory.is_dir());
            directory.ok_or_else(|| unusable("no such directory".to_owned()))?;
            return self.nothing_there("journal_mode=wal synchronous=full once it is made");
        }
        let mut connection = sqlite::connect_read_only(file)?;
        let applied = applied_sqlite(&mut connection)?;
        if applied.is_empty() {
            return self.nothing_there("journal_mode=wal synchronous=full once the tables are made");
        }
        let pending = pending(&file.display().to_string(), &applied)?;
        let mut session = sqlite::Session(&mut connection);
        let highest_time = session.number(HIGHEST_TIME).await.map_err(StoreError::from)?;
        let (sealed, behind) = (self.sealed(&mut session).await?, self.behind(&mut session).await?);
        // It is ours: open it as the server does, which reads the settings back and fails where they do not hold.
        let settings = sqlite::Settings::of(&mut sqlite::connect(file, sqlite::Use::Read)?)?;
        Ok(Inspection {
            is_empty: false,
            pending,
            settings: format!("journal_mode={} synchronous={}", settings.journal_mode, settings.synchronous),
            is_durable: true,
            highest_time: highest_time.map(Timestamp::from_millis),
            server: None,
            sealed,
            behind,
        })
    }

    fn nothing_there(&self, settings: &str) -> Result<Inspection, StoreError> {
        Ok(Inspection {
            is_empty: true,
            pending: pending("", &[])?,
            settings: settings.to_owned(),
            is_durable: true,
            highest_time: None,
            server: None,
            sealed: Sealed::default(),
            behind: self.behind_of_nothing(),
        })
    }

    async fn at_postgres(&self, mut connection: AsyncPgConnection) -> Result<Inspection, StoreError> {
        let settings = words_postgres(
            &mut connection,
            "SELECT name || '=' || setting AS word FROM pg_settings \
             WHERE name IN ('fsync', 'full_page_writes', 'synchronous_commit') ORDER BY name",
        )
        .await?;
        let server = server(&mut connection).await?;
        let mut found = Inspection {
            is_empty: !server.has_tables,
            is_durable: settings.len() == 3 && settings.iter().all(|setting| setting.ends_with("=on")),
            settings: settings.join(" "),
            ..self.nothing_there("")?
        };
        if server.has_tables {
            found.behind = None;
        }
        if server.has_tables && server.has_rights {
            let applied = applied_postgres(&mut connection).await?;
            found.pending = pending(&name_postgres(&mut connection).await?, &applied)?;
            found.is_empty = applied.is_empty();
        }
        if server.has_rights && !found.is_empty {
            let mut session = postgres::Session(&connection);
            let highest = session.number(HIGHEST_TIME).await.map_err(StoreError::from)?;
            found.highest_time = highest.map(Timestamp::from_millis);
            found.sealed = self.sealed(&mut session).await?;
            found.behind = self.behind(&mut session).await?;
        }
        found.server = Some(server);
        Ok(found)
    }

    /// Tries the master key on every signing key that has its private part, and on this node's checkpoint key.
    async fn sealed<S: Transaction>(&self, session: &mut S) -> Result<Sealed, StoreError> {
        let Some(secrets) = self.secrets else { return Ok(Sealed::default()) };
        let own = node::known_id(&self.config.data_dir);
        let signing = session.signing_keys().await?;
        let checkpoint = session.checkpoint_keys().await?;
        let signing = signing
            .iter()
            .filter(|key| !key.sealed.is_empty())
            .map(|key| secrets.open(SealPurpose::SigningKey(&key.kid), &key.sealed).is_ok());
        let checkpoint = checkpoint
            .iter()
            .filter(|key| Some(&key.chain) == own.as_ref())
            .map(|key| secrets.open(SealPurpose::CheckpointKey(&key.chain), &key.sealed).is_ok());
        let opened: Vec<bool> = signing.chain(checkpoint).collect();
        let unopened = opened.iter().filter(|is_opened| !**is_opened).count();
        Ok(Sealed { keys: opened.len(), unopened })
    }

    /// As at a start. A node that is configured for another database than before begins a new chain there.
    async fn behind<S: Transaction>(&self, session: &mut S) -> Result<Option<Behind>, StoreError> {
        let own = node::known_id(&self.config.data_dir);
        let is_known = session.checkpoint_keys().await?.iter().any(|key| Some(&key.chain) == own.as_ref());
        if !is_known && node::is_elsewhere(self.config) {
            return Ok(None);
        }
        // A file that cannot be read has a finding of its own.
        Ok(Behind::find(session, &self.config.audit.checkpoint_file).await.unwrap_or_default())
    }

    /// The same for a database that has no rows.
    fn behind_of_nothing(&self) -> Option<Behind> {
        if node::is_elsewhere(self.config) {
            return None;
        }
        Behind::of_nothing(&self.config.audit.checkpoint_file).unwrap_or_default()
    }
}

async fn server(connection: &mut AsyncPgConnection) -> Result<Server, StoreError> {
    // This connection is read-only by its own setting, so that of new ones is asked for. Of a database without tables,
    // the right to make some is asked for, else the rights to each of them.
    let words = words_postgres(
        connection,
        "SELECT w.word FROM (VALUES \
           (1, current_setting('server_version_num')), \
           (2, current_setting('server_encoding')), \
           (3, (extract(epoch FROM clock_timestamp()) * 1000)::bigint::text), \
           (4, (pg_is_in_recovery() OR (SELECT reset_val = 'on' FROM pg_settings \
                 WHERE name = 'default_transaction_read_only'))::text), \
           (5, CASE WHEN to_regclass('__diesel_schema_migrations') IS NULL \
                 THEN coalesce(has_schema_privilege(current_schema(), 'CREATE'), false) \
                 ELSE (SELECT coalesce(bool_and(has_table_privilege(c.oid, 'SELECT') \
                         AND has_table_privilege(c.oid, 'INSERT') AND has_table_privilege(c.oid, 'UPDATE') \
                         AND has_table_privilege(c.oid, 'DELETE')), false) \
                       FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace \
                       WHERE n.nspname = current_schema() AND c.relkind IN ('r', 'p')) END::text), \
           (6, current_user::text), \
           (7, coalesce(current_schema(), 'public')::text), \
           (8, (to_regclass('__diesel_schema_migrations') IS NOT NULL)::text)) AS w(n, word) ORDER BY w.n",
    )
    .await?;
    let unread = || StoreError::Database("the server does not tell its state".to_owned());
    let [version, encoding, clock, is_read_only, has_rights, role, schema, has_tables] =
        <[String; 8]>::try_from(words).map_err(|_| unread())?;
    Ok(Server {
        version: version.parse().map_err(|_| unread())?,
        encoding,
        clock: Timestamp::from_millis(clock.parse().map_err(|_| unread())?),
        is_read_only: is_read_only == "true",
        has_tables: has_tables == "true",
        has_rights: has_rights == "true",
        role,
        schema,
    })
}

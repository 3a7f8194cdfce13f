//! Readings by the statements that SQLite answers fastest: one prepared statement a row.

use diesel::query_builder::{AstPass, QueryFragment, QueryId};
use diesel::sqlite::Sqlite;
use diesel::{
    ExpressionMethods as _, JoinOnDsl as _, NullableExpressionMethods as _, OptionalExtension as _,
    QueryDsl as _, QueryResult, RunQueryDsl, SelectableHelper as _, SqliteConnection,
};

use super::Session;
use crate::store::agents::Agents as _;
use crate::store::ending::may_retire;
use crate::store::keys::Keys as _;
use crate::store::logins::LoginRow;
use crate::store::numbers::Numbers as _;
use crate::store::readings::{Found, Gathered, Readings, Wanted};
use crate::store::rows::Key;
use crate::store::schema::{login, subject, substr, task, token};
use crate::store::statement::{Failure, Lock};
use crate::store::stops::STOP_COUNTER;
use crate::store::subjects::{SubjectRow, Subjects as _};
use crate::store::tasks::{TaskRow, Tasks as _};
use crate::store::tokens::{TokenRow, Tokens as _};

/// A token with all that one join finds: its task, if it has one, and where a user is behind it the login and the user.
type Joined = (TokenRow, Option<TaskRow>, Option<LoginRow>, Option<SubjectRow>);

/// A statement without a value, which is prepared once for each connection.
macro_rules! prepared {
    ($name:ident, $text:literal) => {
        #[derive(QueryId)]
        struct $name;

        impl QueryFragment<Sqlite> for $name {
            fn walk_ast<'b>(&'b self, mut out: AstPass<'_, 'b, Sqlite>) -> QueryResult<()> {
                out.push_sql($text);
                Ok(())
            }
        }

        impl RunQueryDsl<SqliteConnection> for $name {}
    };
}
prepared!(Begin, "BEGIN");
prepared!(Commit, "COMMIT");

impl Session<'_> {
    fn joined(&mut self, jti: Key) -> Result<Option<Joined>, Failure> {
        // Nearly every token has a user behind it, and rows that cannot be absent are read faster.
        let of_user = token::table
            .inner_join(task::table.on(task::id.eq(substr(token::path, 1, 16))))
            .inner_join(login::table.on(login::id.nullable().eq(token::login)))
            .inner_join(subject::table.on(subject::reference.nullable().eq(task::subject)))
            .filter(token::jti.eq(jti))
            .select((
                TokenRow::as_select(),
                TaskRow::as_select(),
                LoginRow::as_select(),
                SubjectRow::as_select(),
            ));
        if let Some((token, task, login, subject)) = of_user.get_result(&mut *self.0).optional()? {
            return Ok(Some((token, Some(task), Some(login), Some(subject))));
        }
        let other = token::table
            .left_join(task::table.on(task::id.eq(substr(token::path, 1, 16))))
            .left_join(login::table.on(login::id.nullable().eq(token::login)))
            .left_join(subject::table.on(subject::reference.nullable().eq(task::subject)))
            .filter(token::jti.eq(jti))
            .select((
                TokenRow::as_select(),
                Option::<TaskRow>::as_select(),
                Option::<LoginRow>::as_select(),
                Option::<SubjectRow>::as_select(),
            ));
        Ok(other.get_result(&mut *self.0).optional()?)
    }

    async fn found(&mut self, jti: Key) -> Result<Option<Found>, Failure> {
        let stops = self.number(STOP_COUNTER).await?.unwrap_or(0);
        let Some((token, task, login, subject)) = self.joined(jti)? else { return Ok(None) };
        let agents: Vec<String> = token.actors.split(' ').map(str::to_owned).collect();
        let (_, mut above) = token.lineage()?;
        above.pop();
        Ok(Some(Found {
            stops,
            ancestors: self.tokens(&above).await?,
            agents: self.agents(&agents, Lock::None).await?,
            trusted: self
                .key_states(Lock::None)
                .await?
                .into_iter()
                .filter_map(|(kid, revoked_at)| revoked_at.is_none().then_some(kid))
                .collect(),
            token,
            login,
            task,
            subject,
        }))
    }
}

impl Readings for Session<'_> {
    async fn lineage(&mut self, jti: Key) -> Result<Option<Found>, Failure> {
        // One snapshot for all statements. It also spares each of them the locks of a transaction of its own.
        Begin.execute(&mut *self.0)?;
        let found = self.found(jti).await;
        let ended = Commit.execute(&mut *self.0);
        let found = found?;
        ended?;
        Ok(found)
    }

    async fn clock(&mut self) -> Result<Option<i64>, Failure> {
        Ok(None)
    }

    async fn gather(&mut self, wanted: &Wanted) -> Result<Gathered, Failure> {
        let mut gathered =
            Gathered { tasks: self.tasks(&wanted.tasks, Lock::None).await?, ..Gathered::default() };
        let mut references: Vec<Key> = gathered.tasks.iter().filter_map(|task| task.subject).collect();
        references.sort_unstable();
        references.dedup();
        gathered.subjects = self.subjects(&references, Lock::None).await?;
        gathered.subjects.extend(self.subjects_named(&wanted.names, Lock::None).await?);
        gathered.agents = self.agents(&wanted.agents, Lock::None).await?;
        // Only an agent that was made for a task can be waiting, so that the others cost no statement.
        gathered.is_releasing =
            gathered.agents.iter().any(may_retire) && !self.tasks_to_release(1).await?.is_empty();
        gathered.keys = self.key_states(Lock::None).await?;
        for jti in &wanted.parents {
            if let Some((token, task, login, subject)) = self.joined(*jti)? {
                gathered.tokens.push(token);
                gathered.logins.extend(login);
                gathered.tasks.extend(task);
                gathered.subjects.extend(subject);
            }
        }
        let above: Vec<Key> = wanted
            .ancestors
            .iter()
            .copied()
            .filter(|jti| wanted.parents.binary_search(jti).is_err())
            .collect();
        gathered.tokens.extend(self.tokens(&above).await?);
        Ok(gathered)
    }
}

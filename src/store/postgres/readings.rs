//! Readings in as few round trips as possible: one statement, or several that are sent together.

use diesel::deserialize::{self, FromSql};
use diesel::expression::{AppearsOnTable, SelectableExpression, ValidGrouping};
use diesel::pg::{Pg, PgValue};
use diesel::query_builder::{AstPass, QueryFragment, QueryId};
use diesel::result::QueryResult;
use diesel::sql_types::{Array, BigInt, Nullable, Record, Text};
use diesel::{
    Expression, ExpressionMethods as _, JoinOnDsl as _, NullableExpressionMethods as _,
    OptionalExtension as _, QueryDsl as _, SelectableHelper as _,
};
use diesel_async::RunQueryDsl as _;

use super::Session;
use crate::store::agents::{AgentRow, Agents as _};
use crate::store::keys::Keys as _;
use crate::store::logins::{LoginRow, Logins as _};
use crate::store::readings::{Found, Gathered, Readings, Wanted};
use crate::store::rows::{Columns, Key};
use crate::store::schema::{login, subject, substr, task, token};
use crate::store::statement::{Failure, Lock};
use crate::store::subjects::{SubjectRow, Subjects as _};
use crate::store::tasks::{TaskRow, Tasks as _};
use crate::store::tokens::{TokenRow, Tokens as _};

/// A whole row as one value.
#[derive(Debug)]
struct Packed<R>(R);

impl<R: Columns> FromSql<Record<R::SqlTypes>, Pg> for Packed<R>
where
    R::Values: FromSql<Record<R::SqlTypes>, Pg>,
{
    fn from_sql(value: PgValue<'_>) -> deserialize::Result<Self> {
        R::Values::from_sql(value).map(|values| Self(R::from_values(values)))
    }
}

/// Declares a subquery of the statement about one token. Its text is constant, so that the statement is prepared
/// once for each connection.
macro_rules! subquery {
    ($(#[$doc:meta])* $name:ident: $type:ty, |$out:ident| $walk:block) => {
        $(#[$doc])*
        #[derive(Clone, Copy, Debug, QueryId, ValidGrouping)]
        struct $name;

        impl Expression for $name {
            type SqlType = $type;
        }
        impl<S> SelectableExpression<S> for $name {}
        impl<S> AppearsOnTable<S> for $name {}

        impl QueryFragment<Pg> for $name {
            fn walk_ast<'b>(&'b self, mut $out: AstPass<'_, 'b, Pg>) -> QueryResult<()> {
                $walk
                Ok(())
            }
        }
    };
}

/// `SELECT ROW(…) FROM table AS alias WHERE`
fn select_rows<R: Columns>(out: &mut AstPass<'_, '_, Pg>, alias: &'static str) -> QueryResult<()> {
    for (number, name) in R::NAMES.iter().enumerate() {
        out.push_sql(if number == 0 { "SELECT ROW(" } else { ", " });
        out.push_identifier(alias)?;
        out.push_sql(".");
        out.push_identifier(name)?;
    }
    out.push_sql(") FROM ");
    out.push_identifier(R::TABLE)?;
    out.push_sql(" AS ");
    out.push_identifier(alias)?;
    out.push_sql(" WHERE ");
    Ok(())
}

subquery! {
    /// The tokens above `token`: its path is the task, the tokens above and itself, 16 bytes each. Each is looked
    /// up by itself: for a list of unknown length the planner reads a table whole while it is small, and keeps to
    /// it when the table has grown.
    Ancestors: Array<Nullable<Record<<TokenRow as Columns>::SqlTypes>>>, |out| {
        out.push_sql("ARRAY(SELECT (");
        select_rows::<TokenRow>(&mut out, "above")?;
        out.push_sql(r#""above"."jti" = substring("token"."path" FROM 16 * "n" + 1 FOR 16)) "#);
        out.push_sql(r#"FROM generate_series(1, octet_length("token"."path") / 16 - 2) AS "n")"#);
    }
}

subquery! {
    /// The agents that `token` depends on.
    ChainAgents: Array<Nullable<Record<<AgentRow as Columns>::SqlTypes>>>, |out| {
        out.push_sql("ARRAY(SELECT (");
        select_rows::<AgentRow>(&mut out, "actor")?;
        out.push_sql(r#""actor"."id" = "named") "#);
        out.push_sql(r#"FROM unnest(string_to_array("token"."actors", ' ')) AS "named")"#);
    }
}

subquery! {
    /// The identifiers of all keys that are not revoked.
    TrustedKeys: Array<Text>, |out| {
        out.push_sql(r#"ARRAY(SELECT "key"."kid" FROM "signing_key" AS "key" WHERE "key"."revoked_at" IS NULL)"#);
    }
}

subquery! {
    /// The clock of the server in milliseconds. `now()` would be the beginning of the transaction.
    ServerClock: BigInt, |out| {
        out.push_sql("(extract(epoch FROM clock_timestamp()) * 1000)::bigint");
    }
}

subquery! {
    /// How many stops there have been.
    StopCount: BigInt, |out| {
        out.push_sql(r#"(SELECT "count"."value" FROM "meta" AS "count" WHERE "count"."name" = 'stops')"#);
    }
}

/// Those that are there.
fn there<R>(rows: Vec<Option<Packed<R>>>) -> Vec<R> {
    rows.into_iter().flatten().map(|Packed(row)| row).collect()
}

impl Readings for Session<'_> {
    async fn lineage(&mut self, jti: Key) -> Result<Option<Found>, Failure> {
        type Row = (
            TokenRow,
            Option<TaskRow>,
            Option<LoginRow>,
            Option<SubjectRow>,
            Vec<Option<Packed<TokenRow>>>,
            Vec<Option<Packed<AgentRow>>>,
            Vec<String>,
            i64,
        );
        let query = token::table
            .left_join(task::table.on(task::id.eq(substr(token::path, 1, 16))))
            .left_join(login::table.on(login::id.nullable().eq(token::login)))
            .left_join(subject::table.on(subject::reference.nullable().eq(task::subject)))
            .filter(token::jti.eq(jti))
            .select((
                TokenRow::as_select(),
                Option::<TaskRow>::as_select(),
                Option::<LoginRow>::as_select(),
                Option::<SubjectRow>::as_select(),
                Ancestors,
                ChainAgents,
                TrustedKeys,
                StopCount,
            ));
        let found: Option<Row> = query.get_result(&mut { self.0 }).await.optional()?;
        Ok(found.map(|(token, task, login, subject, ancestors, agents, trusted, stops)| Found {
            stops,
            token,
            login,
            task,
            subject,
            ancestors: there(ancestors),
            agents: there(agents),
            trusted,
        }))
    }

    async fn clock(&mut self) -> Result<Option<i64>, Failure> {
        Ok(Some(diesel::select(ServerClock).get_result(&mut { self.0 }).await?))
    }

    async fn gather(&mut self, wanted: &Wanted) -> Result<Gathered, Failure> {
        let mut tasks = [wanted.tasks.as_slice(), wanted.tasks_of_parents.as_slice()].concat();
        tasks.sort_unstable();
        tasks.dedup();
        let (subjects_of_tasks, subjects_named, agents, tasks, key_states, logins, tokens, to_release) = super::postgres!(
            all self,
            subjects_of_tasks(&tasks, Lock::Share),
            subjects_named(&wanted.names, Lock::Share),
            agents(&wanted.agents, Lock::Share),
            tasks(&tasks, Lock::Share),
            key_states(Lock::Share),
            logins(&wanted.logins),
            tokens(&wanted.ancestors),
            tasks_to_release(1),
        );
        let mut subjects = subjects_of_tasks;
        subjects.extend(subjects_named);
        let is_releasing = !to_release.is_empty();
        Ok(Gathered { subjects, agents, tasks, logins, tokens, keys: key_states, is_releasing })
    }
}

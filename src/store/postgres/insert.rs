//! Several rows by one statement whose text does not depend on their number, so that it is prepared once.

use diesel::pg::Pg;
use diesel::query_builder::{AstPass, QueryFragment, QueryId};
use diesel::result::QueryResult;

use crate::store::rows::Columns;

/// `INSERT INTO … SELECT … FROM unnest(…)`, with one array for each column.
pub(super) struct Insert<'a, R: Columns + 'a> {
    arrays: R::Arrays<'a>,
    /// What is to be done about rows that are there already; empty where that is a failure.
    conflict: &'static str,
}

impl<'a, R: Columns> Insert<'a, R> {
    pub(super) fn new(rows: &'a [R], conflict: &'static str) -> Self {
        Self { arrays: R::arrays(rows), conflict }
    }
}

impl<'a, R: Columns> QueryFragment<Pg> for Insert<'a, R>
where
    R::Arrays<'a>: QueryFragment<Pg>,
{
    fn walk_ast<'b>(&'b self, mut out: AstPass<'_, 'b, Pg>) -> QueryResult<()> {
        out.push_sql("INSERT INTO ");
        out.push_identifier(R::TABLE)?;
        for (number, name) in R::NAMES.iter().enumerate() {
            out.push_sql(if number == 0 { " (" } else { ", " });
            out.push_identifier(name)?;
        }
        out.push_sql(") SELECT * FROM unnest(");
        self.arrays.walk_ast(out.reborrow())?;
        out.push_sql(") ");
        out.push_sql(self.conflict);
        Ok(())
    }
}

impl<R: Columns> QueryId for Insert<'_, R> {
    type QueryId = ();
    // The prepared statement is found by its text, which depends on the table and on `conflict` only.
    const HAS_STATIC_QUERY_ID: bool = false;
}

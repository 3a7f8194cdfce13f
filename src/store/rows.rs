//! What the rows of all tables are made of: keys, hashes, times and ends, as both databases hold them.

use diesel::backend::Backend;
use diesel::deserialize::{self, FromSql, FromSqlRow};
use diesel::expression::AsExpression;
use diesel::serialize::{self, Output, ToSql};
use diesel::sql_types::Binary;

use super::StoreError;
use crate::base::time::Timestamp;
use crate::delegation::record::{EndReason, Ended};
use crate::oauth::{Jti, LoginId, SubjectRef, TaskId};

macro_rules! fixed {
    ($(#[$doc:meta])* $name:ident, $length:literal) => {
        $(#[$doc])*
        #[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, AsExpression, FromSqlRow)]
        #[diesel(sql_type = Binary)]
        pub(super) struct $name(pub(super) [u8; $length]);

        impl<DB: Backend> ToSql<Binary, DB> for $name
        where
            [u8]: ToSql<Binary, DB>,
        {
            fn to_sql<'b>(&'b self, out: &mut Output<'b, '_, DB>) -> serialize::Result {
                <[u8] as ToSql<Binary, DB>>::to_sql(self.0.as_slice(), out)
            }
        }

        impl<DB: Backend> FromSql<Binary, DB> for $name
        where
            Vec<u8>: FromSql<Binary, DB>,
        {
            fn from_sql(bytes: DB::RawValue<'_>) -> deserialize::Result<Self> {
                let bytes = <Vec<u8> as FromSql<Binary, DB>>::from_sql(bytes)?;
                let found = bytes.len();
                bytes.try_into().map(Self).map_err(|_| {
                    format!("{found} bytes where {} were expected", $length).into()
                })
            }
        }
    };
}

fixed! {
    /// A UUID's bytes.
    Key, 16
}
fixed! {
    /// A SHA-256.
    Hash, 32
}

macro_rules! keys {
    ($($id:ident),*) => {$(
        impl From<$id> for Key {
            fn from(id: $id) -> Self {
                Self(*id.uuid().as_bytes())
            }
        }
        impl From<Key> for $id {
            fn from(key: Key) -> Self {
                Self::new(uuid::Uuid::from_bytes(key.0))
            }
        }
    )*};
}
keys!(Jti, TaskId, LoginId, SubjectRef);

impl From<crate::oauth::RequestId> for Key {
    fn from(id: crate::oauth::RequestId) -> Self {
        Self(*id.uuid().as_bytes())
    }
}

/// A value that does not parse.
pub(super) const fn bad(table: &'static str, column: &'static str) -> StoreError {
    StoreError::Row { table, column }
}

/// When and why something ended, from its two columns; `column` is the one of the reason.
pub(super) fn ended(
    at: Option<i64>,
    why: Option<&str>,
    table: &'static str,
    column: &'static str,
) -> Result<Option<Ended>, StoreError> {
    match (at, why) {
        (None, _) => Ok(None),
        (Some(at), Some(why)) => {
            let why = EndReason::parse(why).ok_or(bad(table, column))?;
            Ok(Some(Ended { at: Timestamp::from_millis(at), why }))
        }
        (Some(_), None) => Err(bad(table, column)),
    }
}

pub(super) fn millis(at: Option<Timestamp>) -> Option<i64> {
    at.map(Timestamp::millis)
}

/// Declares the row of a table: a private struct that both backends read and write.
macro_rules! row {
    ($(#[$doc:meta])* $name:ident of $table:ident { $($field:ident: $type:ty,)* }) => {
        $(#[$doc])*
        #[derive(Clone, Debug, PartialEq, Eq, diesel::Queryable, diesel::Selectable, diesel::Insertable)]
        #[diesel(table_name = schema::$table, treat_none_as_default_value = false)]
        pub(super) struct $name { $(pub(super) $field: $type,)* }
    };
}
pub(super) use row;

//! What the rows of all tables are made of: keys, hashes, times and ends, as both databases hold them.

use diesel::IntoSql as _;
use diesel::backend::Backend;
use diesel::deserialize::{self, FromSql, FromSqlRow};
use diesel::dsl::AsExprOf;
use diesel::expression::AsExpression;
use diesel::serialize::{self, Output, ToSql};
use diesel::sql_types::{self, Binary, SqlType};

use super::StoreError;
use crate::base::time::Timestamp;
use crate::delegation::record::{EndReason, Ended};
use crate::oauth::{CertificateHash, Confirmation, Jkt, Jti, LoginId, SubjectRef, TaskId};

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
fixed! {
    /// A [`Confirmation`]: a byte for its kind, and a SHA-256.
    Cnf, 33
}

/// The kinds of a [`Cnf`].
const KEY: u8 = 1;
const CERTIFICATE: u8 = 2;

impl From<Confirmation> for Cnf {
    fn from(confirmation: Confirmation) -> Self {
        let (kind, hash) = match &confirmation {
            Confirmation::Key(key) => (KEY, key.digest()),
            Confirmation::Certificate(certificate) => (CERTIFICATE, certificate.digest()),
        };
        let mut bytes = [kind; 33];
        bytes[1..].copy_from_slice(hash);
        Self(bytes)
    }
}

impl Cnf {
    /// What it says; `table` is where it is from.
    pub(super) fn read(self, table: &'static str) -> Result<Confirmation, StoreError> {
        let [kind, hash @ ..] = self.0;
        match kind {
            KEY => Ok(Confirmation::Key(Jkt::new(hash))),
            CERTIFICATE => Ok(Confirmation::Certificate(CertificateHash::new(hash))),
            _ => Err(bad(table, "cnf")),
        }
    }
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

/// The columns of a row, as the statements that are written by hand need them.
pub(super) trait Columns: Sized {
    const TABLE: &'static str;
    const NAMES: &'static [&'static str];
    /// The SQL types of the columns, as a tuple.
    type SqlTypes;
    /// The values of the columns, as a tuple.
    type Values;
    /// One list of values for each column, as a tuple of bound arrays.
    type Arrays<'a>
    where
        Self: 'a;

    fn from_values(values: Self::Values) -> Self;
    fn arrays(rows: &[Self]) -> Self::Arrays<'_>;
}

/// The values of one column, bound as one array.
pub(super) type Array<'a, T, S> = AsExprOf<Vec<&'a T>, sql_types::Array<S>>;

/// Binds the values of one column as one array.
pub(super) fn array<'a, T, S>(values: impl Iterator<Item = &'a T>) -> Array<'a, T, S>
where
    S: SqlType + 'static,
    Vec<&'a T>: AsExpression<sql_types::Array<S>>,
{
    values.collect::<Vec<_>>().into_sql()
}

/// Declares the row of a table: a private struct that both backends read and write.
macro_rules! row {
    ($(#[$doc:meta])* $name:ident of $table:ident { $($field:ident: $type:ty,)* }) => {
        $(#[$doc])*
        #[derive(Clone, Debug, PartialEq, Eq, diesel::Queryable, diesel::Selectable, diesel::Insertable)]
        #[diesel(table_name = schema::$table, treat_none_as_default_value = false)]
        pub(super) struct $name { $(pub(super) $field: $type,)* }

        impl $crate::store::rows::Columns for $name {
            const TABLE: &'static str = stringify!($table);
            const NAMES: &'static [&'static str] = &[$(stringify!($field),)*];
            type SqlTypes = ($(diesel::dsl::SqlTypeOf<schema::$table::$field>,)*);
            type Values = ($($type,)*);
            type Arrays<'a> = ($(
                $crate::store::rows::Array<'a, $type, diesel::dsl::SqlTypeOf<schema::$table::$field>>,
            )*);

            fn from_values(($($field,)*): Self::Values) -> Self {
                Self { $($field,)* }
            }

            fn arrays(rows: &[Self]) -> Self::Arrays<'_> {
                ($(
                    $crate::store::rows::array::<_, diesel::dsl::SqlTypeOf<schema::$table::$field>>(
                        rows.iter().map(|row| &row.$field),
                    ),
                )*)
            }
        }
    };
}
pub(super) use row;

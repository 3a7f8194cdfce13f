//! What all statements have in common: how they fail, and how they lock what they read.

use super::StoreError;

/// Why a statement or a whole transaction did not go through.
#[derive(Debug)]
pub(super) enum Failure {
    /// Another writer was in the way: roll back, read again, try again.
    Conflict(String),
    /// The connection cannot be used any more.
    Lost(String),
    Store(StoreError),
}

impl From<StoreError> for Failure {
    fn from(error: StoreError) -> Self {
        Self::Store(error)
    }
}

impl From<diesel::result::Error> for Failure {
    fn from(error: diesel::result::Error) -> Self {
        use diesel::result::{DatabaseErrorKind as Kind, Error};
        let text = error.to_string();
        match &error {
            Error::DatabaseError(Kind::UniqueViolation | Kind::SerializationFailure, _) => {
                Self::Conflict(text)
            }
            Error::DatabaseError(Kind::ClosedConnection | Kind::UnableToSendCommand, _)
            | Error::BrokenTransactionManager => Self::Lost(text),
            Error::DatabaseError(_, _) if text.contains("deadlock") => Self::Conflict(text),
            // A lock was waited for as long as is reasonable, and the next transaction would wait as long.
            Error::DatabaseError(_, _)
                if text.contains("canceling statement") || text.contains("is locked") =>
            {
                Self::Lost(text)
            }
            // The server was a primary, or still is and takes no writes: another one may be behind the name by now.
            Error::DatabaseError(Kind::ReadOnlyTransaction, _) => Self::Lost(text),
            _ if text.contains("connection closed") || text.contains("communicating with the server") => {
                Self::Lost(text)
            }
            _ => Self::Store(StoreError::Database(text)),
        }
    }
}

impl From<Failure> for StoreError {
    fn from(failure: Failure) -> Self {
        match failure {
            Failure::Conflict(text) | Failure::Lost(text) => Self::Database(text),
            Failure::Store(error) => error,
        }
    }
}

pub(super) type Rows<T> = Result<Vec<T>, Failure>;
pub(super) type Done = Result<(), Failure>;

/// How rows that a decision rests on are kept as they are until the commit. SQLite has one writer and
/// needs none of it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Lock {
    None,
    /// Others may read and share; nobody may change.
    Share,
    /// About to be changed.
    Update,
}

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

impl Failure {
    /// What failed, without the word that every failure of a database is told with, so that it is said once.
    pub(super) fn text(self) -> String {
        match self {
            Self::Conflict(text) | Self::Lost(text) | Self::Store(StoreError::Database(text)) => text,
            Self::Store(error) => error.to_string(),
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_failure_that_is_passed_on_says_once_that_it_is_of_the_database() {
        let full = || Failure::from(StoreError::Database("the disk is full".to_owned()));
        for failure in
            [full(), Failure::Lost(full().text()), Failure::Conflict(Failure::Lost(full().text()).text())]
        {
            assert_eq!(StoreError::from(failure).to_string(), "database: the disk is full");
        }
        assert!(Failure::from(StoreError::Behind).text().starts_with("the database is behind"));
    }
}

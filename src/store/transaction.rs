//! Everything that one connection can be asked, divided by what the store keeps.

use super::agents::Agents;
use super::audit::AuditRows;
use super::keys::Keys;
use super::logins::Logins;
use super::numbers::Numbers;
use super::one_time::OneTimeUses;
use super::parties::Parties;
use super::statement::Done;
use super::subjects::Subjects;
use super::tasks::Tasks;
use super::tokens::Tokens;

/// One connection, inside or outside a transaction. Keys are given sorted, so that locks are taken in
/// one order.
pub(super) trait Transaction:
    Subjects + Agents + Tasks + Logins + Tokens + OneTimeUses + Keys + Parties + Numbers + AuditRows
{
    /// Whether rows are locked, so that what was read before a lock must be read again.
    const LOCKS: bool;

    async fn begin(&mut self) -> Done;
    async fn commit(&mut self) -> Done;
    async fn rollback(&mut self) -> Done;
}

/// Implements [`Transaction`] and all that it consists of for a session type. `$db` is a macro of the backend
/// that runs queries; it hides the three ways in which the backends differ: whether a result is awaited, how
/// many rows one statement reads or writes (SQLite repeats a prepared one, PostgreSQL takes arrays and several
/// rows at once), and row locks.
macro_rules! transaction {
    ($session:ident, $db:ident) => {
        $crate::store::subjects::subjects!($session, $db);
        $crate::store::agents::agents!($session, $db);
        $crate::store::tasks::tasks!($session, $db);
        $crate::store::logins::logins!($session, $db);
        $crate::store::tokens::tokens!($session, $db);
        $crate::store::one_time::one_time!($session, $db);
        $crate::store::keys::keys!($session, $db);
        $crate::store::parties::parties!($session, $db);
        $crate::store::numbers::numbers!($session, $db);
        $crate::store::audit::audit!($session, $db);

        impl $crate::store::transaction::Transaction for $session<'_> {
            const LOCKS: bool = $db!(locks);

            async fn begin(&mut self) -> $crate::store::statement::Done {
                $db!(begin self)
            }
            async fn commit(&mut self) -> $crate::store::statement::Done {
                $db!(batch self, "COMMIT")
            }
            async fn rollback(&mut self) -> $crate::store::statement::Done {
                $db!(batch self, "ROLLBACK")
            }
        }
    };
}
pub(super) use transaction;

//! Everything that one connection can be asked, divided by what the store keeps.

use super::agents::Agents;
use super::audit::{AuditColumns, AuditRows};
use super::keys::Keys;
use super::ledger::Writes;
use super::logins::Logins;
use super::numbers::Numbers;
use super::one_time::OneTimeUses;
use super::parties::Parties;
use super::readings::Readings;
use super::rows::Hash;
use super::statement::{Done, Rows};
use super::subjects::Subjects;
use super::tasks::Tasks;
use super::tokens::Tokens;

/// One connection, inside or outside a transaction. Keys are given sorted, so that locks are taken in
/// one order.
pub(super) trait Transaction:
    Subjects + Agents + Tasks + Logins + Tokens + OneTimeUses + Keys + Parties + Numbers + AuditRows + Readings
{
    /// Whether rows are locked, so that what was read before a lock must be read again.
    const LOCKS: bool;

    /// Begins a transaction.
    async fn begin(&mut self) -> Done;
    /// Begins a transaction; which of these one-time uses are recorded already.
    async fn begin_with(&mut self, uses: &[Hash]) -> Rows<Hash>;
    /// Inserts all that a group came to.
    async fn insert_all(&mut self, writes: &Writes, audit: &[AuditColumns]) -> Done;
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

        const _: () = {
            use $crate::store::agents::Agents as _;
            use $crate::store::audit::{AuditColumns, AuditRows as _};
            use $crate::store::ledger::Writes;
            use $crate::store::logins::Logins as _;
            use $crate::store::one_time::OneTimeUses as _;
            use $crate::store::rows::Hash;
            use $crate::store::statement::{Done, Rows};
            use $crate::store::subjects::Subjects as _;
            use $crate::store::tasks::Tasks as _;
            use $crate::store::tokens::Tokens as _;
            use $crate::store::transaction::Transaction;

            impl Transaction for $session<'_> {
                const LOCKS: bool = $db!(locks);

                async fn begin(&mut self) -> Done {
                    $db!(begin self)
                }
                async fn begin_with(&mut self, uses: &[Hash]) -> Rows<Hash> {
                    let ((), known) = $db!(all self, begin(), used_before(uses));
                    Ok(known)
                }
                async fn insert_all(&mut self, writes: &Writes, audit: &[AuditColumns]) -> Done {
                    let _: ((), (), (), (), (), (), (), (), ()) = $db!(
                        all self,
                        insert_subjects(&writes.subjects),
                        insert_agents(&writes.agents),
                        insert_tasks(&writes.tasks),
                        insert_logins(&writes.logins),
                        insert_answers(&writes.answers),
                        open_engagements(&writes.engagements),
                        insert_tokens(&writes.tokens),
                        insert_uses(&writes.one_time),
                        insert_audit(audit),
                    );
                    Ok(())
                }
                async fn commit(&mut self) -> Done {
                    $db!(batch self, "COMMIT")
                }
                async fn rollback(&mut self) -> Done {
                    $db!(batch self, "ROLLBACK")
                }
            }
        };
    };
}
pub(super) use transaction;

//! Everything that one connection can be asked, divided by what the store keeps.

use super::agents::Agents;
use super::audit::{AuditColumns, AuditRows};
use super::keys::Keys;
use super::ledger::Writes;
use super::logins::{LoginRow, Logins};
use super::numbers::Numbers;
use super::one_time::OneTimeUses;
use super::parties::Parties;
use super::readings::Readings;
use super::rows::{Hash, Key};
use super::statement::{Done, Failure};
use super::subjects::Subjects;
use super::tasks::Tasks;
use super::tokens::{Range, Tokens};

/// One connection, inside or outside a transaction. Keys are given sorted, so that locks are taken in
/// one order.
pub(super) trait Transaction:
    Subjects + Agents + Tasks + Logins + Tokens + OneTimeUses + Keys + Parties + Numbers + AuditRows + Readings
{
    /// Whether rows are locked.
    const LOCKS: bool;

    /// Begins a transaction.
    async fn begin(&mut self) -> Done;
    /// Begins a transaction. Gives those of the one-time uses that are recorded already, and the logins that
    /// the login tokens made.
    async fn begin_with(
        &mut self,
        uses: &[Hash],
        id_tokens: &[Hash],
    ) -> Result<(Vec<Hash>, Vec<LoginRow>), Failure>;
    /// Inserts all that a group came to.
    async fn insert_all(&mut self, writes: &Writes, audit: &[AuditColumns]) -> Done;
    /// Revokes the tokens of a range that are not revoked: how many were live at `at`, and how many are revoked.
    async fn revoke(&mut self, range: &Range, at: i64, why: &str) -> Result<(u64, u64), Failure>;
    /// Ends a task that is locked, with its tokens, engagements and answers: how many tokens were live at `at`.
    async fn end(&mut self, task: Key, at: i64, why: &str) -> Result<u64, Failure>;
    async fn commit(&mut self) -> Done;
    async fn rollback(&mut self) -> Done;
}

/// Implements [`Transaction`] and all that it consists of for a session type. `$db` is a macro of the backend
/// that runs queries; it hides the ways in which the backends differ: whether a result is awaited, how many
/// rows one statement reads or writes (SQLite repeats a prepared one, PostgreSQL takes arrays), whether several
/// statements are sent together, and row locks.
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
            use $crate::store::logins::{LoginRow, Logins as _};
            use $crate::store::one_time::OneTimeUses as _;
            use $crate::store::rows::{Hash, Key};
            use $crate::store::statement::{Done, Failure};
            use $crate::store::subjects::Subjects as _;
            use $crate::store::tasks::Tasks as _;
            use $crate::store::tokens::{Range, Tokens as _};
            use $crate::store::transaction::Transaction;

            impl Transaction for $session<'_> {
                const LOCKS: bool = $db!(locks);

                async fn begin(&mut self) -> Done {
                    $db!(begin self)
                }
                async fn begin_with(
                    &mut self,
                    uses: &[Hash],
                    id_tokens: &[Hash],
                ) -> Result<(Vec<Hash>, Vec<LoginRow>), Failure> {
                    let ((), known, logins) =
                        $db!(all self, begin(), used_before(uses), logins_of_id_tokens(id_tokens));
                    Ok((known, logins))
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
                async fn revoke(&mut self, range: &Range, at: i64, why: &str) -> Result<(u64, u64), Failure> {
                    Ok($db!(all self, count_live(range, at), revoke_range(range, at, why)))
                }
                async fn end(&mut self, task: Key, at: i64, why: &str) -> Result<u64, Failure> {
                    let range = Range::below(&task.0);
                    let ((), (died, _), (), ()) = $db!(
                        all self,
                        end_task(task, at, why),
                        revoke(&range, at, why),
                        end_engagements_in(task, at),
                        delete_answers_of_task(task),
                    );
                    Ok(died)
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

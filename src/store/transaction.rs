//! Everything that one connection can be asked, divided by what the store keeps.

use super::agents::Agents;
use super::audit::{AuditColumns, AuditRows};
use super::census::Census;
use super::keys::Keys;
use super::ledger::Writes;
use super::logins::{LoginRow, Logins};
use super::numbers::Numbers;
use super::one_time::OneTimeUses;
use super::parties::Parties;
use super::pins::{PinRow, Pins};
use super::profiles::Profiles;
use super::readings::Readings;
use super::rows::{Hash, Key};
use super::statement::{Done, Failure};
use super::stops::StopRows;
use super::subjects::Subjects;
use super::tasks::{End, Tasks};
use super::tokens::Tokens;
use crate::base::time::Timestamp;
use crate::delegation::stops::StopNumber;

/// What a transaction finds when it begins.
#[derive(Debug)]
pub(super) struct Beginning {
    /// How many stops there have been.
    pub(super) number: StopNumber,
    /// Those of the one-time uses that are recorded already.
    pub(super) used: Vec<Hash>,
    /// The logins that the login tokens made.
    pub(super) logins: Vec<LoginRow>,
    /// The keys that the credentials are pinned to.
    pub(super) pins: Vec<PinRow>,
    /// What the clock of the database server shows, where there is one.
    pub(super) clock: Option<Timestamp>,
}

/// One connection, inside or outside a transaction. Keys are given sorted, so that locks are taken in
/// one order.
pub(super) trait Transaction:
    Subjects
    + Agents
    + Tasks
    + Logins
    + Tokens
    + OneTimeUses
    + Pins
    + Keys
    + Parties
    + Profiles
    + StopRows
    + Numbers
    + Census
    + AuditRows
    + Readings
{
    /// Whether rows are locked.
    const LOCKS: bool;

    /// Begins a transaction.
    async fn begin(&mut self) -> Done;
    /// Begins a transaction by reading how many stops there have been, or by raising that number where `has_stops`.
    async fn begin_with(
        &mut self,
        has_stops: bool,
        uses: &[Hash],
        id_tokens: &[Hash],
        credentials: &[Hash],
    ) -> Result<Beginning, Failure>;
    /// How many stops there have been, with those of this transaction.
    async fn count_stops(&mut self, has_stops: bool) -> Result<StopNumber, Failure>;
    /// Inserts all that a group came to.
    async fn insert_all(&mut self, writes: &Writes, audit: &[AuditColumns]) -> Done;
    /// Ends tasks that are locked, with the engagements of these agents and their answers.
    async fn end(&mut self, tasks: &[Key], agents: &[String], end: &End<'_>) -> Done;
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
        $crate::store::pins::pins!($session, $db);
        $crate::store::keys::keys!($session, $db);
        $crate::store::parties::parties!($session, $db);
        $crate::store::profiles::profiles!($session, $db);
        $crate::store::stops::stops!($session, $db);
        $crate::store::numbers::numbers!($session, $db);
        $crate::store::census::census!($session, $db);
        $crate::store::audit::audit!($session, $db);

        const _: () = {
            use $crate::base::time::Timestamp;
            use $crate::delegation::stops::StopNumber;
            use $crate::store::agents::Agents as _;
            use $crate::store::audit::{AuditColumns, AuditRows as _};
            use $crate::store::ledger::Writes;
            use $crate::store::logins::Logins as _;
            use $crate::store::numbers::Numbers as _;
            use $crate::store::one_time::OneTimeUses as _;
            use $crate::store::pins::Pins as _;
            use $crate::store::readings::Readings as _;
            use $crate::store::rows::{Hash, Key};
            use $crate::store::statement::{Done, Failure};
            use $crate::store::stops::STOP_COUNTER;
            use $crate::store::subjects::Subjects as _;
            use $crate::store::tasks::{End, Tasks as _};
            use $crate::store::tokens::Tokens as _;
            use $crate::store::transaction::{Beginning, Transaction};

            impl Transaction for $session<'_> {
                const LOCKS: bool = $db!(locks);

                async fn begin(&mut self) -> Done {
                    $db!(begin self)
                }
                async fn begin_with(
                    &mut self,
                    has_stops: bool,
                    uses: &[Hash],
                    id_tokens: &[Hash],
                    credentials: &[Hash],
                ) -> Result<Beginning, Failure> {
                    let ((), number, used, logins, pins, clock) = $db!(
                        all self,
                        begin(),
                        count_stops(has_stops),
                        used_before(uses),
                        logins_of_id_tokens(id_tokens),
                        pins(credentials),
                        clock(),
                    );
                    let clock = clock.map(Timestamp::from_millis);
                    Ok(Beginning { number, used, logins, pins, clock })
                }
                async fn count_stops(&mut self, has_stops: bool) -> Result<StopNumber, Failure> {
                    let number = match has_stops {
                        true => self.raise(STOP_COUNTER).await?,
                        false => self.number(STOP_COUNTER).await?.unwrap_or(0),
                    };
                    Ok(StopNumber::new(number))
                }
                async fn insert_all(&mut self, writes: &Writes, audit: &[AuditColumns]) -> Done {
                    let _: ((), (), (), (), (), (), (), (), (), ()) = $db!(
                        all self,
                        insert_subjects(&writes.subjects),
                        insert_agents(&writes.agents),
                        insert_tasks(&writes.tasks),
                        insert_logins(&writes.logins),
                        insert_answers(&writes.answers),
                        open_engagements(&writes.engagements),
                        insert_tokens(&writes.tokens),
                        insert_uses(&writes.one_time),
                        insert_pins(&writes.pins),
                        insert_audit(audit),
                    );
                    Ok(())
                }
                async fn end(&mut self, tasks: &[Key], agents: &[String], end: &End<'_>) -> Done {
                    let ((), (), ()) = $db!(
                        all self,
                        end_tasks(tasks, end),
                        end_engagements(tasks, agents, end.at),
                        delete_answers_of_tasks(tasks),
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

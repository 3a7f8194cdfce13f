//! Stops: one row for each party that was ever stopped, the counter that numbers them, and what this process knows
//! of them.

use std::sync::Arc;

use arc_swap::ArcSwap;

use super::read::StopFound;
use super::rows::{Key, bad, row};
use super::statement::{Done, Failure, Lock, Rows};
use super::transaction::Transaction;
use super::{StoreError, schema};
use crate::base::time::Timestamp;
use crate::delegation::record::{Agent, EndReason};
use crate::delegation::stops::{Stop, StopKind, StopNumber, Stoppable, Stops, workload_names};
use crate::oauth::Digest;

/// The name of the counter that numbers stops and lifts.
pub(super) const STOP_COUNTER: &str = "stops";

row! {
    /// The last stop of a party, or its lift. `place` is the last task that was ended for it; it is absent where there
    /// is nothing to end, or nothing left.
    StopRow of stop {
        kind: String,
        id: String,
        number: i64,
        at: i64,
        stands: bool,
        not_before: Option<i64>,
        why: String,
        place: Option<Key>,
    }
}

impl StopRow {
    pub(super) fn party(&self) -> Result<Stoppable, StoreError> {
        let kind = StopKind::parse(&self.kind).ok_or(bad("stop", "kind"))?;
        Stoppable::parse(kind, &self.id).ok_or(bad("stop", "id"))
    }

    pub(super) const fn stop(&self) -> Stop {
        let not_before = match self.not_before {
            Some(millis) => Some(Timestamp::from_millis(millis)),
            None => None,
        };
        Stop { number: StopNumber::new(self.number), stands: self.stands, not_before }
    }

    pub(super) fn found(&self) -> Result<StopFound, StoreError> {
        Ok(StopFound {
            party: self.party()?,
            stop: self.stop(),
            at: Timestamp::from_millis(self.at),
            why: self.why()?,
            is_unfinished: self.place.is_some(),
        })
    }

    pub(super) fn why(&self) -> Result<EndReason, StoreError> {
        EndReason::parse(&self.why).ok_or(bad("stop", "why"))
    }
}

/// The first place of a walk: before every task.
pub(super) const BEGINNING: Key = Key([0; 16]);

pub(super) trait StopRows {
    async fn stop(&mut self, kind: &str, id: &str, lock: Lock) -> Rows<StopRow>;
    /// The stops of all parties that are configured, or were.
    async fn stops_of_parties(&mut self) -> Rows<StopRow>;
    /// One stop of a kind that is looked up by name.
    async fn any_named_stop(&mut self) -> Rows<String>;
    async fn stops_named(&mut self, kind: &str, ids: &[String]) -> Rows<StopRow>;
    async fn put_stop(&mut self, row: &StopRow) -> Done;
    /// The oldest stops whose tasks have not all been ended, at most `limit`.
    async fn unfinished_stops(&mut self, limit: i64) -> Rows<StopRow>;
    async fn move_stop(&mut self, row: &StopRow, place: Option<Key>) -> Done;
    /// The newest stops, at most `limit`.
    async fn newest_stops(&mut self, limit: i64) -> Rows<StopRow>;
}

/// Implements [`StopRows`] for a session type; `$db` runs its queries.
macro_rules! stops {
    ($session:ident, $db:ident) => {
        const _: () = {
            use diesel::{
                BoolExpressionMethods as _, ExpressionMethods as _, QueryDsl as _, SelectableHelper as _,
            };
            use $crate::store::rows::Key;
            use $crate::store::schema::stop;
            use $crate::store::statement::{Done, Lock, Rows};
            use $crate::store::stops::{StopRow, StopRows};

            /// The kinds that are looked up by name, or that carry their own stop.
            const NOT_IN_MEMORY: [&str; 4] = ["user", "session", "agent", "workload"];
            const LOOKED_UP: [&str; 2] = ["session", "workload"];

            impl StopRows for $session<'_> {
                async fn stop(&mut self, kind: &str, id: &str, lock: Lock) -> Rows<StopRow> {
                    let query = stop::table
                        .filter(stop::kind.eq(kind).and(stop::id.eq(id)))
                        .select(StopRow::as_select());
                    Ok($db!(locked self, query, lock))
                }
                async fn stops_of_parties(&mut self) -> Rows<StopRow> {
                    let query =
                        stop::table.filter(stop::kind.ne_all(NOT_IN_MEMORY)).select(StopRow::as_select());
                    Ok($db!(load self, query)?)
                }
                async fn any_named_stop(&mut self) -> Rows<String> {
                    let query = stop::table.filter(stop::kind.eq_any(LOOKED_UP)).limit(1).select(stop::kind);
                    Ok($db!(load self, query)?)
                }
                async fn stops_named(&mut self, kind: &str, ids: &[String]) -> Rows<StopRow> {
                    if ids.is_empty() {
                        return Ok(Vec::new());
                    }
                    let query = stop::table
                        .filter(stop::kind.eq(kind).and(stop::id.eq_any(ids)))
                        .select(StopRow::as_select());
                    Ok($db!(load self, query)?)
                }
                async fn put_stop(&mut self, row: &StopRow) -> Done {
                    $db!(execute self,
                        diesel::insert_into(stop::table)
                            .values(row)
                            .on_conflict((stop::kind, stop::id))
                            .do_update()
                            .set((
                                stop::number.eq(row.number),
                                stop::at.eq(row.at),
                                stop::stands.eq(row.stands),
                                stop::not_before.eq(row.not_before),
                                stop::why.eq(&row.why),
                                stop::place.eq(row.place),
                            ))
                    )?;
                    Ok(())
                }
                async fn unfinished_stops(&mut self, limit: i64) -> Rows<StopRow> {
                    let query = stop::table
                        .filter(stop::place.is_not_null())
                        .order(stop::number)
                        .limit(limit)
                        .select(StopRow::as_select());
                    Ok($db!(load self, query)?)
                }
                async fn move_stop(&mut self, row: &StopRow, place: Option<Key>) -> Done {
                    // A later stop of the same party begins its walk anew, and is not to be moved by this one.
                    let same = stop::table.find((&row.kind, &row.id)).filter(stop::number.eq(row.number));
                    $db!(execute self, diesel::update(same).set(stop::place.eq(place)))?;
                    Ok(())
                }
                async fn newest_stops(&mut self, limit: i64) -> Rows<StopRow> {
                    let query = stop::table
                        .order((stop::number.desc(), stop::kind, stop::id))
                        .limit(limit)
                        .select(StopRow::as_select());
                    Ok($db!(load self, query)?)
                }
            }
        };
    };
}
pub(super) use stops;

/// The stops that this process knows, as of one number.
#[derive(Clone, Debug, Default)]
pub(super) struct Known {
    pub(super) number: StopNumber,
    parties: Stops,
    /// Whether any session or workload was ever stopped, so that stops are to be looked up by name.
    has_named: bool,
}

/// What this process knows of the stops. It is read again whenever a reading finds a higher number.
#[derive(Debug, Default)]
pub(super) struct Memory(ArcSwap<Known>);

impl Memory {
    pub(super) fn known(&self) -> Arc<Known> {
        self.0.load_full()
    }

    /// Remembers what was read, unless something newer is known.
    pub(super) fn remember(&self, read: &Arc<Known>) {
        self.0.rcu(|known| if known.number < read.number { Arc::clone(read) } else { Arc::clone(known) });
    }

    /// Whether a stop of a configured party stands.
    pub(super) fn stands(&self, party: &Stoppable) -> bool {
        self.0.load().parties.of(party).is_some_and(|stop| stop.stands)
    }
}

impl Known {
    /// These, or what the database has if `number` is higher: a reading that was begun by them found that number.
    ///
    /// # Errors
    /// [`StoreError::Behind`]: the database has forgotten stops that this process has seen.
    pub(super) async fn up_to<S: Transaction>(
        self: Arc<Self>,
        session: &mut S,
        number: StopNumber,
    ) -> Result<Arc<Self>, Failure> {
        if number < self.number {
            return Err(StoreError::Behind.into());
        }
        if number == self.number {
            return Ok(self);
        }
        let rows = session.stops_of_parties().await?;
        let has_named = !session.any_named_stop().await?.is_empty();
        Ok(Arc::new(Self { number, parties: read(rows)?.into_iter().collect(), has_named }))
    }

    /// The stops of all configured parties, and of these sessions and of the workloads of these agents.
    pub(super) async fn about<S: Transaction>(
        &self,
        session: &mut S,
        sessions: impl Iterator<Item = Digest>,
        agents: impl Iterator<Item = &Agent>,
    ) -> Result<Stops, Failure> {
        let mut stops = self.parties.clone();
        if self.has_named {
            let mut sessions: Vec<String> = sessions.map(|hash| Stoppable::Session(hash).name()).collect();
            let mut workloads: Vec<String> = agents
                .flat_map(|agent| workload_names(&agent.provenance))
                .filter(|party| party.kind() == StopKind::Workload)
                .map(|party| party.name())
                .collect();
            for names in [&mut sessions, &mut workloads] {
                names.sort_unstable();
                names.dedup();
            }
            stops.add(read(session.stops_named(StopKind::Session.word(), &sessions).await?)?);
            stops.add(read(session.stops_named(StopKind::Workload.word(), &workloads).await?)?);
        }
        Ok(stops)
    }
}

fn read(rows: Vec<StopRow>) -> Result<Vec<(Stoppable, Stop)>, StoreError> {
    rows.into_iter().map(|row| Ok((row.party()?, row.stop()))).collect()
}

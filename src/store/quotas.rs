//! How many agents this node created of late, and how many live there are, for the quotas of workload issuers and
//! classes. The count of those that live is taken now and then; what this node has created since is added to it.

use std::collections::{HashMap, VecDeque};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use arc_swap::ArcSwap;

use super::census::LiveAgents;
use crate::base::time::{Lifetime, Timestamp};
use crate::delegation::quota::AgentQuotas;
use crate::oauth::Issuer;
use crate::registry::Quotas;

/// The time in which new agents are counted.
const MINUTE: Lifetime = Lifetime::from_seconds(60);
/// How often those that live are counted. A caller that finds too many of them tries again after that time.
pub const COUNT_EVERY: Lifetime = Lifetime::from_seconds(15);

/// Whose agents are counted: those of a workload issuer, or those of one of its classes.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(super) struct Kind {
    issuer: Issuer,
    class: Option<String>,
}

/// The agents that are not over, as they were counted.
#[derive(Debug, Default)]
struct Live {
    of: HashMap<Kind, u64>,
    /// How many this node had created when the count began. Those that it created since are added to the count.
    before: Created,
}

/// How many agents this node has created of each kind since it started.
pub(super) type Created = HashMap<Kind, u64>;

/// The agents of one kind that this node has created.
#[derive(Debug, Default)]
struct Born {
    /// When those of the last minute were, oldest first.
    times: VecDeque<Timestamp>,
    total: u64,
}

/// An agent that is created, of a kind that has quotas.
#[derive(Clone, Debug)]
pub(super) struct Birth {
    quotas: AgentQuotas,
    at: Timestamp,
}

/// What this node knows of the agents that quotas are about.
#[derive(Debug, Default)]
pub(super) struct QuotaCounts {
    live: ArcSwap<Live>,
    born: Mutex<HashMap<Kind, Born>>,
}

impl QuotaCounts {
    /// Whether one more agent may be created, besides those that the same transaction creates.
    ///
    /// # Errors
    /// A quota is used up: in how many seconds there may be place for another.
    pub(super) fn judge(
        &self,
        quotas: &AgentQuotas,
        pending: &[Birth],
        now: Timestamp,
    ) -> Result<Birth, i64> {
        let (live, born) = (self.live.load(), self.born());
        let birth = Birth { quotas: quotas.clone(), at: now };
        for (kind, limits) in birth.kinds() {
            let pending = pending.iter().flat_map(Birth::kinds).filter(|(other, _)| *other == kind).count();
            let born = born.get(&kind);
            let minute_ago = now.minus(MINUTE);
            let times = born.map(|born| &born.times);
            let first = times.map_or(0, |times| times.partition_point(|at| *at <= minute_ago));
            let in_a_minute = times.map_or(0, |times| times.len() - first);
            if limits.new_per_minute.is_some_and(|most| in_a_minute + pending >= most as usize) {
                let oldest = times.and_then(|times| times.get(first));
                let free_at = oldest.copied().unwrap_or(now).plus(MINUTE);
                return Err((free_at.seconds() - now.seconds()).max(1));
            }
            let counted = live.of.get(&kind).copied().unwrap_or(0);
            let total = born.map_or(0, |born| born.total);
            let since = total.saturating_sub(live.before.get(&kind).copied().unwrap_or(0));
            let known = counted + since + pending as u64;
            if limits.live.is_some_and(|most| known >= u64::from(most)) {
                return Err(i64::from(COUNT_EVERY.seconds()));
            }
        }
        Ok(birth)
    }

    /// Remembers agents that were created, once that is committed.
    pub(super) fn note(&self, births: &[Birth]) {
        if births.is_empty() {
            return;
        }
        let mut born = self.born();
        for birth in births {
            for (kind, _) in birth.kinds() {
                let born = born.entry(kind).or_default();
                born.total += 1;
                let times = &mut born.times;
                let at = times.back().copied().unwrap_or(birth.at).max(birth.at);
                let begin = at.minus(MINUTE);
                while times.front().is_some_and(|oldest| *oldest <= begin) {
                    times.pop_front();
                }
                times.push_back(at);
            }
        }
    }

    /// What this node has created so far, to be taken before the agents are counted: one that is created while they are
    /// counted may be missing in the count, and is added to it.
    pub(super) fn created(&self) -> Created {
        self.born().iter().map(|(kind, born)| (kind.clone(), born.total)).collect()
    }

    /// Takes a new count of the agents that are not over, by workload issuer and class; `before` is what this node had
    /// created when the count began.
    pub(super) fn put_live(&self, counted: &[LiveAgents], before: Created) {
        let mut of: HashMap<Kind, u64> = HashMap::new();
        for LiveAgents { issuer, class, count } in counted {
            // A client's own agent has no issuer, and no quota.
            let Some(issuer) = issuer else { continue };
            *of.entry(Kind { issuer: issuer.clone(), class: None }).or_default() += count;
            of.insert(Kind { issuer: issuer.clone(), class: Some(class.clone()) }, *count);
        }
        self.live.store(Arc::new(Live { of, before }));
    }

    fn born(&self) -> MutexGuard<'_, HashMap<Kind, Born>> {
        self.born.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Birth {
    fn kinds(&self) -> impl Iterator<Item = (Kind, Quotas)> {
        let AgentQuotas { issuer, of_issuer, class, of_class } = &self.quotas;
        let of_issuer = (Kind { issuer: issuer.clone(), class: None }, *of_issuer);
        let of_class = (Kind { issuer: issuer.clone(), class: Some(class.clone()) }, *of_class);
        [of_issuer, of_class].into_iter().filter(|(_, quotas)| !quotas.is_empty())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const START: Timestamp = Timestamp::from_seconds(1_800_000_000);

    fn quotas(of_issuer: Quotas, class: &str, of_class: Quotas) -> AgentQuotas {
        let issuer = Issuer::new("https://workloads.example");
        AgentQuotas { issuer, of_issuer, class: class.to_owned(), of_class }
    }

    const fn new(most: u32) -> Quotas {
        Quotas { new_per_minute: Some(most), live: None }
    }

    const fn live(most: u32) -> Quotas {
        Quotas { new_per_minute: None, live: Some(most) }
    }

    fn after(seconds: u32) -> Timestamp {
        START.plus(Lifetime::from_seconds(seconds))
    }

    /// Creates an agent in a transaction of its own, or says when another may be created.
    fn create(counts: &QuotaCounts, quotas: &AgentQuotas, now: Timestamp) -> Result<(), i64> {
        counts.judge(quotas, &[], now).map(|birth| counts.note(&[birth]))
    }

    #[test]
    fn as_many_are_created_in_any_minute() {
        let (counts, quotas) = (QuotaCounts::default(), quotas(new(2), "a", Quotas::default()));
        assert_eq!(create(&counts, &quotas, after(0)), Ok(()));
        assert_eq!(create(&counts, &quotas, after(50)), Ok(()));
        assert_eq!(create(&counts, &quotas, after(59)), Err(1));
        assert_eq!(create(&counts, &quotas, after(60)), Ok(()), "the first is a minute old");
        assert_eq!(create(&counts, &quotas, after(61)), Err(49), "until the second is");
    }

    #[test]
    fn those_of_one_transaction_count_before_it_is_committed_and_not_after_it_failed() {
        let (counts, quotas) = (QuotaCounts::default(), quotas(new(1), "a", Quotas::default()));
        let birth = counts.judge(&quotas, &[], START).unwrap();
        assert_eq!(counts.judge(&quotas, &[birth], START).map(drop), Err(60));
        assert_eq!(create(&counts, &quotas, START), Ok(()), "the transaction was not committed");
    }

    #[test]
    fn a_class_and_its_issuer_are_counted_apart() {
        let counts = QuotaCounts::default();
        let (one, other) = (quotas(new(3), "one", new(1)), quotas(new(3), "other", Quotas::default()));
        assert_eq!(create(&counts, &one, START), Ok(()));
        assert_eq!(create(&counts, &one, START), Err(60), "the class has its one");
        assert_eq!(create(&counts, &other, START), Ok(()));
        assert_eq!(create(&counts, &other, START), Ok(()));
        assert_eq!(create(&counts, &other, START), Err(60), "the issuer has its three");
    }

    #[test]
    fn what_was_created_since_the_count_is_added_to_it() {
        let (counts, quotas) = (QuotaCounts::default(), quotas(live(3), "a", Quotas::default()));
        let put = |count: u64, before| {
            let (issuer, class) = (Some(quotas.issuer.clone()), "a".to_owned());
            counts.put_live(&[LiveAgents { issuer, class, count }], before);
        };
        put(2, counts.created());
        assert_eq!(create(&counts, &quotas, after(1)), Ok(()));
        assert_eq!(create(&counts, &quotas, after(2)), Err(15));
        put(3, counts.created());
        assert_eq!(create(&counts, &quotas, after(16)), Err(15), "the new one is in the count now");
        put(1, counts.created());
        assert_eq!(create(&counts, &quotas, after(31)), Ok(()), "two have ended");
    }

    #[test]
    fn what_is_created_during_the_count_is_added_to_it_whatever_its_time() {
        let (counts, quotas) = (QuotaCounts::default(), quotas(live(3), "a", Quotas::default()));
        let before = counts.created();
        // It is judged before the count ends, and its time is before that of the count.
        assert_eq!(create(&counts, &quotas, after(0)), Ok(()));
        let (issuer, class) = (Some(quotas.issuer.clone()), "a".to_owned());
        counts.put_live(&[LiveAgents { issuer, class, count: 2 }], before);
        assert_eq!(create(&counts, &quotas, after(5)), Err(15));
    }
}

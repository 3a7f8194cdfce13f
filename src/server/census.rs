//! What is counted or looked at for operators now and then: how much of what is on record is live, what the writer has
//! before it, how old the keys of others are.

use std::collections::{BTreeMap, BTreeSet};

use crate::app::{App, Failure};
use crate::delegation::actor::CLIENT_CLASS;

/// The label of agents whose class is no longer configured.
const OTHER: &str = "other";

/// Counts the tasks and the agents that are live, for the metrics, and for the quotas that limit how many agents live.
///
/// # Errors
/// The store.
pub async fn count_live(app: &App) -> Result<(), Failure> {
    let tasks = app.store.live_tasks().await?;
    let agents = app.store.count_live_agents().await?;
    let config = app.config.load();
    let issuers = config.registry.workload_issuers.values();
    let classes: BTreeSet<&str> =
        issuers.flat_map(|issuer| &issuer.classes).map(|class| class.name.as_str()).collect();
    let mut counts: BTreeMap<&str, u64> = classes.iter().map(|class| (*class, 0)).collect();
    counts.insert(CLIENT_CLASS, 0);
    for found in &agents {
        let is_known = found.issuer.is_none() || classes.contains(found.class.as_str());
        *counts.entry(if is_known { found.class.as_str() } else { OTHER }).or_default() += found.count;
    }
    app.metrics.live_tasks.set(number(tasks));
    // A class that left the configuration leaves the metrics.
    app.metrics.live_agents.reset();
    for (class, count) in counts {
        app.metrics.live_agents.with_label_values(&[class]).set(number(count));
    }
    Ok(())
}

fn number(count: u64) -> i64 {
    i64::try_from(count).unwrap_or(i64::MAX)
}

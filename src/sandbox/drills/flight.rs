//! A token is revoked while it is in use: how long until it is dead everywhere.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use super::super::agents::{Assistant, DeputyClient};
use super::super::stage::Stage;
use super::super::tickets::TARGET;
use super::Drill;

/// Calls that go on at once.
const CALLERS: usize = 4;
/// How long the token is used before it is revoked, and after.
const AROUND: Duration = Duration::from_millis(150);

/// A caller gives up after so many refusals: all of them together stay below what Deputy lets a resource
/// server ask in vain a minute (`limits.unknown_tokens_per_minute`).
const GIVES_UP_AFTER: usize = 50;

/// One use of the token.
struct Use {
    started: Instant,
    ended: Instant,
    status: u16,
}

pub async fn play(stage: &mut Stage) -> anyhow::Result<()> {
    let task_token = stage.new_task("tickets:search").await?;
    let token = stage.cut(&task_token, TARGET, "tickets:search").await?;
    let is_over = Arc::new(AtomicBool::new(false));
    let callers: Vec<_> = (0..CALLERS)
        .map(|_| tokio::spawn(use_it(stage.assistant.clone(), token.clone(), is_over.clone())))
        .collect();
    tokio::time::sleep(AROUND).await;
    let asked = Instant::now();
    let revoked = stage.assistant.deputy.revoke(&token).await?;
    let acknowledged = Instant::now();
    tokio::time::sleep(AROUND).await;
    is_over.store(true, Ordering::SeqCst);
    let mut uses = Vec::new();
    for caller in callers {
        uses.extend(caller.await??);
    }
    stage.tape.take();

    let first_refusal = uses.iter().filter(|one| one.status == 401).map(|one| one.ended).min();
    let took = |to: Instant| to.saturating_duration_since(asked).as_secs_f64() * 1000.0;
    let good = uses.iter().filter(|one| one.status == 200).count();
    let refused = uses.iter().filter(|one| one.status == 401).count();
    let late = uses.iter().filter(|one| one.started >= acknowledged && one.status == 200).count();

    let mut step = Drill::Revocation.step().with_call(&revoked).denied(
        "four callers at once, searching with one token without pause",
        "to go on searching",
        "a revocation that was acknowledged is durable, and every question after it is answered by it",
        "a fresh token from the task token, which lives on",
    );
    let first = first_refusal.map_or("never".to_owned(), |at| format!("after {:.1} ms", took(at)));
    step.text.push(format!(
        "revocation acknowledged after {:.1} ms, first refusal seen {first}; {good} searches went through before, {refused} refused",
        took(acknowledged),
    ));
    step.audit = stage.records.row_of(&revoked).await?;
    let row = step.audit.clone().unwrap_or_default();
    step.expect("status", 200, revoked.status);
    step.expect("tokens that died", 1, row.get("died").cloned().unwrap_or_default());
    step.expect_that("it worked before", good > 0, good);
    step.expect_that("it was refused after", refused > 0, refused);
    step.expect("uses let through after the 200", 0, late);
    step.expect("answers of another kind", 0, uses.len() - good - refused);
    stage.tell(step).await;
    Ok(())
}

async fn use_it(
    assistant: Arc<Assistant>,
    token: String,
    is_over: Arc<AtomicBool>,
) -> anyhow::Result<Vec<Use>> {
    let deputy = DeputyClient { wire: assistant.deputy.wire.off_tape(), ..assistant.deputy.clone() };
    let mut uses = Vec::new();
    let mut refused = 0;
    while !is_over.load(Ordering::SeqCst) && refused < GIVES_UP_AFTER {
        let started = Instant::now();
        let answer = deputy.search(&assistant.tickets, &token).await?;
        refused += usize::from(answer.status == 401);
        uses.push(Use { started, ended: Instant::now(), status: answer.status });
    }
    Ok(uses)
}

//! kill -9 under load by eight clients that mix exchanges and revocations, again and again on one database.
//! The clients keep a log of what was acknowledged; after each restart a checker holds the server to it.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use deputy::testing::Exchange;
use serde_json::Value;
use tokio::sync::Notify;
use tokio::time::sleep;

use crate::definition::with_opaque_tokens;
use crate::jose::{Key, OPAQUE, claims_of, jti_of};
use crate::process_support::world::with_a_key_for_the_tickets_api;
use crate::process_support::{Answer, Backend, Caller, Plan, World, on_both_databases};

const CYCLES: usize = 10;
const CLIENTS: usize = 8;
/// When nothing was acknowledged for so long, the power goes at once.
const STALL: Duration = Duration::from_millis(1500);
const SCOPE: &str = "tickets:search";

/// A token that a client was given.
struct Issued {
    jti: String,
    token: String,
    task: String,
    parent: Option<String>,
    is_task_token: bool,
    is_bound: bool,
}

/// The tickets get opaque tokens, and agent B gets JWTs.
fn plan() -> Plan {
    let change = |toml| with_opaque_tokens(&with_a_key_for_the_tickets_api(toml), &["tickets"]);
    Plan { change, ..Plan::default() }
}

fn is_task_token(token: &str) -> bool {
    !token.starts_with(OPAQUE) && claims_of(token)["aud"] == claims_of(token)["iss"]
}

/// How far a revocation got, in the client's eyes.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Revocation {
    /// Asked for; the answer never came.
    Asked,
    /// Answered with 200.
    Acknowledged,
}

/// What one client saw in one cycle.
#[derive(Default)]
struct Log {
    issued: Vec<Issued>,
    /// By `jti`.
    revocations: BTreeMap<String, Revocation>,
    /// Answers that were neither the asked-for thing nor a lost connection.
    surprises: Vec<String>,
}

/// What must be true of a token after the restart.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Fate {
    Alive,
    Ended,
    /// A revocation was on its way when the power went: either is right.
    Either,
}

impl Log {
    fn fate(&self, token: &Issued) -> Fate {
        let mut fate = Fate::Alive;
        let mut above = Some(token);
        let task = self.issued.iter().find(|other| other.is_task_token && other.task == token.task);
        let mut lineage: Vec<&Issued> = task.into_iter().collect();
        while let Some(ancestor) = above {
            lineage.push(ancestor);
            above =
                ancestor.parent.as_ref().and_then(|jti| self.issued.iter().find(|other| other.jti == *jti));
        }
        for ancestor in lineage {
            match self.revocations.get(&ancestor.jti) {
                Some(Revocation::Acknowledged) => return Fate::Ended,
                Some(Revocation::Asked) => fate = Fate::Either,
                None => {}
            }
        }
        fate
    }
}

/// Counts acknowledged answers, and says when there were enough.
struct Progress {
    acknowledged: AtomicUsize,
    enough: usize,
    reached: Notify,
}

impl Progress {
    fn note(&self) {
        if self.acknowledged.fetch_add(1, Ordering::SeqCst) + 1 == self.enough {
            self.reached.notify_one();
        }
    }
}

/// One of the eight: works until the server is gone.
struct Client {
    assistant: Caller,
    b: Caller,
    /// The key that some of its tokens are bound to.
    key: Key,
    base: String,
    progress: Arc<Progress>,
    log: Log,
}

/// The server is gone, or gave an answer that ends this client's work.
struct Over;

impl Client {
    async fn work(mut self, world: &World, number: usize) -> Log {
        let mut turn = number;
        while let Ok(()) = self.one_task(world, &format!("user-{number}-{turn}"), &mut turn).await {
            turn += 1;
        }
        self.log
    }

    /// A task from its beginning to its end by its agent.
    async fn one_task(&mut self, world: &World, user: &str, turn: &mut usize) -> Result<(), Over> {
        let id_token = world.id_token(user);
        let (assistant, b, base) = (self.assistant.clone(), self.b.clone(), self.base.clone());
        let answer = assistant.try_sign_in(&base, &id_token, world.issuer(), SCOPE).await;
        let task = self.took(answer, None, None)?;
        for _ in 0..12 {
            *turn += 1;
            if turn.is_multiple_of(3) {
                let answer = assistant.try_sign_in(&base, &id_token, "agent-b", SCOPE).await;
                let at_b = self.took(answer, None, None)?;
                let answer = b.try_exchange(&base, &self.token(at_b), "tickets", SCOPE).await;
                self.took(answer, Some(at_b), Some(task))?;
                if turn.is_multiple_of(2) {
                    self.revoke(at_b).await?;
                }
            } else {
                let from = self.token(task);
                let answer = if turn.is_multiple_of(2) {
                    // Bound to a key.
                    let proof = assistant.proof(&self.key);
                    let exchange = Exchange::of_access_token(&from).audience("tickets").scope(SCOPE);
                    assistant.try_exchange_proving(&base, &exchange, &proof).await
                } else {
                    assistant.try_exchange(&base, &from, "tickets", SCOPE).await
                };
                let access = self.took(answer, Some(task), Some(task))?;
                if turn.is_multiple_of(4) {
                    self.revoke(access).await?;
                }
            }
        }
        self.revoke(task).await
    }

    fn token(&self, at: usize) -> String {
        self.log.issued[at].token.clone()
    }

    /// Logs an issued token, acknowledged; gives its place in the log.
    fn took(
        &mut self,
        answer: Option<Answer>,
        parent: Option<usize>,
        task: Option<usize>,
    ) -> Result<usize, Over> {
        let answer = answer.ok_or(Over)?;
        if answer.status != 200 {
            self.log.surprises.push(format!("an exchange was answered {}: {}", answer.status, answer.text));
            return Err(Over);
        }
        let token = answer.token();
        let task = match task {
            Some(at) => self.log.issued[at].task.clone(),
            None => answer.task(),
        };
        self.log.issued.push(Issued {
            jti: jti_of(&token),
            is_task_token: is_task_token(&token),
            is_bound: answer.json["token_type"] == "DPoP",
            token,
            task,
            parent: parent.map(|at| self.log.issued[at].jti.clone()),
        });
        self.progress.note();
        Ok(self.log.issued.len() - 1)
    }

    /// Revokes a token of the log.
    async fn revoke(&mut self, at: usize) -> Result<(), Over> {
        let (jti, token) = (self.log.issued[at].jti.clone(), self.token(at));
        self.log.revocations.insert(jti.clone(), Revocation::Asked);
        let answer = self.assistant.clone().try_revoke(&self.base, &token).await.ok_or(Over)?;
        if answer.status != 200 {
            self.log.surprises.push(format!("a revocation was answered {}: {}", answer.status, answer.text));
            return Err(Over);
        }
        self.log.revocations.insert(jti, Revocation::Acknowledged);
        self.progress.note();
        Ok(())
    }
}

/// Starts the server, loads it, and kills it once `enough` answers were acknowledged.
async fn load_and_kill(world: &Arc<World>, enough: usize, variables: &[(&str, String)]) -> Vec<Log> {
    let mut server = world.start_node(0, variables).await.expect("a start");
    let progress = Arc::new(Progress { acknowledged: AtomicUsize::new(0), enough, reached: Notify::new() });
    let clients: Vec<_> = (0..CLIENTS)
        .map(|number| {
            let client = Client {
                assistant: world.caller("assistant"),
                b: world.caller("agent-b"),
                key: Key::new("proof"),
                base: server.base.clone(),
                progress: Arc::clone(&progress),
                log: Log::default(),
            };
            let world = Arc::clone(world);
            tokio::spawn(async move { client.work(&world, number).await })
        })
        .collect();
    let all_ended = async {
        let mut logs = Vec::new();
        for client in clients {
            logs.push(client.await.expect("a client"));
        }
        logs
    };
    tokio::pin!(all_ended);
    loop {
        let before = progress.acknowledged.load(Ordering::SeqCst);
        tokio::select! {
            () = progress.reached.notified() => break,
            () = sleep(STALL) => {
                if before > 0 && before == progress.acknowledged.load(Ordering::SeqCst) {
                    break; // any moment will do
                }
            }
            logs = &mut all_ended => return logs, // every client met a surprise before that
        }
    }
    server.kill_9().await;
    all_ended.await
}

/// Every way in which the restarted server breaks what it had acknowledged.
async fn check(world: &World, logs: &[Log]) -> Vec<String> {
    let mut broken: Vec<String> = logs.iter().flat_map(|log| log.surprises.clone()).collect();
    let mut server = world.start().await;
    let base = server.base.clone();
    let [assistant, api] = ["assistant", "tickets-api"].map(|id| world.caller(id));
    for (log, token) in logs.iter().flat_map(|log| log.issued.iter().map(move |token| (log, token))) {
        let is_alive = if token.is_task_token {
            assistant.exchange(&base, &token.token, "tickets", SCOPE).await.status == 200
        } else {
            let said = api.introspect(&base, &token.token).await;
            if said.is_active() && said.json["jti"] != token.jti.as_str() {
                broken.push(format!("{}: its claims were lost", token.jti));
            }
            if said.is_active() && (said.json["token_type"] == "DPoP") != token.is_bound {
                broken.push(format!("{}: its binding to a key was lost", token.jti));
            }
            said.is_active()
        };
        match (log.fate(token), is_alive) {
            (Fate::Alive, false) => {
                broken.push(format!("{}: acknowledged, and now unknown or ended", token.jti))
            }
            (Fate::Ended, true) => {
                broken.push(format!("{}: its revocation was acknowledged, and it is alive", token.jti))
            }
            _ => {}
        }
    }
    for log in logs {
        let mut tasks: Vec<&str> = log.issued.iter().map(|token| token.task.as_str()).collect();
        tasks.dedup();
        for task in tasks {
            let rows = trace(world, task).await;
            let has = |event: &str, jti: &str| {
                rows.iter()
                    .any(|row| row["event"] == event && row["outcome"] == "granted" && row["jti"] == jti)
            };
            for token in log.issued.iter().filter(|token| token.task == task) {
                if !has("exchange", &token.jti) {
                    broken.push(format!("{}: acknowledged without an audit row", token.jti));
                }
                let is_acknowledged = log.revocations.get(&token.jti) == Some(&Revocation::Acknowledged);
                if is_acknowledged && !has("revocation", &token.jti) {
                    broken
                        .push(format!("{}: its revocation was acknowledged without an audit row", token.jti));
                }
            }
        }
    }
    let verified = world.deputy(&["audit", "verify"]).await;
    if !verified.status.success() {
        broken.push(format!("the chain does not verify: {}", String::from_utf8_lossy(&verified.stdout)));
    }
    server.stop().await;
    broken
}

/// The audit rows of a task, as `deputy audit trace` shows them.
async fn trace(world: &World, task: &str) -> Vec<Value> {
    let output = world.deputy(&["audit", "trace", "--task", task, "--json"]).await;
    if !output.status.success() {
        return Vec::new();
    }
    let shown: Value = serde_json::from_slice(&output.stdout).expect("JSON");
    let rows = shown["rows"].as_array().expect("rows");
    rows.iter().map(|stored| stored["row"].clone()).collect()
}

/// After how many acknowledged answers the power goes, in which cycle: early, late, and in between.
fn enough(cycle: usize) -> usize {
    30 + cycle * 37 % 120
}

on_both_databases! {
    async fn kill_9_under_load_loses_nothing_that_was_acknowledged(backend: Backend) {
        let world = Arc::new(World::of(backend, plan()).await);
        let mut revoked = 0;
        for cycle in 0..CYCLES {
            let logs = load_and_kill(&world, enough(cycle), &[]).await;
            let broken = check(&world, &logs).await;
            assert!(broken.is_empty(), "cycle {cycle}:\n{}", broken.join("\n"));
            revoked += logs.iter().map(|log| log.revocations.len()).sum::<usize>();
        }
        assert!(revoked >= CYCLES, "{CYCLES} cycles saw {revoked} revocations");
        Arc::into_inner(world).expect("no client is left").finish().await;
    }

    async fn the_checker_catches_a_server_that_answers_before_the_commit(backend: Backend) {
        let world = Arc::new(World::new(backend).await);
        // From its 40th group on this server answers first and commits six seconds later.
        let early = [("DEPUTY_TEST_ANSWER_BEFORE_COMMIT", "40".to_owned())];
        let logs = load_and_kill(&world, usize::MAX, &early).await;
        let broken = check(&world, &logs).await;
        assert!(
            broken.iter().any(|what| what.contains("acknowledged")),
            "answers went out before the commit, the power went, and nothing was found missing: {broken:?}"
        );
        Arc::into_inner(world).expect("no client is left").finish().await;
    }
}

//! The drills: what must not work, tried for real, with the rule that refused and what would have passed.

mod flight;
mod outage;
mod rule;
mod tampering;
mod theft;

use super::evidence::{chain_of, refused};
use super::provider::PHISHING_RESISTANT;
use super::stage::Stage;
use super::step::{Part, Step};
use super::story::Leftovers;
use super::tickets::TARGET;
use super::wire::Call;
use crate::base::time::Lifetime;
use crate::base::words::words;
use crate::sdk::Decoded;

/// What every fault of a subject token, and of who presents it, looks like from outside.
const UNACCEPTABLE: &str = "subject_token_unacceptable";

words! {
    /// The drills, in the order in which they are played. The last one stops Deputy.
    Drill {
        Expired => "expired-token",
        NoMfa => "no-mfa",
        Escalation => "scope-escalation",
        TooDeep => "chain-too-deep",
        StolenTaskToken => "stolen-task-token",
        StolenPodToken => "stolen-pod-token",
        StolenHandover => "stolen-handover",
        Replay => "replay",
        Revocation => "revocation",
        PolicyDenies => "policy-denies",
        ProviderDown => "provider-down",
        EditedRow => "edited-audit-row",
    }
}

impl Drill {
    /// The drill of this number or name.
    pub fn find(named: &str) -> Option<Self> {
        let numbered = |number: usize| number.checked_sub(1).and_then(|at| Self::ALL.get(at)).copied();
        named.parse().map_or_else(|_| Self::parse(named), numbered)
    }

    /// Its number, from 1.
    pub fn number(self) -> usize {
        1 + Self::ALL.iter().take_while(|drill| **drill != self).count()
    }

    pub const fn title(self) -> &'static str {
        match self {
            Self::Expired => "an expired token (301 seconds pass for everybody)",
            Self::NoMfa => "no second factor (Alice gave only her password)",
            Self::Escalation => "scope escalation",
            Self::TooDeep => "a chain too deep (courier after courier)",
            Self::StolenTaskToken => "a stolen task token in another pod",
            Self::StolenPodToken => "a stolen pod token without the key of its agent",
            Self::StolenHandover => "a stolen handover",
            Self::Replay => "replay after the task ended",
            Self::Revocation => "revocation while the token is in use",
            Self::PolicyDenies => "a rule of the operator's denies a booking",
            Self::ProviderDown => "the identity provider is down",
            Self::EditedRow => "an edited audit row (in a copy of the database)",
        }
    }

    /// What happens, for someone who has never read an RFC.
    const fn words(self) -> &'static str {
        match self {
            Self::Expired => {
                "Every token says when it ends (exp). Here the clock of every party goes on by five minutes and a second."
            }
            Self::NoMfa => {
                "What may begin with a login depends on how the provider says that it went (amr, acr)."
            }
            Self::Escalation => {
                "The assistant has a task token for searching, and asks for a token for booking."
            }
            Self::TooDeep => {
                "Couriers pass a ticket on. Each runs in a pod of its own, and each exchange adds an agent to the chain \
                 (act)."
            }
            Self::StolenTaskToken => {
                "Somebody copied a task token out of the assistant's pod and presents it from another pod."
            }
            Self::StolenPodToken => {
                "Somebody copied every file of the assistant's pod, the token of the pod among them. The key of the \
                 assistant is in no file."
            }
            Self::StolenHandover => {
                "The assistant hands a courier's work over, and somebody reads the handover on its way."
            }
            Self::Replay => "The task of the story is over. What belonged to it is presented once more.",
            Self::Revocation => "A search token is revoked while four callers use it.",
            Self::PolicyDenies => "The operator writes a rule while Deputy runs.",
            Self::ProviderDown => {
                "Alice signs in, five minutes pass, the provider makes a new key, she signs in again, and the provider \
                 stops: nobody listens at its address. The keys that Deputy has of it are due to be fetched again."
            }
            Self::EditedRow => {
                "Deputy is stopped, its files are copied, and in the copy one row of the record is edited."
            }
        }
    }

    fn step(self) -> Step {
        self.part("", self.title()).saying(self.words())
    }

    /// One of several steps of a drill.
    fn part(self, letter: &str, title: &str) -> Step {
        Step::new(Part::Drill, &format!("{}{letter}", self.number()), title)
    }

    async fn play(self, stage: &mut Stage, leftovers: &Leftovers) -> anyhow::Result<()> {
        match self {
            Self::Expired => expired(stage).await,
            Self::NoMfa => no_mfa(stage).await,
            Self::Escalation => escalation(stage).await,
            Self::TooDeep => too_deep(stage).await,
            Self::StolenTaskToken => theft::task_token(stage).await,
            Self::StolenPodToken => theft::pod_token(stage).await,
            Self::StolenHandover => theft::handover(stage).await,
            Self::Replay => replay(stage, leftovers).await,
            Self::Revocation => flight::play(stage).await,
            Self::PolicyDenies => rule::play(stage).await,
            Self::ProviderDown => outage::play(stage).await,
            Self::EditedRow => tampering::play(stage, leftovers).await,
        }
    }
}

/// Plays all drills, or only this one.
pub async fn play(stage: &mut Stage, leftovers: &Leftovers, only: Option<Drill>) -> anyhow::Result<()> {
    for drill in Drill::ALL.iter().filter(|drill| only.is_none_or(|only| only == **drill)) {
        drill.play(stage, leftovers).await?;
    }
    Ok(())
}

/// A token that has to be there for a drill to begin.
fn token_of(call: &Call) -> anyhow::Result<String> {
    let token = call.token().map(str::to_owned);
    token.ok_or_else(|| anyhow::anyhow!("no token for a drill: {} {}", call.status, call.text("reason")))
}

impl Stage {
    /// A task of its own for a drill: Alice signs in with both factors, and the assistant gets a task token.
    pub(super) async fn new_task(&self, scope: &str) -> anyhow::Result<String> {
        let id_token = self.sign_in(PHISHING_RESISTANT).await?;
        token_of(&self.assistant.begin_task(&id_token, scope, "a drill").await?)
    }

    /// A token that the assistant cuts from a task token.
    pub(super) async fn cut(&self, task_token: &str, audience: &str, scope: &str) -> anyhow::Result<String> {
        token_of(&self.assistant.deputy.narrow(task_token, audience, scope).await?)
    }

    /// Tells a drill whose last call was refused with this error, reason and true cause.
    async fn tell_refused(&mut self, mut step: Step, call: &Call, refusal: [&str; 3]) -> anyhow::Result<()> {
        refused(&mut step, call, refusal, &self.records).await?;
        self.tape.take();
        self.tell(step).await;
        Ok(())
    }
}

async fn expired(stage: &mut Stage) -> anyhow::Result<()> {
    let task_token = stage.new_task("tickets:search age_over_18").await?;
    let search = stage.cut(&task_token, TARGET, "tickets:search").await?;
    let old = stage.cut(&task_token, "age-agent", "age_over_18").await?;
    stage.clock.advance(Lifetime::from_seconds(301));
    let at_api = stage.assistant.search(&search).await?;
    let late = stage.age_agent.start().await?;
    let call = late.deputy.narrow(&old, TARGET, "age_over_18").await?;
    let fresh = stage.assistant.deputy.narrow(&task_token, TARGET, "tickets:search").await?;

    let mut step = Drill::Expired.step().with_call(&call).denied(
        "the age agent, with a token that ended a second ago",
        "an answer for the tickets API",
        "a token is good until its `exp`, to the second; no leeway for Deputy's own",
        "a fresh token from the task token, which lives on: tried, and granted",
    );
    step.text.push(format!("the same at the tickets API: {} {}", at_api.status, at_api.text("why")));
    step.expect("refused at the API too", 401, at_api.status);
    step.expect("a fresh one passes", 200, fresh.status);
    stage.tell_refused(step, &call, ["invalid_request", UNACCEPTABLE, "expired"]).await
}

async fn no_mfa(stage: &mut Stage) -> anyhow::Result<()> {
    let weak = stage.sign_in("").await?;
    let call = stage.assistant.begin_task(&weak, "tickets:book", "a drill").await?;
    // What would have passed is what the refusal says: sign in again with these acr_values.
    let strong = stage.sign_in(call.text("acr_values")).await?;
    let again = stage.assistant.begin_task(&strong, "tickets:book", "a drill").await?;

    let mut step = Drill::NoMfa.step().with_call(&call).denied(
        "the assistant, with an ID token whose amr is [\"pwd\"]",
        "a task that may book",
        "tickets:book asks for the level phishing_resistant, every scope for mfa at least",
        "the same after a login with the acr_values that the refusal names: tried, and granted",
    );
    step.expect("the refusal says what to ask the provider for", "phr phrh", call.text("acr_values"));
    step.expect("a strong login passes", 200, again.status);
    stage
        .tell_refused(step, &call, ["invalid_request", "assurance_insufficient", "assurance_insufficient"])
        .await
}

async fn escalation(stage: &mut Stage) -> anyhow::Result<()> {
    let task_token = stage.new_task("tickets:search").await?;
    let call = stage.assistant.deputy.narrow(&task_token, TARGET, "tickets:book").await?;
    let within = stage.assistant.deputy.narrow(&task_token, TARGET, "tickets:search").await?;

    let mut step = Drill::Escalation.step().with_call(&call).denied(
        "the assistant, with a task token that allows tickets:search",
        "tickets:book",
        "only shrink: what is granted never exceeds the token it is exchanged from",
        "tickets:search from this token (tried, and granted), or a task begun for booking",
    );
    step.expect("what it holds passes", 200, within.status);
    stage.tell_refused(step, &call, ["invalid_scope", "scope_not_in_subject", "scope_not_in_subject"]).await
}

/// Couriers hand a ticket on between desk and van, each a fresh instance, until the chain is full.
async fn too_deep(stage: &mut Stage) -> anyhow::Result<()> {
    let task_token = stage.new_task("ticket:carry").await?;
    let mut token = stage.cut(&task_token, "courier-desk", "ticket:carry").await?;
    for to in ["courier-van", "courier-desk", "courier-van"] {
        let courier = stage.pods.start("courier", "courier").await?;
        token = token_of(&courier.deputy.narrow(&token, to, "ticket:carry").await?)?;
    }
    let depth = Decoded::read(&token).map(|token| chain_of(&token).len()).unwrap_or_default();
    let fourth = stage.pods.start("courier", "courier").await?;
    let call = fourth.deputy.narrow(&token, "courier-desk", "ticket:carry").await?;

    let mut step = Drill::TooDeep.step().with_call(&call).denied(
        "a fourth courier, handed the ticket by the third",
        "to carry it on, as the fifth agent in the chain",
        "tasks.max_chain_depth = 4 in deputy.toml",
        "any of the four before it: each of them was granted",
    );
    step.expect("granted before that", 4, depth);
    stage.tell_refused(step, &call, ["invalid_request", "chain_too_deep", "chain_too_deep"]).await
}

async fn replay(stage: &mut Stage, leftovers: &Leftovers) -> anyhow::Result<()> {
    let call = stage.assistant.begin_task(&leftovers.id_token, "tickets:search", "the same again").await?;
    let booking = stage.assistant.book(&leftovers.booking, None).await?;
    let task_token = stage.new_task("age_over_18").await?;
    let token = stage.cut(&task_token, "age-agent", "age_over_18").await?;
    let retired = stage.pods.holder_of(&leftovers.pod_token, "age agent")?;
    let dead = retired.narrow(&token, TARGET, "age_over_18").await?;
    let old = stage.assistant.deputy.narrow(&leftovers.for_age_agent, TARGET, "age_over_18").await?;

    let mut step = Drill::Replay.step().with_call(&call).denied(
        "the assistant, with the ID token of the story",
        "a new task",
        "an ID token that fed a task which is over begins no other",
        "a new login: tried, and granted",
    );
    step.text.push(format!(
        "the token of the retired age agent's pod: {} {}",
        dead.status,
        dead.text("reason")
    ));
    step.expect("the retired agent stays retired", "actor_token_unacceptable", dead.text("reason"));
    step.expect("the old booking token at its API", 401, booking.status);
    step.expect("the old token for the age agent", UNACCEPTABLE, old.text("reason"));
    stage.tell_refused(step, &call, ["invalid_request", UNACCEPTABLE, "login_spent"]).await
}

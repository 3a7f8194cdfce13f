//! The drills: what must not work, tried for real, with the rule that refused and what would have passed.

mod flight;
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
use crate::sdk::Decoded;

/// What every fault of a subject token, and of who presents it, looks like from outside.
const UNACCEPTABLE: &str = "subject_token_unacceptable";

pub async fn play(stage: &mut Stage, leftovers: &Leftovers) -> anyhow::Result<()> {
    expired(stage).await?;
    no_mfa(stage).await?;
    escalation(stage).await?;
    too_deep(stage).await?;
    theft::task_token(stage).await?;
    theft::pod_token(stage).await?;
    replay(stage, leftovers).await?;
    flight::play(stage).await?;
    tampering::play(stage, leftovers).await
}

pub(super) fn drill(number: u8, title: &str) -> Step {
    Step::new(Part::Drill, &number.to_string(), title)
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
        self.tell(step);
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

    let mut step =
        drill(1, "an expired token (everybody's clock goes 301 seconds on)").with_call(&call).denied(
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

    let mut step =
        drill(2, "no second factor (Alice signed in with her password alone)").with_call(&call).denied(
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

    let mut step = drill(3, "scope escalation").with_call(&call).denied(
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

    let mut step =
        drill(4, "a chain too deep (assistant, then courier after courier)").with_call(&call).denied(
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

    let mut step = drill(7, "replay after the task ended").with_call(&call).denied(
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

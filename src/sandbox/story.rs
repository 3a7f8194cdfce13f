//! The story on the wire: one booking, from the login to the end of the task.

use serde_json::Value;

use super::evidence::{Grant, granted};
use super::provider::PHISHING_RESISTANT;
use super::stage::Stage;
use super::step::{Part, Step};
use super::tickets::TARGET;
use super::wire::Call;
use crate::sdk::Decoded;

/// The user.
pub const ALICE: &str = "Alice";
/// What Alice lets the assistant do.
pub const SCOPE: &str = "age_over_18 tickets:book tickets:search";
pub const PURPOSE: &str = "Book one ticket for Friday, 40 EUR at most";

/// What the story leaves behind for the drills: all of it is over.
pub struct Leftovers {
    /// The ID token that began the task.
    pub id_token: String,
    /// The access token for booking.
    pub booking: String,
    /// The token of the age agent's pod.
    pub pod_token: String,
    /// The token that the age agent exchanged.
    pub for_age_agent: String,
    /// Where the audit log tells how the task began.
    pub first_row: i64,
}

fn part(id: &str, title: &str) -> Step {
    Step::new(Part::Story, id, title)
}

/// Plays it. `None` if it cannot go on because a step came out otherwise than it should.
pub async fn play(stage: &mut Stage) -> anyhow::Result<Option<Leftovers>> {
    // The assistant was started before the story.
    let started = stage.tape.take();
    let Some(id_token) = sign_in(stage).await? else { return Ok(None) };
    let Some((task_token, first_row)) = begin_task(stage, started, &id_token).await? else { return Ok(None) };
    let Some(search) = search(stage, &task_token).await? else { return Ok(None) };
    let Some(booking) = try_to_book(stage, &task_token).await? else { return Ok(None) };
    let Some(for_age_agent) = hand_over(stage, &task_token).await? else { return Ok(None) };
    let Some((answer, pod_token)) = answer(stage, &for_age_agent, &booking).await? else { return Ok(None) };
    book(stage, &booking, &answer).await?;
    let tokens = [("search", &search), ("booking", &booking), ("age answer", &answer)];
    end(stage, &task_token, &for_age_agent, &tokens).await?;
    Ok(Some(Leftovers { id_token, booking, pod_token, for_age_agent, first_row }))
}

async fn sign_in(stage: &mut Stage) -> anyhow::Result<Option<String>> {
    let link = stage.assistant.app.login_link(PHISHING_RESISTANT).await?;
    let back = stage.alice.sign_in(&link).await?;
    let mut step = part("1", "Alice signs in")
        .saying("At her identity provider: a password, then a challenge that only her security key can sign. The provider")
        .saying("writes into the ID token what it checked (amr, acr), so this strong login is earned, not claimed.")
        .after(stage.tape.take());
    // The browser's way back ends last, around the token request that it set off.
    let token_call =
        step.before.iter().position(|call| call.path == "/token").map(|at| step.before.remove(at));
    let id_token = stage.assistant.app.take_id_token();
    step.expect("signed in", 200, back.status);
    step.token = id_token.as_deref().and_then(Decoded::read);
    step.call = token_call;
    if let Some(token) = step.token.clone() {
        stage.names.learn(token.text("sub"), ALICE);
        step.means =
            Some("the provider says: this is Alice, she signed in just now with two factors".to_owned());
        step.expect("amr", serde_json::json!(["pwd", "hwk", "mfa"]), token.claims["amr"].clone());
        step.expect("acr", PHISHING_RESISTANT, token.text("acr"));
        step.expect("birthdate known to the provider", super::BIRTHDATE, token.text("birthdate"));
        // The check is told without the date itself.
        if let Some(check) = step.checks.last_mut() {
            (check.expected, check.actual) = ("the date".to_owned(), "another".to_owned());
        }
    }
    stage.tell(step).await;
    Ok(id_token)
}

async fn begin_task(
    stage: &mut Stage,
    started: Vec<Call>,
    id_token: &str,
) -> anyhow::Result<Option<(String, i64)>> {
    let call = stage.assistant.begin_task(id_token, SCOPE, PURPOSE).await?;
    stage.tape.take();
    let issuer = stage.issuer.clone();
    let mut step = part("2", "The login becomes a task; the assistant gets a task token")
        .saying("The assistant holds the token of its pod and a key that it made. For the ID token Deputy gives it a task token,")
        .saying("which names Alice (sub) and the assistant (act), and needs the key (cnf). No API takes it; it can only be")
        .saying("exchanged for smaller tokens. The rule that permits is one of the policies; all the others only refuse.")
        .after(started)
        .with_call(&call);
    let grant = Grant {
        kind: "task+jwt",
        audience: &issuer,
        scope: SCOPE,
        behind: ALICE,
        chain: &["the assistant"],
        seconds: 3600,
    };
    granted(&mut step, &call, &grant, &mut stage.names, &stage.records).await?;
    let row = step.audit.clone().unwrap_or_default();
    step.expect("begins a task", true, row.get("task_begun").cloned().unwrap_or_default());
    step.expect("task is named", row.get("task").cloned().unwrap_or_default(), call.body["task"].clone());
    stage.tell(step).await;
    let first_row = row.get("seq").and_then(Value::as_i64).unwrap_or_default();
    Ok(call.token().map(|token| (token.to_owned(), first_row)))
}

/// One token for the tickets API, cut from the task token.
async fn cut(
    stage: &mut Stage,
    mut step: Step,
    task_token: &str,
    audience: &str,
    scope: &str,
) -> anyhow::Result<(Step, Call)> {
    let call = stage.assistant.deputy.narrow(task_token, audience, scope).await?;
    stage.tape.take();
    step = step.with_call(&call);
    let grant =
        Grant { kind: "at+jwt", audience, scope, behind: ALICE, chain: &["the assistant"], seconds: 300 };
    granted(&mut step, &call, &grant, &mut stage.names, &stage.records).await?;
    if let Some(token) = &step.token {
        let subject = token.text("sub").to_owned();
        step.expect_that("sub hides Alice", subject.starts_with("pw_"), &subject);
    }
    Ok((step, call))
}

async fn search(stage: &mut Stage, task_token: &str) -> anyhow::Result<Option<String>> {
    let step = part("3a", "The assistant gets a token for searching alone")
        .saying("The task token is exchanged for a token for one API, one permission and five minutes, and stays as it is. Alice")
        .saying("is now called pw_…: a pairwise pseudonym, by which this API knows her again, and the task (txn) has one too.")
        .saying("Another API gets others, so that two APIs cannot tell by them that they have the same user. Only Deputy can.");
    let (step, call) = cut(stage, step, task_token, TARGET, "tickets:search").await?;
    stage.tell(step).await;
    let Some(token) = call.token().map(str::to_owned) else { return Ok(None) };

    let found = stage.assistant.search(&token).await?;
    let mut step = part("3b", "The assistant searches")
        .saying("The tickets API verifies the token, asks Deputy whether it is still active (introspection), and wants a proof of")
        .saying("the key for this very request.")
        .after(stage.tape.take().into_iter().filter(|call| call.from == "tickets API").collect())
        .with_call(&found);
    step.expect("status", 200, found.status);
    let asked = step.before.first().map(|call| call.body.clone()).unwrap_or_default();
    step.expect("introspection: active", true, asked.get("active").cloned().unwrap_or_default());
    let act = Decoded::read(&token).and_then(|token| token.claims.get("act").cloned()).unwrap_or_default();
    step.expect("introspection names the same act", act, asked.get("act").cloned().unwrap_or_default());
    stage.tell(step).await;
    Ok(Some(token))
}

async fn try_to_book(stage: &mut Stage, task_token: &str) -> anyhow::Result<Option<String>> {
    let step = part("4a", "The assistant gets a token for booking")
        .saying("In deputy.toml tickets:book asks for a phishing-resistant login of the last 15 minutes and a stated purpose.");
    let (step, call) = cut(stage, step, task_token, TARGET, "tickets:book").await?;
    stage.tell(step).await;
    let Some(token) = call.token().map(str::to_owned) else { return Ok(None) };

    let refused = stage.assistant.book(&token, None).await?;
    stage.tape.take();
    let mut step =
        part("4b", "The API does not sell yet: Alice's age was not shown").with_call(&refused).denied(
            "the assistant, for Alice",
            "a ticket for an event for adults",
            "the tickets API's own: events for adults need age_over_18 beside the booking token",
            "the same booking with an age answer, got by an agent that may ask that question",
        );
    step.expect("status", 403, refused.status);
    step.expect("error", "age_not_shown", refused.text("error"));
    stage.tell(step).await;
    Ok(Some(token))
}

async fn hand_over(stage: &mut Stage, task_token: &str) -> anyhow::Result<Option<String>> {
    let step = part("4c", "The assistant gets a token for the age agent")
        .saying("deputy.toml lets the age agent alone have this question answered. The assistant gets a token that the age agent can")
        .saying("exchange, and passes it on. This target knows Alice by another pseudonym than the tickets API.");
    let (step, call) = cut(stage, step, task_token, "age-agent", "age_over_18").await?;
    stage.tell(step).await;
    Ok(call.token().map(str::to_owned))
}

/// The age agent is started, asks, and hands its answer back. With the instance's credential.
async fn answer(
    stage: &mut Stage,
    for_age_agent: &str,
    booking: &str,
) -> anyhow::Result<Option<(String, String)>> {
    let handed_back = stage.assistant.ask_age_agent(for_age_agent).await?;
    let calls = stage.tape.take();
    let of = |path: &str| calls.iter().find(|call| call.path == path).cloned();
    let (Some(birth), Some(exchange)) = (of("/pods"), of("/token")) else {
        anyhow::bail!("the age agent answered {} without asking Deputy", handed_back.status);
    };
    let mut step = part("5", "The age agent answers one question and sees no birthdate")
        .saying("The cluster starts a new pod, of which Deputy knows nothing: agents are not registered. The agent in it makes a key")
        .saying("and presents the assistant's token with the token of its own pod. From the birthdate in Alice's login Deputy")
        .saying("answers yes or no, here true. The chain now reads: the age agent, asked by the assistant, for Alice.")
        .after(vec![birth.clone()])
        .with_call(&exchange);
    let grant = Grant {
        kind: "at+jwt",
        audience: TARGET,
        scope: "age_over_18",
        behind: ALICE,
        chain: &["the age agent", "the assistant"],
        seconds: 120,
    };
    granted(&mut step, &exchange, &grant, &mut stage.names, &stage.records).await?;
    let row = step.audit.clone().unwrap_or_default();
    if let (Some(answer), Some(booking)) = (step.token.clone(), Decoded::read(booking)) {
        step.expect("age_over_18", true, answer.claims["age_over_18"].clone());
        for claim in ["sub", "txn"] {
            step.expect(&format!("{claim} as in the booking token"), booking.text(claim), answer.text(claim));
        }
        step.expect("inner act as there", booking.claims["act"].clone(), answer.claims["act"]["act"].clone());
        step.expect_that(
            "it has a key of its own",
            answer.claims["cnf"] != booking.claims["cnf"],
            "it is the assistant's",
        );
        step.expect("the agent is new", true, row.get("agent_created").cloned().unwrap_or_default());
    }
    stage.tell(step).await;
    let pod_token = birth.text("token").to_owned();
    let answer = handed_back.body.get("age_answer").and_then(Value::as_str).map(str::to_owned);
    Ok(answer.map(|answer| (answer, pod_token)))
}

async fn book(stage: &mut Stage, booking: &str, answer: &str) -> anyhow::Result<()> {
    let booked = stage.assistant.book(booking, Some(answer)).await?;
    stage.tape.take();
    let mut step = part("6", "Booked")
        .saying("The API compares the two tokens: they are of the same user and the same task, and the inner act of the answer is")
        .saying("the agent that books and proves its key.")
        .with_call(&booked);
    step.expect("status", 200, booked.status);
    stage.tell(step).await;
    Ok(())
}

async fn end(
    stage: &mut Stage,
    task_token: &str,
    for_age_agent: &str,
    tokens: &[(&str, &String)],
) -> anyhow::Result<()> {
    let revoked = stage.assistant.deputy.revoke(task_token).await?;
    stage.tape.take();
    let mut step = part("7a", "The work is done: the assistant ends the task")
        .saying("It revokes its task token. Every token that was exchanged from it ends at the same moment (the record says: died),")
        .saying("and the age agent, which was started for this task, is retired.")
        .with_call(&revoked);
    step.expect("status", 200, revoked.status);
    step.audit = stage.records.row_of(&revoked).await?;
    let row = step.audit.clone().unwrap_or_default();
    // The task token, search, booking, the one for the age agent, the answer.
    step.expect("tokens that died", 5, row.get("died").cloned().unwrap_or_default());
    stage.tell(step).await;

    let mut step = part("7b", "None of these tokens works any more").denied(
        "anyone who holds one of these tokens",
        "what it was good for a second ago",
        "a token lives only while its task, its login and its agents do",
        "a new task: Alice signs in again",
    );
    let mut at_api = Vec::new();
    for (name, token) in tokens {
        let answer = match *name {
            "search" => stage.assistant.search(token).await?,
            _ => stage.assistant.book(token, None).await?,
        };
        step.expect(&format!("the {name} token at its API"), 401, answer.status);
        at_api.push(format!("{name} token {}", answer.status));
    }
    let mut at_deputy = Vec::new();
    for (name, token, audience, scope) in [
        ("task", task_token, TARGET, "tickets:search"),
        ("the age agent's", for_age_agent, TARGET, "age_over_18"),
    ] {
        let answer = stage.assistant.deputy.narrow(token, audience, scope).await?;
        step.expect(&format!("{name} token at /token"), "subject_token_unacceptable", answer.text("reason"));
        at_deputy.push(format!("{name} token {}", answer.status));
        step.audit = stage.records.row_of(&answer).await?;
    }
    step.text.push(format!("at the tickets API:    {}", at_api.join(", ")));
    step.text.push(format!("at Deputy's /token:    {} (subject_token_unacceptable)", at_deputy.join(", ")));
    stage.tape.take();
    stage.tell(step).await;

    let agent = stage.names.id_of("the age agent").unwrap_or_default().to_owned();
    let mut step = part("7c", "The age agent's life, as `deputy agent explain` tells it");
    step.text = stage.records.life_of(&agent).await?;
    let life = step.text.join("\n");
    step.expect_that("says that it retired", life.contains("retired"), "it does not");
    step.expect_that("in under 40 lines", step.text.len() < 40, step.text.len());
    stage.tell(step).await;
    Ok(())
}

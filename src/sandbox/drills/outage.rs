//! The identity provider stops: what goes on without it, what cannot be decided, and what happens when it is back.

use super::super::provider::PHISHING_RESISTANT;
use super::super::stage::Stage;
use super::super::tickets::TARGET;
use super::super::wire::Call;
use super::{Drill, token_of};
use crate::base::time::Lifetime;

/// After this time Deputy would fetch the provider's keys anew.
const KEYS_ARE_OLD: Lifetime = Lifetime::from_seconds(301);
/// How much time passes between two attempts after the provider is back.
const BETWEEN_ATTEMPTS: Lifetime = Lifetime::from_seconds(5);
/// As many attempts are made.
const MOST_ATTEMPTS: usize = 12;

const SCOPE: &str = "tickets:search";

pub async fn play(stage: &mut Stage) -> anyhow::Result<()> {
    let task_token = stage.new_task(SCOPE).await?;
    let known = stage.sign_in(PHISHING_RESISTANT).await?;
    stage.clock.advance(KEYS_ARE_OLD);
    stage.provider.provider.rotate()?;
    let unknown = stage.sign_in(PHISHING_RESISTANT).await?;
    stage.provider.stop().await;

    let goes_on = stage.assistant.deputy.narrow(&task_token, TARGET, SCOPE).await?;
    let begins = stage.assistant.begin_task(&known, SCOPE, "a drill").await?;
    let call = stage.assistant.begin_task(&unknown, SCOPE, "a drill").await?;
    stage.provider.start()?;
    let (back, seconds) = until_begun(stage, &unknown).await?;

    let retry_after = call.retry_after.clone().unwrap_or_default();
    let mut step = Drill::ProviderDown.step().with_call(&call).denied(
        "the assistant, with an ID token by a key that the provider made just before it stopped",
        "a task",
        "what nobody can check is refused: while the provider cannot be asked, nobody knows whether this key is its own",
        &format!("the same ID token {seconds} seconds after the provider was back: tried, and granted"),
    );
    step.text = vec![
        format!("a task token is exchanged, for which no provider is needed: {}", goes_on.status),
        format!("the first ID token, by a key that Deputy knows, begins a task: {}", begins.status),
        "  keys that are known serve for 24 hours while the provider is away".into(),
        format!(
            "the second ID token, by a key that Deputy does not know: {}, Retry-After: {retry_after}",
            call.status
        ),
        format!("the second ID token, when the provider is back: {}", back.status),
    ];
    step.expect("a task token goes on", 200, goes_on.status);
    step.expect("a login by a known key begins a task", 200, begins.status);
    step.expect(
        "a login by an unknown key is not decided",
        "503 temporarily_unavailable",
        format!("{} {}", call.status, call.text("error")),
    );
    step.expect_that("it says when to ask again", retry_after.parse::<u32>().is_ok(), &retry_after);
    step.expect("it begins a task when the provider is back", 200, back.status);
    token_of(&back)?;
    stage.tape.take();
    stage.tell(step).await;
    Ok(())
}

/// Presents the ID token until it begins a task, and gives the last answer with the seconds that passed.
async fn until_begun(stage: &Stage, id_token: &str) -> anyhow::Result<(Call, u32)> {
    let mut seconds = 0;
    let mut call = stage.assistant.begin_task(id_token, SCOPE, "a drill").await?;
    for _ in 0..MOST_ATTEMPTS {
        if call.status == 200 {
            break;
        }
        stage.clock.advance(BETWEEN_ATTEMPTS);
        seconds += BETWEEN_ATTEMPTS.seconds();
        call = stage.assistant.begin_task(id_token, SCOPE, "a drill").await?;
    }
    Ok((call, seconds))
}

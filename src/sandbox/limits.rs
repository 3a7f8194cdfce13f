//! What Deputy does not enforce. Each sentence that can be tried is tried, so that the list is true of this build.

use anyhow::Context as _;
use serde_json::Value;

use super::provider::PHISHING_RESISTANT;
use super::stage::Stage;
use super::stay::tokens_for_you;
use super::step::{Part, Step};
use super::story::{PURPOSE, SCOPE};
use super::tickets::TARGET;
use crate::sdk::Decoded;

/// Tries what nothing prevents, and tells it with what follows for those who build on Deputy.
pub async fn play(stage: &mut Stage) -> anyhow::Result<()> {
    let id_token = stage.sign_in(PHISHING_RESISTANT).await?;
    let begun = stage.assistant.begin_task(&id_token, SCOPE, PURPOSE).await?;
    let task_token = begun.token().context("no task token")?.to_owned();
    let search = stage.cut(&task_token, TARGET, "tickets:search").await?;
    let booking = stage.cut(&task_token, TARGET, "tickets:book").await?;
    let for_age_agent = stage.cut(&task_token, "age-agent", "age_over_18").await?;
    let answered = stage.assistant.ask_age_agent(&for_age_agent).await?;
    let answer = answered.body.get("age_answer").and_then(Value::as_str).context("no age answer")?;

    let by_search_token = stage.assistant.book(&search, Some(answer)).await?;
    let first = stage.assistant.book(&booking, Some(answer)).await?;
    let second = stage.assistant.book(&booking, Some(answer)).await?;
    let yours = tokens_for_you(stage).await?;
    let thief = stage.assistant.deputy.wire.of("thief");
    let url = format!("{}/search?q=Friday", stage.assistant.tickets);
    let copied = thief.get("tickets API", &url, Some(&yours.access_token)).await?;
    let revoked = stage.assistant.deputy.revoke(&search).await?;
    let is_believed = stage.tickets.believes_offline(&search).await;
    let asked = stage.assistant.search(&search).await?;
    stage.tape.take();

    let mut step = Step::new(Part::Limits, "limits", "What Deputy does not enforce")
        .saying("Deputy decides who gets which token, and says whether one is still good. It does not stand between an agent and")
        .saying("an API. These things are for others to enforce. What can be tried here was tried.");
    let act = |token: &str| Decoded::read(token).and_then(|token| token.claims.get("act").cloned());
    step.expect("the token was revoked", 200, revoked.status);
    step.expect("a revoked token passes where nobody asks", true, is_believed);
    step.expect("it does not pass where Deputy is asked", 401, asked.status);
    step.expect("a bearer token passes in other hands", 200, copied.status);
    step.expect("one ticket is booked", 200, first.status);
    step.expect("a second one is booked with the same tokens", 200, second.status);
    step.expect("it is the API that refuses a scope", 403, by_search_token.status);
    step.expect("both targets see the same actor", act(&booking), act(&for_age_agent));
    let (asked, copied) = (asked.status, copied.status);
    let (second, by_search_token) = (second.status, by_search_token.status);
    step.text = vec![
        format!(
            "- Revocation, at an API that does not ask. Tried: a search token was revoked. The tickets API asks Deputy \
             about each token and answered {asked}; by its signature and its times alone the token was still good. An \
             API that only verifies tokens offline takes a revoked one until it expires: here 300 seconds at most, and \
             120 for an age answer."
        ),
        format!(
            "- Bearer tokens. A client that proves no key gets a token that works for anybody who holds it, unless \
             deputy.toml asks for a proof. Tried: a thief searched with a copy of a token of the client `you`: {copied}. \
             The tokens of the two agents name a key (cnf), but only an API that checks the proof keeps others from \
             using them."
        ),
        format!(
            "- What a call says. Deputy and its policies see the agent, the target, the scope, the login and the stated \
             purpose, and never the call to the API with its arguments. Tried: the assistant booked a second ticket \
             with the same tokens: {second}. \"{PURPOSE}\" is on record; nothing compares it with what \
             was sold."
        ),
        format!(
            "- Scope, audience and actor, at the API. A token says what it allows, and the API has to refuse the rest. \
             Tried: booking with the search token: {by_search_token}, from the tickets API and not from Deputy."
        ),
        "- Signing out. When Alice signs out at her provider, or her account is closed there, nobody tells Deputy. Her \
         tasks go on until their time is up or an operator stops her."
            .to_owned(),
        "- What was said before. The tickets API has read that Alice is over 18. A revocation does not make it forget."
            .to_owned(),
        "- Consent. Alice signed in at the booking application. No page of Deputy showed her the purpose or the scopes: \
         what an assistant may ask for is what the operator wrote into deputy.toml and the policies."
            .to_owned(),
        "- Who vouches. Deputy believes the identity provider about logins and the cluster about pods. Anyone who has the \
         signing key of one of them can sign in as Alice, or be an agent."
            .to_owned(),
        "- Linking. Each API knows Alice by another pseudonym (sub), but all know the assistant by one identifier \
         (act). APIs that compare what they saw can tell which calls belong together."
            .to_owned(),
        "- The record. An edited row is found, and not prevented. That rows were cut off at the end is found against a \
         copy of the checkpoint file that is kept elsewhere."
            .to_owned(),
    ];
    stage.tell(step).await;
    Ok(())
}

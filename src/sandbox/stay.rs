//! Before and after: who takes part, and what a viewer can try while the sandbox stays up.

use std::time::Duration;

use anyhow::Context as _;

use super::narrator::is_unheard;
use super::provider::PHISHING_RESISTANT;
use super::stage::Stage;
use super::tickets::TARGET;
use crate::oauth::GrantType;
use crate::oauth::exchange::token_type::{ACCESS_TOKEN, ID_TOKEN};
use crate::sdk::Exchange;

/// How often the files that the curl lines read are written anew.
const RENEWAL: Duration = Duration::from_secs(60);

pub fn welcome(stage: &Stage) {
    let lines = [
        "Alice wants a concert ticket. Software gets it for her: an agent acts in her name, for this alone, for minutes.".to_owned(),
        format!("  Alice            the user; signs in at her identity provider       {}", stage.alice.provider),
        "  the assistant    an AI agent that books for Alice; it never becomes Alice".to_owned(),
        "  the age agent    a second agent, born to answer one question: is she 18?".to_owned(),
        "                   both hold the token of their pod and a key that they made; no secret is set up for them".to_owned(),
        format!("  the tickets API  sells to those whose tokens it can verify          {}", stage.tickets_url),
        format!("  Deputy           turns one login into small tokens, on the record   {}", stage.issuer),
        "In a token: sub = for whom, act = who acts (newest first), aud = where, scope = what it allows, cnf = by which key.".to_owned(),
    ];
    stage
        .narrator
        .say("DEPUTY SANDBOX: one booking from login to end, by real HTTP between real parts", &lines);
}

/// Prints lines to try and keeps what they read fresh, until the sandbox is ended or nobody reads it.
pub async fn stay(stage: &mut Stage) -> anyhow::Result<()> {
    stage.start_deputy().await?;
    renew(stage).await?;
    stage.narrator.offer(
        "Now you: paste any of these lines (Ctrl-C ends the sandbox and removes everything)",
        &lines(stage),
    );
    stage.has_played = true;
    while !is_unheard() {
        tokio::time::sleep(RENEWAL).await;
        // The viewer may have stopped the agent or the user: that is theirs to try, and ends nothing here.
        if let Err(error) = renew(stage).await {
            anstream::eprintln!("the token files were not renewed: {error:#}");
        }
    }
    Ok(())
}

/// A fresh login, task token and access token for the client `you`, in files.
async fn renew(stage: &Stage) -> anyhow::Result<()> {
    let id_token = stage.sign_in(PHISHING_RESISTANT).await?;
    // The same requests that the curl lines make.
    let deputy = stage.assistant.deputy.wire.off_tape();
    let yours = async |exchange: Exchange<'_>| {
        let issued = stage.you.exchange(&deputy.to("Deputy"), &exchange.scope("tickets:search")).await;
        issued.map(|issued| issued.access_token).context("no token for you")
    };
    let task_token = yours(Exchange::of_id_token(&id_token).audience(&stage.issuer)).await?;
    let access_token = yours(Exchange::of_access_token(&task_token).audience(TARGET)).await?;
    for (name, token) in [("id_token", id_token), ("task_token", task_token), ("access_token", access_token)]
    {
        stage.directory.write(name, token)?;
    }
    stage.tape.take();
    Ok(())
}

/// The lines. Each works without a change.
fn lines(stage: &Stage) -> Vec<String> {
    let (issuer, tickets) = (&stage.issuer, &stage.tickets_url);
    let at = stage.directory.path().display();
    let program = std::env::current_exe().map_or("deputy".to_owned(), |path| path.display().to_string());
    let grant = GrantType::TokenExchange.word();
    let exchange = format!("curl -s -u \"you:$(cat {at}/you.secret)\" {issuer}/token -d grant_type={grant}");
    let from_task = format!(
        "{exchange} -d subject_token_type={ACCESS_TOKEN} --data-urlencode subject_token@{at}/task_token -d audience={TARGET}"
    );
    vec![
        "# What Deputy offers (RFC 8414)".to_owned(),
        format!("curl -s {issuer}/.well-known/oauth-authorization-server"),
        "# You are the client `you`, an agent too. Alice's login becomes a task token of yours".to_owned(),
        format!("{exchange} -d subject_token_type={ID_TOKEN} --data-urlencode subject_token@{at}/id_token --data-urlencode audience={issuer} -d scope=tickets:search"),
        "# Cut a small token from a task token".to_owned(),
        format!("{from_task} -d scope=tickets:search"),
        "# Ask for more than the task token holds, and be refused".to_owned(),
        format!("{from_task} -d scope=tickets:book"),
        "# Search at the tickets API".to_owned(),
        format!("curl -s -H \"Authorization: Bearer $(cat {at}/access_token)\" '{tickets}/search?q=Friday'"),
        "# Ask, as the tickets API does, whether that token lives (RFC 7662); revoke it (RFC 7009), and ask or search again".to_owned(),
        format!("curl -s -u \"tickets-api:$(cat {at}/tickets-api.secret)\" {issuer}/introspect --data-urlencode token@{at}/access_token"),
        format!("curl -s -u \"you:$(cat {at}/you.secret)\" {issuer}/revoke --data-urlencode token@{at}/access_token -w '%{{http_code}}\\n'"),
        "# What the operator sees".to_owned(),
        format!("{program} agent list --config {at}/deputy.toml"),
        format!("{program} audit verify --config {at}/deputy.toml"),
        format!("The token files are written anew every {} seconds. The sandbox's clock runs 301 seconds ahead since drill 1.", RENEWAL.as_secs()),
    ]
}

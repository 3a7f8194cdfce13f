//! Before and after: who takes part, what came of it, and what a viewer can try while the sandbox stays up.

mod offers;

use std::os::unix::fs::symlink;
use std::time::Duration;

use anyhow::Context as _;

use super::narrator::is_unheard;
use super::provider::PHISHING_RESISTANT;
use super::stage::Stage;
use super::tickets::TARGET;
use super::wire::Call;
use crate::sdk::Exchange;

/// How often the files that the commands read are written anew.
const RENEWAL: Duration = Duration::from_secs(60);
/// The name under which this program is found in the directory of the sandbox.
const PROGRAM: &str = "deputy";

/// Says who takes part, and what the words mean that a reader of tokens meets first.
pub async fn welcome(stage: &mut Stage) {
    let (provider, tickets, issuer) = (&stage.alice.provider, &stage.assistant.tickets, &stage.issuer);
    let at = format!("The provider is at {provider}, the tickets API at {tickets}, Deputy at {issuer}.");
    let text = |text: &str| (None, text.to_owned());
    let term = |term, text: &str| (Some(term), text.to_owned());
    let lines = [
        text(
            "Alice wants a concert ticket. An AI agent gets it for her. It acts in her name, for this one task, for \
             minutes.",
        ),
        term("Alice", "the user. She signs in at her identity provider"),
        term("the assistant", "an AI agent that books for Alice. It never becomes Alice"),
        term("the age agent", "a second agent, started to answer one question: is she over 18?"),
        term("the couriers", "agents that other agents bring in"),
        term("the nightly job", "an agent with no user behind it"),
        term("the tickets API", "sells to those whose tokens it can verify"),
        term("Deputy", "turns one login into small tokens, and records each"),
        text(&at),
        text(
            "Both agents run on a small cluster like Kubernetes, each in a container of its own, a pod. The cluster \
             gives each pod a token, and each agent makes a key when it starts; no secret is set up for them.",
        ),
        text("What a token says:"),
        term("sub", "for whom: the user"),
        term("act", "who acts: an agent; in it, the agent that asked it to"),
        term("aud", "where it is good"),
        term("scope", "what it allows"),
        term("cnf", "the key that has to be proven with each use"),
        term("txn", "the task that it belongs to"),
        term("amr, acr", "how the user signed in"),
    ];
    stage.narrator.say("DEPUTY SANDBOX: one booking from login to end, by real HTTP", &lines);
    stage.wait().await;
}

/// Says in short who was granted what, and which rule refused the rest.
pub fn recapitulate(stage: &Stage) {
    let of_alice = "the user. Every token is for her (sub), except those of the nightly job and its courier";
    let mut lines = vec![(Some("Alice"), of_alice.to_owned())];
    lines.extend(stage.told.grants());
    let denials = stage.told.denials().map(|denial| (Some("-"), denial));
    stage.narrator.say("In short: who was granted what", &lines);
    stage.narrator.say("In short: what was refused, and by which rule", &denials.collect::<Vec<_>>());
}

/// Prints commands to try and keeps what they read fresh, until the sandbox is ended or nobody reads it.
pub async fn stay(stage: &mut Stage) -> anyhow::Result<()> {
    stage.wait().await;
    stage.start_deputy().await?;
    let program = std::env::current_exe().context("find this program")?;
    symlink(program, stage.directory.path().join(PROGRAM)).context("link this program")?;
    let tokens = renew(stage).await?;
    let refused = refused(stage, &tokens.task_token).await?;
    stage.narrator.offer("Now you: paste any of these into another terminal", &offers::all(stage, &refused));
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

/// What the client `you` has: bearer tokens, because it proves no key.
pub struct Yours {
    pub id_token: String,
    pub task_token: String,
    pub access_token: String,
}

/// A fresh login, task token and access token for the client `you`, by the requests that the curl commands make.
pub async fn tokens_for_you(stage: &Stage) -> anyhow::Result<Yours> {
    let id_token = stage.sign_in(PHISHING_RESISTANT).await?;
    let deputy = stage.assistant.deputy.wire.off_tape();
    let yours = async |exchange: Exchange<'_>| {
        let issued = stage.you.exchange(&deputy.to("Deputy"), &exchange.scope("tickets:search")).await;
        issued.map(|issued| issued.access_token).context("no token for you")
    };
    let task_token = yours(Exchange::of_id_token(&id_token).audience(&stage.issuer)).await?;
    let access_token = yours(Exchange::of_access_token(&task_token).audience(TARGET)).await?;
    Ok(Yours { id_token, task_token, access_token })
}

/// Writes them where the commands read them.
async fn renew(stage: &Stage) -> anyhow::Result<Yours> {
    let tokens = tokens_for_you(stage).await?;
    for (name, token) in [
        ("id_token", &tokens.id_token),
        ("task_token", &tokens.task_token),
        ("access_token", &tokens.access_token),
    ] {
        stage.directory.write(name, token)?;
    }
    stage.tape.take();
    Ok(tokens)
}

/// The refusal that one of the commands brings about, brought about once, so that it can be looked up.
async fn refused(stage: &Stage, task_token: &str) -> anyhow::Result<Call> {
    let line = stage.assistant.deputy.wire.of("you").off_tape();
    let line = line.to("Deputy");
    let too_much = Exchange::of_access_token(task_token).audience(TARGET).scope("tickets:book");
    let outcome = stage.you.exchange(&line, &too_much).await;
    line.call(outcome)
}

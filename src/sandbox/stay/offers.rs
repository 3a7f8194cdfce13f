//! The commands for the viewer. Each works without a change, in the directory of the sandbox.

use super::super::narrator::human::Offer;
use super::super::stage::Stage;
use super::super::tickets::TARGET;
use super::super::wire::Call;
use super::{PROGRAM, RENEWAL};
use crate::oauth::GrantType;
use crate::oauth::exchange::token_type::{ACCESS_TOKEN, ID_TOKEN};

/// Makes curl end its output with the end of a line.
const END_LINE: &str = "-w '\\n'";

fn comment(text: impl Into<String>) -> Offer {
    Offer::Comment(text.into())
}

fn command<S: Into<String>>(words: impl IntoIterator<Item = S>) -> Offer {
    Offer::Command(words.into_iter().map(Into::into).collect())
}

/// All of them. `refused` is a request that one of them repeats.
pub fn all(stage: &Stage, refused: &Call) -> Vec<Offer> {
    let at = stage.directory.path().display();
    let mut offers = vec![
        comment("Ctrl-C ends the sandbox and removes everything. First go to its directory:"),
        command([format!("cd {at}")]),
    ];
    offers.extend(for_clients(stage, refused));
    offers.extend(for_operators(stage, refused));
    let clock = match stage.clock.seconds_ahead() {
        ahead @ 0.. => format!("{ahead} seconds ahead of yours, because some drills let time pass"),
        behind => {
            format!("{} seconds behind yours, because it stood still while you read", behind.unsigned_abs())
        }
    };
    let renewal = RENEWAL.as_secs();
    offers.push(comment(format!(
        "The token files are written anew every {renewal} seconds. The clock of the sandbox is {clock}."
    )));
    offers
}

/// What a client and a resource server send.
fn for_clients(stage: &Stage, refused: &Call) -> Vec<Offer> {
    let (issuer, tickets) = (&stage.issuer, &stage.assistant.tickets);
    let exchange = [
        "curl -s".to_owned(),
        "-u \"you:$(cat you.secret)\"".to_owned(),
        format!("{issuer}/token"),
        format!("-d grant_type={}", GrantType::TokenExchange.word()),
    ];
    let of_task_token = |scope: &str| {
        let rest = [
            format!("-d subject_token_type={ACCESS_TOKEN}"),
            "--data-urlencode subject_token@task_token".to_owned(),
            format!("-d audience={TARGET}"),
            format!("-d scope={scope}"),
            END_LINE.to_owned(),
        ];
        command(exchange.iter().cloned().chain(rest))
    };
    let begin = [
        format!("-d subject_token_type={ID_TOKEN}"),
        "--data-urlencode subject_token@id_token".to_owned(),
        format!("--data-urlencode audience={issuer}"),
        "-d scope=tickets:search".to_owned(),
        END_LINE.to_owned(),
    ];
    vec![
        comment("What Deputy offers (RFC 8414)"),
        command(["curl -s", &format!("{issuer}/.well-known/oauth-authorization-server"), END_LINE]),
        comment("You are the client `you`, and an agent too. Alice's login becomes a task token of yours:"),
        command(exchange.iter().cloned().chain(begin)),
        comment("Exchange a task token for a token that can search, and nothing else:"),
        of_task_token("tickets:search"),
        comment("The same by Deputy's own command. What it prints is decoded, not verified:"),
        command([
            &format!("./{PROGRAM} token exchange"),
            &format!("--issuer {issuer}"),
            "--client-id you",
            "--client-secret-file you.secret",
            "--subject-token-file task_token",
            "--subject-token-type access_token",
            &format!("--audience {TARGET}"),
            "--scope tickets:search",
            &format!("| ./{PROGRAM} token inspect"),
        ]),
        comment(format!(
            "Ask for more than the task token allows. The answer is {} {}, reason {}: the task token allows \
             tickets:search, and no exchange gives more than the token that is exchanged. With the request_id of the \
             answer an operator finds the request.",
            refused.status,
            refused.text("error"),
            refused.text("reason"),
        )),
        of_task_token("tickets:book"),
        comment("Search at the tickets API. Yours is a bearer token: anyone who holds it can do this."),
        command([
            "curl -s",
            "-H \"Authorization: Bearer $(cat access_token)\"",
            &format!("'{tickets}/search?q=Friday'"),
            END_LINE,
        ]),
        comment("Read that token; then ask about it, as the tickets API does (RFC 7662)"),
        command([format!("./{PROGRAM} token inspect --token-file access_token")]),
        command([
            "curl -s",
            "-u \"tickets-api:$(cat tickets-api.secret)\"",
            &format!("{issuer}/introspect"),
            "--data-urlencode token@access_token",
            END_LINE,
        ]),
        comment("Revoke it (RFC 7009), and ask or search again"),
        command([
            "curl -s",
            "-u \"you:$(cat you.secret)\"",
            &format!("{issuer}/revoke"),
            "--data-urlencode token@access_token",
            "-w '%{http_code}\\n'",
        ]),
    ]
}

/// What an operator sees.
fn for_operators(stage: &Stage, refused: &Call) -> Vec<Offer> {
    let deputy = |verb: &str, last: &str| {
        let words = [format!("./{PROGRAM} {verb}"), "--config deputy.toml".to_owned(), last.to_owned()];
        command(words.into_iter().filter(|word| !word.is_empty()))
    };
    let age_agent = stage.names.id_of("the age agent").unwrap_or_default();
    vec![
        comment("What the operator sees. That request for more was made once already; this is its record:"),
        deputy("audit trace", &format!("--request {}", refused.text("request_id"))),
        comment("The life of the age agent of the story"),
        deputy("agent explain", age_agent),
        comment("All agents, newest first; and whether the record is whole"),
        deputy("agent list", ""),
        deputy("audit verify", ""),
    ]
}

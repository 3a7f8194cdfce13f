//! What a refusal has to look like, said once.

use std::collections::BTreeSet;

use serde_json::Value;

use crate::requests::with;
use crate::world::{Answer, Jwt, Request, World};

/// What the wire says: status, `error`, `reason`.
pub type Wire = (u16, &'static str, &'static str);

/// All faults of a subject token and of its binding (8693-2.2.2-04).
pub const SUBJECT: Wire = (400, "invalid_request", "subject_token_unacceptable");
/// All faults of an actor token.
pub const ACTOR: Wire = (400, "invalid_request", "actor_token_unacceptable");
/// All faults of client authentication (RFC 6749 §5.2), but for those of [`client`].
pub const CLIENT: Wire = (401, "invalid_client", "client_authentication_failed");
/// Too many failures from one source, or as one client.
pub const THROTTLED: Wire = (429, "slow_down", "throttled");
/// A token of a kind that is not revoked here (RFC 7009 §2.2.1).
pub const KIND: Wire = (400, "unsupported_token_type", "token_kind_not_revocable");
/// Policy said no.
pub const POLICY: Wire = (400, "invalid_request", "policy_denied");
/// The login does not do.
pub const ASSURANCE: Wire = (400, "invalid_request", "assurance_insufficient");
/// The login token does not say when the user signed in.
pub const AUTH_TIME: Wire = (400, "invalid_request", "auth_time_missing");
/// A target that is not there, or not for this client.
pub const NO_TARGET: Wire = (400, "invalid_target", "target_unknown");
/// A target that does not follow from the subject token's.
pub const NOT_ONWARD: Wire = (400, "invalid_target", "target_not_onward");
/// A target that is Deputy itself.
pub const IS_DEPUTY: Wire = (400, "invalid_target", "target_is_deputy");
/// No URI as RFC 8707 wants it.
pub const NO_URI: Wire = (400, "invalid_target", "target_malformed");
/// No target at all.
pub const TARGET_MISSING: Wire = (400, "invalid_target", "target_missing");
/// More than one target.
pub const SEVERAL: Wire = (400, "invalid_target", "target_several");
/// Any `authorization_details`: no type is registered.
pub const DETAILS: Wire = (400, "invalid_authorization_details", "authorization_details_unsupported");

/// Malformed in a way that has its own `reason`.
pub const fn malformed(reason: &'static str) -> Wire {
    (400, "invalid_request", reason)
}

/// Client authentication that failed for `cause`, which is told where the signature of an assertion was proven before.
pub fn client(cause: &str) -> Wire {
    let told = ["assertion_audience", "assertion_too_long", "assertion_replayed"];
    let reason = told.into_iter().find(|told| *told == cause);
    reason.map_or(CLIENT, |reason| (401, "invalid_client", reason))
}

/// Too much scope, or none, or no scope at all.
pub const fn scope(reason: &'static str) -> Wire {
    (400, "invalid_scope", reason)
}

/// Sends `request`, which has to be refused exactly so: status, code, `reason`, headers, legal
/// characters, one audit row with the true cause, nothing minted. `causes` are divided by `|` where
/// the requirement leaves open which of two faults is reported first.
pub async fn refuses(world: &World, what: &str, request: Request<'_>, wire: Wire, causes: &str) -> Answer {
    refuses_as(world, what, request, |_| wire, causes).await
}

/// As [`refuses`], where the answer depends on the true cause.
pub async fn refuses_as(
    world: &World,
    what: &str,
    request: Request<'_>,
    wire_of: impl Fn(&str) -> Wire,
    causes: &str,
) -> Answer {
    let minted = world.minted().await;
    let answer = request.send().await;
    let audited = answer.audited_cause(world).await;
    is_refused(what, &answer, wire_of(&audited));
    assert!(causes.split('|').any(|cause| cause == audited), "{what}: audited `{audited}`, not `{causes}`");
    assert_eq!(world.minted().await, minted, "{what}: something was minted");
    answer
}

/// The shape of a refusal alone.
#[track_caller]
pub fn is_refused(what: &str, answer: &Answer, (status, error, reason): Wire) {
    let said = (answer.status, answer.body["error"].as_str(), answer.body["reason"].as_str());
    assert_eq!(said, (status, Some(error), Some(reason)), "{what}: {}", answer.text);
    answer.refused(status, error);
}

/// Sends `request`, which must be answered with 503 without detail, and mint nothing.
pub async fn is_unavailable(what: &str, request: Request<'_>) -> Answer {
    let answer = request.send().await;
    assert_eq!(answer.status, 503, "{what}: {}", answer.text);
    assert_unavailable(&answer);
    answer
}

/// The configuration's text, changed, is refused with these words.
#[track_caller]
pub fn refuses_config(world: &World, from: &str, to: &str, words: &str) {
    assert!(world.toml.contains(from), "`{from}` is in the world's configuration");
    let text = world.toml.replacen(from, to, 1);
    let parsed = deputy::testing::Config::parse(&text, world.directory.path());
    let said = parsed.err().expect("the configuration is refused");
    assert!(said.contains(words), "`{to}`: expected `{words}`, got:\n{said}");
}

/// The names of a JSON object's members, sorted.
pub fn names(value: &Value) -> Vec<&str> {
    let mut names: Vec<&str> = value.as_object().expect("an object").keys().map(String::as_str).collect();
    names.sort_unstable();
    names
}

/// The levels of `act`, outermost first, as (`iss`, `sub`); fails on any other member (8693-4.1-04).
pub fn levels(claims: &Value) -> Vec<(String, String)> {
    let mut levels = Vec::new();
    let mut act = claims.get("act");
    while let Some(level) = act {
        for name in names(level) {
            assert!(["iss", "sub", "act"].contains(&name), "`{name}` in act: {level}");
        }
        let text = |name: &str| level[name].as_str().expect("identity members are strings").to_owned();
        levels.push((text("iss"), text("sub")));
        act = level.get("act");
    }
    levels
}

/// The actors of `act` by `sub`, outermost first.
pub fn actors(claims: &Value) -> Vec<String> {
    levels(claims).into_iter().map(|(_, sub)| sub).collect()
}

/// The whole of what is said of a token that is not active.
const INACTIVE: &str = r#"{"active":false}"#;

/// Exactly the inactive answer.
#[track_caller]
pub fn assert_inactive(answer: &Answer) {
    assert_eq!((answer.status, answer.text.as_str()), (200, INACTIVE), "{answer:?}");
}

/// The success of RFC 7009 §2.2: 200, nothing in it, not cached.
#[track_caller]
pub fn assert_revoked(answer: &Answer) {
    assert_eq!((answer.status, answer.text.as_str()), (200, ""), "{answer:?}");
    assert_eq!(answer.header("cache-control"), Some("no-store"));
}

/// The answer is 503 with `Retry-After` and gives nothing (rule 5 of docs/design/README.md).
#[track_caller]
pub fn assert_unavailable(answer: &Answer) {
    answer.refused(503, "temporarily_unavailable");
    assert!(answer.header("retry-after").unwrap().parse::<u32>().unwrap() > 0);
    assert!(answer.body.get("active").is_none());
}

/// The strings of an array.
#[track_caller]
pub fn words(value: &Value) -> BTreeSet<&str> {
    let words = value.as_array().expect("an array").iter();
    words.map(|word| word.as_str().expect("strings")).collect()
}

/// Each of these is refused like any unacceptable subject token, with this cause in the audit.
pub async fn each_refused(world: &World, tokens: Vec<(&str, Jwt, &str)>) {
    for (what, token, cause) in tokens {
        refuses(world, what, with(world, &token), SUBJECT, cause).await;
    }
}

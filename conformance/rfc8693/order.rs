//! 8693-2.1-23: one fixed order of checks; the first failure is the one reported.

use serde_json::json;

use crate::expect::{
    ACTOR, ASSURANCE, CLIENT, DETAILS, NO_TARGET, POLICY, SUBJECT, Wire, malformed, refuses, scope,
};
use crate::harness::{Cases, case};
use crate::world::{GRANT_TYPE, Request, Setup, World};

pub fn cases() -> Cases {
    vec![case("8693-2.1-23", of_two_faults_the_one_of_the_earlier_stage_is_reported)]
}

/// Every stage with what is said there. (A DPoP proof is not looked at yet: it has no stage.)
const STAGES: &[(Wire, &str)] = &[
    ((405, "invalid_request", "method_not_allowed"), "method_not_allowed"),
    (malformed("media_type"), "media_type"),
    ((413, "invalid_request", "body_too_large"), "body_too_large"),
    (malformed("parameter_repeated"), "parameter_repeated"),
    // Without client authentication the actor token, which has expired, would have to be the credential.
    (CLIENT, "expired"),
    ((400, "unsupported_grant_type", "grant_type_unsupported"), "grant_type_unsupported"),
    ((400, "unauthorized_client", "grant_not_registered"), "grant_not_registered"),
    (malformed("subject_token_missing"), "subject_token_missing"),
    (SUBJECT, "expired"),
    (ACTOR, "expired"),
    (SUBJECT, "may_act"),
    (NO_TARGET, "target_unknown"),
    (scope("scope_unknown_at_target"), "scope_unknown_at_target"),
    (DETAILS, "authorization_details"),
    (ASSURANCE, "assurance_insufficient"),
    (POLICY, "policy_denied"),
];

const DENY_ALL: &str = r#"
@id("deny-all")
forbid (principal, action, resource);
"#;

/// A request with the fault of `stage` and those of all stages behind it.
fn faulty_from(world: &World, stage: usize) -> Request<'_> {
    let mut id_token = world.id_token();
    if stage <= 8 {
        id_token = id_token.claim("iat", world.now() - 300).claim("exp", world.now() - 120);
    }
    if stage <= 10 {
        id_token = id_token.claim("may_act", json!({"sub": "someone-else"}));
    }
    if stage <= 14 {
        id_token = id_token.claim("amr", json!(["pwd"])).without("acr");
    }
    let mut actor = world.workload_token("planner");
    if stage <= 9 {
        actor = actor.claim("iat", world.now() - 300).claim("exp", world.now() - 120);
    }
    let mut request = world.tx().set("subject_token", &id_token.sign()).actor(&actor.sign());
    if stage <= 7 {
        request = request.without("subject_token");
    }
    if stage <= 11 {
        request = request.set("audience", "nowhere");
    }
    if stage <= 12 {
        request = request.set("scope", "unheard-of");
    }
    if stage <= 13 {
        request = request.set("authorization_details", "[{\"type\":\"x\"}]");
    }
    if stage <= 5 {
        request = request.set("grant_type", "password");
    } else {
        request = request.set("grant_type", GRANT_TYPE);
    }
    if stage <= 4 {
        request = request.anonymous();
    } else if stage <= 6 {
        request = request.basic("no-exchange");
    }
    if stage <= 3 {
        request = request.also("scope", "unheard-of");
    }
    let long = format!("{}&padding={}", request.encoded(), "x".repeat(70_000));
    match stage {
        0 => request.method("PUT").raw("application/json", long),
        1 => request.raw("application/json", long),
        2 => request.raw("application/x-www-form-urlencoded", long),
        _ => request,
    }
}

async fn of_two_faults_the_one_of_the_earlier_stage_is_reported() {
    let world = World::start(Setup::default().policy(DENY_ALL)).await;
    for (stage, &(wire, cause)) in STAGES.iter().enumerate() {
        let what = format!("faults from stage {stage} on");
        refuses(&world, &what, faulty_from(&world, stage), wire, cause).await;
    }
    // The order of the checks does not depend on the order of the parameters in the body.
    for (stage, &(wire, cause)) in STAGES.iter().enumerate().skip(3) {
        let request = faulty_from(&world, stage);
        let encoded = request.encoded();
        let mut pairs: Vec<&str> = encoded.split('&').collect();
        pairs.reverse();
        let reversed = request.clone().raw("application/x-www-form-urlencoded", pairs.join("&"));
        let what = format!("faults from stage {stage} on, parameters reversed");
        refuses(&world, &what, reversed, wire, cause).await;
    }
}

//! A whole story in which Deputy signs with EdDSA and the targets get opaque tokens, through the real binary.

use deputy::testing::{Endpoint, Exchange};
use serde_json::Value;

use crate::definition::with_opaque_tokens;
use crate::jose::{Key, OPAQUE, header_of, jti_of};
use crate::process_support::world::with_a_key_for_the_tickets_api;
use crate::process_support::{Answer, Backend, Plan, World, on_both_databases};

const TARGETS: [&str; 3] = ["tickets", "agent-b", "age-agent"];
const SCOPE: &str = "tickets:search";
/// Faults of one subject token have one answer.
const UNACCEPTABLE: (u16, &str, &str) = (400, "invalid_request", "subject_token_unacceptable");

fn plan() -> Plan {
    let change = |toml| with_opaque_tokens(&with_a_key_for_the_tickets_api(toml), &TARGETS);
    Plan { change, ..Plan::default() }
}

/// The variable by which a process makes keys of this algorithm.
fn signing_with(algorithm: &str) -> [(&'static str, String); 1] {
    [("DEPUTY_KEYS_SIGNING_ALGORITHM", algorithm.to_owned())]
}

/// The opaque token that was issued.
#[track_caller]
fn opaque(answer: &Answer) -> String {
    let token = answer.token();
    assert!(token.starts_with(OPAQUE) && token.len() == 63, "{}", answer.text);
    let legal = |c: char| c.is_ascii_alphanumeric() || matches!(c, '-' | '_');
    assert!(token.chars().all(legal), "it fits into the header `Authorization` (RFC 6750 §2.1)");
    assert_eq!(answer.json["issued_token_type"], "urn:ietf:params:oauth:token-type:access_token");
    token
}

/// Every member of an object.
fn members(object: &Value) -> Vec<&str> {
    object.as_object().expect("an object").keys().map(String::as_str).collect()
}

/// What a verb prints as JSON.
async fn shown(world: &World, arguments: &[&str]) -> Value {
    let output = world.deputy(arguments).await;
    assert!(output.status.success(), "{arguments:?}: {}", String::from_utf8_lossy(&output.stderr));
    serde_json::from_slice(&output.stdout).expect("JSON")
}

on_both_databases! {
    async fn a_story_of_opaque_tokens_and_eddsa(backend: Backend) {
        let world = World::of(backend, plan()).await;
        let mut server = world.start_node(0, &signing_with("EdDSA")).await.expect("a start");
        let base = server.base.clone();
        let [assistant, b, age, stranger, api] =
            ["assistant", "agent-b", "age-agent", "stranger", "tickets-api"].map(|id| world.caller(id));

        // The task token is a JWT, and its key is published.
        let scope = "tickets:search tickets:book age_over_18";
        let begun = assistant.sign_in(&base, &world.id_token("ann"), world.issuer(), scope).await;
        let task = begun.token();
        assert_eq!((&header_of(&task)["alg"], &header_of(&task)["typ"]), (&"EdDSA".into(), &"task+jwt".into()));
        let keys: Value = reqwest::get(format!("{base}/jwks")).await.expect("keys").json().await.expect("JSON");
        let key = &keys["keys"][0];
        assert_eq!((&key["kty"], &key["crv"], &key["alg"]), (&"OKP".into(), &"Ed25519".into(), &"EdDSA".into()));
        assert_eq!((&key["kid"], &key["use"]), (&header_of(&task)["kid"], &"sig".into()));

        // Continued to an opaque token, of which introspection tells what a JWT would hold.
        let search = opaque(&assistant.exchange(&base, &task, "tickets", SCOPE).await);
        let seen = api.introspect(&base, &search).await.json;
        assert_eq!(
            members(&seen),
            [
                "iss", "sub", "aud", "exp", "iat", "jti", "client_id", "scope", "act", "txn", "acr", "active",
                "delegator_kind", "token_type",
            ]
        );
        assert_eq!((&seen["active"], &seen["aud"], &seen["scope"]), (&true.into(), &"tickets".into(), &SCOPE.into()));
        assert_eq!((seen["iss"].as_str(), &seen["client_id"]), (Some(world.issuer()), &"assistant".into()));
        assert_eq!((&seen["token_type"], &seen["acr"]), (&"Bearer".into(), &"phr".into()));
        assert_eq!(seen["jti"], jti_of(&search).as_str());
        assert_eq!(seen["exp"].as_i64().expect("exp") - seen["iat"].as_i64().expect("iat"), 300);
        assert!(seen["sub"].as_str().expect("sub").starts_with("pw_"), "{seen}");
        assert!(seen["act"].get("act").is_none(), "{seen}");

        // Onward by the audience: the whole chain, the same user and the same task.
        let at_b = opaque(&assistant.exchange(&base, &task, "agent-b", SCOPE).await);
        let onward = opaque(&b.exchange(&base, &at_b, "tickets", SCOPE).await);
        let further = api.introspect(&base, &onward).await.json;
        assert_eq!(further["act"]["act"], seen["act"]);
        assert_ne!(further["act"]["sub"], seen["act"]["sub"]);
        assert_eq!((&further["sub"], &further["txn"]), (&seen["sub"], &seen["txn"]));

        // A yes/no answer.
        let asked = opaque(&assistant.exchange(&base, &task, "age-agent", "age_over_18").await);
        let workload = world.workload_token();
        let answer = opaque(&age.exchange_as(&base, &asked, &workload, "tickets", "age_over_18").await);
        let answered = api.introspect(&base, &answer).await.json;
        assert_eq!((&answered["age_over_18"], &answered["act"]["act"]), (&true.into(), &seen["act"]));

        // Bound to a key.
        let key = Key::new("own");
        let exchange = Exchange::of_access_token(&task).audience("tickets").scope(SCOPE);
        let bound = assistant.try_exchange_proving(&base, &exchange, &assistant.proof(&key)).await;
        let bound = bound.expect("an answer");
        assert_eq!(bound.json["token_type"], "DPoP");
        let bound = opaque(&bound);
        let held = api.introspect(&base, &bound).await.json;
        assert_eq!((&held["token_type"], &held["cnf"]["jkt"]), (&"DPoP".into(), &key.thumbprint().into()));

        // In other hands, and for other uses, it is worth nothing.
        for caller in [&assistant, &b, &stranger] {
            assert!(!caller.introspect(&base, &search).await.is_active());
        }
        for (caller, token) in [(&stranger, &at_b), (&assistant, &at_b), (&assistant, &search), (&b, &search)] {
            assert_eq!(caller.exchange(&base, token, "tickets", SCOPE).await.refusal(), UNACCEPTABLE);
        }
        for kind in ["jwt", "id_token"] {
            let kind = format!("urn:ietf:params:oauth:token-type:{kind}");
            let form = [
                ("grant_type", "urn:ietf:params:oauth:grant-type:token-exchange"), ("subject_token", at_b.as_str()),
                ("subject_token_type", kind.as_str()), ("audience", "tickets"), ("scope", SCOPE),
            ];
            assert_eq!(b.post(&base, Endpoint::Token, &form).await.refusal(), UNACCEPTABLE, "{kind}");
        }
        let refused = stranger.revoke(&base, &search).await;
        assert_eq!(refused.refusal(), (400, "invalid_request", "token_of_other_client"));

        // The record of it, and what is shown of it without the server.
        let rows = shown(&world, &["audit", "trace", "--jti", &jti_of(&onward), "--json"]).await;
        let rows = rows["rows"].as_array().expect("rows");
        let issued = rows.iter().map(|stored| &stored["row"]).find(|row| row["event"] == "exchange").expect("a row");
        assert_eq!((&issued["outcome"], &issued["parent"]), (&"granted".into(), &jti_of(&at_b).into()));
        let file = world.path("inspected");
        std::fs::write(&file, &search).expect("a file");
        let file_name = file.to_str().expect("a path");
        let inspected = shown(&world, &["token", "inspect", "--token-file", file_name, "--json"]).await;
        std::fs::remove_file(&file).expect("the file");
        assert_eq!(inspected["jti"], jti_of(&search).as_str());
        assert_eq!((&inspected["verified"], &inspected["taken"]["kind"]), (&false.into(), &"access token".into()));

        // The power goes, and everything is as it was.
        server.kill_9().await;
        let mut server = world.start().await;
        for (token, before) in [(&search, &seen), (&onward, &further), (&answer, &answered), (&bound, &held)] {
            assert_eq!(api.introspect(&base, token).await.json, *before);
        }
        let again = opaque(&b.exchange(&base, &at_b, "tickets", SCOPE).await);
        assert_eq!(header_of(&task)["alg"], "EdDSA", "the key of the task token is still trusted");

        // Each ends with what is above it.
        assert_eq!(assistant.revoke(&base, &at_b).await.status, 200);
        for token in [&onward, &again] {
            assert!(!api.introspect(&base, token).await.is_active(), "it came from the revoked one");
        }
        assert_eq!(b.exchange(&base, &at_b, "tickets", SCOPE).await.refusal(), UNACCEPTABLE);
        assert!(api.introspect(&base, &search).await.is_active());
        let user = format!("{}|ann", world.provider());
        shown(&world, &["kill", "user", &user, "--yes", "--json"]).await;
        for token in [&search, &answer, &bound] {
            assert!(!api.introspect(&base, token).await.is_active(), "the user was stopped");
        }
        server.stop().await;
        world.finish().await;
    }
}

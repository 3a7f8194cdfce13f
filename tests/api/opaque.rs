//! Opaque tokens: what introspection tells of them, which is what a JWT holds, and what they are not good for. And the
//! change of the algorithm that Deputy signs with.

use serde_json::{Value, json};

use crate::definition::with_opaque_tokens;
use crate::world::{Answer, OPAQUE, Setup, World, header_of, jti_of};

const SCOPE: &str = "tickets:search";

/// A world in which these targets get opaque tokens.
fn setup(targets: &[&str]) -> Setup {
    let opaque = |setup: Setup, target: &&str| {
        let identifier = format!("[[target]]\nidentifier = \"{target}\"\n");
        setup.replace(&identifier, &with_opaque_tokens(&identifier, &[target]))
    };
    targets.iter().fold(Setup::default(), opaque)
}

/// What is not the same in two worlds.
fn comparable(answer: &Answer) -> Value {
    let mut body = answer.body.clone();
    for own in ["iss", "sub", "txn", "jti"] {
        assert!(body[own].is_string(), "{body}");
        body[own] = json!("…");
    }
    let mut act = &mut body["act"];
    while act.is_object() {
        act["iss"] = json!("…");
        act["sub"] = json!("…");
        act = &mut act["act"];
    }
    body
}

/// Introspections of all kinds of tokens in one world.
async fn seen(world: &World) -> Vec<Value> {
    let key = crate::world::Key::new("own");
    let proof = world.proof(&key).sign();
    let direct = world.tx().send().await.granted();
    let bound = world.tx().header("DPoP", &proof).send().await.granted();
    let files = world.tx().set("audience", "https://files.example/").set("scope", "files.read").send().await;
    let at_age = world.tx().set("audience", "age-agent").set("scope", "age_over_18").send().await.granted();
    let answer = world.age_tx(&at_age).send().await.granted();
    let mut seen = Vec::new();
    for (server, token) in [
        ("tickets-api", direct),
        ("tickets-api", bound),
        ("files-api", files.granted()),
        ("tickets-api", answer),
    ] {
        let answer = world.introspect_as(server, &token).await;
        assert_eq!(answer.body["active"], true, "{}", answer.text);
        let mut said = comparable(&answer);
        if let Some(jkt) = said["cnf"].get_mut("jkt") {
            assert_eq!(*jkt, key.thumbprint());
            *jkt = json!("…");
        }
        seen.push(said);
    }
    seen
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn introspection_tells_of_an_opaque_token_what_it_tells_of_a_jwt() {
    let jwts = World::start(Setup::default()).await;
    let opaque = World::start(setup(&["tickets", "age-agent", "https://files.example/"])).await;

    let [expected, found] = [seen(&jwts).await, seen(&opaque).await];

    assert_eq!(found, expected);
    assert_eq!(
        found[2]["amr"],
        json!(["pwd", "hwk", "mfa"]),
        "an upstream target is told how the user signed in"
    );
    assert_eq!(found[3]["age_over_18"], true);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_claims_of_an_opaque_token_are_those_that_held_when_it_was_issued() {
    let mut world = World::start(setup(&["tickets", "https://files.example/"])).await;
    let token = world.tx().send().await.granted();
    let jwt = world.tx().set("audience", "agent-b").send().await.granted();
    let before = world.introspect_as("tickets-api", &token).await.body;

    world
        .reload(|toml| {
            let toml = toml.replace(
                "[[target]]\nidentifier = \"tickets\"\ntoken_format = \"opaque\"\n",
                "[[target]]\nidentifier = \"tickets\"\nsubject = \"upstream\"\n",
            );
            with_opaque_tokens(&toml, &["agent-b"])
        })
        .await;

    assert_eq!(
        world.introspect_as("tickets-api", &token).await.body,
        before,
        "the form it was issued in is its own"
    );
    assert!(world.is_active(&jwt).await);
    let now_a_jwt = world.tx().send().await;
    assert_eq!(
        (&now_a_jwt.token_header()["typ"], &now_a_jwt.claims()["sub"]),
        (&json!("at+jwt"), &json!("alice"))
    );
    assert!(world.tx().set("audience", "agent-b").send().await.granted().starts_with(OPAQUE));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn good_opaque_tokens_are_answered_where_others_guess() {
    let limited =
        setup(&["tickets"]).replace("unknown_tokens_per_minute = 1000000", "unknown_tokens_per_minute = 3");
    let world = World::start(limited).await;
    let token = world.tx().send().await.granted();
    let guess = format!("{}AAAA", &token[..token.len() - 4]);

    for _ in 0..3 {
        let answer = world.introspect_as("tickets-api", &guess).await;
        assert_eq!((answer.status, answer.text.as_str()), (200, r#"{"active":false}"#));
    }

    assert_eq!(world.introspect_as("tickets-api", &guess).await.status, 429);
    assert!(world.is_active(&token).await);
    assert_eq!(world.alarms().await, 0);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_opaque_token_without_its_record_is_inactive_and_raises_no_alarm() {
    let world = World::start(setup(&["tickets", "agent-b"])).await;
    let at_b = world.tx().set("audience", "agent-b").send().await.granted();
    assert!(world.is_active(&at_b).await);
    let id = jti_of(&at_b).replace('-', "");
    world.sql(&format!("DELETE FROM token WHERE jti = X'{id}'"));

    let inactive = world.introspect_as("tickets-api", &at_b).await;
    assert_eq!(inactive.text, r#"{"active":false}"#);
    let refused = world.onward("agent-b", &at_b, "tickets", SCOPE).send().await;
    refused
        .refused_because(&world, (400, "invalid_request", "subject_token_unacceptable"), "not_recorded")
        .await;
    assert_eq!(world.form("/revoke").set("token", &at_b).by_assertion("assistant").send().await.status, 200);
    assert_eq!(world.alarms().await, 0, "nobody needs a key of Deputy to make a text of this form");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_opaque_token_expires_and_then_says_nothing() {
    let world = World::start(setup(&["tickets"])).await;
    let token = world.tx().send().await.granted();
    world.advance(299);
    assert!(world.is_active(&token).await);
    world.advance(1);
    let inactive = world.introspect_as("tickets-api", &token).await;
    assert_eq!(inactive.text, r#"{"active":false}"#);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn claims_that_are_not_those_of_the_token_are_never_told() {
    let world = World::start(setup(&["tickets"])).await;
    let [one, other] = [world.tx().send().await.granted(), world.tx().send().await.granted()];
    let id = |token: &str| jti_of(token).replace('-', "");
    world.sql(&format!(
        "UPDATE token SET claims = (SELECT claims FROM token WHERE jti = X'{}') WHERE jti = X'{}'",
        id(&other),
        id(&one)
    ));

    world.introspect_as("tickets-api", &one).await.refused(503, "temporarily_unavailable");
    assert!(world.is_active(&other).await);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_revoked_signing_key_ends_opaque_tokens_only_below_what_it_signed() {
    let world = World::start(setup(&["tickets"])).await;
    let task = world.task_token().await;
    let direct = world.tx().send().await.granted();
    let below = world.onward("assistant", &task, "tickets", SCOPE).send().await.granted();
    let kid = header_of(&task)["kid"].as_str().unwrap().to_owned();

    let revoked = world.admin("POST", &format!("/keys/{kid}/revoke"), Value::Null).await;
    assert_eq!(revoked.status, 200, "{}", revoked.text);

    assert!(!world.is_active(&below).await, "its task token was signed with the key");
    assert!(world.is_active(&direct).await, "no key signed it");
    assert!(world.tx().send().await.granted().starts_with(OPAQUE));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_algorithm_changes_by_rotation_while_old_keys_still_verify() {
    let eddsa = "[keys]\nsigning_algorithm = \"EdDSA\"\n\n[tokens]";
    let mut world = World::start(Setup::default().replace("[tokens]", eddsa)).await;
    let task = world.task_token().await;
    assert_eq!(header_of(&task)["alg"], "EdDSA");

    world.reload(|toml| toml.replace("signing_algorithm = \"EdDSA\"", "signing_algorithm = \"ES256\"")).await;
    let algorithms = async || -> Vec<String> {
        let keys = world.get("/jwks").await.body;
        let keys = keys["keys"].as_array().unwrap().iter();
        keys.map(|key| format!("{} {}", key["kty"].as_str().unwrap(), key["alg"].as_str().unwrap())).collect()
    };
    assert_eq!(algorithms().await, ["OKP EdDSA"], "the setting concerns keys that are made");
    let rotated = world.admin("POST", "/keys/rotate", Value::Null).await;
    assert_eq!(rotated.status, 200, "{}", rotated.text);
    assert_eq!(algorithms().await, ["OKP EdDSA", "EC ES256"]);
    let access = || world.onward("assistant", &task, "tickets", SCOPE);
    assert_eq!(access().send().await.token_header()["alg"], "EdDSA", "the new key is announced first");

    world.advance(361);
    let token = access().send().await;
    assert_eq!(token.token_header()["alg"], "ES256", "and the task token of the old key is still good");
    assert!(world.is_active(&token.granted()).await);
    assert_eq!(algorithms().await, ["OKP EdDSA", "EC ES256"]);

    // The old key leaves when its last token has expired, and no sooner.
    world.advance(3700);
    assert_eq!(algorithms().await, ["EC ES256"]);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_forged_eddsa_token_is_refused_and_one_by_the_own_key_raises_the_alarm() {
    let eddsa = "[keys]\nsigning_algorithm = \"EdDSA\"\n\n[tokens]";
    let world = World::start(Setup::default().replace("[tokens]", eddsa)).await;
    let token = world.tx().send().await.granted();
    assert!(world.is_active(&token).await);

    // Another signature over the same text is another token, and not one that anybody can make.
    let (text, signature) = token.rsplit_once('.').unwrap();
    let flipped: String = signature
        .chars()
        .enumerate()
        .map(|(at, c)| {
            if at == 40 && c == 'A' {
                'B'
            } else if at == 40 {
                'A'
            } else {
                c
            }
        })
        .collect();
    let changed = world.introspect_as("tickets-api", &format!("{text}.{flipped}")).await;
    assert_eq!(changed.text, r#"{"active":false}"#);
    assert_eq!(world.alarms().await, 0);

    // An issued token whose record is gone verifies with the own key.
    world.sql(&format!("DELETE FROM token WHERE jti = X'{}'", jti_of(&token).replace('-', "")));
    let unknown = world.introspect_as("tickets-api", &token).await;
    assert_eq!(unknown.text, r#"{"active":false}"#);
    assert_eq!(world.alarms().await, 1);
}

//! Access tokens of a provider as subject tokens, in the shapes that providers give them, and what a request without
//! `scope` gets.

use serde_json::{Value, json};

use crate::world::{ACCESS_TOKEN_TYPE, Answer, ID_TOKEN_TYPE, JWT_TYPE, Jwt, Request, Setup, World};

/// The assistant is the gateway, whose users' tokens it presents. A directory enforces MFA for one tenant.
const ENTRIES: &str = r#"
[[identity_provider.access_token]]
audience = "https://gateway.example"
client = "assistant"
authorized_parties = ["travel-app"]
asserted_levels = ["mfa"]
when = { all = [{ claim = "tid", in = ["tenant-1"] }, { claim = "ver", equals = "2.0" }] }

[[identity_provider.access_token]]
audience = "https://gateway.example"
client = "assistant"
authorized_parties = ["travel-app"]

[[identity_provider.access_token]]
audience = "https://narrow.example"
client = "assistant"
authorized_parties = ["travel-app"]
typ = ["at+jwt"]
require_auth_time = true
scope_ceiling = true

[[identity_provider.access_token]]
audience = "@issuer@"
clients = ["assistant", "stranger"]
authorized_parties = ["travel-app"]

[[identity_provider.assurance]]
name = "phishing_resistant""#;

fn setup() -> Setup {
    Setup::default().replace("\n[[identity_provider.assurance]]\nname = \"phishing_resistant\"", ENTRIES)
}

/// What an access token of the provider needs, without what marks it as one.
fn bare(world: &World, changes: &Value) -> Jwt {
    let mut jwt = world.id_token();
    let now = world.now();
    jwt.claims.clear();
    let common = json!({
        "iss": world.provider.issuer, "aud": "https://gateway.example", "iat": now - 1200, "exp": now + 2400,
        "jti": format!("at-{}", world.next()),
    });
    for claims in [&common, changes] {
        jwt.claims.extend(claims.as_object().unwrap().clone());
    }
    jwt.claims.retain(|_, value| !value.is_null());
    jwt
}

/// A person's access token as RFC 9068 has it, with the sign-in in it.
fn persons(world: &World) -> Jwt {
    let changes = json!({
        "sub": "alice", "client_id": "travel-app", "scope": "openid tickets:search",
        "auth_time": world.now() - 1200, "acr": "phr", "amr": ["hwk", "mfa"],
    });
    bare(world, &changes).header("typ", "at+jwt")
}

fn present<'a>(world: &'a World, client: &str, token: &str, declared: &str) -> Request<'a> {
    world.exchange(client, token, declared).set("audience", "tickets").set("scope", "tickets:search")
}

async fn answer(world: &World, token: &Jwt) -> Answer {
    present(world, "assistant", &token.sign(), ACCESS_TOKEN_TYPE).send().await
}

/// The cause of the refusal, whose answer is that of every bad subject token.
async fn cause(world: &World, answer: Answer) -> String {
    answer.refused(400, "invalid_request");
    assert_eq!(answer.reason(), "subject_token_unacceptable");
    answer.audited_cause(world).await
}

fn entra(version: &str) -> Value {
    match version {
        "1.0" => json!({
            "ver": "1.0", "appid": "travel-app", "appidacr": "1", "amr": ["pwd", "mfa"], "scp": "user_impersonation",
            "sub": "pairwise-of-alice", "oid": "oid-of-alice", "tid": "tenant-1", "unique_name": "alice@example.org",
            "xms_act_fct": "9 3",
        }),
        _ => json!({
            "ver": "2.0", "azp": "travel-app", "azpacr": "1", "scp": "user_impersonation", "sub": "pairwise-of-alice",
            "oid": "oid-of-alice", "tid": "tenant-1", "preferred_username": "alice@example.org", "idtyp": "user",
        }),
    }
}

fn auth0() -> Value {
    json!({
        "sub": "auth0|alice", "azp": "travel-app", "scope": "openid profile", "amr": ["mfa"],
        "aud": ["https://gateway.example", "https://tenant.example/userinfo"],
    })
}

fn keycloak() -> Value {
    json!({
        "typ": "Bearer", "azp": "travel-app", "acr": "phr", "amr": ["mfa"], "scope": "openid email", "sid": "kc-session",
        "sub": "f:alice", "aud": ["account", "https://gateway.example"], "preferred_username": "alice",
    })
}

fn okta(world: &World) -> Value {
    json!({
        "ver": 1, "cid": "travel-app", "uid": "00u1", "scp": ["openid", "profile"], "sub": "alice@okta.test",
        "auth_time": world.now() - 1200, "amr": ["mfa"],
    })
}

fn with(claims: &Value, changes: &Value) -> Value {
    let mut claims = claims.clone();
    claims.as_object_mut().unwrap().extend(changes.as_object().unwrap().clone());
    claims
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_persons_token_of_twenty_minutes_begins_a_task_whichever_provider_made_it() {
    let world = World::start(setup()).await;
    let shapes = [
        ("RFC 9068", persons(&world)),
        ("Entra v1", bare(&world, &entra("1.0"))),
        ("Entra v2", bare(&world, &entra("2.0"))),
        ("Auth0", bare(&world, &auth0())),
        ("Keycloak", bare(&world, &keycloak())),
        ("Okta", bare(&world, &okta(&world)).without_header("typ")),
    ];
    for (name, token) in shapes {
        let answer = answer(&world, &token).await;
        assert_eq!(answer.status, 200, "{name}: {}", answer.text);
        let claims = answer.claims();
        assert_eq!(claims["act"]["iss"], world.issuer.as_str(), "{name}");
        assert!(answer.body["task"].is_string() && answer.body["expires_in"].is_i64(), "{name}");
        assert_eq!(answer.header("cache-control"), Some("no-store"), "{name}");
    }
    let granted = world.audit().await;
    let row = granted.iter().rfind(|row| row["event"] == "exchange").unwrap();
    assert_eq!(row["subject_audience"], "https://gateway.example");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_token_that_an_application_got_for_itself_is_nobodys() {
    let world = World::start(setup()).await;
    let okta = okta(&world);
    let shapes = [
        ("Entra v1, idtyp", with(&entra("1.0"), &json!({"idtyp": "app"}))),
        (
            "Entra v1, oid",
            with(&entra("1.0"), &json!({"oid": "pairwise-of-alice", "scp": null, "roles": ["a"]})),
        ),
        ("Entra v1, no scp", with(&entra("1.0"), &json!({"scp": null}))),
        ("Entra v2, oid", with(&entra("2.0"), &json!({"oid": "pairwise-of-alice"}))),
        ("Auth0, gty", with(&auth0(), &json!({"gty": "client-credentials"}))),
        ("Auth0, sub", with(&auth0(), &json!({"sub": "travel-app@clients"}))),
        ("Keycloak, host", with(&keycloak(), &json!({"clientHost": "10.0.0.1"}))),
        ("Keycloak, address", with(&keycloak(), &json!({"clientAddress": "10.0.0.1"}))),
        ("Keycloak, name", with(&keycloak(), &json!({"preferred_username": "service-account-travel-app"}))),
        ("Okta", with(&okta, &json!({"sub": "travel-app", "uid": null}))),
        ("RFC 9068", json!({"sub": "travel-app", "client_id": "travel-app", "scope": "a", "amr": ["mfa"]})),
        ("no scope", json!({"sub": "alice", "client_id": "travel-app", "amr": ["mfa"]})),
        ("an empty scope", json!({"sub": "alice", "client_id": "travel-app", "scope": "", "amr": ["mfa"]})),
    ];
    for (name, claims) in shapes {
        let answer = answer(&world, &bare(&world, &claims)).await;
        assert_eq!(answer.status, 400, "{name}: {}", answer.text);
        assert_eq!(cause(&world, answer).await, "not_a_person", "{name}");
    }
}

/// A kind of token, how one is made, and the cause of its refusal under each declared type.
type Kind<'a> = (&'static str, Box<dyn Fn() -> Jwt + 'a>, [Option<&'static str>; 3]);

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn each_kind_is_taken_under_its_own_type_and_under_jwt() {
    let world = World::start(setup()).await;
    let types = [ID_TOKEN_TYPE, ACCESS_TOKEN_TYPE, JWT_TYPE];
    let expected: [Kind<'_>; 5] = [
        ("an ID token", Box::new(|| world.id_token()), [None, Some("kind"), None]),
        ("an access token", Box::new(|| persons(&world)), [Some("kind"), None, None]),
        (
            "a refresh token",
            Box::new(|| bare(&world, &with(&keycloak(), &json!({"typ": "Refresh"})))),
            [Some("kind"); 3],
        ),
        (
            "Cognito's, which has no audience",
            Box::new(|| {
                let claims =
                    json!({"aud": null, "token_use": "access", "client_id": "travel-app", "sub": "alice"});
                bare(&world, &claims).without_header("typ")
            }),
            [Some("kind"), Some("audience"), Some("audience")],
        ),
        ("a workload's", Box::new(|| world.workload_token("planner")), [Some("issuer_untrusted"); 3]),
    ];
    for (name, token, causes) in expected {
        for (declared, wanted) in types.into_iter().zip(causes) {
            let answer = present(&world, "assistant", &token().sign(), declared).send().await;
            match wanted {
                None => assert_eq!(answer.status, 200, "{name} as {declared}: {}", answer.text),
                Some(wanted) => assert_eq!(cause(&world, answer).await, wanted, "{name} as {declared}"),
            }
        }
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn deputys_own_tokens_go_by_their_issuer_under_either_type() {
    let world = World::start(setup()).await;
    let task_token = world.task_token().await;
    for declared in [ACCESS_TOKEN_TYPE, JWT_TYPE] {
        present(&world, "assistant", &task_token, declared).send().await.granted();
        let joined = present(&world, "assistant", &task_token, declared).set("purpose", "x").send().await;
        assert_eq!(joined.reason(), "task_on_later_hop", "{declared}");
    }
    let as_id_token = present(&world, "assistant", &task_token, ID_TOKEN_TYPE).send().await;
    assert_eq!(cause(&world, as_id_token).await, "issuer_untrusted");
    let forged = persons(&world).claim("iss", world.issuer.as_str());
    assert_eq!(cause(&world, answer(&world, &forged).await).await, "claim");
    let actor = present(&world, "assistant", &world.id_token().sign(), ID_TOKEN_TYPE);
    let actor = actor.actor(&persons(&world).sign()).send().await;
    assert_eq!(actor.reason(), "actor_token_unacceptable");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_token_is_taken_only_for_its_audience_its_party_and_the_client_that_is_the_audience() {
    let world = World::start(setup()).await;
    let cases = [
        (persons(&world).claim("aud", "https://elsewhere.example"), "audience"),
        (persons(&world).claim("aud", json!([])), "audience"),
        (persons(&world).claim("client_id", "other-app"), "authorized_party"),
        (persons(&world).claim("azp", "other-app"), "authorized_party"),
        (persons(&world).without("client_id"), "authorized_party"),
        (persons(&world).claim("azp", 7), "claim"),
        (persons(&world).claim("act", json!({"sub": "agent"})), "foreign_chain"),
        (persons(&world).claim("act", Value::Null), "claim"),
        (persons(&world).claim("xms_act_fct", "3 9 11"), "foreign_chain"),
        (persons(&world).claim("exp", world.now() - 61), "expired"),
        (persons(&world).claim("iat", world.now() + 61), "issued_ahead"),
        (persons(&world).claim("nbf", world.now() + 61), "not_yet_valid"),
        (persons(&world).without("iat"), "claim"),
        (persons(&world).without("exp"), "claim"),
        (persons(&world).claim("may_act", json!({"sub": "someone-else"})), "may_act"),
        (persons(&world).claim("sub", "agent_0"), "subject"),
        (persons(&world).claim("auth_time", world.now() - 28_800), "session_too_old"),
        (persons(&world).signed_by(world.key_of("assistant")), "signature"),
    ];
    for (token, wanted) in cases {
        let claims = token.texts().1;
        assert_eq!(cause(&world, answer(&world, &token).await).await, wanted, "{claims}");
    }
    let theft = present(&world, "stranger", &persons(&world).sign(), ACCESS_TOKEN_TYPE).send().await;
    assert_eq!(cause(&world, theft).await, "relying_party");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_token_that_is_bound_to_a_key_is_taken_from_the_audience_that_saw_the_proof_alone() {
    let world = World::start(setup()).await;
    let bound = |audience: &str| persons(&world).claim("cnf", json!({"jkt": "x"})).claim("aud", audience);

    answer(&world, &bound("https://gateway.example")).await.granted();
    let deputys = answer(&world, &bound(&world.issuer)).await;
    assert_eq!(cause(&world, deputys).await, "bound_to_key");
    let unbound = persons(&world).claim("aud", world.issuer.as_str()).sign();
    present(&world, "stranger", &unbound, ACCESS_TOKEN_TYPE).send().await.granted();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn levels_are_asserted_for_those_tokens_only_that_say_nothing_themselves() {
    let world = World::start(setup()).await;
    let v2 = entra("2.0");
    answer(&world, &bare(&world, &v2)).await.granted();
    let cases = [
        ("another tenant", json!({"tid": "tenant-2"})),
        ("a weak login", json!({"amr": ["pwd"]})),
        ("another acr", json!({"acr": "0"})),
    ];
    for (name, changes) in cases {
        let weak = answer(&world, &bare(&world, &with(&v2, &changes))).await;
        weak.refused(400, "invalid_request");
        assert_eq!(weak.reason(), "assurance_insufficient", "{name}");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn without_auth_time_the_session_counts_from_iat_and_nothing_fresh_is_granted() {
    let world = World::start(setup()).await;
    let token = persons(&world).without("auth_time").sign();
    let book = |token: &str| present(&world, "assistant", token, JWT_TYPE).set("scope", "tickets:book");

    let refused = book(&token).send().await;
    assert_eq!(refused.reason(), "assurance_insufficient");
    assert_eq!(refused.body["max_age"], 900);
    let files = present(&world, "assistant", &token, JWT_TYPE)
        .set("audience", "https://files.example/")
        .set("scope", "files.read");
    let claims = files.send().await.claims();
    assert!(claims.get("auth_time").is_none() && claims["acr"] == "phr", "{claims}");
    let fresh = persons(&world).claim("auth_time", world.now() - 60).sign();
    book(&fresh).send().await.granted();
    let demanded = persons(&world).claim("aud", "https://narrow.example").without("auth_time");
    let missing = answer(&world, &demanded).await;
    missing.refused(400, "invalid_request");
    assert_eq!((missing.reason(), &missing.body["max_age"]), ("auth_time_missing", &json!(28_800)));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn nothing_that_comes_of_a_token_outlives_it_but_the_task_does() {
    let world = World::start(setup()).await;
    let token = persons(&world).claim("exp", world.now() + 200).claim("sid", "s-1").sign();
    let begun = present(&world, "assistant", &token, JWT_TYPE).set("audience", &world.issuer).send().await;
    assert_eq!(begun.claims()["exp"], world.now() + 200);
    let task_token = begun.granted();

    world.advance(201);
    let over = present(&world, "assistant", &task_token, ACCESS_TOKEN_TYPE).send().await;
    assert_eq!(cause(&world, over).await, "expired");
    let renewed = persons(&world).claim("sid", "s-1").sign();
    let joined = present(&world, "assistant", &renewed, JWT_TYPE).set("audience", &world.issuer).send().await;

    assert_eq!(joined.body["task"], begun.body["task"]);
    assert!(joined.claims()["exp"].as_i64().unwrap() > world.now() + 200);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_finished_task_leaves_the_token_good_and_a_stopped_one_spends_it_and_its_session() {
    let world = World::start(setup()).await;
    let token = persons(&world).claim("sid", "s-1").sign();
    let ask = |token: &str| present(&world, "assistant", token, JWT_TYPE).set("audience", &world.issuer);
    let first = ask(&token).send().await;
    world.form("/revoke").set("token", &first.granted()).by_assertion("assistant").send().await;

    let second = ask(&token).send().await;
    assert_ne!(second.body["task"], first.body["task"]);
    let task = second.body["task"].as_str().unwrap().to_owned();
    let ended = world.admin("POST", &format!("/tasks/{task}/end"), Value::Null).await;
    assert_eq!(ended.status, 200);

    assert_eq!(cause(&world, ask(&token).send().await).await, "login_spent");
    let renewed = persons(&world).claim("sid", "s-1").sign();
    assert_eq!(cause(&world, ask(&renewed).send().await).await, "session_stopped");
    ask(&persons(&world).claim("sid", "s-2").sign()).send().await.granted();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_access_token_answers_no_question_about_the_user() {
    let world = World::start(setup()).await;
    let token = persons(&world).claim("birthdate", "1990-02-28").claim("age_over_18", true).sign();

    let asked = present(&world, "assistant", &token, JWT_TYPE).set("scope", "age_over_18").send().await;

    assert_eq!(asked.status, 400, "{}", asked.text);
    let direct = present(&world, "age-agent", &token, JWT_TYPE).set("scope", "age_over_18");
    let direct = direct.actor(&world.workload_token("age").sign()).send().await;
    assert_eq!(cause(&world, direct).await, "relying_party");
    let task_token = present(&world, "assistant", &token, JWT_TYPE)
        .set("audience", &world.issuer)
        .set("scope", "age_over_18")
        .send()
        .await
        .granted();
    let at_age_agent =
        world.onward("assistant", &task_token, "age-agent", "age_over_18").send().await.granted();
    let answered = world.age_tx(&at_age_agent).send().await;
    answered.refused(400, "invalid_request");
    assert_eq!(answered.reason(), "answer_unavailable");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_token_of_a_kind_that_an_entry_does_not_list_and_a_scope_above_its_ceiling_are_refused() {
    let world = World::start(setup()).await;
    let narrow = || persons(&world).claim("aud", "https://narrow.example");
    answer(&world, &narrow()).await.granted();

    let untyped = narrow().header("typ", "JWT");
    assert_eq!(cause(&world, answer(&world, &untyped).await).await, "kind");
    let wider =
        present(&world, "assistant", &narrow().sign(), JWT_TYPE).set("scope", "tickets:hold").send().await;
    wider.refused(400, "invalid_scope");
    assert_eq!(wider.reason(), "scope_not_in_subject");
    let unlimited = persons(&world).sign();
    present(&world, "assistant", &unlimited, JWT_TYPE).set("scope", "tickets:hold").send().await.granted();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn without_an_entry_no_access_token_of_a_provider_is_taken() {
    let world = World::start(Setup::default()).await;
    for declared in [ACCESS_TOKEN_TYPE, JWT_TYPE] {
        let answer = present(&world, "assistant", &persons(&world).sign(), declared).send().await;
        assert_eq!(cause(&world, answer).await, "issuer_untrusted");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_came_of_an_entry_is_dead_once_the_entry_is_gone() {
    let mut world = World::start(setup()).await;
    let token = answer(&world, &persons(&world)).await.granted();
    assert!(world.is_active(&token).await);

    world.toml =
        world.toml.replace("audience = \"https://gateway.example\"", "audience = \"https://new.example\"");
    world.server().reload(world.config()).await.unwrap();

    assert!(!world.is_active(&token).await);
    assert_eq!(cause(&world, answer(&world, &persons(&world)).await).await, "audience");
}

/// Default scopes: of the target `tickets`, and others of the client `stranger`.
fn with_defaults() -> Setup {
    setup()
        .replace(
            "identifier = \"tickets\"\n",
            "identifier = \"tickets\"\ndefault_scopes = [\"tickets:search\", \"tickets:hold\"]\n",
        )
        .replace(
            "id = \"stranger\"\n",
            "id = \"stranger\"\ndefault_scopes = { tickets = [\"tickets:book\"], \"https://files.example/\" = [\"files.write\"] }\n",
        )
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn without_scope_a_client_gets_the_default_scopes_that_the_ceiling_and_the_subject_token_hold() {
    let world = World::start(with_defaults()).await;
    let ask = |client: &str, token: &str, kind: &str| present(&world, client, token, kind).without("scope");

    let whole = ask("assistant", &world.id_token().sign(), ID_TOKEN_TYPE).send().await;
    assert_eq!(whole.body["scope"], "tickets:hold tickets:search");
    let narrow = persons(&world).claim("aud", "https://narrow.example").sign();
    let of_token = ask("assistant", &narrow, JWT_TYPE).send().await;
    assert_eq!(
        (&of_token.body["scope"], of_token.claims()["scope"].as_str()),
        (&json!("tickets:search"), Some("tickets:search"))
    );
    let planner = ask("assistant", &world.id_token().sign(), ID_TOKEN_TYPE);
    let of_class = planner.actor(&world.workload_token("planner").sign()).send().await;
    assert_eq!(of_class.body["scope"], "tickets:search");
    let task_token = world.task_token().await;
    let of_task = ask("assistant", &task_token, ACCESS_TOKEN_TYPE).send().await;
    assert_eq!(of_task.body["scope"], "tickets:search");
    let rows = world.audit().await;
    let row = rows.iter().rfind(|row| row["event"] == "exchange").unwrap();
    assert_eq!((&row["scope_defaulted"], &row["scope"]), (&json!(true), &json!("tickets:search")));
    let named = present(&world, "assistant", &task_token, ACCESS_TOKEN_TYPE).send().await;
    named.granted();
    let rows = world.audit().await;
    assert_eq!(rows.iter().rfind(|row| row["event"] == "exchange").unwrap().get("scope_defaulted"), None);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_default_scope_that_fails_the_gate_is_refused_and_nothing_left_is_a_missing_scope() {
    let world = World::start(with_defaults()).await;
    let stranger = |acr: &str| world.id_token().claim("aud", "other-app").claim("acr", acr).sign();
    let ask = |token: &str| present(&world, "stranger", token, ID_TOKEN_TYPE).without("scope");

    assert_eq!(ask(&stranger("phr")).send().await.body["scope"], "tickets:book");
    let weak = ask(&stranger("0")).send().await;
    assert_eq!(weak.reason(), "assurance_insufficient");
    let outside = ask(&stranger("phr")).set("audience", "https://files.example/").send().await;
    outside.refused(400, "invalid_scope");
    assert_eq!(outside.reason(), "scope_missing");
    for target in [world.issuer.as_str(), "agent-b", "nowhere"] {
        let missing = present(&world, "assistant", &world.id_token().sign(), ID_TOKEN_TYPE);
        let missing = missing.without("scope").set("audience", target).send().await;
        missing.refused(400, "invalid_scope");
        assert_eq!(missing.reason(), "scope_missing", "{target}");
    }
}

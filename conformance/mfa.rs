//! MFA, phishing resistance and step-up (RFC 8176, EAP ACR values, RFC 9470).

use serde_json::{Value, json};

use crate::expect::{ASSURANCE, SUBJECT, each_refused, refuses};
use crate::harness::{Cases, case, skip};
use crate::requests::{evidence, with};
use crate::world::{Answer, Jwt, Setup, World, claims_of};

/// The cases of this file.
pub fn cases() -> Cases {
    vec![
        case("8176-2-01", amr_values_are_compared_exactly),
        case("8176-2-02", amr_is_a_list_of_strings),
        case("8176-F-01", what_counts_as_mfa),
        case("8176-F-01", two_kinds_of_factor_are_told_by_their_values),
        case("8176-F-02", what_counts_as_phishing_resistant),
        case("8176-F-02", a_providers_profile_may_say_what_amr_means),
        case("8176-F-03", facts_are_copied_and_none_is_invented),
        case("EAP-01", an_unknown_acr_is_worth_nothing),
        case("EAP-01", no_order_of_acr_values_is_assumed),
        skip("9470-3-01", "no API of Deputy's takes access tokens yet (management comes later)"),
        case("9470-6.1-01", tokens_say_how_and_when_the_user_signed_in),
        case("9470-6.1-01", the_login_is_unchanged_over_a_hop),
        case("9470-6.2-01", introspection_says_how_and_when_the_user_signed_in),
        case("9470-5-01", there_is_no_authorization_endpoint_to_ask),
        case("9470-7-01", metadata_promises_no_step_up),
        case("9470-F-01", a_refusal_says_what_to_ask_the_provider_for),
        case("9470-F-02", a_stepped_up_login_joins_and_issued_tokens_keep_theirs),
    ]
}

/// Asks for `tickets:search` (mfa) or `tickets:book` (phishing-resistant, fresh).
pub async fn ask(world: &World, token: &Jwt, scope: &str) -> Answer {
    with(world, token).set("scope", scope).send().await
}

async fn is_insufficient(world: &World, what: &str, token: &Jwt, scope: &str) {
    let request = with(world, token).set("scope", scope);
    refuses(world, what, request, ASSURANCE, "assurance_insufficient").await;
}

async fn amr_values_are_compared_exactly() {
    let world = World::start(Setup::default()).await;

    ask(&world, &evidence(&world, None, json!(["mfa", "xyz"])), "tickets:search").await.granted();

    for amr in [json!(["MFA"]), json!(["mfa "]), json!(["xyz"]), json!([])] {
        is_insufficient(&world, &amr.to_string(), &evidence(&world, None, amr.clone()), "tickets:search")
            .await;
    }
}

async fn amr_is_a_list_of_strings() {
    let world = World::start(Setup::default()).await;
    let amr = |amr: Value| evidence(&world, None, amr);

    // A single string is one value.
    ask(&world, &amr(json!("mfa")), "tickets:search").await.granted();
    is_insufficient(&world, "a string is not divided", &amr(json!("pwd mfa")), "tickets:search").await;
    // `null` is absent.
    is_insufficient(&world, "null", &amr(json!(null)), "tickets:search").await;

    each_refused(
        &world,
        vec![
            ("an object", amr(json!({"mfa": true})), "claim"),
            ("numbers", amr(json!([1])), "claim"),
            ("a number among strings", amr(json!(["mfa", 1])), "claim"),
        ],
    )
    .await;
}

async fn what_counts_as_mfa() {
    let plain = World::start(Setup::default()).await;
    let inferring =
        World::start(Setup::default().replace(
            "policy_claims = [\"groups\"]",
            "policy_claims = [\"groups\"]\ninfer_mfa_from_amr = true",
        ))
        .await;
    let by_acr = World::start(Setup::default().replace(
        "name = \"phishing_resistant\"",
        "name = \"mfa\"\nany_of = [{ claim = \"acr\", in = [\"2\"] }]\n\n[[identity_provider.assurance]]\nname = \"phishing_resistant\"",
    ))
    .await;

    let two_kinds = |world: &World| evidence(world, None, json!(["pwd", "otp"]));
    is_insufficient(&plain, "two kinds without the flag", &two_kinds(&plain), "tickets:search").await;
    ask(&inferring, &two_kinds(&inferring), "tickets:search").await.granted();
    for amr in [
        json!(["pwd", "pin"]),
        json!(["otp", "sms"]),
        json!(["pwd"]),
        json!(["pwd", "user"]),
        json!(["pwd", "mca"]),
    ] {
        let what = amr.to_string();
        is_insufficient(&plain, &what, &evidence(&plain, None, amr.clone()), "tickets:search").await;
        is_insufficient(&inferring, &what, &evidence(&inferring, None, amr.clone()), "tickets:search").await;
    }
    ask(&by_acr, &evidence(&by_acr, Some("2"), json!([])), "tickets:search").await.granted();
    is_insufficient(
        &by_acr,
        "an acr not in the list",
        &evidence(&by_acr, Some("1"), json!([])),
        "tickets:search",
    )
    .await;
}

async fn what_counts_as_phishing_resistant() {
    let world = World::start(Setup::default()).await;

    for acr in ["phr", "phrh"] {
        ask(&world, &evidence(&world, Some(acr), json!(["mfa"])), "tickets:book").await.granted();
    }

    is_insufficient(
        &world,
        "a key in hardware, by amr",
        &evidence(&world, None, json!(["hwk", "mfa"])),
        "tickets:book",
    )
    .await;
    is_insufficient(
        &world,
        "another acr",
        &evidence(&world, Some("strong"), json!(["hwk", "mfa"])),
        "tickets:book",
    )
    .await;
}

async fn facts_are_copied_and_none_is_invented() {
    let world = World::start(Setup::default()).await;
    let files = |token: &Jwt| {
        with(&world, token).set("audience", "https://files.example/").set("scope", "files.read")
    };
    let full = world.id_token().claim("acr", "phr").claim("amr", json!(["pwd", "hwk", "mfa"]));
    let bare = world.id_token().without("acr").claim("amr", json!(["mfa"]));

    let with_facts = files(&full).send().await.claims();
    let without = files(&bare).send().await.claims();

    assert_eq!(with_facts["acr"], "phr");
    assert_eq!(with_facts["amr"], json!(["pwd", "hwk", "mfa"]));
    assert_eq!(with_facts["auth_time"], full.claims["auth_time"]);
    assert!(without.get("acr").is_none(), "no verdict of Deputy's own: {without}");
    assert_eq!(without["amr"], json!(["mfa"]));
}

async fn an_unknown_acr_is_worth_nothing() {
    let world = World::start(Setup::default()).await;

    for acr in ["3", "PHR", "phr2", "phr phrh"] {
        is_insufficient(&world, acr, &evidence(&world, Some(acr), json!(["mfa"])), "tickets:book").await;
    }
}

/// The facts of the login come from its record, and pairwise targets see fewer of them.
async fn tokens_say_how_and_when_the_user_signed_in() {
    let world = World::start(Setup::default()).await;
    let task = world.task_token().await;
    let signed_in = claims_of(&task)["auth_time"].clone();
    world.advance(100);

    let files = world.files_from(&task).await;
    let archive = world.onward_tx(&files).send().await;
    let tickets = world.onward("assistant", &task, "tickets", "tickets:search").send().await.claims();

    let first = claims_of(&files);
    assert_eq!((first["acr"].as_str(), &first["auth_time"]), (Some("phr"), &signed_in));
    let second = archive.claims();
    let is_pairwise = second["sub"].as_str().is_some_and(|sub| sub.starts_with("pw_"));
    assert!(is_pairwise || second["auth_time"] == signed_in, "unchanged over the hop: {second}");
    assert_eq!(tickets["acr"], "phr", "a pairwise target that lists acr sees it");
    assert!(tickets.get("auth_time").is_none() && tickets.get("amr").is_none(), "{tickets}");
}

async fn introspection_says_how_and_when_the_user_signed_in() {
    let world = World::start(Setup::default()).await;
    let token = world.files_token().await;

    let answer = world.introspect_as("files-api", &token).await;

    let claims = claims_of(&token);
    assert_eq!(answer.body["active"], true, "{}", answer.text);
    assert_eq!((&answer.body["acr"], &answer.body["auth_time"]), (&claims["acr"], &claims["auth_time"]));
    assert!(claims["auth_time"].is_i64());
}

async fn there_is_no_authorization_endpoint_to_ask() {
    let world = World::start(Setup::default()).await;

    assert_eq!(world.get("/authorize?acr_values=phr").await.status, 404);
}

async fn metadata_promises_no_step_up() {
    let world = World::start(Setup::default()).await;

    let metadata = world.get("/.well-known/oauth-authorization-server").await;

    assert_eq!(metadata.status, 200);
    assert!(metadata.body.get("acr_values_supported").is_none(), "{}", metadata.text);
    assert!(metadata.body.get("authorization_endpoint").is_none(), "{}", metadata.text);
}

async fn a_refusal_says_what_to_ask_the_provider_for() {
    let world = World::start(Setup::default()).await;
    let weak = evidence(&world, None, json!(["mfa"]));
    let stale = world.id_token().claim("auth_time", world.now() - 901);

    let too_weak = ask(&world, &weak, "tickets:book").await;
    let too_old = ask(&world, &stale, "tickets:book").await;

    for answer in [&too_weak, &too_old] {
        answer.refused(400, "invalid_request");
        assert_eq!(answer.reason(), "assurance_insufficient");
        assert_eq!(answer.body["max_age"], 900, "{}", answer.text);
    }
    assert_eq!(too_weak.body["acr_values"], "phr phrh", "one string, as the parameter takes it");
    assert!(too_old.body.get("acr_values").is_none(), "the level was met: {}", too_old.text);
    // The level `mfa` has no `in` values here: there is nothing to name.
    let no_mfa = ask(&world, &evidence(&world, None, json!(["pwd"])), "tickets:search").await;
    assert_eq!(no_mfa.reason(), "assurance_insufficient");
    assert!(
        no_mfa.body.get("acr_values").is_none() && no_mfa.body.get("max_age").is_none(),
        "{}",
        no_mfa.text
    );
}

/// A step-up login joins its task, and tokens that were already issued keep the facts of the earlier login.
async fn a_stepped_up_login_joins_and_issued_tokens_keep_theirs() {
    let world = World::start(Setup::default()).await;
    let weak = evidence(&world, None, json!(["mfa"]));
    let first = ask(&world, &weak, "tickets:search").await;
    let task = first.body["task"].as_str().unwrap().to_owned();
    world.advance(60);

    let strong = world.id_token();
    let stepped_up = with(&world, &strong).set("task", &task).set("scope", "tickets:book").send().await;

    assert_eq!(stepped_up.body["task"], task.as_str(), "{}", stepped_up.text);
    let kept = world.introspect_as("tickets-api", &first.granted()).await;
    assert_eq!(kept.body["active"], true);
    assert!(kept.body.get("acr").is_none(), "what was issued keeps what it had: {}", kept.text);
    assert_eq!(stepped_up.claims()["acr"], "phr");
    let other_user = world.id_token().claim("sub", "bob");
    let joined = with(&world, &other_user).set("task", &task);
    refuses(&world, "another user", joined, SUBJECT, "task_unknown").await;
}

async fn two_kinds_of_factor_are_told_by_their_values() {
    let inferring = "policy_claims = [\"groups\"]\ninfer_mfa_from_amr = true";
    let world = World::start(Setup::default().replace("policy_claims = [\"groups\"]", inferring)).await;

    for amr in [["pwd", "hwk"], ["fpt", "hwk"], ["sc", "pin"], ["kba", "tel"]] {
        ask(&world, &evidence(&world, None, json!(amr)), "tickets:search").await.granted();
    }
    // A biometric counts only beside something one has; places, risk and presence are no factors.
    for amr in [["face", "fpt"], ["pwd", "face"], ["pwd", "geo"], ["otp", "user"], ["PWD", "OTP"]] {
        is_insufficient(&world, &amr.join(" "), &evidence(&world, None, json!(amr)), "tickets:search").await;
    }
}

async fn a_providers_profile_may_say_what_amr_means() {
    let listed = "any_of = [{ claim = \"acr\", in = [\"phr\", \"phrh\"] }]";
    let mapped = "any_of = [{ claim = \"acr\", in = [\"phr\", \"phrh\"] }, \
                  { claim = \"amr\", contains = [\"hwk\", \"user\"] }]";
    let world = World::start(Setup::default().replace(listed, mapped)).await;

    let both = evidence(&world, None, json!(["user", "hwk", "mfa"]));
    ask(&world, &both, "tickets:book").await.granted();
    let one = evidence(&world, None, json!(["hwk", "mfa"]));
    is_insufficient(&world, "all listed values have to be there", &one, "tickets:book").await;
}

async fn no_order_of_acr_values_is_assumed() {
    let level = "name = \"mfa\"\nany_of = [{ claim = \"acr\", in = [\"2\"] }]\n\n\
                 [[identity_provider.assurance]]\nname = \"phishing_resistant\"";
    let world = World::start(Setup::default().replace("name = \"phishing_resistant\"", level)).await;

    ask(&world, &evidence(&world, Some("2"), json!(["pwd"])), "tickets:search").await.granted();
    for acr in ["3", "10", "2.0", "02", "two"] {
        is_insufficient(&world, acr, &evidence(&world, Some(acr), json!(["pwd"])), "tickets:search").await;
    }
}

async fn the_login_is_unchanged_over_a_hop() {
    let archive = "identifier = \"https://archive.example/\"";
    let upstream = format!("{archive}\nsubject = \"upstream\"");
    let world = World::start(Setup::default().replace(archive, &upstream)).await;
    let files = world.tx().set("audience", "https://files.example/").set("scope", "files.read").send().await;

    world.advance(60);
    let hop = world.onward("files-service", &files.granted(), "https://archive.example/", "files.read");
    let second = hop.send().await.claims();

    let first = files.claims();
    for name in ["acr", "amr", "auth_time", "sub", "txn"] {
        assert!(!first[name].is_null(), "{name}");
        assert_eq!(first[name], second[name], "{name}");
    }
}

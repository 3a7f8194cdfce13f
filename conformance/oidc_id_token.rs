//! An ID token as `subject_token`, checked as a relying party would check it (OIDC Core §3.1.3.7).

use serde_json::json;

use crate::expect::{ASSURANCE, AUTH_TIME, SUBJECT, each_refused, refuses};
use crate::harness::{Cases, case};
use crate::requests::{aged, pinned_provider, with};
use crate::world::{OtherKey, Setup, World};

/// The cases of this file.
pub fn cases() -> Cases {
    vec![
        case("OIDC-3.1.3.7-01", the_issuer_is_a_configured_one_to_the_byte),
        case("OIDC-3.1.3.7-01", the_metadata_of_a_provider_must_name_its_issuer),
        case("OIDC-3.1.3.7-02", another_tenant_of_the_same_provider_is_another_issuer),
        case("OIDC-3.1.3.7-02", a_template_issuer_matches_nobody),
        case("OIDC-3.1.3.7-03", the_audience_is_a_registered_client_and_no_stranger),
        case("OIDC-3.1.3.7-03", a_relying_party_may_list_who_else_is_in_it),
        case("OIDC-3.1.3.7-04", only_the_client_it_was_issued_for_may_hand_it_in),
        case("OIDC-3.1.3.7-05", the_authorized_party_is_the_mapped_client),
        case("OIDC-3.1.3.7-06", the_provider_signs_with_a_configured_algorithm),
        case("OIDC-3.1.3.7-07", it_is_a_fresh_receipt),
        case("OIDC-3.1.3.7-07", its_age_limits_what_it_begins_and_not_what_it_goes_on_with),
        case("OIDC-2-01", a_user_is_issuer_and_subject),
        case("OIDC-2-01", the_same_subject_of_two_providers_is_two_users),
        case("OIDC-3.1.3.7-08", a_logout_token_is_no_login),
        case("OIDC-3.1.3.7-09", the_login_itself_has_an_age),
        case("OIDC-3.1.3.7-09", without_an_age_a_login_does_less),
        case("OIDC-3.1.3.7-10", a_login_without_a_second_factor_is_refused),
        case("OIDC-3.1.3.7-11", tokens_of_other_kinds_are_refused),
        case("OIDC-3.1.3.7-12", an_encrypted_id_token_is_refused),
        case("OIDC-3.1.3.7-13", the_session_is_kept_with_the_login),
        case("OIDC-3.1.3.7-14", the_same_id_token_joins_its_task),
        case("OIDC-5.7-01", an_email_links_no_one),
        case("OIDC-16.F-01", a_stopped_users_login_is_refused),
        case("OIDC-16.F-01", a_stop_holds_for_logins_up_to_it_and_for_what_lives),
    ]
}

async fn the_issuer_is_a_configured_one_to_the_byte() {
    let world = World::start(Setup::default()).await;
    let issuer = world.provider.issuer.clone();
    let foreign = |issuer: &str| world.id_token().claim("iss", issuer);

    with(&world, &world.id_token()).send().await.granted();

    let cause = "issuer_untrusted";
    let tokens = vec![
        ("a slash added", foreign(&format!("{issuer}/")), cause),
        ("upper case", foreign(&issuer.to_uppercase()), cause),
        ("another path", foreign(&format!("{issuer}/tenant")), cause),
        ("user info", foreign(&issuer.replace("http://", "http://op@")), cause),
        ("another host", foreign("https://login.example.evil"), cause),
        ("none", world.id_token().without("iss"), "issuer_untrusted|claim"),
        ("a number", world.id_token().claim("iss", 7), "issuer_untrusted|claim"),
        ("a list", world.id_token().claim("iss", json!([issuer])), "issuer_untrusted|claim"),
    ];
    each_refused(&world, tokens).await;
}

async fn the_metadata_of_a_provider_must_name_its_issuer() {
    let world = World::start(Setup::default()).await;
    world.provider.describe("issuer", "https://somebody.example".into());

    let answer = world.tx().send().await;

    assert_eq!(answer.status, 503, "{}", answer.text);
    assert!(answer.body.get("access_token").is_none());
    assert_eq!(world.provider.jwks_fetches(), 0, "no key of a document that names another issuer is read");
}

async fn another_tenant_of_the_same_provider_is_another_issuer() {
    let world = World::start(Setup::default().with_other_provider()).await;
    // The second provider represents another tenant: it is trusted for itself and has its own keys.
    let of_the_other = world
        .id_token()
        .claim("iss", world.other_provider.issuer.as_str())
        .header("kid", world.other_provider.key.kid.as_str());

    each_refused(
        &world,
        vec![
            ("the tenant's name, the other's key", of_the_other.clone(), "signature|key_unknown"),
            ("a template", world.id_token().claim("iss", "http://127.0.0.1/{tenantid}"), "issuer_untrusted"),
        ],
    )
    .await;
    with(&world, &of_the_other.signed_by(&world.other_provider.key)).send().await.granted();
}

async fn the_audience_is_a_registered_client_and_no_stranger() {
    let world = World::start(Setup::default()).await;
    let aud = |aud: serde_json::Value| world.id_token().claim("aud", aud);

    with(&world, &aud(json!(["booking-app"]))).send().await.granted();

    let tokens = vec![
        ("another application", aud("unknown-app".into()), "audience"),
        (
            "a stranger beside",
            aud(json!(["booking-app", "unknown-app"])).claim("azp", "booking-app"),
            "audience",
        ),
        ("an empty list", aud(json!([])), "audience"),
        ("none", world.id_token().without("aud"), "audience|claim"),
        ("a number among them", aud(json!(["booking-app", 7])), "claim|audience"),
        ("upper case", aud("Travel-App".into()), "audience"),
    ];
    each_refused(&world, tokens).await;
}

/// Some providers write the identifiers of sibling applications into `aud`, and some an application that obtains tokens
/// for another one into `azp`.
async fn a_relying_party_may_list_who_else_is_in_it() {
    let lists =
        "client_id = \"booking-app\"\nauthorized_parties = [\"android\"]\nother_audiences = [\"235982\"]";
    let world = World::start(Setup::default().replace("client_id = \"booking-app\"", lists)).await;
    let issued = |aud: serde_json::Value, azp: &str| world.id_token().claim("aud", aud).claim("azp", azp);

    with(&world, &issued(json!(["booking-app", "235982"]), "booking-app")).send().await.granted();
    with(&world, &issued("booking-app".into(), "android")).send().await.granted();

    let tokens = vec![
        ("a stranger beside", issued(json!(["booking-app", "unknown"]), "booking-app"), "audience"),
        ("not its own", issued(json!(["235982"]), "booking-app"), "audience"),
        ("another party", issued("booking-app".into(), "ios"), "authorized_party"),
        ("a listed party alone", issued("android".into(), "android"), "audience"),
    ];
    each_refused(&world, tokens).await;
}

async fn only_the_client_it_was_issued_for_may_hand_it_in() {
    let world = World::start(Setup::default()).await;
    let id_token = world.id_token().sign();

    let stolen = world
        .exchange("stranger", &id_token, crate::world::ID_TOKEN_TYPE)
        .set("audience", "tickets")
        .set("scope", "tickets:search");
    refuses(&world, "a registered client's own application is another", stolen, SUBJECT, "relying_party")
        .await;

    let turned = world.id_token().claim("aud", "other-app");
    refuses(&world, "the other way round", with(&world, &turned), SUBJECT, "relying_party").await;
    world.tx().set("subject_token", &id_token).send().await.granted();
}

async fn the_authorized_party_is_the_mapped_client() {
    let world = World::start(Setup::default()).await;
    let two = || world.id_token().claim("aud", json!(["booking-app", "other-app"]));

    with(&world, &two().claim("azp", "booking-app")).send().await.granted();
    with(&world, &world.id_token().claim("azp", "booking-app")).send().await.granted();

    let tokens = vec![
        ("two audiences and no azp", two(), "authorized_party"),
        ("azp is the other", two().claim("azp", "other-app"), "relying_party"),
        ("azp is no audience", world.id_token().claim("azp", "other-app"), "authorized_party"),
        ("azp is nobody", world.id_token().claim("azp", "nobody"), "authorized_party"),
        ("azp is a list", world.id_token().claim("azp", json!(["booking-app"])), "claim"),
    ];
    each_refused(&world, tokens).await;
}

async fn the_provider_signs_with_a_configured_algorithm() {
    let world = World::start(Setup::default()).await;
    let (header, payload) = world.id_token().texts();
    let hs = crate::world::hmac_signed(b"client-secret", &header.replace("ES256", "HS256"), &payload);
    let none = crate::world::unsigned(&header.replace("ES256", "none"), &payload);
    let stranger = world.key_of("stranger").clone();

    each_refused(
        &world,
        vec![("another's key under its kid", world.id_token().signed_by(&stranger), "signature|key_unknown")],
    )
    .await;
    for (what, token) in [("HS256", hs), ("none", none)] {
        let request = world.tx().set("subject_token", &token);
        refuses(&world, what, request, SUBJECT, "algorithm|malformed").await;
    }

    // RS256 is allowed for ID tokens in general, and not where the operator lists ES256 alone.
    let rsa = OtherKey::new("rsa", "RS256");
    let listed = format!("issuer = \"{}\"\n", world.provider.issuer);
    let narrow =
        World::start(Setup::default().replace(
            "policy_claims = [\"groups\"]",
            "policy_claims = [\"groups\"]\nalgorithms = [\"ES256\"]",
        ))
        .await;
    assert!(world.toml.contains(&listed));
    for (world, is_allowed) in [(&world, true), (&narrow, false)] {
        world.provider.publish(json!({"keys": [world.provider.key.jwk(), rsa.jwk()]}));
        let token = world.id_token().header("alg", "RS256").header("kid", "rsa").signed_with(&rsa);
        let request = world.tx().set("subject_token", &token);
        if is_allowed {
            world.advance(61);
            request.send().await.granted();
        } else {
            refuses(world, "RS256 where ES256 alone is listed", request, SUBJECT, "algorithm").await;
        }
    }
}

async fn it_is_a_fresh_receipt() {
    let world = World::start(Setup::default()).await;

    for (what, token) in [
        ("as old as allowed", aged(&world, 600, 300)),
        ("ahead within the leeway", aged(&world, -55, 300)),
        ("expired within the leeway", aged(&world, 100, -55)),
    ] {
        let answer = with(&world, &token).send().await;
        assert_eq!(answer.status, 200, "{what}: {}", answer.text);
    }

    let tokens = vec![
        ("older than ten minutes", aged(&world, 601, 300), "too_old"),
        ("issued 70 s ahead", aged(&world, -70, 300), "issued_ahead"),
        ("expired beyond the leeway", aged(&world, 100, -61), "expired"),
        ("no exp", world.id_token().without("exp"), "claim|expired"),
        ("no iat", world.id_token().without("iat"), "claim"),
        ("nbf five minutes ahead", world.id_token().claim("nbf", world.now() + 300), "not_yet_valid"),
    ];
    each_refused(&world, tokens).await;
}

async fn a_user_is_issuer_and_subject() {
    let world = World::start(Setup::default()).await;
    let sub = |sub: serde_json::Value| world.id_token().claim("sub", sub);

    with(&world, &sub("a".repeat(255).into())).send().await.granted();

    let tokens = vec![
        ("none", world.id_token().without("sub"), "subject|claim"),
        ("empty", sub("".into()), "subject|claim"),
        ("a number", sub(7.into()), "subject|claim"),
        ("256 characters", sub("a".repeat(256).into()), "subject"),
        ("not ASCII", sub("ålice".into()), "subject"),
        ("a reserved form of pairwise subjects", sub("pw_alice".into()), "subject"),
        ("a reserved form of agents", sub("agent_alice".into()), "subject"),
    ];
    each_refused(&world, tokens).await;
}

async fn the_same_subject_of_two_providers_is_two_users() {
    let world = World::start(Setup::default().with_other_provider()).await;
    let other = world
        .id_token()
        .claim("iss", world.other_provider.issuer.as_str())
        .header("kid", world.other_provider.key.kid.as_str())
        .signed_by(&world.other_provider.key);

    let here = with(&world, &world.id_token()).send().await.claims();
    let there = with(&world, &other).send().await.claims();

    assert_ne!(here["sub"], there["sub"], "one target, one `sub`, two providers: two users");
}

async fn a_logout_token_is_no_login() {
    let world = World::start(Setup::default()).await;
    let event = "http://schemas.openid.net/event/backchannel-logout";

    each_refused(
        &world,
        vec![
            ("with events", world.id_token().claim("events", json!({event: {}})), "kind"),
            ("typed as one", world.id_token().header("typ", "logout+jwt"), "kind"),
        ],
    )
    .await;
    // A nonce of a login that Deputy did not start is not judged.
    with(&world, &world.id_token().without("nonce")).send().await.granted();
}

async fn the_login_itself_has_an_age() {
    let world = World::start(Setup::default()).await;
    let at = |ago: i64| world.id_token().claim("auth_time", world.now() - ago);

    with(&world, &at(8 * 3600 - 10)).send().await.granted();

    let none = with(&world, &world.id_token().without("auth_time"));
    let answer = refuses(&world, "none, though there is an iat", none, AUTH_TIME, "auth_time_missing").await;
    assert_eq!(answer.body["max_age"], 28_800, "what to ask the provider with");

    let tokens = vec![
        (
            "not told of a token with another fault",
            world.id_token().without("auth_time").claim("azp", "x"),
            "authorized_party",
        ),
        ("older than the session limit", at(8 * 3600), "session_too_old"),
        ("ahead", at(-70), "issued_ahead"),
        ("a string", world.id_token().claim("auth_time", world.now().to_string()), "claim|malformed"),
    ];
    each_refused(&world, tokens).await;
}

/// Where `auth_time` is optional, a token without it does everything but what an age is demanded for, and after a stop of
/// its user nothing.
async fn without_an_age_a_login_does_less() {
    let optional = "policy_claims = [\"groups\"]\nauth_time = \"optional\"";
    let world = World::start(Setup::default().replace("policy_claims = [\"groups\"]", optional)).await;
    let undated = || world.id_token().claim("acr", "phr").without("auth_time");

    with(&world, &undated()).send().await.granted();

    let aged = with(&world, &undated()).set("scope", "tickets:book");
    let answer = refuses(&world, "a demanded age", aged, ASSURANCE, "assurance_insufficient").await;
    assert_eq!(answer.body["max_age"], 900);
    let stopped = json!({"issuer": world.provider.issuer, "subject": "alice"});
    assert_eq!(world.admin("POST", "/subjects/end", stopped).await.status, 200);
    world.advance(3600);
    each_refused(&world, vec![("however new, after a stop", undated(), "subject_cut_off")]).await;
    with(&world, &world.id_token()).send().await.granted();
}

async fn a_login_without_a_second_factor_is_refused() {
    let world = World::start(Setup::default()).await;
    let weak = world.id_token().claim("amr", json!(["pwd"])).without("acr");

    let request = with(&world, &weak);

    refuses(&world, "a password alone", request, crate::expect::ASSURANCE, "assurance_insufficient").await;
}

async fn tokens_of_other_kinds_are_refused() {
    let world = World::start(Setup::default()).await;

    with(&world, &world.id_token().header("typ", "JWT")).send().await.granted();

    let tokens = vec![
        ("an access token by its typ", world.id_token().header("typ", "at+jwt"), "kind"),
        ("an access token by its scope", world.id_token().claim("scope", "a"), "kind"),
        ("an access token by its client_id", world.id_token().claim("client_id", "a"), "kind"),
        ("a DPoP proof", world.id_token().claim("htm", "POST"), "kind"),
        ("an introspection answer", world.id_token().claim("token_introspection", json!({})), "kind"),
        ("a client assertion", world.assertion("assistant"), "issuer_untrusted"),
        ("a workload's credential", world.workload_token("planner"), "issuer_untrusted"),
    ];
    each_refused(&world, tokens).await;
}

async fn an_encrypted_id_token_is_refused() {
    let world = World::start(Setup::default()).await;
    let signed = world.id_token().sign();
    let five_parts = format!("{signed}.{}.{}", "AAAA", "AAAA");

    let request = world.tx().set("subject_token", &five_parts);

    refuses(&world, "five parts", request, SUBJECT, "malformed").await;
}

async fn the_session_is_kept_with_the_login() {
    let world = World::start(Setup::default()).await;

    let token = with(&world, &world.id_token().claim("sid", "session-canary-77")).send().await.granted();

    let claims = crate::world::claims_of(&token);
    let login = world.server().login_of(claims["jti"].as_str().unwrap()).await.unwrap();
    assert_eq!(login["has_session"], true, "logout has to find it");
    assert!(!world.is_on_disk("session-canary-77"), "as a hash, not as it came");
}

/// The same ID token joins the task that it began. There is no mode in which it can be used only once.
async fn the_same_id_token_joins_its_task() {
    let world = World::start(Setup::default()).await;
    let id_token = world.id_token().sign();
    let hand_in = || world.tx().set("subject_token", &id_token);

    let first = hand_in().send().await;
    let second = hand_in().send().await;

    assert_eq!(first.body["task"], second.body["task"], "one ID token, one task");
    assert_ne!(first.granted(), second.granted(), "answers are not kept");
    world.advance(660);
    refuses(&world, "past its exp", hand_in(), SUBJECT, "expired").await;
}

async fn its_age_limits_what_it_begins_and_not_what_it_goes_on_with() {
    let world = World::start(Setup::default()).await;
    let other_task = world.tx().send().await.body["task"].as_str().unwrap().to_owned();
    let id_token = world.id_token().claim("exp", world.now() + 1300).sign();
    let unused = world.id_token().claim("exp", world.now() + 1300);
    let hand_in = || world.tx().set("subject_token", &id_token);
    let task = hand_in().send().await.body["task"].as_str().unwrap().to_owned();
    world.advance(1200);

    for request in [hand_in(), hand_in().set("task", &task)] {
        assert_eq!(
            request.send().await.body["task"].as_str(),
            Some(&*task),
            "it joins the live task that it fed"
        );
    }
    let planner = world.workload_token("planner").sign();
    refuses(&world, "another agent", hand_in().actor(&planner), SUBJECT, "too_old").await;
    refuses(&world, "another client", hand_in().basic("basic-app"), SUBJECT, "too_old").await;
    refuses(&world, "a task that it did not feed", hand_in().set("task", &other_task), SUBJECT, "too_old")
        .await;
    each_refused(&world, vec![("one that was never used", unused, "too_old")]).await;

    let ended = world.admin("POST", &format!("/tasks/{task}/end"), json!({})).await;
    assert_eq!(ended.status, 200, "{}", ended.text);
    refuses(&world, "its task is over", hand_in(), SUBJECT, "too_old").await;
}

async fn an_email_links_no_one() {
    let world = World::start(Setup::default()).await;
    let named = |email: &str, name: &str| {
        world
            .id_token()
            .claim("email", email)
            .claim("email_verified", false)
            .claim("preferred_username", name)
    };

    let alice = with(&world, &named("alice@example.org", "alice")).send().await.claims();
    let renamed = with(&world, &named("bob@example.org", "bob")).send().await.claims();
    let bob = with(&world, &named("alice@example.org", "alice").claim("sub", "bob")).send().await.claims();

    assert_eq!(alice["sub"], renamed["sub"], "changing them changes nothing");
    assert_ne!(alice["sub"], bob["sub"], "sharing them links no one");
}

async fn a_stopped_users_login_is_refused() {
    let world = World::start(Setup::default()).await;
    let before = world.id_token();
    with(&world, &before).send().await.granted();

    let stopped = json!({"issuer": world.provider.issuer, "subject": "alice"});
    let answer = world.admin("POST", "/subjects/end", stopped).await;
    assert_eq!(answer.status, 200, "{}", answer.text);

    refuses(&world, "the same ID token", with(&world, &before), SUBJECT, "subject_cut_off").await;
    let renewed = world.id_token().claim("auth_time", before.claims["auth_time"].clone());
    refuses(&world, "renewed in silence", with(&world, &renewed), SUBJECT, "subject_cut_off").await;
    world.advance(120);
    with(&world, &world.id_token()).send().await.granted();
}

async fn a_template_issuer_matches_nobody() {
    let key = crate::world::Key::new("shared-by-tenants");
    let tenant = "https://login.example/11111111-1111-4111-8111-111111111111/v2.0";
    let template = "https://login.example/{tenantid}/v2.0";
    let by = |world: &World, issuer: &str| {
        world.id_token().claim("iss", issuer).header("kid", key.kid.as_str()).signed_by(&key)
    };

    let world = World::start(pinned_provider(tenant, &key)).await;
    with(&world, &by(&world, tenant)).send().await.granted();
    let other = tenant.replace('1', "2");
    let tokens = vec![
        ("another tenant, the same key", by(&world, &other), "issuer_untrusted"),
        ("the template", by(&world, template), "issuer_untrusted"),
    ];
    each_refused(&world, tokens).await;
    let world = World::start(pinned_provider(template, &key)).await;
    each_refused(&world, vec![("a tenant", by(&world, tenant), "issuer_untrusted")]).await;
}

async fn a_stop_holds_for_logins_up_to_it_and_for_what_lives() {
    let world = World::start(Setup::default()).await;
    let token = world.tx().send().await.granted();
    let task_token = world.task_token().await;
    assert!(world.is_active(&token).await);

    let user = json!({"issuer": world.provider.issuer, "subject": "alice"});
    assert_eq!(world.admin("POST", "/subjects/end", user).await.status, 200);

    assert!(!world.is_active(&token).await);
    let continued = world.onward("assistant", &task_token, "tickets", "tickets:search");
    refuses(&world, "a task token of before", continued, SUBJECT, "task_ended|subject_cut_off").await;
    let cutoff = world.now();
    let at = |auth_time: i64| world.id_token().claim("auth_time", auth_time);
    world.advance(120);
    for auth_time in [cutoff - 30, cutoff, cutoff + 60] {
        each_refused(&world, vec![("within the leeway", at(auth_time), "subject_cut_off")]).await;
    }
    with(&world, &at(cutoff + 61)).send().await.granted();
    with(&world, &at(cutoff - 30).claim("sub", "bob")).send().await.granted();
}

//! Yes/no claims: the requirements YNC-01 to YNC-18 (docs/design/exchange.md).

use serde_json::{Value, json};

use crate::definition::with_opaque_tokens;
use crate::expect::{ACTOR, POLICY, SUBJECT, assert_revoked, malformed, scope};
use crate::harness::{Cases, case, skip};
use crate::requests::revocation;
use crate::world::{Answer, OPAQUE, Setup, World, claims_of};

/// The cases of this file.
pub fn cases() -> Cases {
    vec![
        case("YNC-01", an_answer_is_one_json_boolean),
        case("YNC-02", no_birthdate_shows_anywhere),
        case("YNC-03", unknown_is_one_fixed_refusal),
        case("YNC-04", only_the_two_forms_of_a_date_are_read),
        case("YNC-05", a_leap_day_birthday_follows_the_switch),
        case("YNC-06", the_birthday_itself_counts_and_the_day_before_does_not),
        case("YNC-07", a_year_alone_is_an_interval),
        case("YNC-08", today_is_where_the_target_says),
        case("YNC-09", only_listed_thresholds_are_answered),
        skip(
            "YNC-10",
            "there is no limit for each user, target and threshold; the limit for each client applies",
        ),
        case("YNC-11", only_actors_whose_class_lists_it_have_an_answer),
        case("YNC-12", a_user_has_one_name_a_sector),
        case("YNC-13", an_answer_lives_two_minutes_and_no_longer_than_its_parent),
        case("YNC-14", the_providers_own_boolean_is_preferred),
        case("YNC-15", an_opaque_token_shows_the_whole_chain_with_its_answer),
        skip("YNC-16", "policy cannot yet demand a source class of a claim"),
        case("YNC-17", answers_are_gone_with_the_task_and_the_user),
        skip("YNC-18", "no SD-JWT output"),
    ]
}

/// 00:00 UTC of a day, in seconds.
fn midnight(day: &str) -> i64 {
    format!("{day}T00:00:00Z").parse::<jiff::Timestamp>().unwrap().as_second()
}

/// A token for the age agent, by an ID token with this birthdate (or none).
async fn for_age_agent(world: &World, birthdate: Option<Value>) -> String {
    let id_token = match birthdate {
        Some(birthdate) => world.id_token().claim("birthdate", birthdate),
        None => world.id_token().without("birthdate"),
    };
    let request = world.tx().set("subject_token", &id_token.sign());
    // What the claim holds is no matter of hop 0: it is never refused for it.
    request.set("audience", "age-agent").set("scope", "age_over_18").send().await.granted()
}

/// The whole way from an ID token with this birthdate to the answer for `tickets`.
async fn asked(world: &World, birthdate: impl Into<Value>) -> Answer {
    let token = for_age_agent(world, Some(birthdate.into())).await;
    world.age_tx(&token).send().await
}

/// The answer as three-valued: `None` is the one refusal, checked whole.
async fn answered(world: &World, birthdate: impl Into<Value>) -> Option<bool> {
    let answer = asked(world, birthdate).await;
    if answer.status == 200 {
        return Some(answer.claims()["age_over_18"].as_bool().expect("an answer is a boolean"));
    }
    answer.refused_because(world, malformed("answer_unavailable"), "answer_unavailable").await;
    None
}

async fn an_opaque_token_shows_the_whole_chain_with_its_answer() {
    let tickets = "[[target]]\nidentifier = \"tickets\"\n";
    let world =
        World::start(Setup::default().replace(tickets, &with_opaque_tokens(tickets, &["tickets"]))).await;
    let from = for_age_agent(&world, Some(json!("1990-02-28"))).await;
    let token = world.age_tx(&from).send().await.granted();
    assert!(token.starts_with(OPAQUE));

    let seen = world.introspect_as("tickets-api", &token).await.body;
    assert_eq!((&seen["active"], &seen["age_over_18"]), (&json!(true), &json!(true)));
    assert_eq!(seen["act"]["act"], claims_of(&from)["act"]);
    assert!(seen["act"]["sub"].is_string() && seen["act"]["act"]["sub"].is_string(), "{seen}");
}

async fn an_answer_is_one_json_boolean() {
    let world = World::start(Setup::default()).await;

    let adult = asked(&world, "1990-02-28").await.claims();
    assert_eq!(adult["age_over_18"], json!(true));
    let minor = asked(&world, "2015-02-28").await.claims();
    assert_eq!(minor["age_over_18"], json!(false));
    for claims in [adult, minor] {
        let answers = claims.as_object().unwrap().keys().filter(|name| name.starts_with("age_"));
        assert_eq!(answers.count(), 1, "{claims}");
        assert_eq!(claims["scope"], "age_over_18");
    }

    let both = "age_over_18 age_over_21";
    let token = world.tx().set("audience", "age-agent").set("scope", both).send().await.granted();
    let minted = world.minted().await;
    let two = world.age_tx(&token).set("scope", both).send().await;
    two.refused_because(&world, scope("several_answers"), "several_answers").await;
    assert_eq!(world.minted().await, minted);
}

async fn no_birthdate_shows_anywhere() {
    let world = World::start(Setup::default()).await;
    let canary = "1987-03-19";
    let mut outputs = Vec::new();

    let id_token = world.id_token().claim("birthdate", canary).sign();
    let hop0 = world.task_tx().set("subject_token", &id_token).send().await;
    let task_token = hop0.granted();
    outputs.push(hop0);
    let for_agent = world.onward("assistant", &task_token, "age-agent", "age_over_18").send().await;
    let answered = world.age_tx(&for_agent.granted()).send().await;
    let final_token = answered.granted();
    outputs.push(for_agent);
    outputs.push(answered);
    outputs.push(world.introspect_as("tickets-api", &final_token).await);
    outputs.push(world.onward("assistant", &task_token, "tickets", "age_over_18").send().await);
    let wrong_form = world.id_token().claim("birthdate", format!("{canary}T00:00:00Z")).sign();
    let broken =
        world.tx().set("subject_token", &wrong_form).set("audience", "age-agent").set("scope", "age_over_18");
    let broken = broken.send().await;
    outputs.push(world.age_tx(&broken.granted()).send().await);
    outputs.push(broken);
    outputs.push(world.tx().set("subject_token", &id_token).set("scope", "unheard-of").send().await);
    let management = world.server().management();
    let metrics = world.http.get(format!("http://{management}/metrics")).send().await.unwrap();
    outputs.push(Answer::read(metrics).await);
    let agents = world.admin("GET", "/agents", Value::Null).await;
    for agent in agents.body["agents"].as_array().unwrap() {
        let id = agent["agent"].as_str().unwrap();
        outputs.push(world.admin("GET", &format!("/agents/{id}/explain"), Value::Null).await);
    }
    outputs.push(agents);
    outputs.push(world.admin("GET", "/audit/trace", Value::Null).await);
    world.server().tidy().await.unwrap();

    for output in &outputs {
        for text in [canary, "19870319", "1987-03", "birthdate\""] {
            assert!(!output.text.contains(text), "{text} in {}", output.text);
        }
        if let Some(token) = output.body["access_token"].as_str() {
            let claims = claims_of(token).to_string();
            assert!(!claims.contains("1987-03") && !claims.contains("birth"), "{claims}");
        }
    }
    assert!(!world.is_on_disk(canary));
    assert!(!crate::logs::hold(canary));
    assert!(world.is_on_disk(claims_of(&final_token)["jti"].as_str().unwrap()), "the search finds things");
}

async fn unknown_is_one_fixed_refusal() {
    let world = World::start(Setup::default()).await;

    let missing = world.age_tx(&for_age_agent(&world, None).await).send().await;
    let partial = asked(&world, "0000-06-15").await;
    let invalid = asked(&world, "15.06.1990").await;
    let mut bodies = Vec::new();
    for refused in [missing, partial, invalid] {
        refused.refused_because(&world, malformed("answer_unavailable"), "answer_unavailable").await;
        bodies.push(refused.anonymous_body());
    }
    assert!(bodies.iter().all(|body| body == &bodies[0]), "{bodies:?}");

    // A target that accepts only `true` cannot distinguish false from unknown.
    let setup = Setup::default().replace(
        "answers = { age_over_18 = {}, age_over_21 = {} }",
        "answers = { age_over_18 = { only_true = true }, age_over_21 = {} }",
    );
    let strict = World::start(setup).await;
    let minor = asked(&strict, "2015-06-15").await;
    minor.refused_because(&strict, malformed("answer_unavailable"), "answer_unavailable").await;
    assert_eq!(minor.anonymous_body(), bodies[0]);
    assert_eq!(answered(&strict, "1990-02-28").await, Some(true));
}

async fn only_the_two_forms_of_a_date_are_read() {
    let world = World::start(Setup::default()).await;

    for (date, expected) in
        [("1990-02-28", true), ("2004-02-29", true), ("2015-01-31", false), ("1990", true)]
    {
        assert_eq!(answered(&world, date).await, Some(expected), "{date}");
    }
    let unknown = [
        json!("0000-06-15"),
        json!("0000"),
        json!("2008"),
        json!("1990-02-30"),
        json!("1990-6-5"),
        json!("06/05/1990"),
        json!("1990-06"),
        json!("1990-00-00"),
        json!("1990-13-01"),
        json!(" 1990-02-28"),
        json!("1990-02-28Z"),
        json!("+1990-02-28"),
        json!("１９９０-02-28"),
        json!(19_900_228),
        json!(null),
        json!(""),
        json!(" "),
        json!(["1990-02-28"]),
        json!({"value": "1990-02-28"}),
        json!(true),
        json!("2030-01-01"),
        json!("1850-01-01"),
    ];
    for date in unknown {
        assert_eq!(answered(&world, date.clone()).await, None, "{date}");
    }
    // Only the audit row of the first hop reports that a date is malformed, and it does not have the date.
    for (date, is_malformed) in [
        (json!("1990-02-30"), true),
        (json!(19_900_228), true),
        (json!("2008"), false),
        (json!("0000-06-15"), false),
    ] {
        let token = for_age_agent(&world, Some(date.clone())).await;
        let jti = claims_of(&token)["jti"].clone();
        let rows = world.audit().await;
        let row = rows.iter().find(|row| row["jti"] == jti).expect("the grant is on record");
        assert_eq!(row.get("birthdate_malformed"), is_malformed.then_some(&json!(true)), "{date}");
    }
}

async fn a_leap_day_birthday_follows_the_switch() {
    // 13:00 UTC is 01:00 of the same day in UTC-12, the default zone.
    let at = |day: &str| midnight(day) + 13 * 3600;
    let feb28 = "at_least_years = 18\nleap_day = \"feb28\"";

    let default = World::start(Setup::default().at(at("2022-02-28"))).await;
    assert_eq!(answered(&default, "2004-02-29").await, Some(false));
    default.advance(86_400);
    assert_eq!(answered(&default, "2004-02-29").await, Some(true), "2022-03-01");

    let setup = Setup::default().at(at("2022-02-27")).replace("at_least_years = 18", feb28);
    let earlier = World::start(setup).await;
    assert_eq!(answered(&earlier, "2004-02-29").await, Some(false), "2022-02-27");
    earlier.advance(86_400);
    assert_eq!(answered(&earlier, "2004-02-29").await, Some(true), "2022-02-28");
}

async fn the_birthday_itself_counts_and_the_day_before_does_not() {
    // 11:59:59 UTC is the last second of the day before in UTC-12.
    let world = World::start(Setup::default().at(midnight("2022-06-15") + 12 * 3600 - 1)).await;

    assert_eq!(answered(&world, "2004-06-15").await, Some(false));
    world.advance(1);
    assert_eq!(answered(&world, "2004-06-15").await, Some(true));
    assert_eq!(answered(&world, "2004-06-16").await, Some(false));

    // A stored `false` is not given after the midnight until which it is valid.
    let token = for_age_agent(&world, Some("2004-06-16".into())).await;
    assert_eq!(world.age_tx(&token).send().await.claims()["age_over_18"], json!(false));
    let near = World::start(Setup::default().at(midnight("2022-06-16") + 12 * 3600 - 60)).await;
    let token = for_age_agent(&near, Some("2004-06-16".into())).await;
    near.advance(61);
    let stale = near.age_tx(&token).send().await;
    stale.refused_because(&near, malformed("answer_unavailable"), "answer_unavailable").await;
}

async fn a_year_alone_is_an_interval() {
    let at = |day: &str| Setup::default().at(midnight(day) + 13 * 3600);
    for (day, expected) in
        [("2025-12-31", Some(false)), ("2026-01-01", None), ("2026-06-01", None), ("2026-12-31", Some(true))]
    {
        let world = World::start(at(day)).await;
        assert_eq!(answered(&world, "2008").await, expected, "{day}");
    }
}

async fn today_is_where_the_target_says() {
    // One instant: 14 June in UTC-12, 15 June in UTC, 16 June in UTC+14.
    let instant = midnight("2022-06-15") + 11 * 3600;
    let zone = |zone: &str| {
        Setup::default().at(instant).replace(
            "answers = { age_over_18 = {}, age_over_21 = {} }",
            &format!("answers = {{ age_over_18 = {{ zone = \"{zone}\" }}, age_over_21 = {{}} }}"),
        )
    };

    let default = World::start(Setup::default().at(instant)).await;
    assert_eq!(answered(&default, "2004-06-14").await, Some(true));
    assert_eq!(answered(&default, "2004-06-15").await, Some(false));
    // The user's own zone is the user's to choose, and not asked.
    let traveller =
        default.id_token().claim("zoneinfo", "Pacific/Kiritimati").claim("birthdate", "2004-06-15");
    let request = default.tx().set("subject_token", &traveller.sign());
    let token = request.set("audience", "age-agent").set("scope", "age_over_18").send().await.granted();
    assert_eq!(default.age_tx(&token).send().await.claims()["age_over_18"], json!(false));

    let utc = World::start(zone("UTC")).await;
    assert_eq!(answered(&utc, "2004-06-15").await, Some(true));
    assert_eq!(answered(&utc, "2004-06-16").await, Some(false));
    for name in ["UTC+14", "Pacific/Kiritimati"] {
        let eastmost = World::start(zone(name)).await;
        assert_eq!(answered(&eastmost, "2004-06-16").await, Some(true), "{name}");
        assert_eq!(answered(&eastmost, "2004-06-17").await, Some(false), "{name}");
    }
}

async fn only_listed_thresholds_are_answered() {
    let world = World::start(Setup::default()).await;

    for scope in ["age_over_17", "age_over_19", "age", "age_over_018"] {
        let direct = world.tx().set("audience", "age-agent").set("scope", scope).send().await;
        direct
            .refused_because(
                &world,
                crate::expect::scope("scope_unknown_at_target"),
                "scope_unknown_at_target",
            )
            .await;
    }
    let token = for_age_agent(&world, Some("1990-02-28".into())).await;
    let wider = world.age_tx(&token).set("scope", "age_over_17").send().await;
    wider.refused(400, "invalid_scope");
    assert_eq!(wider.audited_cause(&world).await, "scope_not_in_subject");
    assert_eq!(world.age_tx(&token).send().await.claims()["age_over_18"], json!(true));
}

async fn only_actors_whose_class_lists_it_have_an_answer() {
    let world = World::start(Setup::default()).await;
    let task_token = world.task_token().await;
    let minted = world.minted().await;

    // The assistant may hand the question on, and may not have the answer: at hop 0 or later.
    for request in [
        world.tx().set("scope", "age_over_18"),
        world.tx().set("scope", "tickets:search age_over_18"),
        world.onward("assistant", &task_token, "tickets", "age_over_18"),
    ] {
        request.send().await.refused_because(&world, POLICY, "answer_not_for_actor").await;
    }
    assert_eq!(world.minted().await, minted);
    let for_agent = world.onward("assistant", &task_token, "age-agent", "age_over_18").send().await.granted();
    // Not what the parent does not hold.
    let other = world.age_tx(&for_agent).set("scope", "age_over_21").send().await;
    other.refused_because(&world, scope("scope_not_in_subject"), "scope_not_in_subject").await;
    // Not the client of the age agents by itself, without one of them.
    let own = world.onward("age-agent", &for_agent, "tickets", "age_over_18").send().await;
    own.refused_because(&world, POLICY, "answer_not_for_actor").await;
    // Not a workload of another class.
    let planner = world.workload_token("planner").sign();
    let planner = world.age_tx(&for_agent).actor(&planner).send().await;
    planner.refused_because(&world, ACTOR, "class_not_for_client").await;
    assert_eq!(world.age_tx(&for_agent).send().await.claims()["age_over_18"], json!(true));

    let setup = Setup::default()
        .replace("answers = [\"age_over_18\", \"age_over_21\"]", "answers = [\"age_over_21\"]");
    let narrower = World::start(setup).await;
    asked(&narrower, "1990-02-28").await.refused_because(&narrower, POLICY, "answer_not_for_actor").await;
}

async fn a_user_has_one_name_a_sector() {
    let world = World::start(Setup::default()).await;
    let subject_at = |target: &'static str, scope: &'static str, user: &'static str| {
        let world = &world;
        async move {
            let id_token = world.id_token().claim("sub", user).sign();
            let request = world.tx().set("subject_token", &id_token).set("audience", target);
            let claims = request.set("scope", scope).send().await.claims();
            let subject = claims["sub"].as_str().unwrap().to_owned();
            assert!(subject.starts_with("pw_") && !subject.contains(user), "{subject}");
            (subject, claims["txn"].as_str().unwrap().to_owned())
        }
    };
    let tickets = subject_at("tickets", "tickets:search", "alice").await;
    let again = subject_at("tickets", "tickets:search", "alice").await;
    let deep = subject_at("deep1", "deep", "alice").await;
    let bob = subject_at("tickets", "tickets:search", "bob").await;
    assert_eq!(tickets.0, again.0, "two calls are equal");
    assert_ne!(tickets.0, deep.0, "two APIs differ");
    assert_ne!(tickets.0, bob.0, "two users differ");
    // Two calls of two tasks are not joined by `txn`.
    assert_ne!(tickets.1, again.1);

    // Within one task: `txn` differs between sectors too, and a shared sector shares both.
    let setup =
        Setup::default().replace("identifier = \"deep1\"", "identifier = \"deep1\"\nsector = \"tickets\"");
    let shared = World::start(setup).await;
    let task_token = shared.task_token().await;
    let mut seen = Vec::new();
    for (target, scope) in [("tickets", "tickets:search"), ("deep1", "deep"), ("age-agent", "age_over_18")] {
        let claims = shared.onward("assistant", &task_token, target, scope).send().await.claims();
        seen.push((claims["sub"].clone(), claims["txn"].clone()));
    }
    assert_eq!(seen[0], seen[1], "one sector");
    assert_ne!(seen[0].0, seen[2].0);
    assert_ne!(seen[0].1, seen[2].1);

    // The same `sub` at another provider is another user.
    let two = World::start(Setup::default().with_other_provider()).await;
    let first = two.tx().send().await.claims();
    let at_other = two.id_token().claim("iss", two.other_provider.issuer.as_str());
    let at_other =
        at_other.header("kid", two.other_provider.key.kid.as_str()).signed_by(&two.other_provider.key);
    let second = two.tx().set("subject_token", &at_other.sign()).send().await.claims();
    assert_ne!(first["sub"], second["sub"]);
}

async fn an_answer_lives_two_minutes_and_no_longer_than_its_parent() {
    let world = World::start(Setup::default()).await;
    let parent = for_age_agent(&world, Some("1990-02-28".into())).await;
    let parent_end = claims_of(&parent)["exp"].as_i64().unwrap();

    let fresh = world.age_tx(&parent).send().await;
    let claims = fresh.claims();
    assert_eq!(claims["exp"].as_i64().unwrap() - claims["iat"].as_i64().unwrap(), 120);
    assert_eq!(fresh.body["expires_in"], 120);
    world.advance(240);
    let late = world.age_tx(&parent).send().await;
    assert_eq!(late.claims()["exp"].as_i64().unwrap(), parent_end, "60 s are left");
    assert_eq!(late.body["expires_in"], 60);

    // A target that asks for less has less.
    let setup = Setup::default()
        .replace("identifier = \"tickets\"", "identifier = \"tickets\"\nlifetime_seconds = 30");
    let short = World::start(setup).await;
    assert_eq!(asked(&short, "1990-02-28").await.body["expires_in"], 30);
}

async fn the_providers_own_boolean_is_preferred() {
    let world = World::start(Setup::default()).await;
    let ask = |id_token: crate::world::Jwt| {
        let world = &world;
        async move {
            let request = world.tx().set("subject_token", &id_token.sign()).set("audience", "age-agent");
            let token = request.set("scope", "age_over_18").send().await.granted();
            world.age_tx(&token).send().await
        }
    };
    let alone = ask(world.id_token().without("birthdate").claim("age_over_18", true)).await;
    assert_eq!(alone.claims()["age_over_18"], json!(true));
    // If the token has both claims, the date is not used.
    let both = ask(world.id_token().claim("age_over_18", false)).await;
    assert_eq!(both.claims()["age_over_18"], json!(false));
    // Only a boolean is one.
    let text = ask(world.id_token().without("birthdate").claim("age_over_18", "true")).await;
    text.refused_because(&world, malformed("answer_unavailable"), "answer_unavailable").await;
    // Nothing but metadata and keys was ever asked of the provider.
    assert_eq!((world.provider.discovery_fetches(), world.provider.jwks_fetches()), (1, 1));
}

/// The login that a token descends from.
async fn login_of(world: &World, token: &str) -> String {
    let login = world.server().login_of(claims_of(token)["jti"].as_str().unwrap()).await.unwrap();
    login["id"].as_str().unwrap().to_owned()
}

/// Withdrawal by the user and events of the provider come later; task end and operator are here.
async fn answers_are_gone_with_the_task_and_the_user() {
    let world = World::start(Setup::default()).await;
    let is_kept =
        async |login: &str| world.server().is_answer_kept(login, "tickets", "age_over_18").await.unwrap();

    // The task is done.
    let task_token = world.task_token().await;
    let token = world.onward("assistant", &task_token, "age-agent", "age_over_18").send().await.granted();
    let login = login_of(&world, &task_token).await;
    assert!(is_kept(&login).await);
    world.age_tx(&token).send().await.granted();
    assert_revoked(&revocation(&world, "assistant", &task_token).send().await);
    assert!(!is_kept(&login).await);
    world.age_tx(&token).send().await.refused_because(&world, SUBJECT, "task_ended").await;

    // The user is stopped.
    let task_token = world.task_token().await;
    let token = world.onward("assistant", &task_token, "age-agent", "age_over_18").send().await.granted();
    let login = login_of(&world, &task_token).await;
    assert!(is_kept(&login).await);
    let user = json!({"issuer": world.provider.issuer, "subject": "alice"});
    assert_eq!(world.admin("POST", "/subjects/end", user).await.status, 200);
    world.server().walk().await.unwrap();
    assert!(!is_kept(&login).await);
    world.age_tx(&token).send().await.refused(400, "invalid_request");
    let late = world.tx().set("audience", "age-agent").set("scope", "age_over_18").send().await;
    late.refused_because(&world, SUBJECT, "subject_cut_off").await;
}

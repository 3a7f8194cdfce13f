//! RFC 6749 §2.3 and §5: client authentication, answers and errors.

use serde_json::json;

use crate::expect::{CLIENT, SEVERAL, THROTTLED, malformed};
use crate::harness::{Cases, case};
use crate::requests::{at_each_endpoint, from, revocation, throttled};
use crate::world::{ASSERTION_TYPE, Answer, Setup, World, secret_of};

/// The cases of this file.
pub fn cases() -> Cases {
    vec![
        case("6749-2.3-01", two_methods_in_one_request_are_refused),
        case("6749-2.3.1-01", basic_is_served_for_clients_with_a_secret),
        case("6749-2.3.1-02", credentials_in_the_uri_are_ignored_and_not_logged),
        case("6749-2.3.1-03", guessing_a_secret_is_throttled),
        case("6749-3.2-01", parameters_are_read_alike_at_every_form_endpoint),
        case("6749-5.1-01", nothing_sensitive_is_cached),
        case("6749-5.1-02", a_grant_has_its_members_and_their_types),
        case("6749-5.2-01", errors_are_400_with_a_json_body),
        case("6749-5.2-02", a_failed_header_is_challenged),
        case("6749-5.2-03", other_failures_of_the_client_are_challenged_without_basic),
        case("6749-5.2-04", the_code_fits_the_fault),
        case("6749-5.2-05", descriptions_keep_to_their_characters),
        case("6749-10.10-01", what_is_generated_cannot_be_guessed),
        case("6749-F-01", answers_are_not_sniffed_and_open_to_no_origin),
    ]
}

async fn two_methods_in_one_request_are_refused() {
    let world = World::start(Setup::default()).await;
    let token = world.tx().send().await.granted();
    let assertion = world.assertion("assistant").sign();

    for request in at_each_endpoint(&world, &token) {
        let basic = || request.clone().basic("basic-app");
        let several = [
            basic().set("client_secret", "x"),
            basic().set("client_assertion_type", ASSERTION_TYPE).set("client_assertion", &assertion),
            request
                .clone()
                .secret_in_body("post-app")
                .set("client_assertion_type", ASSERTION_TYPE)
                .set("client_assertion", &assertion),
            // Half a method is one too.
            basic().set("client_assertion", &assertion),
            basic().set("client_assertion_type", ASSERTION_TYPE),
        ];
        for request in several {
            request
                .send()
                .await
                .refused_because(&world, malformed("several_authentication_methods"), "several_methods")
                .await;
        }
    }
    assert!(world.is_active(&token).await);
}

async fn basic_is_served_for_clients_with_a_secret() {
    let world = World::start(Setup::default()).await;

    world.tx().basic("basic-app").send().await.granted();
}

async fn credentials_in_the_uri_are_ignored_and_not_logged() {
    let world = World::start(Setup::default()).await;
    let secret = secret_of("basic-app");

    for path in ["/token", "/introspect", "/revoke"] {
        let query = format!("{path}?client_id=post-app&client_secret={secret}");
        let answer = world.tx().anonymous().set("token", "x").path(&query).send().await;
        answer.refused_because(&world, CLIENT, "no_credentials").await;
        assert!(!answer.text.contains(&secret));
    }
    assert!(!crate::logs::hold(&secret));
    assert!(!world.is_on_disk(&secret));
}

async fn guessing_a_secret_is_throttled() {
    let world = World::start(throttled()).await;
    for _ in 0..3 {
        let wrong = from(world.tx().basic_with("basic-app:guess"), "192.0.2.1").await;
        wrong.refused(401, "invalid_client");
    }
    let throttled = from(world.tx().basic_with("basic-app:guess"), "192.0.2.1").await;
    throttled.refused_because(&world, THROTTLED, "secret_wrong").await;
    assert!(throttled.header("retry-after").unwrap().parse::<u32>().unwrap() > 0);
    // Another client at that source is counted on its own, and the client itself elsewhere.
    let other = world.tx().secret_in_body("post-app").set("client_secret", "guess");
    from(other, "192.0.2.1").await.refused(401, "invalid_client");
    assert_eq!(from(world.tx().basic("basic-app"), "192.0.2.2").await.status, 200);
}

async fn parameters_are_read_alike_at_every_form_endpoint() {
    let world = World::start(Setup::default()).await;
    let token = world.tx().send().await.granted();

    // Unknown ones are ignored, and so are known ones without a value.
    for request in at_each_endpoint(&world, &token) {
        let request = request.also("unheard_of", "1").also("scope ", "x").also("token_type_hint", "");
        assert_eq!(request.also("actor_token", "").also("client_secret", "").send().await.status, 200);
    }
    // A parameter without a value counts as omitted (RFC 6749 §3.2).
    for (request, missing) in
        at_each_endpoint(&world, &token).into_iter().zip(["grant_type", "token", "token"])
    {
        let answer = request.set(missing, "").send().await;
        answer.refused(400, "invalid_request");
        assert_eq!(answer.audited_cause(&world).await, format!("{missing}_missing"));
    }
    // A repeated one is refused, whatever it says and however its name is written; but these two.
    for request in at_each_endpoint(&world, &token) {
        for name in ["token", "grant_type", "client_id", "unheard_of", "token_type_hint"] {
            let twice = request.clone().without(name).also(name, "same").also(name, "same").send().await;
            twice.refused_because(&world, malformed("parameter_repeated"), "parameter_repeated").await;
        }
        let body = format!("{}&%74oken=x&token=x", request.clone().without("token").encoded());
        let encoded = request.clone().raw("application/x-www-form-urlencoded", body).send().await;
        encoded.refused_because(&world, malformed("parameter_repeated"), "parameter_repeated").await;
    }
    let several = world.tx().also("audience", "age-agent").send().await;
    several.refused_because(&world, SEVERAL, "target_several").await;
}

/// Answers of all three endpoints: good ones and refusals of many kinds.
async fn many_answers(world: &World) -> Vec<Answer> {
    let token = world.tx().send().await.granted();
    let other = world.tx().send().await.granted();
    let mut answers = vec![
        world.tx().send().await,
        world.introspect_as("tickets-api", &token).await,
        revocation(world, "assistant", &other).send().await,
        world.introspect_as("tickets-api", "unknown").await,
        revocation(world, "stranger", &token).send().await,
        revocation(world, "assistant", &world.id_token().sign()).send().await,
        world.tx().set("scope", "unknown").send().await,
        world.tx().set("audience", "unknown").send().await,
        world.tx().set("grant_type", "password").send().await,
        world.tx().set("subject_token", "\"\\\r\nх").send().await,
        world.tx().set("authorization_details", "[{\"type\":\"\\\"\"}]").send().await,
        world.tx().basic("no-exchange").send().await,
        world.tx().set("subject_token", &world.id_token().claim("amr", json!(["pwd"])).sign()).send().await,
    ];
    for request in at_each_endpoint(world, &token) {
        answers.push(request.clone().anonymous().send().await);
        answers.push(request.clone().basic_with("basic-app:\u{7f}").send().await);
        answers.push(request.clone().basic_with("x\"y:wrong").send().await);
        answers.push(request.clone().method("GET").send().await);
        answers.push(request.clone().method("DELETE").send().await);
        answers.push(request.clone().raw("application/json", "{}").send().await);
        answers.push(request.clone().raw("application/x-www-form-urlencoded", "a=%zz").send().await);
        let large = vec![b'a'; 70_000];
        answers.push(request.clone().raw("application/x-www-form-urlencoded", large).send().await);
    }
    answers
}

async fn nothing_sensitive_is_cached() {
    let world = World::start(Setup::default()).await;

    let answers = many_answers(&world).await;
    let statuses: std::collections::BTreeSet<u16> = answers.iter().map(|answer| answer.status).collect();
    assert!([200, 400, 401, 405, 413].iter().all(|status| statuses.contains(status)), "{statuses:?}");
    for answer in answers {
        assert_eq!(answer.header("cache-control"), Some("no-store"), "{answer:?}");
        assert_eq!(answer.header("pragma"), Some("no-cache"), "{answer:?}");
    }
}

async fn a_grant_has_its_members_and_their_types() {
    let world = World::start(Setup::default()).await;

    let hop0 = world.tx().send().await;
    hop0.granted();
    assert!(hop0.header("content-type").unwrap().starts_with("application/json"));
    let names = |answer: &Answer| {
        let mut names: Vec<String> = answer.body.as_object().unwrap().keys().cloned().collect();
        names.sort();
        names
    };
    let expected = ["access_token", "expires_in", "issued_token_type", "scope", "task", "token_type"];
    assert_eq!(names(&hop0), expected);
    assert!(hop0.body["access_token"].is_string());
    assert_eq!(hop0.body["expires_in"], json!(300), "a number");
    assert_eq!(hop0.body["token_type"], "Bearer");
    assert_eq!(hop0.body["scope"], "tickets:search");
    assert_eq!(hop0.body["issued_token_type"], crate::world::ACCESS_TOKEN_TYPE);
    assert!(hop0.body["task"].is_string());

    let task_token = world.task_token().await;
    let later = world.onward("assistant", &task_token, "tickets", "tickets:search").send().await;
    later.granted();
    assert_eq!(names(&later), ["access_token", "expires_in", "issued_token_type", "scope", "token_type"]);
}

async fn errors_are_400_with_a_json_body() {
    let world = World::start(Setup::default()).await;

    for answer in many_answers(&world).await.iter().filter(|answer| answer.status != 200) {
        assert_eq!(answer.header("content-type"), Some("application/json"), "{answer:?}");
        let names: Vec<&String> = answer.body.as_object().unwrap().keys().collect();
        for name in ["error", "error_description", "reason", "request_id"] {
            assert!(answer.body[name].is_string(), "{name} in {}", answer.text);
        }
        let may_be = ["error", "error_description", "reason", "request_id", "acr_values", "max_age"];
        assert!(names.iter().all(|name| may_be.contains(&name.as_str())), "{}", answer.text);
        let code = answer.body["error"].as_str().unwrap();
        match answer.status {
            401 => assert_eq!(code, "invalid_client"),
            405 | 413 => assert_eq!(code, "invalid_request"),
            status => assert_eq!(status, 400, "{}", answer.text),
        }
    }
}

async fn a_failed_header_is_challenged() {
    let world = World::start(Setup::default()).await;
    let token = world.tx().send().await.granted();

    for request in at_each_endpoint(&world, &token) {
        for credentials in ["basic-app:wrong", "nobody:wrong", "assistant:wrong"] {
            let answer = request.clone().basic_with(credentials).send().await;
            answer.refused(401, "invalid_client");
            let challenge = answer.header("www-authenticate").expect("a challenge");
            assert!(challenge.starts_with("Basic realm=\""), "{challenge}");
        }
    }
}

/// A challenge that does not name Basic, which would let a browser ask for a password.
async fn other_failures_of_the_client_are_challenged_without_basic() {
    let world = World::start(Setup::default()).await;
    let token = world.tx().send().await.granted();

    for request in at_each_endpoint(&world, &token) {
        let forged = world.assertion("assistant").signed_by(world.key_of("stranger")).sign();
        for request in [
            request.clone().with_assertion(&forged),
            request.clone().secret_in_body("post-app").set("client_secret", "wrong"),
            request.clone().anonymous(),
        ] {
            let answer = request.send().await;
            answer.refused(401, "invalid_client");
            assert_eq!(answer.header("www-authenticate"), Some("private_key_jwt realm=\"deputy\""));
        }
    }
}

async fn the_code_fits_the_fault() {
    let world = World::start(Setup::default()).await;

    // Unknown, wrong, gone, and by another method: one look.
    let unknown = world.tx().basic_with("nobody:wrong").send().await;
    let wrong = world.tx().basic_with("basic-app:wrong").send().await;
    let method = world.tx().basic("post-app").send().await;
    let registered_with_key = world.tx().basic_with("assistant:wrong").send().await;
    let gone = {
        let secret = "\nsecret_file = \"secrets/basic-app\"";
        let expired =
            "\nsecret_files = [{ file = \"secrets/basic-app\", expires_at = 2026-01-01T00:00:00Z }]";
        let other = World::start(Setup::default().replace(secret, expired)).await;
        let answer = other.tx().basic("basic-app").send().await;
        assert_eq!(answer.audited_cause(&other).await, "secret_expired");
        answer
    };
    let first = unknown.anonymous_body();
    for (answer, cause) in [
        (&unknown, "client_unknown"),
        (&wrong, "secret_wrong"),
        (&method, "method_not_registered"),
        (&registered_with_key, "method_not_registered"),
    ] {
        answer.refused(401, "invalid_client");
        assert_eq!(answer.anonymous_body(), first);
        assert_eq!(answer.audited_cause(&world).await, cause);
    }
    assert_eq!((gone.status, gone.anonymous_body()), (401, first));

    // The other codes. `invalid_grant` is never the answer to an exchange (RFC 8693 §2.2.2).
    let cases = [
        (world.tx().without("grant_type"), "invalid_request", "grant_type_missing"),
        (world.tx().set("grant_type", "password"), "unsupported_grant_type", "grant_type_unsupported"),
        (world.tx().set("grant_type", "refresh_token"), "unsupported_grant_type", "grant_type_unsupported"),
        (world.tx().basic("no-exchange"), "unauthorized_client", "grant_not_registered"),
        (world.tx().set("scope", "unheard-of"), "invalid_scope", "scope_unknown_at_target"),
        (world.tx().without("scope"), "invalid_scope", "scope_missing"),
        (world.tx().set("subject_token", "garbage"), "invalid_request", "malformed"),
        (world.tx().set("audience", "nowhere"), "invalid_target", "target_unknown"),
    ];
    for (request, error, cause) in cases {
        let answer = request.send().await;
        answer.refused(400, error);
        assert_eq!(answer.audited_cause(&world).await, cause);
    }
}

async fn descriptions_keep_to_their_characters() {
    let world = World::start(Setup::default()).await;
    let legal = |text: &str| text.bytes().all(|b| matches!(b, 0x20..=0x21 | 0x23..=0x5b | 0x5d..=0x7e));

    for (error, description) in deputy::testing::refusals() {
        assert!(legal(error) && legal(description), "{error}: {description}");
    }
    for answer in many_answers(&world).await.iter().filter(|answer| answer.status != 200) {
        assert!(legal(answer.body["error"].as_str().unwrap()));
        assert!(legal(answer.body["error_description"].as_str().unwrap()));
        assert!(answer.body.get("error_uri").is_none());
    }
}

async fn what_is_generated_cannot_be_guessed() {
    // Deputy generates one secret, the master key: 256 bits of the system's generator.
    let directory = tempfile::tempdir().unwrap();
    let make = |name: &str| {
        let path = directory.path().join(name);
        deputy::testing::create_master_key(&path).unwrap();
        std::fs::read(path).unwrap()
    };
    let (one, two) = (make("one"), make("two"));
    assert_eq!((one.len(), two.len()), (32, 32));
    assert_ne!(one, two);
    assert!(one.iter().collect::<std::collections::BTreeSet<_>>().len() > 16, "no pattern");

    // A secret that an operator provides is refused at load if it has fewer than 160 bits.
    let world = World::start(Setup::default()).await;
    let secret = world.directory.path().join("secrets/basic-app");
    let loads = |text: &str| {
        std::fs::write(&secret, text).unwrap();
        deputy::testing::Config::parse(&world.toml, world.directory.path()).is_ok()
    };
    assert!(loads("f3A9-0sKq2Lm8Zt5Xb7Nw1Yv4Rc6"));
    for weak in ["", "secret", "0123456789abcdef0123456789abcdef", "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa"]
    {
        assert!(!loads(weak), "{weak}");
    }
}

async fn answers_are_not_sniffed_and_open_to_no_origin() {
    let world = World::start(Setup::default()).await;

    for answer in many_answers(&world).await {
        assert_eq!(answer.header("x-content-type-options"), Some("nosniff"), "{answer:?}");
    }
    let token = world.tx().send().await.granted();
    for request in at_each_endpoint(&world, &token) {
        for request in [request.clone(), request.clone().anonymous(), request.clone().method("OPTIONS")] {
            let answer = request
                .header("Origin", "https://evil.example")
                .header("Access-Control-Request-Method", "POST")
                .send()
                .await;
            for name in ["access-control-allow-origin", "access-control-allow-credentials"] {
                assert_eq!(answer.header(name), None, "{answer:?}");
            }
        }
    }
}

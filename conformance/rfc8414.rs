//! RFC 8414 and OpenID Connect Discovery: authorization server metadata.

use std::collections::BTreeSet;

use serde_json::json;

use crate::expect::{SUBJECT, assert_unavailable, words};
use crate::harness::{Cases, case, skip};
use crate::requests::{WELL_KNOWN, metadata, pinned_provider};
use crate::world::{Answer, GRANT_TYPE, Key, OtherKey, Setup, World, claims_of};

/// Where clients of OpenID providers look for metadata (OpenID Connect Discovery §4).
const OPENID: &str = "/.well-known/openid-configuration";

/// The cases of this file.
pub fn cases() -> Cases {
    vec![
        case("8414-3-01", metadata_is_between_host_and_path_of_the_issuer),
        case("8414-3.2-01", metadata_is_json_without_empty_members),
        case("8414-3.3-01", the_issuer_is_the_same_everywhere),
        case("8414-2-01", endpoints_are_reachable_whatever_host_is_asked),
        case("8414-2-02", response_types_are_the_one_word_none),
        case("8414-2-03", the_one_grant_is_listed),
        case("8414-2-04", authentication_methods_are_those_enabled),
        case("8414-2-05", assertion_algorithms_are_those_taken),
        case("8414-2-06", introspection_and_revocation_say_how_to_authenticate),
        case("8414-2-07", what_is_listed_works_and_nothing_else_does),
        skip("8414-2-08", "there are no tenants"),
        case("8414-4-01", issuers_are_compared_code_point_by_code_point),
        case("8414-6.2-01", a_providers_metadata_for_another_issuer_is_dropped),
        case("8414-5-01", the_same_document_has_the_name_of_openid_discovery),
        case("OIDCD-4-01", the_openid_name_is_below_the_issuers_path_too),
        case("OIDCD-4.3-01", the_same_document_has_the_name_of_openid_discovery),
        case("OIDCD-3-01", no_member_of_an_openid_provider_is_claimed),
        case("8414-F-01", metadata_and_keys_are_public_and_cacheable),
    ]
}

async fn metadata_is_between_host_and_path_of_the_issuer() {
    let world = World::start(Setup::default().issuer_path("/t1")).await;

    let answer = world.get_at_root(&format!("{WELL_KNOWN}/t1")).await;
    assert_eq!(answer.status, 200);
    assert_eq!(answer.body["issuer"], json!(world.issuer));
    assert_eq!(answer.body["token_endpoint"], json!(format!("{}/token", world.issuer)));
    world.tx().send().await.granted();

    // An issuer with a slash at its end would be another one; there can be none.
    let slash = world.toml.replace("/t1\"", "/t1/\"");
    assert_ne!(slash, world.toml);
    assert!(deputy::testing::Config::parse(&slash, world.directory.path()).is_err());
}

async fn metadata_is_json_without_empty_members() {
    let world = World::start(Setup::default()).await;

    let answer = world.get(WELL_KNOWN).await;
    assert_eq!((answer.status, answer.header("content-type")), (200, Some("application/json")));
    for (name, value) in answer.body.as_object().unwrap() {
        assert!(!value.is_null(), "{name}");
        assert!(value.as_array().is_none_or(|values| !values.is_empty()), "{name}");
        assert!(value.as_str().is_none_or(|text| !text.is_empty()), "{name}");
    }
}

async fn the_issuer_is_the_same_everywhere() {
    let world = World::start(Setup::default()).await;

    // Plain HTTP on loopback is the only exception to https.
    let issuer = metadata(&world).await["issuer"].as_str().unwrap().to_owned();
    assert_eq!(issuer, world.issuer);
    let parsed = url::Url::parse(&issuer).unwrap();
    assert!(parsed.query().is_none() && parsed.fragment().is_none());
    let task_token = world.task_token().await;
    for token in [world.tx().send().await.granted(), task_token] {
        let claims = claims_of(&token);
        assert_eq!((&claims["iss"], &claims["act"]["iss"]), (&json!(issuer), &json!(issuer)));
    }
    for broken in ["?x=1", "#x", "/"] {
        let toml = world.toml.replacen(&issuer, &format!("{issuer}{broken}"), 1);
        assert!(deputy::testing::Config::parse(&toml, world.directory.path()).is_err(), "{broken}");
    }
}

async fn endpoints_are_reachable_whatever_host_is_asked() {
    let world = World::start(Setup::default()).await;
    let document = metadata(&world).await;

    for (member, expected) in [("jwks_uri", 200), ("token_endpoint", 405), ("introspection_endpoint", 405)] {
        let uri = document[member].as_str().unwrap();
        assert!(uri.starts_with(&world.issuer), "{member}");
        assert_eq!(world.http.get(uri).send().await.unwrap().status().as_u16(), expected, "{member}");
    }
    let url = format!("{}{WELL_KNOWN}", world.issuer);
    let elsewhere = world.http.get(url).header("Host", "evil.example").send().await.unwrap();
    assert_eq!(Answer::read(elsewhere).await.body, document);
}

/// There is no authorization endpoint, and the member is required (8414-2-02).
async fn response_types_are_the_one_word_none() {
    let world = World::start(Setup::default()).await;

    assert_eq!(metadata(&world).await["response_types_supported"], json!(["none"]));
}

async fn the_one_grant_is_listed() {
    let world = World::start(Setup::default()).await;

    assert_eq!(metadata(&world).await["grant_types_supported"], json!([GRANT_TYPE]));
    world.tx().send().await.granted();
    for grant in ["authorization_code", "password", "refresh_token", "implicit"] {
        world.tx().set("grant_type", grant).send().await.refused(400, "unsupported_grant_type");
    }
    // Nobody is registered for this one.
    world.tx().set("grant_type", "client_credentials").send().await.refused(400, "unauthorized_client");
}

async fn authentication_methods_are_those_enabled() {
    let world = World::start(Setup::default()).await;
    let all = json!(["client_secret_basic", "client_secret_post", "private_key_jwt"]);
    assert_eq!(metadata(&world).await["token_endpoint_auth_methods_supported"], all);
    for request in [world.tx(), world.tx().basic("basic-app"), world.tx().secret_in_body("post-app")] {
        request.send().await.granted();
    }

    let setup = Setup::default()
        .replace("authentication = \"client_secret_post\"", "authentication = \"client_secret_basic\"");
    let world = World::start(setup).await;
    let fewer = json!(["client_secret_basic", "private_key_jwt"]);
    assert_eq!(metadata(&world).await["token_endpoint_auth_methods_supported"], fewer);
    world.tx().secret_in_body("post-app").send().await.refused(401, "invalid_client");
}

async fn assertion_algorithms_are_those_taken() {
    // The credentials of the couriers' platform are assertions too.
    let es256 = "stable_id_claim = \"sub\"\nalgorithms = [\"ES256\"]";
    let plain = || Setup::default().replace("stable_id_claim = \"sub\"", es256);
    let world = World::start(plain()).await;
    let member = "token_endpoint_auth_signing_alg_values_supported";
    assert_eq!(metadata(&world).await[member], json!(["ES256", "EdDSA", "PS256"]));

    // RS256 is listed only where the configuration of a client permits it.
    let key = OtherKey::new("rsa", "RS256");
    let setup = plain()
        .file("clients/rsa.json", &key.jwks().to_string())
        .add("\n[[client]]\nid = \"rsa\"\njwks_file = \"clients/rsa.json\"\nalgorithms = [\"RS256\"]\n");
    let world = World::start(setup).await;
    let document = metadata(&world).await;
    assert_eq!(words(&document[member]), ["ES256", "EdDSA", "PS256", "RS256"].into());
    assert!(!document.to_string().contains("\"none\",\"") && !words(&document[member]).contains("none"));
}

async fn introspection_and_revocation_say_how_to_authenticate() {
    let world = World::start(Setup::default()).await;
    let document = metadata(&world).await;

    let token = world.tx().send().await.granted();
    for (endpoint, path) in [("introspection", "/introspect"), ("revocation", "/revoke")] {
        assert_eq!(document[format!("{endpoint}_endpoint")], json!(format!("{}{path}", world.issuer)));
        for what in ["methods_supported", "signing_alg_values_supported"] {
            let member = format!("{endpoint}_endpoint_auth_{what}");
            assert_eq!(document[&member], document[format!("token_endpoint_auth_{what}")], "{member}");
        }
        let request = world.form(path).set("token", "x");
        for request in [
            request.clone().by_assertion("assistant"),
            request.clone().basic("tickets-api"),
            request.clone().secret_in_body("post-app"),
        ] {
            assert_eq!(request.send().await.status, 200, "{path}");
        }
    }
    assert!(world.is_active(&token).await);
}

async fn what_is_listed_works_and_nothing_else_does() {
    let world = World::start(Setup::default()).await;
    let document = metadata(&world).await;

    let members: BTreeSet<&str> = document.as_object().unwrap().keys().map(String::as_str).collect();
    let expected = [
        "issuer",
        "token_endpoint",
        "introspection_endpoint",
        "revocation_endpoint",
        "jwks_uri",
        "response_types_supported",
        "dpop_signing_alg_values_supported",
        "grant_types_supported",
        "scopes_supported",
        "token_endpoint_auth_methods_supported",
        "token_endpoint_auth_signing_alg_values_supported",
        "introspection_endpoint_auth_methods_supported",
        "introspection_endpoint_auth_signing_alg_values_supported",
        "revocation_endpoint_auth_methods_supported",
        "revocation_endpoint_auth_signing_alg_values_supported",
    ];
    assert_eq!(members, expected.into());
    let scopes = [
        "age_over_18",
        "age_over_21",
        "deep",
        "deeper",
        "files.read",
        "files.write",
        "tickets:book",
        "tickets:cancel",
        "tickets:hold",
        "tickets:search",
    ];
    assert_eq!(words(&document["scopes_supported"]), scopes.into());
    for scope in scopes {
        let for_task = world.task_tx().set("scope", scope).send().await;
        assert_eq!(for_task.body["scope"], scope, "{}", for_task.text);
    }
    // The paths of endpoints that are not built yet answer 404.
    for path in [
        "/authorize",
        "/par",
        "/bc-authorize",
        "/register",
        "/explain",
        "/tasks",
        "/agents",
        "/audit",
        "/kill",
        "/access/v1/evaluation",
        "/.well-known/authzen-configuration",
        "/authz",
        "/status/1",
        "/logout/backchannel",
        "/me",
        "/console",
        "/healthz",
        "/metrics",
        "/.well-known/oauth-protected-resource",
    ] {
        assert_eq!(world.get(path).await.status, 404, "{path}");
        assert_eq!(world.form(path).send().await.status, 404, "{path}");
    }
    // And is not taken as a parameter: a DPoP proof or an authorization detail changes nothing silently.
    let details = world.tx().set("authorization_details", "[{\"type\":\"x\"}]").send().await;
    details.refused(400, "invalid_authorization_details");
}

async fn issuers_are_compared_code_point_by_code_point() {
    let key = Key::new("pinned");
    let world = World::start(pinned_provider("https://op.example/Tenant", &key)).await;
    let id_token = |issuer: &str| {
        world.id_token().claim("iss", issuer).header("kid", key.kid.as_str()).signed_by(&key).sign()
    };

    world.tx().set("subject_token", &id_token("https://op.example/Tenant")).send().await.granted();
    for issuer in [
        "https://op.example/tenant",
        "https://OP.example/Tenant",
        "HTTPS://op.example/Tenant",
        "https://op.example:443/Tenant",
        "https://op.example/%54enant",
        "https://op.example/Tenant/",
        "https://op.example/./Tenant",
        "https://op.example/Tenant\u{301}",
    ] {
        let answer = world.tx().set("subject_token", &id_token(issuer)).send().await;
        answer.refused_because(&world, SUBJECT, "issuer_untrusted").await;
    }
    let shouted = world.issuer.replace("http:", "HTTP:");
    let assertion = world.assertion("assistant").claim("aud", shouted).sign();
    world.tx().with_assertion(&assertion).send().await.refused(401, "invalid_client");
}

async fn a_providers_metadata_for_another_issuer_is_dropped() {
    let world = World::start(Setup::default()).await;
    world.provider.describe("issuer", json!(world.other_provider.issuer));
    let minted = world.minted().await;

    assert_unavailable(&world.tx().send().await);
    assert_eq!(world.provider.jwks_fetches(), 0, "its keys are not even looked at");
    assert_eq!(world.minted().await, minted);
    // Mended, it works again, after the pause that a failure makes.
    world.provider.describe("issuer", json!(world.provider.issuer));
    world.advance(10);
    world.tx().send().await.granted();
}

async fn the_same_document_has_the_name_of_openid_discovery() {
    let world = World::start(Setup::default()).await;

    let (own, openid) = (world.get(WELL_KNOWN).await, world.get(OPENID).await);
    assert_eq!((openid.status, openid.header("content-type")), (200, Some("application/json")));
    assert_eq!(openid.text, own.text);
    let posted = world.form(OPENID).send().await;
    assert_eq!((posted.status, posted.header("allow")), (405, Some("GET, HEAD")));
}

/// OpenID Connect Discovery §4 appends the well-known path to the issuer, RFC 8414 §5 inserts it.
async fn the_openid_name_is_below_the_issuers_path_too() {
    let world = World::start(Setup::default().issuer_path("/t1")).await;

    let own = world.get_at_root(&format!("{WELL_KNOWN}/t1")).await;
    for path in [format!("/t1{OPENID}"), format!("{OPENID}/t1")] {
        let answer = world.get_at_root(&path).await;
        assert_eq!((answer.status, &answer.text), (200, &own.text), "{path}");
        assert_eq!(answer.body["issuer"], json!(world.issuer));
    }
    for path in [OPENID.to_owned(), format!("/t1{WELL_KNOWN}")] {
        assert_eq!(world.get_at_root(&path).await.status, 404, "{path} is that of another issuer");
    }
}

async fn no_member_of_an_openid_provider_is_claimed() {
    let world = World::start(Setup::default()).await;

    let document = world.get(OPENID).await.body;
    for member in [
        "authorization_endpoint",
        "userinfo_endpoint",
        "subject_types_supported",
        "id_token_signing_alg_values_supported",
    ] {
        assert!(document.get(member).is_none(), "{member}");
    }
}

async fn metadata_and_keys_are_public_and_cacheable() {
    let world = World::start(Setup::default()).await;

    for path in [WELL_KNOWN, OPENID, "/jwks"] {
        let answer = world.get(path).await;
        let cache = answer.header("cache-control").unwrap();
        let age: u32 = cache.strip_prefix("public, max-age=").expect("public").parse().unwrap();
        assert!((300..=3600).contains(&age), "{cache}");
        assert_eq!(answer.header("access-control-allow-origin"), Some("*"));
        let etag = answer.header("etag").unwrap().to_owned();
        let ask =
            |tag: String| world.http.get(format!("{}{path}", world.issuer)).header("If-None-Match", tag);
        let again = Answer::read(ask(etag).send().await.unwrap()).await;
        assert_eq!((again.status, again.text.as_str()), (304, ""));
        let changed = Answer::read(ask("\"other\"".to_owned()).send().await.unwrap()).await;
        assert_eq!((changed.status, changed.text), (200, answer.text));
    }
    // For these only.
    let token = world.tx().header("Origin", "https://app.example").send().await;
    assert_eq!(token.header("access-control-allow-origin"), None);
}

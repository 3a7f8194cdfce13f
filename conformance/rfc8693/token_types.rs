//! RFC 8693 §3: token type identifiers.

use serde_json::{Value, json};

use crate::expect::{SUBJECT, malformed, refuses};
use crate::harness::{Cases, case};
use crate::world::{ACCESS_TOKEN_TYPE, GRANT_TYPE, ID_TOKEN_TYPE, JWT_TYPE, Setup, World};

pub fn cases() -> Cases {
    vec![
        case("8693-3-01", type_identifiers_are_compared_as_exact_strings),
        case("8693-3-02", an_access_token_is_one_of_this_server_or_one_that_a_provider_is_configured_for),
        case("8693-3-03", an_id_token_is_validated_as_a_relying_party_would),
        case("8693-3-04", a_jwt_is_taken_only_where_an_issuer_has_a_profile_for_it),
        case("8693-3-05", a_refresh_token_is_refused_everywhere),
        case("8693-3-06", saml_assertions_are_refused),
        case("8693-3-07", unknown_types_are_refused),
        case("8693-3-08", metadata_lists_only_what_works),
    ]
}

/// `other` is refused as type of the subject token, of the actor token, and of what is asked for.
async fn refused_everywhere(world: &World, other: &str) {
    let subject = world.tx().set("subject_token_type", other);
    let wire = malformed("subject_token_type_unsupported");
    refuses(world, other, subject, wire, "subject_token_type_unsupported").await;

    let workload = world.workload_token("planner").sign();
    let actor = world.tx().actor(&workload).set("actor_token_type", other);
    let wire = malformed("actor_token_type_unsupported");
    refuses(world, other, actor, wire, "actor_token_type_unsupported").await;

    let requested = world.tx().set("requested_token_type", other);
    let wire = malformed("requested_token_type_unsupported");
    refuses(world, other, requested, wire, "requested_token_type_unsupported").await;
}

async fn type_identifiers_are_compared_as_exact_strings() {
    let world = World::start(Setup::default()).await;
    for exact in [ID_TOKEN_TYPE, ACCESS_TOKEN_TYPE, JWT_TYPE] {
        for other in [
            exact.to_uppercase(),
            exact.replace("urn:", "URN:"),
            exact.replace("urn:ietf", "urn%3Aietf"),
            exact.replace('-', "%2D"),
            format!("{exact} "),
            format!("{exact}/"),
        ] {
            refused_everywhere(&world, &other).await;
        }
    }
}

/// An entry for access tokens of the provider, whose audience the assistant is.
const ENTRY: &str = r#"
[[identity_provider.access_token]]
audience = "https://gateway.example"
client = "assistant"
authorized_parties = ["booking-app"]

[[identity_provider.assurance]]"#;

async fn an_access_token_is_one_of_this_server_or_one_that_a_provider_is_configured_for() {
    let world = World::start(Setup::default()).await;
    let own = world.files_token().await;
    world.onward_tx(&own).send().await.granted();

    let taken_apart = world.taken_apart(&own).await;
    let provider = &world.provider;
    let elsewhere = taken_apart.claim("iss", provider.issuer.as_str()).signed_by(&provider.key);
    let elsewhere = elsewhere.header("kid", provider.key.kid.as_str()).sign();
    refuses(&world, "another server's", world.onward_tx(&elsewhere), SUBJECT, "issuer_untrusted").await;
    refuses(&world, "opaque", world.onward_tx("2YotnFZFEjr1zCsicMWpAA"), SUBJECT, "malformed").await;

    let opted_in = World::start(Setup::default().replace("\n[[identity_provider.assurance]]", ENTRY)).await;
    for (server, is_taken) in [(&world, false), (&opted_in, true)] {
        let access = server.id_token().header("typ", "at+jwt").claim("aud", "https://gateway.example");
        let access = access.claim("client_id", "booking-app").claim("scope", "openid").sign();
        let request = server.tx().set("subject_token", &access).set("subject_token_type", ACCESS_TOKEN_TYPE);
        match is_taken {
            true => _ = request.send().await.granted(),
            false => _ = refuses(server, "no entry", request, SUBJECT, "issuer_untrusted").await,
        }
    }
}

async fn an_id_token_is_validated_as_a_relying_party_would() {
    let world = World::start(Setup::default()).await;
    world.tx().send().await.granted();

    let now = world.now();
    let logout = world
        .id_token()
        .without("nonce")
        .header("typ", "logout+jwt")
        .claim("events", json!({"http://schemas.openid.net/event/backchannel-logout": {}}));
    let access = world.id_token().header("typ", "at+jwt").claim("scope", "openid").claim("client_id", "x");
    let untyped_access = access.clone().without_header("typ");
    let plain = world.id_token().without("aud").without("iat").without("auth_time");
    let workload = world.workload_token("planner");
    for (what, token, cause) in [
        ("logout token", logout.clone().sign(), "kind"),
        ("logout token without typ", logout.without_header("typ").sign(), "kind"),
        ("access token", access.sign(), "kind"),
        ("access token without typ", untyped_access.sign(), "kind"),
        ("plain JWT", plain.sign(), "audience"),
        ("workload's credential", workload.sign(), "issuer_untrusted"),
        ("expired", world.id_token().claim("exp", now - 60).sign(), "expired"),
    ] {
        let request = world.tx().set("subject_token", &token);
        refuses(&world, what, request, SUBJECT, cause).await;
    }
}

async fn a_jwt_is_taken_only_where_an_issuer_has_a_profile_for_it() {
    let world = World::start(Setup::default()).await;
    world.tx().set("subject_token_type", JWT_TYPE).send().await.granted();
    let own = world.files_token().await;
    world.onward_tx(&own).set("subject_token_type", JWT_TYPE).send().await.granted();
    for (what, token) in [
        ("an unknown issuer's", world.id_token().claim("iss", "https://elsewhere.example")),
        ("a workload's", world.workload_token("planner")),
        ("an access token without an entry", world.id_token().claim("scope", "openid")),
    ] {
        let request = world.tx().set("subject_token", &token.sign()).set("subject_token_type", JWT_TYPE);
        refuses(&world, what, request, SUBJECT, "issuer_untrusted").await;
    }

    // A workload issuer is configured with such a profile, for actors.
    world.tx().actor(&world.workload_token("planner").sign()).send().await.granted();
    let unknown = world.workload_token("planner").claim("iss", "https://other-workloads.example").sign();
    let request = world.tx().actor(&unknown);
    refuses(&world, "no profile", request, crate::expect::ACTOR, "issuer_untrusted").await;
}

async fn a_refresh_token_is_refused_everywhere() {
    let world = World::start(Setup::default()).await;
    refused_everywhere(&world, "urn:ietf:params:oauth:token-type:refresh_token").await;
}

async fn saml_assertions_are_refused() {
    let world = World::start(Setup::default()).await;
    for version in ["saml1", "saml2"] {
        refused_everywhere(&world, &format!("urn:ietf:params:oauth:token-type:{version}")).await;
    }
}

async fn unknown_types_are_refused() {
    let world = World::start(Setup::default()).await;
    for other in [
        "foo",
        "urn:ietf:params:oauth:token-type:txn_token",
        "urn:ietf:params:oauth:token-type:id-jag",
        "urn:ietf:params:oauth:token-type:",
        "https://example.com/token-type",
    ] {
        refused_everywhere(&world, other).await;
    }
}

async fn metadata_lists_only_what_works() {
    let world = World::start(Setup::default()).await;
    let metadata = world.get("/.well-known/oauth-authorization-server").await.body;
    let listed = |member: &str| -> Vec<String> {
        let values = metadata[member].as_array().unwrap_or_else(|| panic!("{member}: {metadata}"));
        values.iter().map(|value| value.as_str().unwrap().to_owned()).collect()
    };
    assert_eq!(listed("grant_types_supported"), [GRANT_TYPE]);
    for grant in listed("grant_types_supported") {
        world.tx().set("grant_type", &grant).send().await.granted();
    }
    let methods = listed("token_endpoint_auth_methods_supported");
    assert!(!methods.is_empty());
    for method in methods {
        let request = match method.as_str() {
            "private_key_jwt" => world.tx(),
            "client_secret_basic" => world.tx().basic("basic-app"),
            "client_secret_post" => world.tx().secret_in_body("post-app"),
            other => panic!("`{other}` is in the metadata and cannot be used"),
        };
        request.send().await.granted();
    }
    for (name, value) in metadata.as_object().unwrap() {
        assert!(!name.contains("token_types"), "{name}: {value}");
        let is_endpoint = name.ends_with("_endpoint") || name == "jwks_uri";
        if let (true, Value::String(url)) = (is_endpoint, value) {
            let status = world.http.get(url).send().await.unwrap().status().as_u16();
            assert_ne!(status, 404, "{name} is published and not served");
        }
    }
}

//! Bad ID tokens, logins that are too weak, and endpoints that do not exist (NEG-SB-01 and so on).

use std::io::{Read as _, Write as _};

use serde_json::json;

use crate::expect::{ASSURANCE, AUTH_TIME, CLIENT, SUBJECT, each_refused, is_unavailable, refuses};
use crate::harness::{Cases, case, skip};
use crate::requests::{aged, evidence, with};
use crate::world::{OtherKey, Setup, World, hmac_signed, unsigned};

/// The cases of this file.
pub fn cases() -> Cases {
    let logout = "back-channel logout is not built yet";
    vec![
        case("NEG-SB-01", look_alike_issuers),
        case("NEG-SB-02", the_audience_of_another_application),
        case("NEG-SB-03", an_unknown_audience_beside_the_right_one),
        case("NEG-SB-04", several_audiences_without_the_right_azp),
        case("NEG-SB-05", expired_beyond_the_leeway),
        case("NEG-SB-06", issued_too_long_ago_or_ahead),
        case("NEG-SB-07", no_auth_time_or_too_old),
        case("NEG-SB-08", amr_that_is_no_mfa),
        case("NEG-SB-09", a_hardware_key_by_amr_alone),
        case("NEG-SB-10", an_unknown_acr_alone),
        case("NEG-SB-11", subjects_that_are_none),
        case("NEG-SB-12", symmetric_unsigned_and_encrypted),
        case("NEG-SB-13", a_logout_token),
        case("NEG-SB-14", a_user_revoked_after_the_login),
        case("NEG-SB-15", a_provider_that_cannot_be_reached),
        skip("NEG-SB-16", logout),
        skip("NEG-SB-17", logout),
        skip("NEG-SB-18", logout),
        skip("NEG-SB-19", logout),
        skip("NEG-SB-20", logout),
        skip("NEG-SB-21", "the management API is not built yet"),
        case("NEG-SB-22", no_authorize_and_no_par),
        case("NEG-SB-23", old_tls_is_refused),
        case("NEG-SB-24", an_rs256_assertion_where_the_client_did_not_ask_for_it),
        case("NEG-SB-24", an_rs256_assertion_where_the_client_did),
    ]
}

async fn look_alike_issuers() {
    let world = World::start(Setup::default()).await;
    let iss = |suffix: &str| world.id_token().claim("iss", format!("{}{suffix}", world.provider.issuer));
    let tokens = vec![("slash", iss("/"), "issuer_untrusted"), ("tenant", iss("/other"), "issuer_untrusted")];
    each_refused(&world, tokens).await;
}

async fn the_audience_of_another_application() {
    let world = World::start(Setup::default()).await;
    let unknown = world.id_token().claim("aud", "someone-else");
    let known = world.id_token().claim("aud", "other-app");
    each_refused(&world, vec![("unknown", unknown, "audience"), ("registered", known, "relying_party")])
        .await;
}

async fn an_unknown_audience_beside_the_right_one() {
    let world = World::start(Setup::default()).await;
    let token = world.id_token().claim("aud", json!(["booking-app", "x"])).claim("azp", "booking-app");
    each_refused(&world, vec![("beside", token, "audience")]).await;
}

async fn several_audiences_without_the_right_azp() {
    let world = World::start(Setup::default()).await;
    let two = || world.id_token().claim("aud", json!(["booking-app", "other-app"]));
    let tokens =
        vec![("missing", two(), "authorized_party"), ("wrong", two().claim("azp", "x"), "authorized_party")];
    each_refused(&world, tokens).await;
}

async fn expired_beyond_the_leeway() {
    let world = World::start(Setup::default()).await;
    each_refused(&world, vec![("61 s ago", aged(&world, 300, -61), "expired")]).await;
}

async fn issued_too_long_ago_or_ahead() {
    let world = World::start(Setup::default()).await;
    let tokens = vec![
        ("601 s ago", aged(&world, 601, 60), "too_old"),
        ("70 s ahead", aged(&world, -70, 600), "issued_ahead"),
    ];
    each_refused(&world, tokens).await;
}

async fn no_auth_time_or_too_old() {
    let world = World::start(Setup::default()).await;
    let old = world.id_token().claim("auth_time", world.now() - 28_800);
    let none = with(&world, &world.id_token().without("auth_time"));
    refuses(&world, "none", none, AUTH_TIME, "auth_time_missing").await;
    each_refused(&world, vec![("eight hours ago", old, "session_too_old")]).await;
}

async fn amr_that_is_no_mfa() {
    let world = World::start(Setup::default()).await;

    each_refused(&world, vec![("an object", evidence(&world, None, json!({"mfa": true})), "claim")]).await;
    let absent = world.id_token().without("amr").without("acr");
    refuses(&world, "absent", with(&world, &absent), ASSURANCE, "assurance_insufficient").await;
    for amr in [json!(["pwd"]), json!(["pwd", "pin"]), json!(["otp", "sms"]), json!(["MFA"])] {
        let request = with(&world, &evidence(&world, None, amr.clone()));
        refuses(&world, &amr.to_string(), request, ASSURANCE, "assurance_insufficient").await;
    }
}

async fn a_hardware_key_by_amr_alone() {
    let world = World::start(Setup::default()).await;
    let request = with(&world, &evidence(&world, None, json!(["hwk", "mfa"]))).set("scope", "tickets:book");
    refuses(&world, "hwk and mfa", request, ASSURANCE, "assurance_insufficient").await;
}

async fn an_unknown_acr_alone() {
    let world = World::start(Setup::default()).await;
    let request = with(&world, &evidence(&world, Some("gold"), json!([])));
    refuses(&world, "gold", request, ASSURANCE, "assurance_insufficient").await;
}

async fn subjects_that_are_none() {
    let world = World::start(Setup::default()).await;
    let sub = |sub: serde_json::Value| world.id_token().claim("sub", sub);
    let tokens = vec![
        ("empty", sub("".into()), "subject|claim"),
        ("a number", sub(1.into()), "subject|claim"),
        ("256 characters", sub("x".repeat(256).into()), "subject"),
    ];
    each_refused(&world, tokens).await;
}

async fn symmetric_unsigned_and_encrypted() {
    let world = World::start(Setup::default()).await;
    let (header, payload) = world.id_token().texts();
    let tokens = [
        ("HS256", hmac_signed(b"secret", &header.replace("ES256", "HS256"), &payload)),
        ("none", unsigned(&header.replace("ES256", "none"), &payload)),
        ("JWE", format!("{}.a.b", world.id_token().sign())),
    ];
    for (what, token) in tokens {
        let request = world.tx().set("subject_token", &token);
        refuses(&world, what, request, SUBJECT, "algorithm|malformed").await;
    }
}

async fn a_logout_token() {
    let world = World::start(Setup::default()).await;
    let event = "http://schemas.openid.net/event/backchannel-logout";
    each_refused(&world, vec![("events", world.id_token().claim("events", json!({event: {}})), "kind")])
        .await;
}

/// The part about a logged-out `sid` comes with back-channel logout; the user's cutoff is here.
async fn a_user_revoked_after_the_login() {
    let world = World::start(Setup::default()).await;
    let token = world.id_token();
    with(&world, &token).send().await.granted();
    world.advance(5);
    let stopped = json!({"issuer": world.provider.issuer, "subject": "alice"});
    assert_eq!(world.admin("POST", "/subjects/end", stopped).await.status, 200);
    each_refused(&world, vec![("revoked", token, "subject_cut_off")]).await;
}

async fn a_provider_that_cannot_be_reached() {
    let world = World::start(Setup::default()).await;
    world.provider.stop().await;
    is_unavailable("no keys were ever fetched", world.tx()).await;
}

async fn no_authorize_and_no_par() {
    let world = World::start(Setup::default()).await;
    for path in ["/authorize", "/par", "/register", "/explain", "/tasks", "/agents", "/me", "/console"] {
        assert_eq!(world.get(path).await.status, 404, "{path}");
        assert_eq!(world.form(path).send().await.status, 404, "{path}");
    }
}

/// A ClientHello of this version with these suites, as bytes on the wire; no extensions but the name.
fn client_hello(version: [u8; 2], suites: &[[u8; 2]]) -> Vec<u8> {
    let mut hello = version.to_vec();
    hello.extend_from_slice(&[7; 32]);
    hello.push(0);
    hello.extend_from_slice(&u16::try_from(suites.len() * 2).unwrap().to_be_bytes());
    hello.extend(suites.iter().flatten());
    hello.extend_from_slice(&[1, 0]);
    // supported_groups (x25519, P-256), ec_point_formats, signature_algorithms (ECDSA and RSA with SHA-256)
    let extensions: &[u8] = &[
        0, 10, 0, 6, 0, 4, 0, 29, 0, 23, 0, 11, 0, 2, 1, 0, 0, 13, 0, 8, 0, 6, 4, 3, 8, 4, 4, 1, 0, 23, 0, 0,
    ];
    hello.extend_from_slice(&u16::try_from(extensions.len()).unwrap().to_be_bytes());
    hello.extend_from_slice(extensions);
    let mut handshake = vec![1, 0];
    handshake.extend_from_slice(&u16::try_from(hello.len()).unwrap().to_be_bytes());
    handshake.extend(hello);
    let mut record = vec![22, 3, 1];
    record.extend_from_slice(&u16::try_from(handshake.len()).unwrap().to_be_bytes());
    record.extend(handshake);
    record
}

/// The type of the first record of the answer: 22 is a ServerHello, 21 an alert; `None` if closed at once.
fn first_record(address: &str, hello: &[u8]) -> Option<u8> {
    let mut stream = std::net::TcpStream::connect(address).unwrap();
    stream.set_read_timeout(Some(std::time::Duration::from_secs(5))).unwrap();
    stream.write_all(hello).unwrap();
    let mut first = [0];
    stream.read_exact(&mut first).ok().map(|()| first[0])
}

async fn old_tls_is_refused() {
    const AEAD: [u8; 2] = [0xc0, 0x2b]; // ECDHE-ECDSA-AES128-GCM-SHA256
    const CBC: [u8; 2] = [0xc0, 0x09]; // ECDHE-ECDSA-AES128-CBC-SHA
    const STATIC_RSA: [u8; 2] = [0x00, 0x9c]; // RSA-AES128-GCM-SHA256
    let world = World::start(Setup::default().tls()).await;
    let address = world.issuer.trim_start_matches("https://").to_owned();

    let records = tokio::task::spawn_blocking(move || {
        [
            first_record(&address, &client_hello([3, 3], &[AEAD])),
            first_record(&address, &client_hello([3, 2], &[AEAD, CBC])),
            first_record(&address, &client_hello([3, 3], &[CBC])),
            first_record(&address, &client_hello([3, 3], &[STATIC_RSA])),
        ]
    })
    .await
    .unwrap();

    assert_eq!(records[0], Some(22), "TLS 1.2 with an AEAD suite shakes hands: the hello is well made");
    for (what, record) in [("TLS 1.1", records[1]), ("CBC", records[2]), ("RSA key exchange", records[3])] {
        assert_ne!(record, Some(22), "{what}");
    }
}

/// RS256 can be allowed for a single client; there is no switch for a whole profile.
async fn an_rs256_assertion_where_the_client_did_not_ask_for_it() {
    let world = World::start(Setup::default()).await;
    let rsa = OtherKey::new("rsa", "RS256");
    let assertion =
        world.assertion("assistant").header("alg", "RS256").header("kid", "rsa").signed_with(&rsa);

    let request = world.tx().with_assertion(&assertion);

    refuses(&world, "RS256", request, CLIENT, "assertion_algorithm").await;
}

async fn an_rs256_assertion_where_the_client_did() {
    let rsa = OtherKey::new("rsa", "RS256");
    let client = |id: &str, rest: &str| {
        format!("\n[[client]]\nid = \"{id}\"\njwks_file = \"clients/rsa.json\"\n{rest}\n")
    };
    let setup = Setup::default()
        .file("clients/rsa.json", &rsa.jwks().to_string())
        .add(&client("usual", ""))
        .add(&client("older", "algorithms = [\"RS256\"]"));
    let world = World::start(setup).await;
    let by = |client: &str| {
        let assertion = world.assertion("assistant").claim("iss", client).claim("sub", client);
        world.form("/introspect").set("token", "x").with_assertion(&assertion.signed_with(&rsa))
    };

    assert_eq!(by("older").send().await.status, 200);
    refuses(&world, "the same key, not asked for", by("usual"), CLIENT, "assertion_algorithm").await;
}

//! Kinds of token that cannot be taken for one another (RFC 8725 §3.11, §3.12).

use serde_json::{Value, json};

use crate::harness::{Cases, case};
use crate::jwt_parameter::JwtParameter;
use crate::world::{Jwt, Setup, World};

pub fn cases() -> Cases {
    vec![case("8725-3.11-01", typ_is_that_of_the_kind), case("8725-3.12-01", no_kind_is_taken_for_another)]
}

/// The registered values of `typ` for kinds of JWT, and some values that belong to no kind.
const TYPES: &[&str] = &[
    "JWT",
    "jwt",
    "JOSE",
    "at+jwt",
    "application/at+jwt",
    "task+jwt",
    "client-authentication+jwt",
    "dpop+jwt",
    "oauth-client-attestation+jwt",
    "oauth-client-attestation-pop+jwt",
    "wit+jwt",
    "logout+jwt",
    "token-introspection+jwt",
    "statuslist+jwt",
    "secevent+jwt",
    "txntoken+jwt",
    "oauth-id-jag+jwt",
    "example+jwt",
    "",
];

async fn typ_is_that_of_the_kind() {
    let world = World::start(Setup::default()).await;
    for parameter in JwtParameter::ALL {
        let own: &[&str] = match parameter {
            JwtParameter::IdToken => &["JWT", "jwt"],
            JwtParameter::Own => &["at+jwt", "application/at+jwt", "task+jwt"],
            JwtParameter::Actor => &["JWT", "jwt", "JOSE"],
            JwtParameter::Assertion => &["JWT", "jwt", "client-authentication+jwt"],
        };
        for &typ in TYPES {
            let token = parameter.good(&world).await.header("typ", typ).sign();
            if own.contains(&typ) {
                parameter.takes(&world, typ, &token).await;
            } else {
                parameter.refuses(&world, &format!("typ `{typ}`"), &token, "kind").await;
            }
        }
        for odd in [json!(1), json!(null), json!(["JWT"])] {
            let token = parameter.good(&world).await.header("typ", odd).sign();
            parameter.refuses(&world, "a typ that is no string", &token, "malformed|kind").await;
        }
        let absent = parameter.good(&world).await.without_header("typ").sign();
        if parameter == JwtParameter::Own {
            parameter.refuses(&world, "no typ", &absent, "kind").await;
        } else {
            parameter.takes(&world, "no typ", &absent).await;
        }
    }
}

/// One good token of every kind, each signed by the party that would really sign it, and the parameter that
/// takes it.
async fn kinds(world: &World) -> Vec<(&'static str, String, Option<JwtParameter>)> {
    let deputy = world.taken_apart(&world.files_token().await).await;
    let logout_event = json!({"http://schemas.openid.net/event/backchannel-logout": {}});
    let provider = |typ: &str, more: Value| {
        let mut jwt = world.id_token().header("typ", typ);
        for (name, value) in more.as_object().unwrap() {
            jwt = jwt.claim(name, value.clone());
        }
        jwt.without("nonce")
    };
    let client = |typ: &str, more: Value| {
        let mut jwt = world.assertion("assistant").header("typ", typ);
        for (name, value) in more.as_object().unwrap() {
            jwt = jwt.claim(name, value.clone());
        }
        jwt
    };
    let own = |typ: &str| deputy.clone().header("typ", typ);
    let now = world.now();
    let dpop = json!({"htm": "POST", "htu": format!("{}/token", world.issuer), "jti": "p", "iat": now});
    let dpop_jwk = world.key_of("assistant").jwk();
    let logout = provider("logout+jwt", json!({"events": logout_event, "jti": "l"}));
    let foreign_access = provider("at+jwt", json!({"scope": "openid", "client_id": "booking-app"}));
    let attestation = json!({"cnf": {"jwk": dpop_jwk}});
    let status = json!({"status_list": {"bits": 1, "lst": "eNrbuRgAAhcBXQ"}, "ttl": 60});
    let sign = |jwt: Jwt| jwt.sign();
    vec![
        ("access token", world.files_token().await, Some(JwtParameter::Own)),
        ("task token", world.task_token().await, Some(JwtParameter::Own)),
        ("ID token", sign(world.id_token()), Some(JwtParameter::IdToken)),
        ("client assertion", sign(world.assertion("assistant")), Some(JwtParameter::Assertion)),
        ("workload's credential", sign(world.workload_token("planner")), Some(JwtParameter::Actor)),
        ("DPoP proof", sign(client("dpop+jwt", dpop.clone()).header("jwk", dpop_jwk)), None),
        ("DPoP proof without typ", sign(provider("JWT", dpop)), None),
        ("client attestation", sign(client("oauth-client-attestation+jwt", attestation.clone())), None),
        ("WIT-SVID", sign(world.workload_token("planner").header("typ", "wit+jwt")), None),
        ("attestation PoP", sign(client("oauth-client-attestation-pop+jwt", json!({}))), None),
        ("logout token", sign(logout.clone()), None),
        ("logout token without typ", sign(logout.without_header("typ")), None),
        ("another server's access token", sign(foreign_access.clone()), None),
        ("the same without typ", sign(foreign_access.without_header("typ")), None),
        (
            "introspection response",
            sign(own("token-introspection+jwt").claim("token_introspection", json!({}))),
            None,
        ),
        ("status list", sign(own("statuslist+jwt").claim("status_list", status)), None),
        ("security event", sign(provider("secevent+jwt", json!({"events": {}}))), None),
    ]
}

async fn no_kind_is_taken_for_another() {
    let world = World::start(Setup::default()).await;
    let mut refused = 0;
    for (kind, token, home) in kinds(&world).await {
        for parameter in JwtParameter::ALL {
            let what = format!("{kind} as {parameter:?}");
            if home == Some(parameter) {
                let request = match kind {
                    "task token" => world.onward("assistant", &token, "tickets", "tickets:search"),
                    _ => parameter.request(&world, &token),
                };
                assert_eq!(request.send().await.status, 200, "{what}");
                continue;
            }
            let minted = world.minted().await;
            let answer = parameter.request(&world, &token).send().await;
            crate::expect::is_refused(&what, &answer, parameter.wire());
            let cause = answer.audited_cause(&world).await;
            let by_kind = [
                "kind",
                "issuer_untrusted",
                "assertion_kind",
                "client_unknown",
                "credential_names_no_client",
            ];
            assert!(by_kind.contains(&cause.as_str()), "{what}: {cause}");
            assert_eq!(world.minted().await, minted, "{what}");
            refused += 1;
        }
        // Nor does introspection know anything but an access token of the caller's.
        let answer = world.introspect_as("files-api", &token).await;
        assert_eq!(answer.body["active"], kind == "access token", "{kind} at introspection: {}", answer.text);
    }
    assert_eq!(refused, 5 * 3 + 12 * 4);
}

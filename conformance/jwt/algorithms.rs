//! Which algorithms are taken, and that a key does for one only (RFC 8725 §3.1 to §3.3, §3.6).

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde_json::{Value, json};

use crate::expect::names;
use crate::harness::{Cases, case};
use crate::jwt_parameter::JwtParameter;
use crate::requests::with_a_bit_flipped;
use crate::world::{NOON, OtherKey, Setup, World, claims_of, header_of, hmac_signed, unsigned};

pub fn cases() -> Cases {
    vec![
        case("8725-3.1-01", the_token_does_not_choose_its_algorithm),
        case("8725-3.1-02", a_key_does_for_one_algorithm),
        case("8725-3.2-01", only_current_algorithms_are_taken),
        case("8725-3.2-01", a_short_rsa_key_is_no_key),
        case("8725-3.3-01", nothing_of_an_unverified_token_is_believed),
        case("8725-3.6-01", nothing_is_compressed),
    ]
}

async fn the_token_does_not_choose_its_algorithm() {
    let world = World::start(Setup::default()).await;
    for parameter in JwtParameter::ALL {
        let good = parameter.good(&world).await;
        for odd in [
            json!("none"),
            json!("None"),
            json!("nOnE"),
            json!(""),
            json!("HS256"),
            json!("HS384"),
            json!("RS1"),
            json!("ES256K"),
            json!("es256"),
            json!("ES256 "),
            json!("unheard-of"),
            json!(["ES256"]),
            json!(256),
            json!(null),
        ] {
            let what = format!("alg {odd}");
            let spoilt = good.clone().header("alg", odd);
            parameter.refuses(&world, &what, &spoilt.sign(), "algorithm").await;
            let (header, claims) = spoilt.texts();
            parameter
                .refuses(&world, &format!("{what}, unsigned"), &unsigned(&header, &claims), "algorithm")
                .await;
        }
        let absent = good.clone().without_header("alg").sign();
        parameter.refuses(&world, "no alg", &absent, "algorithm").await;
        parameter.takes(&world, "ES256", &good.sign()).await;
    }

    // The list is the issuer's: a good signature of a published key is not enough.
    let setup = Setup::default()
        .replace("policy_claims = [\"groups\"]", "policy_claims = [\"groups\"]\nalgorithms = [\"ES256\"]")
        .replace(
            "jwks_file = \"workloads.json\"",
            "jwks_file = \"workloads.json\"\nalgorithms = [\"ES256\"]",
        );
    let world = World::start(setup).await;
    let other = OtherKey::new("other", "EdDSA");
    publish(&world, &[other.jwk()]);
    for parameter in [JwtParameter::IdToken, JwtParameter::Actor] {
        let token = parameter.good(&world).await.signed_with(&other);
        parameter.refuses(&world, "EdDSA, not on the list", &token, "algorithm").await;
        parameter.takes(&world, "ES256, on the list", &parameter.good(&world).await.sign()).await;
    }
}

/// Publishes these keys besides those that are known already, at the provider, the workload issuer and
/// the assistant. To be called before the first request: key files are read once in five minutes.
fn publish(world: &World, more: &[Value]) {
    let set = |own: Value| {
        let mut keys = vec![own];
        keys.extend_from_slice(more);
        json!({"keys": keys})
    };
    world.provider.publish(set(world.provider.key.jwk()));
    let write = |file: &str, keys: Value| {
        std::fs::write(world.directory.path().join(file), keys.to_string()).unwrap();
    };
    write("workloads.json", set(world.workload_key.jwk()));
    write("clients/assistant.json", set(world.key_of("assistant").jwk()));
}

/// A P-256 point as a SubjectPublicKeyInfo in PEM, which is how most verifiers are given a key.
fn pem(point: &[u8]) -> String {
    const P256: [u8; 26] = [
        0x30, 0x59, 0x30, 0x13, 0x06, 0x07, 0x2a, 0x86, 0x48, 0xce, 0x3d, 0x02, 0x01, 0x06, 0x08, 0x2a, 0x86,
        0x48, 0xce, 0x3d, 0x03, 0x01, 0x07, 0x03, 0x42, 0x00,
    ];
    let text = STANDARD.encode([&P256[..], point].concat());
    let (first, second) = text.split_at(64);
    format!("-----BEGIN PUBLIC KEY-----\n{first}\n{second}\n-----END PUBLIC KEY-----\n")
}

async fn a_key_does_for_one_algorithm() {
    let world = World::start(Setup::default()).await;
    let rsa = OtherKey::new("rsa", "RS256");
    let pss = OtherKey::new("pss", "PS256");
    publish(&world, &[rsa.jwk(), pss.jwk()]);

    for parameter in JwtParameter::ALL {
        let good = parameter.good(&world).await;
        let (_, claims) = good.texts();
        let kid = good.key.kid.as_str();
        // `alg` of an RSA signature with the `kid` of an EC key, the signature from either.
        for alg in ["RS256", "PS256", "ES384", "EdDSA"] {
            let token = good.clone().header("alg", alg).sign();
            parameter.refuses(&world, alg, &token, "key_unknown|algorithm").await;
        }
        let mut misnamed = pss.clone();
        misnamed.kid = kid.to_owned();
        let token = good.signed_with(&misnamed);
        parameter.refuses(&world, "PS256 under the EC key's kid", &token, "key_unknown|algorithm").await;

        // The public key's bytes as the secret of an HMAC.
        let header = json!({"alg": "HS256", "kid": kid, "typ": "JWT"}).to_string();
        let jwk = good.key.jwk();
        let pem = pem(good.key.point());
        for secret in [
            good.key.point().to_vec(),
            jwk.to_string().into_bytes(),
            jwk["x"].as_str().unwrap().as_bytes().to_vec(),
            pem.into_bytes(),
            Vec::new(),
        ] {
            let token = hmac_signed(&secret, &header, &claims);
            parameter.refuses(&world, "HS256 with the public key", &token, "algorithm").await;
        }
    }

    // One RSA key, published for one of its two algorithms.
    for parameter in [JwtParameter::IdToken, JwtParameter::Actor] {
        for (key, other) in [(&rsa, "PS256"), (&pss, "RS256")] {
            parameter.takes(&world, key.algorithm, &parameter.good(&world).await.signed_with(key)).await;
            let mut swapped = key.clone();
            swapped.algorithm = other;
            let token = parameter.good(&world).await.signed_with(&swapped);
            parameter.refuses(&world, other, &token, "key_unknown|algorithm").await;
        }
    }
}

/// The permitted algorithms are configured for each kind of token, and `EdDSA` is the only name for Ed25519.
async fn only_current_algorithms_are_taken() {
    let setup = Setup::default().replace(
        "id = \"stranger\"\njwks_file",
        "id = \"stranger\"\nalgorithms = [\"RS256\", \"ES256\"]\njwks_file",
    );
    let world = World::start(setup).await;
    let others: Vec<OtherKey> =
        ["RS256", "PS256", "ES384", "EdDSA"].into_iter().map(|alg| OtherKey::new(alg, alg)).collect();
    let jwks: Vec<Value> = others.iter().map(OtherKey::jwk).collect();
    publish(&world, &jwks);
    for parameter in JwtParameter::FOREIGN {
        parameter.takes(&world, "ES256", &parameter.good(&world).await.sign()).await;
        for key in &others {
            let token = parameter.good(&world).await.signed_with(key);
            if parameter == JwtParameter::Assertion && ["RS256", "ES384"].contains(&key.algorithm) {
                parameter.refuses(&world, key.algorithm, &token, "algorithm").await;
            } else {
                parameter.takes(&world, key.algorithm, &token).await;
            }
        }
        let mut by_its_other_name = others[3].clone();
        by_its_other_name.algorithm = "Ed25519";
        let jwt = parameter.good(&world).await;
        let (_, claims) = jwt.texts();
        let header = json!({"alg": "Ed25519", "kid": "EdDSA"}).to_string();
        let token = others[3].sign_text(&header, &claims);
        parameter.refuses(&world, "Ed25519", &token, "algorithm").await;
    }

    // RS256 where a client asks for it.
    let set = json!({"keys": [world.key_of("stranger").jwk(), others[0].jwk()]});
    std::fs::write(world.directory.path().join("clients/stranger.json"), set.to_string()).unwrap();
    let id_token = world.id_token().claim("aud", "other-app").sign();
    let assertion = world.assertion("stranger").signed_with(&others[0]);
    world.tx().set("subject_token", &id_token).with_assertion(&assertion).send().await.granted();
}

/// Made once with a 1024-bit key whose private part nobody kept: no library signs with one any more.
const SHORT: &str = include_str!("short_rsa.txt");

/// The claims of the token in `short_rsa.txt`.
fn short_claims() -> Value {
    json!({
        "iss": "https://workloads.example", "aud": "deputy-fixture", "sub": "workload-planner",
        "iat": NOON - 5, "exp": NOON + 300, "jti": "w-short", "kind": "planner", "instance": "i-short",
    })
}

async fn a_short_rsa_key_is_no_key() {
    let audience = "jwks_file = \"workloads.json\"\naudience = \"deputy-fixture\"";
    let (modulus, token) = SHORT.trim().split_once('\n').unwrap();
    let key =
        |n: &str| json!({"kty": "RSA", "use": "sig", "alg": "RS256", "kid": "short", "n": n, "e": "AQAB"});
    assert_eq!(claims_of(token), short_claims());
    assert_eq!(header_of(token), json!({"alg": "RS256", "kid": "short"}));

    let setup = || Setup::default().replace("jwks_file = \"workloads.json\"", audience);
    let world = World::start(setup()).await;
    let set = json!({"keys": [key(modulus)]});
    std::fs::write(world.directory.path().join("workloads.json"), set.to_string()).unwrap();
    JwtParameter::Actor.refuses(&world, "1024 bits", token, "key_unknown").await;

    // The same claims by a key of 2048 bits.
    let world = World::start(setup()).await;
    let long = OtherKey::new("short", "RS256");
    std::fs::write(world.directory.path().join("workloads.json"), long.jwks().to_string()).unwrap();
    let header = json!({"alg": "RS256", "kid": "short"}).to_string();
    let token = long.sign_text(&header, &short_claims().to_string());
    JwtParameter::Actor.takes(&world, "2048 bits", &token).await;
}

const NO_ALICE: &str = r#"
@id("exchange")
permit (principal, action == Deputy::Action::"exchange", resource);
@id("no-canary")
forbid (principal, action == Deputy::Action::"exchange", resource)
when { context.claims.contains("groups=canary") };
"#;

async fn nothing_of_an_unverified_token_is_believed() {
    let world = World::start(Setup::default().policy(NO_ALICE)).await;
    for parameter in JwtParameter::ALL {
        let forged = parameter
            .good(&world)
            .await
            .claim("groups", json!(["canary"]))
            .claim("acr", "canary")
            .claim("purpose", "canary")
            .claim("scope", "canary")
            .claim("act", json!({"sub": "canary"}));
        // An ID token with `scope` counts as another kind of token, which is reported before the signature is verified.
        let forged = if parameter == JwtParameter::IdToken { forged.without("scope") } else { forged };
        let token = with_a_bit_flipped(&forged.sign());
        let answer = parameter.request(&world, &token).send().await;
        crate::expect::is_refused("forged", &answer, parameter.wire());
        let row = world.audit_of(answer.request_id()).await.remove(0);
        assert_eq!(
            (row["event"].as_str(), row["cause"].as_str()),
            (Some("exchange"), Some(parameter.causes("signature").as_str()))
        );
        assert!(row.get("policy").is_none(), "policy was asked about a forged token: {row}");
        assert!(!row.to_string().contains("canary"), "{row}");
        if parameter != JwtParameter::Actor {
            for member in ["subject", "task", "login", "provider", "levels", "chain"] {
                assert!(row.get(member).is_none(), "{member}: {row}");
            }
        }
    }
    // Signed well, the same claim does reach policy.
    let token = world.id_token().claim("groups", json!(["canary"])).sign();
    let request = world.tx().set("subject_token", &token);
    crate::expect::refuses(&world, "verified", request, crate::expect::POLICY, "policy_denied").await;
}

async fn nothing_is_compressed() {
    let world = World::start(Setup::default()).await;
    let task = world.task_token().await;
    let direct = world.tx().send().await.granted();
    for token in [task, direct] {
        assert_eq!(names(&header_of(&token)), ["alg", "kid", "typ"]);
        assert!(claims_of(&token).is_object(), "the payload is uncompressed JSON");
    }
    // Nor is the answer: nobody can guess a secret by its length.
    let request = world.tx().header("Accept-Encoding", "gzip, deflate, br, zstd");
    let answer = request.send().await;
    answer.granted();
    assert!(answer.header("content-encoding").is_none());
}

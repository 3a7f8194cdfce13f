//! Elliptic curves: the form of a signature, and points that are none (RFC 7518 §3.4, RFC 8725 §3.4).

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use serde_json::{Value, json};

use crate::harness::{Cases, case};
use crate::jwt_parameter::JwtParameter;
use crate::world::{Key, OtherKey, Setup, World};

pub fn cases() -> Cases {
    vec![
        case("7518-3.4-01", an_es256_signature_is_r_and_s_in_range),
        case("8725-3.4-01", a_point_that_is_not_on_its_curve_is_no_key),
    ]
}

/// The order of P-256 (FIPS 186-5, SP 800-186 §3.2.1.3).
const ORDER: [u8; 32] = [
    0xff, 0xff, 0xff, 0xff, 0x00, 0x00, 0x00, 0x00, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xbc,
    0xe6, 0xfa, 0xad, 0xa7, 0x17, 0x9e, 0x84, 0xf3, 0xb9, 0xca, 0xc2, 0xfc, 0x63, 0x25, 0x51,
];

/// DER of a sequence of two integers, as other protocols write a signature.
fn der(signature: &[u8]) -> Vec<u8> {
    let integer = |half: &[u8]| {
        let digits: Vec<u8> = half.iter().copied().skip_while(|&b| b == 0).collect();
        let zero = if digits.first().is_some_and(|&b| b >= 0x80) { &[0][..] } else { &[] };
        let body = [zero, digits.as_slice()].concat();
        [&[2, u8::try_from(body.len()).unwrap()][..], &body].concat()
    };
    let body = [integer(&signature[..32]), integer(&signature[32..])].concat();
    [&[0x30, u8::try_from(body.len()).unwrap()][..], &body].concat()
}

async fn an_es256_signature_is_r_and_s_in_range() {
    let world = World::start(Setup::default()).await;
    for parameter in JwtParameter::ALL {
        let good = parameter.good(&world).await.sign();
        let (input, signature) = good.rsplit_once('.').unwrap();
        let signature = URL_SAFE_NO_PAD.decode(signature).unwrap();
        let (r, s) = signature.split_at(32);
        let zero = [0; 32];
        for (what, bytes) in [
            ("DER", der(&signature)),
            ("63 octets", signature[..63].to_vec()),
            ("65 octets, one behind", [&signature[..], &[0]].concat()),
            ("65 octets, one before", [&[0], &signature[..]].concat()),
            ("32 octets", r.to_vec()),
            ("R = 0", [&zero, s].concat()),
            ("S = 0", [r, &zero].concat()),
            ("R = S = 0", vec![0; 64]),
            ("R = n", [&ORDER, s].concat()),
            ("S = n", [r, &ORDER].concat()),
            ("R and S too great", vec![0xff; 64]),
            ("R and S exchanged", [s, r].concat()),
            ("128 octets", [&signature[..], &signature[..]].concat()),
        ] {
            let token = format!("{input}.{}", URL_SAFE_NO_PAD.encode(bytes));
            parameter.refuses(&world, what, &token, "signature").await;
        }
        parameter.takes(&world, "R and S", &good).await;
    }
}

/// What could be registered in place of a good P-256 key.
fn bad_keys(good: &Key) -> Vec<(&'static str, Value)> {
    let jwk = good.jwk();
    let point = good.point();
    let (x, y) = (&point[1..33], &point[33..65]);
    let encode = |bytes: &[u8]| URL_SAFE_NO_PAD.encode(bytes);
    let with = |x: &[u8], y: &[u8]| {
        let mut jwk = jwk.clone();
        jwk["x"] = encode(x).into();
        jwk["y"] = encode(y).into();
        jwk
    };
    let mut off = y.to_vec();
    off[31] ^= 1;
    let zero = [0; 32];
    let named = |member: &str, value: Value| {
        let mut jwk = jwk.clone();
        jwk[member] = value;
        jwk
    };
    let mut without_y = jwk.clone();
    without_y.as_object_mut().unwrap().remove("y");
    vec![
        ("a point off the curve", with(x, &off)),
        ("x and y exchanged", with(y, x)),
        ("the identity as zeros", with(&zero, &zero)),
        ("the identity as nothing", with(&[], &[])),
        ("coordinates beyond the field", with(&[0xff; 32], &[0xff; 32])),
        ("31 octets", with(&x[1..], y)),
        ("33 octets", with(&[&[0], x].concat(), y)),
        ("no y", without_y),
        ("another curve's name", named("crv", json!("P-384"))),
        ("a curve nobody takes", named("crv", json!("secp256k1"))),
        ("a private key", named("d", json!(encode(x)))),
        ("not for signatures", named("use", json!("enc"))),
        ("for another algorithm", named("alg", json!("ES384"))),
    ]
}

async fn a_point_that_is_not_on_its_curve_is_no_key() {
    let mut world = World::start(Setup::default()).await;
    let good = world.key_of("assistant").clone();
    /// Writes the client's key file and has it read.
    async fn register(world: &mut World, keys: Vec<Value>) {
        let set = json!({"keys": keys});
        std::fs::write(world.directory.path().join("clients/assistant.json"), set.to_string()).unwrap();
        world.reload(|toml| toml).await;
    }
    let parameter = JwtParameter::Assertion;
    parameter.takes(&world, "the good key", &parameter.good(&world).await.sign()).await;
    for (what, bad) in bad_keys(&good) {
        register(&mut world, vec![bad.clone()]).await;
        parameter.refuses(&world, what, &parameter.good(&world).await.sign(), "key_unknown").await;
        // It spoils no other key of the set.
        let other = Key::new("other");
        register(&mut world, vec![bad, other.jwk()]).await;
        let token = parameter.good(&world).await.header("kid", "other").signed_by(&other).sign();
        parameter.takes(&world, &format!("{what}, beside a good key"), &token).await;
    }

    // Ed25519: 32 octets, and on the curve.
    let ed = OtherKey::new("ed", "EdDSA");
    register(&mut world, vec![ed.jwk()]).await;
    parameter.takes(&world, "Ed25519", &parameter.good(&world).await.signed_with(&ed)).await;
    for (what, x) in [("31 octets", vec![1; 31]), ("33 octets", vec![1; 33]), ("off the curve", vec![2; 32])]
    {
        let mut jwk = ed.jwk();
        jwk["x"] = URL_SAFE_NO_PAD.encode(x).into();
        register(&mut world, vec![jwk]).await;
        let token = parameter.good(&world).await.signed_with(&ed);
        parameter.refuses(&world, what, &token, "key_unknown|signature").await;
    }
    register(&mut world, vec![good.jwk()]).await;
    parameter.takes(&world, "the good key again", &parameter.good(&world).await.sign()).await;
}

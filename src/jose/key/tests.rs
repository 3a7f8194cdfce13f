use serde_json::json;

use super::*;
use crate::jose::SigningKey;

fn jwk(algorithm: Algorithm, changes: Value) -> Map<String, Value> {
    // One RSA key for all: each takes a good part of a second to make.
    static RSA: std::sync::LazyLock<SigningKey> =
        std::sync::LazyLock::new(|| SigningKey::generate(Algorithm::RS256).unwrap());
    let mut jwk = match algorithm {
        Algorithm::RS256 => RSA.jwk().clone(),
        _ => SigningKey::generate(algorithm).unwrap().jwk().clone(),
    };
    for (name, value) in changes.as_object().unwrap() {
        if value.is_null() {
            jwk.remove(name);
        } else {
            jwk.insert(name.clone(), value.clone());
        }
    }
    jwk
}

fn algorithms(jwk: &Map<String, Value>) -> Result<Vec<&'static str>, JoseError> {
    PublicKey::from_jwk(jwk).map(|keys| keys.iter().map(|key| key.algorithm().as_str()).collect())
}

#[test]
fn each_key_type_is_bound_to_its_algorithm() {
    for algorithm in
        [Algorithm::ES256, Algorithm::ES384, Algorithm::EdDSA, Algorithm::PS256, Algorithm::RS256]
    {
        assert_eq!(algorithms(&jwk(algorithm, json!({}))), Ok(vec![algorithm.as_str()]));
    }
    let rsa = jwk(Algorithm::RS256, json!({"alg": null, "use": null}));
    assert_eq!(algorithms(&rsa), Ok(vec!["RS256", "PS256"]));
    assert_eq!(algorithms(&jwk(Algorithm::ES256, json!({"alg": null}))), Ok(vec!["ES256"]));
}

#[test]
fn an_algorithm_that_is_not_that_of_the_key_makes_it_unusable() {
    for (algorithm, alg) in [
        (Algorithm::ES256, "ES384"),
        (Algorithm::ES256, "RS256"),
        (Algorithm::ES256, "ECDH-ES"),
        (Algorithm::RS256, "RSA-OAEP"),
        (Algorithm::RS256, "HS256"),
        (Algorithm::RS256, "rs256"),
        (Algorithm::EdDSA, "Ed25519"),
    ] {
        assert_eq!(algorithms(&jwk(algorithm, json!({"alg": alg}))), Err(JoseError::Key), "{alg}");
    }
}

#[test]
fn a_key_that_is_not_for_verifying_signatures_is_unusable() {
    for changes in [
        json!({"use": "enc"}),
        json!({"use": "SIG"}),
        json!({"use": 1}),
        json!({"key_ops": ["sign"]}),
        json!({"key_ops": []}),
        json!({"key_ops": "verify"}),
        json!({"use": "enc", "key_ops": ["verify"]}),
    ] {
        assert_eq!(algorithms(&jwk(Algorithm::ES256, changes.clone())), Err(JoseError::Key), "{changes}");
    }
    for changes in [json!({"key_ops": ["verify"]}), json!({"use": null, "key_ops": ["sign", "verify"]})] {
        assert!(algorithms(&jwk(Algorithm::ES256, changes.clone())).is_ok(), "{changes}");
    }
}

#[test]
fn private_and_symmetric_keys_are_unusable() {
    for member in PRIVATE {
        let changes = json!({member: "AQAB"});
        assert_eq!(algorithms(&jwk(Algorithm::RS256, changes)), Err(JoseError::Key), "{member}");
    }
    for jwk in [json!({"kty": "oct", "k": "AAAA"}), json!({"kty": "oct"}), json!({}), json!({"kty": "XYZ"})] {
        assert_eq!(algorithms(jwk.as_object().unwrap()), Err(JoseError::Key), "{jwk}");
    }
}

#[test]
fn a_point_that_is_not_on_its_curve_is_unusable() {
    let good = jwk(Algorithm::ES256, json!({}));
    let mut y = URL_SAFE_NO_PAD.decode(good["y"].as_str().unwrap()).unwrap();
    y[31] ^= 1;
    let zero = URL_SAFE_NO_PAD.encode([0; 32]);
    for changes in [
        json!({"y": URL_SAFE_NO_PAD.encode(&y)}),
        json!({"x": zero, "y": zero}),
        json!({"x": "AA"}),
        json!({"x": URL_SAFE_NO_PAD.encode([1; 33])}),
        json!({"y": null}),
        json!({"x": 1}),
        json!({"x": format!("{}=", good["x"].as_str().unwrap())}),
        json!({"crv": "P-384", "alg": null}),
        json!({"crv": "P-521", "alg": null}),
        json!({"crv": "secp256k1", "alg": null}),
        json!({"kty": "OKP"}),
    ] {
        let mut changed = good.clone();
        for (name, value) in changes.as_object().unwrap() {
            changed.insert(name.clone(), value.clone());
        }
        assert_eq!(algorithms(&changed), Err(JoseError::Key), "{changes}");
    }
}

#[test]
fn an_ed25519_key_under_which_anyone_can_sign_is_unusable() {
    // The identity with S = 0 and R = the identity: what the check is for. The library alone takes it.
    let identity = [&[1][..], &[0; 31]].concat();
    let forged = URL_SAFE_NO_PAD.encode([identity.as_slice(), &[0; 32]].concat());
    let library_key = DecodingKey::from_ed_der(&identity);
    let verified = jsonwebtoken::crypto::verify(&forged, b"any", &library_key, library(Algorithm::EdDSA));
    assert!(matches!(verified, Ok(true)));
    let ones = [&[0xff; 30][..], &[0x7f]].concat();
    for (low, rest) in
        [(0, vec![0; 31]), (1, vec![0; 31]), (0xec, ones.clone()), (0xed, ones.clone()), (0xee, ones)]
    {
        for sign in [0, 0x80] {
            let mut point = [&[low], rest.as_slice()].concat();
            point[31] |= sign;
            let x = URL_SAFE_NO_PAD.encode(&point);
            assert_eq!(
                algorithms(&jwk(Algorithm::EdDSA, json!({"x": x}))),
                Err(JoseError::Key),
                "{point:02x?}"
            );
        }
    }
    for length in [31, 33] {
        let x = URL_SAFE_NO_PAD.encode(vec![9; length]);
        assert_eq!(algorithms(&jwk(Algorithm::EdDSA, json!({"x": x}))), Err(JoseError::Key));
    }
}

#[test]
fn a_point_of_order_eight_is_found_by_its_own_forgery() {
    // Under a key of order 8 the same signature verifies for about one message in eight.
    let trivial = URL_SAFE_NO_PAD.encode([&[1][..], &[0; 63]].concat());
    for hex in [
        "26e8958fc2b227b045c3f489f2ef98f0d5dfac05d3c63339b13802886d53fc05",
        "c7176a703d4dd84fba3c0b760d10670f2a2053fa2c39ccc64ec7fd7792ac037a",
    ] {
        let point: [u8; 32] = data_encoding::HEXLOWER.decode(hex.as_bytes()).unwrap().try_into().unwrap();
        let key = DecodingKey::from_ed_der(&point);
        let forged = (0_u32..200).filter(|n| {
            jsonwebtoken::crypto::verify(&trivial, &n.to_be_bytes(), &key, library(Algorithm::EdDSA))
                .unwrap_or(false)
        });
        assert!((5..80).contains(&forged.count()), "the constant is a point of order 8");
        let x = URL_SAFE_NO_PAD.encode(point);
        assert_eq!(algorithms(&jwk(Algorithm::EdDSA, json!({"x": x}))), Err(JoseError::Key));
    }
}

#[test]
fn an_rsa_key_has_a_sane_size_and_exponent() {
    let good = jwk(Algorithm::RS256, json!({}));
    let n = URL_SAFE_NO_PAD.decode(good["n"].as_str().unwrap()).unwrap();
    let number = |octets: &[u8]| json!(URL_SAFE_NO_PAD.encode(octets));
    let odd = |length: usize| {
        let mut n = vec![0xff; length];
        n[length - 1] = 0xfd;
        n
    };
    let mut even = n.clone();
    even[255] &= 0xfe;
    for (name, value) in [
        ("n", number(&odd(128))),
        ("n", number(&odd(255))),
        ("n", number(&odd(1025))),
        ("n", number(&odd(2048))),
        ("n", number(&even)),
        ("n", json!("")),
        ("n", json!(null)),
        ("e", number(&[1])),
        ("e", number(&[0])),
        ("e", number(&[2])),
        ("e", number(&[1, 0, 0])),
        ("e", number(&[1, 0, 0, 0, 1])),
        ("e", json!("")),
    ] {
        let mut changed = good.clone();
        changed.insert(name.to_owned(), value.clone());
        assert_eq!(algorithms(&changed), Err(JoseError::Key), "{name} {value}");
    }
    let mut padded = good.clone();
    padded.insert("n".to_owned(), number(&[&[0], n.as_slice()].concat()));
    padded.insert("e".to_owned(), number(&[0, 1, 0, 1]));
    assert_eq!(algorithms(&padded), Ok(vec!["RS256"]), "leading zeros are dropped");
    assert!(PublicKey::from_jwk(&padded).unwrap()[0].is_same(&PublicKey::from_jwk(&good).unwrap()[0]));
}

#[test]
fn keys_show_nothing_but_their_algorithm() {
    let key = SigningKey::generate(Algorithm::ES256).unwrap();
    assert_eq!(format!("{:?}", key.public().unwrap()), "PublicKey(ES256)");
    assert_eq!(format!("{key:?}"), format!("SigningKey(ES256, {})", key.kid()));
}

#[test]
fn the_kid_is_the_thumbprint_of_rfc_7638() {
    use jsonwebtoken::jwk::{Jwk, ThumbprintHash};
    // The example of RFC 7638 §3.1, through the same function as our own keys.
    let jwk: Jwk = serde_json::from_value(json!({
        "kty": "RSA", "e": "AQAB", "alg": "RS256", "kid": "2011-04-29",
        "n": "0vx7agoebGcQSuuPiLJXZptN9nndrQmbXEps2aiAFbWhM78LhWx4cbbfAAtVT86zwu1RK7aPFFxuhDR1L6tSoc_BJECPebWKRXjBZCiFV4n3oknjhMstn64tZ_2W-5JsGY4Hc5n9yBXArwl93lqt7_RN5w6Cf0h4QyQ5v-65YGjQR0_FDW2QvzqY368QQMicAtaSqzs8KJZgnYb9c7d0zgdAZHzu6qMQvRL5hajrn1n91CbOpbISD08qNLyrdkt-bFTWhAI4vMQFh6WeZu0fM4lFd2NcRwr3XPksINHaQ-G_xBniIqbw0Ls1jF44-csFCur-kEgU8awapJzKnqDKgw",
    }))
    .unwrap();
    assert_eq!(
        jwk.thumbprint(ThumbprintHash::SHA256).unwrap(),
        "NzbLsXh8uDCcd-6MNwXF4W_7noWXFZAfHkxZsRGC9Xs"
    );
    let key = SigningKey::generate(Algorithm::ES256).unwrap();
    let (x, y) = (key.jwk()["x"].as_str().unwrap(), key.jwk()["y"].as_str().unwrap());
    let canonical = format!(r#"{{"crv":"P-256","kty":"EC","x":"{x}","y":"{y}"}}"#);
    let digest = aws_lc_rs::digest::digest(&aws_lc_rs::digest::SHA256, canonical.as_bytes());
    assert_eq!(key.kid(), URL_SAFE_NO_PAD.encode(digest));
}

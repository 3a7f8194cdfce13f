use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use proptest::prelude::*;
use serde_json::json;

use super::*;
use crate::jose::SigningKey;

fn encode(text: &str) -> String {
    URL_SAFE_NO_PAD.encode(text)
}

fn compact(header: &str, claims: &str) -> String {
    format!("{}.{}.{}", encode(header), encode(claims), encode("signature"))
}

fn scan(token: &str) -> Result<Header, JoseError> {
    UnverifiedToken::scan(token).map(|scanned| scanned.header().clone())
}

fn with_header(header: serde_json::Value) -> Result<Header, JoseError> {
    scan(&compact(&header.to_string(), "{}"))
}

#[test]
fn a_plain_compact_jws_is_read() {
    let header = with_header(json!({"alg": "ES256", "kid": "k", "typ": "JWT", "x": [1]})).unwrap();
    assert_eq!(
        header,
        Header { algorithm: Algorithm::ES256, kid: Some("k".to_owned()), typ: Some("jwt".to_owned()) }
    );
    assert!(header.is_plain_jwt());
}

#[test]
fn only_the_compact_serialization_is_taken() {
    let good = compact(r#"{"alg":"ES256"}"#, "{}");
    let [header, claims, signature] = good.split('.').collect::<Vec<_>>().try_into().unwrap();
    for token in [
        String::new(),
        ".".to_owned(),
        "..".to_owned(),
        format!("{header}.{claims}"),
        format!("{good}.{signature}"),
        format!("{good}.{signature}.{signature}"),
        format!(".{claims}.{signature}"),
        format!("{header}..{signature}"),
        format!("{header}.{claims}."),
        json!({"payload": claims, "protected": header, "signature": signature}).to_string(),
    ] {
        assert_eq!(scan(&token), Err(JoseError::Malformed), "{token}");
    }
}

#[test]
fn base64url_is_decoded_strictly() {
    let good = compact(r#"{"alg":"ES256"}"#, r#"{"a":"??>"}"#);
    assert!(scan(&good).is_ok());
    let [header, claims, signature] = good.split('.').collect::<Vec<_>>().try_into().unwrap();
    for token in [
        format!("{header}.{claims}.{signature}="),
        format!("{header}=.{claims}.{signature}"),
        format!("{header}.{claims}\n.{signature}"),
        format!(" {good}"),
        format!("{good}\r\n"),
        format!("{header}.{}.{signature}", claims.replace(['-', '_'], "+")),
        format!("{header}.{}.{signature}", claims.replace(['-', '_'], "/")),
        format!("{header}.{claims}.\"{signature}\""),
        format!("{header}.{claims}.{signature}é"),
        // `QQ` is one octet with no stray bits, `QR` has some.
        format!("{header}.{claims}.QR"),
        format!("{header}.{claims}.A"),
    ] {
        assert_eq!(scan(&token), Err(JoseError::Malformed), "{token:?}");
    }
    assert!(scan(&format!("{header}.{claims}.QQ")).is_ok());
}

#[test]
fn header_and_claims_are_strict_objects() {
    for (header, claims) in [
        (r#"{"alg":"ES256","alg":"ES256"}"#, "{}"),
        (r#"{"alg":"ES256","\u0061lg":"none"}"#, "{}"),
        (r#"{"alg":"ES256"}"#, r#"{"sub":"a","s\u0075b":"b"}"#),
        (r#"["alg"]"#, "{}"),
        (r#"{"alg":"ES256"}"#, "[]"),
        (r#"{"alg":"ES256"}"#, "\"{}\""),
        (r#"{"alg":"ES256"}"#, "\u{feff}{}"),
        (r#"{"alg":"ES256"}"#, "{} {}"),
        (r#"{"alg":"ES256","kid":1}"#, "{}"),
        (r#"{"alg":"ES256","kid":null}"#, "{}"),
        (r#"{"alg":"ES256","typ":["JWT"]}"#, "{}"),
    ] {
        assert_eq!(scan(&compact(header, claims)), Err(JoseError::Malformed), "{header} {claims}");
    }
}

#[test]
fn an_algorithm_deputy_does_not_know_is_refused_whatever_its_case() {
    for alg in ["none", "None", "nOnE", "NONE", "", "HS256", "RS1", "ES256K", "es256", "Ed25519", "RSA1_5"] {
        assert_eq!(with_header(json!({"alg": alg})), Err(JoseError::Algorithm), "{alg}");
    }
    for header in [json!({}), json!({"alg": null}), json!({"alg": ["ES256"]}), json!({"ALG": "ES256"})] {
        assert_eq!(with_header(header.clone()), Err(JoseError::Algorithm), "{header}");
    }
    let unsigned = format!("{}.{}.", encode(r#"{"alg":"none"}"#), encode("{}"));
    assert_eq!(scan(&unsigned), Err(JoseError::Algorithm));
    for alg in ["ES256", "ES384", "EdDSA", "PS256", "RS256"] {
        assert_eq!(with_header(json!({"alg": alg})).unwrap().algorithm.as_str(), alg);
    }
}

#[test]
fn any_critical_header_is_refused() {
    for crit in [json!(["b64"]), json!([]), json!(["alg"]), json!(["exp"]), json!("b64"), json!(null)] {
        let header = json!({"alg": "ES256", "crit": crit, "b64": false});
        assert_eq!(with_header(header.clone()), Err(JoseError::Critical), "{header}");
    }
}

#[test]
fn compressed_unencoded_nested_and_encrypted_payloads_are_refused() {
    for (name, value) in
        [("zip", json!("DEF")), ("b64", json!(false)), ("cty", json!("JWT")), ("enc", json!("A128GCM"))]
    {
        let header = json!({"alg": "ES256", name: value});
        assert_eq!(with_header(header.clone()), Err(JoseError::Kind), "{header}");
    }
}

#[test]
fn a_type_is_compared_without_case_and_prefix() {
    for (typ, expected) in [
        ("at+jwt", "at+jwt"),
        ("AT+JWT", "at+jwt"),
        ("application/at+jwt", "at+jwt"),
        ("Application/AT+jwt", "at+jwt"),
        ("application/x/y", "application/x/y"),
        ("text/jwt", "text/jwt"),
    ] {
        let header = with_header(json!({"alg": "ES256", "typ": typ})).unwrap();
        assert_eq!(header.typ.as_deref(), Some(expected));
    }
}

#[test]
fn a_key_id_is_bounded_and_means_nothing_by_itself() {
    for kid in ["../../etc/passwd", "' OR 1=1", "\0", "https://evil.example/k"] {
        assert_eq!(with_header(json!({"alg": "ES256", "kid": kid})).unwrap().kid.as_deref(), Some(kid));
    }
    assert!(with_header(json!({"alg": "ES256", "kid": "k".repeat(128)})).is_ok());
    let long = json!({"alg": "ES256", "kid": "k".repeat(129)});
    assert_eq!(with_header(long), Err(JoseError::Malformed));
}

#[test]
fn times_that_are_no_times_are_refused_before_anything_else_reads_them() {
    for name in ["exp", "nbf", "iat", "auth_time"] {
        for value in ["\"1700000000\"", "true", "[]", "-1", "1e308", "253402300800", "9223372036854775808"] {
            let token = compact(r#"{"alg":"ES256"}"#, &format!("{{\"{name}\":{value}}}"));
            assert_eq!(scan(&token), Err(JoseError::Claim), "{name}: {value}");
        }
        let token = compact(r#"{"alg":"ES256"}"#, &format!("{{\"{name}\":1e400}}"));
        assert_eq!(scan(&token), Err(JoseError::Malformed), "{name}: beyond what a double holds");
    }
}

#[test]
fn a_claim_that_is_null_is_absent_except_where_a_restriction_may_have_been_meant() {
    let token =
        compact(r#"{"alg":"ES256"}"#, r#"{"sub":"a","iss":null,"exp":null,"amr":null,"events":null}"#);
    let scanned = UnverifiedToken::scan(&token).unwrap();
    assert_eq!(Value::Object(scanned.unverified_claims().clone()), json!({"sub": "a"}));
    for name in ["act", "may_act", "cnf"] {
        let token = compact(r#"{"alg":"ES256"}"#, &format!("{{\"{name}\":null}}"));
        assert_eq!(scan(&token), Err(JoseError::Claim), "{name}");
    }
}

#[test]
fn size_is_bounded() {
    let claims = |filler: usize| format!("{{\"a\":\"{}\"}}", "x".repeat(filler));
    assert!(scan(&compact(r#"{"alg":"ES256"}"#, &claims(12_000))).is_ok());
    assert_eq!(scan(&compact(r#"{"alg":"ES256"}"#, &claims(12_300))), Err(JoseError::Malformed));
    let header = |filler: usize| format!("{{\"alg\":\"ES256\",\"x5c\":[\"{}\"]}}", "x".repeat(filler));
    assert!(scan(&compact(&header(12_000), "{}")).is_ok(), "a chain of certificates is no fault");
    assert_eq!(scan(&compact(&header(12_300), "{}")), Err(JoseError::Malformed));
    assert_eq!(scan(&"a".repeat(10_000_000)), Err(JoseError::Malformed));
}

#[test]
fn claims_come_out_only_after_the_signature_verified() {
    for algorithm in
        [Algorithm::ES256, Algorithm::ES384, Algorithm::EdDSA, Algorithm::PS256, Algorithm::RS256]
    {
        let key = SigningKey::generate(algorithm).unwrap();
        let other = SigningKey::generate(algorithm).unwrap();
        let token = key.sign_compact(&key.header_segment("JWT"), br#"{"sub":"a"}"#).unwrap();
        let verify = |token: &str, key: &SigningKey| {
            UnverifiedToken::scan(token)
                .unwrap()
                .verify(&key.public().unwrap())
                .map(|claims| claims.get("sub").cloned())
        };
        assert_eq!(verify(&token, &key), Ok(Some(json!("a"))));
        assert_eq!(verify(&token, &other), Err(JoseError::Signature));
        let changed = token.replacen(&encode(r#"{"sub":"a"}"#), &encode(r#"{"sub":"b"}"#), 1);
        assert_eq!(verify(&changed, &key), Err(JoseError::Signature), "{algorithm:?}");
    }
}

#[test]
fn a_key_verifies_its_own_algorithm_only() {
    let rsa = SigningKey::generate(Algorithm::RS256).unwrap();
    for alg in ["PS256", "ES256", "EdDSA"] {
        let header = encode(&json!({"alg": alg, "kid": rsa.kid()}).to_string());
        let token = rsa.sign_compact(&header, b"{}").unwrap();
        let scanned = UnverifiedToken::scan(&token).unwrap();
        assert_eq!(scanned.verify_signature(&rsa.public().unwrap()), Err(JoseError::Algorithm), "{alg}");
    }
}

#[test]
fn an_ecdsa_signature_is_r_and_s_in_range_and_nothing_else() {
    let key = SigningKey::generate(Algorithm::ES256).unwrap();
    let token = key.sign_compact(&key.header_segment("JWT"), b"{}").unwrap();
    let (input, signature) = token.rsplit_once('.').unwrap();
    let public = key.public().unwrap();
    let good = URL_SAFE_NO_PAD.decode(signature).unwrap();
    assert_eq!(good.len(), 64);
    // The order of P-256.
    let order: [u8; 32] = [
        0xff, 0xff, 0xff, 0xff, 0, 0, 0, 0, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xbc, 0xe6, 0xfa,
        0xad, 0xa7, 0x17, 0x9e, 0x84, 0xf3, 0xb9, 0xca, 0xc2, 0xfc, 0x63, 0x25, 0x51,
    ];
    let (r, s) = good.split_at(32);
    let der = [&[0x30, 0x44, 2, 0x20][..], r, &[2, 0x20], s].concat();
    for bad in [
        vec![0; 64],
        [&[0; 32][..], s].concat(),
        [r, &[0; 32]].concat(),
        [&order[..], s].concat(),
        [r, &order].concat(),
        [r, &[0xff; 32]].concat(),
        good[..63].to_vec(),
        [&good[..], &[0]].concat(),
        [&[0], &good[..]].concat(),
        der,
    ] {
        let outcome = public.verify(input.as_bytes(), &URL_SAFE_NO_PAD.encode(&bad));
        assert_eq!(outcome, Err(JoseError::Signature), "{bad:02x?}");
    }
    assert_eq!(public.verify(input.as_bytes(), signature), Ok(()));
}

#[test]
fn an_ed25519_signature_has_its_length_and_a_canonical_s() {
    let key = SigningKey::generate(Algorithm::EdDSA).unwrap();
    let public = key.public().unwrap();
    let good = URL_SAFE_NO_PAD.decode(key.sign(b"m").unwrap()).unwrap();
    // S + L, the order of the group: the same point, written a second way.
    let order: [u8; 32] = [
        0xed, 0xd3, 0xf5, 0x5c, 0x1a, 0x63, 0x12, 0x58, 0xd6, 0x9c, 0xf7, 0xa2, 0xde, 0xf9, 0xde, 0x14, 0, 0,
        0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0x10,
    ];
    let mut second = good.clone();
    let mut carry = 0_u16;
    for (byte, add) in second[32..].iter_mut().zip(order) {
        carry += u16::from(*byte) + u16::from(add);
        *byte = carry.to_le_bytes()[0];
        carry >>= 8;
    }
    for bad in [second, good[..63].to_vec(), [&good[..], &[0]].concat(), vec![0; 64]] {
        assert_eq!(public.verify(b"m", &URL_SAFE_NO_PAD.encode(&bad)), Err(JoseError::Signature));
    }
    assert_eq!(public.verify(b"m", &URL_SAFE_NO_PAD.encode(&good)), Ok(()));
}

/// Text that is JSON, or nearly: objects of the members that a scan looks at, and their parts in any order.
fn json_like() -> impl Strategy<Value = String> {
    const NAMES: [&str; 10] = ["alg", "kid", "typ", "crit", "exp", "nbf", "iat", "iss", "sub", "\\u0061lg"];
    const VALUES: [&str; 15] = [
        r#""ES256""#,
        r#""none""#,
        r#""JWT""#,
        r#""\ud800""#,
        r#""é""#,
        "1700000000",
        "253402300800",
        "-1",
        "1.5",
        "1e999",
        "null",
        "true",
        "[]",
        "{}",
        r#"[[{"a":1}]]"#,
    ];
    const PARTS: [&str; 14] =
        ["{", "}", "[", "]", "\"", "\\", "\\u", ":", ",", " ", "0", "e", "\"alg\":\"ES256\"", "\"exp\":1"];
    let member = (proptest::sample::select(&NAMES[..]), proptest::sample::select(&VALUES[..]));
    let object = |members: Vec<(&str, &str)>| {
        let members: Vec<_> = members.iter().map(|(name, value)| format!("\"{name}\":{value}")).collect();
        format!("{{{}}}", members.join(","))
    };
    prop_oneof![
        3 => proptest::collection::vec(member, 0..6).prop_map(object),
        1 => proptest::collection::vec(proptest::sample::select(&PARTS[..]), 0..40).prop_map(|parts| parts.concat()),
    ]
}

proptest! {
    #[test]
    fn no_text_makes_the_scan_panic(
        header in prop_oneof![Just(r#"{"alg":"ES256","typ":"JWT"}"#.to_owned()), json_like()],
        claims in json_like(),
        stray in prop_oneof![4 => Just(String::new()), 1 => ".{0,3}"],
    ) {
        let _ = UnverifiedToken::scan(&(compact(&header, &claims) + &stray));
    }

    #[test]
    fn no_bytes_inside_the_segments_make_the_scan_panic(
        header in proptest::collection::vec(any::<u8>(), 0..200),
        claims in proptest::collection::vec(any::<u8>(), 0..400),
        signature in proptest::collection::vec(any::<u8>(), 0..80),
    ) {
        let parts = [header, claims, signature].map(|part| URL_SAFE_NO_PAD.encode(part));
        let _ = UnverifiedToken::scan(&parts.join("."));
    }

    #[test]
    fn one_byte_changed_anywhere_never_verifies(at in 0_usize..1000, to in any::<u8>()) {
        let key = SigningKey::generate(Algorithm::EdDSA).unwrap();
        let token = key.sign_compact(&key.header_segment("JWT"), br#"{"sub":"a","exp":1700000000}"#).unwrap();
        let mut bytes = token.clone().into_bytes();
        let at = at % bytes.len();
        prop_assume!(bytes[at] != to);
        bytes[at] = to;
        if let Ok(changed) = String::from_utf8(bytes)
            && let Ok(scanned) = UnverifiedToken::scan(&changed)
        {
            prop_assert!(scanned.verify(&key.public().unwrap()).is_err());
        }
    }
}

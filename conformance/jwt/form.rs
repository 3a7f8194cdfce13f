//! What a compact JWS looks like, down to its characters (RFC 7515 §2, §3, §4, RFC 7519 §4, §7.2).

use serde_json::json;

use crate::harness::{Cases, case};
use crate::jwt_parameter::JwtParameter;
use crate::world::{Jwt, Key, Setup, World};

pub fn cases() -> Cases {
    vec![
        case("7515-3-01", only_the_compact_serialization_is_taken),
        case("7515-2-01", base64url_is_decoded_strictly),
        case("8725bis-3.14-01", no_character_but_those_of_a_compact_jws_is_taken),
        case("7515-4-01", a_header_name_twice_is_refused),
        case("7519-4-01", a_claim_name_twice_is_refused),
        case("7519-7.2-01", header_and_claims_are_json_objects_in_utf_8),
        case("7515-4.1.11-01", crit_is_refused),
        case("8725bis-3.3-02", encrypted_and_compressed_tokens_are_refused),
    ]
}

async fn only_the_compact_serialization_is_taken() {
    let world = World::start(Setup::default()).await;
    for parameter in JwtParameter::ALL {
        let good = parameter.good(&world).await.sign();
        parameter.takes(&world, "the compact form", &good).await;
        let parts: Vec<&str> = good.split('.').collect();
        let (h, p, s) = (parts[0], parts[1], parts[2]);
        let flattened = json!({"protected": h, "payload": p, "signature": s}).to_string();
        let general = json!({"payload": p, "signatures": [{"protected": h, "signature": s}]}).to_string();
        for (what, token) in [
            ("flattened JSON", flattened),
            ("general JSON", general),
            ("one segment", h.to_owned()),
            ("two segments", format!("{h}.{p}")),
            ("four segments", format!("{good}.{s}")),
            ("five segments", format!("{h}.{p}.{s}.{s}.{s}")),
            ("empty header", format!(".{p}.{s}")),
            ("empty payload", format!("{h}..{s}")),
            ("empty signature", format!("{h}.{p}.")),
            ("a dot behind", format!("{good}.")),
            ("a dot before", format!(".{good}")),
            ("only dots", "..".to_owned()),
        ] {
            parameter.refuses(&world, what, &token, "malformed").await;
        }
    }
}

/// A segment whose last character carries bits that no byte has, decoded alike by a lax reader.
fn with_stray_bits(segment: &str) -> String {
    const ALPHABET: &[u8] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";
    assert_ne!(segment.len() % 4, 0, "without left-over bits there are no stray ones");
    let (head, last) = segment.split_at(segment.len() - 1);
    let at = ALPHABET.iter().position(|&b| b == last.as_bytes()[0]).unwrap();
    format!("{head}{}", char::from(ALPHABET[at + 1]))
}

/// JSON text with spaces behind, so that its base64url has left-over bits.
fn padded(mut json: String) -> String {
    while json.len().is_multiple_of(3) {
        json.push(' ');
    }
    json
}

/// A token whose every segment holds `-` or `_`.
fn with_both_alphabets_apart(jwt: &Jwt) -> String {
    (0..)
        .map(|number| jwt.clone().header("x", format!("{number}~~~???>>>")).claim("y", "~~~???>>>").sign())
        .find(|token| token.split('.').all(|segment| segment.contains(['-', '_'])))
        .expect("one of the first few")
}

async fn base64url_is_decoded_strictly() {
    use base64::Engine as _;
    let world = World::start(Setup::default()).await;
    for parameter in JwtParameter::ALL {
        let good = parameter.good(&world).await;
        let (header, claims) = good.texts();
        let token = good.key.sign_text(&padded(header.clone()), &padded(claims.clone()));
        parameter.takes(&world, "spaces behind the JSON", &token).await;

        let token = parameter.good(&world).await.sign();
        parameter.takes(&world, "white space around the token", &format!(" \t{token}\r\n")).await;

        let good = parameter.good(&world).await;
        let token = with_both_alphabets_apart(&good);
        let parts: Vec<&str> = token.split('.').collect();
        for at in 0..3 {
            let with = |changed: String| {
                let mut parts: Vec<String> = parts.iter().map(|&part| part.to_owned()).collect();
                parts[at] = changed;
                parts.join(".")
            };
            for (what, changed) in [
                ("one =", format!("{}=", parts[at])),
                ("two =", format!("{}==", parts[at])),
                ("the other alphabet", parts[at].replace('-', "+").replace('_', "/")),
                ("a line break inside", format!("{}\n{}", &parts[at][..4], &parts[at][4..])),
                ("a space before", format!(" {}", parts[at])),
                ("a tab behind", format!("{}\t", parts[at])),
            ] {
                // White space around the whole token is not part of it.
                if with(changed.clone()).trim_ascii() == token {
                    continue;
                }
                let what = format!("{what}, segment {at}");
                parameter.refuses(&world, &what, &with(changed), "malformed").await;
            }
        }

        // They are signed unchanged, so that only the strict parser can refuse them.
        let encode = |text: &str| base64::engine::general_purpose::URL_SAFE_NO_PAD.encode(text);
        let (h, p) = (encode(&padded(header)), encode(&padded(claims)));
        let key = &good.key;
        let stray_header = key.sign_raw(&format!("{}.{p}", with_stray_bits(&h)));
        let stray_claims = key.sign_raw(&format!("{h}.{}", with_stray_bits(&p)));
        let (input, signature) = token.rsplit_once('.').unwrap();
        let stray_signature = format!("{input}.{}", with_stray_bits(signature));
        for (what, token) in
            [("header", stray_header), ("claims", stray_claims), ("signature", stray_signature)]
        {
            parameter.refuses(&world, &format!("stray bits in the {what}"), &token, "malformed").await;
        }
    }
}

async fn no_character_but_those_of_a_compact_jws_is_taken() {
    let world = World::start(Setup::default()).await;
    for parameter in JwtParameter::ALL {
        let good = parameter.good(&world).await.sign();
        for odd in ["{", "}", "\"", "%", "~", "é", "\u{200b}", ",", "|", ";", "\u{1}", "\u{7f}"] {
            for token in
                [format!("{odd}{good}"), format!("{good}{odd}"), good.replacen('.', &format!("{odd}."), 1)]
            {
                parameter.refuses(&world, odd, &token, "malformed").await;
            }
        }
        parameter.refuses(&world, "bare JSON", "{\"alg\":\"none\"}.{\"sub\":\"alice\"}.", "malformed").await;
    }
}

async fn a_header_name_twice_is_refused() {
    let world = World::start(Setup::default()).await;
    for parameter in JwtParameter::ALL {
        let good = parameter.good(&world).await;
        let (header, claims) = good.texts();
        let kid = &good.key.kid;
        for twice in [
            "\"alg\":\"ES256\",".to_owned(),
            "\"alg\":\"none\",".to_owned(),
            "\"\\u0061lg\":\"ES256\",".to_owned(),
            format!("\"kid\":\"{kid}\","),
            "\"x\":1,\"x\":1,".to_owned(),
            "\"x\":{\"y\":1,\"y\":1},".to_owned(),
        ] {
            let text = header.replacen('{', &format!("{{{twice}"), 1);
            let token = good.key.sign_text(&text, &claims);
            parameter.refuses(&world, &twice, &token, "malformed").await;
        }
    }
}

async fn a_claim_name_twice_is_refused() {
    let world = World::start(Setup::default()).await;
    for parameter in JwtParameter::ALL {
        let good = parameter.good(&world).await;
        let (header, claims) = good.texts();
        let sub = good.claims["sub"].to_string();
        for twice in [
            format!("\"sub\":{sub},"),
            "\"sub\":\"mallory\",".to_owned(),
            "\"\\u0073ub\":\"mallory\",".to_owned(),
            "\"exp\":9999999999,".to_owned(),
            "\"x\":[{\"y\":1,\"y\":2}],".to_owned(),
        ] {
            for text in [
                claims.replacen('{', &format!("{{{twice}"), 1),
                format!("{},{}}}", claims.trim_end_matches('}'), twice.trim_end_matches(',')),
            ] {
                let token = good.key.sign_text(&header, &text);
                parameter.refuses(&world, &twice, &token, "malformed").await;
            }
        }
    }
}

/// Readings of `object` that are no JSON object in UTF-8, or not only that.
fn not_an_object(object: &str) -> Vec<(&'static str, Vec<u8>)> {
    let mut bom = vec![0xef, 0xbb, 0xbf];
    bom.extend_from_slice(object.as_bytes());
    let mut invalid = object.as_bytes().to_vec();
    let inside = invalid.iter().position(|&b| b == b'"').unwrap() + 1;
    invalid.insert(inside, 0xff);
    vec![
        ("an array", format!("[{object}]").into_bytes()),
        ("a string", serde_json::Value::String(object.to_owned()).to_string().into_bytes()),
        ("a number", b"1".to_vec()),
        ("null", b"null".to_vec()),
        ("true", b"true".to_vec()),
        ("a byte order mark", bom),
        ("UTF-16", object.encode_utf16().flat_map(u16::to_le_bytes).collect()),
        ("invalid UTF-8", invalid),
        ("bytes behind", format!("{object}x").into_bytes()),
        ("NUL behind", format!("{object}\0").into_bytes()),
        ("two objects", format!("{object}{object}").into_bytes()),
        ("a comma too many", object.replacen('}', ",}", 1).into_bytes()),
        ("single quotes", object.replace('"', "'").into_bytes()),
        ("nothing but a space", b" ".to_vec()),
    ]
}

async fn header_and_claims_are_json_objects_in_utf_8() {
    let world = World::start(Setup::default()).await;
    for parameter in JwtParameter::ALL {
        let good = parameter.good(&world).await;
        let (header, claims) = good.texts();
        for (what, odd) in not_an_object(&header) {
            let token = good.key.sign_bytes(&odd, claims.as_bytes());
            parameter.refuses(&world, &format!("{what} for header"), &token, "malformed").await;
        }
        for (what, odd) in not_an_object(&claims) {
            let token = good.key.sign_bytes(header.as_bytes(), &odd);
            parameter.refuses(&world, &format!("{what} for claims"), &token, "malformed").await;
        }
    }
}

async fn crit_is_refused() {
    let world = World::start(Setup::default()).await;
    for parameter in JwtParameter::ALL {
        let good = parameter.good(&world).await;
        for crit in [
            json!(["b64"]),
            json!([]),
            json!(["alg"]),
            json!(["exp"]),
            json!(["x"]),
            json!(["exp", "exp"]),
            json!("exp"),
            json!({}),
            json!(null),
            json!([1]),
            json!([""]),
        ] {
            let what = format!("crit {crit}");
            let token = good.clone().header("crit", crit).header("exp", 1).header("b64", true).sign();
            parameter.refuses(&world, &what, &token, "critical_header").await;
        }
        let absent = good.header("crit", json!(["http://example.com/absent"])).sign();
        parameter.refuses(&world, "crit names what is absent", &absent, "critical_header").await;
    }
}

/// No issuer is configured for encryption, so nothing is ever decrypted or inflated.
async fn encrypted_and_compressed_tokens_are_refused() {
    let world = World::start(Setup::default()).await;
    let key = Key::new("x");
    for parameter in JwtParameter::ALL {
        let good = parameter.good(&world).await;
        let inner = good.sign();
        for header in [
            json!({"alg": "RSA1_5", "enc": "A128CBC-HS256", "kid": good.key.kid}),
            json!({"alg": "RSA-OAEP-256", "enc": "A256GCM", "zip": "DEF", "cty": "JWT"}),
            json!({"alg": "PBES2-HS256+A128KW", "enc": "A128GCM", "p2c": 2_147_483_647, "p2s": "AAAA"}),
            json!({"alg": "dir", "enc": "A128GCM"}),
            json!({"alg": "ECDH-ES", "enc": "A128GCM", "epk": key.jwk()}),
        ] {
            let what = header["alg"].to_string();
            let signed = key.sign_text(&header.to_string(), &inner);
            let (h, rest) = signed.split_once('.').unwrap();
            let jwe = format!("{h}.AAAA.AAAA.{}.AAAA", rest.split('.').next().unwrap());
            parameter.refuses(&world, &what, &jwe, "malformed").await;
            // The same header on a signed token.
            let (_, claims) = good.texts();
            let token = good.key.sign_text(&header.to_string(), &claims);
            parameter.refuses(&world, &format!("{what}, three segments"), &token, "algorithm").await;
        }
        for (name, value) in [("zip", json!("DEF")), ("enc", json!("A128GCM")), ("cty", json!("JWT"))] {
            let token = good.clone().header(name, value).sign();
            parameter.refuses(&world, name, &token, "kind").await;
        }
    }
}

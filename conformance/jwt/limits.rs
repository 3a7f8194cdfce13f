//! JSON-LIMIT-01: bounds on every JWT, checked before it is parsed (docs/design/records.md).

use serde_json::{Value, json};

use crate::harness::{Cases, case};
use crate::jwt_parameter::JwtParameter;
use crate::world::{Jwt, Setup, World};

pub fn cases() -> Cases {
    vec![
        case("JSON-LIMIT-01", the_size_of_a_token_is_bounded),
        case("JSON-LIMIT-01", the_shape_of_a_token_is_bounded),
    ]
}

/// The longest form of `jwt` that has at most `limit` bytes, and the next longer one.
fn around(
    limit: usize,
    jwt: &Jwt,
    pad: impl Fn(Jwt, String) -> Jwt,
    size: impl Fn(&str) -> usize,
) -> [String; 2] {
    let with = |length: usize| pad(jwt.clone(), "x".repeat(length)).sign();
    let mut length = (limit - size(&with(0))) * 3 / 4 + 4;
    // base64url turns three bytes into four characters.
    while size(&with(length)) > limit {
        length -= 1;
    }
    while size(&with(length + 1)) <= limit {
        length += 1;
    }
    [with(length), with(length + 1)]
}

async fn the_size_of_a_token_is_bounded() {
    let world = World::start(Setup::default()).await;
    for parameter in JwtParameter::ALL {
        let good = parameter.good(&world).await;
        let claim = |jwt: Jwt, text: String| jwt.claim("padding", text);
        let [longest, too_long] = around(16 * 1024, &good, claim, str::len);
        assert!(longest.len() <= 16_384 && too_long.len() > 16_384 && too_long.len() < 16_390);
        parameter.takes(&world, "16 KiB", &longest).await;
        parameter.refuses(&world, "over 16 KiB", &too_long, "malformed").await;
        let huge = good.clone().claim("padding", "x".repeat(40_000)).sign();
        parameter.refuses(&world, "40 kB", &huge, "malformed").await;

        let header = |jwt: Jwt, text: String| jwt.header("padding", text);
        let [longest, too_long] = around(16 * 1024, &parameter.good(&world).await, header, str::len);
        parameter.takes(&world, "16 KiB, most of it header", &longest).await;
        parameter.refuses(&world, "a longer header", &too_long, "malformed").await;
    }
}

/// Objects or arrays in one another, `levels` of them.
fn nested(levels: usize, wrap: impl Fn(Value) -> Value) -> Value {
    (0..levels).fold(json!(1), |inner, _| wrap(inner))
}

async fn the_shape_of_a_token_is_bounded() {
    let world = World::start(Setup::default()).await;
    for parameter in JwtParameter::ALL {
        let object: fn(Value) -> Value = |inner| json!({"a": inner});
        let array: fn(Value) -> Value = |inner| json!([inner]);
        for (what, wrap) in [("objects", object), ("arrays", array)] {
            // The claims set itself is the first level of sixteen.
            let good = parameter.good(&world).await;
            parameter.takes(&world, what, &good.clone().claim("x", nested(15, wrap)).sign()).await;
            for levels in [16, 120] {
                let token = good.clone().claim("x", nested(levels, wrap)).sign();
                parameter.refuses(&world, &format!("{levels} {what} deep"), &token, "malformed").await;
            }
            let token = good.header("x", nested(16, wrap)).sign();
            parameter.refuses(&world, &format!("{what} too deep in the header"), &token, "malformed").await;
        }

        // As deep as fits into 16 KiB: written as text, for building it would cost this test its stack.
        let good = parameter.good(&world).await;
        let (header, claims) = good.clone().claim("x", "@@").texts();
        for (open, close, levels) in [("[", "]", 5000), ("{\"a\":", "}", 1500)] {
            let deep = format!("{}1{}", open.repeat(levels), close.repeat(levels));
            let token = good.key.sign_text(&header, &claims.replace("\"@@\"", &deep));
            assert!(token.len() <= 16 * 1024, "{}", token.len());
            parameter.refuses(&world, &format!("{levels} times {open}"), &token, "malformed").await;
            let unclosed = good.key.sign_text(&header, &claims.replace("\"@@\"", &open.repeat(levels)));
            parameter
                .refuses(&world, &format!("{levels} times {open}, unclosed"), &unclosed, "malformed")
                .await;
        }

        // Within these two limits nothing else counts.
        let many: serde_json::Map<String, Value> = (0..500).map(|n| (format!("m{n}"), json!(1))).collect();
        let token = parameter.good(&world).await.claim("x", many).claim("y", vec![1; 500]).sign();
        parameter.takes(&world, "500 members and 500 elements", &token).await;
    }
}

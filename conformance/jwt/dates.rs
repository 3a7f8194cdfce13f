//! `exp`, `nbf`, `iat` (RFC 7519 §4.1.4 to §4.1.6). The tokens of other issuers have a leeway of 60 s,
//! Deputy's own have none (docs/design/records.md).

use serde_json::json;

use crate::harness::{Cases, case};
use crate::jwt_parameter::JwtParameter;
use crate::world::{Jwt, Setup, World};

pub fn cases() -> Cases {
    vec![
        case("7519-4.1.4-01", dates_are_json_numbers),
        case("7519-4.1.4-02", a_token_ends_at_exp_and_leeway),
        case("7519-4.1.5-01", a_token_does_not_begin_before_nbf_and_leeway),
        case("7519-4.1.6-01", iat_is_neither_ahead_nor_too_old),
    ]
}

/// `jwt` with `claim` written as this JSON text, which need not be what a library would write.
fn with_raw(jwt: &Jwt, claim: &str, text: &str) -> String {
    let (header, claims) = jwt.clone().claim(claim, "@@").texts();
    jwt.key.sign_text(&header, &claims.replace("\"@@\"", text))
}

async fn dates_are_json_numbers() {
    let world = World::start(Setup::default()).await;
    let now = world.now();
    for parameter in JwtParameter::ALL {
        for claim in ["exp", "nbf", "iat"] {
            for odd in [
                &format!("\"{now}\""),
                "true",
                "1e400",
                "-1e400",
                "NaN",
                "Infinity",
                "-1",
                "-0.5",
                "253402300800",
                "1e15",
                "18446744073709551616",
                "[1]",
                "{}",
                "\"\"",
                "0x10",
                "01",
            ] {
                let token = with_raw(&parameter.good(&world).await, claim, odd);
                parameter.refuses(&world, &format!("{claim} {odd}"), &token, "claim|malformed").await;
            }
        }
        // `null` is absent, which `nbf` may be.
        let token = with_raw(&parameter.good(&world).await, "nbf", "null");
        parameter.takes(&world, "nbf null", &token).await;
        // Fractions are numbers too, and so is a number with an exponent.
        let good = parameter.good(&world).await;
        let token = with_raw(&good, "iat", &format!("{}.75", now - 10));
        parameter.takes(&world, "iat with a fraction", &token).await;
        let token = with_raw(&parameter.good(&world).await, "exp", &format!("{}.5", now + 60));
        parameter.takes(&world, "exp with a fraction", &token).await;
        let token = with_raw(&parameter.good(&world).await, "nbf", &format!("{}e0", now - 10));
        parameter.takes(&world, "nbf with an exponent", &token).await;
    }
}

async fn a_token_ends_at_exp_and_leeway() {
    let world = World::start(Setup::default()).await;
    for parameter in JwtParameter::FOREIGN {
        let good = parameter.good(&world).await.claim("iat", world.now() - 100);
        for (what, ago) in [("at exp and leeway", 60), ("behind", 61), ("an hour behind", 3600)] {
            let token = good.clone().claim("iat", world.now() - 100 - ago).claim("exp", world.now() - ago);
            parameter.refuses(&world, what, &token.sign(), "expired|too_old").await;
        }
        let token = good.clone().claim("exp", world.now() - 60);
        parameter.refuses(&world, "at exp and leeway", &token.sign(), "expired").await;
        let token = good.claim("exp", world.now() - 59);
        parameter.takes(&world, "a second before", &token.sign()).await;
    }

    // Deputy's own: at `exp`, to the second.
    let world = World::start(Setup::default()).await;
    let token = world.files_token().await;
    world.advance(294);
    world.onward_tx(&token).send().await.granted();
    world.advance(6);
    let request = world.onward_tx(&token);
    crate::expect::refuses(&world, "at exp", request, crate::expect::SUBJECT, "expired").await;
}

async fn a_token_does_not_begin_before_nbf_and_leeway() {
    let world = World::start(Setup::default()).await;
    for parameter in JwtParameter::FOREIGN {
        for (what, ahead) in [("now", 0), ("10 s early", 10), ("60 s early", 60)] {
            let token = parameter.good(&world).await.claim("nbf", world.now() + ahead);
            parameter.takes(&world, what, &token.sign()).await;
        }
        for (what, ahead) in [("61 s early", 61), ("5 minutes early", 300)] {
            let token = parameter.good(&world).await.claim("nbf", world.now() + ahead);
            parameter.refuses(&world, what, &token.sign(), "not_yet_valid").await;
        }
    }
}

/// The greatest ages: an ID token may begin a task for 600 s, an assertion is good for 300 s, a
/// workload's credential lives an hour at most.
async fn iat_is_neither_ahead_nor_too_old() {
    let world = World::start(Setup::default()).await;
    let now = world.now();
    for parameter in JwtParameter::FOREIGN {
        for (what, ahead) in [("10 s ahead", 10), ("60 s ahead", 60)] {
            let token = parameter.good(&world).await.claim("iat", now + ahead).claim("exp", now + 200);
            parameter.takes(&world, what, &token.sign()).await;
        }
        for (what, ahead) in [("61 s ahead", 61), ("an hour ahead", 3600)] {
            let token = parameter.good(&world).await.claim("iat", now + ahead).claim("exp", now + ahead + 60);
            parameter.refuses(&world, what, &token.sign(), "issued_ahead|too_old").await;
        }
        let token = parameter.good(&world).await.claim("iat", now + 61);
        parameter.refuses(&world, "61 s ahead, exp as ever", &token.sign(), "issued_ahead").await;
    }
    for (parameter, limit) in [(JwtParameter::IdToken, 600), (JwtParameter::Assertion, 300)] {
        let at = |age: i64| json!(now - age);
        let token = parameter.good(&world).await.claim("iat", at(limit));
        parameter.takes(&world, "at the greatest age", &token.sign()).await;
        let token = parameter.good(&world).await.claim("iat", at(limit + 1));
        parameter.refuses(&world, "a second older", &token.sign(), "too_old").await;
    }
    let lives = async |seconds: i64| {
        let token = JwtParameter::Actor.good(&world).await;
        token.claim("iat", now - 5).claim("exp", now - 5 + seconds).sign()
    };
    JwtParameter::Actor.takes(&world, "an hour", &lives(3600).await).await;
    JwtParameter::Actor.refuses(&world, "longer than an hour", &lives(3601).await, "too_old").await;
}

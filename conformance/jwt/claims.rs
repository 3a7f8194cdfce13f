//! `sub` and `aud` (RFC 7519 §4.1.3, RFC 8725 §3.8, §3.9).

use serde_json::json;

use crate::harness::{Cases, case};
use crate::jwt_parameter::JwtParameter;
use crate::world::{Setup, World};

pub fn cases() -> Cases {
    vec![
        case("8725-3.8-02", sub_is_checked_and_means_nothing_without_iss),
        case("8725-3.9-01", aud_is_required_and_checked),
        case("7519-4.1.3-01", aud_is_a_string_or_an_array_of_strings),
    ]
}

async fn sub_is_checked_and_means_nothing_without_iss() {
    let world = World::start(Setup::default()).await;
    for parameter in JwtParameter::ALL {
        let absent = parameter.good(&world).await.without("sub").sign();
        parameter.refuses(&world, "no sub", &absent, "subject|claim").await;
        for odd in [json!(""), json!(7), json!(null), json!(true), json!(["alice"]), json!({"sub": "alice"})]
        {
            let what = format!("sub {odd}");
            let token = parameter.good(&world).await.claim("sub", odd).sign();
            parameter.refuses(&world, &what, &token, "subject|claim").await;
        }
    }

    // Two people whose providers gave them one name.
    let world = World::start(Setup::default().with_other_provider()).await;
    let here = world.tx().send().await.claims();
    let other = &world.other_provider;
    let token = world.id_token().claim("iss", other.issuer.as_str());
    let token = token.header("kid", other.key.kid.as_str()).signed_by(&other.key).sign();
    let there = world.tx().set("subject_token", &token).send().await.claims();
    assert_ne!(here["sub"], there["sub"]);
    let again = world.tx().send().await.claims();
    assert_eq!(here["sub"], again["sub"]);
}

/// For a token of Deputy's own the audience is the record's: 9068-4-03 and 8693-F-06.
async fn aud_is_required_and_checked() {
    let world = World::start(Setup::default()).await;
    for parameter in JwtParameter::FOREIGN {
        let absent = parameter.good(&world).await.without("aud").sign();
        parameter.refuses(&world, "no aud", &absent, "audience|claim").await;
        let right = parameter.good(&world).await.claims["aud"].clone();
        for odd in [
            json!([]),
            json!([right, 1]),
            json!([1]),
            json!([null]),
            json!([[right]]),
            json!({"aud": right}),
            json!(null),
            json!(true),
            json!(""),
            json!([""]),
            json!("elsewhere"),
            json!(["elsewhere"]),
            json!(["elsewhere", "elsewhere-too"]),
            json!(format!("{} ", right.as_str().unwrap())),
        ] {
            let what = format!("aud {odd}");
            let token = parameter.good(&world).await.claim("aud", odd).sign();
            parameter.refuses(&world, &what, &token, "audience|claim|authorized_party|relying_party").await;
        }
    }
}

async fn aud_is_a_string_or_an_array_of_strings() {
    let world = World::start(Setup::default()).await;
    for parameter in JwtParameter::FOREIGN {
        let right = parameter.good(&world).await.claims["aud"].as_str().unwrap().to_owned();
        for form in [json!(right), json!([right])] {
            let what = format!("aud {form}");
            let token = parameter.good(&world).await.claim("aud", form).sign();
            parameter.takes(&world, &what, &token).await;
        }
        for other in [right.to_uppercase(), format!("{right}/"), right.replace('p', "P")] {
            for form in [json!(other), json!([other])] {
                let what = format!("aud {form}");
                let token = parameter.good(&world).await.claim("aud", form).sign();
                parameter.refuses(&world, &what, &token, "audience|relying_party").await;
            }
        }
    }
}

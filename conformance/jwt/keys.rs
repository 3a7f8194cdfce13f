//! Whose key verifies, and what a header may say about it: nothing but `kid` (RFC 8725 §3.8, §3.10).

use serde_json::json;

use crate::harness::{Cases, case};
use crate::jwt_parameter::JwtParameter;
use crate::world::{Key, Provider, Setup, World};

pub fn cases() -> Cases {
    vec![
        case("8725-3.8-01", a_key_does_for_its_issuer_only),
        case("8725-3.10-01", kid_is_only_ever_compared),
        case("8725-3.10-02", keys_named_in_the_header_are_not_looked_at),
        case("7515-4.1.4-01", an_unknown_kid_causes_one_fetch_a_minute),
        case("7515-4.1.4-01", a_new_key_under_an_old_kid_is_found_as_rarely),
        case("7515-4.1.4-01", without_kid_the_only_key_of_its_algorithm_does),
    ]
}

async fn a_key_does_for_its_issuer_only() {
    let world = World::start(Setup::default().with_other_provider()).await;
    // Both providers publish their key under one `kid`.
    let other_key = world.other_provider.key.named(&world.provider.key.kid);
    world.other_provider.publish(other_key.jwks());
    let at_other = || {
        let issuer = world.other_provider.issuer.as_str();
        world.id_token().claim("iss", issuer).signed_by(&other_key)
    };
    JwtParameter::IdToken.takes(&world, "the first", &world.id_token().sign()).await;
    JwtParameter::IdToken.takes(&world, "the second", &at_other().sign()).await;
    let crossed = world.id_token().signed_by(&other_key).sign();
    JwtParameter::IdToken.refuses(&world, "the first by the second's key", &crossed, "signature").await;
    let crossed = at_other().signed_by(&world.provider.key).sign();
    JwtParameter::IdToken.refuses(&world, "the second by the first's key", &crossed, "signature").await;

    // The `kid` stays the right one; the key is another party's.
    let parties = [
        ("the provider's", world.provider.key.clone()),
        ("the workload issuer's", world.workload_key.clone()),
        ("the client's", world.key_of("assistant").clone()),
        ("another client's", world.key_of("stranger").clone()),
        ("Deputy's", world.deputy_key().await),
    ];
    for parameter in JwtParameter::ALL {
        for (whose, key) in &parties {
            let good = parameter.good(&world).await;
            if key.point() != good.key.point() {
                let token = good.clone().signed_by(key).sign();
                parameter.refuses(&world, &format!("by {whose} key"), &token, "signature").await;
                let token = good.signed_by(key).header("kid", key.kid.as_str()).sign();
                parameter.refuses(&world, &format!("by {whose} key and kid"), &token, "key_unknown").await;
            }
        }
    }
}

async fn kid_is_only_ever_compared() {
    let world = World::start(Setup::default()).await;
    let trap = Provider::start(3).await;
    // A key set of the attacker's lies where a path in `kid` would find it.
    let attacker = Key::new("attacker");
    let planted = world.directory.path().join("planted.json");
    std::fs::write(&planted, attacker.jwks().to_string()).unwrap();
    world.tx().send().await.granted();
    let fetches = world.provider.jwks_fetches();

    for parameter in JwtParameter::ALL {
        for kid in [
            json!("../../etc/passwd"),
            json!("/dev/null"),
            json!(planted.to_str().unwrap()),
            json!("../planted.json"),
            json!("' OR 1=1 --"),
            json!("\u{0}"),
            json!("$(id)"),
            json!(format!("{}/jwks", trap.issuer)),
            json!(""),
            json!("k".repeat(128)),
            json!("k".repeat(129)),
            json!("k".repeat(10_000)),
            json!(7),
            json!(null),
            json!(["attacker"]),
            json!({"kid": "attacker"}),
        ] {
            let what: String = format!("kid {kid}").chars().take(40).collect();
            let token = parameter.good(&world).await.header("kid", kid).signed_by(&attacker).sign();
            parameter.refuses(&world, &what, &token, "key_unknown|malformed").await;
        }
    }
    assert_eq!(trap.jwks_fetches() + trap.discovery_fetches(), 0);
    assert!(world.provider.jwks_fetches() <= fetches + 1, "one refresh a minute at most");
}

async fn keys_named_in_the_header_are_not_looked_at() {
    let world = World::start(Setup::default()).await;
    let trap = Provider::start(3).await;
    let attacker = &trap.key;
    let url = format!("{}/jwks", trap.issuer);
    for parameter in JwtParameter::ALL {
        for (name, value) in [
            ("jku", json!(url)),
            ("x5u", json!(url)),
            ("jwk", attacker.jwk()),
            ("x5c", json!(["MIIB"])),
            ("x5t", json!("AAAA")),
        ] {
            // The attacker's signature with the attacker's key beside it, under either `kid`.
            let good = parameter.good(&world).await;
            let forged = good.clone().header(name, value.clone()).signed_by(attacker);
            parameter.refuses(&world, name, &forged.sign(), "signature").await;
            let forged = forged.header("kid", attacker.kid.as_str());
            parameter.refuses(&world, &format!("{name}, other kid"), &forged.sign(), "key_unknown").await;
            // A good signature is judged by the configured key alone.
            parameter.takes(&world, name, &good.header(name, value).sign()).await;
        }
    }
    assert_eq!(trap.jwks_fetches() + trap.discovery_fetches(), 0);
}

async fn an_unknown_kid_causes_one_fetch_a_minute() {
    let world = World::start(Setup::default()).await;
    world.tx().send().await.granted();
    assert_eq!((world.provider.discovery_fetches(), world.provider.jwks_fetches()), (1, 1));
    world.advance(61);
    for number in 0..100 {
        let token = world.id_token().header("kid", format!("random-{number}")).sign();
        JwtParameter::IdToken.refuses(&world, "a random kid", &token, "key_unknown").await;
    }
    assert!(world.provider.jwks_fetches() <= 2, "{} fetches", world.provider.jwks_fetches());
    let told = format!("unknown key `random-0` of {}; asking again in 60 s", world.provider.issuer);
    assert!(crate::logs::hold(&told), "the operator is told");
    assert!(world.provider.discovery_fetches() <= 2, "{} fetches", world.provider.discovery_fetches());

    // A new key is found all the same, when the minute is over.
    let next = Key::new("next");
    world.provider.publish(json!({"keys": [world.provider.key.jwk(), next.jwk()]}));
    let token = || world.id_token().header("kid", "next").signed_by(&next).sign();
    let fetches = world.provider.jwks_fetches();
    JwtParameter::IdToken.refuses(&world, "within the minute", &token(), "key_unknown").await;
    assert_eq!(world.provider.jwks_fetches(), fetches);
    world.advance(61);
    JwtParameter::IdToken.takes(&world, "after the minute", &token()).await;
    assert_eq!(world.provider.jwks_fetches(), fetches + 1);

    // An issuer that is not configured causes no request at all.
    let stranger = world.id_token().claim("iss", world.other_provider.issuer.as_str()).sign();
    JwtParameter::IdToken.refuses(&world, "an unknown issuer", &stranger, "issuer_untrusted").await;
    assert_eq!(world.other_provider.discovery_fetches() + world.other_provider.jwks_fetches(), 0);
}

/// A provider that was set up anew may use the old name for its new key.
async fn a_new_key_under_an_old_kid_is_found_as_rarely() {
    let world = World::start(Setup::default()).await;
    world.tx().send().await.granted();
    let new = Key::new(&world.provider.key.kid);
    let by_new = || world.id_token().signed_by(&new).sign();
    world.provider.publish(new.jwks());

    JwtParameter::IdToken.refuses(&world, "asked less than five seconds ago", &by_new(), "signature").await;
    assert_eq!(world.provider.jwks_fetches(), 1);
    world.advance(61);
    JwtParameter::IdToken.takes(&world, "after the pause", &by_new()).await;
    assert_eq!(world.provider.jwks_fetches(), 2);

    // Forgeries under the name of a known key cause no more than that, and keep the good key in use.
    let forger = Key::new(&new.kid);
    world.advance(61);
    for _ in 0..20 {
        let forged = world.id_token().signed_by(&forger).sign();
        JwtParameter::IdToken.refuses(&world, "a forgery", &forged, "signature").await;
    }
    assert_eq!(world.provider.jwks_fetches(), 3);
    JwtParameter::IdToken.takes(&world, "after the forgeries", &by_new()).await;
}

/// A token of Deputy's own always names its key.
async fn without_kid_the_only_key_of_its_algorithm_does() {
    let mut world = World::start(Setup::default()).await;
    for parameter in JwtParameter::FOREIGN {
        let token = parameter.good(&world).await.without_header("kid").sign();
        parameter.takes(&world, "no kid, one key", &token).await;
    }
    let own = JwtParameter::Own.good(&world).await.without_header("kid").sign();
    JwtParameter::Own.refuses(&world, "no kid", &own, "key_unknown").await;

    let second_key = Key::new("second");
    let second = second_key.jwk();
    world.provider.publish(json!({"keys": [world.provider.key.jwk(), second]}));
    for (file, key) in
        [("workloads.json", &world.workload_key), ("clients/assistant.json", world.key_of("assistant"))]
    {
        let set = json!({"keys": [key.jwk(), second]});
        std::fs::write(world.directory.path().join(file), set.to_string()).unwrap();
    }
    // The provider's keys are asked for again, the files are read again.
    world.advance(301);
    world.reload(|toml| toml).await;
    // A request whose key is not known waits until the provider was asked.
    let by_second = world.id_token().header("kid", "second").signed_by(&second_key).sign();
    JwtParameter::IdToken.takes(&world, "the second key", &by_second).await;
    for parameter in JwtParameter::FOREIGN {
        let good = parameter.good(&world).await;
        let token = good.clone().without_header("kid").sign();
        parameter.takes(&world, "with kid, two keys", &good.sign()).await;
        parameter.refuses(&world, "no kid, two keys", &token, "key_unknown").await;
    }
}

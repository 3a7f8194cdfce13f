mod claims;
mod configured;

use std::collections::BTreeSet;
use std::sync::Arc;

use serde_json::{Value, json};

use crate::base::time::{Lifetime, Timestamp};
use crate::jose::{Algorithm, SigningKey, UnverifiedToken};
use crate::oauth::{ClientId, DeclaredType, Issuer, TokenFault};
use crate::registry::*;
use crate::verification::fixtures::*;
use crate::verification::{MayAct, NotALogin, NotVerified, VerifiedLogin};

async fn verify_at(world: &World, token: &str, now: Timestamp) -> Result<VerifiedLogin, TokenFault> {
    let scanned = UnverifiedToken::scan(token);
    let presented = (&scanned, DeclaredType::IdToken);
    match world.verifier.login(&world.config, presented, &world.client_id(), now).await {
        Ok(verified) => Ok(verified),
        Err(NotALogin::NotVerified(NotVerified::Fault(fault))) => Err(fault),
        Err(other) => panic!("{other:?}"),
    }
}

async fn verify(world: &World, claims: &Value) -> Result<VerifiedLogin, TokenFault> {
    verify_at(world, &sign(&world.provider_key, "JWT", claims), NOW).await
}

async fn fault(world: &World, changes: Value) -> TokenFault {
    match verify(world, &but(id_claims(), changes.clone())).await {
        Ok(_) => panic!("accepted {changes}"),
        Err(fault) => fault,
    }
}

fn change_provider(world: &mut World, change: impl FnOnce(&mut IdentityProvider)) {
    let mut provider = IdentityProvider::clone(&world.config.registry.identity_providers[PROVIDER]);
    change(&mut provider);
    add_provider(&mut world.config, provider);
}

/// A relying party that lists nothing else.
fn relying_party(client: &str) -> RelyingParty {
    RelyingParty {
        clients: [ClientId::new(client)].into(),
        authorized_parties: BTreeSet::new(),
        other_audiences: OtherAudiences::Listed(BTreeSet::new()),
    }
}

#[tokio::test]
async fn a_good_id_token_gives_its_facts() {
    let world = World::new();
    let token = sign(&world.provider_key, "JWT", &id_claims());
    let verified = verify_at(&world, &token, NOW).await.unwrap();
    assert_eq!(verified.subject(), "248289761001");
    assert_eq!(verified.relying_party, "booking-app");
    assert_eq!(verified.auth_time, Some(NOW.seconds() - 30));
    assert_eq!(verified.acr.as_deref(), Some("2"));
    assert_eq!(verified.amr, ["pwd", "mfa"]);
    assert_eq!(verified.levels.iter().collect::<Vec<_>>(), ["mfa"]);
    assert!(verified.session.is_some());
    assert_eq!(verified.may_act(), None);
    assert_eq!(verified.provider().issuer.as_str(), PROVIDER);
    assert_eq!(Value::Object(verified.policy_claims.clone()), json!({"groups": ["travel"]}));
    assert_eq!(verified.predicate_claims().get("birthdate"), Some(&json!("1990-06-05")));
    assert_eq!(verified.predicate_claims().get("email"), None);
    assert!(!format!("{verified:?}").contains("1990-06-05"));
    let signed = token.rsplit_once('.').unwrap().0;
    let hash = aws_lc_rs::digest::digest(&aws_lc_rs::digest::SHA256, signed.as_bytes());
    assert_eq!(verified.id_token_hash, hash.as_ref());
}

#[tokio::test]
async fn every_allowed_algorithm_is_taken() {
    for algorithm in
        [Algorithm::ES256, Algorithm::ES384, Algorithm::EdDSA, Algorithm::PS256, Algorithm::RS256]
    {
        let world = World::with_algorithm(algorithm);
        assert!(verify(&world, &id_claims()).await.is_ok(), "{algorithm:?}");
    }
}

#[tokio::test]
async fn an_algorithm_that_is_not_configured_for_the_provider_is_refused() {
    let mut world = World::new();
    change_provider(&mut world, |provider| provider.algorithms = [Algorithm::RS256].into());
    assert_eq!(fault(&world, json!({})).await, TokenFault::Algorithm);
}

#[tokio::test]
async fn an_issuer_is_compared_byte_for_byte() {
    let world = World::new();
    for issuer in [
        "https://op.example/",
        "https://OP.example",
        "http://op.example",
        "https://op.example:443",
        "https://op.example/tenant",
        "https://op.example.evil",
        "https://op.example@evil",
        "https://op.example.",
        "",
    ] {
        assert_eq!(fault(&world, json!({"iss": issuer})).await, TokenFault::IssuerUntrusted, "{issuer}");
    }
    assert_eq!(fault(&world, json!({"iss": null})).await, TokenFault::IssuerUntrusted);
    assert_eq!(fault(&world, json!({"iss": [PROVIDER]})).await, TokenFault::IssuerUntrusted);
}

#[tokio::test]
async fn a_token_signed_by_another_trusted_issuer_is_refused() {
    let world = World::new();
    let header = json!({"alg": "ES256", "kid": world.provider_key.kid()});
    let token = sign_with_header(&world.workload_key, &header, &id_claims());
    assert_eq!(verify_at(&world, &token, NOW).await.unwrap_err(), TokenFault::Signature);
}

#[tokio::test]
async fn a_key_the_provider_does_not_publish_is_refused() {
    let world = World::new();
    let stranger = SigningKey::generate(Algorithm::ES256).unwrap();
    let token = sign(&stranger, "JWT", &id_claims());
    assert_eq!(verify_at(&world, &token, NOW).await.unwrap_err(), TokenFault::KeyUnknown);
    let embedded = json!({"alg": "ES256", "jwk": stranger.jwk(), "kid": stranger.kid()});
    let token = sign_with_header(&stranger, &embedded, &id_claims());
    assert_eq!(verify_at(&world, &token, NOW).await.unwrap_err(), TokenFault::KeyUnknown);
}

#[tokio::test]
async fn one_changed_bit_of_a_signature_is_refused() {
    let world = World::new();
    let token = sign(&world.provider_key, "JWT", &id_claims());
    let at = token.rfind('.').unwrap() + 5;
    let other = if token.as_bytes()[at] == b'A' { "B" } else { "A" };
    let broken = format!("{}{}{}", &token[..at], other, &token[at + 1..]);
    assert_eq!(verify_at(&world, &broken, NOW).await.unwrap_err(), TokenFault::Signature);
}

#[tokio::test]
async fn a_claim_changed_after_signing_is_refused_whether_or_not_it_is_judged() {
    let world = World::new();
    let token = sign(&world.provider_key, "JWT", &id_claims());
    for change in [json!({"birthdate": "2001-01-01"}), json!({"sub": "someone-else"}), json!({"amr": []})] {
        let forged = sign(&world.client_key, "JWT", &but(id_claims(), change.clone()));
        let mut parts: Vec<&str> = token.split('.').collect();
        parts[1] = forged.split('.').nth(1).unwrap();
        let spliced = parts.join(".");
        assert_eq!(verify_at(&world, &spliced, NOW).await.unwrap_err(), TokenFault::Signature, "{change}");
    }
}

#[tokio::test]
async fn the_audience_is_a_relying_party_and_nobody_unknown() {
    let mut world = World::new();
    change_provider(&mut world, |provider| {
        provider.relying_parties.insert("mobile-app".to_owned(), relying_party("assistant"));
    });
    for (changes, expected) in [
        (json!({"aud": "another-app"}), TokenFault::Audience),
        (json!({"aud": ["another-app"]}), TokenFault::Audience),
        (json!({"aud": []}), TokenFault::Audience),
        (json!({"aud": null}), TokenFault::Audience),
        (json!({"aud": 1}), TokenFault::Audience),
        (json!({"aud": ["booking-app", 1]}), TokenFault::Claim),
        (json!({"aud": "Web-App"}), TokenFault::Audience),
        (json!({"aud": ["booking-app", "stranger"], "azp": "booking-app"}), TokenFault::Audience),
        (json!({"aud": ["booking-app", "stranger"]}), TokenFault::AuthorizedParty),
        (json!({"aud": ["booking-app", "mobile-app"]}), TokenFault::AuthorizedParty),
        (json!({"aud": ["booking-app", "mobile-app"], "azp": "stranger"}), TokenFault::AuthorizedParty),
        (json!({"aud": "booking-app", "azp": "mobile-app"}), TokenFault::AuthorizedParty),
        (json!({"azp": "stranger"}), TokenFault::AuthorizedParty),
        (json!({"azp": 1}), TokenFault::Claim),
    ] {
        assert_eq!(fault(&world, changes.clone()).await, expected, "{changes}");
    }
    for changes in [
        json!({"aud": ["booking-app"]}),
        json!({"azp": "booking-app"}),
        json!({"aud": ["mobile-app", "booking-app"], "azp": "booking-app"}),
    ] {
        assert!(verify(&world, &but(id_claims(), changes.clone())).await.is_ok(), "{changes}");
    }
}

#[tokio::test]
async fn an_id_token_issued_to_an_application_of_another_client_is_refused() {
    let mut world = World::new();
    change_provider(&mut world, |provider| {
        provider.relying_parties.get_mut("booking-app").unwrap().clients = [ClientId::new("other")].into();
    });
    assert_eq!(fault(&world, json!({})).await, TokenFault::RelyingParty);
}

#[tokio::test]
async fn times_are_judged_with_sixty_seconds_of_leeway() {
    let world = World::new();
    let now = NOW.seconds();
    for (changes, expected) in [
        (json!({"exp": now - 59}), None),
        (json!({"exp": now - 60}), Some(TokenFault::Expired)),
        (json!({"exp": null}), Some(TokenFault::Claim)),
        (json!({"exp": "1795328000"}), Some(TokenFault::Claim)),
        (json!({"exp": -1}), Some(TokenFault::Claim)),
        (json!({"exp": 1e308}), Some(TokenFault::Claim)),
        (json!({"exp": now as f64 + 0.5}), None),
        (json!({"nbf": now + 60}), None),
        (json!({"nbf": now + 61}), Some(TokenFault::NotYetValid)),
        (json!({"nbf": "soon"}), Some(TokenFault::Claim)),
        (json!({"iat": null}), Some(TokenFault::Claim)),
        (json!({"iat": now + 60}), None),
        (json!({"iat": now + 61}), Some(TokenFault::IssuedAhead)),
        // How old it may be depends on what it is used for, which the decision knows.
        (json!({"iat": now - 601}), None),
        (json!({"auth_time": "now"}), Some(TokenFault::Claim)),
        (json!({"auth_time": now + 60}), None),
        (json!({"auth_time": now + 61}), Some(TokenFault::IssuedAhead)),
        (json!({"auth_time": now - 28_799}), None),
        (json!({"auth_time": now - 28_800}), Some(TokenFault::SessionTooOld)),
    ] {
        let verified = verify(&world, &but(id_claims(), changes.clone())).await;
        assert_eq!(verified.err(), expected, "{changes}");
    }
}

#[tokio::test]
async fn an_id_token_begins_something_up_to_the_greatest_age_that_its_provider_has() {
    let mut world = World::new();
    change_provider(&mut world, |provider| provider.max_id_token_age = Lifetime::from_seconds(100));
    let verified = verify(&world, &but(id_claims(), json!({"iat": NOW.seconds() - 250}))).await.unwrap();
    assert_eq!(verified.begins_until(), Some(Timestamp::from_seconds(NOW.seconds() - 150)));
}

#[tokio::test]
async fn a_subject_is_short_ascii_and_not_in_a_form_of_ours() {
    let world = World::new();
    for sub in [
        json!(null),
        json!(""),
        json!(1),
        json!(["a"]),
        json!("a".repeat(256)),
        json!("ä"),
        json!("a\nb"),
        json!("pw_x"),
        json!("agent_x"),
    ] {
        let fault = fault(&world, json!({"sub": sub})).await;
        // Without a `sub` that is a string it is no ID token at all.
        assert!(matches!(fault, TokenFault::Subject | TokenFault::Claim), "{sub}: {fault:?}");
    }
    for sub in ["a".repeat(255), "PW_x".to_owned(), "a b".to_owned()] {
        assert!(verify(&world, &but(id_claims(), json!({"sub": sub}))).await.is_ok(), "{sub}");
    }
}

#[tokio::test]
async fn a_configured_claim_names_the_user() {
    let mut world = World::new();
    change_provider(&mut world, |provider| provider.subject_claim = "oid".to_owned());
    assert_eq!(fault(&world, json!({})).await, TokenFault::Subject);
    assert_eq!(fault(&world, json!({"oid": "pw_1"})).await, TokenFault::Subject);
    let verified = verify(&world, &but(id_claims(), json!({"oid": "0-1-2"}))).await.unwrap();
    assert_eq!(verified.subject(), "0-1-2");
}

#[tokio::test]
async fn tokens_of_other_kinds_are_refused() {
    let world = World::new();
    for changes in [
        json!({"events": {"http://schemas.openid.net/event/backchannel-logout": {}}}),
        json!({"htm": "POST"}),
        json!({"htu": "https://deputy.example/token"}),
        json!({"token_introspection": {}}),
        json!({"scope": "openid"}),
        json!({"client_id": "booking-app"}),
    ] {
        assert_eq!(fault(&world, changes.clone()).await, TokenFault::Kind, "{changes}");
    }
    for typ in ["at+jwt", "application/at+jwt", "logout+jwt", "dpop+jwt", "task+jwt", "", "x"] {
        let token = sign(&world.provider_key, typ, &id_claims());
        assert_eq!(verify_at(&world, &token, NOW).await.unwrap_err(), TokenFault::Kind, "{typ}");
    }
    let kid = world.provider_key.kid();
    for header in [
        json!({"alg": "ES256", "kid": kid}),
        json!({"alg": "ES256", "kid": kid, "typ": "jwt"}),
        json!({"alg": "ES256", "kid": kid, "typ": "application/JWT"}),
    ] {
        let token = sign_with_header(&world.provider_key, &header, &id_claims());
        assert!(verify_at(&world, &token, NOW).await.is_ok(), "{header}");
    }
}

#[tokio::test]
async fn sessions_of_two_providers_are_not_mixed_up() {
    let mut world = World::new();
    let mut second = IdentityProvider::clone(&world.config.registry.identity_providers[PROVIDER]);
    second.issuer = Issuer::new("https://second.example");
    second.keys = pin(world.files.path(), "second.json", &[&world.provider_key]);
    world.config.registry.identity_providers.insert(second.issuer.clone(), Arc::new(second));
    let first = verify(&world, &id_claims()).await.unwrap();
    let other = but(id_claims(), json!({"iss": "https://second.example"}));
    let second = verify(&world, &other).await.unwrap();
    assert_ne!(first.session, second.session);
    let without = but(id_claims(), json!({"sid": null}));
    assert_eq!(verify(&world, &without).await.unwrap().session, None);
}

#[tokio::test]
async fn the_clock_of_the_request_counts_and_no_other() {
    let world = World::new();
    let token = sign(&world.provider_key, "JWT", &id_claims());
    let later = NOW.plus(Lifetime::from_seconds(3600));
    assert_eq!(verify_at(&world, &token, later).await.unwrap_err(), TokenFault::Expired);
}

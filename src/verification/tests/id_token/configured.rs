//! What a provider or a relying party can be configured to accept.

use super::*;

#[tokio::test]
async fn a_relying_party_may_list_who_obtains_tokens_for_it_and_who_else_is_in_aud() {
    let mut world = World::new();
    change_provider(&mut world, |provider| {
        let web = RelyingParty {
            authorized_parties: ["android".to_owned()].into(),
            other_audiences: OtherAudiences::Listed(["235982".to_owned()].into()),
            ..relying_party("assistant")
        };
        let sibling = RelyingParty { other_audiences: OtherAudiences::Any, ..relying_party("other") };
        provider.relying_parties = [("web".to_owned(), web), ("sibling".to_owned(), sibling)].into();
    });
    for (changes, outcome) in [
        (json!({"aud": "web", "azp": "android"}), Ok("web")),
        (json!({"aud": ["web", "235982"], "azp": "android"}), Ok("web")),
        (json!({"aud": ["web", "android"], "azp": "android"}), Err(TokenFault::Audience)),
        (json!({"aud": ["web", "235982", "sibling"], "azp": "web"}), Ok("web")),
        (json!({"aud": ["web", "235982", "unknown"], "azp": "web"}), Err(TokenFault::Audience)),
        // Its own identifier has to be there all the same.
        (json!({"aud": "235982", "azp": "web"}), Err(TokenFault::Audience)),
        (json!({"aud": ["235982"], "azp": "android"}), Err(TokenFault::Audience)),
        (json!({"aud": "web", "azp": "ios"}), Err(TokenFault::AuthorizedParty)),
        (json!({"aud": ["web", "sibling"], "azp": "ios"}), Err(TokenFault::AuthorizedParty)),
        // Without `azp` nobody knows for which of them it was issued.
        (json!({"aud": ["web", "235982"]}), Err(TokenFault::AuthorizedParty)),
        // The party for which it was issued decides who may present it, and what else may be in it.
        (json!({"aud": ["web", "235982", "sibling"], "azp": "sibling"}), Err(TokenFault::RelyingParty)),
    ] {
        let verified = verify(&world, &but(id_claims(), changes.clone())).await;
        let found = verified.as_ref().map(|login| login.relying_party.as_str()).map_err(|fault| *fault);
        assert_eq!(found, outcome, "{changes}");
    }
    change_provider(&mut world, |provider| {
        provider.relying_parties.get_mut("sibling").unwrap().authorized_parties =
            ["android".to_owned()].into();
    });
    let both = but(id_claims(), json!({"aud": ["web", "sibling"], "azp": "android"}));
    assert_eq!(verify(&world, &both).await.unwrap_err(), TokenFault::AuthorizedParty, "either may be meant");
}

#[tokio::test]
async fn without_auth_time_the_session_counts_from_iat_where_it_is_optional() {
    let mut world = World::new();
    let now = NOW.seconds();
    let present = async |world: &World, changes: Value| {
        let token = sign(&world.provider_key, "JWT", &but(id_claims(), changes));
        let scanned = UnverifiedToken::scan(&token);
        let presented = (&scanned, DeclaredType::IdToken);
        world.verifier.login(&world.config, presented, &world.client_id(), NOW).await
    };
    let missing = present(&world, json!({"auth_time": null})).await;
    assert!(matches!(missing, Err(NotALogin::AuthTimeMissing { max_age: 28_800 })), "{missing:?}");
    // It is told only to a client that could use the token, and only of a token that is good otherwise.
    for changes in [
        json!({"auth_time": null, "may_act": {}}),
        json!({"auth_time": null, "aud": "another-app"}),
        json!({"auth_time": null, "iat": now - 28_800}),
        json!({"auth_time": null, "sid": 1}),
    ] {
        let fault = present(&world, changes.clone()).await;
        assert!(matches!(fault, Err(NotALogin::NotVerified(_))), "{changes}: {fault:?}");
    }

    change_provider(&mut world, |provider| provider.auth_time = AuthTime::Optional);
    let undated = present(&world, json!({"auth_time": null})).await.unwrap();
    assert_eq!((undated.auth_time, undated.since()), (None, now - 5));
    assert_eq!(undated.session_ends_at().seconds(), now - 5 + 28_800);
    assert_eq!(
        fault(&world, json!({"auth_time": null, "iat": now - 28_800})).await,
        TokenFault::SessionTooOld
    );
    let dated = present(&world, json!({})).await.unwrap();
    assert_eq!(dated.since(), now - 30);
}

#[tokio::test]
async fn a_required_nonce_is_a_text_and_its_lack_no_fault_of_the_token() {
    let mut world = World::new();
    let lacks = async |world: &World, nonce: Value| {
        verify(world, &but(id_claims(), json!({"nonce": nonce}))).await.unwrap().lacks_nonce()
    };
    assert!(!lacks(&world, json!(null)).await);
    change_provider(&mut world, |provider| provider.requires_nonce = true);
    for (nonce, lacking) in [(json!("n"), false), (json!(""), true), (json!(5), true), (json!(null), true)] {
        assert_eq!(lacks(&world, nonce.clone()).await, lacking, "{nonce}");
    }
}

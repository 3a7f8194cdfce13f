//! Access tokens of a provider: which entry they match, and what is taken from them.

use std::collections::BTreeSet;

use serde_json::{Value, json};

use crate::base::time::{Lifetime, Timestamp};
use crate::jose::UnverifiedToken;
use crate::oauth::{ClientId, DeclaredType, TokenFault};
use crate::registry::*;
use crate::verification::fixtures::*;
use crate::verification::{LoginToken, NotALogin, NotVerified, VerifiedLogin};

const GATEWAY: &str = "https://gateway.example";

fn entry(change: impl FnOnce(&mut AccessTokenSource)) -> AccessTokenSource {
    let mut entry = AccessTokenSource {
        audience: GATEWAY.to_owned(),
        clients: BTreeSet::from([ClientId::new("assistant")]),
        is_client: true,
        authorized_parties: BTreeSet::from(["travel-app".to_owned()]),
        types: AccessTokenType::ALL.into(),
        asserted_levels: BTreeSet::new(),
        when: None,
        auth_time: AuthTime::Optional,
        is_scope_ceiling: false,
    };
    change(&mut entry);
    entry
}

fn with(entries: Vec<AccessTokenSource>) -> World {
    let mut world = World::new();
    let mut provider = IdentityProvider::clone(&world.config.registry.identity_providers[PROVIDER]);
    provider.access_tokens = entries;
    add_provider(&mut world.config, provider);
    world
}

fn when(claim: &str, value: Value) -> Option<When> {
    Some(When { all: vec![ClaimCheck { claim: claim.to_owned(), test: ClaimMatch::Equals(value) }] })
}

/// The claims of a good access token, without `auth_time`, of twenty minutes.
fn access_claims() -> Value {
    let now = NOW.seconds();
    json!({
        "iss": PROVIDER, "sub": "248289761001", "aud": [GATEWAY, "https://other.example"], "exp": now + 600,
        "iat": now - 1200, "azp": "travel-app", "scope": "openid tickets:search", "amr": ["pwd", "mfa"],
        "sid": "session-1", "birthdate": "1990-06-05", "groups": ["travel"],
    })
}

async fn login(world: &World, claims: &Value, now: Timestamp) -> Result<VerifiedLogin, NotALogin> {
    let token = sign(&world.provider_key, "JWT", claims);
    let scanned = UnverifiedToken::scan(&token);
    let presented = (&scanned, DeclaredType::Jwt);
    world.verifier.login(&world.config, presented, &world.client_id(), now).await
}

async fn verify_at(world: &World, claims: &Value, now: Timestamp) -> Result<VerifiedLogin, TokenFault> {
    match login(world, claims, now).await {
        Ok(verified) => Ok(verified),
        Err(NotALogin::NotVerified(NotVerified::Fault(fault))) => Err(fault),
        Err(other) => panic!("{other:?}"),
    }
}

async fn verify(world: &World, changes: Value) -> Result<VerifiedLogin, TokenFault> {
    verify_at(world, &but(access_claims(), changes), NOW).await
}

#[tokio::test]
async fn a_good_access_token_gives_its_facts_and_nothing_that_a_question_is_about() {
    let world = with(vec![entry(|_| {})]);
    let login = verify(&world, json!({})).await.unwrap();
    let exp = Timestamp::from_seconds(NOW.seconds() + 600);
    assert_eq!(login.token, LoginToken::AccessToken { audience: GATEWAY.to_owned(), expires_at: exp });
    assert_eq!((login.auth_time, login.since()), (None, NOW.seconds() - 1200));
    assert_eq!(login.relying_party, "travel-app");
    assert_eq!(login.party(), "https://gateway.example|travel-app");
    assert_eq!(login.levels.iter().collect::<Vec<_>>(), ["mfa"]);
    assert_eq!(Value::Object(login.policy_claims.clone()), json!({"groups": ["travel"]}));
    assert!(login.predicate_claims().get("birthdate").is_none());
    assert_eq!(login.ceiling(), None);
    assert_eq!(login.ends_at(), exp);
    assert!(login.session_ends_at() > exp);
    let id_token = verify_at(&world, &id_claims(), NOW).await.unwrap();
    assert_eq!((&id_token.token, id_token.ends_at()), (&LoginToken::IdToken, id_token.session_ends_at()));
    assert_eq!(login.session, id_token.session, "one session, whichever token it is seen by");
}

#[tokio::test]
async fn the_first_entry_counts_whose_audience_party_and_condition_all_match() {
    let world = with(vec![
        entry(|entry| entry.audience = "https://elsewhere.example".to_owned()),
        entry(|entry| entry.authorized_parties = BTreeSet::from(["other-app".to_owned()])),
        entry(|entry| {
            entry.when = when("tid", json!("tenant-1"));
            entry.auth_time = AuthTime::Required;
        }),
        entry(|entry| entry.is_scope_ceiling = true),
    ]);
    let demanded = login(&world, &but(access_claims(), json!({"tid": "tenant-1"})), NOW).await;
    assert!(matches!(demanded, Err(NotALogin::AuthTimeMissing { max_age: 28_800 })), "{demanded:?}");
    let last = verify(&world, json!({"tid": "tenant-2"})).await.unwrap();
    assert_eq!(last.ceiling().unwrap().to_string(), "openid tickets:search");

    let conditional = with(vec![entry(|entry| entry.when = when("tid", json!("tenant-1")))]);
    assert_eq!(verify(&conditional, json!({})).await.unwrap_err(), TokenFault::Condition);
    assert_eq!(verify(&conditional, json!({"azp": "x"})).await.unwrap_err(), TokenFault::AuthorizedParty);
    assert_eq!(verify(&conditional, json!({"aud": "x"})).await.unwrap_err(), TokenFault::Audience);
    let without_scope = json!({"scope": null, "client_id": "travel-app", "tid": "tenant-1"});
    assert!(verify(&conditional, without_scope.clone()).await.is_ok());
    let unconditional = with(vec![entry(|_| {})]);
    assert_eq!(verify(&unconditional, without_scope).await.unwrap_err(), TokenFault::NotAPerson);
}

#[tokio::test]
async fn the_party_is_named_by_the_first_of_four_claims() {
    let world = with(vec![entry(|_| {})]);
    for named in ["azp", "client_id", "cid", "appid"] {
        let login = verify(&world, json!({"azp": null, named: "travel-app"})).await;
        assert_eq!(login.unwrap().relying_party, "travel-app", "{named}");
    }
    let both = verify(&world, json!({"azp": "other-app", "client_id": "travel-app"})).await;
    assert_eq!(both.unwrap_err(), TokenFault::AuthorizedParty);
}

#[tokio::test]
async fn a_ceiling_is_read_from_texts_and_arrays() {
    let world = with(vec![entry(|entry| entry.is_scope_ceiling = true)]);
    let cases = [
        (json!({"scope": null, "scp": "b a"}), "a b"),
        (json!({"scope": null, "scp": ["b", "a c", 7]}), "b"),
        (json!({"scope": ["x"], "scp": "y"}), "x y"),
    ];
    for (changes, wanted) in cases {
        let login = verify(&world, changes.clone()).await.unwrap();
        assert_eq!(login.ceiling().unwrap().to_string(), wanted, "{changes}");
    }
}

#[tokio::test]
async fn asserted_levels_hold_only_for_a_token_that_says_nothing_of_the_login() {
    let world = with(vec![entry(|entry| {
        entry.when = when("tid", json!("tenant-1"));
        entry.asserted_levels = BTreeSet::from([MFA.to_owned()]);
    })]);
    let levels = async |changes: Value| {
        let login = verify(&world, but(json!({"tid": "tenant-1", "amr": []}), changes)).await.unwrap();
        login.levels.clone()
    };
    assert!(levels(json!({})).await.contains(MFA));
    assert!(levels(json!({"amr": ["pwd"]})).await.is_empty());
    assert!(levels(json!({"acr": "0"})).await.is_empty());
}

#[tokio::test]
async fn a_session_counts_from_iat_where_there_is_no_auth_time() {
    let world = with(vec![entry(|_| {})]);
    let max = world.config.registry.identity_providers[PROVIDER].max_session;
    let long = json!({"exp": NOW.seconds() + 100_000});
    let claims = but(access_claims(), long);
    let end = Timestamp::from_seconds(NOW.seconds() - 1200).plus(max);
    assert!(verify_at(&world, &claims, end.minus(Lifetime::from_seconds(1))).await.is_ok());
    assert_eq!(verify_at(&world, &claims, end).await.unwrap_err(), TokenFault::SessionTooOld);
}

#[tokio::test]
async fn an_id_token_of_a_listed_mark_stays_an_id_token() {
    let mut world = with(Vec::new());
    let zitadel = but(id_claims(), json!({"client_id": "booking-app"}));
    assert_eq!(verify_at(&world, &zitadel, NOW).await.unwrap_err(), TokenFault::IssuerUntrusted);
    let mut provider = IdentityProvider::clone(&world.config.registry.identity_providers[PROVIDER]);
    provider.id_token_claims = BTreeSet::from([AccessTokenMark::ClientId]);
    add_provider(&mut world.config, provider);
    assert_eq!(verify_at(&world, &zitadel, NOW).await.unwrap().token, LoginToken::IdToken);
}

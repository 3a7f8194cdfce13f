use std::net::IpAddr;
use std::sync::Arc;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use url::Url;
use uuid::Uuid;

use super::*;
use crate::app::fixtures::Parts;
use crate::audit::{RevocationEvent, Row};
use crate::base::time::Lifetime;
use crate::jose::{Algorithm, SigningKey};
use crate::oauth::{OneTime, RequestId};
use crate::registry::{Client, ClientAuthentication, KeySource};
use crate::verification::fixtures::{NOW, assertion_claims, sign};

fn caller(credentials: &str) -> Caller {
    let authorization = vec![format!("Basic {}", STANDARD.encode(credentials)).into_bytes()];
    Caller { authorization, ..Caller::for_tests(RequestId::new(Uuid::from_u128(1))) }
}

async fn authenticated(parts: &Parts, credentials: &str) -> Result<AuthenticatedClient, Stop> {
    let now = parts.now().unwrap();
    let (config, params) = (parts.config.load_full(), Params::parse(b"token=x").unwrap());
    authenticate(parts, &config, &caller(credentials), &params, now, Kind::Revocation).await
}

async fn refused(parts: &Parts, credentials: &str) -> Plain {
    match authenticated(parts, credentials).await.unwrap_err() {
        Stop::Refused(Cause::Plain(cause)) => cause,
        other => panic!("{other:?}"),
    }
}

/// What the rows say: kind, client, and cause.
fn told(rows: &[Row]) -> Vec<(Kind, Option<&str>, Option<&str>)> {
    rows.iter().map(|row| (row.event.kind(), row.client().map(ClientId::as_str), row.cause())).collect()
}

#[actix_web::test]
async fn a_client_that_proves_who_it_is_leaves_no_row() {
    let parts = Parts::new(|_| {}).await;
    let client = authenticated(&parts, "basic:s3cret-of-basic").await.unwrap();
    assert_eq!(client.client().id, ClientId::new("basic"));
    assert!(client.one_time().is_empty());
    assert_eq!(parts.rows().await, []);
}

#[actix_web::test]
async fn a_failed_authentication_is_recorded_with_the_client_that_it_claimed() {
    let parts = Parts::new(|_| {}).await;
    assert_eq!(refused(&parts, "basic:wrong").await, Plain::SecretWrong);
    assert_eq!(refused(&parts, "nobody:wrong").await, Plain::ClientUnknown);
    let rows = parts.rows().await;
    assert_eq!(
        told(&rows),
        [
            (Kind::Revocation, Some("basic"), Some("secret_wrong")),
            (Kind::Revocation, None, Some("client_unknown")),
        ]
    );
    for row in &rows {
        assert_eq!(row.envelope.source, Some(IpAddr::from([192, 0, 2, 0])));
        assert_eq!(row.envelope.request, Some(caller("").request));
    }
}

#[actix_web::test]
async fn too_many_failures_throttle_a_source_and_not_a_credential_that_verifies() {
    let parts = Parts::new(|config| config.limits.failures_per_minute = 1).await;
    for _ in 0..10 {
        refused(&parts, "nobody:wrong").await;
    }
    assert_eq!(refused(&parts, "nobody:wrong").await, Plain::Throttled);
    assert_eq!(refused(&parts, "basic:wrong").await, Plain::Throttled);
    assert!(authenticated(&parts, "basic:s3cret-of-basic").await.is_ok());
    parts.clock.advance(Lifetime::from_seconds(60));
    assert_eq!(refused(&parts, "basic:wrong").await, Plain::SecretWrong);
}

#[actix_web::test]
async fn requests_whose_key_nobody_can_fetch_throttle_their_source_too() {
    let parts = Parts::new(|config| {
        config.limits.failures_per_minute = 1;
        let assistant = config.registry.clients.get_mut("assistant").unwrap();
        let ClientAuthentication::PrivateKeyJwt { keys, .. } = &mut Arc::make_mut(assistant).authentication
        else {
            panic!("the assistant has a key")
        };
        // An address is never asked on the public network.
        *keys = KeySource::Uri(Url::parse("https://192.0.2.9/keys").unwrap());
    })
    .await;
    let assertion = sign(&SigningKey::generate(Algorithm::ES256).unwrap(), "JWT", &assertion_claims());
    let form = format!(
        "client_assertion_type=urn:ietf:params:oauth:client-assertion-type:jwt-bearer&client_assertion={assertion}"
    );
    let params = Params::parse(form.as_bytes()).unwrap();
    let caller = Caller { authorization: Vec::new(), ..caller("") };
    let asked = async || {
        let (now, config) = (parts.now().unwrap(), parts.config.load_full());
        authenticate(&parts, &config, &caller, &params, now, Kind::Revocation).await.unwrap_err()
    };
    // The one that is too many is still answered as what it is.
    for _ in 0..11 {
        assert!(matches!(asked().await, Stop::Failed(Failure::IssuerKeys(_))));
    }
    assert!(matches!(asked().await, Stop::Refused(Cause::Plain(Plain::Throttled))));
}

#[actix_web::test]
async fn what_gets_no_row_of_its_own_is_counted_in_one() {
    let parts = Parts::new(|config| config.limits.unauthenticated_rows_per_minute = 1).await;
    for _ in 0..3 {
        refused(&parts, "basic:wrong").await;
    }
    record_counted(&parts, NOW).await.unwrap();
    record_counted(&parts, NOW).await.unwrap();
    let rows = parts.rows().await;
    assert_eq!(rows.len(), 2, "{rows:?}");
    assert_eq!(rows[1].event, Event::Unauthenticated(UnauthenticatedEvent { count: 2 }));
}

/// Records `stop` for a client whose assertion may be used once.
async fn stopped(parts: &Parts, client: &Arc<Client>, stop: Stop) -> Stop {
    let one_time = OneTime::Assertion {
        client: client.id.clone(),
        jti: [7; 32],
        until: NOW.plus(Lifetime::from_seconds(60)),
    };
    let client = AuthenticatedClient::for_tests(client.clone(), vec![one_time]);
    let what = What::Event(Outcome::Granted, Event::Revocation(RevocationEvent::default()));
    let told = Told::of_client(NOW, &caller(""), &client, what);
    record_stop(parts, &caller(""), &client, told, Kind::Revocation, stop).await
}

#[actix_web::test]
async fn a_refused_request_uses_its_assertion_up_and_a_replay_comes_before_its_fault() {
    let parts = Parts::new(|_| {}).await;
    let client = parts.config.load().registry.clients["assistant"].clone();
    let cause = || Stop::Refused(Plain::TokenMissing.into());
    assert!(matches!(
        stopped(&parts, &client, cause()).await,
        Stop::Refused(Cause::Plain(Plain::TokenMissing))
    ));
    assert!(matches!(
        stopped(&parts, &client, cause()).await,
        Stop::Refused(Cause::Plain(Plain::AssertionReplayed))
    ));
    assert_eq!(
        told(&parts.rows().await),
        [
            (Kind::Revocation, Some("assistant"), Some("token_missing")),
            (Kind::Revocation, Some("assistant"), Some("assertion_replayed")),
        ]
    );
}

#[actix_web::test]
async fn a_refusal_that_cannot_be_recorded_is_a_failure() {
    let parts = Parts::new(|_| {}).await;
    let client = parts.config.load().registry.clients["assistant"].clone();
    parts.store.close().await.unwrap();
    let stop = stopped(&parts, &client, Stop::Refused(Plain::TokenMissing.into())).await;
    assert!(matches!(stop, Stop::Failed(Failure::Store(_))), "{stop:?}");
    let stop = authenticated(&parts, "basic:wrong").await.unwrap_err();
    assert!(matches!(stop, Stop::Failed(Failure::Store(_))), "{stop:?}");
}

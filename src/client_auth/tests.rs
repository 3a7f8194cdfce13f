//! Client authentication, one change to a good request at a time.

mod assertion;
mod certificate;
mod platform;
mod secret;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;

use super::*;
use crate::oauth::Cause;
use crate::verification::fixtures::*;

/// What comes of these headers and this form at the token endpoint.
async fn presented(
    world: &World,
    authorization: &[&str],
    form: &str,
) -> Result<AuthenticatedClient, NotAuthenticated> {
    let headers: Vec<&[u8]> = authorization.iter().map(|header| header.as_bytes()).collect();
    let params = Params::parse(form.as_bytes()).unwrap();
    let request = Request {
        authorization: &headers,
        params: &params,
        kind: RequestKind::Token,
        proven: &|| Ok(None),
        certificate: Ok(None),
    };
    authenticate(&world.config, &world.verifier, &world.secrets, request, NOW).await
}

async fn authenticate_with(
    world: &World,
    authorization: &[&str],
    form: &str,
) -> Result<AuthenticatedClient, Plain> {
    match presented(world, authorization, form).await {
        Ok(client) => Ok(client),
        Err(NotAuthenticated::Refused { cause: Cause::Plain(cause), .. }) => Err(cause),
        Err(other) => panic!("{other:?}"),
    }
}

fn basic(credentials: &str) -> String {
    format!("Basic {}", STANDARD.encode(credentials))
}

fn form(pairs: &[(&str, &str)]) -> String {
    url::form_urlencoded::Serializer::new(String::new()).extend_pairs(pairs).finish()
}

#[tokio::test]
async fn a_request_without_credentials_is_refused() {
    let world = World::new();
    for body in ["", "grant_type=x", "client_id=basic", "client_id=basic&client_secret="] {
        assert_eq!(authenticate_with(&world, &[], body).await.unwrap_err(), Plain::NoCredentials, "{body}");
    }
}

#[tokio::test]
async fn two_methods_at_once_are_refused_whichever_they_are() {
    let world = World::new();
    let header = basic("basic:s3cret-of-basic");
    for body in
        ["client_secret=s3cret-of-post&client_id=post", "client_assertion=a.b.c", "client_assertion_type=x"]
    {
        assert_eq!(
            authenticate_with(&world, &[&header], body).await.unwrap_err(),
            Plain::SeveralMethods,
            "{body}"
        );
    }
    let body = "client_id=post&client_secret=s3cret-of-post&client_assertion=a.b.c";
    assert_eq!(authenticate_with(&world, &[], body).await.unwrap_err(), Plain::SeveralMethods);
}

#[tokio::test]
async fn the_registered_client_it_claims_to_be_is_named_for_the_throttle() {
    let world = World::new();
    let claimed = async |header: &str, body: &str| {
        let headers: &[&str] = if header.is_empty() { &[] } else { &[header] };
        match presented(&world, headers, body).await {
            Err(NotAuthenticated::Refused { claimed, .. }) => claimed.map(|id| id.as_str().to_owned()),
            other => panic!("{other:?}"),
        }
    };
    assert_eq!(claimed(&basic("basic:wrong"), "").await.as_deref(), Some("basic"));
    assert_eq!(claimed(&basic("nobody:wrong"), "").await, None);
    assert_eq!(claimed("", "client_id=basic").await.as_deref(), Some("basic"));
    assert_eq!(claimed("", "client_id=nobody").await, None);
    let forged = sign(&world.provider_key, "JWT", &assertion_claims());
    assert_eq!(claimed("", &assertion::body(&forged)).await.as_deref(), Some("assistant"));
}

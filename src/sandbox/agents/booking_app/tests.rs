//! The login over HTTP at a real provider. It fails where the nonce, the state or the PKCE challenge is another.

use super::*;
use crate::base::entropy::SystemEntropy;
use crate::sandbox::provider::tests::{self as provider, BACK};
use crate::sandbox::provider::{PHISHING_RESISTANT, code_challenge};
use crate::sdk::Decoded;

struct World {
    app: BookingApp,
    at: provider::World,
}

fn world() -> World {
    let at = provider::world();
    let app = BookingApp {
        wire: at.wire.clone(),
        provider: IssuerUrl::new(at.issuer.clone()).unwrap(),
        redirect_uri: RedirectUrl::new(BACK.to_owned()).unwrap(),
        // The provider's clock: by the system's, its ID tokens would have expired long ago.
        clock: at.clock.clone(),
        entropy: Arc::new(SystemEntropy::default()),
        pending: Mutex::default(),
        id_token: Mutex::default(),
    };
    World { app, at }
}

/// This URL with one parameter of its query replaced.
fn with_parameter(url: &str, name: &str, value: &str) -> String {
    let url = url::Url::parse(url).unwrap();
    let pairs: Vec<(String, String)> = url.query_pairs().into_owned().collect();
    assert!(pairs.iter().any(|(known, _)| known == name), "there is a `{name}` to replace");
    let mut other = url;
    other.query_pairs_mut().clear().extend_pairs(
        pairs.iter().map(|(known, old)| (known.as_str(), if known == name { value } else { old.as_str() })),
    );
    other.into()
}

impl World {
    /// Signs in from `link`, and ends the login with what `back` makes of the URL to which the provider sends the user.
    async fn sign_in(&self, link: &str, back: impl Fn(&str) -> String) -> anyhow::Result<()> {
        let url = url::Url::parse(&back(&self.at.alice.until_sent_back(link).await?)).unwrap();
        self.app.callback(&url.query_pairs().into_owned().collect()).await
    }
}

#[actix_web::test]
async fn a_login_gives_an_id_token_with_what_the_provider_checked() {
    let world = world();
    let link = world.app.login_link(PHISHING_RESISTANT).await.unwrap();
    world.sign_in(&link, str::to_owned).await.unwrap();
    let token = Decoded::read(&world.app.take_id_token().unwrap()).unwrap();
    assert_eq!((token.text("sub"), token.text("aud"), token.text("acr")), ("user-1", BOOKING_APP, "phr"));
    assert_eq!(world.app.take_id_token(), None);
}

#[actix_web::test]
async fn an_id_token_with_another_nonce_is_refused() {
    let world = world();
    let link = world.app.login_link("").await.unwrap();
    // The code of this login is redeemed, and its ID token has the provider's signature: only the nonce differs.
    let refused = world.sign_in(&with_parameter(&link, "nonce", "another"), str::to_owned).await.unwrap_err();
    assert!(format!("{refused:#}").contains("nonce"), "{refused:#}");
    assert_eq!(world.app.take_id_token(), None);
}

#[actix_web::test]
async fn a_redirect_with_another_state_is_refused_and_ends_the_login() {
    let world = world();
    let link = world.app.login_link("").await.unwrap();
    let refused = world.sign_in(&link, |back| with_parameter(back, "state", "another")).await.unwrap_err();
    assert_eq!(format!("{refused:#}"), "the state is another");
    let refused = world.sign_in(&link, str::to_owned).await.unwrap_err();
    assert_eq!(format!("{refused:#}"), "no login is under way");
    assert_eq!(world.app.take_id_token(), None);
}

#[actix_web::test]
async fn a_code_that_was_asked_for_with_another_pkce_challenge_is_refused() {
    let world = world();
    let link = world.app.login_link("").await.unwrap();
    let other = code_challenge("another-verifier-of-forty-three-characters-00");
    let link = with_parameter(&link, "code_challenge", &other);
    let refused = world.sign_in(&link, str::to_owned).await.unwrap_err();
    assert!(format!("{refused:#}").contains("invalid_grant"), "{refused:#}");
    assert_eq!(world.app.take_id_token(), None);
}

#[actix_web::test]
async fn a_code_of_an_earlier_login_is_refused_in_a_later_one() {
    let world = world();
    let first = world.app.login_link("").await.unwrap();
    let back = world.at.alice.until_sent_back(&first).await.unwrap();
    let back = url::Url::parse(&back).unwrap();
    let code = back.query_pairs().find(|(name, _)| name == "code").unwrap().1.into_owned();
    let second = world.app.login_link("").await.unwrap();
    let refused = world.sign_in(&second, |back| with_parameter(back, "code", &code)).await.unwrap_err();
    assert!(format!("{refused:#}").contains("invalid_grant"), "{refused:#}");
}

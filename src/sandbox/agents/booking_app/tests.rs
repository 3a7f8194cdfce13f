//! The login over HTTP at a real provider, and that it fails where one of its three ties is broken.

use std::collections::HashMap;

use super::*;
use crate::base::entropy::SystemEntropy;
use crate::base::time::{ManualClock, Timestamp};
use crate::jose::{Algorithm, SigningKey};
use crate::sandbox::provider::{self, Account, PHISHING_RESISTANT, Provider};
use crate::sandbox::serve::{Server, bind};
use crate::sandbox::user::User;
use crate::sandbox::wire::Tape;
use crate::sdk::Decoded;

const BACK: &str = "http://127.0.0.1:9/callback";

struct World {
    app: BookingApp,
    alice: User,
    _server: Server,
}

fn world() -> World {
    let bound = bind().unwrap();
    let (url, wire) = (bound.url.clone(), Wire::new("test", &Tape::default()).unwrap());
    // Long ago: a token of then would be expired if the application looked at the system's clock.
    let clock = Arc::new(ManualClock::starting_at(Timestamp::from_seconds(1_700_000_000)));
    let entropy: Arc<dyn Entropy> = Arc::new(SystemEntropy::default());
    let alice = User {
        wire: wire.clone(),
        username: "alice".to_owned(),
        password: "right".to_owned(),
        key: SigningKey::generate(Algorithm::ES256).unwrap(),
        provider: url.clone(),
    };
    let account = Account {
        subject: "user-1".to_owned(),
        password: "right".to_owned(),
        birthdate: "1991-05-17".to_owned(),
        key: alice.key.public().unwrap(),
    };
    let provider = Arc::new(Provider {
        issuer: url.clone(),
        key: SigningKey::generate(Algorithm::ES256).unwrap(),
        accounts: HashMap::from([("alice".to_owned(), account)]),
        relying_parties: HashMap::from([(BOOKING_APP.to_owned(), BACK.to_owned())]),
        logins: Mutex::default(),
        codes: Mutex::default(),
        clock: clock.clone(),
        entropy: entropy.clone(),
    });
    let app = BookingApp {
        wire,
        provider: IssuerUrl::new(url).unwrap(),
        redirect_uri: RedirectUrl::new(BACK.to_owned()).unwrap(),
        clock,
        entropy,
        pending: Mutex::default(),
        id_token: Mutex::default(),
    };
    World { app, alice, _server: bound.serve(&provider, provider::routes).unwrap() }
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
        let url = url::Url::parse(&back(&self.alice.until_sent_back(link).await?)).unwrap();
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
async fn a_way_back_with_another_state_is_refused_and_ends_the_login() {
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
    let other = provider::code_challenge("another-verifier-of-forty-three-characters-00");
    let link = with_parameter(&link, "code_challenge", &other);
    let refused = world.sign_in(&link, str::to_owned).await.unwrap_err();
    assert!(format!("{refused:#}").contains("invalid_grant"), "{refused:#}");
    assert_eq!(world.app.take_id_token(), None);
}

#[actix_web::test]
async fn a_code_of_an_earlier_login_is_refused_in_a_later_one() {
    let world = world();
    let first = world.app.login_link("").await.unwrap();
    let back = world.alice.until_sent_back(&first).await.unwrap();
    let back = url::Url::parse(&back).unwrap();
    let code = back.query_pairs().find(|(name, _)| name == "code").unwrap().1.into_owned();
    let second = world.app.login_link("").await.unwrap();
    let refused = world.sign_in(&second, |back| with_parameter(back, "code", &code)).await.unwrap_err();
    assert!(format!("{refused:#}").contains("invalid_grant"), "{refused:#}");
}

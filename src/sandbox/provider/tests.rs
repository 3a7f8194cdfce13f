use super::super::agents::BOOKING_APP;
use super::super::serve::{Server, bind};
use super::super::user::{User, hidden};
use super::super::wire::{Call, Tape, Wire};
use super::*;
use crate::base::entropy::SystemEntropy;
use crate::base::time::{Lifetime, Timestamp};
use crate::jose::{KeySet, UnverifiedToken};
use crate::sdk::Decoded;
use crate::testing::doubles::ManualClock;

const VERIFIER: &str = "a-verifier-of-at-least-forty-three-characters-0";
pub const BACK: &str = "http://127.0.0.1:9/callback";

pub struct World {
    _server: Server,
    pub issuer: String,
    pub wire: Wire,
    pub alice: User,
    pub clock: Arc<ManualClock>,
    provider: Arc<Provider>,
}

fn new_key() -> SigningKey {
    SigningKey::generate(Algorithm::ES256).unwrap()
}

/// A provider with Alice's account and the booking application, at a time long ago.
pub fn world() -> World {
    let (bound, key) = (bind().unwrap(), new_key());
    let account = Account {
        subject: "user-1".into(),
        password: "right".into(),
        birthdate: "1991-05-17".into(),
        key: key.public().unwrap(),
    };
    let clock = Arc::new(ManualClock::starting_at(Timestamp::from_seconds(1_700_000_000)));
    let entropy = Arc::new(SystemEntropy::default());
    let party = (BOOKING_APP, BACK);
    let provider = Provider::new(&bound.url, ("alice", account), party, clock.clone(), entropy).unwrap();
    let (issuer, provider) = (bound.url.clone(), Arc::new(provider));
    let server = bound.serve(&provider, routes).unwrap();
    let wire = Wire::new("test", &Tape::default()).unwrap();
    let (username, password) = ("alice".to_owned(), "right".to_owned());
    let alice = User { wire: wire.clone(), username, password, key, provider: issuer.clone() };
    World { _server: server, issuer, wire, alice, clock, provider }
}

impl World {
    async fn authorize(&self, acr_values: &str) -> Call {
        let mut link = url::Url::parse(&format!("{}/authorize", self.issuer)).unwrap();
        link.query_pairs_mut()
            .append_pair("response_type", "code")
            .append_pair("client_id", BOOKING_APP)
            .append_pair("redirect_uri", BACK)
            .append_pair("scope", "openid")
            .append_pair("state", "s")
            .append_pair("nonce", "n")
            .append_pair("code_challenge", &code_challenge(VERIFIER))
            .append_pair("code_challenge_method", "S256")
            .append_pair("acr_values", acr_values);
        self.wire.get("provider", link.as_str(), None).await.unwrap()
    }

    async fn post(&self, path: &str, fields: &[(&str, &str)]) -> Call {
        let url = format!("{}{path}", self.issuer);
        self.wire.post("provider", &url, fields, None).await.unwrap()
    }

    async fn password(&self, page: &Call, password: &str) -> Call {
        let login = hidden(page.body.as_str().unwrap(), "login").unwrap();
        self.post("/login", &[("login", login), ("username", "alice"), ("password", password)]).await
    }

    async fn sign(&self, page: &Call, key: &SigningKey, issuer: &str) -> Call {
        let page = page.body.as_str().unwrap();
        let (login, challenge) = (hidden(page, "login").unwrap(), hidden(page, "challenge").unwrap());
        let signature = key.sign(&challenge_message(issuer, challenge)).unwrap();
        self.post("/challenge", &[("login", login), ("signature", &signature)]).await
    }

    async fn token(&self, code: &str, verifier: &str) -> Call {
        let fields = &[
            ("grant_type", "authorization_code"),
            ("client_id", BOOKING_APP),
            ("redirect_uri", BACK),
            ("code", code),
            ("code_verifier", verifier),
        ];
        self.post("/token", fields).await
    }

    async fn code(&self) -> String {
        let page = self.authorize("").await;
        code_of(&self.password(&page, "right").await)
    }
}

fn code_of(redirect: &Call) -> String {
    let back = url::Url::parse(redirect.location.as_deref().unwrap()).unwrap();
    back.query_pairs().find(|(name, _)| name == "code").unwrap().1.into_owned()
}

#[actix_web::test]
async fn password_and_key_earn_mfa_and_a_phishing_resistant_level() {
    let world = world();
    let page = world.authorize(PHISHING_RESISTANT).await;
    let challenge = world.password(&page, "right").await;
    let redirect = world.sign(&challenge, &world.alice.key, &world.issuer).await;
    let answer = world.token(&code_of(&redirect), VERIFIER).await;

    assert_eq!((redirect.status, answer.status), (303, 200));
    let keys = KeySet::parse(world.provider.published().to_string().as_bytes()).unwrap();
    let token = UnverifiedToken::scan(answer.text("id_token")).unwrap();
    let key = keys.choose(token.header()).unwrap();
    token.verify(key).unwrap();
    let token = Decoded::read(answer.text("id_token")).unwrap();
    assert_eq!(token.claims["amr"], json!(["pwd", "hwk", "mfa"]));
    assert_eq!(token.text("acr"), "phr");
    assert_eq!(token.text("birthdate"), "1991-05-17");
    assert_eq!((token.text("aud"), token.text("nonce")), (BOOKING_APP, "n"));
}

#[actix_web::test]
async fn a_password_alone_earns_no_mfa() {
    let world = world();
    let answer = world.token(&world.code().await, VERIFIER).await;
    let token = Decoded::read(answer.text("id_token")).unwrap();
    assert_eq!(token.claims["amr"], json!(["pwd"]));
    assert_eq!(token.claims.get("acr"), None);
}

#[actix_web::test]
async fn a_wrong_password_is_refused_and_ends_the_attempt() {
    let world = world();
    let page = world.authorize("").await;
    let refused = world.password(&page, "wrong").await;
    assert_eq!((refused.status, refused.text("error")), (401, "wrong_password"));
    assert_eq!(world.password(&page, "right").await.status, 400);
}

#[actix_web::test]
async fn an_unsigned_challenge_is_refused() {
    let world = world();
    let page = world.authorize(PHISHING_RESISTANT).await;
    let challenge = world.password(&page, "right").await;
    let login = hidden(challenge.body.as_str().unwrap(), "login").unwrap();
    let refused = world.post("/challenge", &[("login", login), ("signature", "")]).await;
    assert_eq!((refused.status, refused.text("error")), (401, "challenge_not_signed"));
}

#[actix_web::test]
async fn a_challenge_signed_by_another_key_or_for_another_site_is_refused() {
    let world = world();
    let other = new_key();
    for (key, issuer) in [(&other, world.issuer.as_str()), (&world.alice.key, "http://look-alike.example")] {
        let page = world.authorize(PHISHING_RESISTANT).await;
        let challenge = world.password(&page, "right").await;
        assert_eq!(world.sign(&challenge, key, issuer).await.status, 401);
    }
}

#[actix_web::test]
async fn a_wrong_pkce_verifier_is_refused() {
    let world = world();
    let refused = world.token(&world.code().await, "another-verifier-of-forty-three-characters-00").await;
    assert_eq!((refused.status, refused.text("error")), (400, "invalid_grant"));
}

#[actix_web::test]
async fn a_code_is_good_once() {
    let world = world();
    let code = world.code().await;
    assert_eq!(world.token(&code, VERIFIER).await.status, 200);
    assert_eq!(world.token(&code, VERIFIER).await.status, 400);
}

#[actix_web::test]
async fn a_code_older_than_a_minute_is_refused() {
    let world = world();
    let code = world.code().await;
    world.clock.advance(Lifetime::from_seconds(60));
    assert_eq!(world.token(&code, VERIFIER).await.status, 400);
}

#[actix_web::test]
async fn a_request_without_pkce_or_to_another_redirect_uri_is_refused() {
    let world = world();
    let link = format!(
        "{}/authorize?response_type=code&client_id={BOOKING_APP}&scope=openid&state=s&nonce=n",
        world.issuer
    );
    let challenge = code_challenge(VERIFIER);
    for rest in [
        format!("&redirect_uri={BACK}"),
        format!("&redirect_uri={BACK}&code_challenge={challenge}&code_challenge_method=plain"),
        format!("&redirect_uri={BACK}/x&code_challenge={challenge}&code_challenge_method=S256"),
    ] {
        let refused = world.wire.get("provider", &format!("{link}{rest}"), None).await.unwrap();
        assert_eq!(refused.status, 400, "{rest}");
    }
}

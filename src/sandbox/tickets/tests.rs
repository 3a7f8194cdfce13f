//! The API against an issuer whose tokens can be anything: what Deputy would never issue must not book.

mod possession;

use super::super::provider::jwks;
use super::super::serve::{Server, bind};
use super::super::wire::{Call, Tape};
use super::*;
use crate::base::entropy::SystemEntropy;
use crate::base::time::{Lifetime, Timestamp};
use crate::jose::{Algorithm, SigningKey};
use crate::sdk::{Credential, Decoded, Endpoints};
use crate::testing::doubles::ManualClock;

const NOW: i64 = 1_700_000_000;

/// Signs and vouches for whatever it is asked to.
struct Issuer {
    url: String,
    key: SigningKey,
    /// What introspection says instead of what the token says.
    says: Mutex<Option<Value>>,
}

struct World {
    issuer: Arc<Issuer>,
    clock: Arc<ManualClock>,
    api: String,
    wire: Wire,
    _servers: [Server; 2],
}

fn world() -> World {
    let (at_issuer, at_api) = (bind().unwrap(), bind().unwrap());
    let key = SigningKey::generate(Algorithm::ES256).unwrap();
    let issuer = Arc::new(Issuer { url: at_issuer.url.clone(), key, says: Mutex::default() });
    let clock = Arc::new(ManualClock::starting_at(Timestamp::from_seconds(NOW)));
    let wire = Wire::new("test", &Tape::default()).unwrap();
    let tickets = Arc::new(Tickets {
        wire: wire.of("tickets API"),
        deputy: Client::new(
            &issuer.url,
            Endpoints::of_deputy(&issuer.url),
            "tickets-api",
            Credential::Basic("secret".into()),
            clock.clone(),
            Arc::new(SystemEntropy::default()),
        ),
        clock: clock.clone(),
        url: at_api.url.clone(),
        keys: Mutex::default(),
        proofs: Mutex::default(),
    });
    let issuing = |config: &mut ServiceConfig| {
        config
            .route(
                "/jwks",
                get().to(|issuer: Data<Issuer>| async move { HttpResponse::Ok().json(jwks([&issuer.key])) }),
            )
            .route("/introspect", post().to(introspect));
    };
    let api = at_api.url.clone();
    let servers = [at_issuer.serve(&issuer, issuing).unwrap(), at_api.serve(&tickets, routes).unwrap()];
    World { issuer, clock, api, wire, _servers: servers }
}

async fn introspect(issuer: Data<Issuer>, form: Form<HashMap<String, String>>) -> HttpResponse {
    let claims = Decoded::read(&form["token"]).unwrap().claims;
    let mut says = lock(&issuer.says).clone().unwrap_or(claims);
    if says.get("active").is_none() {
        says["active"] = true.into();
    }
    HttpResponse::Ok().json(says)
}

impl World {
    fn claims(&self, scope: &str) -> Value {
        json!({ "iss": self.issuer.url, "sub": "pw_alice", "aud": TARGET, "exp": NOW + 300, "jti": scope,
                "scope": scope, "txn": "tx_1", "act": { "sub": "agent_a" } })
    }

    /// A booking token as it should be.
    fn booking(&self) -> String {
        self.token("at+jwt", &self.claims("tickets:book"))
    }

    /// An age answer with some members set otherwise.
    fn answer(&self, other: &[(&str, Value)]) -> String {
        let mut claims = self.claims("age_over_18");
        claims["age_over_18"] = true.into();
        claims["act"] = json!({ "sub": "agent_b", "act": { "sub": "agent_a" } });
        let claims_set = claims.as_object_mut().unwrap();
        for (name, value) in other {
            match value {
                Value::Null => claims_set.remove(*name),
                value => claims_set.insert((*name).to_owned(), value.clone()),
            };
        }
        self.token("at+jwt", &claims)
    }

    fn token(&self, typ: &str, claims: &Value) -> String {
        self.issuer.key.sign_jwt(typ, claims).unwrap()
    }

    async fn book(&self, booking: &str, answer: &str) -> Call {
        let url = format!("{}/book", self.api);
        let fields = [("event", "e"), ("age_answer", answer)];
        self.wire.post("tickets API", &url, &fields, Some(booking)).await.unwrap()
    }
}

#[actix_web::test]
async fn a_booking_token_and_an_answer_of_the_same_user_task_and_agent_book() {
    let world = world();
    assert_eq!(world.book(&world.booking(), &world.answer(&[])).await.status, 200);
}

#[actix_web::test]
async fn without_an_answer_nothing_is_booked() {
    let world = world();
    let refused = world.book(&world.booking(), "").await;
    assert_eq!((refused.status, refused.text("error")), (403, "age_not_shown"));
}

#[actix_web::test]
async fn an_answer_of_another_user_task_or_agent_does_not_book() {
    let world = world();
    for (claim, other) in [
        ("sub", json!("pw_bob")),
        ("txn", json!("tx_2")),
        ("txn", Value::Null),
        ("act", json!({ "sub": "agent_b", "act": { "sub": "agent_c" } })),
        ("act", json!({ "sub": "agent_a" })),
    ] {
        let refused = world.book(&world.booking(), &world.answer(&[(claim, other.clone())])).await;
        assert_eq!((refused.status, refused.text("error")), (403, "age_not_shown"), "{claim} {other}");
    }
}

#[actix_web::test]
async fn an_answer_that_is_not_true_does_not_book() {
    let world = world();
    for other in [json!(false), json!("true"), Value::Null] {
        let refused = world.book(&world.booking(), &world.answer(&[("age_over_18", other)])).await;
        assert_eq!((refused.status, refused.text("error")), (403, "too_young"));
    }
}

#[actix_web::test]
async fn a_token_of_another_kind_audience_issuer_or_key_is_refused() {
    let world = world();
    let claims = world.claims("tickets:book");
    let with = |name: &str, value: &str| {
        let mut claims = claims.clone();
        claims[name] = value.into();
        world.token("at+jwt", &claims)
    };
    let stranger = SigningKey::generate(Algorithm::ES256).unwrap().named(world.issuer.key.kid());
    for token in [
        world.token("task+jwt", &claims),
        with("aud", "elsewhere"),
        with("iss", "http://127.0.0.1:1"),
        stranger.sign_jwt("at+jwt", &claims).unwrap(),
    ] {
        let refused = world.book(&token, &world.answer(&[])).await;
        assert_eq!(
            (refused.status, refused.text("error")),
            (401, "invalid_token"),
            "{}",
            refused.text("why")
        );
    }
}

#[actix_web::test]
async fn a_token_is_refused_from_the_second_it_expires() {
    let world = world();
    world.clock.advance(Lifetime::from_seconds(299));
    assert_eq!(world.book(&world.booking(), &world.answer(&[])).await.status, 200);
    world.clock.advance(Lifetime::from_seconds(1));
    let refused = world.book(&world.booking(), &world.answer(&[])).await;
    assert_eq!((refused.status, refused.text("why")), (401, "offline: expired"));
}

#[actix_web::test]
async fn a_good_signature_is_not_enough_when_introspection_says_otherwise() {
    let world = world();
    let mut other = world.claims("tickets:book");
    other["scope"] = "tickets:search".into();
    for says in [json!({ "active": false }), other] {
        *lock(&world.issuer.says) = Some(says);
        assert_eq!(world.book(&world.booking(), &world.answer(&[])).await.status, 401);
    }
}

#[actix_web::test]
async fn a_token_for_searching_does_not_book() {
    let world = world();
    let token = world.token("at+jwt", &world.claims("tickets:search"));
    let refused = world.book(&token, &world.answer(&[])).await;
    assert_eq!((refused.status, refused.text("error")), (403, "insufficient_scope"));
}

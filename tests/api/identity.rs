//! What makes a token the same token. Of another issuer it is the text that was signed, and not its signature. Of Deputy
//! it is every byte, as it was recorded.

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use serde_json::{Value, json};

use crate::world::{Answer, ID_TOKEN_TYPE, Key, Request, Setup, World};

/// The order of P-256 (FIPS 186-5).
const ORDER: [u8; 32] = [
    0xff, 0xff, 0xff, 0xff, 0x00, 0x00, 0x00, 0x00, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xbc,
    0xe6, 0xfa, 0xad, 0xa7, 0x17, 0x9e, 0x84, 0xf3, 0xb9, 0xca, 0xc2, 0xfc, 0x63, 0x25, 0x51,
];

/// The same token with the other signature that is valid for it: (r, n − s).
fn with_the_other_signature(token: &str) -> String {
    let (signed, signature) = token.rsplit_once('.').unwrap();
    let mut signature = URL_SAFE_NO_PAD.decode(signature).unwrap();
    let mut borrow = 0;
    for at in (0..32).rev() {
        let difference = i16::from(ORDER[at]) - i16::from(signature[32 + at]) - borrow;
        borrow = i16::from(difference < 0);
        signature[32 + at] = difference.rem_euclid(256) as u8;
    }
    format!("{signed}.{}", URL_SAFE_NO_PAD.encode(signature))
}

fn exchange<'a>(world: &'a World, id_token: &str) -> Request<'a> {
    world
        .exchange("assistant", id_token, ID_TOKEN_TYPE)
        .set("audience", "tickets")
        .set("scope", "tickets:search")
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_id_token_with_another_valid_signature_joins_its_task_and_begins_none_after_it() {
    let world = World::start(Setup::default()).await;
    let id_token = world.id_token().sign();
    let other = with_the_other_signature(&id_token);
    assert_ne!(id_token, other);

    let task = exchange(&world, &id_token).send().await.body["task"].clone();
    assert_eq!(exchange(&world, &other).send().await.body["task"], task, "it is the same login");

    let ended = world.admin("POST", &format!("/tasks/{}/end", task.as_str().unwrap()), Value::Null).await;
    assert_eq!(ended.status, 200);
    for spent in [&id_token, &other] {
        let refused = exchange(&world, spent).send().await;
        assert_eq!(refused.reason(), "subject_token_unacceptable");
        let request = refused.body["request_id"].as_str().unwrap();
        assert_eq!(world.audit_of(request).await[0]["cause"], "login_spent");
    }
}

/// A world in which each client may ask about so many unknown tokens a minute.
async fn limited_to(unknown_tokens: u32) -> World {
    let limit = format!("unknown_tokens_per_minute = {unknown_tokens}");
    World::start(Setup::default().replace("unknown_tokens_per_minute = 1000000", &limit)).await
}

async fn revoke(world: &World, token: &str) -> Answer {
    world.form("/revoke").set("token", token).by_assertion("assistant").send().await
}

/// The audited cause of the refusal to exchange a token of Deputy's own.
async fn refused(world: &World, token: &str) -> String {
    let answer = world.onward_tx(token).send().await;
    assert_eq!((answer.status, answer.reason()), (400, "subject_token_unacceptable"));
    answer.audited_cause(world).await
}

/// What a revocation that found nothing to revoke says of the token.
async fn not_ours(world: &World) -> Value {
    let rows = world.audit().await;
    let row = rows.iter().rfind(|row| row["event"] == "revocation").unwrap();
    assert_eq!((&row["outcome"], &row["jti"]), (&json!("granted"), &Value::Null));
    row["not_ours"].clone()
}

/// Makes every look-up of a token fail.
fn hide_the_tokens(world: &World) {
    world.sql("ALTER TABLE token RENAME TO hidden");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_own_token_with_another_valid_signature_is_refused_and_raises_no_alarm() {
    let world = World::start(Setup::default()).await;
    let token = world.files_token().await;
    let varied = with_the_other_signature(&token);

    assert_eq!(world.introspect_as("files-api", &varied).await.body, json!({"active": false}));
    assert_eq!(refused(&world, &varied).await, "signature_changed");
    assert_eq!(revoke(&world, &varied).await.status, 200, "it is no token that was issued");
    assert_eq!(not_ours(&world).await, "signature_changed");

    assert_eq!(world.alarms().await, 0);
    assert_eq!(world.introspect_as("files-api", &token).await.body["active"], true, "nothing was revoked");
    world.onward_tx(&token).send().await.granted();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_own_token_that_has_expired_is_not_looked_up_and_raises_no_alarm() {
    let world = World::start(Setup::default()).await;
    let token = world.files_token().await;
    world.advance(300);
    hide_the_tokens(&world);

    assert_eq!(world.introspect_as("files-api", &token).await.body, json!({"active": false}));
    assert_eq!(refused(&world, &token).await, "expired");
    assert_eq!(revoke(&world, &token).await.status, 200);
    assert_eq!(not_ours(&world).await, "expired");
    assert_eq!(world.alarms().await, 0);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_misused_signing_key_raises_the_alarm_as_often_as_a_client_may_have_signatures_verified() {
    let world = limited_to(2).await;
    let token = world.files_token().await;
    let own = world.taken_apart(&token).await;
    let forged = own.clone().claim("jti", "01a20320-a200-7df2-9c03-41a4dfca3200").sign();
    let widened = own.claim("scope", "files.read files.write").sign();

    assert_eq!(refused(&world, &forged).await, "never_issued");
    assert_eq!(world.alarms().await, 1);
    assert_eq!(refused(&world, &widened).await, "never_issued", "under a `jti` that is recorded too");
    assert_eq!(world.alarms().await, 2);
    assert_eq!(refused(&world, &forged).await, "not_recorded");
    assert_eq!(world.alarms().await, 2);
    world.onward_tx(&token).send().await.granted();

    assert_eq!(revoke(&world, &forged).await.status, 200);
    assert_eq!(not_ours(&world).await, "never_issued", "each client has a limit of its own");
    assert_eq!(world.introspect_as("files-api", &forged).await.body, json!({"active": false}));
    assert_eq!(world.alarms().await, 4);
    world.advance(60);
    assert_eq!(refused(&world, &forged).await, "never_issued");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_token_that_deputy_did_not_sign_raises_no_alarm() {
    let world = World::start(Setup::default()).await;
    let own = world.taken_apart(&world.files_token().await).await;
    let stranger = Key::new(&own.key.kid);
    let forged = own.signed_by(&stranger).sign();
    assert_eq!(refused(&world, &forged).await, "signature");
    assert_eq!(world.introspect_as("files-api", &forged).await.body, json!({"active": false}));
    assert_eq!(revoke(&world, &forged).await.status, 200);
    assert_eq!(not_ours(&world).await, "signature");
    assert_eq!(world.alarms().await, 0);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_introspection_counts_before_the_record_is_read_and_not_after_all_if_the_token_is_active() {
    let world = limited_to(2).await;
    let token = world.files_token().await;
    let own = world.taken_apart(&token).await;
    let guess = own.signed_by(&Key::new("stranger")).sign();
    let ask = async |token: &str| world.introspect_as("files-api", token).await;

    for _ in 0..5 {
        assert_eq!(ask(&token).await.body["active"], true);
    }
    for _ in 0..2 {
        assert_eq!(ask(&guess).await.body, json!({"active": false}));
    }
    assert_eq!(ask(&guess).await.status, 429);
    assert_eq!(
        ask(&token).await.body["active"],
        true,
        "others cannot shut a resource server out by guessing"
    );

    hide_the_tokens(&world);
    assert_eq!(ask(&guess).await.status, 429, "a guess over the limit is not looked up");
    assert_eq!(ask(&token).await.status, 503, "and a token with a good signature is");
}

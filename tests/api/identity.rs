//! What makes a token of another issuer the same token: the text that was signed, and not its signature.

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use serde_json::Value;

use crate::world::{ID_TOKEN_TYPE, Request, Setup, World};

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

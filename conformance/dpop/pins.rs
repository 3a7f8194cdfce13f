//! Credentials of platforms that are pinned to the first key that is proven beside them.

use futures_util::future::join_all;
use serde_json::Value;

use super::proving;
use crate::expect::Wire;
use crate::harness::{Cases, case};
use crate::world::{Answer, Key, Request, Setup, World};

/// A pinned credential without its key.
const PINNED: Wire = (400, "invalid_request", "credential_pinned");

pub fn cases() -> Cases {
    vec![
        case("DPOP-PIN-01", the_first_key_is_the_only_one_until_the_credential_expires),
        case("DPOP-PIN-01", of_many_first_keys_at_once_one_wins),
        case("DPOP-PIN-02", a_request_without_a_proof_pins_nothing_and_is_refused_afterwards),
        case("DPOP-PIN-03", where_pins_are_off_any_key_may_be_proven),
        case("DPOP-LOST-01", a_lost_key_of_a_pinned_credential_needs_another_credential),
    ]
}

/// The planner's credential beside the assistant's.
fn by<'a>(world: &'a World, credential: &str) -> Request<'a> {
    world.tx().actor(credential)
}

/// Refused because the credential is pinned, which is told with the time until it expires, and as an alert. Gives the row
/// of the alert.
async fn assert_pinned(world: &World, answer: &Answer, seconds: i64) -> Value {
    crate::expect::is_refused("pinned", answer, PINNED);
    assert_eq!(answer.body["retry_after"], seconds);
    let rows = world.audit_of(answer.request_id()).await;
    let events: Vec<&str> = rows.iter().map(|row| row["event"].as_str().unwrap()).collect();
    assert_eq!(events, ["exchange", "pin_refused"]);
    assert!(rows.iter().all(|row| row["cause"] == "credential_pinned" && row["outcome"] == "refused"));
    assert_eq!(rows[0]["credential"], rows[1]["credential"]);
    rows[1].clone()
}

async fn the_first_key_is_the_only_one_until_the_credential_expires() {
    let world = World::start(Setup::default()).await;
    let (key, thief) = (Key::new("agent"), Key::new("thief"));
    let credential = world.workload_token("planner").sign();
    proving(&world, by(&world, &credential), &key).send().await.granted();
    let rows = world.audit().await;
    let [.., exchange, pin] = rows.as_slice() else { panic!("{rows:?}") };
    assert_eq!((&exchange["event"], &pin["event"]), (&"exchange".into(), &"pin".into()));
    assert_eq!((&pin["jkt"], &pin["agent"]), (&key.thumbprint().into(), &exchange["agent"]));
    assert_eq!((&pin["request"], &pin["credential"]), (&exchange["request"], &exchange["credential"]));
    assert_eq!(pin["expires_at"], world.now() + 300);

    world.advance(100);
    let minted = world.minted().await;
    let stolen = proving(&world, by(&world, &credential), &thief).send().await;
    assert_eq!(assert_pinned(&world, &stolen, 200).await["jkt"], thief.thumbprint());
    assert_eq!(world.minted().await, minted);
    proving(&world, by(&world, &credential), &key).send().await.granted();
    // As long as the leeway lets the credential be used, and after a sweep.
    world.advance(259);
    world.server().sweep().await.unwrap();
    assert_pinned(&world, &proving(&world, by(&world, &credential), &thief).send().await, 1).await;
    // Another credential of the same workload may come with another key.
    let next = world.workload_token("planner").sign();
    proving(&world, by(&world, &next), &thief).send().await.granted();
}

async fn of_many_first_keys_at_once_one_wins() {
    let world = World::start(Setup::default()).await;
    let other = world.second_node().await;
    let credential = world.workload_token("planner").sign();
    let keys: Vec<Key> = (0..20).map(|number| Key::new(&format!("key-{number}"))).collect();
    let bases = [world.issuer.clone(), other.base.clone()];
    let asks = keys.iter().zip(bases.iter().cycle());
    let asks = asks.map(|(key, base)| proving(&world, by(&world, &credential), key).at(base).send());
    let answers = join_all(asks).await;
    let winners: Vec<&Key> =
        keys.iter().zip(&answers).filter(|(_, answer)| answer.status == 200).map(|(key, _)| key).collect();
    let [winner] = winners.as_slice() else { panic!("{answers:?}") };
    for base in &bases {
        proving(&world, by(&world, &credential), winner).at(base).send().await.granted();
    }
    other.server.stop().await.unwrap();
}

async fn a_request_without_a_proof_pins_nothing_and_is_refused_afterwards() {
    let world = World::start(Setup::default()).await;
    let key = Key::new("agent");
    let credential = world.workload_token("planner").sign();
    by(&world, &credential).send().await.granted();
    proving(&world, by(&world, &credential), &key).send().await.granted();
    let row = assert_pinned(&world, &by(&world, &credential).send().await, 300).await;
    assert_eq!(row.get("jkt"), None);
}

async fn where_pins_are_off_any_key_may_be_proven() {
    let issuer = "stable_id_claim = \"sub\"\n";
    let world = World::start(Setup::default().replace(issuer, &format!("{issuer}pin = \"off\"\n"))).await;
    let credential = world.workload_token("planner").sign();
    for name in ["one", "other"] {
        proving(&world, by(&world, &credential), &Key::new(name)).send().await.granted();
    }
    by(&world, &credential).send().await.granted();
}

async fn a_lost_key_of_a_pinned_credential_needs_another_credential() {
    let world = World::start(Setup::default()).await;
    let (lost, new) = (Key::new("lost"), Key::new("new"));
    let (id_token, credential) = (world.id_token().sign(), world.workload_token("planner").sign());
    let hop_zero = |credential: &str| by(&world, credential).set("subject_token", &id_token);
    let first = proving(&world, hop_zero(&credential), &lost).send().await;
    first.granted();
    assert_pinned(&world, &proving(&world, hop_zero(&credential), &new).send().await, 300).await;
    // The ID token is too old to begin a task.
    world.advance(601);
    let another = world.workload_token("planner").sign();
    let second = proving(&world, hop_zero(&another), &new).send().await;
    assert_eq!(second.claims()["cnf"]["jkt"], new.thumbprint());
    assert_eq!(first.body["task"], second.body["task"], "the same agent joins its live task");
}

//! Nonces of the server in proofs (RFC 9449 §8).

use std::collections::BTreeSet;

use super::with;
use crate::expect::Wire;
use crate::harness::{Cases, case};
use crate::world::{Answer, Key, Setup, World};

/// A proof without a current nonce.
const DEMANDED: Wire = (400, "use_dpop_nonce", "nonce_demanded");

pub fn cases() -> Cases {
    vec![
        case("9449-8-01", a_nonce_is_demanded_and_uses_nothing_up),
        case("NEG-CA-21", a_nonce_is_demanded_and_uses_nothing_up),
        case("NEG-CX-43", a_nonce_is_demanded_and_uses_nothing_up),
        case("9449-8-02", an_old_or_foreign_nonce_is_answered_with_a_new_one),
        case("9449-8.2-01", every_answer_to_a_proof_has_the_next_nonce),
        case("9449-8-03", a_nonce_cannot_be_guessed_and_is_good_on_every_node),
    ]
}

fn demanding() -> Setup {
    Setup::default().add("[dpop]\nnonce = \"required\"")
}

/// The nonce of an answer that demands one.
async fn demanded(world: &World, answer: &Answer) -> String {
    answer.refused_because(world, DEMANDED, "nonce_demanded").await;
    answer.header("dpop-nonce").expect("a nonce").to_owned()
}

async fn a_nonce_is_demanded_and_uses_nothing_up() {
    let world = World::start(demanding()).await;
    let (key, assertion) = (Key::new("agent"), world.assertion("assistant").sign());
    let proof = world.proof(&key);
    let nonce = demanded(&world, &with(world.tx().with_assertion(&assertion), &proof).send().await).await;
    // Neither the assertion nor the `jti` was used up.
    let again = world.tx().with_assertion(&assertion);
    with(again, &proof.claim("nonce", nonce)).send().await.granted();
    world.tx().send().await.granted();
}

async fn an_old_or_foreign_nonce_is_answered_with_a_new_one() {
    let world = World::start(demanding()).await;
    let elsewhere = World::start(demanding()).await;
    let key = Key::new("agent");
    let ask = |world: &World| world.proof(&key);
    let nonce = demanded(&world, &with(world.tx(), &ask(&world)).send().await).await;
    let foreign = demanded(&elsewhere, &with(elsewhere.tx(), &ask(&elsewhere)).send().await).await;
    for bad in [foreign.as_str(), "", "x"] {
        demanded(&world, &with(world.tx(), &ask(&world).claim("nonce", bad)).send().await).await;
    }
    world.advance(299);
    with(world.tx(), &ask(&world).claim("nonce", nonce.as_str())).send().await.granted();
    world.advance(1);
    let stale = with(world.tx(), &ask(&world).claim("nonce", nonce.as_str())).send().await;
    let fresh = demanded(&world, &stale).await;
    with(world.tx(), &ask(&world).claim("nonce", fresh)).send().await.granted();
}

async fn every_answer_to_a_proof_has_the_next_nonce() {
    let world = World::start(demanding()).await;
    let key = Key::new("agent");
    let first = demanded(&world, &with(world.tx(), &world.proof(&key)).send().await).await;
    world.advance(200);
    let answer = with(world.tx(), &world.proof(&key).claim("nonce", first.as_str())).send().await;
    answer.granted();
    let next = answer.header("dpop-nonce").expect("the next nonce").to_owned();
    // The one before is good for a time.
    with(world.tx(), &world.proof(&key).claim("nonce", first)).send().await.granted();
    world.advance(200);
    with(world.tx(), &world.proof(&key).claim("nonce", next)).send().await.granted();
    assert_eq!(world.tx().send().await.header("dpop-nonce"), None, "who proves nothing needs none");

    let world = World::start(Setup::default()).await;
    let answer = with(world.tx(), &world.proof(&key).claim("nonce", "anything")).send().await;
    answer.granted();
    assert_eq!(answer.header("dpop-nonce"), None, "where none is demanded, none is told");
}

async fn a_nonce_cannot_be_guessed_and_is_good_on_every_node() {
    let world = World::start(demanding()).await;
    let other = world.second_node().await;
    let key = Key::new("agent");
    let mut seen = BTreeSet::new();
    for _ in 0..3 {
        let nonce =
            demanded(&world, &with(world.tx(), &world.proof(&key)).at(&other.base).send().await).await;
        assert!(nonce.bytes().all(|b| matches!(b, 0x21 | 0x23..=0x5b | 0x5d..=0x7e)), "{nonce}");
        assert!(nonce.len() >= 32);
        let proof = world.proof(&key).claim("nonce", nonce.as_str());
        with(world.tx(), &proof).send().await.granted();
        assert!(seen.insert(nonce));
        world.advance(1);
    }
    other.server.stop().await.unwrap();
}

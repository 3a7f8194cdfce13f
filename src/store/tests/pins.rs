//! Credentials that are pinned to the first key that is proven beside them.

use super::on_each_database;
use super::world::{START, World, token_of};
use crate::audit::Kind;
use crate::base::time::{CLOCK_TOLERANCE, FOREIGN_LEEWAY, Lifetime};
use crate::delegation::binding::PinnedUse;
use crate::delegation::record::{Agent, Delegation};
use crate::oauth::{Cause, CertificateHash, Confirmation, CredentialHash, Issuer, Jkt, OneTime, Plain};
use crate::store::entry::{Control, Entry, Recorded};
use crate::store::{AuditFilter, Store};
use crate::verification::Credential;

on_each_database! {
    the_first_key_is_the_only_one_until_the_credential_expires,
    a_request_without_a_proof_pins_nothing,
    of_many_first_keys_in_one_group_one_wins,
    of_many_credentials_in_one_group_each_keeps_its_own_key,
    of_many_uses_in_one_group_each_is_known_afterwards,
    another_credential_may_have_another_key,
    a_pin_is_kept_as_long_as_the_credential_could_be_taken,
    a_proof_is_used_up_once_by_its_key,
    a_bound_token_is_read_back_with_its_key_or_certificate,
}

const ONE: Confirmation = Confirmation::Key(KEY);
const OTHER: Confirmation = Confirmation::Key(Jkt::new([2; 32]));
const KEY: Jkt = Jkt::new([1; 32]);
/// A certificate whose hash is that of the first key.
const CERTIFICATE: Confirmation = Confirmation::Certificate(CertificateHash::new([1; 32]));
/// How long a credential lives.
const LIFE: u32 = 300;

fn used(number: u8, proven: Option<Confirmation>) -> PinnedUse {
    let hash = CredentialHash::new([number; 32]);
    let credential = Credential { hash, expires_at: START.plus(Lifetime::from_seconds(LIFE)) };
    PinnedUse { credential, issuer: Issuer::new("https://workloads.example"), proven }
}

/// A token from `root` by an agent whose credential is pinned.
fn entry(world: &World, root: &Delegation, actor: &Agent, number: u8, proven: Option<Confirmation>) -> Entry {
    world.changed(&world.later(root, actor), |terms, _| terms.pin = Some(used(number, proven)))
}

async fn recorded(
    world: &World,
    store: &Store,
    (root, actor): (&Delegation, &Agent),
    number: u8,
    proven: Option<Confirmation>,
) -> Recorded {
    store.record(entry(world, root, actor, number, proven)).await.unwrap()
}

#[track_caller]
fn assert_pinned(recorded: &Recorded, seconds: i64) {
    match recorded {
        Recorded::Refused(Cause::CredentialPinned { retry_after }) => assert_eq!(*retry_after, seconds),
        other => panic!("{other:?}"),
    }
}

#[track_caller]
fn assert_done(recorded: &Recorded) {
    assert!(matches!(recorded, Recorded::Done { changed: true, .. }), "{recorded:?}");
}

/// Kind, outcome and cause of the newest rows.
async fn told(store: &Store, newest: u32) -> Vec<(Kind, &'static str, Option<String>)> {
    let filter = AuditFilter { newest: Some(newest), ..AuditFilter::default() };
    let rows = store.list_audit(&filter).await.unwrap();
    rows.iter().map(|row| (row.event.kind(), row.outcome.word(), row.cause().map(str::to_owned))).collect()
}

async fn the_first_key_is_the_only_one_until_the_credential_expires(world: World) {
    let store = world.open().await;
    let (assistant, verifier) = (world.principal(), world.instance());
    let (_, root) = world.begin(&store, &assistant).await;
    assert_done(&recorded(&world, &store, (&root, &verifier), 1, Some(ONE)).await);
    let (exchange, pin) = ((Kind::Exchange, "granted", None), (Kind::Pin, "granted", None));
    assert_eq!(told(&store, 2).await, [exchange.clone(), pin]);
    // The row of the pin has no agent to search by. It is found by the task of the exchange.
    for filter in [
        AuditFilter { agent: Some(verifier.id.clone()), ..AuditFilter::default() },
        AuditFilter { task: Some(root.task), ..AuditFilter::default() },
    ] {
        let rows = store.list_audit(&filter).await.unwrap();
        assert!(rows.iter().any(|row| row.event.kind() == Kind::Pin), "{filter:?}: {rows:?}");
    }

    world.advance(100).await;
    for proven in [Some(OTHER), None] {
        let refused = entry(&world, &root, &verifier, 1, proven);
        let token = token_of(&refused);
        assert_pinned(&store.record(refused).await.unwrap(), 200);
        assert!(store.find_lineage(token.jti).await.unwrap().is_none(), "nothing else was written");
        let cause = || Some("credential_pinned".to_owned());
        let expected = [(Kind::Exchange, "refused", cause()), (Kind::PinRefused, "refused", cause())];
        assert_eq!(told(&store, 2).await, expected);
    }
    assert_done(&recorded(&world, &store, (&root, &verifier), 1, Some(ONE)).await);
    assert_eq!(told(&store, 1).await, [exchange], "it is pinned once");
}

async fn a_request_without_a_proof_pins_nothing(world: World) {
    let store = world.open().await;
    let (assistant, verifier) = (world.principal(), world.instance());
    let (_, root) = world.begin(&store, &assistant).await;
    assert_done(&recorded(&world, &store, (&root, &verifier), 1, None).await);
    assert_done(&recorded(&world, &store, (&root, &verifier), 1, Some(OTHER)).await);
    assert_pinned(&recorded(&world, &store, (&root, &verifier), 1, None).await, i64::from(LIFE));
}

async fn of_many_first_keys_in_one_group_one_wins(world: World) {
    let store = world.open().await;
    let (assistant, verifier) = (world.principal(), world.instance());
    let (_, root) = world.begin(&store, &assistant).await;
    // Announced, so that the writer waits for all of them.
    let announced: Vec<_> = (0..8).map(|_| store.announce()).collect();
    let entries = (0..8).map(|key| {
        store.record(entry(&world, &root, &verifier, 1, Some(Confirmation::Key(Jkt::new([key; 32])))))
    });
    let answers = futures_util::future::join_all(entries).await;
    drop(announced);
    let done = answers.iter().filter(|answer| matches!(answer, Ok(Recorded::Done { .. }))).count();
    assert_eq!(done, 1, "{answers:?}");
    answers
        .into_iter()
        .map(Result::unwrap)
        .filter(|answer| !matches!(answer, Recorded::Done { .. }))
        .for_each(|refused| assert_pinned(&refused, i64::from(LIFE)));
}

/// Entries of one group.
const MANY: u8 = 19;

/// Records all of these in one group.
async fn together(store: &Store, entries: Vec<Entry>) -> Vec<Recorded> {
    // Announced, so that the writer waits for all of them.
    let announced: Vec<_> = entries.iter().map(|_| store.announce()).collect();
    let entries = entries.into_iter().map(|entry| store.record(entry));
    let answers = futures_util::future::try_join_all(entries).await.unwrap();
    drop(announced);
    answers
}

async fn of_many_credentials_in_one_group_each_keeps_its_own_key(world: World) {
    let store = world.open().await;
    let (assistant, verifier) = (world.principal(), world.instance());
    let (_, root) = world.begin(&store, &assistant).await;
    let group = |key: fn(u8) -> u8| {
        (0..MANY)
            .map(|number| {
                let proven = Confirmation::Key(Jkt::new([key(number); 32]));
                entry(&world, &root, &verifier, number, Some(proven))
            })
            .collect()
    };
    together(&store, group(|number| number)).await.iter().for_each(assert_done);
    together(&store, group(|number| number)).await.iter().for_each(assert_done);
    let refused = together(&store, group(|number| number + 1)).await;
    refused.iter().for_each(|recorded| assert_pinned(recorded, i64::from(LIFE)));
}

async fn of_many_uses_in_one_group_each_is_known_afterwards(world: World) {
    let store = world.open().await;
    let (assistant, verifier) = (world.principal(), world.instance());
    let (_, root) = world.begin(&store, &assistant).await;
    let entries = |uses: &[OneTime]| {
        uses.iter()
            .map(|used| {
                let mut entry = world.later(&root, &verifier);
                entry.one_time = vec![used.clone()];
                entry
            })
            .collect()
    };
    let uses: Vec<OneTime> = (0..MANY).map(|_| world.assertion()).collect();
    together(&store, entries(&uses)).await.iter().for_each(assert_done);
    let replayed = together(&store, entries(&uses)).await;
    assert!(replayed.iter().all(|recorded| matches!(recorded, Recorded::Replayed(_))), "{replayed:?}");
}

async fn another_credential_may_have_another_key(world: World) {
    let store = world.open().await;
    let (assistant, verifier) = (world.principal(), world.instance());
    let (_, root) = world.begin(&store, &assistant).await;
    assert_done(&recorded(&world, &store, (&root, &verifier), 1, Some(ONE)).await);
    assert_done(&recorded(&world, &store, (&root, &verifier), 2, Some(OTHER)).await);
}

async fn a_pin_is_kept_as_long_as_the_credential_could_be_taken(world: World) {
    let store = world.open().await;
    let (assistant, verifier) = (world.principal(), world.instance());
    let (_, root) = world.begin(&store, &assistant).await;
    assert_done(&recorded(&world, &store, (&root, &verifier), 1, Some(ONE)).await);
    let kept = LIFE + FOREIGN_LEEWAY.seconds() + CLOCK_TOLERANCE.seconds();
    world.advance(kept - 1).await;
    while world.control(&store, Control::Sweep).await.1 {}
    assert_pinned(&recorded(&world, &store, (&root, &verifier), 1, Some(OTHER)).await, 1);
    world.advance(2).await;
    while world.control(&store, Control::Sweep).await.1 {}
    assert_done(&recorded(&world, &store, (&root, &verifier), 1, Some(OTHER)).await);
}

async fn a_proof_is_used_up_once_by_its_key(world: World) {
    let store = world.open().await;
    let assistant = world.principal();
    let (_, root) = world.begin(&store, &assistant).await;
    let proof = |key| OneTime::Proof { key, jti: [3; 32], until: START.plus(Lifetime::from_seconds(60)) };
    let spending = |key| {
        let mut entry = world.later(&root, &assistant);
        entry.one_time = vec![world.assertion(), proof(key)];
        store.record(entry)
    };
    assert_done(&spending(KEY).await.unwrap());
    let again = spending(KEY).await.unwrap();
    assert!(matches!(again, Recorded::Replayed(Plain::ProofReplayed)), "{again:?}");
    // Nobody can use up the `jti` of another key.
    assert_done(&spending(Jkt::new([2; 32])).await.unwrap());
}

async fn a_bound_token_is_read_back_with_its_key_or_certificate(world: World) {
    let store = world.open().await;
    let assistant = world.principal();
    let (_, root) = world.begin(&store, &assistant).await;
    assert_eq!(world.lineage(&store, &root).await.delegation.bound_to, None);
    for bound_to in [ONE, CERTIFICATE] {
        let later = world.later(&root, &assistant);
        let entry = world.changed(&later, |terms, _| terms.proposal.bound_to = Some(bound_to));
        let token = world.issued(&store, entry).await;
        assert_eq!(world.lineage(&store, &token).await.delegation.bound_to, Some(bound_to));
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn of_two_first_keys_on_two_nodes_one_wins() {
    let Some(world) = World::postgres().await else { return };
    let (one, other) = (world.open().await, world.open_as(&world.second_node()).await.unwrap());
    let (assistant, verifier) = (world.principal(), world.instance());
    let (_, root) = world.begin(&one, &assistant).await;
    for number in 0..20 {
        let (first, second) = tokio::join!(
            one.record(entry(&world, &root, &verifier, number, Some(ONE))),
            other.record(entry(&world, &root, &verifier, number, Some(OTHER)))
        );
        let answers = [first.unwrap(), second.unwrap()];
        let done = answers.iter().filter(|answer| matches!(answer, Recorded::Done { .. })).count();
        assert_eq!(done, 1, "{answers:?}");
        // Both nodes agree on which was first.
        let key = if matches!(answers[0], Recorded::Done { .. }) { ONE } else { OTHER };
        for store in [&one, &other] {
            assert_done(&recorded(&world, store, (&root, &verifier), number, Some(key)).await);
        }
    }
}

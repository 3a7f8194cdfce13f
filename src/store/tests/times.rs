//! Time, durability, and what is left after a stop without notice.

use std::os::unix::fs::PermissionsExt as _;

use super::on_each_database;
use super::world::{END_OF_RETENTION, START, World, end};
use crate::base::time::{CLOCK_TOLERANCE, Lifetime};
use crate::config;
use crate::delegation::record::{AgentState, EndReason};
use crate::oauth::TokenFault;
use crate::store::entry::{Change, Control, Entry, Recorded};
use crate::store::{AuditFilter, StoreError, postgres, sqlite, verify};

on_each_database! {
    the_highest_time_is_kept_and_only_reset_goes_back,
    a_sweep_ends_what_is_over,
    a_sweep_removes_rows_past_their_use,
    what_was_used_is_known_for_as_long_as_a_clock_may_be_behind,
    only_a_server_has_a_clock_of_its_own,
    an_id_token_that_fed_a_task_is_known_for_as_long_as_any_is_taken,
    what_was_committed_is_there_after_a_stop_without_notice,
    a_second_server_on_one_data_directory_is_refused,
    a_closed_store_takes_nothing_more,
    a_lone_request_is_not_kept_waiting,
}

async fn the_highest_time_is_kept_and_only_reset_goes_back(world: World) {
    let store = world.open().await;
    world.advance(100).await;
    store.record(world.entry(Change::Nothing)).await.unwrap();
    let highest = world.now();

    let mut earlier = world.entry(Change::Nothing);
    earlier.now = START;
    store.record(earlier).await.unwrap();
    assert_eq!(store.highest_time().await.unwrap(), Some(highest));
    drop(store);

    let store = world.reopen().await;
    assert_eq!(store.highest_time().await.unwrap(), Some(highest));
    let mut reset = world.entry(Change::Control(Control::ResetClock));
    reset.now = START;
    world.set_back(START).await;
    store.record(reset).await.unwrap();
    assert_eq!(store.highest_time().await.unwrap(), Some(START));
}

async fn a_sweep_ends_what_is_over(world: World) {
    let store = world.open().await;
    let verifier = world.instance();
    let (_, root) = world.begin(&store, &world.principal()).await;
    let access = world.exchange(&store, &root, &world.principal()).await;
    world.exchange(&store, &access, &verifier).await;
    assert_eq!(world.control(&store, Control::Sweep).await, (0, false));
    world.advance(3600).await;
    assert_eq!(world.life(&store, &root).await, Err(TokenFault::Expired));

    assert_eq!(world.control(&store, Control::Sweep).await, (0, true));

    let task = store.find_task(root.task).await.unwrap().unwrap();
    assert_eq!(task.ended.map(|ended| ended.why), Some(EndReason::Expired));
    let retired = store.find_agent(&verifier.id).await.unwrap().unwrap();
    assert_eq!(retired.state, AgentState::Retired);
    assert_eq!(store.list_tasks(Some(world.now()), None, 10).await.unwrap(), Vec::new());
}

async fn what_was_used_is_known_for_as_long_as_a_clock_may_be_behind(world: World) {
    let store = world.open().await;
    let used = world.assertion();
    let uses = async |at| {
        let mut entry = world.entry(Change::Nothing);
        (entry.one_time, entry.now) = (vec![used.clone()], at);
        store.record(entry).await.unwrap()
    };
    assert!(matches!(uses(START).await, Recorded::Done { .. }));
    world.advance(300 + 2 * CLOCK_TOLERANCE.seconds() - 1).await;
    while world.control(&store, Control::Sweep).await.1 {}
    assert!(matches!(uses(START).await, Recorded::Replayed(_)));

    world.advance(2).await;
    while world.control(&store, Control::Sweep).await.1 {}
    assert!(matches!(uses(world.now()).await, Recorded::Done { .. }), "nothing is kept for ever");
}

async fn only_a_server_has_a_clock_of_its_own(world: World) {
    let store = world.open().await;
    world.advance(10).await;
    assert_eq!(store.database_time().await.unwrap(), world.is_postgres().then(|| world.now()));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_time_that_the_clock_of_the_database_denies_is_not_kept() {
    let Some(world) = World::postgres().await else { return };
    let store = world.open().await;
    let ahead = |seconds| world.now().plus(Lifetime::from_seconds(seconds));
    let note = async |at| {
        store.record(Entry { now: at, ..world.entry(Change::Nothing) }).await.unwrap();
        store.highest_time().await.unwrap().unwrap()
    };
    assert_eq!(note(ahead(59)).await, ahead(59));
    assert_eq!(note(ahead(61)).await, ahead(59));
    assert_eq!(note(ahead(172_800)).await, ahead(59));
    store.close().await.unwrap();
    drop(store);
    let store = world.reopen().await;
    assert_eq!(store.highest_time().await.unwrap(), Some(ahead(59)), "and not written at the end");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn nothing_is_issued_removed_or_reset_by_a_clock_that_the_database_denies() {
    let Some(world) = World::postgres().await else { return };
    let store = world.open().await;
    let (_, root) = world.begin(&store, &world.principal()).await;
    let two_days = Lifetime::from_seconds(172_800);
    for wrong in [world.now().plus(two_days), world.now().minus(two_days)] {
        let issue = world.later(&root, &world.principal());
        let sweep = world.entry(Change::Control(Control::Sweep));
        let reset = world.entry(Change::Control(Control::ResetClock));
        for entry in [issue, sweep, reset] {
            let recorded = store.record(Entry { now: wrong, ..entry }).await;
            assert!(matches!(recorded, Err(StoreError::ClockDisagrees)), "{recorded:?}");
        }
        let token = world.exchange(&store, &root, &world.principal()).await;
        assert_eq!(world.life(&store, &token).await, Ok(()), "a node with the right clock goes on");
        assert_eq!(world.control(&store, Control::Sweep).await, (0, false));
    }
    // A request that was under way for a while is written all the same.
    let mut slow = world.later(&root, &world.principal());
    slow.now = world.now().minus(Lifetime::from_seconds(59 + 20));
    assert!(matches!(store.record(slow).await.unwrap(), Recorded::Done { .. }));
    let mut stop = world.entry(Change::Control(end(root.task)));
    stop.now = world.now().plus(two_days);
    assert!(matches!(store.record(stop).await.unwrap(), Recorded::Done { .. }), "a stop needs no clock");
    assert!(world.life(&store, &root).await.is_err());
}

async fn a_sweep_removes_rows_past_their_use(world: World) {
    let store = world.open().await;
    let verifier = world.instance();
    let (_, root) = world.begin(&store, &world.principal()).await;
    let mut entry = world.later(&root, &verifier);
    entry.one_time = vec![world.assertion()];
    let access = world.issued(&store, entry).await;
    world.advance(3600).await;
    while world.control(&store, Control::Sweep).await.1 {}
    assert!(store.find_lineage(access.jti).await.unwrap().is_some(), "kept to be explained");
    let recent = {
        world.advance(END_OF_RETENTION).await;
        let (_, recent) = world.begin(&store, &world.principal()).await;
        recent
    };

    while world.control(&store, Control::Sweep).await.1 {}

    assert!(store.find_lineage(access.jti).await.unwrap().is_none());
    assert!(store.find_lineage(root.jti).await.unwrap().is_none());
    assert_eq!(world.life(&store, &recent).await, Ok(()));
    assert!(store.find_agent(&verifier.id).await.unwrap().is_some(), "a tombstone stays");
    assert!(store.find_task(root.task).await.unwrap().is_some());
}

async fn an_id_token_that_fed_a_task_is_known_for_as_long_as_any_is_taken(world: World) {
    let store = world.open().await;
    let (sign_in, root) = world.begin(&store, &world.principal()).await;
    // The configuration takes no ID token older than a day; its clock may be a minute ahead.
    world.advance(86_400 + 60).await;

    while world.control(&store, Control::Sweep).await.1 {}

    assert!(!store.find_task(root.task).await.unwrap().unwrap().is_live(world.now()));
    let again = world.hop_zero(&store, &sign_in, &world.instance()).await;
    let recorded = store.record(again).await.unwrap();
    assert!(matches!(recorded, Recorded::Refused(_)), "{recorded:?}");
}

async fn what_was_committed_is_there_after_a_stop_without_notice(world: World) {
    let store = world.open().await;
    let (_, root) = world.begin(&store, &world.principal()).await;
    let before = store.list_audit(&AuditFilter::default()).await.unwrap().len();
    drop(store);

    let store = world.reopen().await;
    assert_eq!(world.life(&store, &root).await, Ok(()));
    world.exchange(&store, &root, &world.principal()).await;

    let rows = store.list_audit(&AuditFilter::default()).await.unwrap();
    assert_eq!(rows.len(), before + 1);
    let numbers: Vec<i64> = rows.iter().map(|row| row.envelope.seq).collect();
    assert_eq!(numbers, (1..=i64::try_from(before).unwrap() + 1).collect::<Vec<_>>());
    assert_eq!(verify::verify(&world.config).await.unwrap().faults, Vec::new());
}

async fn a_second_server_on_one_data_directory_is_refused(world: World) {
    let store = world.open().await;

    let second = world.open_as(&world.config).await;

    assert!(matches!(second, Err(StoreError::Unusable(why)) if why.contains("another server")));
    drop(store);
    assert!(world.open_as(&world.config).await.is_ok());
}

async fn a_closed_store_takes_nothing_more(world: World) {
    let store = world.open().await;
    let (_, root) = world.begin(&store, &world.principal()).await;

    store.close().await.unwrap();
    store.close().await.unwrap();

    let late = store.record(world.later(&root, &world.principal())).await;
    assert!(matches!(late, Err(StoreError::Busy)), "{late:?}");
    let report = verify::verify(&world.config).await.unwrap();
    assert_eq!((report.faults, report.chains[0].unanchored), (Vec::new(), 0));
}

async fn a_lone_request_is_not_kept_waiting(world: World) {
    let store = world.open().await;
    let queue = &store.inner.queue;

    let announced = store.announce();
    assert!(queue.is_waited_for(0) && !queue.is_waited_for(1));
    let another = store.announce();
    assert!(queue.is_waited_for(1) && !queue.is_waited_for(2));

    drop((announced, another));
    assert!(!queue.is_waited_for(0));
}

#[tokio::test]
async fn every_sqlite_connection_is_durable_and_the_file_is_private() {
    let world = World::sqlite();
    drop(world.open().await);
    let config::Database::Sqlite(path) = &world.config.database else { panic!() };

    for purpose in [sqlite::Use::Write, sqlite::Use::Read] {
        let mut connection = sqlite::connect(path, purpose).unwrap();
        let settings = sqlite::Settings::of(&mut connection).unwrap();
        assert_eq!((settings.journal_mode.as_str(), settings.synchronous), ("wal", 2));
        assert_eq!((settings.foreign_keys, settings.busy_timeout), (1, 5000));
    }
    assert_eq!(std::fs::metadata(path).unwrap().permissions().mode() & 0o777, 0o600);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn every_postgresql_connection_waits_for_the_disk() {
    let Some(world) = World::postgres().await else { return };
    let config::Database::Postgres(url) = &world.config.database else { panic!() };
    world.tamper_all("ALTER ROLE CURRENT_USER IN DATABASE %d SET synchronous_commit = off").await;

    let database = postgres::Database::open(url).await.unwrap();
    let reader = database.reader().await.unwrap();
    assert_eq!(postgres::synchronous_commit(&reader).await.unwrap(), "on");
    let mut engine = database.engine().unwrap();
    let found = tokio::task::spawn_blocking(move || {
        crate::store::writer::Engine::run(&mut engine, async |session: &mut postgres::Session<'_>| {
            Ok(postgres::synchronous_commit(session.0).await?)
        })
    });
    assert_eq!(found.await.unwrap().unwrap(), "on");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_database_that_does_not_answer_is_an_error_and_no_hang() {
    let Some(world) = World::postgres().await else { return };
    let store = world.open().await;
    let (_, root) = world.begin(&store, &world.principal()).await;
    let lock = world.hold_lock("LOCK TABLE audit IN ACCESS EXCLUSIVE MODE").await;

    let began = std::time::Instant::now();
    let answers =
        futures_util::future::join_all((0..5).map(|_| store.record(world.later(&root, &world.principal()))))
            .await;

    assert!(answers.iter().all(|answer| matches!(answer, Err(StoreError::Database(_)))), "{answers:?}");
    assert!(began.elapsed() < std::time::Duration::from_secs(9));
    drop(lock);
    world.exchange(&store, &root, &world.principal()).await;
    assert_eq!(verify::verify(&world.config).await.unwrap().faults, Vec::new());
}

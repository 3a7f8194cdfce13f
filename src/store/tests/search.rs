//! What an operator finds in the record: by client, outcome, event and time, in pages of bounded size, and chain by chain.

use super::on_each_database;
use super::world::{World, client, end};
use crate::audit::{Kind, OutcomeKind};
use crate::base::time::{Lifetime, Timestamp};
use crate::decision::Check;
use crate::oauth::{Cause, ClientId, TokenFault};
use crate::store::audit::{NOTABLE, chain};
use crate::store::entry::Change;
use crate::store::rows::Hash;
use crate::store::{AuditFilter, Store, Stretch};

on_each_database! {
    rows_are_found_by_client_outcome_event_and_time,
    a_search_looks_at_a_bounded_number_of_rows_and_says_where_it_left_off,
    refusals_and_acts_of_operators_are_found_among_many_rows_by_an_index,
    a_copy_of_a_chain_in_pages_verifies,
    the_part_of_a_chain_between_two_times_is_found,
}

/// Records a refusal of a client.
async fn refuse(world: &World, store: &Store, who: &str) {
    let mut note = world.entry(Change::Nothing);
    note.told = Some(world.told(|report| {
        report.who.client = ClientId::new(who);
        report.refuse_at(Check::Binding, Cause::subject(TokenFault::NotYours));
    }));
    store.record(note).await.unwrap();
}

/// Adds `many` rows of another client that were granted, a millisecond apart, after the row `seq`.
async fn add_many(world: &World, seq: i64, many: i64) {
    world
        .tamper_all(&format!(
            "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < {many}) \
             INSERT INTO audit (chain, seq, at, event, outcome, client, body, hash) \
             SELECT chain, seq + i, at + i, 'exchange', 'granted', 'other', body, hash \
             FROM audit, n WHERE seq = {seq}"
        ))
        .await;
}

async fn numbers(store: &Store, filter: AuditFilter) -> Vec<i64> {
    store.list_audit(&filter).await.unwrap().iter().map(|row| row.envelope.seq).collect()
}

async fn rows_are_found_by_client_outcome_event_and_time(world: World) {
    let store = world.open().await;
    let (_, root) = world.begin(&store, &world.principal()).await;
    world.advance(100).await;
    refuse(&world, &store, "assistant").await;
    refuse(&world, &store, "other").await;
    world.control(&store, end(root.task)).await;

    let any = AuditFilter::default;
    let refused = || AuditFilter { outcome: Some(OutcomeKind::Refused), ..any() };
    let since = Some(world.now());
    let before = Some(world.now().minus(Lifetime::from_seconds(1)));
    assert_eq!(numbers(&store, refused()).await, [3, 4]);
    assert_eq!(numbers(&store, AuditFilter { client: Some(client()), ..any() }).await, [2, 3]);
    assert_eq!(numbers(&store, AuditFilter { client: Some(client()), ..refused() }).await, [3]);
    assert_eq!(numbers(&store, AuditFilter { event: Some(Kind::TaskEnd), ..any() }).await, [5]);
    assert_eq!(numbers(&store, AuditFilter { since, ..any() }).await, [3, 4, 5]);
    assert_eq!(numbers(&store, AuditFilter { until: before, ..any() }).await, [1, 2]);
    assert_eq!(numbers(&store, AuditFilter { newest: Some(1), ..refused() }).await, [4]);
    let in_task = AuditFilter { task: Some(root.task), ..any() };
    assert_eq!(numbers(&store, AuditFilter { since, ..in_task.clone() }).await, [5]);
    assert_eq!(numbers(&store, AuditFilter { event: Some(Kind::Exchange), ..in_task }).await, [2]);
    let of_agent = AuditFilter { agent: Some(world.principal().id), ..any() };
    assert_eq!(numbers(&store, AuditFilter { until: before, ..of_agent.clone() }).await, [2]);
    assert_eq!(
        numbers(&store, AuditFilter { outcome: Some(OutcomeKind::Failed), ..of_agent }).await,
        Vec::<i64>::new()
    );
}

async fn a_search_looks_at_a_bounded_number_of_rows_and_says_where_it_left_off(world: World) {
    let store = world.open().await;
    world.begin(&store, &world.principal()).await;
    add_many(&world, 2, 45_000).await;

    let mut filter = AuditFilter { client: Some(client()), newest: Some(10), ..AuditFilter::default() };
    let mut left: Vec<Timestamp> = Vec::new();
    let found = loop {
        let found = store.search_audit(&filter).await.unwrap();
        match found.left_at {
            Some(at) => {
                assert!(found.rows.is_empty(), "{:?}", found.rows);
                left.push(at);
                filter.until = Some(at);
            }
            None => break found.rows,
        }
    };

    let begun = world.now().millis();
    assert_eq!(left.iter().map(|at| at.millis() - begun).collect::<Vec<_>>(), [25_000, 5_000]);
    assert_eq!(found.iter().map(|row| row.envelope.seq).collect::<Vec<_>>(), [2]);
    // A list that is full looks no further.
    let full = AuditFilter { newest: Some(1), ..AuditFilter::default() };
    assert_eq!(store.search_audit(&full).await.unwrap().left_at, None);
}

async fn refusals_and_acts_of_operators_are_found_among_many_rows_by_an_index(world: World) {
    let store = world.open().await;
    refuse(&world, &store, "assistant").await;
    add_many(&world, 2, 45_000).await;
    if world.is_postgres() {
        world.tamper_all("ANALYZE audit").await;
    }

    let refused =
        AuditFilter { outcome: Some(OutcomeKind::Refused), newest: Some(10), ..AuditFilter::default() };
    let found = store.search_audit(&refused).await.unwrap();
    assert_eq!((found.rows.len(), found.rows[0].envelope.seq, found.left_at), (1, 2, None));
    let keys = AuditFilter { event: Some(Kind::Key), newest: Some(10), ..AuditFilter::default() };
    assert_eq!(store.search_audit(&keys).await.unwrap().left_at, None, "one step is enough");

    let order = "ORDER BY at DESC, seq DESC LIMIT 10";
    let of_time = format!("SELECT body FROM audit WHERE seq >= 1 AND at > 0 AND at <= 9000000000000 {order}");
    assert!(world.plan_of(&of_time).await.contains("audit_at"), "{}", world.plan_of(&of_time).await);
    let notable = of_time.replace("WHERE", &format!("WHERE {NOTABLE} AND"));
    assert!(world.plan_of(&notable).await.contains("audit_notable"), "{}", world.plan_of(&notable).await);
    let step = "SELECT at FROM audit WHERE at <= 9000000000000 ORDER BY at DESC LIMIT 1 OFFSET 20000";
    assert!(world.plan_of(step).await.contains("audit_at"), "{}", world.plan_of(step).await);
}

async fn a_copy_of_a_chain_in_pages_verifies(world: World) {
    super::audit::ten_rows(&world).await;
    let store = world.reopen().await;
    let parts = store.list_chains(None, None).await.unwrap();
    let [Stretch { chain, first: 1, last: 10 }] = &parts[..] else { panic!("{parts:?}") };

    let mut copy = Vec::new();
    while let Some(page) =
        Some(store.list_chain(chain, copy.len() as i64, 3).await.unwrap()).filter(|page| !page.is_empty())
    {
        assert!(page.len() <= 3);
        copy.extend(page);
    }

    assert_eq!(copy.iter().map(|row| row.seq).collect::<Vec<_>>(), (1..=10).collect::<Vec<_>>());
    let mut previous = Hash([0; 32]);
    for row in &copy {
        assert_eq!(row.previous, Some(previous.0));
        assert_eq!(chain::link(&previous, &row.chain, row.seq, &row.body).0, row.hash);
        previous = Hash(row.hash);
    }
    // A row that is missing is noticed by the one after it.
    world.tamper_all("DELETE FROM audit WHERE seq = 4").await;
    let rest = store.list_chain(chain, 3, 2).await.unwrap();
    assert_eq!(
        rest.iter().map(|row| (row.seq, row.previous.is_some())).collect::<Vec<_>>(),
        [(5, false), (6, true)]
    );
    assert_eq!(store.list_chain("another", 0, 3).await.unwrap(), []);
}

async fn the_part_of_a_chain_between_two_times_is_found(world: World) {
    let store = world.open().await;
    for _ in 0..6 {
        world.advance(600).await;
        refuse(&world, &store, "assistant").await;
    }
    let at = |row: i64| {
        let since_begin = Lifetime::from_seconds(600 * u32::try_from(row - 1).unwrap());
        Some(super::world::START.plus(since_begin))
    };
    let part = async |since, until| {
        let parts = store.list_chains(since, until).await.unwrap();
        (parts[0].first, parts[0].last)
    };

    assert_eq!(part(None, None).await, (1, 7));
    assert_eq!(part(at(3), None).await, (3, 7));
    assert_eq!(part(at(3), at(5)).await, (3, 5));
    assert_eq!(part(None, at(1)).await, (1, 1));
    let (first, last) = part(at(9), None).await;
    assert!(first > last, "nothing is that late: {first} {last}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_rows_of_several_nodes_are_found_in_the_order_of_time() {
    let Some(world) = World::postgres().await else { return };
    let first = world.open().await;
    let second = world.open_as(&world.second_node()).await.unwrap();
    for (store, who) in [(&first, "a"), (&second, "b"), (&first, "c")] {
        world.advance(1).await;
        refuse(&world, store, who).await;
    }

    let refused = AuditFilter { outcome: Some(OutcomeKind::Refused), ..AuditFilter::default() };
    let rows = first.list_audit(&refused).await.unwrap();
    let clients: Vec<&str> = rows.iter().filter_map(|row| Some(row.client()?.as_str())).collect();
    assert_eq!(clients, ["a", "b", "c"]);
    let mut parts = second.list_chains(None, None).await.unwrap();
    parts.sort_by_key(|part| part.last);
    assert_eq!(parts.iter().map(|part| (part.first, part.last)).collect::<Vec<_>>(), [(1, 1), (1, 3)]);
    assert_eq!(parts[0].chain, rows[1].envelope.chain);
}

//! What is found of tampering at every place, with files removed, and with the database changed under a node.

use super::audit::{faults, ten_rows};
use super::on_each_database;
use super::world::World;
use crate::config;
use crate::store::entry::Change;
use crate::store::verify::{FaultKind, verify};
use crate::store::{AuditFilter, Store};

on_each_database! {
    rows_are_numbered_from_one,
    an_insertion_is_found_at_every_place,
    a_deletion_is_found_at_every_place,
    an_edit_is_found_at_every_place,
    an_exchange_of_two_rows_is_found_at_every_place,
    what_is_outside_of_the_chain_is_not_shown,
    a_chain_does_not_go_on_after_the_greatest_number,
    a_missing_checkpoint_file_is_a_fault,
    a_checkpoint_file_may_be_rotated,
    a_database_that_is_behind_the_checkpoint_file_is_refused,
    a_node_that_moves_to_another_database_begins_a_new_chain,
}

/// Lets a test write what the tables refuse, as someone can who owns the database.
async fn tamper(world: &World, statements: &str) {
    let unchecked = if world.is_postgres() {
        "ALTER TABLE audit DROP CONSTRAINT IF EXISTS audit_seq;"
    } else {
        "PRAGMA ignore_check_constraints = ON;"
    };
    world.tamper_all(&format!("{unchecked} {statements}")).await;
}

/// Keeps the rows as they are, for [`restore`].
async fn keep(world: &World) {
    world.tamper_all("CREATE TABLE kept AS SELECT * FROM audit").await;
}

async fn restore(world: &World) {
    world.tamper_all("DELETE FROM audit; INSERT INTO audit SELECT * FROM kept").await;
}

/// Every place: of the rows, before, after and far from them.
const PLACES: [i64; 15] = [i64::MIN, -7, -1, 0, 1, 2, 3, 4, 5, 6, 7, 9, 10, 11, i64::MAX];

async fn rows_are_numbered_from_one(world: World) {
    ten_rows(&world).await;
    let tampering = world.try_tamper("UPDATE audit SET seq = 0 WHERE seq = 4").await;
    assert!(tampering.unwrap_err().contains("audit_seq"));
}

async fn an_insertion_is_found_at_every_place(world: World) {
    ten_rows(&world).await;
    keep(&world).await;
    for place in PLACES {
        for chain in ["chain", "'ffffffffffffffff'", "''"] {
            // A row that has this number, and those after it, are moved up by one.
            let moving = match (chain, place) {
                ("chain", 1..=10) => format!(
                    "UPDATE audit SET seq = seq + 1000 WHERE seq >= {place}; \
                     UPDATE audit SET seq = seq - 999 WHERE seq >= 1000;"
                ),
                _ => String::new(),
            };
            let columns =
                "at, event, outcome, request, client, agent, task, jti, parent, subject, cause, body, hash";
            tamper(
                &world,
                &format!(
                    "{moving} INSERT INTO audit (chain, seq, {columns}) SELECT {chain}, {place}, {columns} FROM kept \
                     WHERE seq = 4"
                ),
            )
            .await;
            assert_ne!(faults(&world).await, [], "place {place}, chain {chain}");
            restore(&world).await;
        }
    }
    assert_eq!(faults(&world).await, []);
}

async fn a_deletion_is_found_at_every_place(world: World) {
    ten_rows(&world).await;
    keep(&world).await;
    for place in 1..=10 {
        tamper(&world, &format!("DELETE FROM audit WHERE seq = {place}")).await;
        assert_ne!(faults(&world).await, [], "place {place}");
        restore(&world).await;
    }
    tamper(&world, "DELETE FROM audit").await;
    assert_eq!(faults(&world).await, [(1, FaultKind::TailCut(10))]);
    tamper(&world, "DELETE FROM checkpoint; DELETE FROM checkpoint_key").await;
    assert_eq!(faults(&world).await, [(0, FaultKind::Gone), (1, FaultKind::TailCut(10))]);
}

async fn an_edit_is_found_at_every_place(world: World) {
    ten_rows(&world).await;
    keep(&world).await;
    for place in 1..=10 {
        let other_hash = "hash = (SELECT hash FROM kept WHERE seq = 11 - audit.seq)";
        for edit in ["body = replace(body, '1', '2')", "at = at + 1", other_hash] {
            tamper(&world, &format!("UPDATE audit SET {edit} WHERE seq = {place}")).await;
            assert_ne!(faults(&world).await, [], "place {place}, {edit}");
            restore(&world).await;
        }
        for seq in [i64::MIN, -1, 0, 11, i64::MAX] {
            tamper(&world, &format!("UPDATE audit SET seq = {seq} WHERE seq = {place}")).await;
            assert_ne!(faults(&world).await, [], "row {place} as {seq}");
            restore(&world).await;
        }
    }
}

async fn an_exchange_of_two_rows_is_found_at_every_place(world: World) {
    ten_rows(&world).await;
    keep(&world).await;
    for one in 1..10 {
        for other in one + 1..=10 {
            tamper(
                &world,
                &format!(
                    "UPDATE audit SET seq = 1000 WHERE seq = {one}; UPDATE audit SET seq = {one} WHERE seq = {other}; \
                     UPDATE audit SET seq = {other} WHERE seq = 1000"
                ),
            )
            .await;
            assert_ne!(faults(&world).await, [], "{one} and {other}");
            restore(&world).await;
        }
    }
}

async fn what_is_outside_of_the_chain_is_not_shown(world: World) {
    ten_rows(&world).await;
    let whole = world.rows_of_all_filters().await;
    tamper(
        &world,
        "CREATE TABLE forged AS SELECT * FROM audit; UPDATE forged SET seq = seq - 20; \
         INSERT INTO audit SELECT * FROM forged",
    )
    .await;

    assert_eq!(world.rows_of_all_filters().await, whole);
    assert_eq!(faults(&world).await[0], (-19, FaultKind::Outside));
}

async fn a_chain_does_not_go_on_after_the_greatest_number(world: World) {
    ten_rows(&world).await;
    tamper(&world, &format!("UPDATE audit SET seq = {} WHERE seq = 10", i64::MAX)).await;
    let refused = world.open_as(&world.config).await.err().unwrap().to_string();
    assert!(refused.contains("the greatest number"), "{refused}");
}

async fn a_missing_checkpoint_file_is_a_fault(world: World) {
    ten_rows(&world).await;
    let path = &world.config.audit.checkpoint_file;
    let kept = std::fs::read_to_string(path).unwrap();
    let first = kept.lines().next().unwrap();

    std::fs::remove_file(path).unwrap();
    assert_eq!(faults(&world).await, [(0, FaultKind::NoFile)]);
    std::fs::write(path, "").unwrap();
    assert_eq!(faults(&world).await, [(10, FaultKind::FileBehind)]);
    std::fs::write(path, format!("{first}\n")).unwrap();
    assert_eq!(faults(&world).await, []);
}

async fn a_checkpoint_file_may_be_rotated(world: World) {
    ten_rows(&world).await;
    std::fs::remove_file(&world.config.audit.checkpoint_file).unwrap();
    let store = world.reopen().await;
    store.record(world.entry(Change::Nothing)).await.unwrap();
    store.close().await.unwrap();
    assert_eq!(faults(&world).await, []);

    // The first line names the end of the chain before it.
    world.tamper_all("DELETE FROM audit; DELETE FROM checkpoint").await;
    assert_eq!(faults(&world).await, [(1, FaultKind::TailCut(11))]);
    let text = std::fs::read_to_string(&world.config.audit.checkpoint_file).unwrap();
    assert!(text.contains("\"seq\":10,"), "{text}");
}

async fn a_database_that_is_behind_the_checkpoint_file_is_refused(world: World) {
    ten_rows(&world).await;
    keep(&world).await;
    write_rows(&world.reopen().await, &world, 5).await;

    restore(&world).await;

    let refused = world.open_as(&world.config).await.err().unwrap().to_string();
    assert!(refused.contains("reaches row 15"), "{refused}");
    for words in ["Restore a copy", "`node_id`", "repeat every revocation"] {
        assert!(refused.contains(words), "{refused}");
    }
    // The database file of F4: deleted, and made anew by the next start.
    world.tamper_all("DELETE FROM audit; DELETE FROM checkpoint; DELETE FROM checkpoint_key").await;
    let refused = world.open_as(&world.config).await.err().unwrap().to_string();
    assert!(refused.contains("has only 0 of these rows"), "{refused}");
}

async fn write_rows(store: &Store, world: &World, count: u32) {
    for _ in 0..count {
        store.record(world.entry(Change::Nothing)).await.unwrap();
    }
    store.close().await.unwrap();
}

async fn a_node_that_moves_to_another_database_begins_a_new_chain(world: World) {
    ten_rows(&world).await;
    let mut moved = world.config.clone();
    moved.database = config::Database::Sqlite(world.directory.path().join("elsewhere.db"));

    write_rows(&world.open_as(&moved).await.unwrap(), &world, 3).await;

    let report = verify(&moved).await.unwrap();
    assert_eq!(report.faults, []);
    assert_eq!((report.chains.len(), report.chains[0].rows), (1, 3));
    // The checkpoints of the chain that was left are kept, and show whether anything is missing there.
    let chain = report.chains[0].chain.clone();
    let old = std::fs::read_dir(world.config.data_dir.as_path()).unwrap();
    let old = old.filter_map(|entry| entry.unwrap().file_name().into_string().ok());
    let old: Vec<String> = old.filter(|name| name.starts_with("checkpoints.jsonl.")).collect();
    assert_eq!(old.len(), 1);
    assert!(!old[0].ends_with(&chain));
    // The new database is known from now on, and is not left behind without a word.
    write_rows(&world.open_as(&moved).await.unwrap(), &world, 1).await;
    assert_eq!(verify(&moved).await.unwrap().chains[0].rows, 4);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_end_of_another_nodes_chain_is_known_to_each_node() {
    let Some(world) = World::postgres().await else { return };
    ten_rows(&world).await;
    let second = world.second_node();
    write_rows(&world.open_as(&second).await.unwrap(), &world, 5).await;
    write_rows(&world.reopen().await, &world, 1).await;
    let chain = std::fs::read_to_string(second.data_dir.join("node_id")).unwrap();
    assert_eq!(faults(&world).await, []);

    let gone = ["audit", "checkpoint", "checkpoint_key"]
        .map(|table| format!("DELETE FROM {table} WHERE chain = '{}';", chain.trim_end()));
    world.tamper_all(&gone.concat()).await;

    assert_eq!(faults(&world).await, [(0, FaultKind::Gone), (1, FaultKind::TailCut(5))]);
}

impl World {
    /// The numbers of the rows that each way to ask finds.
    async fn rows_of_all_filters(&self) -> Vec<Vec<i64>> {
        let store = self.reopen().await;
        let all = store.list_audit(&AuditFilter::default()).await.unwrap();
        let any = AuditFilter::default;
        let mut filters = vec![any(), AuditFilter { newest: Some(100), ..any() }];
        for row in &all {
            filters.push(AuditFilter { task: row.task(), newest: Some(100), ..any() });
            filters.push(AuditFilter { jti: row.jti(), newest: Some(100), ..any() });
            filters.push(AuditFilter { agent: row.agent().cloned(), newest: Some(100), ..any() });
        }
        let mut found = Vec::new();
        for filter in &filters {
            let rows = store.list_audit(filter).await.unwrap();
            found.push(rows.iter().map(|row| row.envelope.seq).collect());
        }
        drop(store);
        found
    }
}

//! The audit chain: what is found of tampering, and what is found by asking.

use super::on_each_database;
use super::world::{World, revoke};
use crate::audit::{Event, Kind};
use crate::config;
use crate::decision::Check;
use crate::oauth::{Cause, TokenFault};
use crate::store::audit::chain;
use crate::store::entry::Change;
use crate::store::rows::Hash;
use crate::store::verify::{Fault, FaultKind, verify};
use crate::store::{AuditFilter, Store};

on_each_database! {
    an_untouched_chain_verifies,
    an_edited_body_is_found,
    a_body_of_an_unknown_version_is_named,
    an_edited_copy_is_found_in_every_column,
    a_deleted_row_is_found,
    reordered_rows_are_found,
    an_inserted_row_is_found,
    a_cut_tail_is_found_against_the_checkpoint_file,
    a_rewritten_chain_is_found_against_the_checkpoint_file,
    a_forged_checkpoint_is_found,
    a_chain_nobody_wrote_is_found,
    rows_not_yet_signed_are_named,
    a_checkpoint_is_signed_every_thousand_rows,
    a_line_a_crash_left_unfinished_is_dropped,
    an_agents_rows_are_found_wherever_it_was_in_the_chain,
    the_newest_rows_are_found_whichever_task_they_are_in,
    rows_are_found_by_each_column,
}

/// A chain of ten rows, signed at its end.
pub(super) async fn ten_rows(world: &World) {
    let store = world.open().await;
    let (_, root) = world.begin(&store, &world.principal()).await;
    let access = world.exchange(&store, &root, &world.principal()).await;
    world.exchange(&store, &access, &world.instance()).await;
    for _ in 0..5 {
        let mut note = world.entry(Change::Nothing);
        let not_yours = Cause::subject(TokenFault::NotYours);
        note.told = Some(world.told(|report| report.refuse_at(Check::Binding, not_yours)));
        store.record(note).await.unwrap();
    }
    world.control(&store, revoke(&access)).await;
    store.close().await.unwrap();
}

pub(super) async fn faults(world: &World) -> Vec<(i64, FaultKind)> {
    let report = verify(&world.config).await.unwrap();
    report.faults.into_iter().map(|Fault { seq, what, .. }| (seq, what)).collect()
}

async fn an_untouched_chain_verifies(world: World) {
    ten_rows(&world).await;

    let report = verify(&world.config).await.unwrap();

    assert_eq!(report.faults, Vec::new());
    assert_eq!(report.chains.len(), 1);
    let chain = &report.chains[0];
    assert_eq!((chain.rows, chain.last, chain.anchored, chain.unanchored), (10, 10, 10, 0));
    assert_eq!(chain.anchored_at, Some(world.now()));
}

async fn an_edited_body_is_found(world: World) {
    ten_rows(&world).await;

    // Both the body and its copy are changed, so that only the hash differs.
    world
        .tamper_all(
            "UPDATE audit SET body = replace(body, 'not_yours', 'may_act'), cause = 'may_act' WHERE seq = 6",
        )
        .await;

    assert_eq!(faults(&world).await, vec![(6, FaultKind::Hash)]);
}

async fn a_body_of_an_unknown_version_is_named(world: World) {
    ten_rows(&world).await;

    // With a member that means nothing here: a later version need not have the form of this one.
    world
        .tamper_all(
            "UPDATE audit SET body = replace(replace(body, '{\"v\":1,', '{\"v\":2,'), '\"event\"', '\"kind\"') \
             WHERE seq = 6",
        )
        .await;

    assert_eq!(faults(&world).await, vec![(6, FaultKind::Hash), (6, FaultKind::Version(2))]);
}

async fn an_edited_copy_is_found_in_every_column(world: World) {
    ten_rows(&world).await;
    let edits = [
        ("at", "at = at + 1"),
        ("event", "event = 'key'"),
        ("outcome", "outcome = 'failed'"),
        ("request", "request = task"),
        ("client", "client = 'other'"),
        ("agent", "agent = 'agent_other'"),
        ("task", "task = jti"),
        ("jti", "jti = NULL"),
        ("parent", "parent = jti"),
        ("subject", "subject = NULL"),
        ("cause", "cause = 'other'"),
    ];
    for (column, edit) in edits {
        world.tamper_all("CREATE TABLE kept AS SELECT * FROM audit WHERE seq = 4").await;
        world.tamper_all(&format!("UPDATE audit SET {edit} WHERE seq = 4")).await;

        assert_eq!(faults(&world).await, vec![(4, FaultKind::Column(column))]);

        world
            .tamper_all(
                "DELETE FROM audit WHERE seq = 4; INSERT INTO audit SELECT * FROM kept; DROP TABLE kept",
            )
            .await;
        assert_eq!(faults(&world).await, Vec::new());
    }
}

async fn a_deleted_row_is_found(world: World) {
    ten_rows(&world).await;

    world.tamper_all("DELETE FROM audit WHERE seq = 5").await;
    assert_eq!(faults(&world).await, vec![(5, FaultKind::Missing)]);

    // And renumbered, to leave no gap.
    world
        .tamper_all(
            "UPDATE audit SET seq = seq + 1000 WHERE seq > 5; UPDATE audit SET seq = seq - 1001 WHERE seq > 1000",
        )
        .await;
    assert_eq!(faults(&world).await[0], (5, FaultKind::Hash));
}

async fn reordered_rows_are_found(world: World) {
    ten_rows(&world).await;

    world
        .tamper_all(
            "UPDATE audit SET seq = 1000 WHERE seq = 4; UPDATE audit SET seq = 4 WHERE seq = 5; \
             UPDATE audit SET seq = 5 WHERE seq = 1000",
        )
        .await;

    assert_eq!(faults(&world).await[0], (4, FaultKind::Hash));
}

async fn an_inserted_row_is_found(world: World) {
    ten_rows(&world).await;

    world
        .tamper_all(
            "UPDATE audit SET seq = seq + 1000 WHERE seq > 3; UPDATE audit SET seq = seq - 999 WHERE seq > 1000; \
             CREATE TABLE copied AS SELECT * FROM audit WHERE seq = 3; UPDATE copied SET seq = 4; \
             INSERT INTO audit SELECT * FROM copied; DROP TABLE copied",
        )
        .await;

    assert_eq!(faults(&world).await[0], (4, FaultKind::Hash));
}

async fn a_cut_tail_is_found_against_the_checkpoint_file(world: World) {
    ten_rows(&world).await;

    world.tamper_all("DELETE FROM audit WHERE seq > 7; DELETE FROM checkpoint").await;
    assert_eq!(faults(&world).await, vec![(8, FaultKind::TailCut(10))]);

    // The numbers of the deleted rows are not given again.
    let refused = world.open_as(&world.config).await.err().unwrap().to_string();
    assert!(refused.contains("reaches row 10 of the audit chain"), "{refused}");
    assert!(refused.contains("has only 7 of these rows"), "{refused}");
    assert_eq!(faults(&world).await, vec![(8, FaultKind::TailCut(10))]);
}

async fn a_rewritten_chain_is_found_against_the_checkpoint_file(world: World) {
    ten_rows(&world).await;
    let store = world.reopen().await;
    let rows = store.list_audit(&AuditFilter::default()).await.unwrap();
    drop(store);
    let is_sqlite = matches!(world.config.database, config::Database::Sqlite(_));

    // Every hash is right again from the edited row on; only the signature is not.
    let mut statements = "DELETE FROM checkpoint;".to_owned();
    let mut previous = Hash([0; 32]);
    for row in rows {
        let body =
            if row.envelope.seq == 6 { row.body().replace("not_yours", "may_act") } else { row.body() };
        let hash = chain::link(&previous, &row.envelope.chain, row.envelope.seq, &body);
        let hex = data_encoding::HEXLOWER.encode(&hash.0);
        let literal = if is_sqlite { format!("X'{hex}'") } else { format!("'\\x{hex}'") };
        let cause = if row.envelope.seq == 6 { ", cause = 'may_act'" } else { "" };
        statements += &format!(
            "UPDATE audit SET body = '{body}', hash = {literal}{cause} WHERE seq = {};",
            row.envelope.seq
        );
        previous = hash;
    }
    world.tamper_all(&statements).await;

    assert_eq!(faults(&world).await, vec![(10, FaultKind::Checkpoint)]);
}

async fn a_forged_checkpoint_is_found(world: World) {
    ten_rows(&world).await;

    world.tamper_all("UPDATE checkpoint SET at = at + 1").await;
    assert_eq!(faults(&world).await, vec![(10, FaultKind::Signature)]);
    world.tamper_all("UPDATE checkpoint SET at = at - 1").await;

    let path = &world.config.audit.checkpoint_file;
    let text = std::fs::read_to_string(path).unwrap();
    std::fs::write(path, text.replace("\"seq\":10", "\"seq\":9")).unwrap();
    assert_eq!(faults(&world).await, vec![(10, FaultKind::FileBehind), (9, FaultKind::Signature)]);
    std::fs::write(path, format!("{{}}\n{text}")).unwrap();
    assert_eq!(faults(&world).await, vec![(1, FaultKind::Line)]);
}

async fn a_chain_nobody_wrote_is_found(world: World) {
    ten_rows(&world).await;

    world
        .tamper_all(
            "CREATE TABLE copied AS SELECT * FROM audit WHERE seq = 1; \
             UPDATE copied SET chain = 'ffffffffffffffff'; INSERT INTO audit SELECT * FROM copied",
        )
        .await;

    let found = faults(&world).await;
    assert!(found.contains(&(0, FaultKind::Stranger)), "{found:?}");
}

async fn rows_not_yet_signed_are_named(world: World) {
    ten_rows(&world).await;
    let store = world.reopen().await;
    for _ in 0..3 {
        store.record(world.entry(Change::Nothing)).await.unwrap();
    }

    let report = verify(&world.config).await.unwrap();

    assert_eq!(report.faults, Vec::new());
    let chain = &report.chains[0];
    assert_eq!((chain.last, chain.anchored, chain.unanchored), (13, 10, 3));
}

async fn a_checkpoint_is_signed_every_thousand_rows(world: World) {
    let store = world.open().await;
    let entries: Vec<_> = (0..1500).map(|_| world.entry(Change::Nothing)).collect();
    futures_util::future::join_all(entries.into_iter().map(|entry| store.record(entry))).await;
    // What comes after is written after the checkpoint.
    store.record(world.entry(Change::Nothing)).await.unwrap();

    let report = verify(&world.config).await.unwrap();

    assert_eq!(report.faults, Vec::new());
    let chain = &report.chains[0];
    assert_eq!(chain.last, 1502);
    assert!(chain.anchored >= 1000, "{chain:?}");
}

async fn a_line_a_crash_left_unfinished_is_dropped(world: World) {
    ten_rows(&world).await;
    let path = &world.config.audit.checkpoint_file;
    let text = std::fs::read_to_string(path).unwrap();
    std::fs::write(path, format!("{text}{}", &text[..20])).unwrap();

    assert_eq!(faults(&world).await, Vec::new());
    let store = world.reopen().await;
    store.record(world.entry(Change::Nothing)).await.unwrap();
    store.close().await.unwrap();

    assert_eq!(faults(&world).await, Vec::new());
    assert!(std::fs::read_to_string(path).unwrap().starts_with(&text));
}

async fn found(store: &Store, filter: AuditFilter) -> Vec<i64> {
    store.list_audit(&filter).await.unwrap().iter().map(|row| row.envelope.seq).collect()
}

async fn an_agents_rows_are_found_wherever_it_was_in_the_chain(world: World) {
    let store = world.open().await;
    let (assistant, verifier) = (world.principal(), world.instance());
    let (_, root) = world.begin(&store, &assistant).await;
    let access = world.exchange(&store, &root, &assistant).await;
    let onward = world.exchange(&store, &access, &verifier).await;
    world.exchange(&store, &onward, &world.instance()).await;
    let mut refused = world.entry(Change::Nothing);
    refused.told = Some(world.told(|report| report.who.agent = Some(verifier.id.clone())));
    store.record(refused).await.unwrap();

    let of = |agent: &crate::delegation::record::Agent| AuditFilter {
        agent: Some(agent.id.clone()),
        ..Default::default()
    };
    assert_eq!(found(&store, of(&assistant)).await, vec![2, 3, 4, 5]);
    assert_eq!(found(&store, of(&verifier)).await, vec![4, 5, 6]);
    assert_eq!(found(&store, of(&world.instance())).await, Vec::<i64>::new());
}

async fn the_newest_rows_are_found_whichever_task_they_are_in(world: World) {
    let store = world.open().await;
    let (assistant, verifier) = (world.principal(), world.instance());
    let (_, older) = world.begin(&store, &assistant).await;
    let handed = world.exchange(&store, &older, &assistant).await;
    world.exchange(&store, &handed, &verifier).await;
    world.advance(10).await;
    let (_, newer) = world.begin(&store, &assistant).await;
    world.advance(10).await;
    for _ in 0..3 {
        world.exchange(&store, &older, &assistant).await;
    }
    let newest = |filter: AuditFilter, most| AuditFilter { newest: Some(most), ..filter };
    let of = |agent: &crate::delegation::record::Agent| AuditFilter {
        agent: Some(agent.id.clone()),
        ..Default::default()
    };
    let last = found(&store, of(&assistant)).await;
    for most in 1..=last.len() {
        let filter = newest(of(&assistant), u32::try_from(most).unwrap());
        assert_eq!(found(&store, filter).await, last[last.len() - most..], "the newest {most}");
    }
    // Newer rows of its task that it is not in do not hide the agent's own.
    assert_eq!(found(&store, newest(of(&verifier), 1)).await, vec![4]);
    let beginning = store.list_beginning(older.task).await.unwrap();
    assert_eq!(beginning[0].envelope.seq, 2);
    let tokens = store.list_delegations(older.task, 2).await.unwrap();
    let all = store.list_delegations(older.task, 100).await.unwrap();
    assert_eq!((all.len(), &tokens[..]), (6, &all[4..]));
    assert_eq!(store.list_delegations(newer.task, 100).await.unwrap().len(), 1);
}

async fn rows_are_found_by_each_column(world: World) {
    let store = world.open().await;
    let (_, root) = world.begin(&store, &world.principal()).await;
    let access = world.exchange(&store, &root, &world.principal()).await;
    let onward = world.exchange(&store, &access, &world.instance()).await;
    let request = crate::oauth::RequestId::new(world.id());
    let mut note = world.entry(Change::Nothing);
    note.told.as_mut().unwrap().request = Some(request);
    store.record(note).await.unwrap();
    world.control(&store, revoke(&onward)).await;

    let any = AuditFilter::default;
    assert_eq!(found(&store, any()).await, vec![1, 2, 3, 4, 5, 6]);
    assert_eq!(found(&store, AuditFilter { newest: Some(2), ..any() }).await, vec![5, 6]);
    assert_eq!(found(&store, AuditFilter { task: Some(root.task), ..any() }).await, vec![2, 3, 4, 6]);
    assert_eq!(found(&store, AuditFilter { jti: Some(onward.jti), ..any() }).await, vec![4, 6]);
    assert_eq!(found(&store, AuditFilter { parent: Some(access.jti), ..any() }).await, vec![4]);
    assert_eq!(found(&store, AuditFilter { request: Some(request), ..any() }).await, vec![5]);
    let revocation = store.list_audit(&AuditFilter { jti: Some(onward.jti), ..any() }).await.unwrap();
    assert_eq!(revocation[1].event.kind(), Kind::Revocation);
    assert!(matches!(&revocation[1].event, Event::Revocation(event) if event.died == Some(1)));
    assert_eq!(revocation[1].subject(), revocation[0].subject());
}

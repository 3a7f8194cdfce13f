//! Issuing: begin, join, replay, and what is found of it.

use super::on_each_database;
use super::world::{KID, World, token_of};
use crate::decision::{Check, Origin};
use crate::delegation::plan::TaskPlan;
use crate::delegation::record::EndReason;
use crate::issuance::SealedAnswerRow;
use crate::oauth::{Cause, ClientId, OneTime, ScopeToken, TargetId, TokenFault};
use crate::store::entry::{Change, Control, KeyRow, Recorded};
use crate::store::{AuditFilter, Store};

on_each_database! {
    what_is_issued_is_found_again_as_it_was,
    the_same_id_token_joins_its_task,
    two_first_exchanges_at_once_give_one_task_and_two_tokens,
    a_renewed_id_token_joins_the_task_it_names,
    a_known_user_keeps_their_reference,
    a_replayed_assertion_writes_nothing,
    a_replay_in_one_group_is_found,
    a_refusal_spends_its_assertion_with_its_row,
    of_several_one_time_uses_one_used_before_stops_all,
    an_agent_is_created_by_its_first_exchange_only,
    an_agent_of_another_client_is_refused,
    a_refusal_found_while_writing_has_its_row_and_uses_the_assertion_up,
    a_token_never_recorded_seeds_nothing,
    an_expired_token_seeds_nothing,
    a_key_revoked_in_between_signs_nothing,
    a_wider_child_is_not_written,
    the_first_answer_of_a_login_is_kept,
    many_at_once_are_all_answered,
    a_value_the_database_cannot_hold_fails_alone,
}

async fn what_is_issued_is_found_again_as_it_was(world: World) {
    let store = world.open().await;
    let (assistant, verifier) = (world.principal(), world.instance());

    let (_, task_token) = world.begin(&store, &assistant).await;
    let access = world.exchange(&store, &task_token, &assistant).await;
    let onward = world.exchange(&store, &access, &verifier).await;

    let lineage = world.lineage(&store, &onward).await;
    assert_eq!(lineage.delegation, onward);
    assert_eq!(lineage.ancestors, vec![task_token.clone(), access.clone()]);
    assert_eq!(
        lineage.agents.iter().map(|agent| &agent.id).collect::<Vec<_>>(),
        vec![&verifier.id, &assistant.id]
    );
    assert_eq!(lineage.agents[0], verifier);
    assert_eq!(lineage.task.id, task_token.task);
    let user = world.user(&store, &onward).await;
    assert_eq!(
        (user.subject.upstream.as_str(), &user.login.amr),
        ("ulla", &vec!["hwk".to_owned(), "mfa".to_owned()])
    );
    assert!(lineage.is_key_trusted);
    assert_eq!(world.life(&store, &onward).await, Ok(()));
    assert_eq!(store.list_delegations(task_token.task, 1000).await.unwrap().len(), 3);
    assert_eq!(store.list_tasks(Some(world.now()), Some(&verifier.id), 10).await.unwrap().len(), 1);
    assert_eq!(store.list_agents(10).await.unwrap().len(), 2);
}

async fn the_same_id_token_joins_its_task(world: World) {
    let store = world.open().await;
    let assistant = world.principal();
    let (sign_in, first) = world.begin(&store, &assistant).await;

    let again = world.hop_zero(&store, &sign_in, &assistant).await;
    let second = world.issued(&store, again).await;

    assert_eq!((second.task, second.behalf), (first.task, first.behalf));
    assert_eq!(store.list_tasks(None, None, 10).await.unwrap().len(), 1);
}

async fn two_first_exchanges_at_once_give_one_task_and_two_tokens(world: World) {
    let store = world.open().await;
    let assistant = world.principal();
    let sign_in = world.sign_in("ulla");
    let one = world.hop_zero(&store, &sign_in, &assistant).await;
    let other = world.hop_zero(&store, &sign_in, &assistant).await;

    let (one, other) = tokio::join!(store.record(one), store.record(other));

    let answers = [one.unwrap(), other.unwrap()];
    let done = answers.iter().filter(|answer| matches!(answer, Recorded::Done { .. })).count();
    let changed = answers.iter().filter(|answer| matches!(answer, Recorded::Changed)).count();
    assert_eq!((done, changed), (1, 1), "{answers:?}");
    let again = world.hop_zero(&store, &sign_in, &assistant).await;
    let second = world.issued(&store, again).await;
    assert_eq!(store.list_tasks(None, None, 10).await.unwrap().len(), 1);
    assert_eq!(store.list_delegations(second.task, 1000).await.unwrap().len(), 2);
}

async fn a_renewed_id_token_joins_the_task_it_names(world: World) {
    let store = world.open().await;
    let assistant = world.principal();
    let (_, first) = world.begin(&store, &assistant).await;
    let mut renewed = world.sign_in("ulla");
    renewed.named = Some(first.task);

    let entry = world.hop_zero(&store, &renewed, &assistant).await;
    let second = world.issued(&store, entry).await;

    assert_eq!(second.task, first.task);
    assert_ne!(second.behalf, first.behalf);
    let mut foreign = world.sign_in("someone-else");
    foreign.named = Some(first.task);
    let entry = world.hop_zero(&store, &foreign, &assistant).await;
    let refused = store.record(entry).await.unwrap();
    let unknown = Cause::subject(TokenFault::TaskUnknown);
    assert!(matches!(&refused, Recorded::Refused(why) if *why == unknown), "{refused:?}");
}

async fn a_known_user_keeps_their_reference(world: World) {
    let store = world.open().await;
    let assistant = world.principal();
    let mut references = Vec::new();
    for _ in 0..2 {
        let entry = world.hop_zero(&store, &world.sign_in("ulla"), &assistant).await;
        let task = world.issued(&store, entry).await.task;
        let rows = store.list_audit(&AuditFilter { task: Some(task), ..Default::default() }).await.unwrap();
        let reference = store.find_task(task).await.unwrap().unwrap().delegator.user();
        assert_eq!(rows[0].subject(), reference);
        references.push(reference);
    }
    assert_eq!(references[0], references[1]);
}

async fn a_replayed_assertion_writes_nothing(world: World) {
    let store = world.open().await;
    let assistant = world.principal();
    let (_, task_token) = world.begin(&store, &assistant).await;
    let used = world.assertion();
    let mut first = world.later(&task_token, &assistant);
    first.one_time = vec![used.clone()];
    world.issued(&store, first).await;
    let before = rows(&store).await;

    let mut replay = world.later(&task_token, &assistant);
    replay.one_time = vec![used.clone()];
    let token = token_of(&replay);
    let recorded = store.record(replay).await.unwrap();

    assert!(matches!(recorded, Recorded::Replayed(_)), "{recorded:?}");
    assert!(store.find_lineage(token.jti).await.unwrap().is_none());
    assert_eq!(rows(&store).await, before);
    let mut of_other_client = world.later(&task_token, &assistant);
    let (jti, until) = (*used.jti(), used.until());
    of_other_client.one_time = vec![OneTime::Assertion { client: ClientId::new("other"), jti, until }];
    world.issued(&store, of_other_client).await;
}

async fn rows(store: &Store) -> usize {
    store.list_audit(&AuditFilter::default()).await.unwrap().len()
}

async fn a_replay_in_one_group_is_found(world: World) {
    let store = world.open().await;
    let assistant = world.principal();
    let (_, task_token) = world.begin(&store, &assistant).await;
    let used = world.assertion();
    // Announced, so that the writer waits for all of them.
    let announced: Vec<_> = (0..8).map(|_| store.announce()).collect();
    let entries = (0..8).map(|_| {
        let mut entry = world.later(&task_token, &assistant);
        entry.one_time = vec![used.clone()];
        store.record(entry)
    });

    let answers = futures_util::future::join_all(entries).await;

    drop(announced);
    let done = answers.iter().filter(|answer| matches!(answer, Ok(Recorded::Done { .. }))).count();
    let replayed = answers.iter().filter(|answer| matches!(answer, Ok(Recorded::Replayed(_)))).count();
    assert_eq!((done, replayed), (1, 7));
    assert_eq!(store.list_delegations(task_token.task, 1000).await.unwrap().len(), 2);
}

async fn a_refusal_spends_its_assertion_with_its_row(world: World) {
    let store = world.open().await;
    let mut refusal = world.entry(Change::Nothing);
    refusal.told = Some(world.told(|report| {
        report.refuse_at(Check::Binding, Cause::subject(TokenFault::NotYours));
    }));
    refusal.one_time = vec![world.assertion()];
    let again = refusal.clone();
    let before = rows(&store).await;

    assert!(matches!(store.record(refusal).await.unwrap(), Recorded::Done { .. }));
    assert!(matches!(store.record(again).await.unwrap(), Recorded::Replayed(_)));

    assert_eq!(rows(&store).await, before + 1);
}

async fn of_several_one_time_uses_one_used_before_stops_all(world: World) {
    let store = world.open().await;
    let (used, fresh) = (world.assertion(), world.assertion());
    let mut first = world.entry(Change::Nothing);
    first.one_time = vec![used.clone()];
    assert!(matches!(store.record(first).await.unwrap(), Recorded::Done { .. }));

    let mut both = world.entry(Change::Nothing);
    both.one_time = vec![fresh.clone(), used];
    assert!(matches!(store.record(both).await.unwrap(), Recorded::Replayed(_)));

    // The other was not used up by it.
    let mut alone = world.entry(Change::Nothing);
    alone.one_time = vec![fresh];
    assert!(matches!(store.record(alone).await.unwrap(), Recorded::Done { .. }));
}

async fn an_agent_is_created_by_its_first_exchange_only(world: World) {
    let store = world.open().await;
    let verifier = world.instance();
    let (_, task_token) = world.begin(&store, &world.principal()).await;
    let access = world.exchange(&store, &task_token, &world.principal()).await;

    let first = world.exchange(&store, &access, &verifier).await;
    world.advance(10).await;
    let mut later = verifier.clone();
    later.class = "another".to_owned();
    let second = world.exchange(&store, &access, &later).await;

    assert_eq!(store.find_agent(&verifier.id).await.unwrap().unwrap(), verifier);
    for (token, is_created) in [(first, true), (second, false)] {
        let filter = AuditFilter { jti: Some(token.jti), ..Default::default() };
        let rows = store.list_audit(&filter).await.unwrap();
        assert_eq!(rows.len(), 1);
        assert_eq!(rows[0].exchange().unwrap().agent_created, is_created);
    }
}

async fn an_agent_of_another_client_is_refused(world: World) {
    let store = world.open().await;
    let verifier = world.instance();
    let (_, task_token) = world.begin(&store, &world.principal()).await;
    let access = world.exchange(&store, &task_token, &world.principal()).await;
    world.exchange(&store, &access, &verifier).await;

    let mut stolen = verifier;
    stolen.client = ClientId::new("thief");
    let recorded = store.record(world.later(&access, &stolen)).await.unwrap();

    let why = Cause::actor(TokenFault::OtherClientsAgent);
    assert!(matches!(&recorded, Recorded::Refused(found) if *found == why), "{recorded:?}");
}

async fn a_refusal_found_while_writing_has_its_row_and_uses_the_assertion_up(world: World) {
    let store = world.open().await;
    let (_, task_token) = world.begin(&store, &world.principal()).await;
    let mut late = world.later(&task_token, &world.principal());
    late.one_time = vec![world.assertion()];
    let again = late.clone();
    world.control(&store, Control::EndTask { task: task_token.task, why: EndReason::Operator }).await;
    let before = rows(&store).await;

    assert!(matches!(store.record(late).await.unwrap(), Recorded::Refused(_)));
    assert!(matches!(store.record(again).await.unwrap(), Recorded::Replayed(_)));

    let all = store.list_audit(&AuditFilter::default()).await.unwrap();
    assert_eq!(all.len(), before + 1, "one refusal, one row");
    assert_eq!(all[before].cause(), Some("task_ended"));
    assert_eq!(all[before].jti(), None, "nothing was issued");
}

async fn a_token_never_recorded_seeds_nothing(world: World) {
    let store = world.open().await;
    let assistant = world.principal();
    let sign_in = world.sign_in("ulla");
    let never = token_of(&world.hop_zero(&store, &sign_in, &assistant).await);

    let recorded = store.record(world.later(&never, &assistant)).await.unwrap();

    let why = Cause::subject(TokenFault::NeverIssued);
    assert!(matches!(&recorded, Recorded::Refused(found) if *found == why), "{recorded:?}");
}

async fn an_expired_token_seeds_nothing(world: World) {
    let store = world.open().await;
    let assistant = world.principal();
    let (_, task_token) = world.begin(&store, &assistant).await;
    world.advance(3600).await;

    let recorded = store.record(world.later(&task_token, &assistant)).await.unwrap();

    let why = Cause::subject(TokenFault::Expired);
    assert!(matches!(&recorded, Recorded::Refused(found) if *found == why), "{recorded:?}");
}

async fn a_key_revoked_in_between_signs_nothing(world: World) {
    let store = world.open().await;
    let assistant = world.principal();
    let (_, task_token) = world.begin(&store, &assistant).await;
    let spare = Box::new(KeyRow { kid: "spare".to_owned(), ..world.key() });
    world.control(&store, Control::RevokeKey { kid: KID.to_owned(), spare }).await;

    let recorded = store.record(world.later(&task_token, &assistant)).await.unwrap();

    assert!(matches!(recorded, Recorded::Changed), "{recorded:?}");
    assert_eq!(world.life(&store, &task_token).await, Err(TokenFault::KeyRevoked));
    let keys = store.list_keys().await.unwrap();
    assert!(keys.iter().any(|row| row.kid == KID && row.revoked_at.is_some() && row.sealed.is_empty()));
    assert_eq!(task_token.form.kid(), Some(KID));
}

async fn a_wider_child_is_not_written(world: World) {
    let store = world.open().await;
    let assistant = world.principal();
    let (_, task_token) = world.begin(&store, &assistant).await;
    let access = world.exchange(&store, &task_token, &assistant).await;

    let outliving = world.changed(&world.later(&access, &world.instance()), |terms, _| {
        terms.proposal.expires_at = task_token.expires_at;
    });
    let orphan = world.changed(&world.later(&access, &world.instance()), |terms, _| {
        terms.proposal.ancestors.remove(0);
    });
    let lost = world.changed(&world.later(&access, &world.instance()), |terms, _| {
        terms.proposal.chain.pop();
    });

    for entry in [outliving, orphan, lost] {
        let token = token_of(&entry);
        let recorded = store.record(entry).await.unwrap();
        assert!(matches!(recorded, Recorded::Changed), "{recorded:?}");
        assert!(store.find_lineage(token.jti).await.unwrap().is_none());
    }
}

async fn the_first_answer_of_a_login_is_kept(world: World) {
    let store = world.open().await;
    let assistant = world.principal();
    let (sign_in, first) = world.begin(&store, &assistant).await;
    let (tickets, scope) = (TargetId::new("tickets"), ScopeToken::parse("age_over_18").unwrap());

    let again = world.hop_zero(&store, &sign_in, &assistant).await;
    let again = world.changed(&again, |terms, answers| {
        let Origin::FirstHop(hop) = &terms.origin else { panic!("{terms:?}") };
        assert_eq!(hop.plan, TaskPlan::Join(first.task, first.behalf.login().unwrap()));
        answers[0].sealed = vec![9];
        answers.push(SealedAnswerRow { target: TargetId::new("bar"), scope: scope.clone(), sealed: vec![5] });
    });
    world.issued(&store, again).await;

    let answer = |target| store.find_answer(first.behalf.login().unwrap(), target, &scope);
    assert_eq!(answer(&tickets).await.unwrap(), Some(vec![1, 2, 3, 4]));
    assert_eq!(
        store.find_answer(first.behalf.login().unwrap(), &TargetId::new("bar"), &scope).await.unwrap(),
        Some(vec![5])
    );
    assert_eq!(
        store.find_answer(first.behalf.login().unwrap(), &TargetId::new("no"), &scope).await.unwrap(),
        None
    );
}

async fn many_at_once_are_all_answered(world: World) {
    let store = world.open().await;
    let assistant = world.principal();
    let (_, task_token) = world.begin(&store, &assistant).await;
    let entries: Vec<_> = (0..600).map(|_| world.later(&task_token, &assistant)).collect();

    let answers = futures_util::future::join_all(entries.into_iter().map(|entry| store.record(entry))).await;

    assert!(answers.iter().all(|answer| matches!(answer, Ok(Recorded::Done { .. }))));
    assert_eq!(store.list_delegations(task_token.task, 1000).await.unwrap().len(), 601);
    assert_eq!(rows(&store).await, 602);
}

async fn a_value_the_database_cannot_hold_fails_alone(world: World) {
    let store = world.open().await;
    let assistant = world.principal();
    let (_, task_token) = world.begin(&store, &assistant).await;
    let announced: Vec<_> = (0..3).map(|_| store.announce()).collect();
    let good = world.later(&task_token, &assistant);
    // The number of a token that is there already: it can never be written.
    let bad = world.changed(&world.later(&task_token, &assistant), |terms, _| terms.jti = task_token.jti);
    let other = world.later(&task_token, &assistant);

    let (good, bad, other) = tokio::join!(store.record(good), store.record(bad), store.record(other));

    drop(announced);
    assert!(matches!(good, Ok(Recorded::Done { .. })), "{good:?}");
    assert!(bad.is_err(), "{bad:?}");
    assert!(matches!(other, Ok(Recorded::Done { .. })), "{other:?}");
    assert_eq!(store.list_delegations(task_token.task, 1000).await.unwrap().len(), 3);
}

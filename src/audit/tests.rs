//! The canonical form: what is written is read back, and a change of it is seen.

use std::net::IpAddr;
use std::sync::Arc;

use serde_json::json;
use uuid::Uuid;

use super::*;
use crate::base::time::Timestamp;
use crate::client_auth::AuthenticatedClient;
use crate::decision::{Check, Report, WayIn};
use crate::delegation::record::{AgentState, DelegatorKind, EndReason, TokenWord};
use crate::delegation::stops::{StopKind, StopNumber};
use crate::http::caller::Caller;
use crate::jose::{Limits, parse_object};
use crate::oauth::{
    Cause, CredentialHash, Issuer, Jkt, LoginId, Plain, Purpose, Recipient, RequestId, Scope, TargetId,
    TokenFault,
};
use crate::policy::PolicyRecord;
use crate::registry::ClientAuthentication;
use crate::verification::fixtures;

mod events;

use events::events;

const AT: Timestamp = Timestamp::from_millis(1_795_000_000_123);

fn id(number: u128) -> Uuid {
    Uuid::from_u128(number)
}

fn agent() -> AgentId {
    AgentId::new("agent_a")
}

fn outcomes() -> [Outcome; 3] {
    [Outcome::Granted, Outcome::refused(&Plain::PolicyDenied.into()), Outcome::Failed]
}

fn requesters() -> [Requester; 7] {
    let client = ClientId::new("assistant");
    [
        Requester::Client { client: client.clone(), kid: Some("key-1".to_owned()) },
        Requester::Client { client: client.clone(), kid: None },
        Requester::Unauthenticated { client: Some(client) },
        Requester::Unauthenticated { client: None },
        Requester::Operator { uid: Some(1000) },
        Requester::Operator { uid: None },
        Requester::Server,
    ]
}

fn row(requester: Requester, outcome: Outcome, event: Event) -> Row {
    let envelope = Envelope {
        version: VERSION,
        chain: "00112233aabbccdd".to_owned(),
        seq: 42,
        at: AT,
        request: Some(RequestId::new(id(6))),
        requester,
        source: Some("192.0.2.1".parse().unwrap()),
    };
    Row { envelope, outcome, event }
}

#[test]
fn every_row_is_read_back_as_it_was_written() {
    for event in events() {
        for outcome in outcomes() {
            for requester in requesters() {
                let row = row(requester, outcome.clone(), event.clone());
                assert_eq!(Row::parse(&row.body()).as_ref(), Ok(&row), "{}", row.body());
            }
        }
    }
}

#[test]
fn every_row_is_told_in_short_lines_that_say_when_what_who_and_where() {
    for event in events() {
        for (outcome, requester) in outcomes().iter().flat_map(|outcome| requesters().map(|by| (outcome, by)))
        {
            let lines = row(requester, outcome.clone(), event.clone()).in_words();
            let text = lines.join("\n");
            assert!(lines[0].starts_with(&AT.to_string()) && lines[1].starts_with("  by "), "{text}");
            assert!(text.ends_with("row 42 of chain 00112233aabbccdd"), "{text}");
            let is_short = |line: &&String| line.chars().count() <= 100 || !line.trim().contains(' ');
            assert_eq!(lines.iter().find(|line| !is_short(line)), None);
            assert_eq!(
                text.contains("refused, policy_denied"),
                outcome.kind() == OutcomeKind::Refused,
                "{text}"
            );
            assert!(!["Some(", "None", "()"].iter().any(|odd| text.contains(odd)), "{text}");
        }
    }
}

#[test]
fn the_cases_above_cover_every_kind_and_the_word_of_each_is_in_the_body() {
    let kinds: Vec<Kind> = events().iter().map(Event::kind).collect();
    assert_eq!(kinds, Kind::ALL);
    for event in events() {
        let word = event.kind().word();
        let body: serde_json::Value =
            serde_json::from_str(&row(Requester::Server, Outcome::Granted, event).body()).unwrap();
        assert_eq!(body["event"], word);
        assert_eq!((&body["v"], &body["outcome"]), (&json!(1), &json!("granted")));
    }
}

#[test]
fn the_canonical_form_begins_with_its_version_and_leaves_out_what_is_absent() {
    let event = Event::Key(KeyEvent { act: KeyAct::First, kid: None, changed: None });
    let mut row = row(Requester::Server, Outcome::Granted, event);
    (row.envelope.request, row.envelope.source) = (None, None);
    assert_eq!(
        row.body(),
        r#"{"v":1,"node":"00112233aabbccdd","seq":42,"at":1795000000123,"by":"server","outcome":"granted","event":"key","act":"first"}"#
    );
}

#[test]
fn no_member_of_a_row_is_written_twice() {
    for event in events() {
        let body = row(requesters()[0].clone(), outcomes()[1].clone(), event).body();

        // The strict reader refuses repeated names.
        assert!(parse_object(body.as_bytes(), Limits::JWT).is_ok(), "{body}");
    }
}

#[test]
fn an_unknown_version_is_named_whatever_follows_it() {
    assert_eq!(Row::parse(r#"{"v":2,"kind":"nap"}"#), Err(Unreadable::Version(2)));
    assert_eq!(Row::parse(r#"{"v":4096}"#), Err(Unreadable::Version(4096)));
    assert_eq!(Row::parse(r#"{"kind":"nap"}"#), Err(Unreadable::Body));
}

#[test]
fn only_the_canonical_text_of_a_row_is_read() {
    let of_task = events().into_iter().find(|event| event.kind() == Kind::TaskEnd).unwrap();
    let body = row(Requester::Operator { uid: None }, Outcome::Granted, of_task).body();
    let others = [
        body.replace("{\"v\":1,", "{ \"v\":1,"),
        body.replace("\"died\":3", "\"note\":\"x\",\"died\":3"),
        body.replace("\"died\":3", "\"died\":null"),
        body.replace("\"died\":3", "\"died\":3,\"died\":3"),
        body.replace("\"outcome\":\"granted\"", "\"outcome\":\"done\""),
        body.replace("\"event\":\"task_end\"", "\"event\":\"nap\""),
        body.replace("\"why\":\"operator\"", "\"why\":\"boredom\""),
        "garbage".to_owned(),
    ];

    assert!(Row::parse(&body).is_ok());
    for other in others {
        assert_ne!(other, body);
        assert_eq!(Row::parse(&other), Err(Unreadable::Body), "{other}");
    }
}

fn told(report: Report) -> Told {
    let client = fixtures::client("assistant", ClientAuthentication::ClientSecretBasic(Vec::new()));
    let client = AuthenticatedClient::for_tests(Arc::new(client), Vec::new());
    let caller = Caller::for_tests(RequestId::new(id(6)));
    Told::of_client(AT, &caller, &client, What::Exchange(Arc::new(report)))
}

#[test]
fn the_row_of_a_client_says_where_it_asked_from_and_by_which_request() {
    let row = Row::of(&told(Report::of_client(ClientId::new("assistant"))), &Effect::default(), "c", 1);
    assert_eq!(row.envelope.source, Some(IpAddr::from([192, 0, 2, 0])));
    assert_eq!(row.envelope.request, Some(RequestId::new(id(6))));
    assert_eq!(row.client(), Some(&ClientId::new("assistant")));
}

#[test]
fn a_row_of_an_earlier_version_of_deputy_is_still_read() {
    let members = [
        r#""by":"client","client":"assistant","outcome":"granted","event":"introspection""#,
        r#""by":"operator","outcome":"granted","event":"key","act":"revoked","kid":"k""#,
    ];
    for members in members {
        let body = format!(r#"{{"v":1,"node":"00112233aabbccdd","seq":42,"at":1795000000123,{members}}}"#);
        assert_eq!(Row::parse(&body).map(|row| row.body()), Ok(body));
    }
}

#[test]
fn a_fault_of_a_configuration_is_recorded_up_to_a_length() {
    let event = ProcessEvent::new(ProcessAct::Reload, Some(&"ä".repeat(5000)));
    assert_eq!(event.fault.map(|fault| fault.chars().count()), Some(1000));
}

#[test]
fn a_first_hop_that_is_refused_names_neither_task_nor_login() {
    let mut report = Report::of_client(ClientId::new("assistant"));
    report.who.begins_task = true;
    report.who.task = Some(TaskId::new(id(1)));
    report.who.login = Some(LoginId::new(id(4)));

    let granted = Row::of(&told(report.clone()), &Effect::default(), "c", 1);
    assert!(granted.exchange().is_some_and(|exchange| exchange.task_begun && exchange.task.is_some()));

    report.refuse_at(Check::Target, Plain::TargetUnknown.into());
    let refused = Row::of(&told(report), &Effect::default(), "c", 1);
    let exchange = refused.exchange().unwrap();
    assert_eq!((exchange.task, exchange.login, exchange.task_begun), (None, None, false));
    assert_eq!(
        refused.outcome,
        Outcome::Refused { cause: "target_unknown".into(), reason: "target_unknown".into() }
    );
}

#[test]
fn a_refusal_found_while_writing_does_not_hide_the_one_that_was_decided() {
    let mut decided = told(
        Report::of_client(ClientId::new("assistant")).refused_at(Check::Policy, Plain::PolicyDenied.into()),
    );
    decided.refuse(&Cause::subject(TokenFault::Revoked));
    assert_eq!(Row::of(&decided, &Effect::default(), "c", 1).cause(), Some("policy_denied"));

    let mut permitted = told(Report::of_client(ClientId::new("assistant")));
    permitted.refuse(&Cause::subject(TokenFault::Revoked));
    assert_eq!(Row::of(&permitted, &Effect::default(), "c", 1).cause(), Some("revoked"));
    let mut failed = told(Report::of_client(ClientId::new("assistant")));
    failed.fail();
    assert_eq!(Row::of(&failed, &Effect::default(), "c", 1).outcome, Outcome::Failed);
}

#[test]
fn what_ended_is_told_from_the_effect() {
    let event = Event::TaskEnd(TaskEndEvent {
        task: TaskId::new(id(1)),
        agent: None,
        subject: None,
        why: EndReason::Operator,
        changed: None,
        died: None,
    });
    let effect =
        Effect { died: 5, agent: Some(agent()), subject: Some(SubjectRef::new(id(2))), ..Effect::default() };
    let row = Row::of(&Told::of_operator(AT, Some(1000), event), &effect, "c", 1);
    let Event::TaskEnd(ended) = &row.event else { panic!("{row:?}") };
    assert_eq!(ended.died, Some(5));
    assert_eq!((row.agent(), row.subject()), (Some(&agent()), Some(SubjectRef::new(id(2)))));
}

#[test]
fn the_page_about_the_record_lists_every_kind_with_all_of_its_members() {
    let page = std::fs::read_to_string(concat!(env!("CARGO_MANIFEST_DIR"), "/docs/audit.md")).unwrap();
    let of_key = || events().into_iter().find(|event| event.kind() == Kind::Key).unwrap();
    let common = serde_json::to_value(row(Requester::Server, Outcome::Granted, of_key())).unwrap();
    for requester in requesters() {
        let value = serde_json::to_value(row(requester, outcomes()[1].clone(), of_key())).unwrap();
        for member in value.as_object().unwrap().keys() {
            assert!(page.contains(&format!("`{member}`")), "`{member}`");
        }
    }
    let key_members = ["act", "kid"];
    for event in events() {
        let word = event.kind().word();
        let line =
            page.lines().find(|line| line.starts_with(&format!("| `{word}` |"))).unwrap_or_else(|| {
                panic!("`{word}` is not on the page");
            });
        let value = serde_json::to_value(row(Requester::Server, Outcome::Granted, event)).unwrap();
        for member in value.as_object().unwrap().keys() {
            let is_common = common.get(member).is_some() && !key_members.contains(&member.as_str());
            assert!(is_common || line.contains(&format!("`{member}`")), "`{member}` of `{word}`");
        }
    }
    for why in EndReason::ALL {
        assert!(page.contains(&format!("`{}`", why.word())), "{why:?}");
    }
}

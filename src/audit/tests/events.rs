//! Events to be written and read back.

use super::*;
use crate::delegation::profile::Member;
use crate::oauth::CertificateHash;

/// One event of each kind, with every member.
pub(super) fn events() -> Vec<Event> {
    [events_of_clients(), events_of_operators()].concat()
}

/// A token request with every member, though no request has all of them.
fn exchange() -> ExchangeEvent {
    let (task, subject, jti) = (TaskId::new(id(1)), SubjectRef::new(id(2)), Jti::new(id(3)));
    ExchangeEvent {
        way: Some(WayIn::ActorToken),
        agent: Some(agent()),
        class: Some("client".to_owned()),
        agent_created: true,
        chain: vec![agent()],
        delegator_kind: Some(DelegatorKind::User),
        subject: Some(subject),
        task: Some(task),
        task_begun: true,
        purpose: Purpose::parse("two tickets"),
        login: Some(LoginId::new(id(4))),
        provider: Some("https://login.example".to_owned()),
        subject_audience: Some("https://gateway.example".to_owned()),
        levels: vec!["mfa".to_owned()],
        jti: Some(jti),
        parent: Some(Jti::new(id(5))),
        handed_to: Recipient::parse("class:courier"),
        accept_until: Some(1_795_000_300),
        accepted_from: Some(AgentId::new("agent_b")),
        token_kind: Some(TokenWord::Access),
        target: Some(TargetId::new("tickets")),
        scope_asked: Scope::parse("search"),
        scope_defaulted: true,
        scope: Scope::parse("search"),
        expires_at: Some(1_795_000_300),
        jkt: Some(Jkt::new([1; 32])),
        x5t: Some(CertificateHash::new([3; 32])),
        bound: true,
        credential: Some(CredentialHash::new([2; 32])),
        policy: Some(PolicyRecord {
            decision: "permit".to_owned(),
            policies: vec!["exchange-with-evidence".to_owned()],
            set: "0123456789abcdef".to_owned(),
            reasons: [("exchange-with-evidence".to_owned(), "why".to_owned())].into(),
        }),
        birthdate_malformed: true,
    }
}

fn events_of_clients() -> Vec<Event> {
    let (task, subject, jti) = (TaskId::new(id(1)), SubjectRef::new(id(2)), Jti::new(id(3)));
    let died = Some(3);
    vec![
        Event::Exchange(Box::new(exchange())),
        Event::Handover(Box::new(exchange())),
        Event::Accept(Box::new(exchange())),
        Event::Revocation(RevocationEvent {
            jti: Some(jti),
            task: Some(task),
            agent: Some(agent()),
            chain: vec![agent()],
            subject: Some(subject),
            target: Some(TargetId::new("tickets")),
            why: Some(EndReason::Revoked),
            not_ours: Some(TokenFault::Malformed),
            died,
        }),
        Event::Introspection(IntrospectionEvent { jti: Some(jti), task: Some(task), count: Some(7) }),
        Event::Unauthenticated(UnauthenticatedEvent { count: 9 }),
    ]
}

fn pin(jkt: Option<Jkt>) -> PinEvent {
    PinEvent {
        credential: CredentialHash::new([2; 32]),
        issuer: Issuer::new("https://workloads.example"),
        task: jkt.map(|_| TaskId::new(id(1))),
        agent: agent(),
        jkt,
        x5t: Some(CertificateHash::new([3; 32])),
        expires_at: 1_795_000_300,
    }
}

fn events_of_operators() -> Vec<Event> {
    let (task, subject) = (TaskId::new(id(1)), SubjectRef::new(id(2)));
    let (why, died) = (EndReason::Operator, Some(3));
    let stop = StopEvent {
        kind: StopKind::User,
        name: "https://login.example".to_owned(),
        subject: Some(subject),
        why: Some(why),
        changed: Some(true),
        known: Some(true),
        number: Some(StopNumber::new(4)),
    };
    vec![
        Event::TaskEnd(TaskEndEvent {
            task,
            agent: Some(agent()),
            subject: Some(subject),
            why,
            changed: Some(true),
            died,
        }),
        Event::TasksEnd(TasksEndEvent { tasks: vec![task], why: Some(why) }),
        Event::AgentState(AgentStateEvent {
            agent: agent(),
            state: AgentState::Banned,
            why,
            changed: Some(true),
            number: Some(StopNumber::new(4)),
        }),
        Event::AgentProfile(AgentProfileEvent {
            agent: agent(),
            members: vec![Member::Owner, Member::Notes],
            changed: Some(true),
        }),
        Event::Stop(stop.clone()),
        Event::Lift(stop),
        Event::Key(KeyEvent { act: KeyAct::Prepared, kid: Some("kid".to_owned()), changed: Some(true) }),
        Event::Pin(Box::new(pin(Some(Jkt::new([1; 32]))))),
        Event::PinRefused(Box::new(pin(None))),
        Event::PolicyLoad(PolicyLoadEvent { set: "0123456789abcdef".to_owned() }),
        Event::Configuration(ConfigurationEvent {
            added: vec!["client assistant".to_owned()],
            removed: vec!["target tickets".to_owned()],
            number: Some(StopNumber::new(4)),
        }),
        Event::ClockReset(ClockResetEvent {
            from: AT,
            to: Timestamp::from_millis(1),
            number: Some(StopNumber::new(4)),
        }),
        Event::Process(ProcessEvent::new(ProcessAct::Reload, Some("`listen.public` is missing"))),
        Event::Verb(VerbEvent { verb: "/agents/agent_x/kill".to_owned() }),
    ]
}

//! A row for people: one short block, with a headline and a line for each thing that it says.

use super::{Event, ExchangeEvent, KeyAct, Outcome, PinEvent, ProcessAct, Requester, Row, StopEvent};
use crate::base::text::wrap;
use crate::base::time::Timestamp;
use crate::delegation::record::{AgentState, DelegatorKind, TokenWord};
use crate::oauth::{Recipient, Scope};

/// The longest line, in characters. A name or an address that is longer stays whole.
const WIDTH: usize = 100;

impl Row {
    /// The lines of this row: time, what happened and how it came out; then who, what, by which rule, and where it is.
    pub fn in_words(&self) -> Vec<String> {
        let mut details = vec![self.who()];
        self.add_what(&mut details);
        if let Outcome::Refused { cause, reason } = &self.outcome
            && cause != reason
        {
            details.push(format!("the caller was told {reason}"));
        }
        details.push(self.place());
        let headline = format!("{}  {}", self.envelope.at, self.headline());
        let mut lines = wrap(&headline, WIDTH, 0, 4);
        lines.extend(details.iter().filter(|line| !line.is_empty()).flat_map(|line| wrap(line, WIDTH, 2, 6)));
        lines
    }

    /// What happened and how it came out.
    fn headline(&self) -> String {
        let what = self.event.in_words(self.outcome == Outcome::Granted);
        match &self.outcome {
            Outcome::Granted => what,
            Outcome::Failed => format!("{what}: failed, nothing was done"),
            Outcome::Refused { cause, .. } => format!("{what}: refused, {cause}"),
        }
    }

    /// Who asked, and from where.
    fn who(&self) -> String {
        let who = match &self.envelope.requester {
            Requester::Client { client, kid: None } => format!("by client `{client}`"),
            Requester::Client { client, kid: Some(kid) } => {
                format!("by client `{client}`, with its key `{kid}`")
            }
            Requester::Unauthenticated { client: Some(client) } => {
                format!("by a caller that said it was client `{client}` and did not prove it")
            }
            Requester::Unauthenticated { client: None } => "by a caller that did not authenticate".to_owned(),
            Requester::Operator { uid: Some(uid) } => format!("by an operator, uid {uid}"),
            Requester::Operator { uid: None } => "by an operator".to_owned(),
            Requester::Server => "by the server".to_owned(),
        };
        match self.envelope.source {
            Some(source) => format!("{who}, from {source}"),
            None => who,
        }
    }

    /// Where the row is, and the request that it answers.
    fn place(&self) -> String {
        let row = format!("row {} of chain {}", self.envelope.seq, self.envelope.chain);
        match self.envelope.request {
            Some(request) => format!("request {request}, {row}"),
            None => row,
        }
    }

    fn add_what(&self, lines: &mut Vec<String>) {
        match &self.event {
            Event::Exchange(event) | Event::Handover(event) | Event::Accept(event) => {
                exchanged(event, &self.outcome, lines);
            }
            Event::Revocation(event) => {
                lines.push(about(&[
                    ("token", event.jti.map(|jti| jti.to_string())),
                    ("at", event.target.as_ref().map(ToString::to_string)),
                    ("agent", event.agent.as_ref().map(ToString::to_string)),
                    ("acting for", (event.chain.len() > 1).then(|| list(&event.chain[1..]))),
                    ("user", event.subject.map(|subject| subject.to_string())),
                    ("task", event.task.map(|task| task.to_string())),
                ]));
                lines.extend(event.why.map(|why| format!("why: {}{}", why.in_words(), died(event.died))));
                lines.extend(event.not_ours.map(|fault| format!("no token to revoke: {}", fault.word())));
            }
            Event::Introspection(event) => lines.push(about(&[
                ("token", event.jti.map(|jti| jti.to_string())),
                ("task", event.task.map(|task| task.to_string())),
            ])),
            Event::TaskEnd(event) => {
                lines.push(about(&[
                    ("task", Some(event.task.to_string())),
                    ("of agent", event.agent.as_ref().map(ToString::to_string)),
                    ("user", event.subject.map(|subject| subject.to_string())),
                ]));
                lines.push(format!(
                    "why: {}{}{}",
                    event.why.in_words(),
                    died(event.died),
                    unchanged(event.changed)
                ));
            }
            Event::TasksEnd(event) => {
                lines.extend(event.why.map(|why| format!("why: {}", why.in_words())));
                lines.push(format!("tasks: {}", list(&event.tasks)));
            }
            Event::AgentState(event) => {
                lines.push(format!("agent {}{}", event.agent, unchanged(event.changed)));
                if event.state != AgentState::Active {
                    lines.push(format!("why: {}", event.why.in_words()));
                }
            }
            Event::AgentProfile(event) => {
                lines.push(format!("agent {}{}", event.agent, unchanged(event.changed)));
                let members: Vec<&str> = event.members.iter().map(|member| member.word()).collect();
                lines.push(format!("its profile has: {}", members.join(", ")));
            }
            Event::Stop(event) | Event::Lift(event) => lines.push(stopped(event)),
            Event::Key(event) => {
                lines.extend(event.kid.as_ref().map(|kid| format!("key {kid}{}", unchanged(event.changed))))
            }
            Event::Pin(event) | Event::PinRefused(event) => pinned(event, lines),
            Event::PolicyLoad(event) => lines.push(format!("the policy set {} is in force", event.set)),
            Event::Configuration(event) => {
                let named = |what: &str, names: &[String]| {
                    (!names.is_empty()).then(|| format!("{what}: {}", names.join(", ")))
                };
                lines.extend(named("new", &event.added));
                lines.extend(named("taken out, with everything that names it", &event.removed));
            }
            Event::ClockReset(event) => {
                lines.push(format!("from {} to {}; everything that was issued ended", event.from, event.to))
            }
            Event::Process(event) => {
                lines.push(format!("version {}", event.version));
                lines.extend(event.fault.as_ref().map(|fault| format!("why: {fault}")));
            }
            Event::Verb(event) => lines.push(format!("what was asked for: {}", event.verb)),
            Event::Unauthenticated(_) => {}
        }
    }
}

impl Event {
    /// What happened, or was to happen.
    fn in_words(&self, is_done: bool) -> String {
        match self {
            Self::Exchange(event) if is_done && event.task_begun => {
                "token issued, and a task begun".to_owned()
            }
            Self::Exchange(_) if is_done => "token issued".to_owned(),
            Self::Exchange(_) => "token request".to_owned(),
            Self::Handover(event) => match &event.handed_to {
                Some(to) => format!("handover to {}", brought_in(to)),
                None => "handover to an agent or a class that is not known".to_owned(),
            },
            Self::Accept(event) => match &event.accepted_from {
                Some(from) => format!("handover of {from} accepted"),
                None => "acceptance of a handover".to_owned(),
            },
            Self::Revocation(_) => "revocation".to_owned(),
            Self::Introspection(event) => match event.count {
                Some(count) => format!("{count} introspections of a token"),
                None => "introspection".to_owned(),
            },
            Self::Unauthenticated(event) => {
                format!("{} refusals of callers that did not authenticate", event.count)
            }
            Self::TaskEnd(_) => "end of a task".to_owned(),
            Self::TasksEnd(event) => format!("end of {} tasks", event.tasks.len()),
            Self::AgentState(event) => format!(
                "agent {}",
                if event.state == AgentState::Active { "resumed" } else { event.state.word() }
            ),
            Self::AgentProfile(_) => "profile of an agent".to_owned(),
            Self::Stop(event) => format!("stop of a {}", event.kind.word().replace('_', " ")),
            Self::Lift(event) => format!("lift of the stop of a {}", event.kind.word().replace('_', " ")),
            Self::Key(event) => match event.act {
                KeyAct::First => "first signing key made".to_owned(),
                KeyAct::Prepared => "signing key prepared".to_owned(),
                KeyAct::Revoked => "signing key revoked, with every token that it signed".to_owned(),
                KeyAct::SetBack => "times of the signing keys set back with the clock".to_owned(),
                KeyAct::Refreshed => "fetched keys of other parties forgotten".to_owned(),
            },
            Self::Pin(_) => "credential pinned to a key".to_owned(),
            Self::PinRefused(_) => "ALERT: pinned credential without its key".to_owned(),
            Self::PolicyLoad(_) if is_done => "policy set loaded".to_owned(),
            Self::PolicyLoad(_) => "new policy set".to_owned(),
            Self::Configuration(_) => "configuration in force".to_owned(),
            Self::ClockReset(_) => "recorded time set back".to_owned(),
            Self::Process(event) => match event.act {
                ProcessAct::Start => "start of the server".to_owned(),
                ProcessAct::Stop => "stop of the server".to_owned(),
                ProcessAct::Reload => "reload of the configuration".to_owned(),
            },
            Self::Verb(_) => "administrative command that did nothing".to_owned(),
        }
    }
}

fn pinned(event: &PinEvent, lines: &mut Vec<String>) {
    lines.push(format!("agent {}, whose credential is from {}", event.agent, event.issuer));
    let key = match (event.jkt, event.x5t) {
        (Some(jkt), _) => format!("key {jkt}"),
        (None, Some(x5t)) => format!("certificate {x5t}"),
        (None, None) => "no key was proven".to_owned(),
    };
    let until = Timestamp::from_seconds(event.expires_at);
    lines.push(format!("credential {}, which expires {until}; {key}", event.credential));
}

fn exchanged(event: &ExchangeEvent, outcome: &Outcome, lines: &mut Vec<String>) {
    let class = event.class.as_ref().map(|class| format!(" of class `{class}`")).unwrap_or_default();
    let before = event.chain.strip_prefix(event.agent.as_slice()).unwrap_or(&event.chain);
    lines.push(about(&[
        ("agent", event.agent.as_ref().map(|agent| format!("{agent}{class}"))),
        ("acting for", (!before.is_empty()).then(|| list(before))),
        ("user", event.subject.map(|subject| subject.to_string())),
        ("task", event.task.map(|task| task.to_string())),
    ]));
    if event.task_begun {
        let levels =
            if event.levels.is_empty() { "no level met".to_owned() } else { event.levels.join(" and ") };
        let provider = event.provider.as_deref().unwrap_or("an unknown provider");
        let purpose =
            event.purpose.as_ref().map(|purpose| format!("; for: {}", purpose.as_str())).unwrap_or_default();
        lines.push(match event.delegator_kind {
            Some(DelegatorKind::Agent) => {
                format!("the agent acts for itself, and no user is behind it{purpose}")
            }
            _ => format!("user signed in at {provider} with {levels}{purpose}"),
        });
    }
    let target = event.target.as_ref().map_or("a target that is not configured", |target| target.as_str());
    let words =
        |scope: Option<&Scope>| scope.map_or("no scope that is configured".to_owned(), ToString::to_string);
    if *outcome == Outcome::Granted {
        let what = match event.token_kind {
            Some(TokenWord::Task) => "got a task token for".to_owned(),
            Some(TokenWord::Handover) => "handed over".to_owned(),
            Some(TokenWord::Agent) => format!("got a token about itself, at {target}:"),
            _ => format!("got, at {target}:"),
        };
        let until =
            event.expires_at.map(|at| format!(", until {}", Timestamp::from_seconds(at))).unwrap_or_default();
        lines.push(format!("{what} {}{until}", words(event.scope.as_ref())));
        lines.extend(
            event
                .accept_until
                .map(|at| format!("it has to be accepted until {}", Timestamp::from_seconds(at))),
        );
        lines.push(about(&[
            ("token", event.jti.map(|jti| jti.to_string())),
            ("from", event.parent.map(|parent| parent.to_string())),
            ("bound to key", event.jkt.filter(|_| event.bound).map(|jkt| jkt.to_string())),
            ("bound to certificate", event.x5t.filter(|_| event.bound).map(|x5t| x5t.to_string())),
        ]));
    } else {
        lines.push(format!("asked, at {target}: {}", words(event.scope_asked.as_ref())));
        lines.extend(event.parent.map(|parent| format!("with token {parent}")));
    }
    lines.extend(
        event.policy.as_ref().map(|policy| {
            format!("policy: {} by {} (set {})", policy.decision, policy.in_words(), policy.set)
        }),
    );
}

/// Whom an agent brings in, in words.
fn brought_in(to: &Recipient) -> String {
    match to {
        Recipient::Agent(id) => id.to_string(),
        Recipient::Class(name) => format!("an agent of class `{name}`"),
    }
}

fn stopped(event: &StopEvent) -> String {
    let name = match event.subject {
        Some(subject) => format!("user {subject} of {}", event.name),
        None => event.name.clone(),
    };
    let known = if event.known == Some(false) { ", which was never met before" } else { "" };
    format!("{name}{known}{}", unchanged(event.changed))
}

/// Those that are known, each with its name.
fn about(members: &[(&str, Option<String>)]) -> String {
    let known = members.iter().filter_map(|(name, value)| Some(format!("{name} {}", value.as_ref()?)));
    known.collect::<Vec<_>>().join("; ")
}

fn list<T: ToString>(items: &[T]) -> String {
    items.iter().map(ToString::to_string).collect::<Vec<_>>().join(", ")
}

fn died(died: Option<u64>) -> String {
    died.map(|died| format!(", {died} tokens ended")).unwrap_or_default()
}

const fn unchanged(changed: Option<bool>) -> &'static str {
    if matches!(changed, Some(false)) { "; this changed nothing" } else { "" }
}

//! The audit chain: each row's hash covers its body, its place, and the hash of the row before it.

use aws_lc_rs::digest::{Context, SHA256};

use super::AuditColumns;
use crate::audit::{AuditRow, Event, Outcome};
use crate::oauth::AgentId;
use crate::store::rows::Hash;

/// Sets these hashes apart from every other SHA-256.
const DOMAIN: &[u8; 16] = b"deputy audit v1\0";

/// How long a chain's name is: 64 bits in hex.
pub(in crate::store) const NAME_LENGTH: usize = 16;

/// The end of a chain.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(in crate::store) struct Head {
    /// The writing node.
    pub(in crate::store) chain: String,
    /// Its last row; 0 before the first.
    pub(in crate::store) seq: i64,
    /// The last row's hash; zeros before the first.
    pub(in crate::store) hash: Hash,
}

impl Head {
    /// Before the first row.
    pub(in crate::store) const fn genesis(chain: String) -> Self {
        Self { chain, seq: 0, hash: Hash([0; 32]) }
    }

    /// Puts a row at the end.
    pub(in crate::store) fn append(&mut self, row: &AuditRow) -> AuditColumns {
        let columns = columns(row, self);
        self.seq = columns.seq;
        self.hash = columns.hash;
        columns
    }
}

/// SHA-256(domain ‖ previous hash ‖ length and name of the chain ‖ seq ‖ body): all but the body is of
/// fixed width, or says how long it is.
pub(in crate::store) fn link(previous: &Hash, chain: &str, seq: i64, body: &str) -> Hash {
    let mut context = Context::new(&SHA256);
    context.update(DOMAIN);
    context.update(&previous.0);
    context.update(&(chain.len() as u64).to_be_bytes());
    context.update(chain.as_bytes());
    context.update(&seq.to_be_bytes());
    context.update(body.as_bytes());
    let mut hash = [0; 32];
    hash.copy_from_slice(context.finish().as_ref());
    Hash(hash)
}

fn columns(row: &AuditRow, head: &Head) -> AuditColumns {
    let body = row.body();
    let seq = head.seq + 1;
    AuditColumns {
        hash: link(&head.hash, &head.chain, seq, &body),
        chain: head.chain.clone(),
        seq,
        at: row.at.millis(),
        event: event_word(row.event).to_owned(),
        outcome: outcome_word(row.outcome).to_owned(),
        request: row.request.map(Into::into),
        client: row.client.as_ref().map(|client| client.as_str().to_owned()),
        agent: stray_agent(row).map(|agent| agent.as_str().to_owned()),
        task: row.task.map(Into::into),
        jti: row.jti.map(Into::into),
        parent: row.parent.map(Into::into),
        subject: row.subject.map(Into::into),
        cause: row.cause.clone(),
        body,
    }
}

/// The agent of a row that has to be searched for by it. Those of granted exchanges are found by their task:
/// the agent is engaged in it, and a column less is an index less to write.
fn stray_agent(row: &AuditRow) -> Option<&AgentId> {
    let is_found_by_task =
        row.event == Event::Exchange && row.outcome == Outcome::Granted && row.task.is_some();
    row.agent.as_ref().filter(|_| !is_found_by_task)
}

/// The first column that is not a copy of what the body says; `None` if all are.
pub(in crate::store) fn differing_column(stored: &AuditColumns, row: &AuditRow) -> Option<&'static str> {
    let head = Head { chain: stored.chain.clone(), seq: stored.seq - 1, hash: Hash([0; 32]) };
    let copy = columns(row, &head);
    let pairs = [
        ("at", copy.at == stored.at),
        ("event", copy.event == stored.event),
        ("outcome", copy.outcome == stored.outcome),
        ("request", copy.request == stored.request),
        ("client", copy.client == stored.client),
        ("agent", copy.agent == stored.agent),
        ("task", copy.task == stored.task),
        ("jti", copy.jti == stored.jti),
        ("parent", copy.parent == stored.parent),
        ("subject", copy.subject == stored.subject),
        ("cause", copy.cause == stored.cause),
    ];
    pairs.into_iter().find(|(_, is_equal)| !is_equal).map(|(column, _)| column)
}

const fn event_word(event: Event) -> &'static str {
    match event {
        Event::Exchange => "exchange",
        Event::Revocation => "revocation",
        Event::Introspection => "introspection",
        Event::TaskEnd => "task_end",
        Event::AgentState => "agent_state",
        Event::SubjectStop => "subject_stop",
        Event::Key => "key",
        Event::PolicyLoad => "policy_load",
        Event::Configuration => "configuration",
        Event::ClockReset => "clock_reset",
        Event::Process => "process",
    }
}

const fn outcome_word(outcome: Outcome) -> &'static str {
    match outcome {
        Outcome::Granted => "granted",
        Outcome::Refused => "refused",
        Outcome::Failed => "failed",
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::base::time::Timestamp;

    #[test]
    fn a_link_depends_on_body_place_chain_and_predecessor() {
        let zeros = Hash([0; 32]);
        let base = link(&zeros, "00112233aabbccdd", 1, "{}");
        assert_ne!(base, link(&zeros, "00112233aabbccdd", 1, "{ }"));
        assert_ne!(base, link(&zeros, "00112233aabbccdd", 2, "{}"));
        assert_ne!(base, link(&zeros, "00112233aabbccde", 1, "{}"));
        assert_ne!(base, link(&base, "00112233aabbccdd", 1, "{}"));
    }

    #[test]
    fn the_words_in_the_columns_are_those_of_the_body() {
        for event in [Event::Exchange, Event::TaskEnd, Event::ClockReset, Event::PolicyLoad] {
            let row = AuditRow::new(Timestamp::from_millis(1), event, Outcome::Granted);
            let body: serde_json::Value = serde_json::from_str(&row.body()).unwrap();
            assert_eq!(body["event"], event_word(event));
            assert_eq!(body["outcome"], "granted");
        }
    }
}

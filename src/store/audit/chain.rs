//! The audit chain: each row's hash covers its body, its place, and the hash of the row before it.

use super::AuditColumns;
use crate::audit::{Effect, Event, Outcome, Row, Told};
use crate::base::digest::sha256;
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

    /// Where the next row will be, as chain and number.
    pub(in crate::store) fn next_row(&self) -> String {
        format!("{} {}", self.chain, self.seq + 1)
    }

    /// Makes the row of what happened and puts it at the end.
    pub(in crate::store) fn append(&mut self, told: &Told, effect: &Effect) -> AuditColumns {
        let row = Row::of(told, effect, &self.chain, self.seq + 1);
        let body = row.body();
        let hash = link(&self.hash, &self.chain, row.envelope.seq, &body);
        let columns = columns(&row, body, hash);
        self.seq = columns.seq;
        self.hash = columns.hash;
        columns
    }
}

/// SHA-256(domain ‖ previous hash ‖ length and name of the chain ‖ seq ‖ body): all but the body is of
/// fixed width, or says how long it is.
pub(in crate::store) fn link(previous: &Hash, chain: &str, seq: i64, body: &str) -> Hash {
    let length = (chain.len() as u64).to_be_bytes();
    Hash(sha256([
        DOMAIN.as_slice(),
        &previous.0,
        &length,
        chain.as_bytes(),
        &seq.to_be_bytes(),
        body.as_bytes(),
    ]))
}

fn columns(row: &Row, body: String, hash: Hash) -> AuditColumns {
    AuditColumns {
        hash,
        chain: row.envelope.chain.clone(),
        seq: row.envelope.seq,
        at: row.envelope.at.millis(),
        event: row.event.kind().word().to_owned(),
        outcome: row.outcome.word().to_owned(),
        request: row.envelope.request.map(Into::into),
        client: row.client().map(|client| client.as_str().to_owned()),
        agent: searched_agent(row).map(|agent| agent.as_str().to_owned()),
        task: row.task().map(Into::into),
        jti: row.jti().map(Into::into),
        parent: row.parent().map(Into::into),
        subject: row.subject().map(Into::into),
        cause: row.cause().map(str::to_owned),
        body,
    }
}

/// The agent of a row that has to be searched for by it. Those of granted exchanges, and of the pins that they make, are
/// found by their task: the agent is engaged in it, and a column less is an index less to write.
fn searched_agent(row: &Row) -> Option<&AgentId> {
    let is_of_exchange = row.exchange().is_some() || matches!(row.event, Event::Pin(_));
    let is_found_by_task = is_of_exchange && row.outcome == Outcome::Granted && row.task().is_some();
    row.agent().filter(|_| !is_found_by_task)
}

/// The first column that is not a copy of what the body says; `None` if all are.
pub(in crate::store) fn differing_column(stored: &AuditColumns, row: &Row) -> Option<&'static str> {
    // Taken apart whole, so that the compiler asks for a new column here too. Body and hash are not copies.
    let AuditColumns {
        chain,
        seq,
        at,
        event,
        outcome,
        request,
        client,
        agent,
        task,
        jti,
        parent,
        subject,
        cause,
        body: _,
        hash: _,
    } = columns(row, String::new(), stored.hash);
    let pairs = [
        ("chain", chain == stored.chain),
        ("seq", seq == stored.seq),
        ("at", at == stored.at),
        ("event", event == stored.event),
        ("outcome", outcome == stored.outcome),
        ("request", request == stored.request),
        ("client", client == stored.client),
        ("agent", agent == stored.agent),
        ("task", task == stored.task),
        ("jti", jti == stored.jti),
        ("parent", parent == stored.parent),
        ("subject", subject == stored.subject),
        ("cause", cause == stored.cause),
    ];
    pairs.into_iter().find(|(_, is_equal)| !is_equal).map(|(column, _)| column)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::audit::{Event, PolicyLoadEvent};
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
    fn the_place_of_a_row_is_a_copy_too() {
        let mut head = Head::genesis("00112233aabbccdd".to_owned());
        let event = Event::PolicyLoad(PolicyLoadEvent { set: "00".to_owned() });
        let told = Told::of_server(Timestamp::from_millis(1), Outcome::Granted, event);
        let stored = head.append(&told, &Effect::default());
        let row = Row::parse(&stored.body).unwrap();

        assert_eq!(head, Head { chain: stored.chain.clone(), seq: 1, hash: stored.hash });
        assert_eq!(differing_column(&stored, &row), None);
        let elsewhere = AuditColumns { chain: "other".to_owned(), ..stored.clone() };
        assert_eq!(differing_column(&elsewhere, &row), Some("chain"));
        assert_eq!(differing_column(&AuditColumns { seq: 2, ..stored }, &row), Some("seq"));
    }
}

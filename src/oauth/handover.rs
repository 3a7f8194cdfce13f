//! Whom an agent asks to bring in, by the parameters `requested_actor` and `dpop_jkt`.

use std::fmt;

use serde::{Deserialize, Deserializer, Serialize, Serializer};

use super::fingerprint::Jkt;
use super::ids::{AGENT_PREFIX, AgentId};
use super::params::Params;
use super::refusal::{Cause, Plain};

/// How a recipient that is a class is written.
const CLASS_PREFIX: &str = "class:";

/// For whom a handover is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Recipient {
    /// One agent, by its `act.sub`.
    Agent(AgentId),
    /// Any agent of the class of this name. The first that accepts is the only one.
    Class(String),
}

impl Recipient {
    /// The longest form, in bytes.
    const LONGEST: usize = 80;

    /// Reads `agent_…` or `class:NAME`, at most 80 bytes long.
    pub fn parse(text: &str) -> Option<Self> {
        if text.len() > Self::LONGEST {
            return None;
        }
        let is_id = |id: &str| !id.is_empty() && id.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'_');
        match (text.strip_prefix(CLASS_PREFIX), text.strip_prefix(AGENT_PREFIX)) {
            (Some(name), _) if !name.is_empty() => Some(Self::Class(name.to_owned())),
            (None, Some(id)) if is_id(id) => Some(Self::Agent(AgentId::new(text))),
            _ => None,
        }
    }
}

impl fmt::Display for Recipient {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Agent(id) => id.fmt(f),
            Self::Class(name) => write!(f, "{CLASS_PREFIX}{name}"),
        }
    }
}

impl Serialize for Recipient {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for Recipient {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = String::deserialize(deserializer)?;
        Self::parse(&text).ok_or_else(|| serde::de::Error::custom("no agent and no class"))
    }
}

/// The wish of an agent to hand over.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct HandoverRequest {
    /// `requested_actor`
    pub recipient: Recipient,
    /// `dpop_jkt`: the key that who accepts has to prove.
    pub key: Option<Jkt>,
}

impl HandoverRequest {
    /// Parses the two parameters; `None` if neither was sent.
    ///
    /// # Errors
    /// One of them is malformed, or `dpop_jkt` came without `requested_actor`.
    pub fn parse(params: &Params) -> Result<Option<Self>, Cause> {
        let Some(recipient) = params.get("requested_actor") else {
            return match params.get("dpop_jkt") {
                Some(_) => Err(Plain::RequestedActorMisplaced.into()),
                None => Ok(None),
            };
        };
        let key = match params.get("dpop_jkt") {
            Some(text) => Some(Jkt::parse(text).ok_or(Plain::DpopJktMalformed)?),
            None => None,
        };
        let recipient = Recipient::parse(recipient).ok_or(Plain::RequestedActorMalformed)?;
        Ok(Some(Self { recipient, key }))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parse(form: &str) -> Result<Option<HandoverRequest>, Cause> {
        HandoverRequest::parse(&Params::parse(form.as_bytes()).unwrap())
    }

    #[test]
    fn a_recipient_is_an_agent_or_a_class() {
        let agent = Recipient::Agent(AgentId::new("agent_7q"));
        assert_eq!(Recipient::parse("agent_7q"), Some(agent));
        assert_eq!(Recipient::parse("class:agent_7q"), Some(Recipient::Class("agent_7q".to_owned())));
        for text in
            ["", "agent_", "agent_a b", "agent_é", "class:", "client:assistant", "Class:x", "x", "pw_1"]
        {
            assert_eq!(Recipient::parse(text), None, "{text}");
        }
        let long = |length: usize| format!("class:{}", "x".repeat(length - "class:".len()));
        assert!(Recipient::parse(&long(80)).is_some());
        assert_eq!(Recipient::parse(&long(81)), None);
    }

    #[test]
    fn a_recipient_is_written_as_it_is_read() {
        for text in ["agent_7q", "class:build runner"] {
            let recipient = Recipient::parse(text).unwrap();
            assert_eq!(recipient.to_string(), text);
            let json = serde_json::to_string(&recipient).unwrap();
            assert_eq!(serde_json::from_str::<Recipient>(&json).unwrap(), recipient);
        }
    }

    #[test]
    fn a_key_is_the_thumbprint_of_43_bytes_and_goes_with_a_recipient_only() {
        let jkt = Jkt::new([7; 32]);
        let request = parse(&format!("requested_actor=class:x&dpop_jkt={jkt}")).unwrap().unwrap();
        assert_eq!(request.key, Some(jkt));
        assert_eq!(parse("requested_actor=class:x").unwrap().unwrap().key, None);
        assert_eq!(parse("scope=a"), Ok(None));
        assert_eq!(parse(&format!("dpop_jkt={jkt}")), Err(Plain::RequestedActorMisplaced.into()));
        let whole = jkt.to_string();
        for text in [&whole[..42], &format!("{whole}A"), &format!("{whole}="), "short", &"+".repeat(43)] {
            let form = format!("requested_actor=class:x&dpop_jkt={}", text.replace('+', "%2B"));
            assert_eq!(parse(&form), Err(Plain::DpopJktMalformed.into()), "{text}");
        }
        assert_eq!(parse("requested_actor=x"), Err(Plain::RequestedActorMalformed.into()));
    }
}

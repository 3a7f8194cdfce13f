//! The party that acts in one exchange, and how far it may reach.

use std::collections::BTreeSet;
use std::sync::Arc;

use super::ceiling::Ceiling;
use super::record::{Agent, AgentState, Provenance};
use super::stops::StopNumber;
use crate::base::time::Timestamp;
use crate::oauth::{AgentId, Issuer, ScopeToken, TokenFault};
use crate::registry::{AgentClass, AgentLifetime, Client, ClientAuthentication};
use crate::verification::{MayAct, VerifiedWorkload};

/// The class name of a client's own agent.
pub const CLIENT_CLASS: &str = "client";

/// The actor of one exchange: the agent a workload's credential names, else the client's own agent.
#[derive(Clone, Debug)]
pub struct Acting {
    /// `act.sub`.
    pub id: AgentId,
    pub client: Arc<Client>,
    /// The workload's credential; absent for the client's own agent.
    pub workload: Option<VerifiedWorkload>,
}

impl Acting {
    /// Whether this client may act so at all.
    ///
    /// # Errors
    /// The class does not list the client; or a client with a secret would be the actor itself
    /// without `may_act_as_agent`.
    pub fn check(&self) -> Result<(), TokenFault> {
        match &self.workload {
            Some(workload)
                if !workload.class().clients.contains(&self.client.id) && !self.is_own_client() =>
            {
                Err(TokenFault::ClassNotForClient)
            }
            Some(_) => Ok(()),
            None => match self.client.authentication {
                ClientAuthentication::PrivateKeyJwt { .. }
                | ClientAuthentication::Tls(_)
                | ClientAuthentication::SelfSignedTls { .. } => Ok(()),
                // Its actor is the agent that its credential names, so it has none of its own.
                ClientAuthentication::Workload => Err(TokenFault::ClassNotForClient),
                _ if self.client.may_act_as_agent => Ok(()),
                _ => Err(TokenFault::SecretClientAsAgent),
            },
        }
    }

    /// Whether no client presents it, so that it is its own.
    pub fn is_own_client(&self) -> bool {
        self.client.id.as_str() == self.id.as_str()
    }

    /// Whether it may begin tasks of its own: its class says so, or the client that has authenticated.
    pub fn begins_tasks(&self, is_client_authenticated: bool) -> bool {
        self.workload_class().is_some_and(|class| class.begins_tasks)
            || (is_client_authenticated && self.client.begins_tasks)
    }

    /// Whether its class gives it tokens about itself by its platform's credential alone.
    pub fn has_agent_tokens(&self) -> bool {
        self.workload_class().is_some_and(|class| class.agent_tokens)
    }

    fn workload_class(&self) -> Option<&AgentClass> {
        self.workload.as_ref().map(|workload| workload.class().as_ref())
    }

    pub fn class(&self) -> &str {
        self.workload_class().map_or(CLIENT_CLASS, |class| &class.name)
    }

    /// Who vouches for it, if not the client itself.
    pub fn workload_issuer(&self) -> Option<&Issuer> {
        self.workload.as_ref().map(|workload| workload.issuer())
    }

    /// When its credential was issued, in whole seconds since the epoch; absent for the client's own agent.
    pub fn credential_at(&self) -> Option<i64> {
        self.workload.as_ref().map(VerifiedWorkload::issued_at)
    }

    /// The most that it may have: the client's ceiling and the class's.
    pub fn ceiling(&self) -> Ceiling<'_> {
        Ceiling::new(&self.client, self.workload_class())
    }

    /// The yes/no scopes it may have answered.
    pub fn answers(&self) -> &BTreeSet<ScopeToken> {
        self.workload_class().map_or(&self.client.answers, |class| &class.answers)
    }

    /// Its record, as it is created if it was never seen.
    pub fn to_agent(&self, now: Timestamp) -> Agent {
        Agent {
            id: self.id.clone(),
            client: self.client.id.clone(),
            provenance: match &self.workload {
                None => Provenance::Client,
                Some(workload) => Provenance::Workload {
                    issuer: workload.issuer().clone(),
                    workload: workload.workload().to_owned(),
                    instance: workload.instance(),
                },
            },
            class: self.class().to_owned(),
            lifetime: self.workload_class().map_or(AgentLifetime::Principal, |class| class.lifetime),
            state: AgentState::Active,
            ended: None,
            stopped: StopNumber::default(),
            first_seen: now,
            last_seen: now,
            idle: self.workload_class().and_then(|class| class.idle),
            expires_at: self.workload_class().and_then(|class| class.ttl).map(|ttl| now.plus(ttl)),
            build: self.workload.as_ref().map(|workload| workload.build().clone()).unwrap_or_default(),
        }
    }

    /// Whether a `may_act` names this actor (RFC 8693 §4.4), under any of the names it is known by:
    /// (Deputy, `act.sub`), (Deputy, `client_id`), (workload issuer, credential `sub`),
    /// (provider, relying party the token was issued to).
    ///
    /// `token_issuer` is what an absent `iss` means; `relying_party` is (provider, relying-party id).
    pub fn is_named_by(
        &self,
        may_act: &MayAct,
        deputy: &Issuer,
        token_issuer: &Issuer,
        relying_party: Option<(&Issuer, &str)>,
    ) -> bool {
        if may_act.has_other_identity_members {
            return false;
        }
        let issuer = may_act.issuer.as_deref().unwrap_or(token_issuer.as_str());
        let is =
            |known_issuer: &Issuer, known: &str| known_issuer.as_str() == issuer && known == may_act.subject;
        let workload = self.workload.as_ref();
        is(deputy, self.id.as_str())
            || is(deputy, self.client.id.as_str())
            || workload.is_some_and(|w| w.subject().is_some_and(|subject| is(w.issuer(), subject)))
            || relying_party.is_some_and(|(provider, id)| is(provider, id))
    }
}

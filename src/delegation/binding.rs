//! To which key or certificate a token is bound, by which one a bound token may be exchanged, and to which one a
//! platform's credential is pinned. Everything is a function of what was proven in this request and of what is recorded.

use super::actor::Acting;
use super::fault::Fault;
use super::rules::{Reach, Right};
use crate::oauth::{Confirmation, Issuer, Plain, TokenFault};
use crate::registry::{Client, Pin, Proof, Registry, TargetProof};
use crate::verification::Credential;

/// Whether the agent's workload issuer demands a proof that is not there.
///
/// # Errors
/// [`Plain::ProofMissing`]
pub fn check_demanded(
    registry: &Registry,
    acting: &Acting,
    proven: Option<Confirmation>,
) -> Result<(), Plain> {
    let issuer = acting.workload_issuer().and_then(|issuer| registry.workload_issuers.get(issuer));
    match issuer.map(|issuer| issuer.proof) {
        Some(Proof::Required) if proven.is_none() => Err(Plain::ProofMissing),
        Some(Proof::Required | Proof::Optional) | None => Ok(()),
    }
}

/// Whether the subject token may be exchanged by who proved this key. A bound token is continued or handed over by its key
/// alone, and a handover that names a key is accepted by that key alone. To go onward from a bound token needs no proof by
/// its key: possession was proven to the audience that exchanges it.
///
/// # Errors
/// [`Plain::ProofMissing`]; [`TokenFault::OtherKey`].
pub fn check_holder(right: Right<'_>, proven: Option<Confirmation>) -> Result<(), Fault> {
    let bound_to = match right {
        Right::Continue(parent) | Right::HandOver(parent, _) => parent.bound_to,
        Right::Accept(_, handover) => handover.key.map(Confirmation::Key),
        Right::Login | Right::Own | Right::Onward(_) => None,
    };
    match (bound_to, proven) {
        (None, _) => Ok(()),
        (Some(_), None) => Err(Fault::Request(Plain::ProofMissing)),
        (Some(key), Some(proven)) if key == proven => Ok(()),
        (Some(_), Some(_)) => Err(Fault::Subject(TokenFault::OtherKey)),
    }
}

/// The key that the new token is bound to. A task token is bound only where the client's own credential is one that
/// could be stolen, or where the agent accepts a handover; a token for a target, unless the target cannot check it. A
/// handover is bound to no key of its giver.
///
/// # Errors
/// [`Plain::ProofMissing`]: the target takes bound tokens only.
pub fn bound_to(
    right: Right<'_>,
    reach: &Reach,
    client: &Client,
    proven: Option<Confirmation>,
) -> Result<Option<Confirmation>, Plain> {
    match reach {
        Reach::Handover(..) => Ok(None),
        Reach::Task(_) => {
            let is_accepted = matches!(right, Right::Accept(..));
            Ok(proven.filter(|_| is_accepted || !client.authentication.proves_key()))
        }
        Reach::One(target) => match (target.proof, proven) {
            (TargetProof::None, _) => Ok(None),
            (TargetProof::Required, None) => Err(Plain::ProofMissing),
            (TargetProof::Required | TargetProof::Optional, proven) => Ok(proven),
        },
    }
}

/// One use of a credential that its issuer has pinned to the first key.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PinnedUse {
    pub credential: Credential,
    /// Who issued the credential.
    pub issuer: Issuer,
    /// What the request proved.
    pub proven: Option<Confirmation>,
}

impl PinnedUse {
    /// The use of the actor's credential; `None` for a client's own agent, and where the issuer pins nothing.
    pub fn of(registry: &Registry, acting: &Acting, proven: Option<Confirmation>) -> Option<Self> {
        let workload = acting.workload.as_ref()?;
        let pin = registry.workload_issuers.get(workload.issuer()).map(|issuer| issuer.pin);
        match pin.unwrap_or_default() {
            Pin::FirstKey => {
                Some(Self { credential: workload.credential(), issuer: workload.issuer().clone(), proven })
            }
            Pin::Off => None,
        }
    }

    /// What this use means, by the key that the credential is recorded to be pinned to.
    pub fn judge(&self, pinned: Option<Confirmation>) -> Pinning {
        match (pinned, self.proven) {
            (None, None) => Pinning::Unpinned,
            (None, Some(first)) => Pinning::First(first),
            (Some(pinned), Some(proven)) if pinned == proven => Pinning::Same,
            (Some(_), _) => Pinning::Refused,
        }
    }
}

/// What the use of a credential means for the key that it is pinned to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Pinning {
    /// No key was proven, now or before.
    Unpinned,
    /// This key is the first, and from now on the only one.
    First(Confirmation),
    /// It is the key that was first.
    Same,
    /// It is another key, or none: the key is lost, or the credential is stolen.
    Refused,
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use super::*;
    use crate::decision::fixtures::{age_agent, config, delegation, handover, own_agent, valid_world};
    use crate::delegation::record::TokenKind;
    use crate::oauth::{CertificateHash, ClientId, HandoverRequest, Jkt, Recipient, TargetId};

    const ONE: Confirmation = Confirmation::Key(Jkt::new([1; 32]));
    const OTHER: Confirmation = Confirmation::Key(Jkt::new([2; 32]));
    /// A certificate whose hash is that of the first key.
    const CERTIFICATE: Confirmation = Confirmation::Certificate(CertificateHash::new([1; 32]));
    const PROVEN: [Option<Confirmation>; 3] = [None, Some(ONE), Some(OTHER)];

    #[test]
    fn a_bound_task_token_is_continued_by_its_key_alone() {
        let mut token = delegation(TokenKind::Task, "x", "tickets:search");
        token.bound_to = Some(ONE);
        let continued = PROVEN.map(|proven| check_holder(Right::Continue(&token), proven));
        assert_eq!(
            continued,
            [Err(Fault::Request(Plain::ProofMissing)), Ok(()), Err(Fault::Subject(TokenFault::OtherKey))]
        );
        token.bound_to = Some(CERTIFICATE);
        assert_eq!(check_holder(Right::Continue(&token), Some(CERTIFICATE)), Ok(()));
        assert_eq!(
            check_holder(Right::Continue(&token), Some(ONE)),
            Err(Fault::Subject(TokenFault::OtherKey)),
            "a key is no certificate"
        );
        token.bound_to = None;
        assert_eq!(PROVEN.map(|proven| check_holder(Right::Continue(&token), proven)), [Ok(()); 3]);
    }

    #[test]
    fn the_audience_of_a_bound_token_goes_onward_by_any_key_or_none() {
        let mut token = delegation(TokenKind::Access, "age-agent", "age_over_18");
        token.bound_to = Some(ONE);
        assert_eq!(PROVEN.map(|proven| check_holder(Right::Onward(&token), proven)), [Ok(()); 3]);
    }

    #[test]
    fn a_bound_task_token_is_handed_over_by_its_key_alone_and_the_handover_is_bound_to_none() {
        let mut token = delegation(TokenKind::Task, "x", "tickets:search");
        token.bound_to = Some(ONE);
        let asked = HandoverRequest { recipient: Recipient::Class("planner".to_owned()), key: None };
        let right = Right::HandOver(&token, &asked);
        let handed = PROVEN.map(|proven| check_holder(right, proven).is_ok());
        assert_eq!(handed, [false, true, false]);
        let config = config();
        let client = &config.registry.clients[&ClientId::new("tickets-api")];
        let reach = Reach::Handover(Vec::new(), asked.clone());
        assert_eq!(bound_to(right, &reach, client, Some(ONE)), Ok(None));
    }

    #[test]
    fn a_handover_that_names_a_key_is_accepted_by_it_alone_and_accepting_binds_to_the_acceptor() {
        let config = config();
        let assistant = &config.registry.clients[&ClientId::new("assistant")];
        for (key, expected) in [
            (None, [Ok(()); 3]),
            (
                Some(ONE),
                [Err(Fault::Request(Plain::ProofMissing)), Ok(()), Err(Fault::Subject(TokenFault::OtherKey))],
            ),
        ] {
            let handover = handover(Recipient::Class("planner".to_owned()), key.and_then(Confirmation::key));
            let token = delegation(TokenKind::Handover(Box::new(handover.clone())), "x", "tickets:search");
            let right = Right::Accept(&token, &handover);
            assert_eq!(PROVEN.map(|proven| check_holder(right, proven)), expected);
            let bound = PROVEN.map(|proven| bound_to(right, &Reach::Task(Vec::new()), assistant, proven));
            assert_eq!(bound, PROVEN.map(Ok), "although its assertions prove a key");
        }
    }

    #[test]
    fn a_target_says_whether_its_tokens_are_bound() {
        let config = config();
        let client = &config.registry.clients[&ClientId::new("assistant")];
        let bound = |proof| {
            let mut target = (*config.registry.targets[&TargetId::new("tickets")]).clone();
            target.proof = proof;
            let reach = Reach::One(Arc::new(target));
            [None, Some(ONE)].map(|proven| bound_to(Right::Login, &reach, client, proven))
        };
        assert_eq!(bound(TargetProof::Optional), [Ok(None), Ok(Some(ONE))]);
        assert_eq!(bound(TargetProof::Required), [Err(Plain::ProofMissing), Ok(Some(ONE))]);
        assert_eq!(bound(TargetProof::None), [Ok(None), Ok(None)]);
    }

    #[test]
    fn a_task_token_is_bound_where_the_clients_credential_could_be_stolen() {
        let config = config();
        let bound = |client| {
            let client = &config.registry.clients[&ClientId::new(client)];
            bound_to(Right::Login, &Reach::Task(Vec::new()), client, Some(ONE))
        };
        assert_eq!(bound("assistant"), Ok(None), "its assertions prove a key already");
        assert_eq!(bound("tickets-api"), Ok(Some(ONE)), "it has a secret");
    }

    #[test]
    fn the_first_proven_key_is_the_only_one_and_a_request_without_a_proof_binds_nothing() {
        let world = valid_world();
        let acting = age_agent(&world);
        let judged = |pinned| {
            PROVEN.map(|proven| PinnedUse::of(&world.config.registry, &acting, proven).unwrap().judge(pinned))
        };
        assert_eq!(judged(None), [Pinning::Unpinned, Pinning::First(ONE), Pinning::First(OTHER)]);
        assert_eq!(judged(Some(ONE)), [Pinning::Refused, Pinning::Same, Pinning::Refused]);
        assert_eq!(judged(Some(CERTIFICATE)), [Pinning::Refused; 3]);
    }

    #[test]
    fn nothing_is_pinned_of_a_clients_own_agent_or_where_it_is_off() {
        let mut registry = valid_world().config.registry.clone();
        let own = own_agent(&valid_world(), "assistant");
        assert_eq!(PinnedUse::of(&registry, &own, Some(ONE)), None);
        for issuer in registry.workload_issuers.values_mut() {
            Arc::make_mut(issuer).pin = Pin::Off;
        }
        assert_eq!(PinnedUse::of(&registry, &age_agent(&valid_world()), Some(ONE)), None);
    }

    #[test]
    fn an_issuer_that_demands_a_proof_gets_one() {
        let world = valid_world();
        let mut registry = world.config.registry.clone();
        for issuer in registry.workload_issuers.values_mut() {
            Arc::make_mut(issuer).proof = Proof::Required;
        }
        let acting = age_agent(&world);
        assert_eq!(check_demanded(&registry, &acting, None), Err(Plain::ProofMissing));
        assert_eq!(check_demanded(&registry, &acting, Some(ONE)), Ok(()));
        assert_eq!(check_demanded(&registry, &own_agent(&world, "assistant"), None), Ok(()));
        assert_eq!(check_demanded(&world.config.registry, &acting, None), Ok(()));
    }
}

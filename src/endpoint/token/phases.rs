//! What every grant has in common: what it is called with, and how its outcome is recorded.

use std::sync::Arc;

use crate::app::{App, Failure, Stop};
use crate::audit::{Kind, Told, What};
use crate::base::time::Timestamp;
use crate::client_auth::AuthenticatedClient;
use crate::config::{Config, DpopNonce};
use crate::decision::{Check, Report, World};
use crate::endpoint::phases;
use crate::http::caller::Caller;
use crate::oauth::{Cause, OneTime, Plain};
use crate::registry::Proof;
use crate::verification::VerifiedProof;

/// A token request whose client is authenticated: what a grant is called with.
pub struct Call<'a> {
    pub app: &'a App,
    /// Who sent the request.
    pub caller: &'a Caller,
    /// The configuration and the policy that decide it.
    pub world: &'a World,
    pub client: &'a AuthenticatedClient,
    /// The DPoP proof that came with it.
    pub proof: Option<&'a VerifiedProof>,
    pub now: Timestamp,
}

/// Why there is no token.
pub enum Stopped {
    /// Still to be recorded, by this report.
    Unrecorded(Arc<Report>, Stop),
    /// The transaction that found it has recorded it.
    Recorded(Stop),
    /// The configuration that decided is no longer in force: nothing was written or used up.
    Superseded,
}

impl Call<'_> {
    /// The DPoP proof of a request. A client may have to prove a key, by a proof or by its certificate, or to present a
    /// certificate.
    ///
    /// # Errors
    /// The proof or the certificate is missing, or the proof is bad or without the nonce that is demanded.
    pub fn proof_of(
        app: &App,
        config: &Config,
        caller: &Caller,
        client: &AuthenticatedClient,
        now: Timestamp,
    ) -> Result<Option<VerifiedProof>, Cause> {
        let proof = VerifiedProof::of_request(config, &app.secrets, (&caller.dpop, "/token"), now)?;
        let registered = client.client();
        if registered.is_certificate_bound && client.certificate().is_none() {
            return Err(Plain::CertificateDemanded.into());
        }
        match registered.proof {
            Proof::Required if client.proven(proof.as_ref()).is_none() => Err(Plain::ProofMissing.into()),
            Proof::Required | Proof::Optional => Ok(proof),
        }
    }

    /// What is used up with the answer: the assertion of the client, and the proof.
    pub fn one_time(&self) -> Vec<OneTime> {
        let proof = self.proof.map(VerifiedProof::used);
        self.client.one_time().iter().chain(proof).cloned().collect()
    }

    /// The nonce for the next proof of a sender that has sent one with this request.
    pub fn next_nonce(&self) -> Option<String> {
        let is_demanded = self.world.config.dpop.nonce == DpopNonce::Required;
        (is_demanded && self.proof.is_some()).then(|| self.app.secrets.dpop_nonce(self.now))
    }

    /// The report of a request of which only client and proof are known.
    pub fn report(&self) -> Report {
        let mut report = Report::of_client(self.client.client().id.clone());
        report.who.proven = self.client.proven(self.proof);
        report
    }

    /// The request is refused before there is a question to decide.
    pub fn refused(&self, check: Check, cause: Cause) -> Stopped {
        let report = self.report().refused_at(check, cause.clone());
        Stopped::Unrecorded(Arc::new(report), cause.into())
    }

    /// What is recorded of this request: the report, from which the row is made once the effect is known.
    pub fn told(&self, report: Arc<Report>) -> Told {
        debug_assert_eq!(report.who.client, self.client.client().id, "a report of another client");
        Told::of_client(self.now, self.caller, self.client, What::Exchange(report))
    }

    /// Records why there is no token, and returns what the reply is to say. To demand a nonce uses nothing up, so that the
    /// same assertion can be sent again.
    pub async fn record(&self, stopped: Stopped) -> Stop {
        let Call { app, caller, client, .. } = *self;
        let (mut report, mut stop) = match stopped {
            Stopped::Recorded(stop) => return stop,
            Stopped::Superseded => return Stop::Failed(Failure::Contention),
            Stopped::Unrecorded(report, stop) => (report, stop),
        };
        let is_replayed = |stop: &Stop| matches!(stop, Stop::Refused(Cause::Plain(Plain::ProofReplayed)));
        if !is_replayed(&stop) {
            let is_nonce_demanded = matches!(stop, Stop::Refused(Cause::NonceDemanded { .. }));
            let used = if is_nonce_demanded { Vec::new() } else { self.one_time() };
            let told = self.told(Arc::clone(&report));
            stop = phases::record_stop_using(app, caller, client, told, Kind::Exchange, stop, used).await;
            if !is_replayed(&stop) {
                return stop;
            }
        }
        // It comes before every fault that was found later, and nothing was written. What remains to be used up is the
        // assertion.
        Arc::make_mut(&mut report).refuse_at(Check::Proof, Plain::ProofReplayed.into());
        phases::record_stop(app, caller, client, self.told(report), Kind::Exchange, stop).await
    }
}

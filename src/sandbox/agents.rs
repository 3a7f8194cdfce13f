//! The agents, and how one starts: it holds the token of its pod and a key that it makes itself, and nothing else.

mod age;
mod assistant;
mod booking_app;

use std::sync::Arc;

use reqwest::Method;
use url::Url;

use super::platform::Launcher;
use super::wire::{Access, Call, Wire};
use crate::base::entropy::Entropy;
use crate::base::time::Clock;
use crate::jose::{Algorithm, SigningKey};
use crate::sdk::{Client, ClientKey, Credential, Endpoints, Exchange};

pub use age::{AgeAgent, ROLE, routes as age_agent_routes};
pub use assistant::{Assistant, routes as assistant_routes};
pub use booking_app::{BOOKING_APP, BookingApp};

/// A client of Deputy, with what it says recorded. A refusal is an answer, and no error.
#[derive(Clone)]
pub struct DeputyClient {
    pub wire: Wire,
    pub client: Client,
    /// The thumbprint of the key that it proves (RFC 7638).
    pub thumbprint: String,
}

impl DeputyClient {
    pub async fn exchange(&self, exchange: &Exchange<'_>) -> anyhow::Result<Call> {
        let line = self.wire.to("Deputy");
        let outcome = self.client.exchange(&line, exchange).await;
        line.call(outcome)
    }

    /// Exchanges one of Deputy's own tokens for a narrower one.
    pub async fn narrow(&self, token: &str, audience: &str, scope: &str) -> anyhow::Result<Call> {
        self.exchange(&Exchange::of_access_token(token).audience(audience).scope(scope)).await
    }

    /// Hands over what a task token allows, or less, to the agents that `to` names. Where `key` is given, only its holder
    /// can accept.
    pub async fn hand_over(
        &self,
        task_token: &str,
        scope: &str,
        to: &str,
        key: Option<&str>,
    ) -> anyhow::Result<Call> {
        let request = Exchange::of_access_token(task_token).audience(self.client.issuer()).scope(scope);
        let request = request.hand_over_to(to);
        self.exchange(&key.map_or(request.clone(), |key| request.to_key(key))).await
    }

    /// Accepts a handover, with a token for this target.
    pub async fn accept(&self, handover: &str, audience: &str, scope: &str) -> anyhow::Result<Call> {
        self.exchange(&Exchange::of_handover(handover).audience(audience).scope(scope)).await
    }

    /// Begins a task with an ID token: asks for a task token (`audience` is Deputy itself).
    pub async fn begin_task(&self, id_token: &str, scope: &str, purpose: &str) -> anyhow::Result<Call> {
        let request = Exchange::of_id_token(id_token).audience(self.client.issuer()).scope(scope);
        self.exchange(&request.with("purpose", purpose)).await
    }

    /// Searches at the tickets API, which is at `base`.
    pub async fn search(&self, base: &str, token: &str) -> anyhow::Result<Call> {
        self.use_token("tickets API", Method::GET, &format!("{base}/search?q=Friday"), token, None).await
    }

    /// Sends a request that is authorized by an access token, with a proof of its key for this request (RFC 9449 §7).
    pub async fn use_token(
        &self,
        to: &'static str,
        method: Method,
        url: &str,
        token: &str,
        form: Option<&[(&str, &str)]>,
    ) -> anyhow::Result<Call> {
        let proof = self.client.proof_of_use(&method, &Url::parse(url)?, token)?;
        let access = match &proof {
            Some(proof) => Access::Bound { token, proof },
            None => Access::Bearer(token),
        };
        self.wire.send(to, method, url, access, form).await
    }

    /// Revokes a token of its own.
    pub async fn revoke(&self, token: &str) -> anyhow::Result<Call> {
        let line = self.wire.to("Deputy");
        let outcome = self.client.revoke(&line, token).await;
        line.call(outcome)
    }
}

/// Starts agents: has a pod started for each, in which the agent makes its key.
#[derive(Clone)]
pub struct Pods {
    pub launcher: Launcher,
    /// Deputy's issuer identifier.
    pub issuer: String,
    /// The one clock of all parties.
    pub clock: Arc<dyn Clock>,
    pub entropy: Arc<dyn Entropy>,
}

/// An agent in its pod that acts for itself: by which client it asks for what is its own, and by which it exchanges that.
/// Both have the token of the pod, and prove the same key.
pub struct Job {
    pub asks: DeputyClient,
    pub deputy: DeputyClient,
}

/// An agent in its pod.
pub struct Agent {
    pub deputy: DeputyClient,
    /// The token of its pod.
    pub pod_token: String,
}

impl Pods {
    /// Starts an agent of this party, in a new pod of the service account.
    pub async fn start(&self, party: &'static str, account: &str) -> anyhow::Result<Agent> {
        let pod_token = self.launcher.start(party, account).await?;
        let deputy = self.holder_of(&pod_token, party)?;
        Ok(Agent { deputy, pod_token })
    }

    /// The holder of the token of a pod, who authenticates by it alone and proves a key that was made just now. It says no
    /// client id: the class of the pod lists one client.
    pub fn holder_of(&self, pod_token: &str, party: &'static str) -> anyhow::Result<DeputyClient> {
        let key = SigningKey::generate(Algorithm::ES256)?;
        let thumbprint = key.kid().to_owned();
        Ok(self.client_of(Credential::Platform(pod_token.into()), party, (key.into(), thumbprint)))
    }

    /// Starts an agent of this party that acts for itself, in a new pod of the service account.
    pub async fn start_job(&self, party: &'static str, account: &str) -> anyhow::Result<Job> {
        let pod_token = self.launcher.start(party, account).await?;
        let key = SigningKey::generate(Algorithm::ES256)?;
        let thumbprint = key.kid().to_owned();
        let key = ClientKey::from(key);
        let client = |credential| self.client_of(credential, party, (key.clone(), thumbprint.clone()));
        Ok(Job {
            asks: client(Credential::PlatformAsGrant(pod_token.as_str().into())),
            deputy: client(Credential::Platform(pod_token.as_str().into())),
        })
    }

    fn client_of(
        &self,
        credential: Credential,
        party: &'static str,
        (key, thumbprint): (ClientKey, String),
    ) -> DeputyClient {
        let endpoints = Endpoints::of_deputy(&self.issuer);
        let (clock, entropy) = (self.clock.clone(), self.entropy.clone());
        let client = Client::new(&self.issuer, endpoints, "", credential, clock, entropy).proving(key);
        DeputyClient { wire: self.launcher.wire.of(party), client, thumbprint }
    }
}

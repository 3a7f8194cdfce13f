//! The agents and those who would like to be: clients of Deputy that authenticate with a key of their own.

mod age;
mod assistant;
mod booking_app;

use super::wire::{Call, Wire};
use crate::sdk::{Client, Exchange};

pub use age::{AgeAgent, ROLE, routes as age_agent_routes};
pub use assistant::{Assistant, routes as assistant_routes};
pub use booking_app::{BOOKING_APP, BookingApp};

/// A client of Deputy, with what it says recorded. A refusal is an answer, and no error.
pub struct DeputyClient {
    pub wire: Wire,
    pub client: Client,
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

    /// The same in the name of an agent that shows its own credential.
    pub async fn hand_on(
        &self,
        token: &str,
        actor: &str,
        audience: &str,
        scope: &str,
    ) -> anyhow::Result<Call> {
        self.exchange(&Exchange::of_access_token(token).actor(actor).audience(audience).scope(scope)).await
    }

    /// Revokes a token of its own.
    pub async fn revoke(&self, token: &str) -> anyhow::Result<Call> {
        let line = self.wire.to("Deputy");
        let outcome = self.client.revoke(&line, token).await;
        line.call(outcome)
    }
}

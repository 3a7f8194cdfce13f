//! The agents and those who would like to be: clients of Deputy that authenticate with a key of their own.

pub mod age;
pub mod assistant;

use std::sync::Arc;

use serde_json::json;

use super::jws::SigningKey;
use super::wire::{Call, Credential, Wire, form};
use crate::base::entropy::{Entropy, handle};
use crate::base::time::Clock;
use crate::oauth::GrantType;

pub use age::{AgeAgent, routes as age_agent_routes};
pub use assistant::{Assistant, BOOKING_APP, routes as assistant_routes};

/// `grant_type` of every exchange (RFC 8693 §2.1).
pub const TOKEN_EXCHANGE: &str = GrantType::TokenExchange.word();
/// An ID token (RFC 8693 §3).
pub const ID_TOKEN: &str = "urn:ietf:params:oauth:token-type:id_token";
/// An access token of Deputy's (RFC 8693 §3).
pub const ACCESS_TOKEN: &str = "urn:ietf:params:oauth:token-type:access_token";
/// A JWT of someone else's: the credential of a workload (RFC 8693 §3).
pub const JWT: &str = "urn:ietf:params:oauth:token-type:jwt";

const ASSERTION_SECONDS: i64 = 60;

/// A client of Deputy that authenticates by `private_key_jwt` (RFC 7523 §2.2).
pub struct DeputyClient {
    /// Speaks for it.
    pub wire: Wire,
    /// Its `client_id`.
    pub id: String,
    /// Its key; the public half is in a file that Deputy's configuration names.
    pub key: SigningKey,
    /// Deputy's issuer identifier.
    pub issuer: String,
    /// Its clock.
    pub clock: Arc<dyn Clock>,
    /// For `jti`.
    pub entropy: Arc<dyn Entropy>,
}

impl DeputyClient {
    /// Exchanges a token (RFC 8693 §2.1); these parameters beside the grant type and the client's.
    ///
    /// # Errors
    /// Nobody answers. A refusal is an answer.
    pub async fn exchange<const N: usize>(&self, params: [(&str, &str); N]) -> anyhow::Result<Call> {
        let mut all = form([("grant_type", TOKEN_EXCHANGE)]);
        all.extend(form(params));
        self.post("/token", all).await
    }

    /// Exchanges one of Deputy's own tokens for a narrower one.
    ///
    /// # Errors
    /// As [`DeputyClient::exchange`].
    pub async fn narrow(&self, token: &str, audience: &str, scope: &str) -> anyhow::Result<Call> {
        self.exchange([
            ("subject_token", token),
            ("subject_token_type", ACCESS_TOKEN),
            ("audience", audience),
            ("scope", scope),
        ])
        .await
    }

    /// The same in the name of an agent that shows its own credential.
    ///
    /// # Errors
    /// As [`DeputyClient::exchange`].
    pub async fn hand_on(
        &self,
        token: &str,
        actor: &str,
        audience: &str,
        scope: &str,
    ) -> anyhow::Result<Call> {
        self.exchange([
            ("subject_token", token),
            ("subject_token_type", ACCESS_TOKEN),
            ("actor_token", actor),
            ("actor_token_type", JWT),
            ("audience", audience),
            ("scope", scope),
        ])
        .await
    }

    /// Revokes a token of its own (RFC 7009 §2.1).
    ///
    /// # Errors
    /// As [`DeputyClient::exchange`].
    pub async fn revoke(&self, token: &str) -> anyhow::Result<Call> {
        self.post("/revoke", form([("token", token)])).await
    }

    async fn post(&self, path: &str, mut params: Vec<(String, String)>) -> anyhow::Result<Call> {
        let now = self.clock.now().seconds();
        let assertion = self.key.sign_jwt(
            "client-authentication+jwt",
            &json!({
                "iss": self.id, "sub": self.id, "aud": self.issuer, "jti": handle::<16>(&*self.entropy)?,
                "iat": now, "exp": now + ASSERTION_SECONDS,
            }),
        )?;
        params.extend(form([
            ("client_assertion_type", "urn:ietf:params:oauth:client-assertion-type:jwt-bearer"),
            ("client_assertion", &assertion),
        ]));
        self.wire.post("Deputy", &format!("{}{path}", self.issuer), params, Credential::None).await
    }
}

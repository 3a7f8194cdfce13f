//! The assistant: signs users in at their provider, and books for them with what Deputy gives it.

use std::collections::HashMap;
use std::sync::{Arc, Mutex};

use actix_web::HttpResponse;
use actix_web::web::{Data, Query, ServiceConfig, get};
use anyhow::{Context as _, ensure};
use serde_json::json;

use super::{DeputyClient, ID_TOKEN};
use crate::base::entropy::handle;
use crate::sandbox::jws;
use crate::sandbox::provider::code_challenge;
use crate::sandbox::wire::{Call, Credential, form, lock};

/// Its client id at the provider: the relying party whose ID tokens Deputy takes from it.
pub const BOOKING_APP: &str = "booking-app";

/// The assistant.
pub struct Assistant {
    /// Its client at Deputy.
    pub deputy: DeputyClient,
    /// Where its users sign in.
    pub provider: String,
    /// Where they come back to.
    pub own_url: String,
    /// Where the tickets are.
    pub tickets: String,
    /// Where ages are checked.
    pub age_agent: String,
    /// The login under way.
    pub pending: Mutex<Option<Pending>>,
    /// The last ID token.
    pub id_token: Mutex<Option<String>>,
}

/// What has to fit when the user comes back (RFC 6749 §10.12, OIDC Core §3.1.2.1, RFC 7636 §4.1).
pub struct Pending {
    state: String,
    nonce: String,
    verifier: String,
}

impl Assistant {
    /// The link that sends a user to their provider.
    ///
    /// # Errors
    /// No random bytes can be had.
    pub fn login_link(&self, acr_values: &str) -> anyhow::Result<String> {
        let entropy = &*self.deputy.entropy;
        let pending = Pending {
            state: handle::<16>(entropy)?,
            nonce: handle::<16>(entropy)?,
            verifier: handle::<32>(entropy)?,
        };
        let mut link = url::Url::parse(&format!("{}/authorize", self.provider))?;
        link.query_pairs_mut()
            .append_pair("response_type", "code")
            .append_pair("client_id", BOOKING_APP)
            .append_pair("redirect_uri", &self.redirect_uri())
            .append_pair("scope", "openid")
            .append_pair("state", &pending.state)
            .append_pair("nonce", &pending.nonce)
            .append_pair("code_challenge", &code_challenge(&pending.verifier))
            .append_pair("code_challenge_method", "S256");
        if !acr_values.is_empty() {
            link.query_pairs_mut().append_pair("acr_values", acr_values);
        }
        *lock(&self.pending) = Some(pending);
        *lock(&self.id_token) = None;
        Ok(link.into())
    }

    /// Where its users come back to.
    pub fn redirect_uri(&self) -> String {
        format!("{}/callback", self.own_url)
    }

    async fn callback(&self, query: &HashMap<String, String>) -> anyhow::Result<()> {
        let field = |name: &str| query.get(name).map(String::as_str).unwrap_or_default();
        let pending = lock(&self.pending).take().context("no login is under way")?;
        ensure!(field("state") == pending.state, "the state is another");
        let fields = form([
            ("grant_type", "authorization_code"),
            ("client_id", BOOKING_APP),
            ("redirect_uri", &self.redirect_uri()),
            ("code", field("code")),
            ("code_verifier", &pending.verifier),
        ]);
        let url = format!("{}/token", self.provider);
        let answer = self.deputy.wire.post("provider", &url, fields, Credential::None).await?;
        let token = answer.text("id_token");
        let decoded = jws::decode(token).context("the provider gave no ID token")?;
        ensure!(decoded.text("nonce") == pending.nonce, "the nonce is another");
        *lock(&self.id_token) = Some(token.to_owned());
        Ok(())
    }

    /// The ID token of the login that just ended.
    pub fn take_id_token(&self) -> Option<String> {
        lock(&self.id_token).take()
    }

    /// Begins a task with an ID token: asks for a task token (`audience` is Deputy itself).
    ///
    /// # Errors
    /// Nobody answers.
    pub async fn begin_task(&self, id_token: &str, scope: &str, purpose: &str) -> anyhow::Result<Call> {
        self.deputy
            .exchange([
                ("subject_token", id_token),
                ("subject_token_type", ID_TOKEN),
                ("audience", &self.deputy.issuer),
                ("scope", scope),
                ("purpose", purpose),
            ])
            .await
    }

    /// Searches with a token.
    ///
    /// # Errors
    /// Nobody answers.
    pub async fn search(&self, token: &str) -> anyhow::Result<Call> {
        let url = format!("{}/search?q=Friday", self.tickets);
        self.deputy.wire.get("tickets API", &url, Credential::Bearer(token)).await
    }

    /// Books with a token, and an age answer if there is one.
    ///
    /// # Errors
    /// Nobody answers.
    pub async fn book(&self, token: &str, age_answer: Option<&str>) -> anyhow::Result<Call> {
        let url = format!("{}/book", self.tickets);
        let mut fields = form([("event", "moonlight-concert")]);
        if let Some(answer) = age_answer {
            fields.extend(form([("age_answer", answer)]));
        }
        self.deputy.wire.post("tickets API", &url, fields, Credential::Bearer(token)).await
    }

    /// Hands a token to the age agent, which hands its answer back.
    ///
    /// # Errors
    /// Nobody answers.
    pub async fn ask_age_agent(&self, token: &str) -> anyhow::Result<Call> {
        let url = format!("{}/check", self.age_agent);
        self.deputy.wire.post("age agent", &url, form([("token", token)]), Credential::None).await
    }
}

/// The routes of the assistant.
pub fn routes(assistant: &Arc<Assistant>) -> impl Fn(&mut ServiceConfig) + Clone + Send + 'static {
    let state = Data::from(assistant.clone());
    move |config| {
        config.app_data(state.clone()).route("/callback", get().to(serve_callback));
    }
}

async fn serve_callback(assistant: Data<Assistant>, query: Query<HashMap<String, String>>) -> HttpResponse {
    match assistant.callback(&query).await {
        Ok(()) => HttpResponse::Ok().json(json!({ "signed_in": true })),
        Err(error) => HttpResponse::BadRequest().json(json!({ "error": format!("{error:#}") })),
    }
}

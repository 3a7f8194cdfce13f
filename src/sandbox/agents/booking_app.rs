//! The booking application: a relying party of the user's identity provider, by openidconnect. It signs a user in by
//! the authorization code flow with PKCE, state and nonce, and keeps the ID token for the assistant.

use std::collections::HashMap;
use std::sync::{Arc, Mutex};
use std::time::{Duration, UNIX_EPOCH};

use anyhow::{Context as _, ensure};
use openidconnect::core::{CoreAuthenticationFlow, CoreClient, CoreProviderMetadata};
use openidconnect::{
    AuthenticationContextClass, AuthorizationCode, ClientId, CsrfToken, HttpRequest, HttpResponse, IssuerUrl,
    Nonce, PkceCodeChallenge, PkceCodeVerifier, RedirectUrl, TokenResponse as _,
};

use crate::base::entropy::{Entropy, handle};
use crate::base::time::Clock;
use crate::sandbox::wire::{Wire, lock};
use crate::sdk::Transport as _;

/// Its client id at the provider.
pub const BOOKING_APP: &str = "booking-app";

pub struct BookingApp {
    pub wire: Wire,
    /// Where its users sign in.
    pub provider: IssuerUrl,
    /// Where they come back to.
    pub redirect_uri: RedirectUrl,
    pub clock: Arc<dyn Clock>,
    pub entropy: Arc<dyn Entropy>,
    /// The login under way.
    pub pending: Mutex<Option<Pending>>,
    /// The ID token of the login that just ended.
    pub id_token: Mutex<Option<String>>,
}

/// What has to match when the user comes back (RFC 6749 §10.12, OIDC Core §3.1.2.1, RFC 7636 §4.1).
pub struct Pending {
    metadata: CoreProviderMetadata,
    state: CsrfToken,
    nonce: Nonce,
    verifier: PkceCodeVerifier,
}

/// Why the provider could not be asked.
#[derive(Debug, thiserror::Error)]
#[error("{0}")]
struct NotSent(String);

/// openidconnect's requests over the sandbox's wire.
async fn send(wire: Wire, request: HttpRequest) -> Result<HttpResponse, NotSent> {
    let request = reqwest::Request::try_from(request).map_err(|error| NotSent(error.to_string()))?;
    let response = wire.to("provider").send(request).await.map_err(|error| NotSent(error.to_string()))?;
    let mut answer = HttpResponse::new(response.body);
    *answer.status_mut() = response.status;
    *answer.headers_mut() = response.headers;
    Ok(answer)
}

impl BookingApp {
    /// The link that sends a user to their provider, which is discovered first.
    pub async fn login_link(&self, acr_values: &str) -> anyhow::Result<String> {
        let discovery = |request| send(self.wire.off_tape(), request);
        let metadata = CoreProviderMetadata::discover_async(self.provider.clone(), &discovery).await;
        let metadata = metadata.context("discover the provider")?;
        let client =
            CoreClient::from_provider_metadata(metadata.clone(), ClientId::new(BOOKING_APP.to_owned()), None)
                .set_redirect_uri(self.redirect_uri.clone());
        let (state, nonce) = (handle::<16>(&*self.entropy)?, handle::<16>(&*self.entropy)?);
        let verifier = PkceCodeVerifier::new(handle::<32>(&*self.entropy)?);
        let mut request = client
            .authorize_url(
                CoreAuthenticationFlow::AuthorizationCode,
                || CsrfToken::new(state),
                || Nonce::new(nonce),
            )
            .set_pkce_challenge(PkceCodeChallenge::from_code_verifier_sha256(&verifier));
        if !acr_values.is_empty() {
            request = request.add_auth_context_value(AuthenticationContextClass::new(acr_values.to_owned()));
        }
        let (link, state, nonce) = request.url();
        *lock(&self.pending) = Some(Pending { metadata, state, nonce, verifier });
        *lock(&self.id_token) = None;
        Ok(link.into())
    }

    /// Ends the login with what the user brings back: redeems the code, and verifies the ID token.
    pub async fn callback(&self, query: &HashMap<String, String>) -> anyhow::Result<()> {
        let field = |name: &str| query.get(name).cloned().unwrap_or_default();
        let Pending { metadata, state, nonce, verifier } =
            lock(&self.pending).take().context("no login is under way")?;
        ensure!(CsrfToken::new(field("state")) == state, "the state is another");
        let client =
            CoreClient::from_provider_metadata(metadata, ClientId::new(BOOKING_APP.to_owned()), None)
                .set_redirect_uri(self.redirect_uri.clone());
        let answer = client
            .exchange_code(AuthorizationCode::new(field("code")))?
            .set_pkce_verifier(verifier)
            .request_async(&|request| send(self.wire.clone(), request))
            .await
            .context("redeem the code")?;
        let token = answer.id_token().context("the provider gave no ID token")?;
        let now = self.clock.now().seconds().unsigned_abs();
        let verifier =
            client.id_token_verifier().set_time_fn(move || (UNIX_EPOCH + Duration::from_secs(now)).into());
        token.claims(&verifier, &nonce).context("verify the ID token")?;
        *lock(&self.id_token) = Some(token.to_string());
        Ok(())
    }

    /// The ID token of the login that just ended.
    pub fn take_id_token(&self) -> Option<String> {
        lock(&self.id_token).take()
    }
}

#[cfg(test)]
mod tests;

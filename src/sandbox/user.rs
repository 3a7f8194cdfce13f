//! The scripted user: a browser's worth of forms and redirects, a password, and a key that signs.

use anyhow::{Context as _, bail};
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;

use super::jws::SigningKey;
use super::provider::challenge_message;
use super::wire::{Call, Credential, Wire, form};

/// One user who can sign in.
pub struct User {
    /// Speaks for them.
    pub wire: Wire,
    /// Their name at the provider.
    pub username: String,
    /// What they type.
    pub password: String,
    /// Their security key.
    pub key: SigningKey,
    /// The provider that they mean to sign in at: what their key signs names it.
    pub provider: String,
}

impl User {
    /// Signs in from this link: fills in what the provider asks for and follows it back to the
    /// relying party. The answer is the relying party's.
    ///
    /// # Errors
    /// The provider refused, or showed a page that the user does not know.
    pub async fn sign_in(&self, link: &str) -> anyhow::Result<Call> {
        let mut answer = self.wire.get("provider", link, Credential::None).await?;
        for _ in 0..3 {
            if let Some(back) = answer.location.clone() {
                return self.wire.get("assistant", &back, Credential::None).await;
            }
            let page = match answer.body.as_str() {
                Some(page) if answer.status == 200 => page,
                _ => bail!("the provider answered {} {}", answer.status, answer.text("error")),
            };
            let login = hidden(page, "login").context("the provider's page has no form")?;
            answer = match hidden(page, "challenge") {
                None => {
                    let fields =
                        form([("login", login), ("username", &self.username), ("password", &self.password)]);
                    self.post("login", fields).await?
                }
                Some(challenge) => {
                    let signature = self.key.sign(&challenge_message(&self.provider, challenge))?;
                    let signature = URL_SAFE_NO_PAD.encode(signature);
                    self.post("challenge", form([("login", login), ("signature", &signature)])).await?
                }
            };
        }
        bail!("the provider asks without end")
    }

    async fn post(&self, page: &str, fields: Vec<(String, String)>) -> anyhow::Result<Call> {
        self.wire.post("provider", &format!("{}/{page}", self.provider), fields, Credential::None).await
    }
}

/// The value of a hidden field.
pub fn hidden<'a>(page: &'a str, name: &str) -> Option<&'a str> {
    let from = format!("name=\"{name}\" value=\"");
    let (_, rest) = page.split_once(&from)?;
    rest.split_once('"').map(|(value, _)| value)
}

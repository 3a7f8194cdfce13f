//! The scripted user: a browser's worth of forms and redirects, a password, and a key that signs.

use anyhow::{Context as _, bail};

use super::provider::challenge_message;
use super::wire::{Call, Wire};
use crate::jose::SigningKey;

pub struct User {
    pub wire: Wire,
    /// Their name at the provider.
    pub username: String,
    pub password: String,
    /// Their security key.
    pub key: SigningKey,
    /// The provider that they mean to sign in at: what their key signs names it.
    pub provider: String,
}

impl User {
    /// Signs in from this link, and follows the provider back to the relying party, whose answer this is.
    pub async fn sign_in(&self, link: &str) -> anyhow::Result<Call> {
        let back = self.until_sent_back(link).await?;
        self.wire.get("assistant", &back, None).await
    }

    /// Fills in what the provider asks for, until it sends the browser back to this URL.
    pub async fn until_sent_back(&self, link: &str) -> anyhow::Result<String> {
        let mut answer = self.wire.get("provider", link, None).await?;
        for _ in 0..3 {
            if let Some(back) = answer.location {
                return Ok(back);
            }
            let page = match answer.body.as_str() {
                Some(page) if answer.status == 200 => page,
                _ => bail!("the provider answered {} {}", answer.status, answer.text("error")),
            };
            let login = hidden(page, "login").context("the provider's page has no form")?;
            answer = match hidden(page, "challenge") {
                None => {
                    let form = [("login", login), ("username", &self.username), ("password", &self.password)];
                    self.post("login", &form).await?
                }
                Some(challenge) => {
                    let signature = self.key.sign(&challenge_message(&self.provider, challenge))?;
                    self.post("challenge", &[("login", login), ("signature", &signature)]).await?
                }
            };
        }
        bail!("the provider asks without end")
    }

    async fn post(&self, page: &str, form: &[(&str, &str)]) -> anyhow::Result<Call> {
        self.wire.post("provider", &format!("{}/{page}", self.provider), form, None).await
    }
}

/// The value of a hidden field.
pub fn hidden<'a>(page: &'a str, name: &str) -> Option<&'a str> {
    let from = format!("name=\"{name}\" value=\"");
    let (_, rest) = page.split_once(&from)?;
    rest.split_once('"').map(|(value, _)| value)
}

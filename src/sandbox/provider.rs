//! A small OpenID provider: discovery, keys, code with PKCE, a password and one P-256 challenge.
//!
//! `amr` and `acr` are written from what was verified in this very login ([`Verified`]), so they are
//! earned. It is no WebAuthn: the user's key signs the provider's issuer and a fresh challenge.

mod host;

use std::collections::HashMap;
use std::sync::{Arc, Mutex};

use actix_web::http::StatusCode;
use actix_web::http::header::LOCATION;
use actix_web::web::{Data, Form, Json, Query, ServiceConfig, get, post};
use actix_web::{HttpResponse, ResponseError};
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use serde_json::{Value, json};

use super::wire::lock;
use crate::base::digest::sha256;
use crate::base::entropy::{Entropy, handle};
use crate::base::time::Clock;
use crate::jose::{Algorithm, PublicKey, SigningKey};

pub use host::Host;

type Fields = HashMap<String, String>;

/// The level that password and key together reach (EAP ACR values 1.0: phishing-resistant).
pub const PHISHING_RESISTANT: &str = "phr";
/// Codes live this long (RFC 6749 §4.1.2 asks for ten minutes at most).
const CODE_SECONDS: i64 = 60;
/// Life of an ID token.
const ID_TOKEN_SECONDS: i64 = 600;

/// A user as the provider knows them.
pub struct Account {
    /// `sub`
    pub subject: String,
    pub password: String,
    /// `YYYY-MM-DD`; goes into ID tokens and nowhere else.
    pub birthdate: String,
    /// The public half of their security key.
    pub key: PublicKey,
}

/// The provider, with what it remembers of logins under way.
pub struct Provider {
    issuer: String,
    /// The keys that it publishes. The last one signs.
    keys: Mutex<Vec<Arc<SigningKey>>>,
    /// By username.
    accounts: HashMap<String, Account>,
    /// Client id to redirect URI.
    relying_parties: HashMap<String, String>,
    logins: Mutex<HashMap<String, Login>>,
    codes: Mutex<HashMap<String, Code>>,
    clock: Arc<dyn Clock>,
    entropy: Arc<dyn Entropy>,
}

/// What was asked at `/authorize`.
#[derive(Clone)]
struct Asked {
    client_id: String,
    redirect_uri: String,
    state: String,
    nonce: String,
    code_challenge: String,
    wants_key: bool,
}

/// What this login has verified so far. Only the steps below set it.
#[derive(Clone, Copy, Default)]
struct Verified {
    password: bool,
    key: bool,
}

impl Verified {
    /// RFC 8176 §2: methods used, and `mfa` for two of different kinds.
    fn amr(self) -> Vec<&'static str> {
        match (self.password, self.key) {
            (true, true) => vec!["pwd", "hwk", "mfa"],
            (true, false) => vec!["pwd"],
            (false, true) => vec!["hwk"],
            (false, false) => vec![],
        }
    }

    fn acr(self) -> Option<&'static str> {
        (self.password && self.key).then_some(PHISHING_RESISTANT)
    }
}

/// A login between two of its pages.
struct Login {
    asked: Asked,
    username: String,
    verified: Verified,
    challenge: String,
}

/// What the provider remembers for an authorization code.
struct Code {
    asked: Asked,
    username: String,
    verified: Verified,
    auth_time: i64,
    expires_at: i64,
}

/// What the user's key signs: bound to this provider, so that a look-alike site gets nothing of use.
pub fn challenge_message(issuer: &str, challenge: &str) -> Vec<u8> {
    format!("{issuer}\n{challenge}").into_bytes()
}

/// The S256 challenge of a verifier (RFC 7636 §4.2).
pub fn code_challenge(verifier: &str) -> String {
    URL_SAFE_NO_PAD.encode(sha256([verifier.as_bytes()]))
}

impl Provider {
    /// A provider with a new key, one account under this username, and one relying party at this redirect URI.
    pub fn new(
        issuer: &str,
        (username, account): (&str, Account),
        (client_id, redirect_uri): (&str, &str),
        clock: Arc<dyn Clock>,
        entropy: Arc<dyn Entropy>,
    ) -> anyhow::Result<Self> {
        Ok(Self {
            issuer: issuer.to_owned(),
            keys: Mutex::new(vec![new_key()?]),
            accounts: HashMap::from([(username.to_owned(), account)]),
            relying_parties: HashMap::from([(client_id.to_owned(), redirect_uri.to_owned())]),
            logins: Mutex::default(),
            codes: Mutex::default(),
            clock,
            entropy,
        })
    }

    /// Makes a new key, which signs from now on. The keys before it stay published.
    pub fn rotate(&self) -> anyhow::Result<()> {
        lock(&self.keys).push(new_key()?);
        Ok(())
    }

    fn published(&self) -> Value {
        jwks(lock(&self.keys).iter().map(|key| &**key))
    }

    fn handle(&self) -> Result<String, Refused> {
        handle::<20>(&*self.entropy).map_err(|_| Refused(503, "temporarily_unavailable"))
    }

    fn authorize(&self, query: &Fields) -> Result<HttpResponse, Refused> {
        let asked = self.read_authorize(query).ok_or(Refused(400, "invalid_request"))?;
        let login = self.handle()?;
        let page =
            page("/login", &[("login", &login)], "<input name=username><input name=password type=password>");
        let entry =
            Login { asked, username: String::new(), verified: Verified::default(), challenge: String::new() };
        lock(&self.logins).insert(login, entry);
        Ok(page)
    }

    /// Code with PKCE S256 for a known relying party at its one redirect URI, and nothing else.
    fn read_authorize(&self, query: &Fields) -> Option<Asked> {
        let field = |name: &str| query.get(name).filter(|value| !value.is_empty()).cloned();
        let asked = Asked {
            client_id: field("client_id")?,
            redirect_uri: field("redirect_uri")?,
            state: field("state")?,
            nonce: field("nonce")?,
            code_challenge: field("code_challenge")?,
            wants_key: field("acr_values")
                .is_some_and(|values| values.split(' ').any(|value| value == PHISHING_RESISTANT)),
        };
        let is_good = field("response_type")? == "code"
            && field("scope")?.split(' ').any(|word| word == "openid")
            && field("code_challenge_method")? == "S256"
            && asked.code_challenge.len() == 43
            && self.relying_parties.get(&asked.client_id) == Some(&asked.redirect_uri);
        is_good.then_some(asked)
    }

    fn login(&self, form: &Fields) -> Result<HttpResponse, Refused> {
        let mut login = self.take_login(form)?;
        let (username, given) = (field(form, "username"), field(form, "password").as_bytes());
        let is_right = (self.accounts.get(username))
            .is_some_and(|account| subtle::ConstantTimeEq::ct_eq(account.password.as_bytes(), given).into());
        if !is_right {
            return Err(Refused(401, "wrong_password"));
        }
        username.clone_into(&mut login.username);
        login.verified.password = true;
        if !login.asked.wants_key {
            return self.finish(login);
        }
        let (id, challenge) = (self.handle()?, self.handle()?);
        let page = page("/challenge", &[("login", &id), ("challenge", &challenge)], "<input name=signature>");
        login.challenge = challenge;
        lock(&self.logins).insert(id, login);
        Ok(page)
    }

    fn challenge(&self, form: &Fields) -> Result<HttpResponse, Refused> {
        let mut login = self.take_login(form)?;
        let message = challenge_message(&self.issuer, &login.challenge);
        let is_signed = login.verified.password
            && (self.accounts.get(&login.username))
                .is_some_and(|account| account.key.verify(&message, field(form, "signature")).is_ok());
        if !is_signed {
            return Err(Refused(401, "challenge_not_signed"));
        }
        login.verified.key = true;
        self.finish(login)
    }

    /// Each form belongs to one step of one login and is good once.
    fn take_login(&self, form: &Fields) -> Result<Login, Refused> {
        lock(&self.logins).remove(field(form, "login")).ok_or(Refused(400, "login_unknown"))
    }

    fn finish(&self, login: Login) -> Result<HttpResponse, Refused> {
        let code = self.handle()?;
        let now = self.clock.now().seconds();
        let Login { asked, username, verified, .. } = login;
        let mut back = url::Url::parse(&asked.redirect_uri).map_err(|_| Refused(400, "invalid_request"))?;
        back.query_pairs_mut().append_pair("code", &code).append_pair("state", &asked.state);
        let entry = Code { asked, username, verified, auth_time: now, expires_at: now + CODE_SECONDS };
        lock(&self.codes).insert(code, entry);
        Ok(HttpResponse::SeeOther().insert_header((LOCATION, back.as_str())).finish())
    }

    fn token(&self, form: &Fields) -> Result<HttpResponse, Refused> {
        let field = |name| field(form, name);
        if field("grant_type") != "authorization_code" {
            return Err(Refused(400, "unsupported_grant_type"));
        }
        let now = self.clock.now().seconds();
        // Taken whatever follows: a code is good for one attempt.
        let code = lock(&self.codes).remove(field("code")).ok_or(Refused(400, "invalid_grant"))?;
        let is_good = code.asked.client_id == field("client_id")
            && code.asked.redirect_uri == field("redirect_uri")
            && code.asked.code_challenge == code_challenge(field("code_verifier"))
            && now < code.expires_at;
        let account = self.accounts.get(&code.username);
        let (true, Some(account)) = (is_good, account) else {
            return Err(Refused(400, "invalid_grant"));
        };

        let mut claims = json!({
            "iss": self.issuer, "sub": account.subject, "aud": code.asked.client_id,
            "iat": now, "exp": now + ID_TOKEN_SECONDS, "auth_time": code.auth_time,
            "nonce": code.asked.nonce, "amr": code.verified.amr(), "birthdate": account.birthdate,
        });
        if let Some(acr) = code.verified.acr() {
            claims["acr"] = json!(acr);
        }
        let key = lock(&self.keys).last().cloned().ok_or(Refused(500, "server_error"))?;
        let id_token = key.sign_jwt("JWT", &claims).map_err(|_| Refused(500, "server_error"))?;
        let access_token = self.handle()?;
        Ok(HttpResponse::Ok().insert_header(("Cache-Control", "no-store")).json(json!({
            "access_token": access_token, "token_type": "Bearer",
            "expires_in": ID_TOKEN_SECONDS, "id_token": id_token,
        })))
    }

    fn discovery(&self) -> Value {
        json!({
            "issuer": self.issuer,
            "authorization_endpoint": format!("{}/authorize", self.issuer),
            "token_endpoint": format!("{}/token", self.issuer),
            "jwks_uri": format!("{}/jwks", self.issuer),
            "response_types_supported": ["code"],
            "subject_types_supported": ["public"],
            "id_token_signing_alg_values_supported": ["ES256"],
            "code_challenge_methods_supported": ["S256"],
            "token_endpoint_auth_methods_supported": ["none"],
            "scopes_supported": ["openid"],
            "acr_values_supported": [PHISHING_RESISTANT],
            "claims_supported": ["sub", "auth_time", "acr", "amr", "birthdate"],
        })
    }
}

/// Why a step of a login is refused: the status, and `error` in the body.
#[derive(Debug, thiserror::Error)]
#[error("{1}")]
struct Refused(u16, &'static str);

impl ResponseError for Refused {
    fn error_response(&self) -> HttpResponse {
        HttpResponse::build(StatusCode::from_u16(self.0).unwrap_or_default()).json(json!({ "error": self.1 }))
    }
}

/// A page with one form, as a browser would see it.
fn page(action: &str, hidden: &[(&str, &str)], inputs: &str) -> HttpResponse {
    let hidden: String = hidden
        .iter()
        .map(|(name, value)| format!("<input type=\"hidden\" name=\"{name}\" value=\"{value}\">"))
        .collect();
    HttpResponse::Ok().content_type("text/html; charset=utf-8").body(format!(
        "<!doctype html><form method=\"post\" action=\"{action}\">{hidden}{inputs}<button>Go on</button></form>"
    ))
}

/// A set of these keys (RFC 7517 §5).
pub fn jwks<'a>(keys: impl IntoIterator<Item = &'a SigningKey>) -> Value {
    json!({ "keys": keys.into_iter().map(SigningKey::jwk).collect::<Vec<_>>() })
}

fn new_key() -> anyhow::Result<Arc<SigningKey>> {
    Ok(Arc::new(SigningKey::generate(Algorithm::ES256)?))
}

/// A parameter; empty if it is not there.
fn field<'a>(form: &'a Fields, name: &str) -> &'a str {
    form.get(name).map(String::as_str).unwrap_or_default()
}

pub fn routes(config: &mut ServiceConfig) {
    type State = Data<Provider>;
    let step = |step: fn(&Provider, &Fields) -> Result<HttpResponse, Refused>| {
        post().to(move |provider: State, form: Form<Fields>| async move { step(&provider, &form) })
    };
    config
        .route("/.well-known/openid-configuration", get().to(async |p: State| Json(p.discovery())))
        .route("/jwks", get().to(async |p: State| Json(p.published())))
        .route("/authorize", get().to(async |p: State, query: Query<Fields>| p.authorize(&query)))
        .route("/login", step(Provider::login))
        .route("/challenge", step(Provider::challenge))
        .route("/token", step(Provider::token));
}

#[cfg(test)]
pub mod tests;

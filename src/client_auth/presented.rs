//! What a request presents as its client's credential: exactly one method (RFC 6749 §2.3).

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use secrecy::SecretString;
use zeroize::Zeroizing;

use crate::jose::{Scanned, UnverifiedToken};
use crate::oauth::exchange::token_type;
use crate::oauth::params::decode;
use crate::oauth::{AssertionType, Params, Plain};

/// The longest Basic credentials taken, in bytes of base64.
const MAX_BASIC: usize = 4096;

/// What a request is for, as far as its credential depends on it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum RequestKind {
    /// A token, by a grant of a client.
    Token,
    /// A token by the jwt-bearer grant, whose assertion is the only credential.
    JwtBearer,
    /// A revocation, which is open to agents that no client presents too.
    Revocation,
    Introspection,
}

/// How a secret was sent.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Method {
    /// `client_secret_basic`
    Basic,
    /// `client_secret_post`
    Post,
}

/// The one credential of a request.
pub enum Credential<'a> {
    /// RFC 6749 §2.3.1.
    Secret {
        /// The client that it claims to be of.
        client_id: String,
        secret: SecretString,
        method: Method,
    },
    /// RFC 7521 §4.2: the assertion as it was scanned, with what it is said to be.
    Assertion(AssertionType, Scanned<'a>),
    /// An actor token that is all that the request presents, as it was scanned.
    ActorToken(Scanned<'a>),
    /// The assertion of the jwt-bearer grant (RFC 7523 §2.1), as it was scanned.
    Grant(Scanned<'a>),
    /// The certificate of the client that `client_id` names (RFC 8705 §2).
    Certificate,
}

/// What authenticates a request that has none of the other credentials.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Alone {
    Nothing,
    /// An actor token.
    ActorToken,
    /// The client certificate, because `client_id` names a client that is registered for it.
    Certificate,
    /// The assertion of the jwt-bearer grant, which takes no other credential beside it.
    Grant,
}

impl<'a> Credential<'a> {
    /// Finds the one method of client authentication in use; `alone` says what is one where no other is.
    ///
    /// # Errors
    /// [`Plain::SeveralMethods`], [`Plain::BasicMalformed`], [`Plain::AssertionIncomplete`], [`Plain::GrantAssertionMissing`]
    /// (400);
    /// [`Plain::MethodNotRegistered`] for another scheme than Basic, [`Plain::NoCredentials`] (401).
    pub fn parse(authorization: &[&[u8]], params: &'a Params, alone: Alone) -> Result<Self, Plain> {
        let has_assertion =
            params.get("client_assertion").is_some() || params.get("client_assertion_type").is_some();
        let secret = params.get("client_secret");
        let methods = usize::from(!authorization.is_empty())
            + usize::from(secret.is_some())
            + usize::from(has_assertion)
            + usize::from(alone == Alone::Grant);
        if methods > 1 {
            return Err(Plain::SeveralMethods);
        }
        if alone == Alone::Grant {
            let assertion = params.get("assertion").ok_or(Plain::GrantAssertionMissing)?;
            return Ok(Self::Grant(UnverifiedToken::scan(assertion)));
        }
        if let Some((header, more)) = authorization.split_first() {
            return if more.is_empty() { basic(header) } else { Err(Plain::BasicMalformed) };
        }
        if has_assertion {
            return assertion(params);
        }
        match (params.get("client_id"), secret) {
            (Some(client_id), Some(secret)) => Ok(Self::secret(client_id.to_owned(), secret, Method::Post)),
            (None, Some(_)) => Err(Plain::NoCredentials),
            (_, None) => match alone {
                Alone::ActorToken => actor_token(params),
                Alone::Certificate => Ok(Self::Certificate),
                // The grant was taken above.
                Alone::Nothing | Alone::Grant => Err(Plain::NoCredentials),
            },
        }
    }

    /// The client it claims to be, unproven.
    pub fn client_id(&self) -> Option<&str> {
        match self {
            Self::Secret { client_id, .. } => Some(client_id),
            Self::ActorToken(_) | Self::Grant(_) | Self::Certificate => None,
            Self::Assertion(_, scanned) => scanned.as_ref().ok()?.claimed_subject(),
        }
    }

    fn secret(client_id: String, secret: impl Into<SecretString>, method: Method) -> Self {
        Self::Secret { client_id, secret: secret.into(), method }
    }
}

/// `Basic` and base64 of form-encoded id, a colon, form-encoded secret (6749-2.3.1-B01 to B06). There is
/// no second reading of a value that was not encoded: that would make two secrets of one.
fn basic<'a>(header: &[u8]) -> Result<Credential<'a>, Plain> {
    let header = std::str::from_utf8(header).map_err(|_| Plain::BasicMalformed)?;
    let (scheme, credentials) = header.trim().split_once(' ').ok_or(Plain::BasicMalformed)?;
    if !scheme.eq_ignore_ascii_case("basic") {
        return Err(Plain::MethodNotRegistered);
    }
    let credentials = credentials.trim_start_matches(' ');
    if credentials.len() > MAX_BASIC {
        return Err(Plain::BasicMalformed);
    }
    let decoded = Zeroizing::new(STANDARD.decode(credentials).map_err(|_| Plain::BasicMalformed)?);
    let colon = decoded.iter().position(|&b| b == b':').ok_or(Plain::BasicMalformed)?;
    let part = |bytes: &[u8]| {
        let text = decode(bytes).ok_or(Plain::BasicMalformed)?;
        if bytes.iter().chain(text.as_bytes()).any(u8::is_ascii_control) {
            return Err(Plain::BasicMalformed);
        }
        Ok(text.into_owned())
    };
    let client_id = part(&decoded[..colon])?;
    let secret = part(&decoded[colon + 1..])?;
    Ok(Credential::secret(client_id, secret, Method::Basic))
}

fn assertion(params: &Params) -> Result<Credential<'_>, Plain> {
    let kind = params.get("client_assertion_type").and_then(AssertionType::parse);
    match (kind, params.get("client_assertion")) {
        (Some(kind), Some(assertion)) => Ok(Credential::Assertion(kind, UnverifiedToken::scan(assertion))),
        _ => Err(Plain::AssertionIncomplete),
    }
}

fn actor_token(params: &Params) -> Result<Credential<'_>, Plain> {
    match (params.get("actor_token_type"), params.get("actor_token")) {
        (Some(token_type::JWT), Some(token)) => Ok(Credential::ActorToken(UnverifiedToken::scan(token))),
        _ => Err(Plain::NoCredentials),
    }
}

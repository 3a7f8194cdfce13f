//! Issuing: a permit becomes claims, and these a signed token (RFC 9068, RFC 8693 §4).

mod signed;

use serde::Serialize;
use serde::ser::SerializeMap as _;
use serde_json::{Map, Value};

use crate::base::entropy::Entropy;
use crate::base::time::Timestamp;
use crate::config::Config;
use crate::decision::{GivenAnswer, Origin, Permit, Terms};
use crate::delegation::record::{TokenForm, TokenKind};
use crate::keys::{KeyError, KeyRing, NodeSecrets, SealPurpose, Signed};
use crate::oauth::exchange::{own_typ, token_type, token_type_of};
use crate::oauth::{
    AgentId, ClientId, Confirmation, Issuer, Jti, LoginId, Scope, ScopeToken, TargetId, TokenResponse,
};
use crate::registry::{SubjectForm, TokenFormat};

pub use signed::{SealedAnswerRow, SignedToken};

/// What is issued: the answer, which leaves only after the commit, and what has to be recorded before that.
#[derive(Debug)]
pub struct Issued {
    /// The answer with the token.
    pub response: TokenResponse,
    /// What is recorded of it.
    pub signed: SignedToken,
}

/// Makes the token that `permit` allows, in the form that its target asks for, and seals the answers that are kept with
/// its login.
///
/// # Errors
/// [`KeyError`]: no key is active, or the crypto library refused.
pub fn issue(
    permit: Permit,
    config: &Config,
    ring: &KeyRing,
    secrets: &NodeSecrets,
    entropy: &dyn Entropy,
    now: Timestamp,
) -> Result<Issued, KeyError> {
    let terms = permit.terms();
    let payload = serde_json::to_vec(&claims(config, secrets, terms)).map_err(|_| KeyError::Crypto)?;
    let (access_token, form) = match format(terms) {
        TokenFormat::Jwt => {
            let typ = match terms.proposal.kind {
                TokenKind::Task => own_typ::TASK,
                TokenKind::Access => own_typ::ACCESS,
            };
            let Signed { token, kid } = ring.sign(typ, &payload, now)?;
            (token, TokenForm::Jwt { kid })
        }
        TokenFormat::Opaque => {
            let token = secrets.opaque_token(terms.jti, entropy)?;
            let claims = secrets.seal(SealPurpose::Claims(&terms.jti.to_string()), &payload, entropy)?;
            (token.to_text(), TokenForm::Opaque { claims })
        }
    };
    let hash = secrets.token_hash(&access_token);
    let answers = seal(secrets, entropy, terms)?;
    let response = TokenResponse {
        access_token,
        issued_token_type: token_type::ACCESS_TOKEN,
        token_type: token_type_of(terms.proposal.bound_to),
        expires_in: terms.proposal.lifetime_seconds(),
        scope: terms.proposal.scope.clone(),
        task: match terms.origin {
            Origin::FirstHop(_) => Some(terms.task),
            Origin::Later { .. } => None,
        },
        dpop_nonce: None,
    };
    Ok(Issued { response, signed: SignedToken::new(permit, form, hash, answers) })
}

/// The form in which the target takes its tokens. What is for Deputy itself is a JWT.
fn format(terms: &Terms) -> TokenFormat {
    terms.proposal.target_config.as_ref().map_or(TokenFormat::Jwt, |target| target.token_format)
}

/// The claims of an opaque token, from its record.
///
/// # Errors
/// [`KeyError::Sealed`] where they are not those that were recorded of this token.
pub fn recorded_claims(
    secrets: &NodeSecrets,
    jti: Jti,
    sealed: &[u8],
) -> Result<Map<String, Value>, KeyError> {
    let opened = secrets.open(SealPurpose::Claims(&jti.to_string()), sealed)?;
    serde_json::from_slice(&opened).map_err(|_| KeyError::Sealed)
}

fn seal(
    secrets: &NodeSecrets,
    entropy: &dyn Entropy,
    terms: &Terms,
) -> Result<Vec<SealedAnswerRow>, KeyError> {
    let seal = |known: &crate::decision::KnownAnswer| {
        let label = answer_label(terms.login, &known.target, &known.scope);
        let sealed = secrets.seal(SealPurpose::Answer(&label), &known.answer.to_bytes(), entropy)?;
        Ok(SealedAnswerRow { target: known.target.clone(), scope: known.scope.clone(), sealed })
    };
    terms.answers.iter().map(seal).collect()
}

/// What a sealed answer is bound to: it opens for no other login, target or scope.
pub fn answer_label(login: LoginId, target: &TargetId, scope: &ScopeToken) -> String {
    format!("{login}\n{target}\n{scope}")
}

/// The claims of one token (RFC 9068 §2.2, RFC 8693 §4). What identifies the user or the login across targets is
/// left out for pairwise ones.
fn claims<'a>(config: &'a Config, secrets: &NodeSecrets, terms: &'a Terms) -> Claims<'a> {
    let Terms { proposal, facts, subject, .. } = terms;
    let target = proposal.target_config.as_deref();
    let form = target.and_then(|target| target.subject).unwrap_or(config.tokens.subject);
    let sector = target.map_or(config.issuer.as_str(), |target| target.sector.as_str());
    let is_pairwise = form == SubjectForm::Pairwise;
    let is_pairwise_target = is_pairwise && target.is_some();
    let shows_acr = !is_pairwise_target || target.is_some_and(|target| target.claims.contains("acr"));
    Claims {
        iss: &config.issuer,
        sub: if is_pairwise {
            secrets.pairwise_subject(&facts.provider, &subject.upstream, sector)
        } else {
            subject.upstream.clone()
        },
        aud: proposal.target.as_str(),
        exp: proposal.expires_at.seconds(),
        iat: proposal.issued_at.seconds(),
        jti: terms.jti,
        client_id: &terms.client,
        scope: &proposal.scope,
        act: Level { issuer: &config.issuer, chain: &proposal.chain },
        cnf: proposal.bound_to,
        txn: if is_pairwise_target {
            secrets.pairwise_txn(terms.task, sector)
        } else {
            terms.task.to_string()
        },
        acr: facts.acr.as_deref().filter(|_| shows_acr),
        amr: if is_pairwise_target { &[] } else { &facts.amr },
        auth_time: facts.auth_time.filter(|_| !is_pairwise_target),
        answer: Answer(terms.answer.as_ref()),
    }
}

/// The claims of a token as they are serialised.
#[derive(Serialize)]
struct Claims<'a> {
    iss: &'a Issuer,
    sub: String,
    aud: &'a str,
    exp: i64,
    iat: i64,
    jti: Jti,
    client_id: &'a ClientId,
    scope: &'a Scope,
    act: Level<'a>,
    #[serde(skip_serializing_if = "Option::is_none")]
    cnf: Option<Confirmation>,
    txn: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    acr: Option<&'a str>,
    #[serde(skip_serializing_if = "<[String]>::is_empty")]
    amr: &'a [String],
    #[serde(skip_serializing_if = "Option::is_none")]
    auth_time: Option<i64>,
    #[serde(flatten)]
    answer: Answer<'a>,
}

/// One flat boolean named like its scope, or nothing.
struct Answer<'a>(Option<&'a GivenAnswer>);

impl Serialize for Answer<'_> {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut map = serializer.serialize_map(None)?;
        if let Some(answer) = self.0 {
            map.serialize_entry(answer.scope.as_str(), &answer.value)?;
        }
        map.end()
    }
}

/// Nested actors, the current one outermost (RFC 8693 §4.1): identity members only.
struct Level<'a> {
    issuer: &'a Issuer,
    chain: &'a [AgentId],
}

impl Serialize for Level<'_> {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut map = serializer.serialize_map(None)?;
        if let Some((actor, before)) = self.chain.split_first() {
            map.serialize_entry("iss", self.issuer)?;
            map.serialize_entry("sub", actor)?;
            if !before.is_empty() {
                map.serialize_entry("act", &Level { issuer: self.issuer, chain: before })?;
            }
        }
        map.end()
    }
}

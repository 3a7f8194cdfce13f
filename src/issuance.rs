//! Issuing: a permit becomes claims, and these a signed token (RFC 9068, RFC 8693 §4).

mod signed;

use serde::Serialize;
use serde::ser::SerializeMap as _;
use serde_json::{Map, Value};

use crate::base::entropy::Entropy;
use crate::base::time::Timestamp;
use crate::config::Config;
use crate::decision::{GivenAnswer, OnBehalfOf, Origin, Permit, Terms};
use crate::delegation::record::{TokenForm, TokenKind};
use crate::keys::{KeyError, KeyRing, NodeSecrets, SealPurpose, Signed};
use crate::oauth::exchange::{ActClaim, NOT_APPLICABLE, own_typ, token_type, token_type_of};
use crate::oauth::{
    ClientId, Confirmation, Issuer, Jti, LoginId, Scope, ScopeToken, TargetId, TokenResponse,
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
                TokenKind::Access | TokenKind::Agent => own_typ::ACCESS,
                TokenKind::Handover(_) => own_typ::HANDOVER,
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
    let bearer_or_bound = token_type_of(terms.proposal.bound_to);
    let (issued_token_type, token_type) = match (&terms.proposal.kind, &terms.origin) {
        (TokenKind::Handover(_), _) => (Some(token_type::JWT), NOT_APPLICABLE),
        (_, Origin::Agent { .. }) => (None, bearer_or_bound),
        (_, Origin::FirstHop(_) | Origin::Later { .. }) => (Some(token_type::ACCESS_TOKEN), bearer_or_bound),
    };
    let hash = secrets.token_hash(&access_token);
    let answers = seal(secrets, entropy, terms)?;
    let response = TokenResponse {
        access_token,
        issued_token_type,
        token_type,
        expires_in: terms.proposal.lifetime_seconds(),
        scope: terms.proposal.scope.clone(),
        task: match terms.origin {
            Origin::FirstHop(_)
            | Origin::Agent { task: Some(_) }
            | Origin::Later { is_accepted: true, .. } => Some(terms.task),
            Origin::Agent { task: None } | Origin::Later { is_accepted: false, .. } => None,
        },
        act: match terms.origin {
            Origin::Later { is_accepted: true, .. } => {
                serde_json::to_value(act(config, terms)).map_err(|_| KeyError::Crypto)?.into()
            }
            Origin::FirstHop(_) | Origin::Agent { .. } | Origin::Later { is_accepted: false, .. } => None,
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
    let Some(user) = terms.user() else { return Ok(Vec::new()) };
    let seal = |known: &crate::decision::KnownAnswer| {
        let label = answer_label(user.login.id, &known.target, &known.scope);
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
    let proposal = &terms.proposal;
    let facts = terms.user().map(|user| user.login.facts.as_ref());
    let target = proposal.target_config.as_deref();
    let form = target.and_then(|target| target.subject).unwrap_or(config.tokens.subject);
    let sector = target.map_or(config.issuer.as_str(), |target| target.sector.as_str());
    let is_pairwise = form == SubjectForm::Pairwise;
    let is_pairwise_target = is_pairwise && target.is_some();
    let shows_acr = !is_pairwise_target || target.is_some_and(|target| target.claims.contains("acr"));
    let sub = match terms.on_behalf_of() {
        OnBehalfOf::Agent(agent) => agent.to_string(),
        OnBehalfOf::User(user) if is_pairwise => {
            secrets.pairwise_subject(&user.login.provider, &user.subject.upstream, sector)
        }
        OnBehalfOf::User(user) => user.subject.upstream.clone(),
    };
    Claims {
        iss: &config.issuer,
        sub,
        aud: proposal.target.as_str(),
        exp: proposal.expires_at.seconds(),
        iat: proposal.issued_at.seconds(),
        jti: terms.jti,
        client_id: &terms.client,
        scope: &proposal.scope,
        act: (!proposal.chain.is_empty()).then(|| act(config, terms)),
        cnf: proposal.bound_to,
        txn: match proposal.kind {
            TokenKind::Agent => None,
            _ if is_pairwise_target => Some(secrets.pairwise_txn(terms.task, sector)),
            _ => Some(terms.task.to_string()),
        },
        acr: facts.and_then(|facts| facts.acr.as_deref()).filter(|_| shows_acr),
        amr: facts.filter(|_| !is_pairwise_target).map_or(&[], |facts| &facts.amr),
        auth_time: facts.and_then(|facts| facts.auth_time).filter(|_| !is_pairwise_target),
        answer: Answer(terms.answer.as_ref()),
    }
}

/// The chain of actors (RFC 8693 §4.1).
fn act<'a>(config: &'a Config, terms: &'a Terms) -> ActClaim<'a> {
    ActClaim { issuer: &config.issuer, chain: &terms.proposal.chain }
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
    /// Absent in a token of an agent that acts for itself.
    #[serde(skip_serializing_if = "Option::is_none")]
    act: Option<ActClaim<'a>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    cnf: Option<Confirmation>,
    /// Absent in a token about an agent itself, which belongs to no task.
    #[serde(skip_serializing_if = "Option::is_none")]
    txn: Option<String>,
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

//! An access token of an identity provider as a subject token (`docs/adr/0012-access-tokens-as-subjects.md`). It has to be
//! for an audience that the presenting client is, it has to be a person's, and no chain of actors in it is dropped.

use std::collections::BTreeSet;
use std::sync::Arc;

use serde_json::{Map, Value};

use super::id_token::{auth_time, check_has_auth_time, pick, recordable, session, subject, times};
use super::{LoginFacts, LoginToken, MayAct, NotALogin, PredicateClaims, VerifiedLogin, levels};
use crate::base::digest::sha256;
use crate::base::time::Timestamp;
use crate::jose::Claims;
use crate::oauth::{ClientId, Scope, ScopeToken, TokenFault};
use crate::registry::{AccessTokenSource, AccessTokenType, IdentityProvider, When};

/// The claims that name the application to which a token was issued; the first one that is there counts.
const PARTIES: [&str; 4] = ["azp", "client_id", "cid", "appid"];
/// Entra's facets of the party that acts: a set of numbers in a text.
const ACTOR_FACETS: &str = "xms_act_fct";
/// The facet of an agent identity.
const AGENT_FACET: &str = "11";

/// Judges the claims of an access token whose signature was verified with a key of `provider`. `signed` is the text that
/// was signed, and `typ` the header's.
pub fn judge(
    provider: &Arc<IdentityProvider>,
    (claims, typ): (&Claims, AccessTokenType),
    signed: &str,
    client: &ClientId,
    now: Timestamp,
) -> Result<VerifiedLogin, NotALogin> {
    let members = claims.members();
    let (_, source) = source(provider, members, |when| when.holds(claims))?;
    if !source.types.contains(&typ) {
        return Err(TokenFault::Kind.into());
    }
    let (issued_at, expires_at) = times(claims, now)?;
    if !source.clients.contains(client) {
        return Err(TokenFault::RelyingParty.into());
    }
    let sub = claims.text("sub")?.ok_or(TokenFault::Claim)?;
    check_chain(members)?;
    check_person(members, source)?;
    // Only the audience saw a proof of the key. Deputy itself saw none.
    if members.contains_key("cnf") && !source.is_client {
        return Err(TokenFault::BoundToKey.into());
    }
    let auth_time = auth_time(provider, claims, issued_at, now)?;
    let amr = levels::amr(claims)?;
    let acr = recordable(claims.text("acr")?)?;
    let says_nothing = acr.is_none() && amr.is_empty();
    let asserted = if says_nothing { &source.asserted_levels } else { &BTreeSet::new() };
    let facts = LoginFacts {
        id_token_hash: sha256([signed.as_bytes()]),
        provider: provider.issuer.clone(),
        relying_party: party(members)?.to_owned(),
        token: LoginToken::AccessToken { audience: source.audience.clone(), expires_at },
        issued_at: issued_at.seconds(),
        auth_time: auth_time.map(Timestamp::seconds),
        levels: levels::met(provider, claims, &amr, asserted),
        acr,
        amr,
        session: session(provider, claims)?,
        policy_claims: pick(claims, provider.policy_claims.iter().map(String::as_str)),
    };
    let subject = subject(provider, claims, sub)?;
    let may_act = MayAct::read(claims)?;
    check_has_auth_time(source.auth_time, auth_time, provider)?;
    // Yes/no answers come from ID tokens only, so no claim of a predicate is taken.
    let login = VerifiedLogin::new(facts, Arc::clone(provider), subject, may_act, PredicateClaims::default());
    Ok(match source.is_scope_ceiling {
        true => login.with_ceiling(scope_of(members)),
        false => login,
    })
}

/// The first entry of the provider whose audience, party and `when` all match, with its position. `holds` says whether a
/// condition does.
///
/// # Errors
/// What no entry matches: the audience, else the party, else the condition.
pub fn source<'a>(
    provider: &'a IdentityProvider,
    claims: &Map<String, Value>,
    holds: impl Fn(&When) -> bool,
) -> Result<(usize, &'a AccessTokenSource), TokenFault> {
    let audiences: Vec<&str> = match claims.get("aud") {
        Some(Value::String(one)) => vec![one],
        Some(Value::Array(many)) => {
            many.iter().map(Value::as_str).collect::<Option<_>>().ok_or(TokenFault::Claim)?
        }
        _ => return Err(TokenFault::Audience),
    };
    let sources = provider.access_tokens.iter().enumerate();
    let for_audience: Vec<_> =
        sources.filter(|(_, source)| audiences.contains(&source.audience.as_str())).collect();
    if for_audience.is_empty() {
        return Err(TokenFault::Audience);
    }
    let party = party(claims)?;
    let mut of_party =
        for_audience.into_iter().filter(|(_, source)| source.authorized_parties.contains(party)).peekable();
    if of_party.peek().is_none() {
        return Err(TokenFault::AuthorizedParty);
    }
    of_party.find(|(_, source)| source.when.as_ref().is_none_or(&holds)).ok_or(TokenFault::Condition)
}

/// The application to which the token was issued.
fn party(claims: &Map<String, Value>) -> Result<&str, TokenFault> {
    match PARTIES.iter().find_map(|name| claims.get(*name)) {
        None => Err(TokenFault::AuthorizedParty),
        Some(value) => value.as_str().ok_or(TokenFault::Claim),
    }
}

/// A token in which one party already acts for another: exchanging it would drop that party from the chain.
fn check_chain(claims: &Map<String, Value>) -> Result<(), TokenFault> {
    let is_agents = match claims.get(ACTOR_FACETS) {
        None => false,
        Some(Value::String(facets)) => facets.split_ascii_whitespace().any(|facet| facet == AGENT_FACET),
        Some(_) => true,
    };
    if claims.contains_key("act") || is_agents { Err(TokenFault::ForeignChain) } else { Ok(()) }
}

/// Refuses what an application got for itself, by the signs that providers have for it.
fn check_person(claims: &Map<String, Value>, source: &AccessTokenSource) -> Result<(), TokenFault> {
    let text = |name: &str| claims.get(name).and_then(Value::as_str);
    let sub = text("sub").unwrap_or_default();
    let is_application = PARTIES.iter().any(|party| text(party) == Some(sub))
        || text("oid") == Some(sub)
        || sub.ends_with("@clients")
        || text("idtyp").is_some_and(|kind| kind.eq_ignore_ascii_case("app"))
        || has_word(claims.get("gty"), "client-credentials")
        || ["clientHost", "clientAddress"].iter().any(|name| claims.contains_key(*name))
        || text("preferred_username").is_some_and(|name| name.starts_with("service-account-"));
    let has_scope = !words(claims).is_empty();
    if is_application || (!has_scope && source.when.is_none()) { Err(TokenFault::NotAPerson) } else { Ok(()) }
}

/// Whether a claim is this text, or an array that holds it.
fn has_word(claim: Option<&Value>, word: &str) -> bool {
    match claim {
        Some(Value::String(text)) => text.split_ascii_whitespace().any(|part| part == word),
        Some(Value::Array(values)) => values.iter().any(|value| value.as_str() == Some(word)),
        _ => false,
    }
}

/// The words of `scope` and `scp`, each of which is a text or an array of texts, depending on the provider.
fn words(claims: &Map<String, Value>) -> Vec<&str> {
    let mut words = Vec::new();
    for name in ["scope", "scp"] {
        match claims.get(name) {
            Some(Value::String(text)) => words.extend(text.split_ascii_whitespace()),
            Some(Value::Array(values)) => words.extend(values.iter().filter_map(Value::as_str)),
            _ => {}
        }
    }
    words
}

/// The scope of the token. What is no scope token cannot be asked for either.
fn scope_of(claims: &Map<String, Value>) -> Scope {
    let tokens: Vec<ScopeToken> = words(claims).into_iter().filter_map(ScopeToken::parse).collect();
    Scope::from_tokens(&tokens)
}

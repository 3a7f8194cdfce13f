//! `[[identity_provider.access_token]]`: the access tokens of a provider that are taken as subject tokens.

use std::collections::{BTreeMap, BTreeSet};

use super::conditions::{RawWhen, when};
use super::section::Section;
use super::table::table;
use crate::oauth::{ClientId, Issuer};
use crate::registry::{AccessTokenMark, AccessTokenSource, AccessTokenType, AssuranceLevel, AuthTime};

table! {
    /// The access tokens of the provider that are accepted as subject tokens, and from which client. Of several entries
    /// the first one counts whose audience, party and `when` all match.
    pub(super) struct RawAccessToken {
        /// The value that must be in `aud`: the resource that the presenting client is, or Deputy's issuer.
        #[schemars(required, example = &"https://gateway.example")]
        audience: Option<String>,
        /// The Deputy client that is this audience.
        #[schemars(example = &"gateway", extend("x-default" = "this or `clients`"))]
        client: Option<String>,
        /// The Deputy clients that may present the tokens, where the audience is Deputy's issuer.
        #[schemars(example = ["gateway"], extend("x-default" = "this or `client`"))]
        clients: Vec<String>,
        /// The applications to which the tokens were issued: `azp`, else `client_id`, else `cid` or `appid`.
        #[schemars(example = ["travel-app"], extend("x-default" = "required"))]
        authorized_parties: Vec<String>,
        /// The values that the header `typ` may have; an absent one counts as `JWT`. With `JWT`, the token needs another mark
        /// of an access token.
        typ: Vec<String> = AccessTokenType::ALL.map(|typ| typ.word().to_owned()).into(),
        /// The assurance levels that the provider enforces for these applications, for tokens that have neither `acr` nor
        /// `amr`. It needs `when`.
        #[schemars(example = ["mfa"])]
        asserted_levels: Vec<String>,
        #[schemars(extend("x-default" = "any token of the audience and the party that has `scope` or `scp`"))]
        when: Option<RawWhen>,
        /// Whether a token without `auth_time` is refused. Otherwise its session counts from `iat`.
        #[schemars(example = true)]
        require_auth_time: bool,
        /// Whether `scope` or `scp` of the token limits the scope that may be requested.
        #[schemars(example = true)]
        scope_ceiling: bool,
    }
}

pub(super) fn access_tokens(
    section: &Section<'_>,
    raw: Vec<RawAccessToken>,
    levels: &BTreeMap<String, AssuranceLevel>,
    own_issuer: Option<&Issuer>,
) -> Vec<AccessTokenSource> {
    let mut sources: Vec<AccessTokenSource> = Vec::new();
    for (position, raw) in raw.into_iter().enumerate() {
        let place = section.item("access_token", position);
        let Some(source) = source(&place, raw, levels, own_issuer) else { continue };
        let other = sources.iter().find(|other| {
            other.audience == source.audience && source.is_client && other.clients != source.clients
        });
        if let Some(other) = other {
            let others: Vec<&str> = other.clients.iter().map(ClientId::as_str).collect();
            let what =
                format!("names another client than the entry before, which is `{}`", others.join("`, `"));
            place.refuse("client", what, "an audience is one client: name the same one, or another audience");
        }
        sources.push(source);
    }
    sources
}

fn source(
    section: &Section<'_>,
    raw: RawAccessToken,
    levels: &BTreeMap<String, AssuranceLevel>,
    own_issuer: Option<&Issuer>,
) -> Option<AccessTokenSource> {
    let is_deputy = own_issuer.is_some_and(|own| raw.audience.as_deref() == Some(own.as_str()));
    let clients = clients(section, raw.client, &raw.clients, is_deputy);
    let parties = parties(section, raw.authorized_parties);
    let types = types(section, &raw.typ);
    let has_when = raw.when.is_some();
    let when = raw.when.map(|raw| when(&section.at("when"), raw));
    if !raw.asserted_levels.is_empty() && !has_when {
        let what = "asserts levels for every token of the audience and the party";
        let fix = "add `when = { claim = \"…\", equals = \"…\" }`, which says of which tokens it is true";
        section.refuse("asserted_levels", what, fix);
    }
    for (position, level) in
        raw.asserted_levels.iter().enumerate().filter(|(_, name)| !levels.contains_key(*name))
    {
        let known = levels.keys().map(|name| format!("`{name}`")).collect::<Vec<_>>().join(", ");
        let what = format!("names `{level}`, a level that the provider does not define");
        section.refuse(&format!("asserted_levels[{position}]"), what, format!("it defines {known}"));
    }
    Some(AccessTokenSource {
        audience: raw.audience?,
        clients: clients?,
        is_client: !is_deputy,
        authorized_parties: parties,
        types,
        asserted_levels: raw.asserted_levels.into_iter().collect(),
        when,
        auth_time: if raw.require_auth_time { AuthTime::Required } else { AuthTime::Optional },
        is_scope_ceiling: raw.scope_ceiling,
    })
}

/// The client that is the audience, or the clients that may present tokens for Deputy itself.
fn clients(
    section: &Section<'_>,
    client: Option<String>,
    clients: &[String],
    is_deputy: bool,
) -> Option<BTreeSet<ClientId>> {
    match (client, clients.is_empty()) {
        (Some(client), true) => section
            .exists("client", &client, &section.known().clients, "client")
            .then(|| BTreeSet::from([ClientId::new(client)])),
        (None, false) if is_deputy => Some(section.clients("clients", clients, "present its access tokens")),
        (None, false) => {
            let what = "is a list, but only one client can be this audience";
            let fix = "name it under `client`; `clients` is for Deputy's issuer as the audience";
            section.refuse("clients", what, fix);
            None
        }
        (Some(_), false) => {
            section.refuse("clients", "is there beside `client`", "keep one of the two");
            None
        }
        (None, true) => {
            let what = "is missing, so that nobody could present the tokens";
            section.refuse("client", what, "name the Deputy client that is this audience");
            None
        }
    }
}

fn parties(section: &Section<'_>, names: Vec<String>) -> BTreeSet<String> {
    if names.is_empty() {
        let what = "names no application, so that no token would be accepted";
        section.refuse("authorized_parties", what, "list the client ids at the provider, as in `azp`");
    }
    names.into_iter().collect()
}

fn types(section: &Section<'_>, words: &[String]) -> BTreeSet<AccessTokenType> {
    let known = || AccessTokenType::ALL.map(|typ| format!("`{}`", typ.word())).join(" and ");
    if words.is_empty() {
        section.refuse("typ", "is empty: no token would be accepted", format!("choose from {}", known()));
    }
    let mut types = BTreeSet::new();
    for (position, word) in words.iter().enumerate() {
        match AccessTokenType::parse(word) {
            Some(typ) => {
                types.insert(typ);
            }
            None => {
                let what = format!("names `{word}`, which is no `typ` of an access token");
                section.refuse(&format!("typ[{position}]"), what, format!("choose from {}", known()));
            }
        }
    }
    types
}

pub(super) fn id_token_claims(section: &Section<'_>, claims: &[String]) -> BTreeSet<AccessTokenMark> {
    let mut marks = BTreeSet::new();
    for (position, claim) in claims.iter().enumerate() {
        match AccessTokenMark::parse(claim) {
            Some(mark) => {
                marks.insert(mark);
            }
            None => {
                let known = AccessTokenMark::ALL.map(|mark| format!("`{}`", mark.claim())).join(", ");
                let what = format!("lists `{claim}`, which is no mark of an access token");
                section.refuse(&format!("id_token_claims[{position}]"), what, format!("choose from {known}"));
            }
        }
    }
    marks
}

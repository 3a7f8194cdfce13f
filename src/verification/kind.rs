//! Which kind of token of an identity provider a token is: an ID token or an access token. It is decided once, from what
//! the token says of itself, before any key is looked for.

use std::collections::BTreeSet;
use std::fmt;

use serde_json::{Map, Value};

use super::id_token::FOREIGN_CLAIMS;
use crate::jose::Header;
use crate::oauth::{DeclaredType, TokenFault};
use crate::registry::{AccessTokenMark, AccessTokenType};

/// Claims that an ID token has and an access token has not (OIDC Core §2, §3.3.2.11).
const ID_TOKEN_MARKS: [&str; 3] = ["nonce", "at_hash", "c_hash"];

/// A kind of token of an identity provider.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum SubjectKind {
    IdToken,
    AccessToken,
}

impl SubjectKind {
    /// For sentences.
    pub const fn name(self) -> &'static str {
        match self {
            Self::IdToken => "ID token",
            Self::AccessToken => "access token",
        }
    }

    /// Whether a token of this kind may be presented under this type (RFC 8693 §3).
    ///
    /// # Errors
    /// [`TokenFault::Kind`].
    pub fn check_declared(self, declared: DeclaredType) -> Result<(), TokenFault> {
        match (declared, self) {
            (DeclaredType::Jwt, _)
            | (DeclaredType::IdToken, Self::IdToken)
            | (DeclaredType::AccessToken, Self::AccessToken) => Ok(()),
            (DeclaredType::IdToken | DeclaredType::AccessToken, _) => Err(TokenFault::Kind),
        }
    }
}

/// What decided the kind.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Because {
    /// The header `typ`.
    Header(&'static str),
    /// A claim that names the kind, with the word that it has.
    Word(&'static str, &'static str),
    /// A claim that only tokens of the kind have.
    Mark(&'static str),
    /// A mark of an access token that this provider's ID tokens have too, beside a mark of an ID token.
    Both(&'static str, &'static str),
    /// No word and no mark of an access token.
    Nothing,
}

impl fmt::Display for Because {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Header(typ) => write!(f, "the header `typ` is `{typ}`"),
            Self::Word(claim, word) => write!(f, "the claim `{claim}` is `{word}`"),
            Self::Mark(claim) => write!(f, "it has the claim `{claim}`, and no word names its kind"),
            Self::Both(mark, id_mark) => {
                write!(f, "it has `{id_mark}`, and `{mark}` is listed under `id_token_claims`")
            }
            Self::Nothing => f.write_str("no word names its kind, and no claim marks it as an access token"),
        }
    }
}

/// Which kind a token is, and why.
///
/// Words that name a kind decide alone: the header `typ`, and the claims `typ` (Keycloak), `token_use` (Cognito) and `tty`
/// (FusionAuth). Where there is none, a claim that marks an access token makes it one.
///
/// # Errors
/// [`TokenFault::Kind`]: a word names another kind of token, two words disagree, or a claim is there that neither kind has.
pub fn kind_of(
    header: &Header,
    claims: &Map<String, Value>,
    id_token_claims: &BTreeSet<AccessTokenMark>,
) -> Result<(SubjectKind, Because), TokenFault> {
    let has = |claim: &str| claims.contains_key(claim);
    if FOREIGN_CLAIMS.iter().any(|claim| has(claim)) {
        return Err(TokenFault::Kind);
    }
    let mut words = Vec::new();
    match header_type(header)? {
        AccessTokenType::AtJwt => {
            words.push((SubjectKind::AccessToken, Because::Header(AccessTokenType::AtJwt.word())));
        }
        AccessTokenType::Jwt => {}
    }
    for (claim, known) in WORDS {
        let Some(value) = claims.get(claim) else { continue };
        let found = known.iter().find(|(word, _)| value.as_str() == Some(word));
        let (word, kind) = found.ok_or(TokenFault::Kind)?;
        words.push((*kind, Because::Word(claim, word)));
    }
    if let Some((kind, because)) = words.first() {
        let agree = words.iter().all(|(other, _)| other == kind);
        return if agree { Ok((*kind, because.clone())) } else { Err(TokenFault::Kind) };
    }
    let id_mark = ID_TOKEN_MARKS.into_iter().find(|claim| has(claim));
    let marks: Vec<AccessTokenMark> =
        AccessTokenMark::ALL.into_iter().filter(|mark| has(mark.claim())).collect();
    let decisive = marks.iter().find(|mark| id_mark.is_none() || !id_token_claims.contains(mark));
    Ok(match (decisive, marks.first(), id_mark) {
        (Some(mark), ..) => (SubjectKind::AccessToken, Because::Mark(mark.claim())),
        (None, Some(mark), Some(id_mark)) => (SubjectKind::IdToken, Because::Both(mark.claim(), id_mark)),
        (None, ..) => (SubjectKind::IdToken, Because::Nothing),
    })
}

/// The claims whose value names a kind, with the words of the two kinds. Any other word names a third kind.
const WORDS: [(&str, &[(&str, SubjectKind)]); 3] = [
    (
        "typ",
        &[
            ("ID", SubjectKind::IdToken),
            ("Bearer", SubjectKind::AccessToken),
            ("DPoP", SubjectKind::AccessToken),
        ],
    ),
    ("token_use", &[("id", SubjectKind::IdToken), ("access", SubjectKind::AccessToken)]),
    ("tty", &[("it", SubjectKind::IdToken), ("at", SubjectKind::AccessToken)]),
];

/// The header `typ` as one that a token of a provider may have; an absent one counts as `JWT`.
///
/// # Errors
/// [`TokenFault::Kind`]: it is that of another kind of token.
pub fn header_type(header: &Header) -> Result<AccessTokenType, TokenFault> {
    match &header.typ {
        None => Ok(AccessTokenType::Jwt),
        Some(typ) => AccessTokenType::parse(typ).ok_or(TokenFault::Kind),
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::jose::Algorithm;

    fn kind_with(
        typ: Option<&str>,
        claims: &Value,
        listed: &[AccessTokenMark],
    ) -> Result<(SubjectKind, String), TokenFault> {
        let header = Header { algorithm: Algorithm::ES256, kid: None, typ: typ.map(str::to_owned) };
        kind_of(&header, claims.as_object().unwrap(), &listed.iter().copied().collect())
            .map(|(kind, because)| (kind, because.to_string()))
    }

    fn kind(typ: Option<&str>, claims: &Value) -> Result<SubjectKind, TokenFault> {
        kind_with(typ, claims, &[]).map(|(kind, _)| kind)
    }

    #[test]
    fn words_that_name_a_kind_decide_alone() {
        use SubjectKind::*;
        let cases = [
            (Some("at+jwt"), json!({"nonce": "n"}), AccessToken),
            (Some("jwt"), json!({"typ": "ID", "scope": "openid", "azp": "app"}), IdToken),
            (None, json!({"typ": "Bearer", "nonce": "n"}), AccessToken),
            (None, json!({"typ": "DPoP", "cnf": {}}), AccessToken),
            (None, json!({"token_use": "id", "cid": "x"}), IdToken),
            (None, json!({"token_use": "access"}), AccessToken),
            (None, json!({"tty": "at"}), AccessToken),
        ];
        for (typ, claims, wanted) in cases {
            assert_eq!(kind(typ, &claims), Ok(wanted), "{typ:?} {claims}");
        }
    }

    #[test]
    fn a_word_of_another_kind_and_words_that_disagree_are_refused() {
        let cases = [
            (Some("logout+jwt"), json!({})),
            (Some("rt+jwt"), json!({"scope": "a"})),
            (None, json!({"typ": "Refresh", "scope": "openid"})),
            (None, json!({"typ": "Offline"})),
            (None, json!({"typ": 7})),
            (None, json!({"typ": ["ID"]})),
            (None, json!({"token_use": "refresh"})),
            (Some("at+jwt"), json!({"typ": "ID"})),
            (None, json!({"typ": "ID", "token_use": "access"})),
            (Some("at+jwt"), json!({"scope": "a", "events": {}})),
            (None, json!({"htm": "POST"})),
        ];
        for (typ, claims) in cases {
            assert_eq!(kind(typ, &claims), Err(TokenFault::Kind), "{typ:?} {claims}");
        }
    }

    #[test]
    fn without_a_word_a_mark_of_an_access_token_makes_it_one() {
        use SubjectKind::*;
        for mark in ["scope", "scp", "client_id", "cid", "appid"] {
            assert_eq!(kind(Some("jwt"), &json!({mark: "x"})), Ok(AccessToken), "{mark}");
            assert_eq!(kind(None, &json!({mark: "x", "nonce": "n"})), Ok(AccessToken), "{mark}");
        }
        assert_eq!(kind(None, &json!({"azp": "app"})), Ok(IdToken));
    }

    #[test]
    fn a_listed_mark_beside_a_mark_of_an_id_token_is_no_mark() {
        let zitadel = json!({"client_id": "app", "nonce": "n", "azp": "app"});
        let listed = [AccessTokenMark::ClientId];
        let (kind, because) = kind_with(None, &zitadel, &listed).unwrap();
        assert_eq!(kind, SubjectKind::IdToken);
        assert_eq!(because, "it has `nonce`, and `client_id` is listed under `id_token_claims`");
        let without_nonce = json!({"client_id": "app"});
        assert_eq!(kind_with(None, &without_nonce, &listed).unwrap().0, SubjectKind::AccessToken);
        let another = json!({"client_id": "app", "scope": "openid", "nonce": "n"});
        let (kind, because) = kind_with(None, &another, &listed).unwrap();
        assert_eq!(kind, SubjectKind::AccessToken);
        assert_eq!(because, "it has the claim `scope`, and no word names its kind");
    }

    #[test]
    fn a_declared_type_has_to_agree_and_jwt_takes_both() {
        use SubjectKind::*;
        assert_eq!(IdToken.check_declared(DeclaredType::IdToken), Ok(()));
        assert_eq!(IdToken.check_declared(DeclaredType::Jwt), Ok(()));
        assert_eq!(IdToken.check_declared(DeclaredType::AccessToken), Err(TokenFault::Kind));
        assert_eq!(AccessToken.check_declared(DeclaredType::AccessToken), Ok(()));
        assert_eq!(AccessToken.check_declared(DeclaredType::Jwt), Ok(()));
        assert_eq!(AccessToken.check_declared(DeclaredType::IdToken), Err(TokenFault::Kind));
    }
}

//! A key set as read (RFC 7517 §5, JWKS-08, JWKS-09).

use std::borrow::Cow;
use std::collections::BTreeSet;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde_json::{Map, Value};

use super::Algorithm;
use super::json::{Limits, parse_object};
use super::key::is_secret;
use super::token::MAX_KID;
use super::{Header, JoseError, PublicKey};
use crate::base::time::Lifetime;

/// The most keys taken from one set.
const MAX_KEYS: usize = 100;
/// The `use` of the keys of a SPIFFE bundle that sign JWT-SVIDs (JWT-SVID §3).
const JWT_SVID: &str = "jwt-svid";

/// The form of a document with keys.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum KeyForm {
    /// A JWK set (RFC 7517 §5).
    Jwks,
    /// The bundle of a SPIFFE trust domain (SPIFFE Trust Domain and Bundle §4): of its keys those for JWT-SVIDs.
    Bundle,
}

impl KeyForm {
    const fn limits(self) -> Limits {
        match self {
            Self::Jwks => Limits::KEY_SET,
            Self::Bundle => Limits::BUNDLE,
        }
    }

    /// The most bytes of such a document.
    pub const fn max_bytes(self) -> usize {
        self.limits().bytes
    }
}

/// The usable public keys of one issuer or client, and its certificates.
#[derive(Debug, Default)]
pub struct KeySet {
    keys: Vec<(Option<String>, PublicKey)>,
    /// The first certificate of each `x5c` of a JWK set (RFC 7517 §4.7), as DER.
    certificates: Vec<Vec<u8>>,
    refresh_hint: Option<Lifetime>,
}

impl KeySet {
    /// Reads a JWKS document. Members and keys that are not understood, are private or symmetric, or
    /// are not for verifying signatures are passed over.
    ///
    /// # Errors
    /// [`JoseError::Malformed`] where it is no strict JSON object with an array `keys`, over 512 kB, or
    /// has more than 100 keys.
    pub fn parse(document: &[u8]) -> Result<Self, JoseError> {
        Self::read(document, KeyForm::Jwks)
    }

    /// Reads a document of this form. Of a bundle, each key that is not for JWT-SVIDs or has no `kid` is passed over too.
    ///
    /// # Errors
    /// As [`KeySet::parse`], with the limit of the form.
    pub fn read(document: &[u8], form: KeyForm) -> Result<Self, JoseError> {
        let document = parse_object(document, form.limits())?;
        let Some(Value::Array(keys)) = document.get("keys") else { return Err(JoseError::Malformed) };
        if keys.len() > MAX_KEYS {
            return Err(JoseError::Malformed);
        }
        let hint = document.get("spiffe_refresh_hint").filter(|_| form == KeyForm::Bundle);
        let hint = hint.and_then(Value::as_u64).and_then(|seconds| u32::try_from(seconds).ok());
        let mut set = Vec::new();
        let mut certificates = Vec::new();
        for jwk in keys.iter().filter_map(Value::as_object).filter_map(|jwk| for_tokens(jwk, form)) {
            let jwk = jwk.as_ref();
            if form == KeyForm::Jwks && !is_secret(jwk) {
                certificates.extend(certificate(jwk));
            }
            let kid = match jwk.get("kid") {
                None => None,
                Some(Value::String(kid)) if kid.len() <= MAX_KID => Some(kid.clone()),
                Some(_) => continue,
            };
            for key in PublicKey::from_jwk(jwk).unwrap_or_default() {
                if !set
                    .iter()
                    .any(|(seen, other): &(Option<String>, PublicKey)| *seen == kid && other.is_same(&key))
                {
                    set.push((kid.clone(), key));
                }
            }
        }
        Ok(Self { keys: set, certificates, refresh_hint: hint.map(Lifetime::from_seconds) })
    }

    /// How often the publisher of a bundle wants it to be fetched.
    pub const fn refresh_hint(&self) -> Option<Lifetime> {
        self.refresh_hint
    }

    /// The one key that fits the header by `kid` and `alg`; without a `kid`, the only key of that
    /// algorithm (7515-4.1.4-01). `None` where none fits, or more than one.
    pub fn choose(&self, header: &Header) -> Option<&PublicKey> {
        let mut fitting = self.keys.iter().filter(|(kid, key)| {
            key.algorithm() == header.algorithm && (header.kid.is_none() || *kid == header.kid)
        });
        match (fitting.next(), fitting.next()) {
            (Some((_, key)), None) => Some(key),
            _ => None,
        }
    }

    /// Whether a document of this form holds a private or symmetric key, which [`KeySet::read`] passes over.
    pub fn holds_secret(document: &[u8], form: KeyForm) -> bool {
        let document = parse_object(document, form.limits()).unwrap_or_default();
        let keys = document.get("keys").and_then(Value::as_array);
        keys.into_iter().flatten().filter_map(Value::as_object).any(is_secret)
    }

    /// The thumbprint of each usable key (RFC 7638).
    pub fn thumbprints(&self) -> BTreeSet<[u8; 32]> {
        self.keys.iter().filter_map(|(_, key)| key.thumbprint().ok()).collect()
    }

    /// The algorithm of each usable key.
    pub fn algorithms(&self) -> impl Iterator<Item = Algorithm> {
        self.keys.iter().map(|(_, key)| key.algorithm())
    }

    /// The certificates in it, as DER. Those whose key is of no use for JWTs are among them.
    pub fn certificates(&self) -> impl Iterator<Item = &[u8]> {
        self.certificates.iter().map(Vec::as_slice)
    }

    /// Whether there is neither a usable key nor a certificate in it.
    pub fn is_empty(&self) -> bool {
        self.keys.is_empty() && self.certificates.is_empty()
    }
}

/// A key as it is read for signatures of tokens, if the form has it for those. What `use` says in a bundle, no JWK set has.
fn for_tokens(jwk: &Map<String, Value>, form: KeyForm) -> Option<Cow<'_, Map<String, Value>>> {
    match form {
        KeyForm::Jwks => Some(Cow::Borrowed(jwk)),
        KeyForm::Bundle if jwk.get("use")? == JWT_SVID && jwk.contains_key("kid") => {
            let mut jwk = jwk.clone();
            jwk.remove("use");
            Some(Cow::Owned(jwk))
        }
        KeyForm::Bundle => None,
    }
}

fn certificate(jwk: &Map<String, Value>) -> Option<Vec<u8>> {
    let first = jwk.get("x5c")?.as_array()?.first()?.as_str()?;
    STANDARD.decode(first).ok()
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::jose::SigningKey;

    fn jwk(key: &SigningKey, kid: &Value) -> Value {
        let mut jwk = key.jwk().clone();
        jwk.insert("kid".to_owned(), kid.clone());
        if kid.is_null() {
            jwk.remove("kid");
        }
        Value::Object(jwk)
    }

    fn set(keys: &[Value]) -> KeySet {
        KeySet::parse(json!({ "keys": keys }).to_string().as_bytes()).unwrap()
    }

    fn header(algorithm: Algorithm, kid: Option<&str>) -> Header {
        Header { algorithm, kid: kid.map(str::to_owned), typ: None }
    }

    #[test]
    fn a_key_is_chosen_by_kid_and_algorithm() {
        let ec = SigningKey::generate(Algorithm::ES256).unwrap();
        let ed = SigningKey::generate(Algorithm::EdDSA).unwrap();
        let set = set(&[jwk(&ec, &json!("same")), jwk(&ed, &json!("same"))]);
        let chosen = |algorithm, kid| set.choose(&header(algorithm, kid)).map(PublicKey::algorithm);
        assert_eq!(chosen(Algorithm::ES256, Some("same")), Some(Algorithm::ES256));
        assert_eq!(chosen(Algorithm::EdDSA, Some("same")), Some(Algorithm::EdDSA));
        assert_eq!(chosen(Algorithm::RS256, Some("same")), None);
        assert_eq!(chosen(Algorithm::ES256, Some("SAME")), None);
        assert_eq!(chosen(Algorithm::ES256, Some("")), None);
    }

    #[test]
    fn without_a_kid_the_only_key_of_the_algorithm_is_chosen() {
        let first = SigningKey::generate(Algorithm::ES256).unwrap();
        let second = SigningKey::generate(Algorithm::ES256).unwrap();
        let other = SigningKey::generate(Algorithm::EdDSA).unwrap();
        let one = set(&[jwk(&first, &json!("a")), jwk(&other, &json!("b"))]);
        assert!(one.choose(&header(Algorithm::ES256, None)).is_some());
        let two = set(&[jwk(&first, &json!("a")), jwk(&second, &Value::Null)]);
        assert!(two.choose(&header(Algorithm::ES256, None)).is_none());
        assert!(two.choose(&header(Algorithm::ES256, Some("a"))).is_some());
    }

    #[test]
    fn two_keys_that_fit_alike_are_both_refused_and_the_same_key_twice_is_one() {
        let first = SigningKey::generate(Algorithm::ES256).unwrap();
        let second = SigningKey::generate(Algorithm::ES256).unwrap();
        let (first, second) = (jwk(&first, &json!("k")), jwk(&second, &json!("k")));
        assert!(set(&[first.clone(), second]).choose(&header(Algorithm::ES256, Some("k"))).is_none());
        assert!(set(&[first.clone(), first]).choose(&header(Algorithm::ES256, Some("k"))).is_some());
    }

    #[test]
    fn what_is_not_understood_is_passed_over() {
        let good = SigningKey::generate(Algorithm::ES256).unwrap();
        let mut private = good.jwk().clone();
        private.insert("d".to_owned(), json!("AAAA"));
        let document = json!({
            "keys": [
                1, "x", null, {"kty": "oct", "k": "AAAA"}, {"kty": "new"}, private, jwk(&good, &json!(5)),
                jwk(&good, &json!("k".repeat(129))), jwk(&good, &json!("good")),
            ],
            "extension": {"a": [1]},
        });
        let set = KeySet::parse(document.to_string().as_bytes()).unwrap();
        assert_eq!(set.keys.len(), 1);
        assert!(set.choose(&header(Algorithm::ES256, Some("good"))).is_some());
    }

    #[test]
    fn of_a_bundle_the_keys_for_jwt_svids_count() {
        let of_use = |value: Value, kid: &str| {
            let mut jwk = jwk(&SigningKey::generate(Algorithm::ES256).unwrap(), &json!(kid));
            jwk["use"] = value;
            jwk
        };
        let read = |keys: &[Value], hint: Value| {
            let bundle = json!({ "keys": keys, "spiffe_sequence": 7, "spiffe_refresh_hint": hint });
            KeySet::read(bundle.to_string().as_bytes(), KeyForm::Bundle).unwrap()
        };
        let mut nameless = of_use(json!("jwt-svid"), "x");
        nameless.as_object_mut().unwrap().remove("kid");
        let others = [
            of_use(json!("x509-svid"), "x"),
            of_use(json!("wit-svid"), "x"),
            of_use(json!("sig"), "x"),
            of_use(json!(["jwt-svid"]), "x"),
            of_use(json!(null), "x"),
            nameless,
        ];
        let set = read(&[others.as_slice(), &[of_use(json!("jwt-svid"), "good")]].concat(), json!(300));
        assert_eq!(set.keys.len(), 1);
        assert!(set.choose(&header(Algorithm::ES256, Some("good"))).is_some());
        assert_eq!(set.refresh_hint(), Some(Lifetime::from_seconds(300)));
        assert!(read(&others, json!(null)).is_empty());
        for hint in [json!(null), json!("300"), json!(-1), json!(0.5), json!(u64::MAX)] {
            assert_eq!(read(&[], hint.clone()).refresh_hint(), None, "{hint}");
        }
        let as_set = json!({ "keys": [of_use(json!("jwt-svid"), "good")] }).to_string();
        assert!(KeySet::parse(as_set.as_bytes()).unwrap().is_empty(), "no JWK set has such a key");
    }

    #[test]
    fn a_bundle_may_be_a_megabyte() {
        let of = |bytes: usize| format!("{{\"keys\":[],\"a\":\"{}\"}}", "x".repeat(bytes - 18));
        for (bytes, is_read) in [(1024 * 1024, true), (1024 * 1024 + 1, false)] {
            let document = of(bytes);
            assert_eq!(document.len(), bytes);
            assert_eq!(KeySet::read(document.as_bytes(), KeyForm::Bundle).is_ok(), is_read);
        }
    }

    #[test]
    fn the_first_certificate_of_each_key_is_kept_whatever_the_key_is_good_for() {
        let document = json!({"keys": [
            {"kty": "EC", "crv": "P-521", "x5c": ["AQI=", "AwQ="]}, {"kty": "new", "x5c": ["BQ=="]},
            {"x5c": "Bg=="}, {"x5c": []}, {"x5c": ["_w"]}, {"kty": "oct", "k": "AAAA", "x5c": ["Bw=="]},
        ]});
        let set = KeySet::parse(document.to_string().as_bytes()).unwrap();
        assert_eq!(set.certificates().collect::<Vec<_>>(), [[1, 2].as_slice(), &[5]]);
        assert!(!set.is_empty());
    }

    #[test]
    fn what_is_no_key_set_or_too_large_is_refused() {
        let many: Vec<Value> = (0..101).map(|_| json!({})).collect();
        for document in [
            "".to_owned(),
            "[]".to_owned(),
            "{}".to_owned(),
            r#"{"keys":{}}"#.to_owned(),
            r#"{"keys":[],"keys":[]}"#.to_owned(),
            json!({ "keys": many }).to_string(),
            format!("{{\"keys\":[],\"a\":\"{}\"}}", "x".repeat(512 * 1024)),
        ] {
            assert!(KeySet::parse(document.as_bytes()).is_err(), "{document:.40}");
        }
        assert!(KeySet::parse(br#"{"keys":[]}"#).unwrap().is_empty());
    }
}

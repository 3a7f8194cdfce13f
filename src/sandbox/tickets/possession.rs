//! Possession: a token that is bound to a key is taken from anyone who proves that key in the same request (RFC 9449 §7).

use std::collections::HashMap;

use actix_web::HttpRequest;
use actix_web::http::header::AUTHORIZATION;
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;

use super::{Problem, Tickets, text};
use crate::base::digest::sha256;
use crate::base::time::{Lifetime, Timestamp};
use crate::jose::{Claims, UnverifiedToken};
use crate::sandbox::wire::{PROOF, lock};

/// How far the time of a proof may be from now, in both directions.
const WINDOW: Lifetime = Lifetime::from_seconds(60);
/// How many proofs are remembered at most.
const MAX_PROOFS: usize = 10_000;

/// The proofs that were taken, by the hash of their `jti`, each until it would be too old anyway.
pub type Proofs = HashMap<[u8; 32], Timestamp>;

/// A token as a request shows it.
pub struct Shown {
    pub token: String,
    is_bound: bool,
    /// The header `DPoP`, as often as it was sent.
    proofs: Vec<String>,
    method: String,
    path: String,
}

impl Shown {
    /// # Errors
    /// 401 without a token.
    pub fn read(request: &HttpRequest) -> Result<Self, Problem> {
        let header = request.headers().get(AUTHORIZATION).and_then(|value| value.to_str().ok());
        let (scheme, token) =
            header.and_then(|value| value.split_once(' ')).ok_or_else(|| Problem::token("no token"))?;
        let is_bound = scheme.eq_ignore_ascii_case("DPoP");
        if !is_bound && !scheme.eq_ignore_ascii_case("Bearer") {
            return Err(Problem::token("no token"));
        }
        let proofs = request.headers().get_all(PROOF);
        Ok(Self {
            token: token.to_owned(),
            is_bound,
            proofs: proofs.map(|value| String::from_utf8_lossy(value.as_bytes()).into_owned()).collect(),
            method: request.method().to_string(),
            path: request.path().to_owned(),
        })
    }
}

impl Tickets {
    /// Whether the caller holds the key that the token is bound to, if it is bound to one.
    ///
    /// # Errors
    /// 401 `invalid_token` for a token shown under the wrong scheme, `invalid_dpop_proof` for a bad proof.
    pub(super) fn check_possession(&self, claims: &Claims, shown: &Shown) -> Result<(), Problem> {
        let cnf = claims.get("cnf");
        let key = cnf.and_then(|cnf| cnf.get("jkt")).and_then(serde_json::Value::as_str);
        if cnf.is_some() && key.is_none() {
            return Err(Problem::token("possession: the token is bound to what this API cannot check"));
        }
        match (key, shown.is_bound) {
            (None, false) => Ok(()),
            (None, true) => Err(Problem::token("possession: the token is bound to no key")),
            (Some(_), false) => {
                Err(Problem::token("possession: the token is bound to a key; prove that key"))
            }
            (Some(key), true) => self.check_proof(key, shown).map_err(Problem::proof),
        }
    }

    fn check_proof(&self, key: &str, shown: &Shown) -> Result<(), &'static str> {
        let [proof] = shown.proofs.as_slice() else { return Err("send one proof") };
        let unreadable = "no proof of a key";
        let (scanned, proven) = UnverifiedToken::scan_with_own_key(proof).map_err(|_| unreadable)?;
        let typ = scanned.header().typ.clone().unwrap_or_default();
        let claims = scanned.verify(&proven).map_err(|_| "not signed by the key in its header")?;
        let proven = proven.thumbprint().map_err(|_| unreadable)?;
        let checks = [
            (typ == "dpop+jwt", "of another type"),
            (URL_SAFE_NO_PAD.encode(proven) == key, "by another key than the token's"),
            (text(&claims, "htm") == shown.method, "for another method"),
            (text(&claims, "htu") == format!("{}{}", self.url, shown.path), "for another URL"),
            (
                text(&claims, "ath") == URL_SAFE_NO_PAD.encode(sha256([shown.token.as_bytes()])),
                "for another token",
            ),
        ];
        if let Some((_, why)) = checks.into_iter().find(|(holds, _)| !holds) {
            return Err(why);
        }
        self.use_up(&claims)
    }

    /// Takes a proof in its time, and once.
    fn use_up(&self, claims: &Claims) -> Result<(), &'static str> {
        let now = self.clock.now();
        let issued_at = claims.time("iat").ok().flatten().ok_or("without a time")?;
        if now > issued_at.plus(WINDOW) || issued_at > now.plus(WINDOW) {
            return Err("of another time");
        }
        let jti = text(claims, "jti");
        if jti.is_empty() {
            return Err("without an id");
        }
        let mut proofs = lock(&self.proofs);
        if proofs.len() >= MAX_PROOFS {
            proofs.retain(|_, until| now <= *until);
        }
        if proofs.len() >= MAX_PROOFS {
            return Err("one of too many in a minute");
        }
        match proofs.insert(sha256([jti.as_bytes()]), issued_at.plus(WINDOW)) {
            None => Ok(()),
            Some(_) => Err("used before"),
        }
    }
}

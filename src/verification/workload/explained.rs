//! What Deputy reads in the credential of a workload, for an operator who wants to know why it is taken or refused.

use serde_json::Value;

use super::issuer_of;
use crate::base::time::Timestamp;
use crate::config::Config;
use crate::jose::{UnverifiedToken, find_claim};
use crate::oauth::{SpiffeId, TokenFault};
use crate::registry::{Preset, WorkloadIssuer};
use crate::verification::{NotVerified, VerifiedCredential, Verifier};

/// The claims that are read in every credential.
const ALWAYS: [&str; 6] = ["iss", "sub", "aud", "iat", "nbf", "exp"];

/// What was read in a credential, and what comes of it. What was read is not verified where the credential is refused.
#[derive(Debug)]
pub struct Explained {
    /// `kid` and `alg` of the header.
    pub header: Option<(Option<String>, &'static str)>,
    /// The platform of its issuer, if that is configured.
    pub preset: Option<Preset>,
    /// The claims that Deputy looks at, in the order in which it does; without a value those that are missing.
    pub claims: Vec<(String, Option<Value>)>,
    pub outcome: Result<VerifiedCredential, Problem>,
}

/// Why a credential is refused, and what to do about it.
#[derive(Debug)]
pub struct Problem {
    /// The cause as in the audit; absent where the issuer's keys cannot be had.
    pub fault: Option<TokenFault>,
    pub fix: String,
}

impl Verifier {
    /// Verifies a workload's token as an exchange would, and says what was read in it.
    pub async fn explain_workload(&self, config: &Config, token: &str, now: Timestamp) -> Explained {
        let scanned = UnverifiedToken::scan(token);
        let outcome = self.workload(config, &scanned, now).await;
        let scanned = scanned.ok();
        let claims = scanned.as_ref().map(UnverifiedToken::unverified_claims);
        let registered = scanned.as_ref().and_then(|token| issuer_of(&config.registry, token).ok());
        let is_svid = scanned
            .as_ref()
            .is_some_and(|token| token.claimed_subject().is_some_and(SpiffeId::is_claimed_by));
        let names = registered.map_or_else(|| ALWAYS.map(str::to_owned).to_vec(), |issuer| names(issuer));
        let read = |name: String| {
            let value = claims.and_then(|claims| find_claim(claims, &name)).cloned();
            (name, value)
        };
        Explained {
            header: scanned.as_ref().map(|scanned| {
                let header = scanned.header();
                (header.kid.clone(), header.algorithm.as_str())
            }),
            preset: registered.map(|issuer| issuer.preset),
            claims: if claims.is_some() { names.into_iter().map(read).collect() } else { Vec::new() },
            outcome: outcome.map_err(|error| match error {
                NotVerified::Fault(fault) => {
                    let of_svid = if is_svid { svid_fix(fault) } else { None };
                    let fix = of_svid.map_or_else(
                        || fix(config, registered.map(AsRef::as_ref), fault),
                        str::to_owned,
                    );
                    Problem { fault: Some(fault), fix }
                }
                NotVerified::Unavailable(why) => Problem {
                    fault: None,
                    fix: format!("the issuer's keys cannot be had: {why}. Check `jwks_uri` or `bundle_endpoint`, `network` and `tls_ca_file`"),
                },
            }),
        }
    }
}

/// Every claim that decides something for the tokens of this issuer, each once.
fn names(issuer: &WorkloadIssuer) -> Vec<String> {
    let of_ids = issuer.stable_id.names().chain(issuer.instance_id.iter().flat_map(|id| id.names()));
    let of_classes =
        issuer.classes.iter().filter_map(|class| class.when.as_ref()).flat_map(|when| when.claims());
    let of_platform = issuer.preset.judged().iter().copied();
    let mut names: Vec<String> = Vec::new();
    for name in ALWAYS.into_iter().chain(of_platform).chain(of_ids).chain(of_classes) {
        if !names.iter().any(|known| known == name) {
            names.push(name.to_owned());
        }
    }
    names
}

/// The same for an SVID, where it is another change.
const fn svid_fix(fault: TokenFault) -> Option<&'static str> {
    Some(match fault {
        TokenFault::IssuerUntrusted => {
            "add `[[workload_issuer]]` with `preset = \"spiffe\"` and this `trust_domain`, if its agents are to be known"
        }
        TokenFault::Subject => {
            "the trust domain has to name the workload by a SPIFFE ID with a path (SPIFFE-ID §2)"
        }
        TokenFault::Kind => {
            "present a JWT-SVID as the trust domain signed it: its header has `alg`, `kid` and `typ` alone"
        }
        TokenFault::Algorithm => "have the trust domain sign JWT-SVIDs by an algorithm that `algorithms` has",
        TokenFault::KeyUnknown => {
            "the bundle has no key for JWT-SVIDs with this `kid`: correct `bundle_endpoint`, or renew `bundle_file`"
        }
        TokenFault::Signature => {
            "the SVID was changed, or is of another trust domain of the same name: get a new one"
        }
        TokenFault::TooOld => {
            "request SVIDs with a shorter lifetime (`jwt_svid_ttl` of the entry), or raise `max_token_lifetime_seconds`"
        }
        TokenFault::NoClass => "add a `[[workload_issuer.class]]` whose `when` takes this SPIFFE ID",
        _ => return None,
    })
}

/// What the operator, or anyone who runs the workload, has to change.
fn fix(config: &Config, issuer: Option<&WorkloadIssuer>, fault: TokenFault) -> String {
    let audience = issuer.map_or(config.issuer.as_str(), |issuer| issuer.audience.as_str());
    let text = match fault {
        TokenFault::Malformed => "present a JWT in compact form, without anything around it",
        TokenFault::Algorithm => {
            "add the algorithm of the token to `algorithms`, if the issuer signs with it"
        }
        TokenFault::Critical => "present a token without `crit` in its header",
        TokenFault::KeyUnknown => {
            "the keys of the issuer have none with this `kid`: renew `jwks_file`, or correct `jwks_uri`"
        }
        TokenFault::Signature => {
            "the token was changed, or is of another issuer of the same name: get a new one"
        }
        TokenFault::Kind => {
            "present the platform's own credential, and no access token, logout token or proof"
        }
        TokenFault::IssuerUntrusted => {
            "add `[[workload_issuer]]` with this `iss`, byte for byte, if its agents are to be known"
        }
        TokenFault::Audience => {
            return format!("request a token whose only audience is `{audience}`");
        }
        TokenFault::Subject => "present a token whose `sub` is a text of 1 to 512 bytes",
        TokenFault::Claim => {
            "a claim that is needed is missing or has another type: name claims that the token has in \
             `stable_id_claim` and `instance_id_claim`; the token needs `exp` too"
        }
        TokenFault::Expired => "get a new token from the platform, and compare the clocks",
        TokenFault::NotYetValid | TokenFault::IssuedAhead => {
            "compare the clocks of the issuer and of this machine"
        }
        TokenFault::TooOld => {
            "request a token with a shorter lifetime, or raise `max_token_lifetime_seconds`"
        }
        TokenFault::NoClass => "add a `[[workload_issuer.class]]` whose `when` fits these claims",
        TokenFault::Event => "list the event under `events` of the class, if strangers may start its agents",
        TokenFault::ForeignChain => {
            "present the credential of the agent itself: this one has `act`, so that its holder acts for another"
        }
        TokenFault::NotAWorkload => return not_a_workload(issuer.map(|issuer| issuer.preset)).to_owned(),
        TokenFault::OtherTenant => {
            "request the token in the tenant that the issuer names, or add its own issuer"
        }
        TokenFault::AuthorizedParty => {
            "configure the issuer of the version that the token has: `ver` 2.0 with `azp` is of \
             `https://login.microsoftonline.com/TENANT/v2.0`, `ver` 1.0 with `appid` of `https://sts.windows.net/TENANT/`"
        }
        TokenFault::LegacyToken => "use a projected service account token (`serviceAccountToken` in the pod)",
        // Faults of other tokens.
        _ => "see `docs/errors.md`",
    };
    text.to_owned()
}

/// What the workload of a platform presents in place of a person's token.
const fn not_a_workload(preset: Option<Preset>) -> &'static str {
    match preset {
        Some(Preset::Gitlab) => {
            "present a token that the job has by `id_tokens`: a person's ID token has no `job_id`"
        }
        Some(Preset::Aws) => {
            "request the token with the credentials of a role that no person has assumed by sign-in"
        }
        Some(Preset::Gcp) => {
            "present the ID token of a service account, with its address: `format=full` at the metadata server, or \
             `includeEmail` at the IAM API"
        }
        Some(Preset::Azure) => {
            "request the token with the application's own credential, and add the optional claim `idtyp` to the access \
             tokens of Deputy's registration at Entra"
        }
        _ => "present the credential of a workload",
    }
}

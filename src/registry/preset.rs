//! Platforms: what is known of the tokens of each, so that an operator does not have to write it down.
//!
//! A preset fills in what the configuration leaves out, and every value can be overridden. What it refuses cannot be.

mod claims;
mod entra;

use url::Url;

use super::workload::{IdClaims, IdPart, IdReading, InstanceId};
use crate::base::time::Lifetime;
use crate::base::words::words;
use crate::jose::Algorithm;

pub use entra::{EntraIssuer, EntraVersion};

words! {
    /// The kinds of platforms that issue credentials to agents.
    #[derive(schemars::JsonSchema)]
    #[schemars(rename_all = "snake_case")]
    Preset {
        /// Any issuer of JWTs.
        Generic => "generic",
        /// A Kubernetes cluster: projected service account tokens.
        Kubernetes => "kubernetes",
        /// GitHub Actions: the OIDC tokens of jobs.
        Github => "github",
        /// GitLab CI/CD: the ID tokens of jobs.
        Gitlab => "gitlab",
        /// An account of AWS: the tokens of outbound identity federation.
        Aws => "aws",
        /// Google Cloud: the ID tokens of service accounts.
        Gcp => "gcp",
        /// A tenant of Microsoft Entra: the tokens of managed identities and other applications.
        Azure => "azure",
        /// A SPIFFE trust domain: JWT-SVIDs.
        Spiffe => "spiffe",
    }
}

/// The algorithms of clusters: their keys are RSA or elliptic curves.
const KUBERNETES_ALGORITHMS: [Algorithm; 3] = [Algorithm::RS256, Algorithm::ES256, Algorithm::ES384];
/// The algorithms between which a caller of AWS chooses.
const AWS_ALGORITHMS: [Algorithm; 2] = [Algorithm::RS256, Algorithm::ES384];
/// The one algorithm of the other platforms.
const RSA: [Algorithm; 1] = [Algorithm::RS256];

/// The algorithms of JWT-SVIDs (JWT-SVID §2.1), as far as Deputy has them. `EdDSA` is none of them.
const SPIFFE_ALGORITHMS: [Algorithm; 4] =
    [Algorithm::RS256, Algorithm::PS256, Algorithm::ES256, Algorithm::ES384];

/// The issuer of Google, which signs for people and for service accounts.
const GOOGLE: &str = "https://accounts.google.com";
const GOOGLE_HOST: &str = "accounts.google.com";
/// The hosts of Entra, by which it signs for people and for applications.
const ENTRA_HOSTS: [&str; 5] = [
    "login.microsoftonline.com",
    "sts.windows.net",
    "login.microsoftonline.us",
    "login.partner.microsoftonline.cn",
    "sts.chinacloudapi.cn",
];
/// The host of GitLab's own service, which signs for people and for jobs.
const GITLAB_HOST: &str = "gitlab.com";

/// The host that every default cluster has under the same name.
const CLUSTER_HOST: &str = "kubernetes.default.svc";

impl Preset {
    /// The algorithms of its tokens; `None` for all that Deputy verifies.
    pub const fn algorithms(self) -> Option<&'static [Algorithm]> {
        match self {
            Self::Generic => None,
            Self::Kubernetes => Some(&KUBERNETES_ALGORITHMS),
            Self::Aws => Some(&AWS_ALGORITHMS),
            Self::Github | Self::Gitlab | Self::Gcp | Self::Azure => Some(&RSA),
            Self::Spiffe => Some(&SPIFFE_ALGORITHMS),
        }
    }

    /// What identifies a workload for good. Names that another workload can get later are not among it.
    pub fn stable_id(self) -> IdClaims {
        match self {
            Self::Generic | Self::Gcp | Self::Spiffe => IdClaims::of(["sub"]),
            Self::Kubernetes => IdClaims::of(["kubernetes.io.serviceaccount.uid"]),
            Self::Github => IdClaims(vec![
                IdPart::new(["repository_owner_id"]),
                IdPart::new(["repository_id"]),
                IdPart { reading: IdReading::Path, ..IdPart::new(["job_workflow_ref", "workflow_ref"]) },
            ]),
            Self::Gitlab => IdClaims::of(["project_id"]),
            // A role that was deleted and made again has the same name.
            Self::Aws => IdClaims::of(["sub", "https://sts.amazonaws.com/.aws_account"]),
            Self::Azure => IdClaims::of(["tid", "oid"]),
        }
    }

    /// What identifies one instance of a workload, where the platform says it.
    pub fn instance_id(self) -> Option<InstanceId> {
        match self {
            Self::Generic | Self::Aws => None,
            Self::Kubernetes => Some(InstanceId::Claims(IdClaims::of(["kubernetes.io.pod.uid"]))),
            Self::Gitlab => Some(InstanceId::Claims(IdClaims::of(["job_id"]))),
            // Nothing in their tokens tells two processes apart that run as one account.
            Self::Gcp | Self::Azure | Self::Spiffe => Some(InstanceId::Key),
            Self::Github => Some(InstanceId::Claims(IdClaims(vec![
                IdPart::new(["run_id"]),
                IdPart::new(["run_attempt"]),
                IdPart { is_optional: true, ..IdPart::new(["check_run_id"]) },
            ]))),
        }
    }

    /// Whether its hosts hand one credential to every process that asks, so that a credential is not pinned to a key, and
    /// the key that a process proves is what tells it from others.
    pub const fn shares_credentials(self) -> bool {
        match self {
            Self::Gcp | Self::Azure | Self::Spiffe => true,
            Self::Generic | Self::Kubernetes | Self::Github | Self::Gitlab | Self::Aws => false,
        }
    }

    /// The longest lifetime of its tokens.
    pub const fn max_token_lifetime(self) -> Lifetime {
        match self {
            Self::Kubernetes => Lifetime::from_seconds(86_400),
            // Those of managed identities are good for a day, and begin some minutes before they are given out.
            Self::Azure => Lifetime::from_seconds(90_000),
            Self::Generic | Self::Github | Self::Gitlab | Self::Aws | Self::Gcp | Self::Spiffe => {
                Lifetime::from_seconds(3600)
            }
        }
    }

    /// Where the keys of an issuer of this kind are, if that follows from its name.
    pub fn jwks_uri(self, issuer: &str) -> Option<String> {
        let below = |path: &str| Some(format!("{}/{path}", issuer.trim_end_matches('/')));
        match self {
            Self::Github => below(".well-known/jwks"),
            Self::Gitlab => below("oauth/discovery/keys"),
            Self::Aws => below(".well-known/jwks.json"),
            Self::Gcp => (issuer == GOOGLE).then(|| "https://www.googleapis.com/oauth2/v3/certs".to_owned()),
            Self::Azure => EntraIssuer::parse(issuer)?.jwks_uri(),
            Self::Generic | Self::Kubernetes | Self::Spiffe => None,
        }
    }

    /// Whether a token that it takes cannot be one of a person. Only such an issuer may also be an identity provider.
    pub const fn proves_a_workload(self) -> bool {
        match self {
            Self::Gitlab | Self::Gcp | Self::Azure => true,
            Self::Generic | Self::Kubernetes | Self::Github | Self::Aws | Self::Spiffe => false,
        }
    }

    /// The preset for an issuer that is known to sign people in as well.
    pub fn of_sign_in(issuer: &str) -> Option<Self> {
        let url = Url::parse(issuer).ok()?;
        match url.host_str()? {
            GITLAB_HOST => Some(Self::Gitlab),
            GOOGLE_HOST => Some(Self::Gcp),
            host => ENTRA_HOSTS.contains(&host).then_some(Self::Azure),
        }
    }

    /// The claim that says what started a workflow or a pipeline, on a platform that runs those.
    pub const fn event_claim(self) -> Option<&'static str> {
        match self {
            Self::Github => Some("event_name"),
            Self::Gitlab => Some("pipeline_source"),
            Self::Generic | Self::Kubernetes | Self::Aws | Self::Gcp | Self::Azure | Self::Spiffe => None,
        }
    }

    /// Whether such an event runs what somebody proposes to merge, so that a stranger may have written it.
    pub fn is_of_proposal(self, event: &str) -> bool {
        match self {
            // Also `pull_request_target` and the like, which a stranger causes by writing at a pull request.
            Self::Github => event.starts_with("pull_request"),
            Self::Gitlab => matches!(event, "merge_request_event" | "external_pull_request_event"),
            Self::Generic | Self::Kubernetes | Self::Aws | Self::Gcp | Self::Azure | Self::Spiffe => false,
        }
    }
}

/// Whether this URL or host is the API server of a cluster by the name that it has in every default cluster.
pub fn is_any_cluster(text: &str) -> bool {
    let host = Url::parse(text).ok().and_then(|url| url.host_str().map(str::to_owned));
    let host = host.as_deref().unwrap_or(text).trim_end_matches('.').to_ascii_lowercase();
    let rest = host.strip_prefix(CLUSTER_HOST);
    host == "kubernetes.default" || rest.is_some_and(|rest| rest.is_empty() || rest.starts_with('.'))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_name_of_every_cluster_is_recognised() {
        for text in [
            "https://kubernetes.default.svc",
            "https://kubernetes.default.svc.cluster.local",
            "https://kubernetes.default.svc.cluster.local:443/",
            "https://KUBERNETES.default.svc./",
            "kubernetes.default.svc",
            "https://kubernetes.default",
        ] {
            assert!(is_any_cluster(text), "{text}");
        }
        for text in
            ["https://oidc.cluster-a.example", "https://kubernetes.default.svcx", "https://deputy.example"]
        {
            assert!(!is_any_cluster(text), "{text}");
        }
    }

    #[test]
    fn an_issuer_that_signs_people_in_is_recognised() {
        for (issuer, preset) in [
            ("https://accounts.google.com", Some(Preset::Gcp)),
            ("https://gitlab.com", Some(Preset::Gitlab)),
            (
                "https://login.microsoftonline.com/9122040d-6c67-4c5b-b112-36a304b66dad/v2.0",
                Some(Preset::Azure),
            ),
            ("https://sts.windows.net/9122040d-6c67-4c5b-b112-36a304b66dad/", Some(Preset::Azure)),
            ("https://token.actions.githubusercontent.com", None),
            ("https://gitlab.example", None),
            ("https://accounts.google.com.example", None),
            ("spiffe://gitlab.example", None),
        ] {
            assert_eq!(Preset::of_sign_in(issuer), preset, "{issuer}");
            assert!(preset.is_none_or(Preset::proves_a_workload));
        }
    }

    #[test]
    fn keys_are_where_the_name_of_the_issuer_says() {
        let tenant = "9122040d-6c67-4c5b-b112-36a304b66dad";
        for (preset, issuer, uri) in [
            (
                Preset::Github,
                "https://token.actions.githubusercontent.com",
                Some("https://token.actions.githubusercontent.com/.well-known/jwks".to_owned()),
            ),
            (
                Preset::Gitlab,
                "https://gitlab.com",
                Some("https://gitlab.com/oauth/discovery/keys".to_owned()),
            ),
            (
                Preset::Aws,
                "https://7c1d.tokens.sts.global.api.aws",
                Some("https://7c1d.tokens.sts.global.api.aws/.well-known/jwks.json".to_owned()),
            ),
            (Preset::Gcp, GOOGLE, Some("https://www.googleapis.com/oauth2/v3/certs".to_owned())),
            (Preset::Gcp, "https://accounts.example", None),
            (
                Preset::Azure,
                &format!("https://login.microsoftonline.com/{tenant}/v2.0"),
                Some(format!("https://login.microsoftonline.com/{tenant}/discovery/v2.0/keys")),
            ),
            (
                Preset::Azure,
                &format!("https://sts.windows.net/{tenant}/"),
                Some(format!("https://login.microsoftonline.com/{tenant}/discovery/keys")),
            ),
            (Preset::Azure, "https://login.microsoftonline.com/common/v2.0", None),
            (Preset::Kubernetes, "https://oidc.cluster-a.example", None),
        ] {
            assert_eq!(preset.jwks_uri(issuer), uri, "{issuer}");
        }
    }
}

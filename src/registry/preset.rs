//! Platforms: what is known of the tokens of each, so that an operator does not have to write it down.
//!
//! A preset fills in what the configuration leaves out, and every value can be overridden. What it refuses cannot be.

use url::Url;

use super::workload::{IdClaims, IdPart, IdReading, InstanceId};
use crate::base::time::Lifetime;
use crate::base::words::words;
use crate::jose::Algorithm;

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
        /// A SPIFFE trust domain: JWT-SVIDs.
        Spiffe => "spiffe",
    }
}

/// The algorithms of clusters: their keys are RSA or elliptic curves.
const KUBERNETES_ALGORITHMS: [Algorithm; 3] = [Algorithm::RS256, Algorithm::ES256, Algorithm::ES384];
/// The one algorithm of GitHub.
const GITHUB_ALGORITHMS: [Algorithm; 1] = [Algorithm::RS256];

/// The algorithms of JWT-SVIDs (JWT-SVID §2.1), as far as Deputy has them. `EdDSA` is none of them.
const SPIFFE_ALGORITHMS: [Algorithm; 4] =
    [Algorithm::RS256, Algorithm::PS256, Algorithm::ES256, Algorithm::ES384];

/// The claims whose value anybody may choose who can start a workflow, open a pull request or edit a file.
const CHOSEN_AT_GITHUB: [&str; 6] =
    ["actor", "actor_id", "triggering_actor", "head_ref", "base_ref", "workflow"];
/// The claims of GitHub that are names, which another repository or owner can get later.
const NAMES_AT_GITHUB: [&str; 3] = ["sub", "repository", "repository_owner"];
/// The claims of a pod whose values its creator chooses.
const CHOSEN_IN_KUBERNETES: [&str; 2] = ["aud", "kubernetes.io.pod.name"];
/// The claim of a JWT-SVID whose value the workload chooses that asks for it.
const CHOSEN_IN_SPIFFE: [&str; 1] = ["aud"];
/// The claims of GitHub that say for good whose workflow it is. GitHub signs for everybody who has a repository there.
pub const OWNERS_AT_GITHUB: [&str; 3] = ["repository_owner_id", "repository_id", "enterprise_id"];

/// The host that every default cluster has under the same name.
const CLUSTER_HOST: &str = "kubernetes.default.svc";

impl Preset {
    /// The algorithms of its tokens; `None` for all that Deputy verifies.
    pub const fn algorithms(self) -> Option<&'static [Algorithm]> {
        match self {
            Self::Generic => None,
            Self::Kubernetes => Some(&KUBERNETES_ALGORITHMS),
            Self::Github => Some(&GITHUB_ALGORITHMS),
            Self::Spiffe => Some(&SPIFFE_ALGORITHMS),
        }
    }

    /// What identifies a workload for good. Names that another workload can get later are not among it.
    pub fn stable_id(self) -> IdClaims {
        match self {
            Self::Generic | Self::Spiffe => IdClaims::of(["sub"]),
            Self::Kubernetes => IdClaims::of(["kubernetes.io.serviceaccount.uid"]),
            Self::Github => IdClaims(vec![
                IdPart::new(["repository_owner_id"]),
                IdPart::new(["repository_id"]),
                IdPart { reading: IdReading::Path, ..IdPart::new(["job_workflow_ref", "workflow_ref"]) },
            ]),
        }
    }

    /// What identifies one instance of a workload, where the platform says it.
    pub fn instance_id(self) -> Option<InstanceId> {
        match self {
            Self::Generic => None,
            Self::Kubernetes => Some(InstanceId::Claims(IdClaims::of(["kubernetes.io.pod.uid"]))),
            Self::Github => Some(InstanceId::Claims(IdClaims(vec![
                IdPart::new(["run_id"]),
                IdPart::new(["run_attempt"]),
                IdPart { is_optional: true, ..IdPart::new(["check_run_id"]) },
            ]))),
            Self::Spiffe => Some(InstanceId::Key),
        }
    }

    /// Whether its hosts hand one credential to every process that asks, so that a credential is not pinned to a key, and
    /// the key that a process proves is what tells it from others.
    pub const fn shares_credentials(self) -> bool {
        match self {
            Self::Generic | Self::Kubernetes | Self::Github => false,
            Self::Spiffe => true,
        }
    }

    /// The longest lifetime of its tokens.
    pub const fn max_token_lifetime(self) -> Lifetime {
        match self {
            Self::Kubernetes => Lifetime::from_seconds(86_400),
            Self::Generic | Self::Github | Self::Spiffe => Lifetime::from_seconds(3600),
        }
    }

    /// Where the keys of an issuer of this kind are, if that follows from its name.
    pub fn jwks_uri(self, issuer: &str) -> Option<String> {
        match self {
            Self::Github => Some(format!("{}/.well-known/jwks", issuer.trim_end_matches('/'))),
            Self::Generic | Self::Kubernetes | Self::Spiffe => None,
        }
    }

    /// Whether the value of this claim is the caller's to choose, so that nothing may depend on it.
    pub fn is_chosen_by_caller(self, claim: &str) -> bool {
        let chosen: &[&str] = match self {
            Self::Generic => &[],
            Self::Kubernetes => &CHOSEN_IN_KUBERNETES,
            Self::Github => &CHOSEN_AT_GITHUB,
            Self::Spiffe => &CHOSEN_IN_SPIFFE,
        };
        chosen.iter().any(|name| is_or_is_below(claim, name))
    }

    /// Whether this claim is a name that another workload can get later, so that it identifies none.
    pub fn is_recycled(self, claim: &str) -> bool {
        self == Self::Github && NAMES_AT_GITHUB.contains(&claim)
    }

    /// Whether its issuers sign for customers that do not know each other, so that a class has to say whose workloads
    /// it takes.
    pub const fn is_shared(self) -> bool {
        matches!(self, Self::Github)
    }

    /// Whether a token that it takes cannot be one of a person. Only such an issuer may also be an identity provider.
    pub const fn proves_a_workload(self) -> bool {
        match self {
            Self::Generic | Self::Kubernetes | Self::Github | Self::Spiffe => false,
        }
    }
}

fn is_or_is_below(claim: &str, name: &str) -> bool {
    claim.strip_prefix(name).is_some_and(|rest| rest.is_empty() || rest.starts_with('.'))
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
    fn a_claim_of_the_callers_is_one_with_all_its_members() {
        assert!(Preset::Github.is_chosen_by_caller("actor"));
        assert!(Preset::Github.is_chosen_by_caller("actor.name"));
        assert!(!Preset::Github.is_chosen_by_caller("actors"));
        assert!(!Preset::Github.is_chosen_by_caller("workflow_ref"));
        assert!(Preset::Kubernetes.is_chosen_by_caller("kubernetes.io.pod.name"));
        assert!(!Preset::Kubernetes.is_chosen_by_caller("kubernetes.io.pod.uid"));
        assert!(!Preset::Generic.is_chosen_by_caller("actor"));
    }
}

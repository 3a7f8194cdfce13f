//! Who decides what a claim says: the platform alone, or somebody whom nobody should have to trust.

use super::Preset;

/// The claims whose value anybody may choose who can start a workflow, open a pull request or edit a file.
const CHOSEN_AT_GITHUB: [&str; 6] =
    ["actor", "actor_id", "triggering_actor", "head_ref", "base_ref", "workflow"];
/// The claims of GitHub that are names, which another repository or owner can get later.
const NAMES_AT_GITHUB: [&str; 3] = ["sub", "repository", "repository_owner"];
/// The claims of GitHub that say for good whose workflow it is. GitHub signs for everybody who has a repository there.
const OWNERS_AT_GITHUB: [&str; 3] = ["repository_owner_id", "repository_id", "enterprise_id"];

/// The claims of a pod whose values its creator chooses.
const CHOSEN_IN_KUBERNETES: [&str; 2] = ["aud", "kubernetes.io.pod.name"];

/// What the person who starts a pipeline or opens a merge request chooses: besides these, all claims about the user.
const CHOSEN_AT_GITLAB: [&str; 5] =
    ["aud", "target_audience", "groups_direct", "target_ref", "target_ref_protected"];
/// How the names of the claims about the user begin.
const USER_AT_GITLAB: &str = "user_";
/// What everybody who may push chooses: the branch, the tag or the commit, and how the pipeline is started.
const REFS_AT_GITLAB: [&str; 9] = [
    "sub",
    "ref",
    "ref_path",
    "ref_type",
    "sha",
    "ci_config_ref_uri",
    "ci_config_sha",
    "pipeline_source",
    "pipeline_source_event",
];
/// What everybody who may push writes into the job.
const ENVIRONMENTS_AT_GITLAB: [&str; 3] = ["environment", "environment_action", "deployment_tier"];
/// The claims of GitLab that are names, which another project or group can get later.
const NAMES_AT_GITLAB: [&str; 5] =
    ["sub", "project_path", "namespace_path", "job_project_path", "job_namespace_path"];
/// The claims of GitLab that say for good whose job it is. An instance signs for everybody who has a project there.
const OWNERS_AT_GITLAB: [&str; 2] = ["project_id", "namespace_id"];

/// What the caller of AWS types in, and what everybody who assumes a role does.
const CHOSEN_AT_AWS: [&str; 4] = [
    "aud",
    "https://sts.amazonaws.com/.request_tags",
    "https://sts.amazonaws.com/.source_identity",
    "https://sts.amazonaws.com/.source_region",
];

/// The claims of Google that are names, which are given again to what is made anew.
const NAMES_AT_GOOGLE: [&str; 2] = ["email", "google.compute_engine.instance_name"];
/// The claims of Google that say whose service account it is. Google signs for everybody.
const OWNERS_AT_GOOGLE: [&str; 3] = ["sub", "email", "google.compute_engine.project_number"];

/// The claims of Entra that are names, which are given again to what is made anew.
const NAMES_AT_ENTRA: [&str; 3] = ["app_displayname", "xms_mirid", "xms_az_rid"];
/// The claims of Entra that say which application it is, or that an administrator let it in. Without them, any
/// application of the tenant gets a token for Deputy.
const OWNERS_AT_ENTRA: [&str; 4] = ["oid", "azp", "appid", "roles"];

impl Preset {
    /// Whether the value of this claim is the caller's to choose, so that nothing may depend on it.
    pub fn is_chosen_by_caller(self, claim: &str) -> bool {
        let chosen: &[&str] = match self {
            Self::Generic | Self::Azure => &[],
            Self::Kubernetes => &CHOSEN_IN_KUBERNETES,
            Self::Github => &CHOSEN_AT_GITHUB,
            Self::Gitlab => &CHOSEN_AT_GITLAB,
            Self::Aws => &CHOSEN_AT_AWS,
            // The workload names the audience when it asks.
            Self::Gcp | Self::Spiffe => &["aud"],
        };
        chosen.iter().any(|name| is_or_is_below(claim, name))
            || (self == Self::Gitlab && claim.starts_with(USER_AT_GITLAB))
    }

    /// The claims that vouch for this one: its value is the caller's to choose, unless one of them is `"true"`.
    pub fn vouchers(self, claim: &str) -> &'static [&'static str] {
        if self != Self::Gitlab {
            return &[];
        }
        // Those who may change a protected branch also decide what its jobs say.
        match claim {
            claim if REFS_AT_GITLAB.contains(&claim) => &["ref_protected"],
            claim if ENVIRONMENTS_AT_GITLAB.contains(&claim) => &["environment_protected", "ref_protected"],
            _ => &[],
        }
    }

    /// Whether this claim is a name that another workload can get later, so that it identifies none.
    pub fn is_recycled(self, claim: &str) -> bool {
        let names: &[&str] = match self {
            Self::Generic | Self::Kubernetes | Self::Aws | Self::Spiffe => &[],
            Self::Github => &NAMES_AT_GITHUB,
            Self::Gitlab => &NAMES_AT_GITLAB,
            Self::Gcp => &NAMES_AT_GOOGLE,
            Self::Azure => &NAMES_AT_ENTRA,
        };
        names.contains(&claim)
    }

    /// The claims that say whose workload it is, where an issuer signs for parties that do not know each other. A class
    /// has to check one of them.
    pub const fn owners(self) -> &'static [&'static str] {
        match self {
            // An issuer of AWS is one account, whose administrators say who gets tokens.
            Self::Generic | Self::Kubernetes | Self::Aws | Self::Spiffe => &[],
            Self::Github => &OWNERS_AT_GITHUB,
            Self::Gitlab => &OWNERS_AT_GITLAB,
            Self::Gcp => &OWNERS_AT_GOOGLE,
            Self::Azure => &OWNERS_AT_ENTRA,
        }
    }

    /// The claims that its refusals look at, besides those that every credential has.
    pub const fn judged(self) -> &'static [&'static str] {
        match self {
            Self::Generic | Self::Kubernetes | Self::Spiffe => &[],
            Self::Github => &["event_name"],
            Self::Gitlab => &["project_id", "job_id", "pipeline_source"],
            Self::Aws => &["https://sts.amazonaws.com/.identity_store_user_id"],
            Self::Gcp => &["azp", "email", "email_verified"],
            Self::Azure => &["idtyp", "scp", "tid", "ver", "azp", "appid"],
        }
    }
}

fn is_or_is_below(claim: &str, name: &str) -> bool {
    claim.strip_prefix(name).is_some_and(|rest| rest.is_empty() || rest.starts_with('.'))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_claim_of_the_callers_is_one_with_all_its_members() {
        for (preset, claim) in [
            (Preset::Github, "actor"),
            (Preset::Github, "actor.name"),
            (Preset::Kubernetes, "kubernetes.io.pod.name"),
            (Preset::Gitlab, "user_login"),
            (Preset::Gitlab, "user_identities.provider"),
            (Preset::Gitlab, "target_ref_protected"),
            (Preset::Aws, "https://sts.amazonaws.com/.request_tags"),
            (Preset::Aws, "https://sts.amazonaws.com/.request_tags.team"),
            (Preset::Gcp, "aud"),
        ] {
            assert!(preset.is_chosen_by_caller(claim), "{claim}");
        }
        for (preset, claim) in [
            (Preset::Github, "actors"),
            (Preset::Github, "workflow_ref"),
            (Preset::Kubernetes, "kubernetes.io.pod.uid"),
            (Preset::Generic, "actor"),
            (Preset::Gitlab, "project_id"),
            (Preset::Gitlab, "ref_protected"),
            (Preset::Aws, "https://sts.amazonaws.com/.principal_tags.team"),
            (Preset::Azure, "roles"),
        ] {
            assert!(!preset.is_chosen_by_caller(claim), "{claim}");
        }
    }

    #[test]
    fn what_a_job_of_gitlab_says_of_its_branch_is_vouched_for_by_the_protection_of_the_branch() {
        for claim in ["ref", "ref_path", "sub", "pipeline_source"] {
            assert_eq!(Preset::Gitlab.vouchers(claim), ["ref_protected"]);
        }
        assert_eq!(Preset::Gitlab.vouchers("environment"), ["environment_protected", "ref_protected"]);
        for claim in ["project_id", "ref_protected", "environment_protected", "runner_environment"] {
            assert!(Preset::Gitlab.vouchers(claim).is_empty(), "{claim}");
        }
        assert!(Preset::Github.vouchers("ref").is_empty());
    }
}

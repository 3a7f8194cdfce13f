//! The platforms GitLab, AWS, Google Cloud and Microsoft Entra.

use super::*;

const GITLAB: &str = "[[workload_issuer]]\nissuer = \"https://gitlab.com\"\npreset = \"gitlab\"\n";
const AWS: &str =
    "[[workload_issuer]]\nissuer = \"https://7c1d.tokens.sts.global.api.aws\"\npreset = \"aws\"\n";
const GOOGLE: &str = "[[workload_issuer]]\nissuer = \"https://accounts.google.com\"\npreset = \"gcp\"\n";
const ENTRA: &str = "[[workload_issuer]]\n\
                     issuer = \"https://login.microsoftonline.com/9122040d-6c67-4c5b-b112-36a304b66dad/v2.0\"\n\
                     preset = \"azure\"\n";

const PROJECT: &str = "{ claim = \"project_id\", equals = \"20\" }";
const ROLE: &str = "{ claim = \"sub\", equals = \"arn:aws:iam::123456789012:role/buyer\" }";
const ACCOUNT: &str = "{ claim = \"google.compute_engine.project_number\", equals = 1071284184436 }";
const IDENTITY: &str = "{ claim = \"oid\", equals = \"5f1c9a2e-0b7d-4c1e-8f3a-2d9b6e7c4a10\" }";

/// Each platform, and a condition that says whose workloads a class takes.
const PLATFORMS: [(&str, &str); 4] = [(GITLAB, PROJECT), (AWS, ROLE), (GOOGLE, ACCOUNT), (ENTRA, IDENTITY)];

/// What a preset fills in: its name, the algorithms, the stable identifier, the lifetime in seconds, and the keys.
type Filled = (&'static str, &'static [Algorithm], &'static [&'static str], u32, &'static str);

/// The valid file with this workload issuer, each class of which has the condition `when`.
fn at(head: &str, when: &str) -> String {
    let when = format!("when = {when}");
    [COURIER_WHEN, FIRST_WHEN, SECOND_WHEN].iter().fold(with(head), |text, old| text.replace(old, &when))
}

#[test]
fn one_line_says_what_a_platform_is() {
    use Algorithm::{ES384, RS256};
    let expected: [Filled; 4] = [
        ("gitlab", &[RS256], &["project_id"], 3600, "https://gitlab.com/oauth/discovery/keys"),
        (
            "aws",
            &[ES384, RS256],
            &["sub", "https://sts.amazonaws.com/.aws_account"],
            3600,
            "https://7c1d.tokens.sts.global.api.aws/.well-known/jwks.json",
        ),
        ("gcp", &[RS256], &["sub"], 3600, "https://www.googleapis.com/oauth2/v3/certs"),
        (
            "azure",
            &[RS256],
            &["tid", "oid"],
            90_000,
            "https://login.microsoftonline.com/9122040d-6c67-4c5b-b112-36a304b66dad/discovery/v2.0/keys",
        ),
    ];
    for ((head, when), (preset, algorithms, stable, lifetime, keys)) in PLATFORMS.into_iter().zip(expected) {
        let text = at(head, when).replace("\"task\"", "\"principal\"");
        let platform = issuer(&text);
        assert_eq!(platform.preset.word(), preset);
        assert_eq!(platform.algorithms.into_iter().collect::<Vec<_>>(), algorithms, "{preset}");
        assert_eq!(platform.stable_id.names().collect::<Vec<_>>(), stable, "{preset}");
        assert_eq!(platform.max_token_lifetime, Lifetime::from_seconds(lifetime), "{preset}");
        let KeySource::Uri(url) = &platform.keys else { panic!("{:?}", platform.keys) };
        assert_eq!(url.as_str(), keys);
    }
    let gitlab = issuer(&at(GITLAB, PROJECT)).instance_id.unwrap();
    assert_eq!(gitlab.names().collect::<Vec<_>>(), ["job_id"]);
    refused(&at(AWS, ROLE), "is `task`, but the issuer has no `instance_id_claim`");
    let instance = format!(
        "{AWS}instance_id_claim = \"https://sts.amazonaws.com/.ec2_source_instance_arn\"\n\
         max_token_lifetime_seconds = 600\n"
    );
    assert_eq!(issuer(&at(&instance, ROLE)).max_token_lifetime, Lifetime::from_seconds(600));
}

#[test]
fn where_hosts_hand_one_credential_to_many_processes_the_key_is_the_instance() {
    for (head, when, is_shared) in
        [(GITLAB, PROJECT, false), (AWS, ROLE, false), (GOOGLE, ACCOUNT, true), (ENTRA, IDENTITY, true)]
    {
        let platform = issuer(&at(head, when).replace("\"task\"", "\"principal\""));
        assert_eq!(platform.instance_id == Some(InstanceId::Key), is_shared, "{head}");
        let expected = if is_shared { (Proof::Required, Pin::Off) } else { (Proof::Optional, Pin::FirstKey) };
        assert_eq!((platform.proof, platform.pin), expected, "{head}");
    }
    refused(
        &at(&format!("{GOOGLE}proof = \"optional\"\n"), ACCOUNT),
        "`workload_issuer.proof` is `optional`",
    );
    let machine = "instance_id_claim = \"google.compute_engine.instance_id\"\n";
    let machine = issuer(&at(&format!("{GOOGLE}{machine}proof = \"optional\"\n"), ACCOUNT));
    let ids: Vec<&str> = machine.instance_id.iter().flat_map(InstanceId::names).collect();
    assert_eq!((ids, machine.pin), (vec!["google.compute_engine.instance_id"], Pin::Off));
}

#[test]
fn what_the_caller_of_a_platform_chooses_decides_nothing() {
    for (head, owner, claims) in [
        (
            GITLAB,
            PROJECT,
            &["user_login", "user_email", "user_id", "groups_direct", "target_ref_protected"][..],
        ),
        (
            AWS,
            ROLE,
            &[
                "https://sts.amazonaws.com/.request_tags.team",
                "https://sts.amazonaws.com/.source_identity",
                "https://sts.amazonaws.com/.source_region",
            ],
        ),
        (GOOGLE, ACCOUNT, &["aud"]),
    ] {
        for claim in claims {
            let when = format!("{{ all = [{owner}, {{ claim = \"{claim}\", equals = \"x\" }}] }}");
            refused(&at(head, &when), &format!("checks `{claim}`, whose value the caller chooses"));
            for key in ["stable_id_claim", "instance_id_claim"] {
                let head = format!("{head}{key} = [\"sub\", \"{claim}\"]\n");
                refused(&at(&head, owner), &format!("names `{claim}`, whose value the caller chooses"));
            }
        }
    }
    for (head, owner, names) in [
        (GITLAB, PROJECT, &["sub", "project_path", "namespace_path"][..]),
        (GOOGLE, ACCOUNT, &["email", "google.compute_engine.instance_name"]),
        (ENTRA, IDENTITY, &["xms_mirid", "app_displayname"]),
    ] {
        for name in names {
            let head = format!("{head}stable_id_claim = \"{name}\"\n");
            refused(
                &at(&head, owner),
                &format!("names `{name}`, a name that another workload can get later"),
            );
        }
    }
}

#[test]
fn what_a_job_says_of_its_branch_counts_only_where_the_branch_is_protected() {
    let with_check = |claim: &str, voucher: &str| {
        at(GITLAB, &format!("{{ all = [{PROJECT}, {{ claim = \"{claim}\", equals = \"x\" }}{voucher}] }}"))
    };
    let protected = |claim: &str, value: &str| format!(", {{ claim = \"{claim}\", equals = {value} }}");
    for claim in ["ref", "ref_path", "ref_type", "sub", "sha", "pipeline_source", "environment"] {
        let expected = format!("checks `{claim}`, which anybody chooses who may push to any branch");
        refused(&with_check(claim, ""), &expected);
        refused(&with_check(claim, &protected("ref_protected", "\"false\"")), &expected);
        refused(&with_check(claim, &protected("ref_protected", "true")), &expected);
        assert_eq!(said(&with_check(claim, &protected("ref_protected", "\"true\""))), "", "{claim}");
    }
    let environment = protected("environment_protected", "\"true\"");
    assert_eq!(said(&with_check("environment", &environment)), "");
    refused(&with_check("ref", &environment), "checks `ref`, which anybody chooses");
    let id = format!("{GITLAB}stable_id_claim = [\"project_id\", \"environment\"]\n");
    refused(&at(&id, PROJECT), "names `environment`, whose value the caller chooses");
}

#[test]
fn a_class_of_a_shared_issuer_says_whose_workloads_it_takes() {
    for (head, others, owners) in [
        (GITLAB, &["project_path", "runner_environment"][..], &["project_id", "namespace_id"][..]),
        (GOOGLE, &["google.compute_engine.zone"], &["sub", "email", "google.compute_engine.project_number"]),
        (ENTRA, &["tid", "idtyp"], &["oid", "azp", "appid", "roles"]),
    ] {
        let check = |claim: &str, test: &str| format!("{{ claim = \"{claim}\", {test} }}");
        for claim in others {
            refused(
                &at(head, &check(claim, "equals = \"x\"")),
                "does not say whose workloads the class takes",
            );
        }
        for claim in owners {
            let under = at(head, &check(claim, "under = \"x/\""));
            refused(&under, "does not say whose workloads the class takes");
            let listed = at(head, &check(claim, "in = [\"x\", \"y\"]"));
            assert_eq!(said(&listed), "", "{claim}");
        }
    }
    let roles = at(ENTRA, "{ claim = \"roles\", contains = \"Agent\" }");
    assert_eq!(said(&roles), "");
}

#[test]
fn an_issuer_that_signs_people_in_needs_a_preset_that_refuses_them() {
    for (head, when) in [(GITLAB, PROJECT), (GOOGLE, ACCOUNT), (ENTRA, IDENTITY)] {
        let preset = issuer(&at(head, when)).preset.word();
        for other in ["generic", "kubernetes", "github", "aws"] {
            let other = head.replace(&format!("\"{preset}\""), &format!("\"{other}\""));
            refused(&at(&other, when), "`workload_issuer.issuer` is one that signs people in too");
            refused(&at(&other, when), &format!("write `preset = \"{preset}\"`"));
        }
    }
}

#[test]
fn an_issuer_of_entra_names_its_tenant() {
    for issuer in [
        "https://login.microsoftonline.com/common/v2.0",
        "https://login.microsoftonline.com/9122040D-6C67-4C5B-B112-36A304B66DAD/v2.0",
        "https://login.microsoftonline.com/9122040d-6c67-4c5b-b112-36a304b66dad",
        "https://sts.windows.net/contoso.example/",
    ] {
        let head = format!(
            "[[workload_issuer]]\nissuer = \"{issuer}\"\npreset = \"azure\"\njwks_file = \"workloads.json\"\n"
        );
        refused(&at(&head, IDENTITY), "`workload_issuer.issuer` names no tenant");
    }
}

#[test]
fn pipelines_have_events_as_workflows_have() {
    let listed = at(GITLAB, PROJECT).replacen(
        "lifetime = \"task\"",
        "lifetime = \"task\"\nevents = [\"schedule\", \"merge_request_event\"]",
        1,
    );
    assert!(first_class(&listed).events.unwrap().contains("schedule"));
}

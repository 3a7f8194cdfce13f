//! Presets of platforms, and the conditions and lifetimes of classes.

mod clouds;

use serde_json::json;

use super::{VALID, parse, said};
use crate::base::time::Lifetime;
use crate::jose::Algorithm;
use crate::registry::{AgentClass, ClaimMatch, InstanceId, KeySource, Pin, Preset, Proof, WorkloadIssuer};
use crate::testing::definition::replaced;

/// The head of the workload issuer in the valid file, which the tests replace.
const HEAD: &str = "[[workload_issuer]]\nissuer = \"https://workloads.example\"\njwks_file = \"workloads.json\"\n\
                    stable_id_claim = \"sub\"\ninstance_id_claim = \"instance\"\n";
const CLUSTER: &str = "[[workload_issuer]]\nissuer = \"https://oidc.cluster-a.example\"\npreset = \"kubernetes\"\n\
                       jwks_file = \"workloads.json\"\n";
const GITHUB: &str =
    "[[workload_issuer]]\nissuer = \"https://token.actions.githubusercontent.com\"\npreset = \"github\"\n";
const FIRST_WHEN: &str = "when = { claim = \"kind\", equals = \"age\" }";
const COURIER_WHEN: &str = "when = { claim = \"kind\", equals = \"courier\" }";
const SECOND_WHEN: &str = "when = { claim = \"kind\", equals = \"planner\" }";
/// A condition that says whose workflows a class takes.
const OURS: &str = "when = { claim = \"repository_owner_id\", equals = \"4411\" }";

/// The valid file with another workload issuer.
fn with(head: &str) -> String {
    replaced(&VALID, HEAD, head)
}

/// The valid file with GitHub as its workload issuer.
fn at_github() -> String {
    with(GITHUB).replace(COURIER_WHEN, OURS).replace(FIRST_WHEN, OURS).replace(SECOND_WHEN, OURS)
}

fn issuer(text: &str) -> WorkloadIssuer {
    let config = parse(text).unwrap();
    WorkloadIssuer::clone(config.registry.workload_issuers.values().next().unwrap())
}

fn first_class(text: &str) -> AgentClass {
    AgentClass::clone(&issuer(text).classes[0])
}

#[track_caller]
fn refused(text: &str, expected: &str) {
    let said = said(text);
    assert!(said.contains(expected), "expected `{expected}`, got:\n{said}");
}

#[test]
fn one_line_says_what_a_cluster_is() {
    let cluster = issuer(&with(CLUSTER));
    assert_eq!(cluster.preset, Preset::Kubernetes);
    assert_eq!(cluster.stable_id.names().collect::<Vec<_>>(), ["kubernetes.io.serviceaccount.uid"]);
    let instance = cluster.instance_id.unwrap();
    assert_eq!(instance.names().collect::<Vec<_>>(), ["kubernetes.io.pod.uid"]);
    assert_eq!(cluster.max_token_lifetime, Lifetime::from_seconds(86_400));
    assert!(
        cluster.algorithms.contains(&Algorithm::RS256) && !cluster.algorithms.contains(&Algorithm::EdDSA)
    );
}

#[test]
fn one_line_says_what_github_is() {
    let github = issuer(&at_github());
    let KeySource::Uri(url) = &github.keys else { panic!("{:?}", github.keys) };
    assert_eq!(url.as_str(), "https://token.actions.githubusercontent.com/.well-known/jwks");
    assert_eq!(github.algorithms.into_iter().collect::<Vec<_>>(), [Algorithm::RS256]);
    assert_eq!(github.max_token_lifetime, Lifetime::from_seconds(3600));
    let stable: Vec<&str> = github.stable_id.names().collect();
    assert_eq!(stable, ["repository_owner_id", "repository_id", "job_workflow_ref", "workflow_ref"]);
}

#[test]
fn what_a_preset_fills_in_can_be_overridden() {
    let own = "algorithms = [\"ES256\"]\nstable_id_claim = [\"a\", \"b\"]\ninstance_id_claim = \"c\"\n\
               max_token_lifetime_seconds = 600\n";
    let cluster = issuer(&with(&format!("{CLUSTER}{own}")));
    assert_eq!(cluster.algorithms.into_iter().collect::<Vec<_>>(), [Algorithm::ES256]);
    assert_eq!(cluster.stable_id.names().collect::<Vec<_>>(), ["a", "b"]);
    assert_eq!(cluster.instance_id.unwrap().names().collect::<Vec<_>>(), ["c"]);
    assert_eq!(cluster.max_token_lifetime, Lifetime::from_seconds(600));
    refused(
        &with(&CLUSTER.replace("kubernetes", "mainframe")),
        "`workload_issuer.preset` is `mainframe`; write `generic` or `kubernetes` or `github` or `gitlab`",
    );
}

#[test]
fn where_the_key_is_the_instance_it_has_to_be_proven_and_nothing_is_pinned() {
    let of_key = "instance_id_claim = \"key\"\n";
    let read = |keys: &str| {
        let issuer = issuer(&with(&format!("{CLUSTER}{keys}")));
        (issuer.instance_id.unwrap(), issuer.proof, issuer.pin)
    };
    assert_eq!(read(of_key), (InstanceId::Key, Proof::Required, Pin::Off));
    let pinned = format!("{of_key}proof = \"required\"\npin = \"first-key\"\n");
    assert_eq!(read(&pinned), (InstanceId::Key, Proof::Required, Pin::FirstKey));
    let (of_claim, proof, pin) = read("instance_id_claim = [\"key\"]\n");
    assert_eq!(of_claim.names().collect::<Vec<_>>(), ["key"], "in a list it is a claim like any other");
    assert_eq!((proof, pin), (Proof::Optional, Pin::FirstKey));
    refused(
        &with(&format!("{CLUSTER}{of_key}proof = \"optional\"\n")),
        "`workload_issuer.proof` is `optional`, but the key that a request proves is what names its agent",
    );
}

#[test]
fn the_issuer_of_every_cluster_is_refused_unless_its_keys_are_pinned() {
    for name in ["https://kubernetes.default.svc", "https://kubernetes.default.svc.cluster.local"] {
        for preset in ["kubernetes", "generic"] {
            let head = CLUSTER
                .replace("https://oidc.cluster-a.example", name)
                .replace("kubernetes\"\n", &format!("{preset}\"\n"));
            let head = format!("{head}instance_id_claim = \"i\"\n");
            assert_eq!(said(&with(&head)), "", "{name} {preset}");
            let fetched =
                head.replace("jwks_file = \"workloads.json\"", "jwks_uri = \"https://keys.example\"");
            refused(&with(&fetched), "is the issuer of every cluster that was not given another");
        }
    }
    let legacy = CLUSTER.replace("https://oidc.cluster-a.example", "kubernetes/serviceaccount");
    refused(&with(&legacy), "is that of legacy service account tokens, which never expire");
}

#[test]
fn a_token_for_the_api_server_is_none_for_deputy() {
    for audience in
        ["https://oidc.cluster-a.example", "https://kubernetes.default.svc", "kubernetes.default.svc"]
    {
        let head = format!("{CLUSTER}audience = \"{audience}\"\n");
        refused(&with(&head), "the audience of the cluster's own API server");
    }
}

#[test]
fn what_the_caller_chooses_decides_nothing() {
    for claim in ["actor", "head_ref", "base_ref", "workflow"] {
        let check = format!(
            "{{ all = [{{ claim = \"repository_owner_id\", equals = \"1\" }}, {{ claim = \"{claim}\", equals = \"x\" }}] }}"
        );
        let text = at_github().replacen(OURS, &format!("when = {check}"), 1);
        refused(
            &text,
            &format!("`workload_issuer.class.when` checks `{claim}`, whose value the caller chooses"),
        );
        let id = format!("{GITHUB}stable_id_claim = [\"repository_id\", \"{claim}\"]\n");
        let text = at_github().replace(GITHUB, &id);
        refused(&text, &format!("names `{claim}`, whose value the caller chooses"));
    }
    for name in ["sub", "repository"] {
        let text = at_github().replace(GITHUB, &format!("{GITHUB}stable_id_claim = \"{name}\"\n"));
        refused(&text, "a name that another workload can get later");
    }
    let pod =
        with(CLUSTER).replace(FIRST_WHEN, "when = { claim = \"kubernetes.io.pod.name\", equals = \"x\" }");
    refused(&pod, "whose value the caller chooses");
}

#[test]
fn github_signs_for_everybody_so_that_a_class_says_whose_workflows_it_takes() {
    for when in [
        "",
        "when = { claim = \"environment\", equals = \"prod\" }",
        "when = { claim = \"repository_owner\", equals = \"acme\" }",
        "when = { claim = \"repository_owner_id\", under = \"4/\" }",
    ] {
        refused(&at_github().replacen(OURS, when, 1), "does not say whose workloads the class takes");
    }
    let listed = "when = { claim = \"repository_id\", in = [\"1\", \"2\"] }";
    assert_eq!(said(&at_github().replacen(OURS, listed, 1)), "");
}

#[test]
fn events_are_of_github_only() {
    let events = format!("{OURS}\nevents = [\"push\", \"pull_request\"]");
    let class = first_class(&at_github().replacen(OURS, &events, 1));
    assert!(class.events.unwrap().contains("pull_request"));
    refused(
        &at_github().replacen(OURS, &format!("{OURS}\nevents = []"), 1),
        "is empty: no workflow would be taken",
    );
    let elsewhere = format!("{FIRST_WHEN}\nevents = [\"push\"]");
    refused(
        &replaced(&VALID, FIRST_WHEN, &elsewhere),
        "is for issuers with `preset = \"github\"` or `\"gitlab\"`",
    );
}

#[test]
fn a_condition_is_one_check_or_several() {
    let read = |when: &str| {
        let class = first_class(&replaced(&VALID, FIRST_WHEN, &format!("when = {when}")));
        class.when.unwrap().all.into_iter().map(|check| (check.claim, check.test)).collect::<Vec<_>>()
    };
    let claim = |name: &str| name.to_owned();
    assert_eq!(read("{ claim = \"a\", equals = 1 }"), [(claim("a"), ClaimMatch::Equals(json!(1)))]);
    assert_eq!(
        read(
            "{ all = [{ claim = \"a.b\", in = [\"x\", 2] }, { claim = \"c\", contains = true }, { claim = \"d\", under = \"x/\" }] }"
        ),
        [
            (claim("a.b"), ClaimMatch::In(vec![json!("x"), json!(2)])),
            (claim("c"), ClaimMatch::Contains(json!(true))),
            (claim("d"), ClaimMatch::Under("x/".to_owned())),
        ]
    );
    for (when, expected) in [
        ("{}", "`workload_issuer.class.when` checks nothing"),
        ("{ all = [] }", "`workload_issuer.class.when` checks nothing"),
        ("{ equals = 1 }", "`workload_issuer.class.when.claim` is missing"),
        ("{ claim = \"a\" }", "needs exactly one of `equals`, `in`, `contains` and `under`"),
        ("{ claim = \"a\", equals = 1, in = [1] }", "needs exactly one of"),
        ("{ claim = \"a\", in = [] }", "is empty: no token would meet it"),
        ("{ claim = \"a\", in = [1.5] }", "must be a string, integer or boolean, found float"),
        ("{ claim = \"a\", under = \"acme\" }", "is no prefix of whole segments"),
        ("{ claim = \"a\", equals = 1, all = [{ claim = \"a\", equals = 1 }] }", "is set beside a check"),
        ("{ all = [{ equals = 1 }] }", "`workload_issuer.class.when.all.claim` is missing"),
    ] {
        refused(&replaced(&VALID, FIRST_WHEN, &format!("when = {when}")), expected);
    }
}

#[test]
fn an_instance_is_idle_for_an_hour_at_most_unless_its_class_says_otherwise() {
    let lives = |keys: &str| first_class(&VALID.replacen("lifetime = \"task\"", keys, 1));
    let seconds = |lifetime: Option<Lifetime>| lifetime.map(Lifetime::seconds);
    let class = lives("lifetime = \"instance\"");
    assert_eq!((seconds(class.idle), seconds(class.ttl)), (Some(3600), None));
    let class = lives("lifetime = \"instance\"\nidle_seconds = 600\nttl_seconds = 7200");
    assert_eq!((seconds(class.idle), seconds(class.ttl)), (Some(600), Some(7200)));
    let class = lives("lifetime = \"principal\"\nttl_seconds = 7200");
    assert_eq!((seconds(class.idle), seconds(class.ttl)), (None, Some(7200)));
    for lifetime in ["task", "principal"] {
        let text = VALID.replacen(
            "lifetime = \"task\"",
            &format!("lifetime = \"{lifetime}\"\nidle_seconds = 600"),
            1,
        );
        refused(&text, "`workload_issuer.class.idle_seconds` is for a class with `lifetime = \"instance\"`");
    }
    let without = VALID.replace("instance_id_claim = \"instance\"\n", "").replace("\"task\"", "\"instance\"");
    refused(&without, "is `instance`, but the issuer has no `instance_id_claim`");
}

#[test]
fn no_two_classes_have_one_name() {
    let second = "\n[[workload_issuer]]\nissuer = \"https://other.example\"\njwks_file = \"workloads.json\"\n\
                  [[workload_issuer.class]]\nname = \"planner\"\nlifetime = \"principal\"\nclients = [\"assistant\"]\n";
    refused(&(VALID.clone() + second), "`workload_issuer.class.name` is `planner`, as is a class of");
    let text = VALID.replace("name = \"planner\"", "name = \"age-verification\"");
    refused(&text, "is `age-verification` a second time for this issuer");
}

#[test]
fn a_token_for_the_key_server_stays_within_the_cluster() {
    let fetched = "[[workload_issuer]]\nissuer = \"https://oidc.cluster-a.example\"\npreset = \"kubernetes\"\n\
                   jwks_uri = \"https://kubernetes.default.svc/openid/v1/jwks\"\nkeys_token_file = \"token\"\n\
                   network = \"private\"\ntls_ca_file = \"ca.pem\"\n";
    let token = issuer(&with(fetched)).reach.token.unwrap();
    assert_eq!(token.file, super::beside("token"));
    assert_eq!(token.origin.ascii_serialization(), "https://kubernetes.default.svc");
    for (from, to, expected) in [
        (
            "kubernetes.default.svc/",
            "keys.example/",
            "the host of `jwks_uri` is not a service of the cluster",
        ),
        ("kubernetes.default.svc/", "203.0.113.7/", "the host of `jwks_uri` is not a service of the cluster"),
        ("network = \"private\"\n", "", "`network` is not `private`"),
        ("tls_ca_file = \"ca.pem\"\n", "", "there is no `tls_ca_file`"),
        ("tls_ca_file", "proxy = \"http://proxy.example:1\"\ntls_ca_file", "`proxy` is set"),
        (
            "jwks_uri = \"https://kubernetes.default.svc/openid/v1/jwks\"",
            "jwks_file = \"a\"",
            "no keys are fetched over `https://`",
        ),
        ("https://kubernetes.default.svc/", "http://127.0.0.1:1/", "no keys are fetched over `https://`"),
    ] {
        refused(&with(&replaced(fetched, from, to)), expected);
    }
}

//! `preset = "spiffe"`: trust domains, bundles, and the SPIFFE IDs of classes.

use super::{VALID, beside, parse, said};
use crate::base::time::Lifetime;
use crate::jose::{Algorithm, KeyForm};
use crate::registry::{InstanceId, KeySource, Pin, Preset, Proof, WorkloadIssuer};
use crate::testing::definition::replaced;

/// A trust domain, added to the valid file.
const DOMAIN: &str = r#"
[[workload_issuer]]
preset = "spiffe"
trust_domain = "agents.example"
bundle_endpoint = "https://spire.agents.example:8443"
[[workload_issuer.class]]
name = "buyers"
when = { claim = "sub", under = "spiffe://agents.example/buyers/" }
lifetime = "instance"
clients = ["assistant"]
scopes = ["tickets:search"]
targets = ["tickets"]
"#;

fn with(changes: &[(&str, &str)]) -> String {
    let domain = changes.iter().fold(DOMAIN.to_owned(), |text, (from, to)| replaced(&text, from, to));
    VALID.clone() + &domain
}

fn domain(changes: &[(&str, &str)]) -> WorkloadIssuer {
    let config = parse(&with(changes)).unwrap_or_else(|error| panic!("{error}"));
    WorkloadIssuer::clone(&config.registry.workload_issuers["spiffe://agents.example"])
}

#[track_caller]
fn refused(changes: &[(&str, &str)], expected: &str) {
    let said = said(&with(changes));
    assert!(said.contains(expected), "expected `{expected}`, got:\n{said}");
}

const ENDPOINT: &str = "bundle_endpoint = \"https://spire.agents.example:8443\"";

#[test]
fn a_trust_domain_is_its_name_and_its_bundle() {
    let domain = domain(&[]);
    assert_eq!((domain.preset, domain.issuer.as_str()), (Preset::Spiffe, "spiffe://agents.example"));
    assert_eq!(domain.keys.url().unwrap().as_str(), "https://spire.agents.example:8443/");
    assert_eq!(domain.keys.form(), KeyForm::Bundle);
    assert_eq!(
        (domain.stable_id.names().collect::<Vec<_>>(), domain.instance_id),
        (vec!["sub"], Some(InstanceId::Key))
    );
    assert_eq!((domain.proof, domain.pin), (Proof::Required, Pin::Off));
    assert_eq!(domain.max_token_lifetime, Lifetime::from_seconds(3600));
    assert!(domain.algorithms.contains(&Algorithm::RS256) && !domain.algorithms.contains(&Algorithm::EdDSA));
}

#[test]
fn what_the_preset_fills_in_can_be_overridden() {
    let own = format!("{ENDPOINT}\nmax_token_lifetime_seconds = 600\nalgorithms = [\"ES384\"]");
    let own = domain(&[(ENDPOINT, &own)]);
    assert_eq!(own.max_token_lifetime, Lifetime::from_seconds(600));
    assert_eq!(own.algorithms.into_iter().collect::<Vec<_>>(), [Algorithm::ES384]);
    let file = domain(&[(ENDPOINT, "bundle_file = \"spire.json\"")]);
    assert_eq!(file.keys, KeySource::BundleFile(beside("spire.json")));
    // Whatever names the agents, one cached SVID is handed to every process of a host.
    let other = format!("{ENDPOINT}\ninstance_id_claim = \"pod\"");
    assert_eq!(domain(&[(ENDPOINT, &other)]).pin, Pin::Off);
    let principals = format!("{other}\nproof = \"optional\"");
    assert_eq!(domain(&[(ENDPOINT, &principals)]).proof, Proof::Optional);
    refused(&[(ENDPOINT, &format!("{ENDPOINT}\nproof = \"optional\""))], "is what names its agent");
    refused(
        &[(ENDPOINT, &format!("{ENDPOINT}\nalgorithms = [\"EdDSA\"]"))],
        "names `EdDSA`, which is not allowed here",
    );
}

#[test]
fn the_keys_of_other_issuers_are_not_for_a_trust_domain_nor_the_reverse() {
    for key in [
        "issuer = \"https://spire.example\"",
        "jwks_uri = \"https://keys.example\"",
        "jwks_file = \"a.json\"",
    ] {
        refused(&[(ENDPOINT, &format!("{ENDPOINT}\n{key}"))], "is not for `preset = \"spiffe\"`");
    }
    let issuer = "issuer = \"https://workloads.example\"\n";
    for key in
        ["trust_domain = \"a.example\"", "bundle_endpoint = \"https://a.example\"", "bundle_file = \"a\""]
    {
        let said = said(&replaced(&VALID, issuer, &format!("{issuer}{key}\n")));
        assert!(said.contains("is for `preset = \"spiffe\"`"), "{key}: {said}");
    }
    let generic = said(&replaced(&VALID, issuer, "issuer = \"spiffe://agents.example\"\n"));
    assert!(
        generic.contains("is a SPIFFE trust domain; write `preset = \"spiffe\"` and `trust_domain`"),
        "{generic}"
    );
    let missing = said(&replaced(&VALID, issuer, ""));
    assert!(missing.contains("`workload_issuer.issuer` is missing; write for example"), "{missing}");
}

#[test]
fn what_is_missing_or_malformed_is_named() {
    refused(&[("trust_domain = \"agents.example\"\n", "")], "`workload_issuer.trust_domain` is missing");
    for name in
        ["spiffe://agents.example", "Agents.example", "agents.example/a", "agents.example:8443", "a b"]
    {
        refused(&[("\"agents.example\"", &format!("\"{name}\""))], "is no name of a trust domain");
    }
    refused(
        &[(ENDPOINT, "")],
        "`workload_issuer.bundle_endpoint` is missing; give `bundle_endpoint` or `bundle_file`",
    );
    refused(
        &[(ENDPOINT, &format!("{ENDPOINT}\nbundle_file = \"a\""))],
        "is set together with `bundle_endpoint`",
    );
    refused(&[("https://spire", "http://spire")], "is plain HTTP");
    refused(
        &[(ENDPOINT, &format!("{ENDPOINT}\nkeys_token_file = \"token\""))],
        "`workload_issuer.keys_token_file` is not for",
    );
    refused(&[("\"sub\"", "\"aud\"")], "checks `aud`, whose value the caller chooses");
}

#[test]
fn a_class_says_which_workloads_it_takes_and_never_all_of_them() {
    let when = "when = { claim = \"sub\", under = \"spiffe://agents.example/buyers/\" }";
    for taken in [
        "when = { claim = \"sub\", equals = \"spiffe://agents.example/buyer\" }",
        "when = { claim = \"sub\", in = [\"spiffe://agents.example/a\", \"spiffe://agents.example/b\"] }",
        "when = { all = [{ claim = \"team\", equals = \"shop\" }, { claim = \"sub\", under = \"spiffe://agents.example/a/b/\" }] }",
    ] {
        domain(&[(when, taken)]);
    }
    let whole = "takes every workload of the trust domain";
    let none = "compares `sub` with what is no SPIFFE ID of a workload in `spiffe://agents.example`";
    let silent = "does not say which SPIFFE IDs the class takes";
    for (written, expected) in [
        ("when = { claim = \"sub\", under = \"spiffe://agents.example/\" }", whole),
        ("when = { claim = \"sub\", equals = \"spiffe://agents.example\" }", whole),
        ("when = { claim = \"sub\", under = \"spiffe://other.example/buyers/\" }", none),
        ("when = { claim = \"sub\", under = \"spiffe://agents.example/*/\" }", none),
        ("when = { claim = \"sub\", equals = \"spiffe://agents.example/buyers/*\" }", none),
        ("when = { claim = \"sub\", in = [\"spiffe://agents.example/a\", 1] }", none),
        ("when = { claim = \"sub\", contains = \"spiffe://agents.example/a\" }", none),
        ("when = { claim = \"team\", equals = \"shop\" }", silent),
        ("", silent),
    ] {
        refused(&[(when, written)], expected);
    }
}

#[test]
fn no_two_trust_domains_have_one_name_or_one_bundle() {
    let second = DOMAIN.replace("\"buyers\"", "\"others\"");
    let twice = said(&(with(&[]) + &second));
    assert!(twice.contains("is `spiffe://agents.example` a second time"), "{twice}");
    let other = second.replace("trust_domain = \"agents.example\"", "trust_domain = \"other.example\"");
    let other = other.replace("spiffe://agents.example/", "spiffe://other.example/");
    let shared = said(&(with(&[]) + &other));
    assert!(
        shared.contains("`workload_issuer.trust_domain` has the bundle of `spiffe://agents.example`"),
        "{shared}"
    );
    let apart = other.replace("https://spire.agents.example:8443", "https://spire.other.example");
    assert_eq!(said(&(with(&[]) + &apart)), "");
}

use super::*;
use crate::base::time::Lifetime;
use crate::oauth::{Issuer, TargetId};
use crate::registry::{ClaimCondition, TargetProof, TokenFormat};

const NOW: Timestamp = Timestamp::from_seconds(1_800_000_000);

fn rule(assurance: Option<&str>, max_age: Option<u32>) -> ScopeRule {
    ScopeRule {
        assurance: assurance.map(str::to_owned),
        max_age: max_age.map(Lifetime::from_seconds),
        ..ScopeRule::plain()
    }
}

fn target(identifier: &str, scopes: &[(&str, ScopeRule)]) -> Target {
    Target {
        identifier: TargetId::new(identifier),
        resource: None,
        scopes: scopes.iter().map(|(word, rule)| (ScopeToken::parse(word).unwrap(), rule.clone())).collect(),
        answers: BTreeMap::new(),
        default_scopes: None,
        resource_server: None,
        exchange_client: None,
        onward: BTreeSet::new(),
        proof: TargetProof::Optional,
        token_format: TokenFormat::Jwt,
        lifetime: None,
        subject: None,
        sector: identifier.to_owned(),
        claims: BTreeSet::new(),
    }
}

fn level(name: &str, any_of: &[(&str, ClaimTest)]) -> (String, AssuranceLevel) {
    let any_of = any_of
        .iter()
        .map(|(claim, test)| ClaimCondition { claim: (*claim).to_owned(), test: test.clone() })
        .collect();
    (name.to_owned(), AssuranceLevel { name: name.to_owned(), any_of, implies: BTreeSet::new() })
}

fn words(words: &[&str]) -> Vec<String> {
    words.iter().map(|word| (*word).to_owned()).collect()
}

fn defined() -> BTreeMap<String, AssuranceLevel> {
    let one_of = |values: &[&str]| ClaimTest::In(words(values));
    let all_of = |values: &[&str]| ClaimTest::Contains(words(values));
    BTreeMap::from([
        level("mfa", &[("amr", all_of(&["mfa"])), ("acr", one_of(&["loa3"]))]),
        level(
            "phishing_resistant",
            &[("acr", one_of(&["phr", "phrh"])), ("acrs", one_of(&["c1"])), ("acr", one_of(&["phrh", "x"]))],
        ),
        level("by_amr", &[("amr", all_of(&["hwk", "pin"])), ("acr", all_of(&["never"]))]),
    ])
}

fn check(scope: &str, reach: &[&Target], levels: &[&str], age: i64) -> Result<(), Cause> {
    let levels = levels.iter().map(|level| (*level).to_owned()).collect();
    let login = LoginFacts {
        id_token_hash: [0; 32],
        provider: Issuer::new("https://login.example"),
        relying_party: "app".to_owned(),
        levels,
        acr: None,
        amr: Vec::new(),
        token: crate::verification::LoginToken::IdToken,
        issued_at: NOW.seconds(),
        auth_time: Some(NOW.seconds().saturating_sub(age)),
        session: None,
        policy_claims: serde_json::Map::new(),
    };
    Demands::of(&Scope::parse(scope).unwrap(), reach.iter().copied()).check(&login, &defined(), NOW)
}

fn refused(acr_values: &[&str], max_age: Option<u32>) -> Result<(), Cause> {
    Err(Cause::Assurance { acr_values: words(acr_values), max_age, looked_for: None })
}

/// A refusal for a level that no `acr` meets.
fn refused_for_lack_of(looked_for: &str) -> Result<(), Cause> {
    Err(Cause::Assurance { acr_values: Vec::new(), max_age: None, looked_for: Some(looked_for.to_owned()) })
}

#[test]
fn a_level_not_met_is_refused_with_the_acr_values_that_would_meet_it() {
    let tickets = target(
        "tickets",
        &[
            ("search", rule(Some("mfa"), None)),
            ("book", rule(Some("phishing_resistant"), None)),
            ("pay", rule(Some("by_amr"), None)),
            ("look", rule(None, None)),
        ],
    );
    assert_eq!(check("search", &[&tickets], &["mfa"], 0), Ok(()));
    assert_eq!(check("search", &[&tickets], &[], 0), refused(&["loa3"], None));
    assert_eq!(check("book", &[&tickets], &["mfa"], 0), refused(&["phr", "phrh", "x"], None));
    assert_eq!(check("book search", &[&tickets], &["mfa", "phishing_resistant"], 0), Ok(()));
    assert_eq!(
        check("pay", &[&tickets], &["mfa"], 0),
        refused_for_lack_of("`hwk` and `pin` in `amr`, or `never` in `acr`")
    );
    assert_eq!(check("look", &[&tickets], &[], 0), Ok(()));
    assert_eq!(check("look search", &[&tickets], &[], 0), refused(&["loa3"], None));
}

#[test]
fn of_two_levels_missed_the_one_that_asks_for_more_than_mfa_is_told() {
    let tickets =
        target("tickets", &[("a", rule(Some("mfa"), None)), ("b", rule(Some("phishing_resistant"), None))]);
    assert_eq!(check("a b", &[&tickets], &[], 0), refused(&["phr", "phrh", "x"], None));
    assert_eq!(check("a b", &[&tickets], &["phishing_resistant"], 0), refused(&["loa3"], None));
}

#[test]
fn a_level_the_provider_does_not_define_is_not_met() {
    let tickets = target("tickets", &[("book", rule(Some("elsewhere"), None))]);
    assert_eq!(
        check("book", &[&tickets], &["mfa"], 0),
        refused_for_lack_of("the level `elsewhere`, which its provider does not define")
    );
}

#[test]
fn a_login_older_than_the_strictest_age_is_refused() {
    let tickets = target(
        "tickets",
        &[("book", rule(Some("mfa"), Some(900))), ("refund", rule(Some("mfa"), Some(300)))],
    );
    assert_eq!(check("book", &[&tickets], &["mfa"], 900), Ok(()));
    assert_eq!(check("book", &[&tickets], &["mfa"], 901), refused(&[], Some(900)));
    assert_eq!(check("book refund", &[&tickets], &["mfa"], 300), Ok(()));
    assert_eq!(check("book refund", &[&tickets], &["mfa"], 301), refused(&[], Some(300)));
    assert_eq!(check("book", &[&tickets], &[], 0), refused(&["loa3"], Some(900)));
}

#[test]
fn a_providers_clock_ahead_of_ours_makes_no_login_old() {
    let tickets = target("tickets", &[("book", rule(Some("mfa"), Some(0)))]);
    assert_eq!(check("book", &[&tickets], &["mfa"], -30), Ok(()));
    assert_eq!(check("book", &[&tickets], &["mfa"], i64::MIN), Ok(()));
}

#[test]
fn a_scope_passes_the_gate_of_every_target_in_reach_that_defines_it() {
    let lax = target("lax", &[("book", rule(None, None)), ("search", rule(Some("mfa"), None))]);
    let strict = target("strict", &[("book", rule(Some("phishing_resistant"), Some(60)))]);
    assert_eq!(check("book", &[&lax], &[], 61), Ok(()));
    assert_eq!(check("book", &[&lax, &strict], &[], 0), refused(&["phr", "phrh", "x"], Some(60)));
    assert_eq!(check("book", &[&strict, &lax], &["phishing_resistant"], 61), refused(&[], Some(60)));
    assert_eq!(check("search", &[&lax, &strict], &["mfa"], 61), Ok(()));
}

#[test]
fn a_scope_that_no_target_defines_asks_for_mfa() {
    assert_eq!(check("book", &[], &[], 0), refused(&["loa3"], None));
    assert_eq!(check("book", &[], &["mfa"], 0), Ok(()));
}

#[test]
fn what_is_demanded_names_the_marked_scopes() {
    let sensitive = ScopeRule { sensitive: true, ..rule(Some("mfa"), Some(900)) };
    let tickets = target("tickets", &[("book", sensitive), ("search", rule(Some("mfa"), None))]);
    let demands = Demands::of(&Scope::parse("book search").unwrap(), [&tickets]);
    assert_eq!(demands.fresh_scopes, BTreeSet::from(["book".to_owned()]));
    assert_eq!(demands.sensitive_scopes, BTreeSet::from(["book".to_owned()]));
    assert_eq!(demands.max_age_seconds, Some(900));
    assert_eq!(demands.levels, ["mfa"]);
}

//! What `/metrics` says, and whether the page and the alert rules say the same.

use std::collections::{BTreeMap, BTreeSet};

use crate::world::{Setup, World};

/// The value of one line, by its name with its labels.
fn value(metrics: &str, series: &str) -> Option<f64> {
    let line = metrics.lines().find(|line| line.rsplit_once(' ').is_some_and(|(name, _)| name == series));
    line.and_then(|line| line.rsplit_once(' ')).map(|(_, value)| value.parse().unwrap())
}

/// Type and meaning of each family, by its name.
type Families = BTreeMap<String, (String, String)>;

/// What the comments of `/metrics` say.
fn served(metrics: &str) -> Families {
    let said = |what: &str| -> BTreeMap<String, String> {
        let lines = metrics.lines().filter_map(|line| line.strip_prefix(what)?.split_once(' '));
        lines.map(|(name, text)| (name.to_owned(), text.to_owned())).collect()
    };
    let meanings = said("# HELP ");
    let kinds = said("# TYPE ").into_iter();
    kinds.map(|(name, kind)| (name.clone(), (kind, meanings[&name].clone()))).collect()
}

/// What the rows of the page say.
fn documented(page: &str) -> Families {
    let rows = page.lines().filter_map(|line| line.strip_prefix("| `deputy_"));
    rows.map(|row| {
        let cells: Vec<&str> = row.trim_end_matches(" |").split(" | ").collect();
        (format!("deputy_{}", cells[0].trim_end_matches('`')), (cells[1].to_owned(), cells[3].to_owned()))
    })
    .collect()
}

/// Every metric that the expressions of the rules name.
fn named_by_rules(rules: &str) -> BTreeSet<String> {
    let is_part = |c: char| c.is_ascii_alphanumeric() || c == '_';
    let words = rules.split(|c: char| !is_part(c)).filter(|word| word.starts_with("deputy_"));
    words.map(str::to_owned).collect()
}

fn file(path: &str) -> String {
    std::fs::read_to_string(format!("{}/{path}", env!("CARGO_MANIFEST_DIR"))).unwrap()
}

/// A server behind TLS of which everything that can be counted was counted once.
async fn world() -> World {
    let world = World::start(Setup::default().tls()).await;
    let token = world.files_token().await;
    world.introspect_as("files-api", &token).await;
    world.tx().set("scope", "no.such.scope").send().await.refused(400, "invalid_scope");
    world.server().count_live().await.unwrap();
    world
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_page_lists_every_family_and_no_other() {
    let world = world().await;
    let metrics = world.metrics().await;
    assert_eq!(documented(&file("docs/metrics.md")), served(&metrics), "{metrics}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn every_metric_that_an_alert_names_is_there() {
    let world = world().await;
    let metrics = world.metrics().await;
    let rules = named_by_rules(&file("examples/operating/deputy-alerts.yml"));
    assert!(rules.len() > 10, "{rules:?}");
    let series: BTreeSet<&str> = metrics.lines().filter_map(|line| line.split([' ', '{']).next()).collect();
    let unknown: Vec<_> = rules.iter().filter(|name| !series.contains(name.as_str())).collect();
    assert!(unknown.is_empty(), "{unknown:?}");
}

#[test]
fn the_page_says_what_to_do_about_each_alert_and_about_no_other() {
    let rules = file("examples/operating/deputy-alerts.yml");
    let alerts: BTreeSet<&str> =
        rules.lines().filter_map(|line| line.trim().strip_prefix("- alert: ")).collect();
    let page = file("docs/operating.md");
    let (_, section) = page.split_once("| alert | what to do |").unwrap();
    let (table, _) = section.split_once("\n\n").unwrap();
    let told: BTreeSet<&str> =
        table.split('`').filter(|word| word.starts_with("Deputy") && !word.contains(' ')).collect();
    assert_eq!(told, alerts);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn requests_are_counted_by_endpoint_outcome_and_reason_and_their_time_is_measured() {
    let world = world().await;
    let metrics = world.metrics().await;
    let count = |series: &str| value(&metrics, series).unwrap_or_else(|| panic!("{series}\n{metrics}"));
    let requests = |endpoint: &str, outcome: &str| {
        count(&format!("deputy_requests_total{{endpoint=\"{endpoint}\",outcome=\"{outcome}\"}}"))
    };
    assert_eq!(
        [requests("token", "ok"), requests("token", "refused"), requests("token", "failed")],
        [1., 1., 0.]
    );
    assert_eq!([requests("introspect", "ok"), requests("revoke", "ok")], [1., 0.]);
    assert_eq!(count("deputy_refusals_total{endpoint=\"token\",reason=\"scope_unknown_at_target\"}"), 1.);
    assert_eq!(count("deputy_request_seconds_count{endpoint=\"token\"}"), 2.);
    assert_eq!(count("deputy_request_seconds_count{endpoint=\"introspect\"}"), 1.);
    assert!(count("deputy_commit_seconds_count") >= 3., "{metrics}");

    world.http.get(format!("{}/jwks", world.issuer)).send().await.unwrap();
    let form = world.http.get(format!("{}/revoke", world.issuer)).send().await.unwrap();
    assert_eq!(form.status().as_u16(), 405);
    let metrics = world.metrics().await;
    let count = |series: &str| value(&metrics, series);
    assert_eq!(count("deputy_requests_total{endpoint=\"jwks\",outcome=\"ok\"}"), Some(1.));
    assert_eq!(count("deputy_refusals_total{endpoint=\"revoke\",reason=\"method_not_allowed\"}"), Some(1.));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_age_of_the_keys_and_the_end_of_the_certificate_are_shown() {
    let world = world().await;
    world.clock.advance(100);
    let metrics = world.metrics().await;
    let keys = format!("{{issuer=\"{}\",kind=\"identity_provider\"}}", world.provider.issuer);
    assert_eq!(value(&metrics, &format!("deputy_issuer_keys_age_seconds{keys}")), Some(100.));
    assert_eq!(value(&metrics, &format!("deputy_issuer_keys_failing{keys}")), Some(0.));
    let expiry = value(&metrics, "deputy_certificate_expiry_timestamp_seconds").unwrap();
    assert!(expiry > 1.7e9, "seconds since 1970, not milliseconds or days: {expiry}");
    assert!(expiry < 1e12, "{expiry}");
    let version = env!("CARGO_PKG_VERSION");
    assert!(metrics.contains("deputy_build_info{commit="), "{metrics}");
    assert!(metrics.contains(&format!("version=\"{version}\"")), "{metrics}");

    let plain = World::start(Setup::default()).await;
    let metrics = plain.metrics().await;
    assert!(!metrics.contains("deputy_certificate_expiry"), "there is no certificate: {metrics}");
    assert!(!metrics.contains("deputy_issuer_keys_age_seconds"), "no keys were fetched yet: {metrics}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn keys_that_cannot_be_fetched_are_shown_as_failing_with_their_age() {
    let world = world().await;
    world.provider.stop().await;
    // Longer than they are fresh, so that the next token has them looked at again.
    world.clock.advance(600);
    world.tx().send().await.granted();
    let keys = format!("{{issuer=\"{}\",kind=\"identity_provider\"}}", world.provider.issuer);
    let until = std::time::Instant::now() + std::time::Duration::from_secs(20);
    loop {
        let metrics = world.metrics().await;
        if value(&metrics, &format!("deputy_issuer_keys_failing{keys}")) == Some(1.) {
            assert_eq!(value(&metrics, &format!("deputy_issuer_keys_age_seconds{keys}")), Some(600.));
            return;
        }
        assert!(std::time::Instant::now() < until, "{metrics}");
        tokio::time::sleep(std::time::Duration::from_millis(20)).await;
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn tasks_and_agents_that_have_ended_are_not_counted_as_live() {
    let world = World::start(Setup::default()).await;
    let live = |metrics: &str| {
        ["deputy_live_tasks", "deputy_live_agents{class=\"client\"}"].map(|series| value(metrics, series))
    };
    world.server().count_live().await.unwrap();
    assert_eq!(live(&world.metrics().await), [Some(0.), Some(0.)]);

    let task = world.task_token().await;
    world.server().count_live().await.unwrap();
    assert_eq!(live(&world.metrics().await), [Some(1.), Some(1.)]);

    let ended = world.form("/revoke").set("token", &task).by_assertion("assistant").send().await;
    assert_eq!(ended.status, 200, "{}", ended.text);
    world.server().count_live().await.unwrap();
    assert_eq!(live(&world.metrics().await)[0], Some(0.));
}

//! Measurements at the size of an incident: 100,000 live tasks of one user, 100,000 agents of one workload issuer and
//! 1,000,000 audit rows, or as many as `DEPUTY_SCALE` says. `just scale` runs them on a release build.
//!
//! What is measured is printed. What has to hold at any size is asserted: that every token is refused from the
//! acknowledgement on, on a second node too.

use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use crate::definition::{client_section, replaced};
use crate::process_support::{Backend, Server, World, on_both_databases};

/// How many tasks and agents; ten times as many audit rows.
fn scale() -> u64 {
    std::env::var("DEPUTY_SCALE").ok().and_then(|text| text.parse().ok()).unwrap_or(100_000)
}

/// The statements that fill a database; `{n}` is the number of rows. They depend on what one sign-in left.
fn fill(backend: Backend, n: u64) -> Vec<String> {
    let rows = match backend {
        Backend::Sqlite => "WITH RECURSIVE g(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM g WHERE i < {n}) ",
        Backend::Postgres => "WITH g(i) AS (SELECT generate_series(1, {n})) ",
    };
    // A row's own bytes: these, and its number in six.
    let bytes = |prefix: &str| match backend {
        Backend::Sqlite => format!("unhex(printf('{prefix}%012x', i))"),
        Backend::Postgres => format!("decode('{prefix}' || lpad(to_hex(i), 12, '0'), 'hex')"),
    };
    let text = |expression: &str| match backend {
        Backend::Sqlite => format!("CAST({expression} AS TEXT)"),
        Backend::Postgres => format!("({expression})::text"),
    };
    let (number, now) = (text("i"), crate::process_support::now() * 1000);
    let until = now + 3_600_000;
    let with = |rows: &str, n: u64| rows.replace("{n}", &n.to_string());
    let task = bytes("019f0000000070018000");
    vec![
        format!(
            "INSERT INTO task (id, client, agent, by_agent, subject, by_session, to_release, as_of, started_at, expires_at) {}SELECT {task}, \
             'assistant', 'agent_of_the_crowd', TRUE, (SELECT reference FROM subject WHERE upstream = 'crowd'), FALSE, FALSE, 0, \
             {now}, {until} FROM g",
            with(rows, n)
        ),
        format!(
            "INSERT INTO agent (id, client, issuer, workload, instance, class, lifetime, state, stopped, first_seen, last_seen) \
             {}SELECT 'agent_' || {number}, 'age-agent', 'https://workloads.example', 'age-verification', \
             'pod-' || {number}, 'age-verification', 'task', 'active', 0, {now}, {now} FROM g",
            with(rows, n)
        ),
        format!(
            "INSERT INTO audit (chain, seq, at, event, outcome, body, hash) {}SELECT 'ffffffffffffffff', i, {now}, \
             'introspection', 'granted', (SELECT body FROM audit WHERE event = 'exchange' LIMIT 1), {} FROM g",
            with(rows, n * 10),
            bytes(&"0".repeat(52))
        ),
    ]
}

/// What a caller notices meanwhile: the times of exchanges, one after another.
async fn watched(world: &World, base: &str, is_over: &AtomicBool) -> Vec<Duration> {
    let assistant = world.caller("assistant");
    let task =
        assistant.sign_in(base, &world.id_token("bystander"), world.issuer(), "tickets:search").await.token();
    let mut times = Vec::new();
    while !is_over.load(Ordering::SeqCst) {
        let begun = Instant::now();
        let answer = assistant.exchange(base, &task, "tickets", "tickets:search").await;
        assert_eq!(answer.status, 200, "{}", answer.text);
        times.push(begun.elapsed());
    }
    times
}

/// Introspects the tokens in turn, 50 requests at a time: how many answers say that one is active.
async fn pressed(world: &World, base: &str, tokens: &[String], checks: usize) -> usize {
    let api = world.caller("tickets-api");
    let mut active = 0;
    for round in 0..checks / 50 {
        let token = &tokens[round % tokens.len()];
        let answers = futures_util::future::join_all((0..50).map(|_| api.introspect(base, token))).await;
        active += answers.iter().filter(|answer| answer.is_active()).count();
    }
    active
}

fn p99(times: &mut [Duration]) -> Duration {
    times.sort_unstable();
    times.get(times.len() * 99 / 100).copied().unwrap_or_default()
}

/// Runs `deputy` and prints how long it took.
async fn timed(world: &World, arguments: &[&str]) -> Duration {
    let begun = Instant::now();
    let output = world.deputy(arguments).await;
    let took = begun.elapsed();
    assert!(output.status.success(), "{arguments:?}: {}", String::from_utf8_lossy(&output.stderr));
    println!("  deputy {} … {took:?}", arguments[..2].join(" "));
    took
}

/// Stops `n` tasks and `n` agents, and asks `checks` times whether the tokens are active.
async fn stops_of_any_size(backend: Backend, n: u64, checks: usize) {
    let mut world = World::new(backend).await;
    let second = (backend == Backend::Postgres).then(|| world.add_node());
    let mut nodes = vec![world.start().await];
    if let Some(second) = second {
        nodes.push(world.start_node(second, &[]).await.expect("a second process"));
    }
    let (first, last) = (nodes[0].base.clone(), nodes[nodes.len() - 1].base.clone());
    let assistant = world.caller("assistant");
    let id_token = world.id_token("crowd");
    let task =
        assistant.sign_in(&first, &id_token, world.issuer(), "tickets:search age_over_18").await.token();
    let mut tokens = Vec::new();
    for _ in 0..50 {
        tokens.push(assistant.exchange(&first, &task, "tickets", "tickets:search").await.token());
    }
    let handed_on = assistant.exchange(&first, &task, "age-agent", "age_over_18").await.token();
    let age_agent = world.caller("age-agent");
    let of_the_issuer = age_agent
        .exchange_as(&first, &handed_on, &world.workload_token(), "tickets", "age_over_18")
        .await
        .token();

    let begun = Instant::now();
    for statement in fill(backend, n) {
        world.sql(&statement).await;
    }
    println!("{backend:?}: {} tasks, agents; {} audit rows, filled in {:?}", n, n * 10, begun.elapsed());

    let is_over = AtomicBool::new(false);
    let usual = async {
        assert_eq!(pressed(&world, &last, &tokens, checks).await, checks, "all are alive");
        is_over.store(true, Ordering::SeqCst);
    };
    let (mut before, ()) = tokio::join!(watched(&world, &first, &is_over), usual);

    let is_over = AtomicBool::new(false);
    let provider = world.provider();
    let work = async {
        timed(&world, &["kill", "user", &format!("{provider}|crowd"), "--yes"]).await;
        assert_eq!(
            pressed(&world, &last, &tokens, checks).await,
            0,
            "stale answers after the acknowledgement"
        );
        timed(&world, &["kill", "issuer", "https://workloads.example", "--yes"]).await;
        let api = world.caller("tickets-api");
        assert!(!api.introspect(&last, &of_the_issuer).await.is_active());
        timed(&world, &["agent", "list"]).await;
        timed(&world, &["task", "list"]).await;
        timed(&world, &["audit", "trace", "--task", &tasks_of(&world).await]).await;
        is_over.store(true, Ordering::SeqCst);
    };
    let (mut during, ()) = tokio::join!(watched(&world, &first, &is_over), work);
    println!(
        "  a bystander's exchange: p99 {:?} before ({} of them), {:?} during ({})",
        p99(&mut before),
        before.len(),
        p99(&mut during),
        during.len()
    );

    without_the_issuer(&world, &mut nodes[0]).await;
    for node in &mut nodes {
        node.stop().await;
    }
    world.remove().await;
}

/// A live task, to be traced.
async fn tasks_of(world: &World) -> String {
    let output = world.deputy(&["--json", "task", "list", "--live"]).await;
    let tasks: serde_json::Value = serde_json::from_slice(&output.stdout).expect("JSON");
    tasks["tasks"][0]["task"].as_str().expect("a task").to_owned()
}

/// Takes the workload issuer out of the file, reloads, and starts again.
async fn without_the_issuer(world: &World, server: &mut Server) {
    let text = std::fs::read_to_string(world.config()).expect("the configuration");
    let begins = text.find("[[workload_issuer]]").expect("an issuer");
    let ends = begins + text[begins..].find("[[client]]").expect("a client");
    // With it go the client that its agents' credentials authenticate, and the names of its classes.
    let text = format!("{}{}", &text[..begins], &text[ends..]);
    let text = replaced(&text, client_section("couriers"), "");
    let lines = text.lines().filter(|line| !line.starts_with("delegates_to"));
    let text = lines.map(|line| format!("{line}\n")).collect::<String>();
    std::fs::write(world.config(), replaced(&text, ", \"couriers\"", "")).expect("a file");
    let begun = Instant::now();
    server.signal("HUP").await;
    while !server.log().contains("configuration reloaded") {
        assert!(!server.log().contains("configuration refused"), "{}", server.log());
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
    println!("  the reload without the workload issuer took {:?}", begun.elapsed());
    let begun = Instant::now();
    server.stop().await;
    println!("  SIGTERM ended the process in {:?}", begun.elapsed());
    let begun = Instant::now();
    *server = world.start().await;
    println!("  the restart took {:?}", begun.elapsed());
}

/// A backlog of expired tasks beside full load: how much the exchanges lose, and how soon SIGTERM ends the process.
async fn a_sweep_beside_full_load(backend: Backend) {
    let world = World::new(backend).await;
    let mut server = world.start().await;
    let base = server.base.clone();
    world
        .caller("assistant")
        .sign_in(&base, &world.id_token("crowd"), world.issuer(), "tickets:search")
        .await
        .token();
    let rate = async |what: &str| {
        let is_over = AtomicBool::new(false);
        let timer = async {
            tokio::time::sleep(Duration::from_secs(10)).await;
            is_over.store(true, Ordering::SeqCst);
        };
        let callers = futures_util::future::join_all((0..16).map(|_| watched(&world, &base, &is_over)));
        let (times, ()) = tokio::join!(callers, timer);
        let rate = times.iter().map(Vec::len).sum::<usize>() / 10;
        println!("  {what}: {rate} exchanges a second");
        rate
    };
    println!("{backend:?}: a sweep of {} expired tasks", scale() * 10);
    let before = rate("without a backlog").await;
    let tasks = fill(backend, scale() * 10).remove(0);
    let expired = (crate::process_support::now() - 60) * 1000;
    let tasks =
        tasks.rsplit_once(", ").map(|(rest, _)| format!("{rest}, {expired} FROM g")).expect("a statement");
    world.sql(&tasks).await;
    tokio::time::sleep(Duration::from_secs(16)).await;
    let during = rate("beside the sweep").await;
    println!("  the exchanges keep {} % of their rate", during * 100 / before.max(1));
    let begun = Instant::now();
    server.stop().await;
    println!("  SIGTERM ended the process in {:?}", begun.elapsed());
    world.remove().await;
}

on_both_databases! {
    async fn what_just_scale_measures_holds_at_a_small_size(backend: Backend) {
        stops_of_any_size(backend, 300, 200).await;
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
#[ignore = "a measurement, not a test"]
async fn stops_of_any_size_on_sqlite() {
    stops_of_any_size(Backend::Sqlite, scale(), 10_000).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
#[ignore = "a measurement, not a test"]
async fn a_sweep_beside_full_load_on_sqlite() {
    a_sweep_beside_full_load(Backend::Sqlite).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
#[ignore = "a measurement, not a test"]
async fn stops_of_any_size_on_postgres() {
    stops_of_any_size(Backend::Postgres, scale(), 10_000).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
#[ignore = "a measurement, not a test"]
async fn a_sweep_beside_full_load_on_postgres() {
    a_sweep_beside_full_load(Backend::Postgres).await;
}

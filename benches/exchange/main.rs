//! What an exchange costs: requests a second, latency, and CPU of Deputy's own process beside the bare
//! signature work of the same run. `docs/performance.md` has the figures and how to read them.
//!
//! `cargo bench --bench exchange -- --help` lists the options. The real binary runs as a process of its
//! own, with its data in a directory on disk; 64 kept-alive connections on loopback ask it, every answer
//! is looked at, and nothing here is a test that can fail by time.

#![expect(clippy::unwrap_used, clippy::expect_used, reason = "a measurement that cannot go on stops")]

#[path = "../../tests/support/definition.rs"]
mod definition;
#[path = "../../tests/support/jose.rs"]
mod jose;
mod load;
mod measure;
#[path = "../../tests/support/ports.rs"]
mod ports;
#[allow(dead_code, unused_imports, unused_macros, reason = "shared with the tests, which use more of it")]
#[path = "../../tests/support/process/mod.rs"]
mod process_support;
mod scenario;
mod table;
mod world;

use std::path::PathBuf;

use measure::Signatures;
use process_support::Backend;
use scenario::Scenario;
use table::Sample;
use world::{World, word};

const HELP: &str = "\
Options (after `--`):
  --rounds N          rounds of each case, each with a fresh server and database (3)
  --requests N        requests of each scenario, each with a token of its own (10000)
  --connections N     kept-alive connections (64)
  --only WORDS        cases and scenarios, comma-separated: sqlite, postgres, plain, tls, and the words in
                      the first column of the output (all)
Environment:
  DEPUTY_BENCH_DIR            where the data goes; must be on a disk (target/bench)
  DEPUTY_TEST_POSTGRES_URL    a PostgreSQL server on which databases may be made; without it SQLite only";

/// What is measured, and how much of it.
struct Options {
    rounds: usize,
    requests: usize,
    connections: usize,
    only: Vec<String>,
    directory: PathBuf,
}

impl Options {
    fn read() -> Option<Self> {
        let mut options = Self {
            rounds: 3,
            requests: 10_000,
            connections: 64,
            only: Vec::new(),
            directory: std::env::var_os("DEPUTY_BENCH_DIR")
                .map_or_else(|| PathBuf::from(env!("CARGO_TARGET_TMPDIR")).join("bench"), PathBuf::from),
        };
        // `cargo test --all-targets` runs this too, with no argument: a measurement is never a test.
        if std::env::args().len() == 1 {
            return None;
        }
        let mut arguments = std::env::args().skip(1);
        while let Some(argument) = arguments.next() {
            let mut value = || arguments.next().expect("a value after the option");
            match argument.as_str() {
                "--rounds" => options.rounds = value().parse().expect("a number"),
                "--requests" => options.requests = value().parse().expect("a number"),
                "--connections" => options.connections = value().parse().expect("a number"),
                "--only" => options.only = value().split(',').map(str::to_owned).collect(),
                // Given by cargo.
                "--bench" => {}
                _ => return None,
            }
        }
        Some(options)
    }

    /// Whether one of `words` is asked for, or none of them is spoken of.
    fn wants(&self, word: &str, among: &[&str]) -> bool {
        let is_spoken_of = self.only.iter().any(|only| among.contains(&only.as_str()));
        !is_spoken_of || self.only.iter().any(|only| only == word)
    }
}

fn main() {
    let Some(options) = Options::read() else {
        println!("{HELP}");
        return;
    };
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    runtime.block_on(run(&options));
}

async fn run(options: &Options) {
    std::fs::create_dir_all(&options.directory).unwrap();
    let mut databases = Vec::new();
    if options.wants("sqlite", &["sqlite", "postgres"]) {
        databases.push(Backend::Sqlite);
    }
    if options.wants("postgres", &["sqlite", "postgres"]) && Backend::is_postgres_there() {
        databases.push(Backend::Postgres);
    }
    let words = Scenario::ALL.map(Scenario::word);
    let wanted: Vec<Scenario> =
        Scenario::ALL.into_iter().filter(|scenario| options.wants(scenario.word(), &words)).collect();
    // Those that are wanted, and those whose tokens they need.
    let needed: Vec<Scenario> = wanted
        .iter()
        .flat_map(|scenario| std::iter::successors(Some(*scenario), |one| one.needs()))
        .collect();
    let mut samples = Vec::new();
    let mut signatures = vec![Signatures::measure()];
    for round in 1..=options.rounds {
        for &database in &databases {
            for is_tls in [false, true] {
                if !options.wants(if is_tls { "tls" } else { "plain" }, &["tls", "plain"]) {
                    continue;
                }
                eprintln!("round {round}: {}, TLS {}", word(database), if is_tls { "on" } else { "off" });
                let world = World::new(&options.directory, database, is_tls).await;
                let mut server = world.start().await;
                let mut tokens = scenario::Tokens::default();
                // Each user signs in once before anything is measured: a server has been running, and knows
                // most of those who come.
                let first = Scenario::HopZeroSecret.requests(&world, &tokens, scenario::USERS);
                load::run(&world, &server, first, options.connections, Scenario::HopZeroSecret).await;
                for scenario in Scenario::ALL.into_iter().filter(|scenario| needed.contains(scenario)) {
                    let before = Signatures::measure();
                    let requests = scenario.requests(&world, &tokens, options.requests);
                    let load = load::run(&world, &server, requests, options.connections, scenario).await;
                    let after = Signatures::measure();
                    signatures.extend([before, after]);
                    let bare = before.mean(after);
                    if wanted.contains(&scenario) {
                        let sample = Sample::new(scenario, word(database), is_tls, &load, bare);
                        eprintln!("  {sample}");
                        samples.push(sample);
                    }
                    tokens.keep(scenario, load.bodies);
                }
                server.stop().await;
                world.remove().await;
            }
        }
    }
    println!("{}", table::markdown(&samples, &signatures, options.requests, options.connections));
}

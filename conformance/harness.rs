//! Runs the cases, a few at a time, and says of every ID what became of it.

use std::collections::{BTreeMap, BTreeSet};
use std::panic::AssertUnwindSafe;
use std::pin::Pin;
use std::sync::Mutex;
use std::sync::atomic::{AtomicUsize, Ordering};

/// How many cases run at once.
const AT_ONCE: usize = 4;

/// The page with one table row for each requirement.
const REQUIREMENTS: &str = include_str!("requirements.md");

type Run = Box<dyn Fn() -> Pin<Box<dyn Future<Output = ()> + Send>> + Send + Sync>;

/// One case: an ID, and a test or a reason to skip it.
pub struct Case {
    id: &'static str,
    what: What,
}

enum What {
    Test(Run),
    Skip(&'static str),
}

/// The cases of a file.
pub type Cases = Vec<Case>;

/// A test of `id`. An ID may have several.
pub fn case<F, W>(id: &'static str, test: F) -> Case
where
    F: Fn() -> W + Send + Sync + 'static,
    W: Future<Output = ()> + Send + 'static,
{
    Case { id, what: What::Test(Box::new(move || Box::pin(test()))) }
}

/// `id` is not tested, for this reason.
pub fn skip(id: &'static str, reason: &'static str) -> Case {
    Case { id, what: What::Skip(reason) }
}

#[derive(Clone)]
enum Verdict {
    Passed,
    Failed(String),
    Skipped(&'static str),
}

/// Runs all, prints all, ends the process.
pub fn run(files: Vec<Cases>) -> ! {
    let filters: Vec<String> = std::env::args().skip(1).filter(|word| !word.starts_with('-')).collect();
    let is_wanted =
        |id: &str| filters.is_empty() || filters.iter().any(|filter| id.contains(filter.as_str()));
    let cases: Vec<Case> = files.into_iter().flatten().filter(|case| is_wanted(case.id)).collect();
    let next = AtomicUsize::new(0);
    let verdicts: Mutex<BTreeMap<&'static str, Verdict>> = Mutex::new(BTreeMap::new());
    std::panic::set_hook(Box::new(|panic| {
        if let Some(place) = panic.location() {
            eprintln!("failed at {place}");
        }
    }));
    std::thread::scope(|scope| {
        for _ in 0..AT_ONCE {
            scope.spawn(|| {
                while let Some(case) = cases.get(next.fetch_add(1, Ordering::SeqCst)) {
                    let verdict = judge(case);
                    let mut verdicts = verdicts.lock().unwrap();
                    let known = verdicts.get(case.id);
                    // One failure among the cases of an ID is a failure of the ID.
                    if !matches!(known, Some(Verdict::Failed(_))) {
                        verdicts.insert(case.id, verdict);
                    }
                }
            });
        }
    });
    let mut verdicts = verdicts.into_inner().unwrap();
    let required = requirements();
    for &id in required.iter().filter(|id| is_wanted(id)) {
        verdicts.entry(id).or_insert_with(|| Verdict::Failed("neither tested nor skipped".to_owned()));
    }
    let mut counts = (0, 0, 0);
    for (id, verdict) in &verdicts {
        match verdict {
            Verdict::Passed => {
                counts.0 += 1;
                println!("{id} → passed");
            }
            Verdict::Failed(why) => {
                counts.1 += 1;
                println!("{id} → FAILED: {why}");
            }
            Verdict::Skipped(reason) => {
                counts.2 += 1;
                println!("{id} → skipped: {reason}");
            }
        }
    }
    // After everything else, over the logs of everything.
    for finding in crate::logs::search(&crate::world::scanner_for_all()) {
        counts.1 += 1;
        println!("FAILED: {} is in {}", finding.what, finding.file.display());
    }
    println!("{} passed, {} failed, {} skipped", counts.0, counts.1, counts.2);
    std::process::exit(i32::from(counts.1 > 0));
}

/// The IDs of all rows, each of which has a level, a section and a sentence of its own.
fn requirements() -> BTreeSet<&'static str> {
    let rows = REQUIREMENTS.lines().filter_map(|line| line.strip_prefix("| ")?.strip_suffix(" |"));
    let mut required = BTreeSet::new();
    for row in rows.filter(|row| !row.starts_with("ID ") && !row.starts_with("---")) {
        let cells: Vec<&str> = row.splitn(4, " | ").collect();
        let [id, level, section, sentence] = cells[..] else { panic!("a row has four cells: {row}") };
        assert!(["MUST", "SHOULD", "MAY", "Deputy"].contains(&level), "the level of {id} is `{level}`");
        assert!(!section.is_empty() && sentence.ends_with('.'), "{id} has a section and a whole sentence");
        assert!(required.insert(id), "{id} has one row");
    }
    required
}

fn judge(case: &Case) -> Verdict {
    let run = match &case.what {
        What::Skip(reason) => return Verdict::Skipped(reason),
        What::Test(run) => run,
    };
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build().unwrap();
    let outcome = std::panic::catch_unwind(AssertUnwindSafe(|| {
        runtime.block_on(async {
            let task = tokio::spawn(run());
            tokio::time::timeout(std::time::Duration::from_secs(60), task).await
        })
    }));
    runtime.shutdown_background();
    match outcome {
        Ok(Ok(Ok(()))) => Verdict::Passed,
        Ok(Ok(Err(error))) => Verdict::Failed(said(error.into_panic())),
        Ok(Err(_)) => Verdict::Failed("not done in 60 s".to_owned()),
        Err(panic) => Verdict::Failed(said(panic)),
    }
}

fn said(panic: Box<dyn std::any::Any + Send>) -> String {
    let text = panic
        .downcast_ref::<String>()
        .cloned()
        .or_else(|| panic.downcast_ref::<&str>().map(|text| (*text).to_owned()))
        .unwrap_or_else(|| "panicked".to_owned());
    text.lines().collect::<Vec<_>>().join(" | ")
}

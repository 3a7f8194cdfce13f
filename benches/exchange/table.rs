//! The figures as a table.

use std::fmt::{self, Write as _};
use std::time::Duration;

use super::load::Load;
use super::measure::Signatures;
use super::scenario::Scenario;

/// One scenario in one round.
pub struct Sample {
    scenario: Scenario,
    database: &'static str,
    is_tls: bool,
    per_second: f64,
    /// Microseconds of Deputy's CPU a request.
    cpu: f64,
    /// Microseconds of bare signatures a request.
    signatures: f64,
    median: Duration,
    p99: Duration,
}

impl Sample {
    #[expect(clippy::cast_precision_loss, reason = "counts of requests")]
    pub fn new(
        scenario: Scenario,
        database: &'static str,
        is_tls: bool,
        load: &Load,
        bare: Signatures,
    ) -> Self {
        let count = load.latencies.len();
        let (verifies, signs) = scenario.signatures();
        Self {
            scenario,
            database,
            is_tls,
            per_second: count as f64 / load.elapsed.as_secs_f64(),
            cpu: load.cpu.as_secs_f64() * 1e6 / count as f64,
            signatures: bare.work(verifies, signs),
            median: load.latencies[count / 2],
            p99: load.latencies[count * 99 / 100],
        }
    }

    fn ratio(&self) -> f64 {
        self.cpu / self.signatures
    }
}

impl fmt::Display for Sample {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "{:<15} {:>6.0}/s  CPU {:>6.1} us  signatures {:>6.1} us  ratio {:.2}  p50 {:.1} ms  p99 {:.1} ms",
            self.scenario.word(),
            self.per_second,
            self.cpu,
            self.signatures,
            self.ratio(),
            self.median.as_secs_f64() * 1e3,
            self.p99.as_secs_f64() * 1e3,
        )
    }
}

/// Median, and the least and the greatest.
struct Spread {
    median: f64,
    least: f64,
    greatest: f64,
}

impl Spread {
    fn of(values: impl Iterator<Item = f64>) -> Self {
        let mut values: Vec<f64> = values.collect();
        values.sort_by(f64::total_cmp);
        Self { median: values[values.len() / 2], least: values[0], greatest: values[values.len() - 1] }
    }
}

/// The Markdown that goes into `docs/performance.md`.
pub fn markdown(
    samples: &[Sample],
    signatures: &[Signatures],
    requests: usize,
    connections: usize,
) -> String {
    let verify = Spread::of(signatures.iter().map(|signatures| signatures.verify));
    let sign = Spread::of(signatures.iter().map(|signatures| signatures.sign));
    let mut text = format!(
        "{requests} requests a row and round, {connections} connections. Bare ES256 of the same run, one core: \
         verify {:.1} us ({:.1}-{:.1}), sign {:.1} us ({:.1}-{:.1}).\n\n\
         | database | TLS | scenario | signatures | requests/s | CPU us/request | CPU / signatures (least-greatest) | p50 ms | p99 ms |\n\
         | --- | --- | --- | --- | --- | --- | --- | --- | --- |\n",
        verify.median, verify.least, verify.greatest, sign.median, sign.least, sign.greatest,
    );
    for database in ["sqlite", "postgres"] {
        for is_tls in [false, true] {
            for scenario in Scenario::ALL {
                let of: Vec<&Sample> = samples
                    .iter()
                    .filter(|s| s.database == database && s.is_tls == is_tls && s.scenario == scenario)
                    .collect();
                if of.is_empty() {
                    continue;
                }
                let spread = |value: fn(&Sample) -> f64| Spread::of(of.iter().map(|sample| value(sample)));
                let ratio = spread(Sample::ratio);
                let (verifies, signs) = scenario.signatures();
                let _ = writeln!(
                    text,
                    "| {database} | {} | {} | {verifies} V + {signs} S | {:.0} | {:.0} | {:.2} ({:.2}-{:.2}) | {:.1} | {:.1} |",
                    if is_tls { "on" } else { "off" },
                    scenario.word(),
                    spread(|sample| sample.per_second).median,
                    spread(|sample| sample.cpu).median,
                    ratio.median,
                    ratio.least,
                    ratio.greatest,
                    spread(|sample| sample.median.as_secs_f64() * 1e3).median,
                    spread(|sample| sample.p99.as_secs_f64() * 1e3).median,
                );
            }
        }
    }
    text
}

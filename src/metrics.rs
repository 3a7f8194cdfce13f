//! Counters for operators, in the Prometheus text format. Labels are fixed words only.

use prometheus::{
    Encoder as _, Histogram, HistogramOpts, IntCounter, IntCounterVec, IntGauge, Opts, Registry, TextEncoder,
};

pub struct Metrics {
    registry: Registry,
    /// Answers by endpoint and reason (`ok` or the wire's reason).
    pub answers: IntCounterVec,
    /// Time to answer an exchange, in seconds.
    pub exchange_seconds: Histogram,
    /// Requests answered with 503.
    pub failures: IntCounter,
    /// Tokens that we signed but never recorded: a key is misused. Page someone.
    pub never_issued: IntCounter,
    /// Pinned credentials that came without their key: lost keys or stolen credentials.
    pub pins_refused: IntCounter,
    /// Connections closed because their source held too many.
    pub connections_refused: IntCounter,
    /// 1 while the policy set on disk is refused and the old one kept.
    pub policy_stale: IntGauge,
    /// 1 while the server is ready, as `/readyz` says.
    pub ready: IntGauge,
    /// 1 while the clock is behind the highest time recorded.
    pub clock_behind: IntGauge,
}

impl Metrics {
    /// Registers everything.
    ///
    /// # Errors
    /// Two of one name: a fault of ours, found at start.
    pub fn new() -> Result<Self, prometheus::Error> {
        let registry = Registry::new();
        let answers = IntCounterVec::new(
            Opts::new("deputy_answers_total", "Answers by endpoint and reason."),
            &["endpoint", "reason"],
        )?;
        let exchange_seconds = Histogram::with_opts(
            HistogramOpts::new("deputy_exchange_seconds", "Time to answer a token request, in seconds.")
                .buckets(vec![0.001, 0.002, 0.005, 0.01, 0.02, 0.05, 0.1, 0.2, 0.5, 1.0, 5.0]),
        )?;
        let failures = IntCounter::new("deputy_failures_total", "Requests answered with 503.")?;
        let never_issued = IntCounter::new(
            "deputy_never_issued_tokens_total",
            "Tokens with a good signature of ours that were never recorded: a signing key is misused.",
        )?;
        let pins_refused = IntCounter::new(
            "deputy_pins_refused_total",
            "Pinned credentials that came without their key: lost keys or stolen credentials.",
        )?;
        let connections_refused = IntCounter::new(
            "deputy_connections_refused_total",
            "Connections closed because their source held as many as it may.",
        )?;
        let policy_stale = IntGauge::new(
            "deputy_policy_stale",
            "1 while the policy files are refused and the old set is kept.",
        )?;
        let clock_behind =
            IntGauge::new("deputy_clock_behind", "1 while the clock is behind the highest time recorded.")?;
        let ready = IntGauge::new("deputy_ready", "1 while the server is ready, as /readyz says.")?;
        registry.register(Box::new(ready.clone()))?;
        registry.register(Box::new(answers.clone()))?;
        registry.register(Box::new(exchange_seconds.clone()))?;
        registry.register(Box::new(failures.clone()))?;
        registry.register(Box::new(never_issued.clone()))?;
        registry.register(Box::new(pins_refused.clone()))?;
        registry.register(Box::new(connections_refused.clone()))?;
        registry.register(Box::new(policy_stale.clone()))?;
        registry.register(Box::new(clock_behind.clone()))?;
        Ok(Self {
            registry,
            answers,
            exchange_seconds,
            failures,
            never_issued,
            pins_refused,
            connections_refused,
            policy_stale,
            ready,
            clock_behind,
        })
    }

    pub fn render(&self) -> String {
        let mut text = Vec::new();
        match TextEncoder::new().encode(&self.registry.gather(), &mut text) {
            Ok(()) => String::from_utf8(text).unwrap_or_default(),
            Err(_) => String::new(),
        }
    }
}

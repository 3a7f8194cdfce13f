//! The families, in one table with a row for each.

use std::ops::Deref;

use prometheus::core::Collector;
use prometheus::{
    Histogram, HistogramOpts, HistogramVec, IntCounter, IntCounterVec, IntGauge, IntGaugeVec, Opts, Registry,
};

use super::Requests;

/// The bounds of every histogram, in seconds.
const SECONDS: [f64; 13] = [0.0005, 0.001, 0.002, 0.005, 0.01, 0.02, 0.05, 0.1, 0.2, 0.5, 1.0, 2.0, 5.0];

/// A kind of family.
trait Family: Collector + Clone + Sized + 'static {
    /// As the text format names it.
    #[cfg(test)]
    const KIND: &'static str;

    /// Makes one without values.
    fn make(name: &str, meaning: &str, labels: &[&str]) -> Result<Self, prometheus::Error>;
}

macro_rules! family {
    ($type:ident $kind:literal, |$name:ident, $meaning:ident, $labels:ident| $make:expr) => {
        impl Family for $type {
            #[cfg(test)]
            const KIND: &'static str = $kind;

            fn make($name: &str, $meaning: &str, $labels: &[&str]) -> Result<Self, prometheus::Error> {
                $make
            }
        }
    };
}
family!(IntCounter "counter", |name, meaning, _labels| Self::new(name, meaning));
family!(IntCounterVec "counter", |name, meaning, labels| Self::new(Opts::new(name, meaning), labels));
family!(IntGauge "gauge", |name, meaning, _labels| Self::new(name, meaning));
family!(IntGaugeVec "gauge", |name, meaning, labels| Self::new(Opts::new(name, meaning), labels));
family!(Histogram "histogram", |name, meaning, _labels| {
    Self::with_opts(HistogramOpts::new(name, meaning).buckets(SECONDS.to_vec()))
});
family!(HistogramVec "histogram", |name, meaning, labels| {
    Self::new(HistogramOpts::new(name, meaning).buckets(SECONDS.to_vec()), labels)
});

/// What the page says of a family.
#[cfg(test)]
#[derive(Debug)]
pub(super) struct Shown {
    pub(super) name: &'static str,
    pub(super) kind: &'static str,
    pub(super) labels: &'static [&'static str],
    pub(super) meaning: &'static str,
}

/// Declares the families. A row has the field, its type, the name, the labels, and the meaning, which `/metrics` and the
/// page both give.
macro_rules! families {
    ($($field:ident: $type:ident $name:literal [$($label:literal),*] $meaning:literal;)*) => {
        /// Every family, by its field.
        pub struct Families {
            $(#[doc = $meaning] pub $field: $type,)*
        }

        impl Families {
            /// Every family, for the page.
            #[cfg(test)]
            pub(super) const ALL: &'static [Shown] = &[$(Shown {
                name: $name,
                kind: <$type as Family>::KIND,
                labels: &[$($label),*],
                meaning: $meaning,
            }),*];

            fn new(registry: &Registry) -> Result<Self, prometheus::Error> {
                $(
                    let $field = <$type as Family>::make($name, $meaning, &[$($label),*])?;
                    registry.register(Box::new($field.clone()))?;
                )*
                Ok(Self { $($field,)* })
            }
        }
    };
}

families! {
    build_info: IntGaugeVec "deputy_build_info" ["version", "commit"]
        "Always 1: the version of the program, and the commit it was built from where the build said so.";
    requests: IntCounterVec "deputy_requests_total" ["endpoint", "outcome"]
        "Requests by endpoint and outcome: `ok`, `refused`, or `failed` (answered with 503).";
    refusals: IntCounterVec "deputy_refusals_total" ["endpoint", "reason"]
        "Refused requests by endpoint and the `reason` of the reply. A reason appears when it first occurs.";
    request_seconds: HistogramVec "deputy_request_seconds" ["endpoint"]
        "Time to answer a request, in seconds.";
    commit_seconds: Histogram "deputy_commit_seconds" []
        "Time of one transaction of the writer until its commit, in seconds. Many requests share one.";
    writer_queue: IntGauge "deputy_writer_queue" []
        "Entries that wait for the writer. At 4096 further ones are refused with 503.";
    ready: IntGauge "deputy_ready" []
        "1 while the server is ready, as `/readyz` says.";
    clock_behind: IntGauge "deputy_clock_behind" []
        "1 while the clock is more than a minute behind the highest time recorded.";
    policy_stale: IntGauge "deputy_policy_stale" []
        "1 while the policy files are refused and the previous set is kept.";
    configuration_stale: IntGauge "deputy_configuration_stale" []
        "1 while the configuration of the last SIGHUP is refused and the previous one is kept.";
    certificate_expiry: IntGaugeVec "deputy_certificate_expiry_timestamp_seconds" []
        "When the TLS certificate of the listeners expires, in seconds since 1970. Absent without TLS.";
    keys_age: IntGaugeVec "deputy_issuer_keys_age_seconds" ["kind", "issuer"]
        "Seconds since the keys of an identity provider or a workload issuer were last fetched. Absent before the first \
         fetch, and for keys in a file. Keys are fetched when a token needs them, so that an unused issuer has old ones.";
    keys_failing: IntGaugeVec "deputy_issuer_keys_failing" ["kind", "issuer"]
        "1 while the last fetch of these keys has failed.";
    live_tasks: IntGauge "deputy_live_tasks" []
        "Tasks that are on record as live, counted every 15 seconds, up to a million. All nodes of a database count the \
         same ones.";
    live_agents: IntGaugeVec "deputy_live_agents" ["class"]
        "Agents that are on record as live, by class, counted in the same way. `other` has those of classes that are no \
         longer configured.";
    never_issued: IntCounter "deputy_never_issued_tokens_total" []
        "Tokens with a good signature of Deputy's that were never recorded: a signing key is misused.";
    pins_refused: IntCounter "deputy_pins_refused_total" []
        "Pinned credentials that came without their key: lost keys or stolen credentials.";
    connections_refused: IntCounter "deputy_connections_refused_total" []
        "Connections closed because their source held as many as it may.";
}

/// The metrics of one process. Its families are its fields.
pub struct Metrics {
    pub(super) registry: Registry,
    pub(super) families: Families,
    pub(super) requests: Vec<Requests>,
}

impl Deref for Metrics {
    type Target = Families;

    fn deref(&self) -> &Families {
        &self.families
    }
}

impl Metrics {
    /// Registers everything.
    ///
    /// # Errors
    /// Two of one name: a fault of ours, found at start.
    pub fn new() -> Result<Self, prometheus::Error> {
        let registry = Registry::new();
        let families = Families::new(&registry)?;
        let commit = option_env!("BUILD_COMMIT").unwrap_or("unknown");
        families.build_info.with_label_values(&[env!("CARGO_PKG_VERSION"), commit]).set(1);
        let requests = Self::requests(&families);
        Ok(Self { registry, families, requests })
    }
}

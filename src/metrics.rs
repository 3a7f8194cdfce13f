//! What operators measure, in the Prometheus text format. Labels are fixed words or names of the configuration, so
//! that their number is bounded. `docs/metrics.md` lists every family.

mod families;
#[cfg(test)]
mod page;

use prometheus::{Encoder as _, IntCounter, TextEncoder};

use crate::base::words::words;
pub use families::Metrics;
pub use prometheus::Histogram;

words! {
    /// An endpoint whose requests are counted.
    Endpoint {
        /// `POST /token`.
        Token => "token",
        /// `POST /introspect`.
        Introspect => "introspect",
        /// `POST /revoke`.
        Revoke => "revoke",
        /// The metadata document.
        Metadata => "metadata",
        /// `GET /jwks`.
        Jwks => "jwks",
    }
}

words! {
    /// How a request was answered.
    Outcome {
        /// As it asked.
        Ok => "ok",
        /// With a refusal, whose reason is counted too.
        Refused => "refused",
        /// With 503.
        Failed => "failed",
    }
}

/// The counters of one endpoint, found once.
struct Requests {
    outcomes: Vec<IntCounter>,
    seconds: Histogram,
}

impl Metrics {
    /// Finds the counters of every endpoint, so that each is there from the start and a request looks up none by name.
    fn requests(families: &families::Families) -> Vec<Requests> {
        let of = |endpoint: &Endpoint| Requests {
            outcomes: Outcome::ALL
                .iter()
                .map(|outcome| families.requests.with_label_values(&[endpoint.word(), outcome.word()]))
                .collect(),
            seconds: families.request_seconds.with_label_values(&[endpoint.word()]),
        };
        Endpoint::ALL.iter().map(of).collect()
    }

    /// Counts a request with its outcome.
    pub fn count(&self, endpoint: Endpoint, outcome: Outcome) {
        self.requests[endpoint as usize].outcomes[outcome as usize].inc();
    }

    /// Counts a refused request with the `reason` of its reply.
    pub fn count_refusal(&self, endpoint: Endpoint, reason: &'static str) {
        self.count(endpoint, Outcome::Refused);
        self.families.refusals.with_label_values(&[endpoint.word(), reason]).inc();
    }

    /// Notes how long it took to answer a request.
    pub fn time(&self, endpoint: Endpoint, took: std::time::Duration) {
        self.requests[endpoint as usize].seconds.observe(took.as_secs_f64());
    }

    /// Everything that was counted so far.
    pub fn render(&self) -> String {
        let mut text = Vec::new();
        match TextEncoder::new().encode(&self.registry.gather(), &mut text) {
            Ok(()) => String::from_utf8(text).unwrap_or_default(),
            Err(_) => String::new(),
        }
    }
}

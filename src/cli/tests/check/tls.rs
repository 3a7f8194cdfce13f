//! What is wrong with the certificate and with listening without one.

use super::super::world::NOW;
use super::Case;
use crate::base::time::Lifetime;
use crate::doctor::Status::{Failed, Warning};
use crate::setup::certificates::dev_certificates;

const DAY: u32 = 86_400;

pub(super) const TLS: &[Case] = &[
    (
        "no certificate",
        |w| std::fs::remove_file(w.path("certs/server.pem")).unwrap(),
        "tls_certificate",
        Failed,
        "dev-certs",
    ),
    (
        "a file without a certificate",
        |w| w.write("certs/server.pem", "nothing"),
        "tls_certificate",
        Failed,
        "PEM, leaf first",
    ),
    (
        "another's key",
        |w| {
            let other = dev_certificates(&w.path("other"), NOW).unwrap();
            std::fs::copy(other.key, w.path("certs/server-key.pem")).unwrap();
        },
        "tls_key",
        Failed,
        "the leaf comes first",
    ),
    ("a key for all to read", |w| w.chmod("certs/server-key.pem", 0o644), "tls_key", Warning, "chmod 0600"),
    (
        "an expired certificate",
        |w| w.now = NOW.plus(Lifetime::from_seconds(400 * DAY)),
        "tls_validity",
        Failed,
        "renew it",
    ),
    (
        "a certificate that expires soon",
        |w| w.now = NOW.plus(Lifetime::from_seconds(350 * DAY)),
        "tls_validity",
        Warning,
        "renew it now",
    ),
    (
        "a certificate of the future",
        |w| w.now = NOW.minus(Lifetime::from_seconds(9 * DAY)),
        "tls_validity",
        Failed,
        "clock",
    ),
    (
        "a certificate for another host",
        |w| w.edit("https://localhost", "https://deputy.example"),
        "tls_names",
        Failed,
        "write the certificate's name",
    ),
    (
        "plain HTTP",
        |w| {
            w.edit("https://localhost", "http://127.0.0.1");
            w.edit(super::super::world::TLS, "");
        },
        "plain_http",
        Warning,
        "give `[tls]`",
    ),
];

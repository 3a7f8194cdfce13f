//! The bundles of SPIFFE trust domains: how often they are renewed.

use super::Findings;
use crate::base::time::Lifetime;
use crate::config::Config;
use crate::jose::{KeyForm, KeySet};
use crate::registry::KeySource;

const ID: &str = "bundles";
/// A key that was withdrawn is trusted for as long as its bundle is not fetched again.
const SLOW: Lifetime = Lifetime::from_seconds(3600);

/// Names the bundles that are read from files.
pub(super) fn check_files(findings: &mut Findings, config: &Config) {
    for issuer in config.registry.workload_issuers.values() {
        if let KeySource::BundleFile(file) = &issuer.keys {
            let what = format!(
                "the bundle of `{}` is read from {} at the start and at a reload only, and its keys change by themselves",
                issuer.issuer,
                file.display()
            );
            let fix = "write `bundle_endpoint`, or send SIGHUP whenever the file has changed";
            findings.warn(ID, what, fix);
        }
    }
}

/// Whether a bundle that was fetched says how often to fetch it.
pub(super) fn hint(findings: &mut Findings, name: &str, document: &[u8]) {
    let Ok(bundle) = KeySet::read(document, KeyForm::Bundle) else { return };
    match bundle.refresh_hint() {
        None => {
            let what =
                format!("the bundle of {name} has no `spiffe_refresh_hint`: it is fetched every 5 minutes");
            findings.warn(
                ID,
                what,
                "set the hint where the bundle is published (`refresh_hint` of SPIRE's server)",
            );
        }
        Some(hint) if hint > SLOW => {
            let what = format!(
                "the bundle of {name} asks to be fetched every {} seconds; it is fetched every hour",
                hint.seconds()
            );
            findings.warn(
                ID,
                what,
                "set a shorter hint: a key that is withdrawn serves until the next fetch",
            );
        }
        Some(_) => {}
    }
}

pub(super) fn conclude(findings: &mut Findings) {
    findings.ok_unless_reported(ID, "every bundle of a trust domain is renewed as its publisher asks");
}

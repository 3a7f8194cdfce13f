//! Who is between Deputy and its callers, and between Deputy and those whose keys it fetches.

use url::Url;

use super::Findings;
use crate::base::loopback::is_loopback;
use crate::config::Config;
use crate::registry::{Network, Reach, Registry};

pub(super) fn check(findings: &mut Findings, config: &Config) {
    issuer_port(findings, config);
    proxies(findings, config);
    egress(findings, &config.registry);
}

/// Whether the host of Deputy's issuer is this machine alone.
fn is_on_this_machine(issuer: &Url) -> bool {
    is_loopback(issuer)
}

/// An issuer on this machine is reached where Deputy listens: nothing is in between that could translate a port.
fn issuer_port(findings: &mut Findings, config: &Config) {
    const ID: &str = "issuer_port";
    let Ok(issuer) = Url::parse(config.issuer.as_str()) else { return };
    let listened = config.listen.public.port();
    match issuer.port_or_known_default() {
        Some(port) if is_on_this_machine(&issuer) && listened != 0 && port != listened => {
            let what = format!(
                "the issuer names port {port} of this machine, and Deputy listens on port {listened}"
            );
            let fix = format!("write port {listened} in `issuer`, or port {port} in `listen.public`");
            findings.warn(ID, what, fix);
        }
        _ => findings.ok(ID, "the issuer names no other port of this machine than the one listened on"),
    }
}

fn proxies(findings: &mut Findings, config: &Config) {
    const ID: &str = "trusted_proxies";
    for network in &config.listen.trusted_proxies {
        let narrowest = if network.max_prefix_len() == 32 { 16 } else { 48 };
        if network.prefix_len() == 0 {
            let what = format!("`{network}` is everybody: any caller could claim any source address");
            findings.fail(ID, what, "list the proxies' own addresses");
        } else if network.prefix_len() < narrowest {
            let what = format!("`{network}` is a wide network to believe `X-Forwarded-For` from");
            findings.warn(ID, what, "list the proxies' own addresses");
        }
    }
    // A listener on loopback with an issuer elsewhere has a proxy in front.
    let has_proxy = config.listen.public.ip().is_loopback()
        && Url::parse(config.issuer.as_str()).is_ok_and(|issuer| !is_on_this_machine(&issuer));
    if has_proxy && config.listen.trusted_proxies.is_empty() {
        let what = "a proxy is in front of this listener on loopback, and its `X-Forwarded-For` is not believed: all \
                    callers have its address, and share the limits of one";
        findings.warn(
            ID,
            what,
            format!("write `trusted_proxies = [\"{}\"]` in `[listen]`", own_network(config)),
        );
    }
    let what = match config.listen.trusted_proxies.len() {
        0 => "no proxy is believed: source addresses are those of the connection".to_owned(),
        several => format!("{several} networks, none of them wide"),
    };
    findings.ok_unless_reported(ID, what);
}

/// The network in which a proxy on this machine is.
fn own_network(config: &Config) -> String {
    let address = config.listen.public.ip();
    format!("{address}/{}", if address.is_ipv4() { 32 } else { 128 })
}

/// A proxy resolves the name itself, so that the restriction to public addresses cannot be kept.
fn egress(findings: &mut Findings, registry: &Registry) {
    const ID: &str = "egress";
    let providers = registry.identity_providers.values().map(|provider| (&provider.issuer, &provider.reach));
    let workloads = registry.workload_issuers.values().map(|issuer| (&issuer.issuer, &issuer.reach));
    for (issuer, reach) in providers.chain(workloads) {
        if let Reach { network: Network::Public, proxy: Some(_), .. } = reach {
            let what = format!("`{issuer}` is reached by a proxy, which resolves names itself");
            findings.warn(
                ID,
                what,
                "let the proxy refuse private addresses, or write `network = \"private\"`",
            );
        }
    }
    findings.ok_unless_reported(ID, "Deputy asks no other party through a proxy");
}

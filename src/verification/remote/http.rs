//! Fetching over HTTPS with reqwest and rustls.

mod probe;

use std::collections::HashMap;
use std::fs::File;
use std::io::Read as _;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use reqwest::dns::{Addrs, Name, Resolve, Resolving};
use reqwest::header::{ACCEPT, AUTHORIZATION, CACHE_CONTROL, HeaderMap, HeaderValue};
use url::{Host, Url};
use zeroize::Zeroizing;

use super::address::is_public;
use super::{Document, FetchError, Fetched, RemoteKeys};
use crate::base::certificate::CertificateFault;
use crate::base::loopback::{LOCALHOST, LOCALHOST_ADDRESSES, is_loopback};
use crate::base::time::Lifetime;
use crate::registry::{Network, Reach};

pub use probe::Probe;

/// The limits of FETCH-05: for the connection, and from the first byte out to the last byte in.
const CONNECT: Duration = Duration::from_secs(2);
const TOTAL: Duration = Duration::from_secs(5);
/// The most bytes of a file with a token.
const MAX_TOKEN: u64 = 16 * 1024;

/// What makes one HTTP client differ from another.
#[derive(Clone, PartialEq, Eq, Hash)]
enum ClientKey {
    /// Plain HTTP to this machine.
    Local,
    /// HTTPS: public addresses only, CA, proxy.
    Reach(bool, Option<PathBuf>, Option<Url>),
}

/// Fetches by HTTPS: redirects off, no cookies, no credentials but a `keys_token_file`, no decompression, short timeouts, and
/// for `network = "public"` only addresses that are public, checked on what is really connected to.
#[derive(Default)]
pub struct HttpKeys {
    clients: Mutex<HashMap<ClientKey, reqwest::Client>>,
}

impl HttpKeys {
    /// The client for this reach, made at its first use.
    fn client(&self, url: &Url, reach: &Reach, is_loopback: bool) -> Result<reqwest::Client, FetchError> {
        let key = match url.scheme() {
            "http" => ClientKey::Local,
            _ => ClientKey::Reach(
                reach.network == Network::Public && !is_loopback,
                reach.tls_ca_file.clone(),
                reach.proxy.clone(),
            ),
        };
        let mut clients = self.clients.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(client) = clients.get(&key) {
            return Ok(client.clone());
        }
        let client = build(&key)?;
        clients.insert(key, client.clone());
        Ok(client)
    }
}

impl RemoteKeys for HttpKeys {
    fn fetch<'a>(&'a self, url: &'a Url, reach: &'a Reach, limit: usize, is_local: bool) -> Fetched<'a> {
        Box::pin(async move {
            // Only where Deputy's own issuer is on loopback: a server for others asks nobody on its own machine by name.
            let is_loopback = is_local && is_loopback(url);
            check_url(url, reach, is_loopback)?;
            let client = self.client(url, reach, is_loopback)?;
            let token = token(url, reach)?;
            // Once more around everything, so that a body that drips cannot outlast the limit.
            match tokio::time::timeout(TOTAL, get(&client, url, limit, token)).await {
                Ok(fetched) => fetched,
                Err(_) => Err(fault("no answer within 5 s")),
            }
        })
    }

    fn forget_roots(&self) {
        self.clients.lock().unwrap_or_else(PoisonError::into_inner).clear();
    }
}

fn fault(what: &str) -> FetchError {
    FetchError(what.to_owned())
}

/// The rules that need no connection: https, or http where `is_loopback`; no address literals on the public network
/// (FETCH-01, FETCH-03).
fn check_url(url: &Url, reach: &Reach, is_loopback: bool) -> Result<(), FetchError> {
    match url.scheme() {
        "https" => {}
        "http" if is_loopback => return Ok(()),
        _ => return Err(fault("not https")),
    }
    if !url.username().is_empty() || url.password().is_some() {
        return Err(fault("credentials in the URL"));
    }
    let is_literal = !matches!(url.host(), Some(Host::Domain(_)));
    if is_literal && reach.network == Network::Public && !is_loopback {
        return Err(fault("an address literal is not taken on the public network"));
    }
    Ok(())
}

/// The header with the token that is presented to this origin, where one is. Nothing else that is fetched carries a
/// credential.
fn token(url: &Url, reach: &Reach) -> Result<Option<HeaderValue>, FetchError> {
    let Some(token) =
        reach.token.as_ref().filter(|token| url.scheme() == "https" && url.origin() == token.origin)
    else {
        return Ok(None);
    };
    let named = |what: &str| FetchError(format!("keys_token_file `{}` {what}", token.file.display()));
    let file = File::open(&token.file).map_err(|error| named(&error.to_string()))?;
    let mut text = Zeroizing::new(String::new());
    file.take(MAX_TOKEN + 1).read_to_string(&mut text).map_err(|_| named("is not readable text"))?;
    let written = text.trim();
    if written.is_empty() || text.len() as u64 > MAX_TOKEN {
        return Err(named("holds no token, or more than one"));
    }
    let header = Zeroizing::new(format!("Bearer {written}"));
    let mut header = HeaderValue::from_str(&header).map_err(|_| named("holds no token, or more than one"))?;
    header.set_sensitive(true);
    Ok(Some(header))
}

async fn get(
    client: &reqwest::Client,
    url: &Url,
    limit: usize,
    token: Option<HeaderValue>,
) -> Result<Document, FetchError> {
    let mut request = client.get(url.clone()).header(ACCEPT, "application/json, application/jwk-set+json");
    if let Some(token) = token {
        request = request.header(AUTHORIZATION, token);
    }
    let mut response = request.send().await.map_err(|error| FetchError(describe(&error)))?;
    if response.status() != reqwest::StatusCode::OK {
        return Err(FetchError(format!("answered {}", response.status().as_u16())));
    }
    let too_large = || FetchError(format!("body over {limit} bytes"));
    if response.content_length().is_some_and(|length| length > limit as u64) {
        return Err(too_large());
    }
    let max_age = max_age(response.headers());
    let mut body = Vec::new();
    while let Some(chunk) = response.chunk().await.map_err(|error| FetchError(describe(&error)))? {
        if body.len() + chunk.len() > limit {
            return Err(too_large());
        }
        body.extend_from_slice(&chunk);
    }
    Ok(Document { body, max_age })
}

/// The innermost cause says most; the URL is added where it is logged.
fn describe(error: &reqwest::Error) -> String {
    if let Some(fault) = CertificateFault::among_causes(error) {
        return format!("its certificate {}", fault.what());
    }
    let mut cause: &dyn std::error::Error = error;
    while let Some(inner) = cause.source() {
        cause = inner;
    }
    cause.to_string()
}

fn max_age(headers: &HeaderMap) -> Option<Lifetime> {
    let directives = headers.get_all(CACHE_CONTROL).iter().filter_map(|value| value.to_str().ok());
    directives
        .flat_map(|value| value.split(','))
        .filter_map(|directive| directive.trim().split_once('='))
        .find(|(name, _)| name.eq_ignore_ascii_case("max-age"))
        .and_then(|(_, seconds)| seconds.trim_matches('"').parse().ok())
        .map(Lifetime::from_seconds)
}

fn build(key: &ClientKey) -> Result<reqwest::Client, FetchError> {
    let mut builder = reqwest::Client::builder()
        .redirect(reqwest::redirect::Policy::none())
        .referer(false)
        .connect_timeout(CONNECT)
        .timeout(TOTAL)
        .pool_max_idle_per_host(1)
        .user_agent(concat!("deputy/", env!("CARGO_PKG_VERSION")))
        // Only what the configuration names: a proxy from the environment would see, and be, the issuer.
        .no_proxy();
    match key {
        // No TLS, so no roots: a machine without any can still play on itself.
        ClientKey::Local => {
            // The name is this machine, whatever a resolver says: plain HTTP never leaves it.
            let here = LOCALHOST_ADDRESSES.map(|address| SocketAddr::new(address, 0));
            builder = builder.tls_certs_only([]).resolve_to_addrs(LOCALHOST, &here);
        }
        ClientKey::Reach(is_public, tls_ca_file, proxy) => {
            builder = builder.https_only(true);
            if let Some(file) = tls_ca_file {
                builder = builder.tls_certs_only(read_roots(file)?);
            }
            if let Some(proxy) = proxy {
                // The proxy resolves names itself, and is the one that keeps to the public network.
                let proxy = reqwest::Proxy::all(proxy.as_str()).map_err(|_| fault("proxy is not usable"))?;
                builder = builder.proxy(proxy);
            } else if *is_public {
                builder = builder.dns_resolver(Arc::new(PublicOnly));
            }
        }
    }
    builder.build().map_err(|error| FetchError(format!("HTTP client: {}", describe(&error))))
}

fn read_roots(file: &Path) -> Result<Vec<reqwest::Certificate>, FetchError> {
    let pem = std::fs::read(file)
        .map_err(|error| FetchError(format!("tls_ca_file `{}`: {error}", file.display())))?;
    match reqwest::Certificate::from_pem_bundle(&pem) {
        Ok(roots) if !roots.is_empty() => Ok(roots),
        _ => Err(FetchError(format!("tls_ca_file `{}` holds no PEM certificate", file.display()))),
    }
}

/// Resolves once and gives out the addresses only if every one is public, so that what was checked is
/// what is connected to, and a name with one private record is refused as a whole (FETCH-02).
struct PublicOnly;

impl Resolve for PublicOnly {
    fn resolve(&self, name: Name) -> Resolving {
        Box::pin(async move {
            let addresses: Vec<SocketAddr> = tokio::net::lookup_host((name.as_str(), 0)).await?.collect();
            if addresses.iter().all(|address| is_public(address.ip())) {
                Ok(Box::new(addresses.into_iter()) as Addrs)
            } else {
                Err("resolves to an address that is not public".into())
            }
        })
    }
}

#[cfg(test)]
mod tests;

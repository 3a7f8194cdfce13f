//! Loopback as it is written, without looking a name up.

use url::{Host, Url};

/// Whether the host is written as a loopback address: 127.0.0.0/8 or `[::1]`. A name never is.
pub fn is_literal_loopback(url: &Url) -> bool {
    match url.host() {
        Some(Host::Ipv4(address)) => address.is_loopback(),
        Some(Host::Ipv6(address)) => address.is_loopback(),
        Some(Host::Domain(_)) | None => false,
    }
}

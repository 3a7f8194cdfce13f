//! Loopback as it is written, without looking a name up.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use url::{Host, Url};

/// The name of this machine for itself (RFC 6761 §6.3).
pub const LOCALHOST: &str = "localhost";
/// What the name stands for.
pub const LOCALHOST_ADDRESSES: [IpAddr; 2] =
    [IpAddr::V4(Ipv4Addr::LOCALHOST), IpAddr::V6(Ipv6Addr::LOCALHOST)];

/// Whether the host is written as loopback: 127.0.0.0/8, `[::1]` or `localhost`. No other name is.
pub fn is_loopback(url: &Url) -> bool {
    match url.host() {
        Some(Host::Ipv4(address)) => address.is_loopback(),
        Some(Host::Ipv6(address)) => address.is_loopback(),
        Some(Host::Domain(name)) => name == LOCALHOST,
        None => false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn loopback_is_an_address_or_the_one_name() {
        for url in
            ["http://127.0.0.1", "http://127.9.9.9:80/a", "https://[::1]:8443", "http://LOCALHOST:3000/x"]
        {
            assert!(is_loopback(&Url::parse(url).unwrap()), "{url}");
        }
        for url in [
            "http://localhost.example",
            "http://my.localhost",
            "http://localhost.",
            "http://10.0.0.1",
            "http://[::2]",
            "http://localhost@example.com",
            "file:///localhost",
        ] {
            assert!(!is_loopback(&Url::parse(url).unwrap()), "{url}");
        }
    }
}

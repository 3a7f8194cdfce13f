//! Who sent a request.

use std::net::IpAddr;

use actix_web::HttpRequest;
use actix_web::http::header::{self, HeaderMap};

use crate::config::Listen;
use crate::oauth::RequestId;

/// Who sent one request. `Debug` prints no credentials.
pub struct Caller {
    /// The source address, as seen through trusted proxies.
    pub source: IpAddr,
    /// Every `Authorization` header, as received.
    pub authorization: Vec<Vec<u8>>,
    /// The identifier of this request.
    pub request: RequestId,
}

impl std::fmt::Debug for Caller {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Caller").field("request", &self.request).finish_non_exhaustive()
    }
}

impl Caller {
    /// The caller of `request`: at the address of the connection, or where that is a listed proxy, at the
    /// address that the proxy states.
    pub fn of(request: &HttpRequest, listen: &Listen, id: RequestId) -> Self {
        let direct = request.peer_addr().map_or(IpAddr::from([0, 0, 0, 0]), |address| address.ip());
        let authorization = request.headers().get_all(header::AUTHORIZATION);
        Self {
            source: source(direct, request.headers(), listen),
            authorization: authorization.map(|value| value.as_bytes().to_vec()).collect(),
            request: id,
        }
    }
}

/// The last address in `X-Forwarded-For` that is no listed proxy; the direct one where the header is not to be
/// believed or cannot be read.
fn source(direct: IpAddr, headers: &HeaderMap, listen: &Listen) -> IpAddr {
    let is_trusted = |address: &IpAddr| listen.trusted_proxies.iter().any(|net| net.contains(address));
    if !is_trusted(&direct) {
        return direct;
    }
    let mut forwarded = Vec::new();
    for value in headers.get_all("x-forwarded-for") {
        let Ok(text) = value.to_str() else { return direct };
        for hop in text.split(',') {
            match hop.trim().parse::<IpAddr>() {
                Ok(address) => forwarded.push(address),
                Err(_) => return direct,
            }
        }
    }
    forwarded.into_iter().rev().find(|address| !is_trusted(address)).unwrap_or(direct)
}

#[cfg(test)]
mod tests {
    use actix_web::test::TestRequest;
    use uuid::Uuid;

    use super::*;

    fn caller(peer: &str, forwarded: &[&str]) -> Caller {
        let listen = Listen {
            public: "127.0.0.1:1".parse().unwrap(),
            management: "127.0.0.1:2".parse().unwrap(),
            trusted_proxies: vec!["10.0.0.0/8".parse().unwrap()],
        };
        let mut request = TestRequest::default()
            .peer_addr(format!("{peer}:4711").parse().unwrap())
            .insert_header((header::AUTHORIZATION, "Basic c2VjcmV0"));
        for value in forwarded {
            request = request.append_header(("x-forwarded-for", *value));
        }
        Caller::of(&request.to_http_request(), &listen, RequestId::new(Uuid::nil()))
    }

    #[test]
    fn only_a_listed_proxy_may_state_the_address() {
        let source = |peer, forwarded: &[&str]| caller(peer, forwarded).source.to_string();
        assert_eq!(source("192.0.2.1", &["198.51.100.7"]), "192.0.2.1");
        assert_eq!(source("10.0.0.1", &[]), "10.0.0.1");
        assert_eq!(source("10.0.0.1", &["198.51.100.7"]), "198.51.100.7");
        // Everything before the last address that is not a proxy was written by the caller.
        assert_eq!(source("10.0.0.1", &["203.0.113.9, 198.51.100.7", "10.0.0.2"]), "198.51.100.7");
        assert_eq!(source("10.0.0.1", &["nonsense, 198.51.100.7"]), "10.0.0.1");
        assert_eq!(source("10.0.0.1", &["10.0.0.3"]), "10.0.0.1");
    }

    #[test]
    fn the_debug_form_holds_no_credential() {
        let caller = caller("192.0.2.1", &[]);
        assert_eq!(caller.authorization, [b"Basic c2VjcmV0"]);
        assert!(!format!("{caller:?}").contains("c2VjcmV0"));
    }
}

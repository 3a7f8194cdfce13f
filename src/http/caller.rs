//! Who sent a request.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use std::sync::OnceLock;

use actix_web::HttpRequest;
use actix_web::http::header::{self, HeaderMap};

use super::client_certificate::{self, Handshake, Presented};
use crate::config::{Config, Listen, RecordedSource};
use crate::oauth::{ClientId, RequestId};

/// Who sent one request. `Debug` prints no credentials.
pub struct Caller {
    /// The source address, as seen through trusted proxies.
    pub source: IpAddr,
    /// As much of it as is recorded (`audit.source`).
    pub recorded_source: Option<IpAddr>,
    /// Every `Authorization` header, as received.
    pub authorization: Vec<Vec<u8>>,
    /// Every `DPoP` header (RFC 9449 §4.1), as received.
    pub dpop: Vec<Vec<u8>>,
    /// The client certificate, of the connection or as a trusted proxy states it.
    pub certificate: Presented,
    /// The identifier of this request.
    pub request: RequestId,
    /// The registered client that it claims to be, once that is known: for the log.
    pub client: OnceLock<ClientId>,
}

impl std::fmt::Debug for Caller {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Caller").field("request", &self.request).finish_non_exhaustive()
    }
}

impl Caller {
    /// The caller of `request`: at the address of the connection, or where that is a listed proxy, at the
    /// address that the proxy states.
    ///
    /// On the listener for mutual TLS the address is always that of the connection: what passes a connection through
    /// cannot write into it, so a header there is the client's own.
    pub fn of(request: &HttpRequest, config: &Config, id: RequestId) -> Self {
        // A socket that takes both versions shows an IPv4 address as an IPv6 one.
        let direct =
            request.peer_addr().map_or(IpAddr::from([0, 0, 0, 0]), |address| address.ip().to_canonical());
        let authorization = request.headers().get_all(header::AUTHORIZATION);
        let is_passed_through = request.conn_data::<Handshake>().is_some();
        let is_proxy = config.listen.trusts(direct) && !is_passed_through;
        let source = if is_proxy { stated_source(direct, request.headers(), &config.listen) } else { direct };
        let header = config.tls.as_ref().and_then(|tls| tls.client_certificate_header);
        Self {
            source,
            recorded_source: recorded_part(source, config.audit.source),
            authorization: authorization.map(|value| value.as_bytes().to_vec()).collect(),
            dpop: request.headers().get_all("dpop").map(|value| value.as_bytes().to_vec()).collect(),
            certificate: client_certificate::presented(request, header.filter(|_| is_proxy)),
            request: id,
            client: OnceLock::new(),
        }
    }

    /// The request `request` from 192.0.2.1 without any credential, for tests.
    #[cfg(test)]
    pub(crate) fn for_tests(request: RequestId) -> Self {
        Self {
            source: IpAddr::from([192, 0, 2, 1]),
            recorded_source: Some(IpAddr::from([192, 0, 2, 0])),
            authorization: Vec::new(),
            dpop: Vec::new(),
            certificate: Ok(None),
            request,
            client: OnceLock::new(),
        }
    }

    /// Notes which registered client the request claims to be. The first one counts.
    pub fn note_client(&self, client: &ClientId) {
        let _ = self.client.set(client.clone());
    }

    /// The registered client that the request claims to be, as far as that is known. Nothing is proven by it.
    pub fn client(&self) -> Option<&ClientId> {
        self.client.get()
    }
}

/// The last address in `X-Forwarded-For` that is no listed proxy; the direct one where the header cannot be read.
fn stated_source(direct: IpAddr, headers: &HeaderMap, listen: &Listen) -> IpAddr {
    let is_trusted = |address: &IpAddr| listen.trusts(*address);
    let mut forwarded = Vec::new();
    for value in headers.get_all("x-forwarded-for") {
        let Ok(text) = value.to_str() else { return direct };
        for hop in text.split(',') {
            match hop_address(hop.trim()) {
                Some(address) => forwarded.push(address),
                None => return direct,
            }
        }
    }
    forwarded.into_iter().rev().find(|address| !is_trusted(address)).unwrap_or(direct)
}

/// An address as proxies write it: alone, in brackets, or with the port of the connection.
fn hop_address(text: &str) -> Option<IpAddr> {
    let alone = text.strip_prefix('[').and_then(|text| text.strip_suffix(']')).unwrap_or(text);
    let address = alone.parse::<IpAddr>().or_else(|_| text.parse::<SocketAddr>().map(|socket| socket.ip()));
    address.ok().map(|address| address.to_canonical())
}

/// What limits are counted by: one subscriber has a whole /64 of IPv6 (RFC 6177), but seldom more than one address of
/// IPv4.
pub fn network(source: IpAddr) -> IpAddr {
    match source.to_canonical() {
        IpAddr::V6(address) => IpAddr::V6(Ipv6Addr::from_bits(address.to_bits() >> 64 << 64)),
        address => address,
    }
}

/// As much of an address as is recorded.
fn recorded_part(source: IpAddr, how: RecordedSource) -> Option<IpAddr> {
    match (how, source) {
        (RecordedSource::None, _) => None,
        (RecordedSource::Whole, _) => Some(source),
        (RecordedSource::Network, IpAddr::V4(address)) => {
            Some(Ipv4Addr::from_bits(address.to_bits() >> 8 << 8).into())
        }
        (RecordedSource::Network, IpAddr::V6(address)) => {
            Some(Ipv6Addr::from_bits(address.to_bits() >> 80 << 80).into())
        }
    }
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use actix_web::test::TestRequest;
    use uuid::Uuid;

    use super::*;

    fn caller(peer: &str, forwarded: &[&str]) -> Caller {
        let mut config = crate::verification::fixtures::config(Path::new("/nowhere"));
        config.listen.trusted_proxies = vec!["10.0.0.0/8".parse().unwrap()];
        config.audit.source = RecordedSource::Network;
        let mut request = TestRequest::default()
            .peer_addr(format!("{peer}:4711").parse().unwrap())
            .insert_header((header::AUTHORIZATION, "Basic c2VjcmV0"));
        for value in forwarded {
            request = request.append_header(("x-forwarded-for", *value));
        }
        Caller::of(&request.to_http_request(), &config, RequestId::new(Uuid::nil()))
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
    fn an_address_is_the_same_in_whatever_form_it_is_written() {
        let source = |peer, forwarded: &[&str]| caller(peer, forwarded).source.to_string();
        assert_eq!(source("[::ffff:192.0.2.1]", &[]), "192.0.2.1");
        assert_eq!(source("[::ffff:10.0.0.1]", &["198.51.100.7"]), "198.51.100.7");
        for (written, is) in [
            ("198.51.100.7:51111", "198.51.100.7"),
            ("::ffff:198.51.100.7", "198.51.100.7"),
            ("[::ffff:198.51.100.7]:1", "198.51.100.7"),
            ("2001:db8::9", "2001:db8::9"),
            ("[2001:db8::9]", "2001:db8::9"),
            ("[2001:db8::9]:444", "2001:db8::9"),
        ] {
            assert_eq!(source("10.0.0.1", &[written]), is);
            assert_eq!(source("10.0.0.1", &[written, "10.0.0.2:80"]), is);
        }
        for written in ["198.51.100.7:", "198.51.100.7:x", "[198.51.100.7", "[]", "2001:db8::9]"] {
            assert_eq!(source("10.0.0.1", &[written]), "10.0.0.1", "{written}");
        }
    }

    #[test]
    fn a_source_is_a_64_of_ipv6_and_an_address_of_ipv4() {
        let network = |text: &str| network(text.parse().unwrap()).to_string();
        assert_eq!(network("2001:db8:1:2:3:4:5:6"), "2001:db8:1:2::");
        assert_eq!(network("::ffff:192.0.2.1"), "192.0.2.1");
        assert_eq!(network("192.0.2.1"), "192.0.2.1");
    }

    #[test]
    fn of_an_address_as_much_is_recorded_as_is_configured() {
        let recorded = |source: &str, how| {
            recorded_part(source.parse().unwrap(), how).map(|address| address.to_string())
        };
        for (source, network) in [("192.0.2.7", "192.0.2.0"), ("2001:db8:1:2:3:4:5:6", "2001:db8:1::")] {
            assert_eq!(recorded(source, RecordedSource::Whole).as_deref(), Some(source));
            assert_eq!(recorded(source, RecordedSource::Network).as_deref(), Some(network));
            assert_eq!(recorded(source, RecordedSource::None), None);
        }
        let caller = caller("192.0.2.7", &[]);
        assert_eq!(caller.source, IpAddr::from([192, 0, 2, 7]), "limits are counted by the whole address");
        assert_eq!(caller.recorded_source, Some(IpAddr::from([192, 0, 2, 0])));
    }

    #[test]
    fn the_debug_form_holds_no_credential() {
        let caller = caller("192.0.2.1", &[]);
        assert_eq!(caller.authorization, [b"Basic c2VjcmV0"]);
        assert!(!format!("{caller:?}").contains("c2VjcmV0"));
    }
}

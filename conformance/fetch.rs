//! Outbound fetches: the requirements FETCH-01 to FETCH-08.
//!
//! FETCH-01, FETCH-02 and FETCH-03 bind URLs that a client supplies, and no client can supply one in this
//! version. The tests show that the fetcher follows these rules for `network = "public"`, which is the
//! default of every issuer and client, and that no operator can configure a URL that is never opened.

use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use futures_util::future::join_all;
use serde_json::json;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpListener;

use crate::expect::assert_unavailable;
use crate::harness::{Cases, case};
use crate::world::{Key, Provider, Setup, World, free_port};

/// The cases of this file.
pub fn cases() -> Cases {
    vec![
        case("FETCH-01", nothing_but_https_is_opened),
        case("FETCH-02", a_name_that_leads_inside_is_not_connected_to),
        case("FETCH-03", addresses_as_hosts_are_refused),
        case("FETCH-04", no_redirect_is_followed),
        case("FETCH-05", a_body_over_its_limit_is_dropped),
        case("FETCH-05", a_body_that_drips_is_given_up),
        case("FETCH-05", a_compressed_body_is_not_blown_up),
        case("FETCH-05", one_fetch_is_in_flight_at_a_time),
        case("FETCH-06", a_fetch_says_nothing_of_anybody),
        case("FETCH-07", nothing_is_fetched_for_strangers),
        case("FETCH-08", the_error_says_nothing_of_what_was_seen),
    ]
}

/// A server that keeps what it was sent and answers with fixed bytes, some time apart.
struct Trap {
    port: u16,
    heard: Arc<Mutex<Vec<String>>>,
}

impl Trap {
    async fn set(answer: impl Into<Vec<u8>>, pause: Duration) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let port = listener.local_addr().unwrap().port();
        let heard = Arc::new(Mutex::new(Vec::new()));
        let (answer, kept) = (Arc::new(answer.into()), heard.clone());
        tokio::spawn(async move {
            while let Ok((mut stream, _)) = listener.accept().await {
                let (answer, kept) = (answer.clone(), kept.clone());
                tokio::spawn(async move {
                    let mut request = vec![0; 8192];
                    let read = stream.read(&mut request).await.unwrap_or(0);
                    kept.lock().unwrap().push(String::from_utf8_lossy(&request[..read]).into_owned());
                    let step = if pause.is_zero() { answer.len().max(1) } else { 1 };
                    for bytes in answer.chunks(step) {
                        if stream.write_all(bytes).await.is_err() {
                            return;
                        }
                        tokio::time::sleep(pause).await;
                    }
                });
            }
        });
        Self { port, heard }
    }

    fn connections(&self) -> usize {
        self.heard.lock().unwrap().len()
    }

    /// As a provider's `jwks_uri` or the like would be fetched from here, on loopback.
    async fn fetch(&self, limit: usize) -> Result<Vec<u8>, String> {
        let url = format!("http://127.0.0.1:{}/jwks", self.port);
        deputy::testing::fetch(&url, true, limit, true).await
    }
}

fn ok(body: &str) -> String {
    format!("HTTP/1.1 200 OK\r\nContent-Length: {}\r\nConnection: close\r\n\r\n{body}", body.len())
}

/// Fetches as from a Deputy that is not on loopback.
async fn fetch_from_afar(url: &str, is_private: bool) -> Result<Vec<u8>, String> {
    assert!(url::Url::parse(url).is_ok(), "{url}");
    deputy::testing::fetch(url, is_private, 1000, false).await
}

async fn nothing_but_https_is_opened() {
    let trap = Trap::set(ok("{}"), Duration::ZERO).await;
    let port = trap.port;

    for url in [
        format!("http://127.0.0.1:{port}/jwks"),
        format!("http://localhost:{port}/jwks"),
        format!("ftp://127.0.0.1:{port}/jwks"),
        format!("gopher://127.0.0.1:{port}/jwks"),
        format!("ws://127.0.0.1:{port}/jwks"),
        "file:///etc/hostname".to_owned(),
        "data:application/json,{}".to_owned(),
        "unix:/tmp/x".to_owned(),
    ] {
        for is_private in [false, true] {
            assert!(fetch_from_afar(&url, is_private).await.is_err(), "{url}");
        }
    }
    assert_eq!(trap.connections(), 0);
    assert!(trap.fetch(1000).await.is_ok(), "it would have answered");

    // Nor can an operator write them.
    let world = World::start(Setup::default()).await;
    let client = |uri: &str| {
        let toml = format!("{}\n[[client]]\nid = \"fetched\"\njwks_uri = \"{uri}\"\n", world.toml);
        deputy::testing::Config::parse(&toml, world.directory.path())
    };
    assert!(client("https://keys.example/jwks").is_ok());
    for uri in ["http://127.0.0.1:1/jwks", "http://[::1]:1/jwks", "http://localhost:1/jwks"] {
        assert!(client(uri).is_ok(), "{uri}: loopback, for development");
    }
    for uri in [
        "http://keys.example/jwks",
        "http://localhost.example/jwks",
        "http://10.0.0.1/jwks",
        "file:///etc/hostname",
        "ftp://keys.example/jwks",
        "data:application/json,{}",
        "gopher://keys.example/",
        "https://user:secret@keys.example/jwks",
        "https://keys.example/jwks#x",
        "keys.example/jwks",
    ] {
        assert!(client(uri).is_err(), "{uri}");
    }
}

async fn a_name_that_leads_inside_is_not_connected_to() {
    let trap = Trap::set(ok("{}"), Duration::ZERO).await;

    // Every address a name resolves to is checked where it is connected to: no second look-up.
    for name in ["localhost", "localhost.", "LOCALHOST"] {
        let url = format!("https://{name}:{}/jwks", trap.port);
        assert!(fetch_from_afar(&url, false).await.is_err());
        assert_eq!(trap.connections(), 0, "{name}");
    }
    // With `network = "private"` the operator permits an issuer at a private address.
    let url = format!("https://localhost:{}/jwks", trap.port);
    assert!(fetch_from_afar(&url, true).await.is_err(), "the trap speaks no TLS");
    assert_eq!(trap.connections(), 1, "but it was connected to");

    // A server that is itself on loopback may ask its own machine, by name as by address.
    let client =
        format!("\n[[client]]\nid = \"inside\"\njwks_uri = \"https://localhost:{}/jwks\"\n", trap.port);
    let world = World::start(Setup::default().add(&client)).await;
    let assertion = world.assertion("assistant").claim("iss", "inside").claim("sub", "inside").sign();
    let answer = world.form("/introspect").set("token", "x").with_assertion(&assertion).send().await;
    assert_unavailable(&answer);
    assert_eq!(trap.connections(), 2);
}

async fn addresses_as_hosts_are_refused() {
    let trap = Trap::set(ok("{}"), Duration::ZERO).await;
    let port = trap.port;

    for host in [
        "127.0.0.1",
        "127.1",
        "0x7f.1",
        "2130706433",
        "017700000001",
        "[::1]",
        "[::ffff:127.0.0.1]",
        "[64:ff9b::7f00:1]",
        "0.0.0.0",
        "10.0.0.1",
        "192.168.0.1",
        "169.254.169.254",
        "[fe80::1]",
        "[fc00::1]",
        "8.8.8.8",
    ] {
        let url = format!("https://{host}:{port}/jwks");
        let begun = Instant::now();
        assert!(fetch_from_afar(&url, false).await.is_err(), "{host}");
        assert!(begun.elapsed() < Duration::from_millis(500), "{host}: refused without trying");
    }
    assert_eq!(trap.connections(), 0);
}

async fn no_redirect_is_followed() {
    let inner = Trap::set(ok("{\"keys\":[]}"), Duration::ZERO).await;
    for status in ["301 Moved", "302 Found", "303 See Other", "307 Temporary", "308 Permanent"] {
        let location = format!("http://127.0.0.1:{}/latest/meta-data", inner.port);
        let answer = format!("HTTP/1.1 {status}\r\nLocation: {location}\r\nContent-Length: 0\r\n\r\n");
        let outer = Trap::set(answer, Duration::ZERO).await;
        assert!(outer.fetch(1000).await.is_err(), "{status}");
        assert_eq!((outer.connections(), inner.connections()), (1, 0), "{status}");
    }
}

async fn a_body_over_its_limit_is_dropped() {
    let body = "x".repeat(2000);
    let announced = Trap::set(ok(&body), Duration::ZERO).await;
    let silent =
        Trap::set(format!("HTTP/1.1 200 OK\r\nConnection: close\r\n\r\n{body}"), Duration::ZERO).await;

    for trap in [announced, silent] {
        assert!(trap.fetch(1999).await.is_err());
    }
    let fitting = Trap::set(ok(&body), Duration::ZERO).await;
    assert_eq!(fitting.fetch(2000).await.unwrap().len(), 2000);
}

async fn a_body_that_drips_is_given_up() {
    let trap = Trap::set(ok(&"x".repeat(500)), Duration::from_millis(50)).await;

    let begun = Instant::now();
    assert!(trap.fetch(1000).await.is_err());
    let taken = begun.elapsed();
    assert!(taken > Duration::from_secs(4) && taken < Duration::from_secs(7), "{taken:?}");
}

async fn a_compressed_body_is_not_blown_up() {
    // 32 bytes of gzip for a long run of zeros would be; here they stay what they are.
    let small = "\u{1f}compressed, as it says";
    let answer = format!(
        "HTTP/1.1 200 OK\r\nContent-Encoding: gzip\r\nContent-Length: {}\r\nConnection: close\r\n\r\n{small}",
        small.len()
    );
    let trap = Trap::set(answer, Duration::ZERO).await;
    assert_eq!(trap.fetch(1000).await.unwrap(), small.as_bytes());
    assert!(!trap.heard.lock().unwrap()[0].to_ascii_lowercase().contains("accept-encoding"));

    let world = World::start(Setup::default()).await;
    let keys = world.provider.key.jwks().to_string();
    world.provider.answer_keys_with(200, &[("Content-Encoding", "gzip")], format!("\u{1f}{keys}"));
    assert_unavailable(&world.tx().send().await);
}

async fn one_fetch_is_in_flight_at_a_time() {
    let world = World::start(Setup::default()).await;
    world.provider.delay_keys(Duration::from_millis(300));

    let answers = join_all((0..20).map(|_| world.tx().send())).await;
    assert!(answers.iter().all(|answer| answer.status == 200));
    assert_eq!((world.provider.discovery_fetches(), world.provider.jwks_fetches()), (1, 1));

    // A failing source is asked again after a pause, not at each request.
    let world = World::start(Setup::default()).await;
    world.provider.answer_keys_with(500, &[], "");
    for answer in join_all((0..20).map(|_| world.tx().send())).await {
        assert_unavailable(&answer);
    }
    assert_eq!(world.provider.jwks_fetches(), 1);
}

async fn a_fetch_says_nothing_of_anybody() {
    let answer =
        "HTTP/1.1 404 Not Found\r\nContent-Length: 0\r\nConnection: close\r\nSet-Cookie: a=b\r\n\r\n";
    let trap = Trap::set(answer, Duration::ZERO).await;
    let client =
        format!("\n[[client]]\nid = \"fetched\"\njwks_uri = \"http://127.0.0.1:{}/jwks\"\n", trap.port);
    let world = World::start(Setup::default().add(&client)).await;
    let assertion = world.assertion("assistant").claim("iss", "fetched").claim("sub", "fetched");

    for _ in 0..2 {
        let request = world.tx().with_assertion(&assertion.sign()).header("Cookie", "session=1");
        let request = request.header("X-Forwarded-For", "192.0.2.7").header("User-Agent", "caller/1");
        assert_unavailable(&request.send().await);
        world.advance(10);
    }
    let heard = trap.heard.lock().unwrap().clone();
    assert_eq!(heard.len(), 2);
    for request in heard {
        let mut lines = request.split("\r\n");
        assert_eq!(lines.next(), Some("GET /jwks HTTP/1.1"));
        let names: Vec<String> = lines
            .take_while(|line| !line.is_empty())
            .map(|line| line.split(':').next().unwrap().to_ascii_lowercase())
            .collect();
        assert!(
            names.iter().all(|name| ["host", "accept", "user-agent"].contains(&name.as_str())),
            "{names:?}"
        );
        for told in ["session=1", "192.0.2.7", "caller/1", "alice", "fetched"] {
            assert!(!request.contains(told), "{told}");
        }
    }
}

async fn nothing_is_fetched_for_strangers() {
    let keys = Provider::start(9).await;
    let client = format!("\n[[client]]\nid = \"fetched\"\njwks_uri = \"{}/jwks\"\n", keys.issuer);
    let world = World::start(Setup::default().add(&client)).await;
    let fetches = || (world.provider.discovery_fetches(), world.provider.jwks_fetches(), keys.jwks_fetches());

    let forged = world.assertion("assistant").signed_by(&Key::new("x")).sign();
    let unknown = world.assertion("assistant").claim("iss", "unheard-of").claim("sub", "unheard-of").sign();
    for request in [
        world.tx().anonymous(),
        world.tx().basic_with("basic-app:x"),
        world.tx().with_assertion(&forged),
        world.tx().with_assertion(&unknown),
    ] {
        request.send().await.refused(401, "invalid_client");
        assert_eq!(fetches(), (0, 0, 0));
    }
    // Not for an issuer that is not configured, either.
    let elsewhere = world.id_token().claim("iss", world.other_provider.issuer.as_str()).sign();
    world.tx().set("subject_token", &elsewhere).send().await.refused(400, "invalid_request");
    assert_eq!(world.other_provider.discovery_fetches(), 0);
    assert_eq!(fetches(), (0, 0, 0));
    world.tx().send().await.granted();
    assert_eq!(fetches(), (1, 1, 0));
}

async fn the_error_says_nothing_of_what_was_seen() {
    let mut bodies = Vec::new();
    let closed = free_port();
    for what in ["refused", "not found", "no json", "redirect", "not https", "secret"] {
        let world = World::start(Setup::default()).await;
        match what {
            "refused" => {
                world.provider.describe("jwks_uri", json!(format!("http://127.0.0.1:{closed}/jwks")))
            }
            "not found" => world.provider.answer_keys_with(404, &[], "nothing here"),
            "no json" => world.provider.answer_keys_with(200, &[], "<html>inside</html>"),
            "redirect" => world.provider.answer_keys_with(302, &[("Location", "/other")], ""),
            "not https" => world.provider.describe("jwks_uri", json!("ftp://127.0.0.1/jwks")),
            _ => world.provider.answer_keys_with(500, &[], "db password is hunter2"),
        }
        let answer = world.tx().send().await;
        assert_unavailable(&answer);
        assert!(!answer.text.contains("127.0.0.1") && !answer.text.contains("hunter2"), "{}", answer.text);
        bodies.push(answer.anonymous_body());
    }
    assert!(bodies.iter().all(|body| body == &bodies[0]), "{bodies:?}");
}

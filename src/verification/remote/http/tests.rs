use std::time::{Duration, Instant};

use super::super::server::{Answer, Server};
use super::*;
use crate::registry::KeysToken;

const LIMIT: usize = 512 * 1024;

async fn fetch(url: &str, reach: &Reach, is_local: bool) -> Result<Document, String> {
    let url: Url = url.parse().unwrap();
    HttpKeys::default().fetch(&url, reach, LIMIT, is_local).await.map_err(|FetchError(what)| what)
}

async fn local(server: &Server, path: &str) -> Result<Document, String> {
    fetch(server.url(path).as_str(), &Reach::default(), true).await
}

fn private() -> Reach {
    Reach { network: Network::Private, ..Reach::default() }
}

#[tokio::test]
async fn a_document_comes_with_its_cache_age_and_goes_without_anything_of_ours() {
    let server = Server::start();
    let headers =
        vec![("cache-control", "public, Max-Age=\"900\", x".to_owned()), ("set-cookie", "a=b".to_owned())];
    server.set("/jwks", Answer::Body("{}".to_owned(), headers));
    let keys = HttpKeys::default();
    for _ in 0..2 {
        let url = server.url("/jwks");
        let document = keys.fetch(&url, &Reach::default(), LIMIT, true).await.unwrap();
        assert_eq!(document.body, b"{}");
        assert_eq!(document.max_age, Some(Lifetime::from_seconds(900)));
    }
    let sent = server.last_headers();
    let mut names: Vec<&str> = sent.iter().map(|(name, _)| name.as_str()).collect();
    names.sort_unstable();
    assert_eq!(names, ["accept", "host", "user-agent"]);
}

#[tokio::test]
async fn plain_http_is_spoken_only_from_loopback_to_loopback() {
    let server = Server::start();
    server.set("/jwks", Answer::json("{}"));
    assert!(local(&server, "/jwks").await.is_ok());
    let by_name = server.url("/jwks").to_string().replace("127.0.0.1", "localhost");
    assert!(fetch(&by_name, &Reach::default(), true).await.is_ok(), "the name is loopback too");
    for url in [server.url("/jwks").as_str(), &by_name] {
        assert_eq!(fetch(url, &private(), false).await.unwrap_err(), "not https");
    }
    for url in [
        "http://op.example/",
        "http://10.0.0.1/",
        "http://localhost.example:1/",
        "ftp://127.0.0.1/",
        "file:///etc/passwd",
        "data:,x",
    ] {
        assert_eq!(fetch(url, &private(), true).await.unwrap_err(), "not https", "{url}");
    }
    assert_eq!(server.count("/jwks"), 2);
}

#[tokio::test]
async fn address_literals_in_any_form_are_refused_on_the_public_network() {
    for url in [
        "https://127.0.0.1/",
        "https://0x7f.1/",
        "https://2130706433/",
        "https://0177.0.0.1/",
        "https://[::1]/",
        "https://[::ffff:127.0.0.1]/",
        "https://169.254.169.254/latest/meta-data",
        "https://8.8.8.8/",
    ] {
        let fault = fetch(url, &Reach::default(), false).await.unwrap_err();
        assert!(fault.contains("address literal"), "{url}: {fault}");
    }
}

#[tokio::test]
async fn a_name_that_leads_to_this_machine_is_refused_on_the_public_network() {
    for url in ["https://localhost/", "https://LOCALHOST:8443/"] {
        let fault = fetch(url, &Reach::default(), false).await.unwrap_err();
        assert!(fault.contains("not public"), "{url}: {fault}");
    }
    // Not every resolver knows the name with the dot; none leads anywhere.
    assert!(fetch("https://localhost./", &Reach::default(), true).await.is_err());
}

#[tokio::test]
async fn credentials_in_a_url_are_never_sent() {
    let fault = fetch("https://user:pass@op.example/", &Reach::default(), false).await.unwrap_err();
    assert_eq!(fault, "credentials in the URL");
}

#[tokio::test]
async fn a_redirect_is_not_followed() {
    let server = Server::start();
    server.set("/jwks", Answer::Redirect(server.url("/elsewhere").to_string()));
    server.set("/elsewhere", Answer::json("{}"));
    assert_eq!(local(&server, "/jwks").await.unwrap_err(), "answered 302");
    assert_eq!(server.count("/elsewhere"), 0);
}

#[tokio::test]
async fn other_statuses_than_200_are_failures() {
    let server = Server::start();
    for status in [204, 206, 400, 404, 500, 503] {
        server.set("/jwks", Answer::Status(status));
        assert_eq!(local(&server, "/jwks").await.unwrap_err(), format!("answered {status}"));
    }
}

#[tokio::test]
async fn a_large_body_is_given_up_with_and_without_a_length_in_front() {
    let server = Server::start();
    server.set("/length", Answer::json("x".repeat(LIMIT + 1)));
    server.set("/stream", Answer::Zeros(1 << 30));
    server.set("/fits", Answer::json(" ".repeat(LIMIT)));
    assert!(local(&server, "/length").await.unwrap_err().contains("over"));
    assert!(local(&server, "/stream").await.unwrap_err().contains("over"));
    assert_eq!(local(&server, "/fits").await.unwrap().body.len(), LIMIT);
}

#[tokio::test]
async fn a_slow_answer_is_given_up_after_five_seconds() {
    let server = Server::start();
    server.set("/silent", Answer::Silence(Duration::from_secs(60)));
    server.set("/drip", Answer::Drip(50));
    let begun = Instant::now();
    let (silent, drip) = tokio::join!(local(&server, "/silent"), local(&server, "/drip"));
    assert!(silent.is_err() && drip.is_err());
    assert!((4..8).contains(&begun.elapsed().as_secs()), "{:?}", begun.elapsed());
}

#[tokio::test]
async fn a_compressed_body_is_not_unpacked() {
    let server = Server::start();
    let headers = vec![("content-encoding", "gzip".to_owned())];
    server.set("/jwks", Answer::Body("\u{1f}\u{8b}".to_owned(), headers));
    assert_eq!(local(&server, "/jwks").await.unwrap().body, "\u{1f}\u{8b}".as_bytes());
}

#[tokio::test]
async fn a_missing_or_empty_ca_file_is_told() {
    let dir = tempfile::tempdir().unwrap();
    let reach = |name: &str| Reach { tls_ca_file: Some(dir.path().join(name)), ..private() };
    std::fs::write(dir.path().join("empty.pem"), "").unwrap();
    for name in ["missing.pem", "empty.pem"] {
        let fault = fetch("https://op.example/", &reach(name), false).await.unwrap_err();
        assert!(fault.contains(name), "{fault}");
    }
}

#[tokio::test]
async fn a_private_ca_is_trusted_where_it_is_configured_and_nowhere_else() {
    let (server, pem) = Server::start_tls();
    server.set("/jwks", Answer::json("{}"));
    let dir = tempfile::tempdir().unwrap();
    let file = dir.path().join("ca.pem");
    std::fs::write(&file, pem).unwrap();
    let url = server.url("/jwks");
    let trusting = Reach { tls_ca_file: Some(file), ..private() };
    assert!(fetch(url.as_str(), &trusting, false).await.is_ok());
    assert!(fetch(url.as_str(), &private(), false).await.is_err());
    let other = Server::start_tls().0;
    other.set("/jwks", Answer::json("{}"));
    assert!(fetch(other.url("/jwks").as_str(), &trusting, false).await.is_err());
    assert_eq!((server.count("/jwks"), other.count("/jwks")), (1, 0));
}

#[tokio::test]
async fn a_proxy_is_used_where_it_is_configured() {
    let proxy = Server::start();
    let reach = Reach { proxy: Some(proxy.url("/")), ..Reach::default() };
    // It answers CONNECT with 404: the request ends there, and nothing was resolved here.
    assert!(fetch("https://op.invalid/jwks", &reach, false).await.is_err());
    assert!(proxy.last_headers().iter().any(|(name, value)| name == "host" && value.contains("op.invalid")));
}

#[tokio::test]
async fn a_token_is_presented_to_its_own_origin_alone_and_read_anew_at_each_fetch() {
    let dir = tempfile::tempdir().unwrap();
    let (server, pem) = Server::start_tls();
    server.set("/jwks", Answer::json("{}"));
    let (ca, file) = (dir.path().join("ca.pem"), dir.path().join("token"));
    std::fs::write(&ca, pem).unwrap();
    std::fs::write(&file, "first-token\n").unwrap();
    let url = server.url("/jwks");
    let with = |origin: url::Origin| {
        let token = KeysToken { file: file.clone(), origin };
        Reach { tls_ca_file: Some(ca.clone()), token: Some(token), ..private() }
    };
    let sent = || {
        server.last_headers().into_iter().find(|(name, _)| name == "authorization").map(|(_, value)| value)
    };
    let reach = with(url.origin());
    fetch(url.as_str(), &reach, false).await.unwrap();
    assert_eq!(sent().as_deref(), Some("Bearer first-token"));

    std::fs::write(&file, "second-token").unwrap();
    fetch(url.as_str(), &reach, false).await.unwrap();
    assert_eq!(sent().as_deref(), Some("Bearer second-token"));

    let elsewhere = with("https://other.example/".parse::<Url>().unwrap().origin());
    fetch(url.as_str(), &elsewhere, false).await.unwrap();
    assert_eq!(sent(), None);

    for unfit in ["", "  \n", "two\nlines", "a\u{0}b", &"x".repeat(17_000)] {
        std::fs::write(&file, unfit).unwrap();
        let fault = fetch(url.as_str(), &reach, false).await.unwrap_err();
        assert!(fault.contains("holds no token, or more than one") && !fault.contains("lines"), "{fault}");
    }
    std::fs::remove_file(&file).unwrap();
    let fault = fetch(url.as_str(), &reach, false).await.unwrap_err();
    assert!(fault.contains("keys_token_file") && fault.contains("No such file"), "{fault}");
}

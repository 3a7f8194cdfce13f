//! The identity provider goes away: what it signed before still serves.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::time::Duration;

use serde_json::json;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpListener;
use tokio::time::{Instant, sleep};

use super::log::{counted, lines};
use super::probe::PATIENCE;
use crate::definition::FETCHED;
use crate::jose::{Key, fresh_id};
use crate::process_support::{Backend, Plan, World, on_both_databases};

/// A provider on loopback that serves its metadata and its keys, until it is stopped.
struct Provider {
    issuer: String,
    is_up: Arc<AtomicBool>,
    fetches: Arc<AtomicUsize>,
}

impl Provider {
    async fn start(key: &Key) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
        let issuer = format!("http://{}", listener.local_addr().expect("an address"));
        let metadata = json!({
            "issuer": issuer, "jwks_uri": format!("{issuer}/keys"),
            "authorization_endpoint": format!("{issuer}/authorize"), "token_endpoint": format!("{issuer}/token"),
            "response_types_supported": ["code"], "subject_types_supported": ["public"],
            "id_token_signing_alg_values_supported": ["ES256"],
        });
        let (metadata, keys) = (metadata.to_string(), key.jwks().to_string());
        let provider = Self { issuer, is_up: Arc::new(AtomicBool::new(true)), fetches: Arc::default() };
        let (is_up, fetches) = (Arc::clone(&provider.is_up), Arc::clone(&provider.fetches));
        tokio::spawn(async move {
            while let Ok((mut connection, _)) = listener.accept().await {
                if !is_up.load(Ordering::SeqCst) {
                    continue; // the connection is closed at once
                }
                fetches.fetch_add(1, Ordering::SeqCst);
                let mut request = [0u8; 4096];
                let read = connection.read(&mut request).await.unwrap_or(0);
                let body = if request[..read].starts_with(b"GET /keys") { &keys } else { &metadata };
                let answer = format!(
                    "HTTP/1.1 200 OK\r\ncontent-type: application/json\r\ncontent-length: {}\r\nconnection: close\r\n\r\n{body}",
                    body.len(),
                );
                _ = connection.write_all(answer.as_bytes()).await;
            }
        });
        provider
    }

    fn stop(&self) {
        self.is_up.store(false, Ordering::SeqCst);
    }
}

on_both_databases! {
    async fn with_the_provider_stopped_task_tokens_go_on_and_hop_0_goes_on_with_known_keys(backend: Backend) {
        let key = Key::new("provider-1");
        let provider = Provider::start(&key).await;
        let world = World::of(
            backend,
            Plan { provider: provider.issuer.clone(), provider_key: key, provider_keys: FETCHED, ..Plan::default() },
        )
        .await;
        let mut server = world.start().await;
        let base = server.base.clone();
        let assistant = world.caller("assistant");
        let task = assistant.sign_in(&base, &world.id_token("ann"), world.issuer(), "tickets:search").await.token();
        let fetched = provider.fetches.load(Ordering::SeqCst);
        assert!(fetched >= 2, "metadata and keys were fetched {fetched} times");

        provider.stop();

        assert_eq!(assistant.exchange(&base, &task, "tickets", "tickets:search").await.status, 200);
        let another = assistant.sign_in(&base, &world.id_token("bob"), world.issuer(), "tickets:search").await;
        assert_eq!(another.status, 200, "{}", another.text);

        // A restart forgets the keys it fetched: hop 0 is then refused as unavailable, task tokens are not.
        server.stop().await;
        let mut server = world.start().await;
        let refused = assistant.sign_in(&base, &world.id_token("cyd"), world.issuer(), "tickets:search").await;
        assert_eq!((refused.status, refused.refusal().1), (503, "temporarily_unavailable"), "{}", refused.text);
        assert_eq!(assistant.exchange(&base, &task, "tickets", "tickets:search").await.status, 200);

        server.stop().await;
        world.finish().await;
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn tokens_with_made_up_keys_of_a_known_issuer_do_not_fill_the_log_and_are_no_errors_in_it() {
    const NOT_ANSWERED: &str = "a request was not answered";
    let key = Key::new("provider-1");
    let provider = Provider::start(&key).await;
    let plan = Plan {
        provider: provider.issuer.clone(),
        provider_key: key.clone(),
        provider_keys: FETCHED,
        ..Plan::default()
    };
    let world = World::of(Backend::Sqlite, plan).await;
    let mut server = world.start().await;
    let (base, assistant) = (server.base.clone(), world.caller("assistant"));
    let good = world.id_token("ann");
    assert_eq!(assistant.sign_in(&base, &good, world.issuer(), "tickets:search").await.status, 200);
    let (begun, fetched) = (Instant::now(), provider.fetches.load(Ordering::SeqCst));

    let claims = crate::jose::claims_of(&good);
    let (mut unanswered, mut kids) = (0, Vec::new());
    for _ in 0..200 {
        let made_up = key.named(&fresh_id());
        let token = world.witness.saw(made_up.sign_typed("JWT", &claims));
        let answer = assistant.sign_in(&base, &token, world.issuer(), "tickets:search").await;
        match answer.refusal() {
            (503, "temporarily_unavailable", _) => {
                assert_eq!(answer.retry_after.as_deref(), Some("5"));
                unanswered += 1;
                kids.push(made_up.kid);
            }
            // The provider was asked for this one, and has no such key.
            (400, "invalid_request", "subject_token_unacceptable") => {}
            _ => panic!("{}", answer.text),
        }
    }

    let until = Instant::now() + PATIENCE;
    while counted(&server.log(), NOT_ANSWERED) < unanswered {
        assert!(Instant::now() < until, "{}", server.log());
        sleep(Duration::from_millis(50)).await;
    }
    let log = server.log();
    let seconds = begun.elapsed().as_secs();
    assert!(unanswered > 100, "{unanswered} of 200");
    assert_eq!(counted(&log, NOT_ANSWERED), unanswered, "{log}");
    assert!(lines(&log, NOT_ANSWERED).len() <= 2 * (usize::try_from(seconds).unwrap() + 2), "{log}");
    assert!(!log.contains(" ERROR "), "{log}");
    assert!(kids.iter().all(|kid| !log.contains(kid.as_str())), "who presents a token writes the log: {log}");
    let asked = provider.fetches.load(Ordering::SeqCst) - fetched;
    assert!(asked <= 2 * (usize::try_from(seconds / 5).unwrap() + 1), "{asked} fetches in {seconds} s");
    let again = assistant.sign_in(&base, &world.id_token("bob"), world.issuer(), "tickets:search").await;
    assert_eq!(again.status, 200, "{}", again.text);
    server.stop().await;
    world.finish().await;
}

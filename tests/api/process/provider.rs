//! The identity provider goes away: what it signed before still serves.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};

use serde_json::json;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpListener;

use crate::definition::FETCHED;
use crate::jose::Key;
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

//! A server of documents on loopback, as an identity provider or a workload issuer has one.

use std::net::SocketAddr;
use std::sync::Arc;

use tokio::io::{AsyncRead, AsyncReadExt as _, AsyncWrite, AsyncWriteExt as _};
use tokio_rustls::TlsAcceptor;

/// What is served at one path. `@self@` in it is the server's own URL.
#[derive(Clone)]
pub(super) struct Served {
    pub(super) path: &'static str,
    pub(super) status: u16,
    /// Lines of the head, each with its end.
    pub(super) head: String,
    pub(super) body: String,
}

impl Served {
    /// A document that is there.
    pub(super) fn document(path: &'static str, body: impl Into<String>) -> Self {
        Self { path, status: 200, head: String::new(), body: body.into() }
    }
}

/// Serves the documents by plain HTTP, or by TLS with this configuration. Nothing is served at any other path.
pub(super) async fn serve(documents: Vec<Served>, tls: Option<rustls::ServerConfig>) -> SocketAddr {
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    let scheme = if tls.is_some() { "https" } else { "http" };
    let acceptor = tls.map(|config| TlsAcceptor::from(Arc::new(config)));
    tokio::spawn(async move {
        while let Ok((stream, _)) = listener.accept().await {
            let own = format!("{scheme}://{address}");
            match &acceptor {
                None => answer(stream, &documents, &own).await,
                Some(acceptor) => {
                    // A client that refuses the certificate ends the handshake.
                    if let Ok(stream) = acceptor.accept(stream).await {
                        answer(stream, &documents, &own).await;
                    }
                }
            }
        }
    });
    address
}

async fn answer(mut stream: impl AsyncRead + AsyncWrite + Unpin, documents: &[Served], own: &str) {
    let mut request = vec![0; 4096];
    let length = stream.read(&mut request).await.unwrap_or(0);
    let request = String::from_utf8_lossy(&request[..length]).into_owned();
    let path = request.split(' ').nth(1).unwrap_or("");
    let missing = Served { path: "", status: 404, head: String::new(), body: String::new() };
    let Served { status, head, body, .. } =
        documents.iter().find(|known| known.path == path).unwrap_or(&missing);
    let (head, body) = (head.replace("@self@", own), body.replace("@self@", own));
    let answer = format!(
        "HTTP/1.1 {status} \r\n{head}content-length: {}\r\nconnection: close\r\n\r\n{body}",
        body.len()
    );
    let _ = stream.write_all(answer.as_bytes()).await;
    let _ = stream.shutdown().await;
}

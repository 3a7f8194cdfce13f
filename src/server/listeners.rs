//! The listeners: public (TLS by rustls), management, and the admin socket.

use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use actix_web::dev::ServerHandle;
use actix_web::{App as Web, HttpResponse, HttpServer, web};

use super::socket;
use crate::app::App;
use crate::config::Config;
use crate::endpoint::metadata::issuer_path;
use crate::endpoint::route::Place;
use crate::endpoint::routes::ROUTES;
use crate::http::certificate::Certificate;

/// Time for the request head.
const HEAD_TIMEOUT: Duration = Duration::from_secs(5);
/// Time for the TLS handshake.
const HANDSHAKE_TIMEOUT: Duration = Duration::from_secs(3);
/// Time a stopping server gives to requests under way, in seconds.
const SHUTDOWN_SECONDS: u64 = 10;

/// Why the listeners do not start.
#[derive(Debug, thiserror::Error)]
pub enum ServeError {
    /// An address cannot be listened on.
    #[error("cannot listen on {what}: {source}")]
    Listen {
        /// Address or path.
        what: String,
        source: std::io::Error,
    },
    #[error("tls: {0}")]
    Tls(#[from] rustls::Error),
}

/// Running listeners.
pub struct Running {
    /// Where the public listener listens.
    pub public: SocketAddr,
    /// Where the management listener listens.
    pub management: SocketAddr,
    admin_socket: PathBuf,
    handles: Vec<ServerHandle>,
    servers: Vec<tokio::task::JoinHandle<std::io::Result<()>>>,
}

impl Running {
    /// Waits until a listener has ended.
    pub async fn ended(&mut self) {
        let _ = futures_util::future::select_all(&mut self.servers).await;
    }

    /// Stops listening and waits for requests under way.
    pub async fn stop(self) {
        for handle in &self.handles {
            handle.stop(true).await;
        }
        for server in self.servers {
            // A listener that failed while stopping has nothing left to answer.
            let _ = server.await;
        }
        // A client that finds no socket knows at once that no server runs. It may be gone already.
        let _ = std::fs::remove_file(self.admin_socket);
    }
}

/// Starts the listeners of `config` for `app`.
pub fn start(app: &Arc<App>, config: &Config) -> Result<Running, ServeError> {
    let workers = std::thread::available_parallelism().map_or(2, std::num::NonZero::get);
    let data = web::Data::from(app.clone());
    let base = issuer_path(config);
    let public = {
        let data = data.clone();
        let server = HttpServer::new(move || {
            let base = base.clone();
            Web::new()
                .app_data(data.clone())
                .configure(move |services| mount(services, &[Place::Issuer, Place::WellKnown], &base))
                .default_service(web::to(|| async { HttpResponse::NotFound().finish() }))
        })
        .workers(workers)
        .client_request_timeout(HEAD_TIMEOUT)
        .tls_handshake_timeout(HANDSHAKE_TIMEOUT)
        .shutdown_timeout(SHUTDOWN_SECONDS)
        .disable_signals();
        let address = config.listen.public;
        match &app.certificate {
            Some(certificate) => server.bind_rustls_0_23(address, server_config(certificate)?),
            None => server.bind(address),
        }
        .map_err(|source| ServeError::Listen { what: address.to_string(), source })?
    };
    let management = {
        let server = HttpServer::new(move || {
            Web::new()
                .app_data(data.clone())
                .configure(|services| mount(services, &[Place::Management], ""))
                .default_service(web::to(|| async { HttpResponse::NotFound().finish() }))
        })
        .workers(1)
        .client_request_timeout(HEAD_TIMEOUT)
        .tls_handshake_timeout(HANDSHAKE_TIMEOUT)
        .shutdown_timeout(SHUTDOWN_SECONDS)
        .disable_signals();
        let address = config.listen.management;
        match &app.certificate {
            Some(certificate) if !address.ip().is_loopback() => {
                server.bind_rustls_0_23(address, server_config(certificate)?)
            }
            _ => server.bind(address),
        }
        .map_err(|source| ServeError::Listen { what: address.to_string(), source })?
    };
    let first = |addresses: Vec<SocketAddr>, configured| addresses.first().copied().unwrap_or(configured);
    let public_address = first(public.addrs(), config.listen.public);
    let management_address = first(management.addrs(), config.listen.management);
    let admin_socket = config.admin_socket();
    let admin = admin_server(app, &admin_socket)?;
    let mut running = Running {
        public: public_address,
        management: management_address,
        admin_socket,
        handles: Vec::new(),
        servers: Vec::new(),
    };
    for server in [public.run(), management.run(), admin] {
        running.handles.push(server.handle());
        running.servers.push(tokio::spawn(server));
    }
    Ok(running)
}

fn admin_server(app: &Arc<App>, path: &Path) -> Result<actix_web::dev::Server, ServeError> {
    let listen = |source| ServeError::Listen { what: path.display().to_string(), source };
    let data = web::Data::from(app.clone());
    let server = HttpServer::new(move || {
        Web::new()
            .app_data(data.clone())
            .configure(|services| mount(services, &[Place::Admin], ""))
            .default_service(web::to(|| async { HttpResponse::NotFound().finish() }))
    })
    .workers(1)
    .client_request_timeout(HEAD_TIMEOUT)
    .shutdown_timeout(SHUTDOWN_SECONDS)
    .disable_signals()
    // `bind_uds` would call nothing when a connection is made.
    .on_connect(socket::note_peer)
    .listen_uds(socket::bind(path).map_err(listen)?)
    .map_err(listen)?;
    Ok(server.run())
}

/// Adds the routes of these places.
fn mount(services: &mut web::ServiceConfig, places: &[Place], issuer_path: &str) {
    for route in ROUTES.iter().filter(|route| places.contains(&route.place)) {
        route.mount(services, issuer_path);
    }
}

/// TLS 1.2 and 1.3 with AEAD suites only (BCP 195), with the certificate in force.
fn server_config(certificate: &Arc<Certificate>) -> Result<rustls::ServerConfig, ServeError> {
    let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
    let builder =
        rustls::ServerConfig::builder_with_provider(provider).with_safe_default_protocol_versions()?;
    Ok(builder.with_no_client_auth().with_cert_resolver(certificate.clone()))
}

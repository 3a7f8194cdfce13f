//! The listeners: public (TLS by rustls), for mutual TLS, management, and the admin socket.

use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use actix_web::dev::ServerHandle;
use actix_web::{App as Web, HttpResponse, HttpServer, web};
use rustls::{ConfigBuilder, ServerConfig, WantsVerifier};

use super::mutual_tls;
use super::socket::{self, SocketFault};
use super::tcp::{HEAD_TIMEOUT, Listener, SHUTDOWN_SECONDS, mount};
use crate::app::App;
use crate::config::Config;
use crate::endpoint::metadata::issuer_path;
use crate::endpoint::route::Place;
use crate::http::certificate::Certificate;

/// Connections of the management listener: few ask for health and metrics.
const MANAGEMENT_CONNECTIONS: usize = 128;
const MANAGEMENT_CONNECTIONS_PER_SOURCE: u32 = 32;
/// Connections of the admin socket.
const ADMIN_CONNECTIONS: usize = 32;
/// Open files that public connections leave to the others, to the database, to files, and to connections of Deputy's own.
const KEPT_FILES: usize = MANAGEMENT_CONNECTIONS + ADMIN_CONNECTIONS + 96;

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
    /// The admin socket cannot be where it would be.
    #[error(transparent)]
    Socket(#[from] SocketFault),
}

/// Running listeners.
pub struct Running {
    /// Where the public listener listens.
    pub public: SocketAddr,
    /// Where the management listener listens.
    pub management: SocketAddr,
    /// Where the listener for mutual TLS listens, if there is one.
    pub mtls: Option<SocketAddr>,
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
    let listen = |what: SocketAddr| move |source| ServeError::Listen { what: what.to_string(), source };
    let listeners = 1 + usize::from(config.listen.mtls.is_some());
    let connections = connections(config, listeners, crate::base::process::raise_open_files());
    // A handshake that is not finished is a connection like another. Its number is limited by source, and not again
    // by worker, where connections of one source would keep those of others waiting.
    actix_tls::accept::max_concurrent_tls_connect(connections * listeners);
    let public = Listener {
        app: app.clone(),
        address: config.listen.public,
        places: &[Place::Issuer, Place::WellKnown, Place::Discovery],
        base: issuer_path(config),
        tls: app.certificate.as_ref().map(server_config).transpose()?,
        takes_certificates: false,
        workers,
        connections,
        per_source: limit_of_source,
    };
    let (public_address, public) = public.start().map_err(listen(config.listen.public))?;
    let mtls = match (config.listen.mtls, &app.certificate) {
        (Some(address), Some(certificate)) => {
            let listener = Listener {
                app: app.clone(),
                address,
                places: &[Place::Issuer],
                base: issuer_path(config),
                tls: Some(mutual_tls::server_config(certificate)?),
                takes_certificates: true,
                workers,
                connections,
                per_source: limit_of_source,
            };
            Some(listener.start().map_err(listen(address))?)
        }
        _ => None,
    };
    let is_tls = !config.listen.management.ip().is_loopback();
    let management = Listener {
        app: app.clone(),
        address: config.listen.management,
        places: &[Place::Management],
        base: String::new(),
        tls: app.certificate.as_ref().filter(|_| is_tls).map(server_config).transpose()?,
        takes_certificates: false,
        workers: 1,
        connections: MANAGEMENT_CONNECTIONS,
        per_source: |_, _| Some(MANAGEMENT_CONNECTIONS_PER_SOURCE),
    };
    let (management_address, management) = management.start().map_err(listen(config.listen.management))?;
    let admin_socket = config.admin_socket();
    let admin = admin_server(app, &admin_socket)?;
    let mut running = Running {
        public: public_address,
        management: management_address,
        mtls: mtls.as_ref().map(|(address, _)| *address),
        admin_socket,
        handles: Vec::new(),
        servers: Vec::new(),
    };
    for server in [public, management, admin].into_iter().chain(mtls.map(|(_, server)| server)) {
        running.handles.push(server.handle());
        running.servers.push(tokio::spawn(server));
    }
    Ok(running)
}

/// How many connections a source may hold. A proxy speaks for many, and limits each of them itself.
fn limit_of_source(app: &App, peer: SocketAddr) -> Option<u32> {
    let config = app.config.load();
    (!config.listen.trusts(peer.ip())).then_some(config.limits.connections_per_source)
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
    .max_connections(ADMIN_CONNECTIONS)
    .client_request_timeout(HEAD_TIMEOUT)
    .shutdown_timeout(SHUTDOWN_SECONDS)
    .disable_signals()
    // `bind_uds` would call nothing when a connection is made.
    .on_connect(socket::note_peer)
    .listen_uds(socket::bind(path).map_err(listen)?)
    .map_err(listen)?;
    Ok(server.run())
}

/// How many connections each of the listeners for clients takes: as configured, or what the limit of open files leaves.
fn connections(config: &Config, listeners: usize, open_files: Option<u64>) -> usize {
    let configured = config.limits.connections as usize;
    let open_files = open_files.and_then(|files| usize::try_from(files).ok()).unwrap_or(usize::MAX);
    let left = open_files.saturating_sub(KEPT_FILES).max(open_files / 2) / listeners;
    if left < configured {
        tracing::warn!(
            open_files,
            connections = left,
            "fewer connections than `limits.connections` can be open"
        );
    }
    configured.min(left)
}

/// TLS 1.2 and 1.3 with AEAD suites only (BCP 195), with the certificate in force.
fn server_config(certificate: &Arc<Certificate>) -> Result<ServerConfig, ServeError> {
    Ok(tls_builder()?.with_no_client_auth().with_cert_resolver(certificate.clone()))
}

/// What all listeners with TLS have in common.
pub(super) fn tls_builder() -> Result<ConfigBuilder<ServerConfig, WantsVerifier>, rustls::Error> {
    let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
    ServerConfig::builder_with_provider(provider).with_safe_default_protocol_versions()
}

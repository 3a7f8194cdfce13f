//! A listener of HTTP/1.1 over TCP, with TLS or without, behind its [`Gate`].
//!
//! It is put together from the parts of actix-web, because a connection that is too many has to be refused before its
//! TLS handshake, and `HttpServer` calls nothing of ours before it.

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use actix_http::{HttpService, HttpServiceBuilder, Request, TlsAcceptorConfig};
use actix_service::{
    IntoServiceFactory as _, Service, ServiceFactory, ServiceFactoryExt as _, apply_fn_factory, map_config,
};
use actix_web::dev::{AppConfig, Server, ServiceRequest, ServiceResponse};
use actix_web::rt::net::TcpStream;
use actix_web::{App as Web, Error, HttpResponse, web};
use tokio::net::TcpSocket;

use super::gate::Gate;
use super::mutual_tls;
use crate::app::App;
use crate::endpoint::route::Place;
use crate::endpoint::routes::ROUTES;

/// Time for the request head.
pub const HEAD_TIMEOUT: Duration = Duration::from_secs(5);
/// Time for the TLS handshake.
const HANDSHAKE_TIMEOUT: Duration = Duration::from_secs(3);
/// Time for the client to take its end of a connection down.
const DISCONNECT_TIMEOUT: Duration = Duration::from_secs(1);
/// Time a stopping server gives to requests under way, in seconds.
pub const SHUTDOWN_SECONDS: u64 = 10;
/// Connections that the system holds until they are accepted.
const BACKLOG: u32 = 1024;

/// What a listener is started with.
pub struct Listener {
    pub app: Arc<App>,
    pub address: SocketAddr,
    pub places: &'static [Place],
    /// The path of the issuer, where the places are below it.
    pub base: String,
    pub tls: Option<rustls::ServerConfig>,
    /// Whether clients may present certificates.
    pub takes_certificates: bool,
    pub workers: usize,
    /// How many connections there may be at once. Further ones wait until they are accepted.
    pub connections: usize,
    /// How many of them a source may hold. `None` means any number.
    pub per_source: fn(&App, SocketAddr) -> Option<u32>,
}

impl Listener {
    /// Listens, and returns where, with the server that answers once it is spawned.
    ///
    /// # Errors
    /// The address cannot be listened on.
    pub fn start(self) -> std::io::Result<(SocketAddr, Server)> {
        let socket = if self.address.is_ipv4() { TcpSocket::new_v4() } else { TcpSocket::new_v6() }?;
        socket.set_reuseaddr(true)?;
        socket.bind(self.address)?;
        let listener = socket.listen(BACKLOG)?.into_std()?;
        let address = listener.local_addr()?;
        let builder = Server::build()
            .workers(self.workers)
            .max_concurrent_connections(self.connections.div_ceil(self.workers))
            .shutdown_timeout(SHUTDOWN_SECONDS)
            .disable_signals();
        let stopping = builder.graceful_shutdown_signal();
        let gate = Arc::new(Gate::new(self.app.metrics.connections_refused.clone()));
        let Self { app, places, base, tls, takes_certificates, per_source, .. } = self;
        let name = format!("{address}");
        let answers = {
            let (app, gate) = (app.clone(), gate.clone());
            move || answers(services(&app, places, &base), &gate)
        };
        let stopping = move || {
            let stopping = stopping.clone();
            async move { stopping.notified().await }
        };
        let server = match tls {
            None => builder.listen(name, listener, move || {
                let http = http(stopping.clone()).local_addr(address).finish(answers());
                behind(http.tcp(), &gate, &app, per_source)
            })?,
            Some(tls) => builder.listen(name, listener, move || {
                let http = http(stopping.clone()).local_addr(address);
                let http = http.on_connect_ext(move |stream, data| {
                    if takes_certificates {
                        data.insert(mutual_tls::handshake(stream));
                    }
                });
                let http = http.finish(answers());
                let timeout = TlsAcceptorConfig::default().handshake_timeout(HANDSHAKE_TIMEOUT);
                behind(http.rustls_0_23_with_config(tls.clone(), timeout), &gate, &app, per_source)
            })?,
        };
        Ok((address, server.run()))
    }
}

/// The parts of one actix application: the routes of these places, and nothing else.
fn services(
    app: &Arc<App>,
    places: &'static [Place],
    base: &str,
) -> Web<
    impl ServiceFactory<ServiceRequest, Config = (), Response = ServiceResponse, Error = Error, InitError = ()>
    + use<>,
> {
    Web::new()
        .app_data(web::Data::from(app.clone()))
        .configure(|services| mount(services, places, base))
        .default_service(web::to(|| async { HttpResponse::NotFound().finish() }))
}

/// What answers the requests, each noted at the gate while it is answered.
fn answers<S>(
    web: Web<S>,
    gate: &Arc<Gate>,
) -> impl ServiceFactory<
    Request,
    Config = (),
    Response = ServiceResponse,
    Error = HttpResponse,
    InitError = (),
    Service = impl Service<Request, Response = ServiceResponse, Error = HttpResponse, Future: 'static> + use<S>,
> + use<S>
where
    S: ServiceFactory<ServiceRequest, Config = (), Response = ServiceResponse, Error = Error, InitError = ()>
        + 'static,
{
    let gate = gate.clone();
    let web = map_config(web.into_factory(), |()| AppConfig::default());
    let noted = apply_fn_factory(web, move |request: Request, web| {
        let under_way = gate.request(request.peer_addr());
        let answer = web.call(request);
        async move {
            let answer = answer.await;
            drop(under_way);
            answer
        }
    });
    noted.map_err(|error| error.error_response())
}

/// HTTP with our times. Requests under way are answered when `stopping` says that the server stops.
fn http<T, S, F>(stopping: impl Fn() -> F + 'static) -> HttpServiceBuilder<T, S>
where
    S: ServiceFactory<Request, Config = (), Response = ServiceResponse, Error = HttpResponse, InitError = ()>
        + 'static,
    <S::Service as Service<Request>>::Future: 'static,
    F: Future<Output = ()> + 'static,
{
    HttpService::build()
        .client_request_timeout(HEAD_TIMEOUT)
        .client_disconnect_timeout(DISCONNECT_TIMEOUT)
        .graceful_shutdown_signal(stopping)
}

/// Puts the gate before what serves a connection. A connection is counted until it is closed.
fn behind<F>(
    http: F,
    gate: &Arc<Gate>,
    app: &Arc<App>,
    per_source: fn(&App, SocketAddr) -> Option<u32>,
) -> impl ServiceFactory<TcpStream, Config = (), Response = (), Error = F::Error, InitError = F::InitError> + use<F>
where
    F: ServiceFactory<TcpStream, Config = (), Response = ()>,
{
    let (gate, app) = (gate.clone(), app.clone());
    apply_fn_factory(http, move |stream: TcpStream, http: &F::Service| {
        let peer = stream.peer_addr().ok();
        let admitted = peer.and_then(|peer| gate.admit(peer, per_source(&app, peer)));
        let served = admitted.map(|connection| (connection, http.call(stream)));
        async move {
            let Some((connection, served)) = served else { return Ok(()) };
            tokio::select! {
                outcome = served => outcome,
                () = connection.idle() => Ok(()),
            }
        }
    })
}

/// Adds the routes of these places.
pub fn mount(services: &mut web::ServiceConfig, places: &[Place], issuer_path: &str) {
    for route in ROUTES.iter().filter(|route| places.contains(&route.place)) {
        route.mount(services, issuer_path);
    }
}

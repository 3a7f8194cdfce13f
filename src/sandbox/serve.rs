//! Real HTTP servers on loopback, one for each party.

use std::net::TcpListener;

use actix_web::dev::ServerHandle;
use actix_web::web::ServiceConfig;
use actix_web::{App, HttpServer};
use anyhow::Context as _;

/// A loopback port that is taken, so that its URL is known before anything is served there.
#[derive(Debug)]
pub struct Bound {
    listener: TcpListener,
    /// `http://127.0.0.1:<port>`
    pub url: String,
}

/// Takes a free loopback port.
///
/// # Errors
/// There is none.
pub fn bind() -> anyhow::Result<Bound> {
    let listener = TcpListener::bind(("127.0.0.1", 0)).context("bind a loopback port")?;
    let url = format!("http://{}", listener.local_addr().context("read the port")?);
    Ok(Bound { listener, url })
}

/// A free loopback port for someone else to bind. It may be taken by others meanwhile.
///
/// # Errors
/// There is none.
pub fn free_address() -> anyhow::Result<std::net::SocketAddr> {
    TcpListener::bind(("127.0.0.1", 0)).and_then(|listener| listener.local_addr()).context("find a free port")
}

/// A running server; stops when dropped.
pub struct Server(ServerHandle);

impl Drop for Server {
    fn drop(&mut self) {
        // The first poll hands the command to the server; there is nobody to wait for its answer.
        let _ = futures_util::FutureExt::now_or_never(self.0.stop(false));
    }
}

impl Bound {
    /// Serves these routes from now on, on one worker thread.
    ///
    /// # Errors
    /// The listener cannot be used.
    pub fn serve(
        self,
        routes: impl Fn(&mut ServiceConfig) + Clone + Send + 'static,
    ) -> anyhow::Result<Server> {
        let server = HttpServer::new(move || App::new().configure(routes.clone()))
            .workers(1)
            .disable_signals()
            .shutdown_timeout(1)
            .listen(self.listener)
            .context("listen")?
            .run();
        let handle = server.handle();
        tokio::spawn(server);
        Ok(Server(handle))
    }
}

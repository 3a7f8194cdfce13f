//! Real HTTP servers on loopback, one for each party.

use std::net::{SocketAddr, TcpListener};
use std::sync::Arc;

use actix_web::dev::ServerHandle;
use actix_web::web::{Data, ServiceConfig};
use actix_web::{App, HttpServer};
use anyhow::{Context as _, bail};

use crate::base::entropy::Entropy;

/// A loopback port that is taken, so that its URL is known before anything is served there.
#[derive(Debug)]
pub struct Bound {
    listener: TcpListener,
    /// `http://127.0.0.1:<port>`
    pub url: String,
}

/// Takes a free loopback port.
pub fn bind() -> anyhow::Result<Bound> {
    bind_at(([127, 0, 0, 1], 0).into())
}

/// Takes this loopback port.
pub fn bind_at(address: SocketAddr) -> anyhow::Result<Bound> {
    let listener = TcpListener::bind(address).context("bind a loopback port")?;
    let url = format!("http://{}", listener.local_addr().context("read the port")?);
    Ok(Bound { listener, url })
}

/// A free loopback port for someone else to bind. Taken at random from below the range that systems give
/// to outgoing connections, so that hardly anyone takes it meanwhile.
pub fn free_address(entropy: &dyn Entropy) -> anyhow::Result<SocketAddr> {
    for _ in 0..100 {
        let mut random = [0; 2];
        entropy.fill(&mut random)?;
        let address = SocketAddr::from(([127, 0, 0, 1], 20_000 + u16::from_be_bytes(random) % 12_000));
        if TcpListener::bind(address).is_ok() {
            return Ok(address);
        }
    }
    bail!("no loopback port between 20000 and 32000 is free")
}

/// A running server; stops when dropped.
pub struct Server(ServerHandle);

impl Server {
    /// Stops it at once. Afterwards nobody listens on its port.
    pub async fn stop(self) {
        self.0.stop(false).await;
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        // The first poll hands the command to the server; there is nobody to wait for its answer.
        let _ = futures_util::FutureExt::now_or_never(self.0.stop(false));
    }
}

impl Bound {
    /// Serves these routes over `state` from now on, on one worker thread.
    pub fn serve<S: Send + Sync + 'static>(
        self,
        state: &Arc<S>,
        routes: fn(&mut ServiceConfig),
    ) -> anyhow::Result<Server> {
        let state = Data::from(state.clone());
        let server = HttpServer::new(move || App::new().app_data(state.clone()).configure(routes))
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

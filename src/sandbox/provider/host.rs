//! Where the provider serves, so that it can be stopped and started again at the same address.

use std::net::SocketAddr;
use std::sync::Arc;

use super::{Provider, routes};
use crate::sandbox::serve::{Server, bind_at};

/// The provider, with what it remembers, and its server while it runs.
pub struct Host {
    pub provider: Arc<Provider>,
    address: SocketAddr,
    server: Option<Server>,
}

impl Host {
    /// Serves the provider at this address.
    pub fn start_at(address: SocketAddr, provider: Arc<Provider>) -> anyhow::Result<Self> {
        let mut host = Self { provider, address, server: None };
        host.start()?;
        Ok(host)
    }

    /// Serves again, unless it does.
    pub fn start(&mut self) -> anyhow::Result<()> {
        if self.server.is_none() {
            self.server = Some(bind_at(self.address)?.serve(&self.provider, routes)?);
        }
        Ok(())
    }

    /// Stops: nobody listens at its address any more.
    pub async fn stop(&mut self) {
        if let Some(server) = self.server.take() {
            server.stop().await;
        }
    }
}

//! What lies between Deputy and its database server: a proxy that a test can make hold everything back, or lead to
//! another server, as a name does that is given to another machine.

use std::net::SocketAddr;

use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::tcp::{OwnedReadHalf, OwnedWriteHalf};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::watch;

#[derive(Clone, Copy)]
struct State {
    to: SocketAddr,
    is_frozen: bool,
}

/// A running proxy, until it is dropped.
pub struct Gate {
    address: SocketAddr,
    state: watch::Sender<State>,
}

impl Gate {
    /// Leads to the server of this URL.
    pub async fn to(url: &str) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
        let address = listener.local_addr().expect("an address");
        let (state, seen) = watch::channel(State { to: address_of(url), is_frozen: false });
        tokio::spawn(accept(listener, seen));
        Self { address, state }
    }

    /// The URL of a database on the server behind this, with the address of this.
    pub fn url(&self, url: &str) -> String {
        url.replacen(&address_of(url).to_string(), &self.address.to_string(), 1)
    }

    /// Connections stay open, and nothing goes through.
    pub fn freeze(&self) {
        self.state.send_modify(|state| state.is_frozen = true);
    }

    /// What was held back goes through.
    pub fn thaw(&self) {
        self.state.send_modify(|state| state.is_frozen = false);
    }

    /// New connections lead to the server of this URL; those that are open stay where they are.
    pub fn lead_to(&self, url: &str) {
        self.state.send_modify(|state| state.to = address_of(url));
    }
}

fn address_of(url: &str) -> SocketAddr {
    let url: url::Url = url.parse().expect("a URL");
    let address = format!("{}:{}", url.host_str().expect("a host"), url.port().expect("a port"));
    address.parse().expect("the test server is named by its address")
}

async fn accept(listener: TcpListener, mut state: watch::Receiver<State>) {
    loop {
        tokio::select! {
            accepted = listener.accept() => {
                let Ok((here, _)) = accepted else { return };
                tokio::spawn(lead(here, state.clone()));
            }
            // The gate was dropped.
            gone = state.changed() => if gone.is_err() { return },
        }
    }
}

/// Waits while everything is held back; gives back where new connections lead to, or `None` at the end.
async fn open(state: &mut watch::Receiver<State>) -> Option<SocketAddr> {
    state.wait_for(|state| !state.is_frozen).await.ok().map(|state| state.to)
}

async fn lead(here: TcpStream, mut state: watch::Receiver<State>) {
    let Some(to) = open(&mut state).await else { return };
    let Ok(there) = TcpStream::connect(to).await else { return };
    let ((from_here, to_here), (from_there, to_there)) = (here.into_split(), there.into_split());
    tokio::join!(pass(from_here, to_there, state.clone()), pass(from_there, to_here, state));
}

async fn pass(mut from: OwnedReadHalf, mut to: OwnedWriteHalf, mut state: watch::Receiver<State>) {
    let mut bytes = vec![0; 64 << 10];
    while let Ok(count @ 1..) = from.read(&mut bytes).await {
        if open(&mut state).await.is_none() || to.write_all(&bytes[..count]).await.is_err() {
            return;
        }
    }
    // The end of a connection is held back too.
    let _ = open(&mut state).await;
}

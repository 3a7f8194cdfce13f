//! Who may hold a connection: so many for each source, and only while requests are made with it. A connection costs its
//! client nothing and needs no credential, but the number of open files is limited.

use std::collections::HashMap;
use std::net::{IpAddr, SocketAddr};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use prometheus::IntCounter;
use tokio::time::Instant;

use crate::http::caller::network;

/// How long a connection may be open without a request under way. A handshake and a request head together may take 8
/// seconds, and between two requests a connection may be kept for 5 seconds.
const IDLE: Duration = Duration::from_secs(10);
/// How often refused connections are told in the log at most.
const TELL_EVERY: Duration = Duration::from_secs(60);

/// The connections of one listener.
pub struct Gate {
    state: Mutex<State>,
    refused: IntCounter,
    idle: Duration,
}

#[derive(Default)]
struct State {
    of_source: HashMap<IpAddr, u32>,
    /// By the peer's address with its port, which no other connection to this listener has at the same time.
    connections: HashMap<SocketAddr, Arc<Pulse>>,
    refused_since_told: u64,
    told: Option<Instant>,
}

/// What is known about the requests of one connection.
struct Pulse {
    under_way: AtomicUsize,
    last: Mutex<Instant>,
}

impl Gate {
    /// No connection yet. Those that are refused are counted.
    pub fn new(refused: IntCounter) -> Self {
        Self { state: Mutex::default(), refused, idle: IDLE }
    }

    /// Lets a connection in, unless its source holds `most` of them; `None` means any number.
    pub fn admit(self: &Arc<Self>, peer: SocketAddr, most: Option<u32>) -> Option<Connection> {
        let source = network(peer.ip());
        let mut state = self.state();
        let held = state.of_source.entry(source).or_default();
        if most.is_some_and(|most| *held >= most) {
            self.refused.inc();
            state.tell_of_refused();
            return None;
        }
        *held += 1;
        let pulse = Arc::new(Pulse { under_way: AtomicUsize::new(0), last: Mutex::new(Instant::now()) });
        state.connections.insert(peer, pulse.clone());
        Some(Connection { gate: self.clone(), peer, pulse })
    }

    /// Notes that a request of this connection is under way, until the returned value is dropped.
    pub fn request(&self, peer: Option<SocketAddr>) -> Option<UnderWay> {
        let pulse = self.state().connections.get(&peer?)?.clone();
        pulse.under_way.fetch_add(1, Ordering::SeqCst);
        Some(UnderWay(pulse))
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl State {
    fn tell_of_refused(&mut self) {
        self.refused_since_told += 1;
        if self.told.is_none_or(|told| told.elapsed() >= TELL_EVERY) {
            tracing::warn!(
                refused = self.refused_since_told,
                "connections were refused, because their source holds as many as `limits.connections_per_source` allows"
            );
            self.refused_since_told = 0;
            self.told = Some(Instant::now());
        }
    }
}

/// A connection that was let in, counted until it is dropped.
pub struct Connection {
    gate: Arc<Gate>,
    peer: SocketAddr,
    pulse: Arc<Pulse>,
}

impl Connection {
    /// Waits until the connection has been of no use for too long.
    pub async fn idle(&self) {
        let idle = self.gate.idle;
        loop {
            let last = *self.pulse.last();
            if self.pulse.under_way.load(Ordering::SeqCst) == 0 && last.elapsed() >= idle {
                return;
            }
            // A request that is under way now is looked at again when it could have been over for that long.
            tokio::time::sleep_until((last + idle).max(Instant::now() + idle / 10)).await;
        }
    }
}

impl Drop for Connection {
    fn drop(&mut self) {
        let mut state = self.gate.state();
        // The port may have been taken by a new connection before this one was taken down.
        if state.connections.get(&self.peer).is_some_and(|pulse| Arc::ptr_eq(pulse, &self.pulse)) {
            state.connections.remove(&self.peer);
        }
        let source = network(self.peer.ip());
        if let Some(held) = state.of_source.get_mut(&source) {
            *held -= 1;
            if *held == 0 {
                state.of_source.remove(&source);
            }
        }
    }
}

/// A request of a connection while it is answered.
pub struct UnderWay(Arc<Pulse>);

impl Drop for UnderWay {
    fn drop(&mut self) {
        *self.0.last() = Instant::now();
        self.0.under_way.fetch_sub(1, Ordering::SeqCst);
    }
}

impl Pulse {
    fn last(&self) -> MutexGuard<'_, Instant> {
        self.last.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn gate() -> Arc<Gate> {
        Arc::new(Gate::new(IntCounter::new("refused", "refused").unwrap()))
    }

    fn peer(text: &str, port: u16) -> SocketAddr {
        SocketAddr::new(text.parse().unwrap(), port)
    }

    #[test]
    fn a_source_holds_so_many_connections_and_others_their_own() {
        let gate = gate();
        let admit = |address, port: u16| gate.admit(peer(address, port), Some(2));
        let first = admit("192.0.2.1", 1).unwrap();
        let second = admit("::ffff:192.0.2.1", 2).unwrap();
        assert!(admit("192.0.2.1", 3).is_none());
        let other = admit("192.0.2.2", 3).unwrap();
        drop(first);
        let third = admit("192.0.2.1", 1).unwrap();
        assert!(admit("192.0.2.1", 4).is_none());
        assert!(gate.admit(peer("192.0.2.1", 4), None).is_some(), "a proxy has no limit");
        drop((second, other, third));
        let state = gate.state();
        assert!(state.of_source.is_empty() && state.connections.is_empty());
    }

    #[test]
    fn a_64_of_ipv6_is_one_source() {
        let gate = gate();
        let _held = gate.admit(peer("2001:db8::1", 1), Some(1)).unwrap();
        assert!(gate.admit(peer("2001:db8::2", 1), Some(1)).is_none());
        assert!(gate.admit(peer("2001:db8:0:1::", 1), Some(1)).is_some());
    }

    #[tokio::test]
    async fn a_connection_without_a_request_is_over_after_a_time_and_a_request_is_waited_for() {
        let idle = Duration::from_millis(50);
        let gate = Arc::new(Gate { idle, ..Gate::new(IntCounter::new("refused", "refused").unwrap()) });
        let address = peer("192.0.2.1", 1);
        let connection = gate.admit(address, None).unwrap();
        let begun = Instant::now();
        connection.idle().await;
        assert!(begun.elapsed() >= idle);

        let request = gate.request(Some(address)).unwrap();
        assert!(tokio::time::timeout(4 * idle, connection.idle()).await.is_err(), "a request is under way");
        drop(request);
        let over = Instant::now();
        connection.idle().await;
        assert!(over.elapsed() >= idle);
    }
}

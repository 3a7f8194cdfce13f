//! Ports of loopback for servers that a test starts.

use std::net::TcpListener;
use std::sync::atomic::{AtomicU32, Ordering};

/// The first port given out, and how many there are: below those that systems hand to outgoing
/// connections and to listeners on port 0, and below those that the sandbox takes. One of these could
/// otherwise take the port between its choice and its use, or while a server is restarting.
const FIRST: u16 = 10_000;
const COUNT: u16 = 10_000;

/// A port on which nobody listened a moment ago, given out once a process.
pub fn free_port() -> u16 {
    static GIVEN_OUT: AtomicU32 = AtomicU32::new(0);
    loop {
        let count = GIVEN_OUT.fetch_add(1, Ordering::SeqCst);
        // Processes that run beside this one begin elsewhere.
        let place = std::process::id().wrapping_mul(97).wrapping_add(count) % u32::from(COUNT);
        let port = FIRST + u16::try_from(place).unwrap_or(0);
        if TcpListener::bind(("127.0.0.1", port)).is_ok() {
            return port;
        }
    }
}

//! Stops a transaction before one of its statements: a proxy between one node and PostgreSQL that reads what is sent.

use std::sync::Arc;

use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::tcp::OwnedWriteHalf;
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::watch;

/// What the proxy does with the next transaction.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
enum Step {
    /// Nothing: whatever comes is passed on.
    #[default]
    Open,
    /// The next transaction is held before this statement; `BEGIN` is the first.
    Armed(u32),
    /// The transaction is under way, and has not come to that statement.
    Counting,
    /// It waits before that statement.
    Held,
    /// The transaction is over, and had so many statements.
    Over(u32),
}

/// The proxy. It holds one transaction at a time.
pub(crate) struct Hold {
    step: Arc<watch::Sender<Step>>,
    pub(crate) port: u16,
}

impl Hold {
    pub(crate) async fn before(server: String) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let hold = Self { step: Arc::default(), port: listener.local_addr().unwrap().port() };
        let step = Arc::clone(&hold.step);
        tokio::spawn(async move {
            while let Ok((client, _)) = listener.accept().await {
                let server = TcpStream::connect(&server).await.unwrap();
                client.set_nodelay(true).unwrap();
                server.set_nodelay(true).unwrap();
                tokio::spawn(pass(client, server, Arc::clone(&step)));
            }
        });
        hold
    }

    /// Has the next transaction held before its n-th statement.
    pub(crate) fn arm(&self, statement: u32) {
        self.step.send_replace(Step::Armed(statement));
    }

    /// Waits until the transaction is held; `false` if it ended before that.
    pub(crate) async fn is_reached(&self) -> bool {
        let mut step = self.step.subscribe();
        let step = step.wait_for(|step| matches!(step, Step::Held | Step::Over(_))).await;
        *step.unwrap() == Step::Held
    }

    /// Lets it go on.
    pub(crate) fn release(&self) {
        self.step.send_if_modified(|step| {
            let is_held = *step == Step::Held;
            if is_held {
                *step = Step::Counting;
            }
            is_held
        });
    }

    /// How many statements the transaction had.
    pub(crate) async fn count(&self) -> u32 {
        let mut step = self.step.subscribe();
        let step = step.wait_for(|step| matches!(step, Step::Over(_))).await;
        match *step.unwrap() {
            Step::Over(count) => count,
            other => panic!("{other:?}"),
        }
    }
}

/// What this connection knows of the transaction that is held.
#[derive(Default)]
struct Held {
    /// Before which statement, in a transaction that is counted.
    at: Option<u32>,
    count: u32,
}

async fn pass(client: TcpStream, server: TcpStream, step: Arc<watch::Sender<Step>>) {
    let (mut from_client, mut to_client) = client.into_split();
    let (mut from_server, mut to_server) = server.into_split();
    tokio::spawn(async move {
        let _ = tokio::io::copy(&mut from_server, &mut to_client).await;
    });
    let (mut held, mut rest, mut buffer) = (Held::default(), Vec::new(), vec![0; 65_536]);
    // The first message of a client has no kind.
    let mut is_started = false;
    while let Ok(length @ 1..) = from_client.read(&mut buffer).await {
        rest.extend_from_slice(&buffer[..length]);
        while let Some(message) = next(&mut rest, is_started) {
            if is_started {
                look(&message, &mut held, &step).await;
            }
            is_started = true;
            if send(&mut to_server, &message).await.is_err() {
                return;
            }
            if held.at.is_some() && is_query(&message, &["COMMIT", "ROLLBACK"]) {
                step.send_replace(Step::Over(held.count));
                held = Held::default();
            }
        }
    }
}

async fn send(server: &mut OwnedWriteHalf, message: &[u8]) -> std::io::Result<()> {
    server.write_all(message).await
}

/// Takes the next whole message: a byte for the kind, four for the length, and the rest.
fn next(rest: &mut Vec<u8>, is_started: bool) -> Option<Vec<u8>> {
    let kind = usize::from(is_started);
    let length = rest.get(kind..kind + 4)?;
    let end = kind + u32::from_be_bytes(length.try_into().unwrap()) as usize;
    (rest.len() >= end).then(|| rest.drain(..end).collect())
}

fn is_query(message: &[u8], texts: &[&str]) -> bool {
    let text = message.strip_prefix(b"Q").and_then(|rest| rest.get(4..)).unwrap_or_default();
    texts.iter().any(|expected| text.strip_suffix(&[0]) == Some(expected.as_bytes()))
}

/// Counts the statements of the transaction, and waits before the one at which it is to be held.
async fn look(message: &[u8], held: &mut Held, step: &watch::Sender<Step>) {
    if held.at.is_none() && is_query(message, &["BEGIN"]) {
        step.send_if_modified(|step| match *step {
            Step::Armed(at) => {
                (held.at, held.count, *step) = (Some(at), 0, Step::Counting);
                true
            }
            _ => false,
        });
    }
    let Some(at) = held.at else { return };
    if matches!(message.first(), Some(b'E' | b'Q')) {
        held.count += 1;
        if held.count == at {
            step.send_replace(Step::Held);
            let _ = step.subscribe().wait_for(|step| *step != Step::Held).await;
        }
    }
}

//! The load: kept-alive connections, each sending its next request when the last was answered.

use std::cell::Cell;
use std::rc::Rc;
use std::time::{Duration, Instant};

use rustls_pki_types::ServerName;
use tokio::io::{AsyncRead, AsyncReadExt as _, AsyncWrite, AsyncWriteExt as _};
use tokio::net::TcpStream;
use tokio::task::LocalSet;
use tokio_rustls::TlsConnector;

use super::measure;
use super::process_support::Server;
use super::scenario::Scenario;
use super::world::World;

/// What the server counts for a while and writes afterwards is its work too: it is waited for.
const SETTLE: Duration = Duration::from_millis(1500);

/// What came of it.
pub struct Load {
    /// From the first request to the last answer.
    pub elapsed: Duration,
    /// CPU time of Deputy's process for all of it.
    pub cpu: Duration,
    /// How long each answer took, shortest first.
    pub latencies: Vec<Duration>,
    /// The answers' bodies, in the order of the requests.
    pub bodies: Vec<Vec<u8>>,
}

trait Stream: AsyncRead + AsyncWrite + Unpin {}
impl<T: AsyncRead + AsyncWrite + Unpin> Stream for T {}

/// Sends all requests over so many connections and waits until the server has done everything for them.
pub async fn run(
    world: &World,
    server: &Server,
    requests: Vec<Vec<u8>>,
    connections: usize,
    scenario: Scenario,
) -> Load {
    let mut streams = Vec::with_capacity(connections);
    for _ in 0..connections {
        streams.push(connect(world).await);
    }
    tokio::time::sleep(SETTLE).await;
    let requests = Rc::new(requests);
    let next = Rc::new(Cell::new(0));
    let cpu = measure::process(server.pid());
    let begun = Instant::now();
    let set = LocalSet::new();
    let tasks: Vec<_> = streams
        .into_iter()
        .map(|stream| set.spawn_local(converse(stream, requests.clone(), next.clone(), scenario)))
        .collect();
    set.await;
    let elapsed = begun.elapsed();
    tokio::time::sleep(SETTLE).await;
    let cpu = measure::process(server.pid()) - cpu;
    let mut answers = Vec::with_capacity(requests.len());
    for task in tasks {
        answers.extend(task.await.expect("every answer is as expected"));
    }
    answers.sort_by_key(|(number, _, _)| *number);
    let mut latencies: Vec<Duration> = answers.iter().map(|(_, latency, _)| *latency).collect();
    latencies.sort_unstable();
    Load { elapsed, cpu, latencies, bodies: answers.into_iter().map(|(_, _, body)| body).collect() }
}

async fn connect(world: &World) -> Box<dyn Stream> {
    let stream = TcpStream::connect(world.address).await.unwrap();
    stream.set_nodelay(true).unwrap();
    match &world.tls {
        None => Box::new(stream),
        Some(config) => {
            let name = ServerName::from(world.address.ip());
            Box::new(TlsConnector::from(config.clone()).connect(name, stream).await.expect("a handshake"))
        }
    }
}

async fn converse(
    mut stream: Box<dyn Stream>,
    requests: Rc<Vec<Vec<u8>>>,
    next: Rc<Cell<usize>>,
    scenario: Scenario,
) -> Vec<(usize, Duration, Vec<u8>)> {
    let mut answers = Vec::new();
    let mut buffer = Vec::with_capacity(8192);
    loop {
        let number = next.get();
        let Some(request) = requests.get(number) else { return answers };
        next.set(number + 1);
        let begun = Instant::now();
        stream.write_all(request).await.unwrap();
        stream.flush().await.unwrap();
        let body = answer(&mut stream, &mut buffer).await;
        let latency = begun.elapsed();
        assert!(
            body.windows(scenario.expected().len()).any(|part| part == scenario.expected()),
            "{}",
            String::from_utf8_lossy(&body)
        );
        answers.push((number, latency, body));
    }
}

/// Reads one answer; anything but 200 with a length ends the measurement.
async fn answer(stream: &mut Box<dyn Stream>, buffer: &mut Vec<u8>) -> Vec<u8> {
    buffer.clear();
    loop {
        assert_ne!(stream.read_buf(buffer).await.unwrap(), 0, "the server closed a connection");
        let Some(end) = buffer.windows(4).position(|four| four == b"\r\n\r\n") else { continue };
        let head = std::str::from_utf8(&buffer[..end]).expect("a head in ASCII").to_ascii_lowercase();
        let length: usize = head
            .lines()
            .find_map(|line| line.strip_prefix("content-length:"))
            .and_then(|value| value.trim().parse().ok())
            .expect("a length");
        while buffer.len() < end + 4 + length {
            assert_ne!(stream.read_buf(buffer).await.unwrap(), 0, "the server closed a connection");
        }
        let body = buffer[end + 4..].to_vec();
        assert!(head.starts_with("http/1.1 200"), "{head}\n{}", String::from_utf8_lossy(&body));
        return body;
    }
}

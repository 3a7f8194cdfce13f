//! Connections that are held without any use, thousands of them, do not keep others from their answers. The addresses
//! of 127.0.0.0/8 stand for different sources.

use std::net::{Ipv4Addr, SocketAddr};
use std::process::Stdio;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::Duration;

use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpSocket, TcpStream};
use tokio::process::{Child, Command};
use tokio::task::JoinSet;
use tokio::time::{Instant, sleep, timeout};

use crate::process_support::server::command;
use crate::process_support::{Backend, World};

/// The most that anybody else waits for an answer meanwhile.
const PATIENCE: Duration = Duration::from_secs(3);
const SOME: Duration = Duration::from_secs(12);

/// Beginnings of requests that are continued by single bytes: of a head, of a body, and of a second head after one
/// answer.
const BEGINNINGS: [&str; 3] = [
    "GET /jwks HTTP/1.1\r\nhost: x\r\nx-drip: ",
    "POST /token HTTP/1.1\r\nhost: x\r\ncontent-type: application/x-www-form-urlencoded\r\ncontent-length: 60000\r\n\r\na=",
    "GET /jwks HTTP/1.1\r\nhost: x\r\n\r\nGET /jwks HTTP/1.1\r\nhost: x\r\nx-drip: ",
];

/// Holds connections from `sources`, and opens each again when it is closed, until `over`.
fn hold(
    count: usize,
    sources: &[Ipv4Addr],
    to: SocketAddr,
    over: &Arc<AtomicBool>,
) -> (JoinSet<()>, Arc<AtomicU64>) {
    let closed = Arc::new(AtomicU64::new(0));
    let mut held = JoinSet::new();
    for number in 0..count {
        let source = sources[number % sources.len()];
        let (over, closed) = (over.clone(), closed.clone());
        held.spawn(async move {
            while !over.load(Ordering::SeqCst) {
                if let Ok(stream) = connect(source, to).await {
                    drip(stream, BEGINNINGS[number % BEGINNINGS.len()], &over).await;
                    closed.fetch_add(1, Ordering::SeqCst);
                }
                sleep(Duration::from_millis(200)).await;
            }
        });
    }
    (held, closed)
}

async fn connect(source: Ipv4Addr, to: SocketAddr) -> std::io::Result<TcpStream> {
    let socket = TcpSocket::new_v4()?;
    socket.bind((source, 0).into())?;
    socket.connect(to).await
}

/// Sends a byte now and then until the server closes the connection or the test is over.
async fn drip(mut stream: TcpStream, beginning: &str, over: &AtomicBool) {
    let (mut reading, mut writing) = stream.split();
    let drips = async {
        writing.write_all(beginning.as_bytes()).await?;
        while !over.load(Ordering::SeqCst) {
            writing.write_all(b"a").await?;
            sleep(Duration::from_millis(500)).await;
        }
        Ok::<(), std::io::Error>(())
    };
    let end = async {
        let mut answer = [0; 4096];
        while reading.read(&mut answer).await.is_ok_and(|read| read > 0) {}
    };
    tokio::select! {
        _ = drips => {}
        () = end => {}
    }
}

/// Serves with a limit of open files that the shell's `ulimit` sets.
async fn serve(world: &World, limit: &str) -> (Child, String) {
    let mut first = world.start().await;
    let (base, management) = (first.base.clone(), first.management.clone());
    first.stop().await;
    let plain = command(world.config(), &["serve"], &[]);
    let plain = plain.as_std();
    let mut limited = Command::new("sh");
    limited.args(["-c", &format!("ulimit {limit} && exec \"$0\" \"$@\"")]);
    limited.arg(plain.get_program()).args(plain.get_args());
    limited.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null()).kill_on_drop(true);
    let child = limited.spawn().unwrap();
    while reqwest::get(format!("{management}/readyz")).await.is_err() {
        sleep(Duration::from_millis(50)).await;
    }
    (child, base)
}

/// A soft and a hard limit of the process, as the system shows them.
fn limit_of(child: &Child, name: &str) -> (String, String) {
    let limits = std::fs::read_to_string(format!("/proc/{}/limits", child.id().unwrap())).unwrap();
    let line = limits.lines().find_map(|line| line.strip_prefix(name)).unwrap();
    let mut words = line.split_whitespace().map(str::to_owned);
    (words.next().unwrap(), words.next().unwrap())
}

/// This process holds the other end of each connection.
fn raise_own_limit() {
    let hard = getrlimit(Resource::Nofile).maximum;
    setrlimit(Resource::Nofile, Rlimit { current: hard, maximum: hard }).unwrap();
}

async fn stop(mut child: Child) {
    let pid = child.id().unwrap().to_string();
    Command::new("kill").args(["-TERM", &pid]).status().await.unwrap();
    let status = timeout(Duration::from_secs(60), child.wait()).await.expect("an end in time").unwrap();
    assert!(status.success());
}

/// Asks for the keys on a connection of its own.
async fn keys(base: &str) -> Option<u16> {
    let client = reqwest::Client::builder().pool_max_idle_per_host(0).timeout(PATIENCE).build().unwrap();
    client.get(format!("{base}/jwks")).send().await.ok().map(|answer| answer.status().as_u16())
}

async fn others_are_answered(limit: &str) {
    raise_own_limit();
    let world = World::new(Backend::Sqlite).await;
    let (child, base) = serve(&world, limit).await;
    let to: SocketAddr = base.strip_prefix("http://").unwrap().parse().unwrap();
    let (soft, hard) = limit_of(&child, "Max open files");
    assert_eq!(soft, hard, "the soft limit is raised");
    assert_eq!(limit_of(&child, "Max core file size"), ("0".to_owned(), "0".to_owned()));
    let over = Arc::new(AtomicBool::new(false));
    let (held, closed) = hold(2000, &[Ipv4Addr::new(127, 0, 0, 2)], to, &over);
    let until = Instant::now() + SOME;
    let caller = world.caller("assistant");
    let mut longest = Duration::ZERO;
    while Instant::now() < until {
        let begun = Instant::now();
        assert_eq!(keys(&base).await, Some(200));
        let token = world.id_token("ulla");
        let answer = timeout(PATIENCE, caller.sign_in(&base, &token, world.issuer(), "tickets:search")).await;
        assert_eq!(answer.expect("an answer in time").status, 200);
        longest = longest.max(begun.elapsed());
        let agents = world.deputy(&["agent", "list"]).await;
        assert!(agents.status.success(), "{agents:?}");
    }
    eprintln!("longest wait for two answers: {longest:?}; connections closed: {closed:?}");
    assert!(closed.load(Ordering::SeqCst) > 2000, "those over the limit are closed");
    over.store(true, Ordering::SeqCst);
    held.join_all().await;
    let same_source = connect(Ipv4Addr::new(127, 0, 0, 2), to).await.unwrap();
    let answer = ask(same_source).await;
    assert!(answer.starts_with("HTTP/1.1 200"), "{answer}");
    stop(child).await;
    world.finish().await;
}

async fn ask(mut stream: TcpStream) -> String {
    let request = "GET /jwks HTTP/1.1\r\nhost: x\r\nconnection: close\r\n\r\n";
    stream.write_all(request.as_bytes()).await.unwrap();
    let mut answer = String::new();
    timeout(PATIENCE, stream.read_to_string(&mut answer)).await.expect("an answer in time").unwrap();
    answer
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn two_thousand_idle_connections_of_one_source_keep_nobody_else_waiting() {
    // The soft limit alone, which the server raises.
    others_are_answered("-Sn 1024").await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn nor_where_only_a_thousand_files_may_be_open() {
    others_are_answered("-n 1024").await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_admin_socket_answers_while_many_sources_hold_every_connection() {
    raise_own_limit();
    let world = World::new(Backend::Sqlite).await;
    let (child, base) = serve(&world, "-n 1024").await;
    let to: SocketAddr = base.strip_prefix("http://").unwrap().parse().unwrap();
    let over = Arc::new(AtomicBool::new(false));
    let sources: Vec<Ipv4Addr> = (2..10).map(|host| Ipv4Addr::new(127, 0, 0, host)).collect();
    let (held, _) = hold(2000, &sources, to, &over);
    let until = Instant::now() + SOME;
    while Instant::now() < until {
        let agents = world.deputy(&["agent", "list"]).await;
        assert!(agents.status.success(), "{agents:?}");
        sleep(Duration::from_millis(100)).await;
    }
    over.store(true, Ordering::SeqCst);
    held.join_all().await;
    let until = Instant::now() + Duration::from_secs(15);
    while keys(&base).await != Some(200) {
        assert!(Instant::now() < until, "no answer after the connections were given up");
    }
    stop(child).await;
    world.finish().await;
}

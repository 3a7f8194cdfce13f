//! How often PostgreSQL is asked for one request. The numbers are also in `docs/performance.md`; a change of one
//! is a change of both.

use super::handovers::{accepting, given};
use super::world::{World, revoke};
use crate::base::time::Lifetime;
use crate::delegation::binding::PinnedUse;
use crate::oauth::{Confirmation, CredentialHash, Issuer, Jkt, OneTime};
use crate::store::entry::Recorded;
use crate::verification::Credential;

const HOUR: Lifetime = Lifetime::from_seconds(3600);

/// What one connection or several sent to the server.
mod wire {
    use std::sync::Arc;
    use std::sync::atomic::{AtomicI64, AtomicU32, Ordering::SeqCst};
    use std::time::Duration;

    use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
    use tokio::net::{TcpListener, TcpStream};

    /// How long an answer of the server is under way.
    const LATENCY: Duration = Duration::from_millis(4);

    /// What was sent since it was last asked.
    #[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
    pub(super) struct Sent {
        /// Times that something was sent while no answer was awaited: each waits for the network once.
        pub(super) round_trips: u32,
        /// Statements run.
        pub(super) statements: u32,
        /// Statements parsed and planned anew.
        pub(super) parsed: u32,
    }

    #[derive(Default)]
    struct Counters {
        round_trips: AtomicU32,
        statements: AtomicU32,
        parsed: AtomicU32,
    }

    /// A proxy between the store and PostgreSQL that counts what is sent.
    pub(super) struct Counter {
        counters: Arc<Counters>,
        pub(super) port: u16,
    }

    impl Counter {
        pub(super) async fn before(server: String) -> Self {
            let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
            let counter = Self { counters: Arc::default(), port: listener.local_addr().unwrap().port() };
            let counters = Arc::clone(&counter.counters);
            tokio::spawn(async move {
                while let Ok((client, _)) = listener.accept().await {
                    let server = TcpStream::connect(&server).await.unwrap();
                    client.set_nodelay(true).unwrap();
                    server.set_nodelay(true).unwrap();
                    tokio::spawn(pass(client, server, Arc::clone(&counters)));
                }
            });
            counter
        }

        pub(super) fn take(&self) -> Sent {
            let Counters { round_trips, statements, parsed } = &*self.counters;
            Sent {
                round_trips: round_trips.swap(0, SeqCst),
                statements: statements.swap(0, SeqCst),
                parsed: parsed.swap(0, SeqCst),
            }
        }
    }

    async fn pass(client: TcpStream, server: TcpStream, counters: Arc<Counters>) {
        let (mut from_client, mut to_client) = client.into_split();
        let (mut from_server, mut to_server) = server.into_split();
        // Answers awaited on this connection: the start, `Sync` and `Query` sent, `ReadyForQuery` not yet received.
        let awaited = Arc::new(AtomicI64::new(1));
        let answered = Arc::clone(&awaited);
        tokio::spawn(async move {
            let (mut messages, mut buffer) = (Messages::default(), vec![0; 65_536]);
            while let Ok(length @ 1..) = from_server.read(&mut buffer).await {
                // An answer takes its time on a network. Were it here at once, what is sent together could seem to
                // have waited for it.
                tokio::time::sleep(LATENCY).await;
                messages.read(&buffer[..length], |kind| {
                    if kind == b'Z' {
                        answered.fetch_sub(1, SeqCst);
                    }
                });
                if to_client.write_all(&buffer[..length]).await.is_err() {
                    return;
                }
            }
        });
        let (mut messages, mut buffer) =
            (Messages { is_started: false, ..Messages::default() }, vec![0; 65_536]);
        while let Ok(length @ 1..) = from_client.read(&mut buffer).await {
            if awaited.load(SeqCst) == 0 {
                counters.round_trips.fetch_add(1, SeqCst);
            }
            messages.read(&buffer[..length], |kind| match kind {
                b'P' => _ = counters.parsed.fetch_add(1, SeqCst),
                b'E' => _ = counters.statements.fetch_add(1, SeqCst),
                b'S' => _ = awaited.fetch_add(1, SeqCst),
                b'Q' => {
                    counters.statements.fetch_add(1, SeqCst);
                    awaited.fetch_add(1, SeqCst);
                }
                _ => {}
            });
            if to_server.write_all(&buffer[..length]).await.is_err() {
                return;
            }
        }
    }

    /// Divides a stream into messages: a byte for the kind, four for the length, and the rest.
    struct Messages {
        /// The first message of a client has no kind.
        is_started: bool,
        rest: Vec<u8>,
    }

    impl Default for Messages {
        fn default() -> Self {
            Self { is_started: true, rest: Vec::new() }
        }
    }

    impl Messages {
        fn read(&mut self, bytes: &[u8], mut each: impl FnMut(u8)) {
            self.rest.extend_from_slice(bytes);
            loop {
                let kind = usize::from(self.is_started);
                let Some(length) = self.rest.get(kind..kind + 4) else { return };
                let end = kind + u32::from_be_bytes(length.try_into().unwrap()) as usize;
                if self.rest.len() < end {
                    return;
                }
                if self.is_started {
                    each(self.rest[0]);
                }
                self.is_started = true;
                self.rest.drain(..end);
            }
        }
    }
}

/// The least of several times: a checkpoint may be signed in between, and what is asked for the first time is
/// parsed.
macro_rules! least {
    ($counter:ident, $work:block) => {{
        let mut least = None;
        for _ in 0..20 {
            $counter.take();
            $work
            let sent = $counter.take();
            least = Some(least.map_or(sent, |least: wire::Sent| least.min(sent)));
        }
        let wire::Sent { round_trips, statements, parsed } = least.unwrap();
        (round_trips, statements, parsed)
    }};
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn postgresql_is_asked_this_often() {
    let Some(mut world) = World::postgres().await else { return };
    let counter = wire::Counter::before(world.postgres_address()).await;
    world.connect_through(counter.port);
    let store = world.open().await;
    let (assistant, verifier) = (world.principal(), world.instance());
    let (_, root) = world.begin(&store, &assistant).await;
    let access = world.exchange(&store, &root, &assistant).await;
    let onward = world.exchange(&store, &access, &verifier).await;

    let introspection = least!(counter, {
        store.find_lineage(onward.jti).await.unwrap().unwrap();
    });
    let first_hop = least!(counter, {
        let sign_in = world.sign_in("ulla");
        let entry = world.hop_zero(&store, &sign_in, &assistant).await;
        counter.take();
        world.issued(&store, entry).await;
    });
    let with_assertion = least!(counter, {
        let sign_in = world.sign_in("ulla");
        let mut entry = world.hop_zero(&store, &sign_in, &assistant).await;
        entry.one_time = vec![world.assertion()];
        counter.take();
        world.issued(&store, entry).await;
    });
    let continued = least!(counter, {
        world.exchange(&store, &root, &assistant).await;
    });
    let passed_on = least!(counter, {
        world.exchange(&store, &access, &verifier).await;
    });
    let sixteen_passed_on = least!(counter, {
        let announced: Vec<_> = (0..16).map(|_| store.announce()).collect();
        let entries = (0..16).map(|_| store.record(world.later(&access, &verifier)));
        let answers = futures_util::future::join_all(entries).await;
        assert!(answers.iter().all(|answer| matches!(answer, Ok(Recorded::Done { .. }))), "{answers:?}");
        drop(announced);
    });
    let accepted = least!(counter, {
        let (_, handover) = given(&world, &store, &assistant).await;
        let entry = accepting(&world, &handover, &world.instance());
        counter.take();
        world.issued(&store, entry).await;
    });
    let revoked = least!(counter, {
        let token = world.exchange(&store, &root, &assistant).await;
        counter.take();
        world.control(&store, revoke(&token)).await;
    });

    // Round trips, statements run, statements parsed anew.
    let counted = [
        ("introspection, reading", introspection),
        ("first hop, writing", first_hop),
        ("first hop with an assertion, writing", with_assertion),
        ("continue, writing", continued),
        ("onward, writing", passed_on),
        ("16 onward in one group, writing", sixteen_passed_on),
        ("acceptance of a handover by a new agent, writing", accepted),
        ("revocation of an access token, writing", revoked),
    ];
    let expected = [
        ("introspection, reading", (1, 1, 0)),
        ("first hop, writing", (4, 14, 0)),
        ("first hop with an assertion, writing", (4, 16, 0)),
        ("continue, writing", (4, 13, 0)),
        ("onward, writing", (4, 14, 0)),
        ("16 onward in one group, writing", (4, 14, 0)),
        ("acceptance of a handover by a new agent, writing", (6, 16, 1)),
        ("revocation of an access token, writing", (8, 9, 1)),
    ];
    assert_eq!(counted, expected);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_proof_and_a_pin_add_statements_and_no_round_trip() {
    let Some(mut world) = World::postgres().await else { return };
    let counter = wire::Counter::before(world.postgres_address()).await;
    world.connect_through(counter.port);
    let store = world.open().await;
    let (assistant, verifier) = (world.principal(), world.instance());
    let (_, root) = world.begin(&store, &assistant).await;
    let access = world.exchange(&store, &root, &assistant).await;
    let key = Jkt::new([1; 32]);
    let proving = |credential: [u8; 32]| {
        let mut entry = world.changed(&world.later(&access, &verifier), |terms, _| {
            let credential =
                Credential { hash: CredentialHash::new(credential), expires_at: world.now().plus(HOUR) };
            let issuer = Issuer::new("https://workloads.example");
            terms.pin = Some(PinnedUse { credential, issuer, proven: Some(Confirmation::Key(key)) });
        });
        entry.one_time = vec![OneTime::Proof { key, jti: world.fresh_hash(), until: world.now() }];
        entry
    };
    let first = least!(counter, {
        world.issued(&store, proving(world.fresh_hash())).await;
    });
    let again = least!(counter, {
        world.issued(&store, proving([7; 32])).await;
    });
    // Each proof is looked up and recorded, and so is each first key.
    assert_eq!([first, again], [(4, 18, 0), (4, 17, 0)]);
}

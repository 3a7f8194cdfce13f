//! Two controls on two nodes of one PostgreSQL, the second carried out at each statement of the first: no stop and no
//! revocation that was acknowledged is undone by another, wherever their transactions meet.

use std::time::Duration;

use super::controls::{ACTS, Act, Story, is_of_keys, restore_key};
use super::world::{Hold, World};
use crate::store::Store;
use crate::store::entry::Recorded;

/// Two nodes. What the first writes passes a proxy.
struct Nodes {
    world: World,
    one: Store,
    other: Store,
    hold: Hold,
    /// Sees who waits for a lock.
    watcher: tokio_postgres::Client,
}

impl Nodes {
    async fn start() -> Option<Self> {
        let mut world = World::postgres().await?;
        let second = world.second_node();
        let watcher = world.connect().await;
        let hold = Hold::before(world.postgres_address()).await;
        world.connect_through(hold.port);
        let one = world.open().await;
        let other = world.open_as(&second).await.unwrap();
        Some(Self { world, one, other, hold, watcher })
    }

    /// How many statements an act's transaction has when nothing is in its way, `BEGIN` and `COMMIT` included.
    async fn count(&self, act: Act) -> u32 {
        let story = Story::begin(&self.world, &self.one).await;
        self.hold.arm(u32::MAX);
        self.world.try_control(&self.one, story.control(act, &self.world)).await;
        let count = self.hold.count().await;
        restore_key(&self.world).await;
        count
    }

    /// Carries out the second while the first is held before its n-th statement, until it has ended or waits for the
    /// first. `false`: the first has no such statement.
    async fn meet(&self, (first, second): (Act, Act), statement: u32) -> bool {
        let Self { world, one, other, hold, .. } = self;
        let story = Story::begin(world, one).await;
        let (a, b) = (story.control(first, world), story.control(second, world));
        hold.arm(statement);
        let (a, (b, is_reached)) = tokio::join!(world.try_control(one, a), async {
            let is_reached = hold.is_reached().await;
            let mut b = std::pin::pin!(world.try_control(other, b));
            let b = tokio::select! {
                b = &mut b => { hold.release(); b }
                () = self.somebody_waits() => { hold.release(); b.await }
            };
            (b, is_reached)
        });
        for (act, recorded) in [(first, a), (second, b)] {
            match recorded {
                Recorded::Done { .. } => {
                    story.assert_holds(act, world, one, (first, second)).await;
                    story.assert_holds(act, world, other, (first, second)).await;
                }
                Recorded::Impossible(_) => {}
                other => panic!("{first:?} before statement {statement}, {second:?}: {other:?}"),
            }
        }
        // A key that signs is needed for the next pair.
        if is_of_keys(first) || is_of_keys(second) {
            restore_key(world).await;
        }
        is_reached
    }

    async fn somebody_waits(&self) {
        const WAITING: &str = "SELECT count(*) FROM pg_stat_activity \
                               WHERE datname = current_database() AND wait_event_type = 'Lock'";
        loop {
            let waiting: i64 = self.watcher.query_one(WAITING, &[]).await.unwrap().get(0);
            if waiting > 0 {
                return;
            }
            tokio::time::sleep(Duration::from_millis(1)).await;
        }
    }
}

/// Each ordered pair at some of the statements of the first: over the ten acts that come second, at each of them.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn no_control_undoes_another_that_it_meets_half_way() {
    let Some(nodes) = Nodes::start().await else { return };
    for first in ACTS {
        let count = nodes.count(first).await;
        assert!(count > 3, "{first:?} has {count} statements");
        for (number, second) in (0_u32..).zip(ACTS) {
            for step in [number, number + count / 2] {
                let statement = 1 + step % count;
                assert!(nodes.meet((first, second), statement).await, "{first:?} has {count} statements");
            }
        }
    }
}

/// Each ordered pair at every statement of the first: `just controls`.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
#[ignore = "the test above in full, by `just controls`"]
async fn no_control_undoes_another_that_it_meets_at_any_statement() {
    let Some(nodes) = Nodes::start().await else { return };
    let mut met = 0;
    for first in ACTS {
        for second in ACTS {
            let mut statement = 1;
            while nodes.meet((first, second), statement).await {
                statement += 1;
            }
            assert!(statement > 3, "{first:?} was held before {} statements", statement - 1);
            met += statement - 1;
        }
    }
    println!("{met} meetings of two controls");
}

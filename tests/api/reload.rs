//! Another configuration is put in force while requests still use the previous one.

use std::future::{Future, poll_fn};
use std::pin::Pin;
use std::task::Poll;

use crate::world::{Setup, World};

/// How many configurations are recorded as in force, with nothing under way by the one before.
async fn in_force(world: &World) -> usize {
    let rows = world.audit().await;
    rows.iter().filter(|row| row["event"] == "configuration" && row["phase"] == "in_force").count()
}

/// Polls once: whether the future waits.
async fn is_pending<T>(mut future: Pin<&mut impl Future<Output = T>>) -> bool {
    poll_fn(|context| Poll::Ready(future.as_mut().poll(context).is_pending())).await
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_reload_is_done_when_nobody_works_by_the_configuration_before() {
    let world = World::start(Setup::default()).await;
    let server = world.server();
    let under_way = server.hold_configuration();
    let before = in_force(&world).await;

    let reload = server.reload(world.config());
    tokio::pin!(reload);
    while server.is_in_force(&under_way) {
        assert!(is_pending(reload.as_mut()).await, "a request under way may still be given a token");
        tokio::task::yield_now().await;
    }
    // Rows are written in the order in which they come: one of the reload would be there before that of the exchange.
    world.tx().send().await.granted();
    assert_eq!(in_force(&world).await, before, "a request under way may still be given a token");
    assert!(is_pending(reload.as_mut()).await);

    drop(under_way);
    reload.await.unwrap();
    assert_eq!(in_force(&world).await, before + 1);
}

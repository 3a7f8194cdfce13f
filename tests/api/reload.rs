//! Another configuration is put in force while requests go on by the one before.

use std::sync::Arc;
use std::time::Duration;

use crate::world::{Setup, World};

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_reload_is_done_when_nobody_works_by_the_configuration_before() {
    let world = World::start(Setup::default()).await;
    let (app, config) = (world.app(), world.config());
    let under_way = app.config.load_full();

    let reload = deputy::server::reload::reload(app, config);
    tokio::pin!(reload);
    let early = tokio::time::timeout(Duration::from_millis(300), &mut reload).await;

    assert!(early.is_err(), "a request under way may still be given a token");
    assert!(!Arc::ptr_eq(&under_way, &app.config.load_full()), "new requests go by the new one");
    drop(under_way);
    reload.await.unwrap();
}

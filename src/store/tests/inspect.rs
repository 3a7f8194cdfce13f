//! Looking at a database for `deputy check`.

use super::on_each_database;
use super::world::World;
use crate::store::inspect::inspect;

async fn a_database_is_looked_at_without_being_changed(world: World) {
    let before = inspect(&world.config, None).await.unwrap();
    let again = inspect(&world.config, None).await.unwrap();

    assert!(before.is_empty && before.pending > 0 && before.highest_time.is_none());
    assert_eq!(before, again);
}

async fn a_database_in_use_shows_its_schema_settings_and_time(world: World) {
    let store = world.open().await;
    let now = world.now();
    store.close().await.unwrap();

    let found = inspect(&world.config, None).await.unwrap();

    assert!(!found.is_empty && found.is_durable, "{found:?}");
    assert_eq!((found.pending, found.highest_time), (0, Some(now)));
}

on_each_database!(
    a_database_is_looked_at_without_being_changed,
    a_database_in_use_shows_its_schema_settings_and_time,
);

//! Databases of other versions of Deputy.

use super::on_each_database;
use super::world::World;
use crate::store::StoreError;
use crate::store::inspect::inspect;
use crate::store::verify::verify;

on_each_database! {
    a_database_of_an_earlier_version_is_refused_by_name,
    a_database_of_a_later_version_is_refused_by_name,
}

/// Makes the database look as another version left it.
async fn made_by(world: &World, version: &str) {
    world
        .tamper_all(&format!(
            "CREATE TABLE __diesel_schema_migrations (version VARCHAR(50) PRIMARY KEY NOT NULL, \
             run_on TIMESTAMP NOT NULL DEFAULT CURRENT_TIMESTAMP); \
             INSERT INTO __diesel_schema_migrations (version) VALUES ('{version}'); \
             CREATE TABLE spent (hash INT)"
        ))
        .await;
}

async fn refusals(world: &World) -> Vec<String> {
    let outcomes = [
        world.open_as(&world.config).await.err(),
        inspect(&world.config, None).await.err(),
        verify(&world.config).await.err(),
    ];
    let text = |error| match error {
        Some(StoreError::Unusable(text)) => text,
        other => panic!("{other:?}"),
    };
    outcomes.into_iter().map(text).collect()
}

async fn a_database_of_an_earlier_version_is_refused_by_name(world: World) {
    made_by(&world, "20261122000000").await;

    for refusal in refusals(&world).await {
        let name = world.database_name();
        let expected = format!(
            "the database `{name}` was made by an earlier version of Deputy (schema 20261122000000) and cannot \
             be opened by this one; keep it with that version, and name a new database in `database.url`"
        );
        assert!(refusal.ends_with(&expected), "{refusal}");
    }
}

async fn a_database_of_a_later_version_is_refused_by_name(world: World) {
    let store = world.open().await;
    store.close().await.unwrap();
    world.tamper_all("INSERT INTO __diesel_schema_migrations (version) VALUES ('29991231000000')").await;

    for refusal in refusals(&world).await {
        assert!(refusal.contains("another version of Deputy (schema 29991231000000)"), "{refusal}");
    }
}

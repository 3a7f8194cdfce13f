//! One suite, run on each database.
//!
//! PostgreSQL is the server of `DEPUTY_TEST_POSTGRES_URL` (a superuser's URL); each test makes a database
//! of its own there. Without it the PostgreSQL half fails, unless `DEPUTY_TEST_WITHOUT_POSTGRES=1`.

mod access_tokens;
mod alone;
mod audit;
mod census;
mod controls;
mod handovers;
mod inspect;
mod issues;
mod lives;
mod logins;
mod migration;
mod nodes;
mod parties;
mod pins;
mod quotas;
mod releases;
mod round_trips;
mod search;
mod steps;
mod stops;
mod tampering;
mod times;
mod world;

/// Makes each story a test on SQLite and one on PostgreSQL.
macro_rules! on_each_database {
    ($($story:ident,)*) => {
        mod on_sqlite {
            $(
                #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
                async fn $story() {
                    super::$story(crate::store::tests::world::World::sqlite()).await;
                }
            )*
        }
        mod on_postgres {
            $(
                #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
                async fn $story() {
                    if let Some(world) = crate::store::tests::world::World::postgres().await {
                        super::$story(world).await;
                    }
                }
            )*
        }
    };
}
use on_each_database;

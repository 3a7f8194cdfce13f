//! What process-level tests share: a world on disk, the real binary in it, callers that speak HTTP,
//! and the scanner that looks for what must not exist.

pub mod caller;
pub mod database;
pub mod disk;
pub mod gate;
pub mod scan;
pub mod second;
pub mod server;
pub mod terminal;
pub mod world;

pub use caller::{Answer, Caller};
pub use database::Backend;
pub use disk::SmallDisk;
pub use second::SecondServer;
pub use server::Server;
pub use world::{Plan, World};

/// The test's own clock, in whole seconds. Processes under test may be given another.
pub fn now() -> i64 {
    deputy::testing::system_seconds()
}

/// The made-up birthdate and e-mail of test users, by name (`canaries.txt`).
pub fn canary(name: &str) -> &'static str {
    include_str!("../canaries.txt")
        .lines()
        .filter(|line| !line.starts_with('#'))
        .find_map(|line| {
            line.strip_prefix(name)?.trim().strip_prefix('=')?.trim().strip_prefix('"')?.strip_suffix('"')
        })
        .expect("a canary of this name")
}

/// Makes of each `async fn name(backend: Backend)` two tests, `name::on_sqlite` and `name::on_postgres`.
macro_rules! on_both_databases {
    ($($(#[$meta:meta])* async fn $name:ident($backend:ident: Backend) $body:block)*) => {$(
        $(#[$meta])*
        mod $name {
            use super::*;

            async fn run($backend: Backend) $body

            #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
            async fn on_sqlite() {
                run(Backend::Sqlite).await;
            }

            #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
            async fn on_postgres() {
                if Backend::is_postgres_there() {
                    run(Backend::Postgres).await;
                }
            }
        }
    )*};
}
pub(crate) use on_both_databases;

//! One PostgreSQL database for one test.

/// Takes its database with it.
pub(super) struct TestDatabase {
    pub(super) admin: String,
    pub(super) name: String,
}

impl Drop for TestDatabase {
    fn drop(&mut self) {
        let (admin, statement) = (self.admin.clone(), format!("DROP DATABASE {} WITH (FORCE)", self.name));
        let dropping = std::thread::spawn(move || {
            tokio::runtime::Runtime::new().unwrap().block_on(administer(&admin, &statement));
        });
        dropping.join().unwrap();
    }
}

/// Runs statements on a connection of its own.
pub(super) async fn administer(url: &str, statement: &str) {
    run(url, statement).await.unwrap();
}

/// The same, where the database may refuse it.
pub(super) async fn run(url: &str, statement: &str) -> Result<(), String> {
    let (client, connection) = tokio_postgres::connect(url, tokio_postgres::NoTls).await.unwrap();
    let driver = tokio::spawn(connection);
    let done = client.batch_execute(statement).await;
    drop(client);
    driver.await.unwrap().unwrap();
    done.map_err(|error| error.as_db_error().map_or_else(|| error.to_string(), ToString::to_string))
}

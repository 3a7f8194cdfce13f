//! What only a test inside the process of Deputy can do: sign with its key, break its database, change
//! its policy and its agents.

use diesel::{Connection as _, RunQueryDsl as _, SqliteConnection};
use serde_json::Value;

use super::setup::Setup;
use super::tokens::Jwt;
use super::{Answer, World};
use crate::jose::{Key, claims_of, header_of};

impl Setup {
    /// Has Cedar decide by this set instead of the built-in one.
    pub fn policy(self, cedar: &str) -> Self {
        self.file("policies/test.cedar", cedar).add("[policy]\ndirectory = \"policies\"")
    }

    /// Every target sees the provider's own subject and the facts of the login.
    pub fn upstream(self) -> Self {
        self.replace("subject = \"pairwise\"", "subject = \"upstream\"")
    }
}

impl World {
    /// Deputy's own signing key, so that tests can sign what Deputy never would.
    pub async fn deputy_key(&self) -> Key {
        let (kid, pkcs8) = self.server().signing_key().await.unwrap();
        Key::from_pkcs8(&kid, &pkcs8)
    }

    /// An issued token taken apart, to be changed and signed again by Deputy's own key.
    pub async fn taken_apart(&self, token: &str) -> Jwt {
        let object = |value: Value| value.as_object().cloned().expect("a segment is an object");
        Jwt {
            header: object(header_of(token)),
            claims: object(claims_of(token)),
            key: self.deputy_key().await,
        }
    }

    /// Runs a statement on the SQLite file behind Deputy's back.
    pub fn sql(&self, statement: &str) {
        let path = self.directory.path().join("data/deputy.db");
        let mut connection = SqliteConnection::establish(path.to_str().unwrap()).unwrap();
        diesel::sql_query("PRAGMA busy_timeout = 5000").execute(&mut connection).unwrap();
        diesel::sql_query(statement).execute(&mut connection).unwrap();
    }

    /// Puts the configuration in force that `change` makes of the one in force.
    pub async fn reload(&mut self, change: impl FnOnce(String) -> String) {
        self.toml = change(std::mem::take(&mut self.toml));
        self.server().reload(self.config()).await.unwrap();
    }

    /// The agent of a client that acts itself.
    pub fn agent_of(&self, client: &str) -> String {
        self.server().agent_id("client", client)
    }

    /// The agent of a workload of class `principal`.
    pub fn agent_of_workload(&self, id: &str) -> String {
        self.server().agent_id("https://workloads.example", id)
    }

    /// Has the operator do `verb` to an agent: `suspend`, `resume`, `retire` or `kill`.
    pub async fn operate(&self, verb: &str, agent: &str) {
        let answer = self.admin("POST", &format!("/agents/{agent}/{verb}"), Value::Null).await;
        assert_eq!((answer.status, &answer.body["changed"]), (200, &Value::Bool(true)), "{}", answer.text);
    }

    /// What the management listener says of the counters.
    pub async fn metrics(&self) -> String {
        let address = self.server().management();
        let response = self.http.get(format!("http://{address}/metrics")).send().await.unwrap();
        Answer::read(response).await.text
    }

    /// How many tokens with a good signature of Deputy's were found that it never recorded.
    pub async fn alarms(&self) -> u32 {
        let metrics = self.metrics().await;
        let line = metrics.lines().find(|line| line.starts_with("deputy_never_issued_tokens_total"));
        line.and_then(|line| line.rsplit(' ').next()).and_then(|number| number.parse().ok()).unwrap()
    }

    /// An access token for `https://files.example/`, issued to the assistant at hop 0.
    pub async fn files_token(&self) -> String {
        self.tx().set("audience", "https://files.example/").set("scope", "files.read").send().await.granted()
    }

    /// An access token for `https://files.example/`, issued to the assistant for its task token.
    pub async fn files_from(&self, task: &str) -> String {
        self.onward("assistant", task, "https://files.example/", "files.read").send().await.granted()
    }

    /// The good exchange onward: the files service, audience of a token, asks for the archive.
    pub fn onward_tx(&self, subject_token: &str) -> super::Request<'_> {
        self.onward("files-service", subject_token, "https://archive.example/", "files.read")
    }
}

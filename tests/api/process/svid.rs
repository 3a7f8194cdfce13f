//! Processes of one host, which all get one cached JWT-SVID, through the real binary.

mod spire;

use std::collections::BTreeMap;

use deputy::testing::{Credential, Endpoint};
use serde_json::{Value, json};
use tokio::net::TcpListener;

use crate::definition::{replaced, write};
use crate::jose::{Key, claims_of};
use crate::process_support::{Answer, Backend, Plan, Server, World, now, on_both_databases};
use crate::providers::serve;

const EXCHANGE: &str = "urn:ietf:params:oauth:grant-type:token-exchange";
const ID_TOKEN: &str = "urn:ietf:params:oauth:token-type:id_token";
const ACCESS_TOKEN: &str = "urn:ietf:params:oauth:token-type:access_token";
const BUYER: &str = "spiffe://agents.example/agents/buyer";
const SUBJECT: (u16, &str, &str) = (400, "invalid_request", "subject_token_unacceptable");
const ACTOR: (u16, &str, &str) = (400, "invalid_request", "actor_token_unacceptable");

/// A trust domain with a class of its own, whose credentials suffice for the couriers' client.
const DOMAIN: &str = r#"
[[workload_issuer]]
preset = "spiffe"
trust_domain = "agents.example"
bundle_endpoint = "@bundle@"
network = "private"

[[workload_issuer.class]]
name = "buyer"
when = { claim = "sub", under = "spiffe://agents.example/agents/" }
lifetime = "instance"
clients = ["couriers"]
scopes = ["tickets:search"]
targets = ["tickets"]
"#;

/// A host of the trust domain: the SVID that its agent has cached.
struct Host {
    world: World,
    server: Server,
    key: Key,
    svid: String,
}

impl Host {
    async fn begin(backend: Backend) -> Self {
        let world = World::of(backend, Plan::default()).await;
        let key = Key::new("svid-1");
        let mut jwk = key.jwk();
        jwk["use"] = json!("jwt-svid");
        let bundle = json!({"keys": [jwk], "spiffe_sequence": 1, "spiffe_refresh_hint": 300});
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
        let endpoint = format!("http://{}/bundle", listener.local_addr().expect("an address"));
        tokio::spawn(serve(listener, BTreeMap::from([("/bundle".to_owned(), bundle.to_string())])));
        Self::trust(&world, &replaced(DOMAIN, "@bundle@", &endpoint));
        let server = world.start().await;
        let svid = Self::signed(&world, &key, BUYER);
        Self { world, server, key, svid }
    }

    /// Adds a trust domain to the configuration.
    fn trust(world: &World, domain: &str) {
        let toml = std::fs::read_to_string(world.config()).expect("the configuration");
        let file = world.config().file_name().and_then(|name| name.to_str()).expect("a name");
        write(world.config().parent().expect("a directory"), file, toml + domain);
    }

    /// An SVID as SPIRE signs it.
    fn signed(world: &World, key: &Key, sub: &str) -> String {
        let claims = json!({"sub": sub, "aud": [world.issuer()], "exp": now() + 300, "iat": now()});
        world.witness.saw(key.sign_typed("JWT", &claims))
    }

    /// What a process of the host asks with the cached SVID and the key that it made.
    async fn ask(&self, process: &Key, subject: [&str; 2], audience: &str) -> Answer {
        self.ask_by(&self.svid, process, subject, audience).await
    }

    async fn ask_by(&self, svid: &str, process: &Key, subject: [&str; 2], audience: &str) -> Answer {
        let form = [
            ("grant_type", EXCHANGE),
            ("subject_token", subject[0]),
            ("subject_token_type", subject[1]),
            ("audience", audience),
            ("scope", "tickets:search"),
        ];
        let caller = self.world.caller_named("");
        let credential = Credential::Platform(svid.into());
        let answer =
            caller.try_ask_proving(&self.server.base, credential, &form, &caller.proof(process)).await;
        answer.expect("an answer")
    }

    async fn end(mut self) {
        self.server.stop().await;
        self.world.finish().await;
    }
}

fn actor(answer: &Answer) -> String {
    claims_of(&answer.token())["act"]["sub"].as_str().expect("an actor").to_owned()
}

on_both_databases! {
    async fn two_processes_that_share_a_cached_svid_are_two_agents(backend: Backend) {
        let host = Host::begin(backend).await;
        let [one, other] = ["one", "other"].map(Key::new);
        let [ann, bob] = ["ann", "bob"].map(|user| host.world.id_token(user));

        let first = host.ask(&one, [&ann, ID_TOKEN], host.world.issuer()).await;
        let second = host.ask(&other, [&bob, ID_TOKEN], host.world.issuer()).await;

        for (answer, key) in [(&first, &one), (&second, &other)] {
            assert_eq!(claims_of(&answer.token())["cnf"]["jkt"], key.thumbprint());
        }
        assert_ne!(actor(&first), actor(&second));
        // Each goes on with its own task, and neither with the other's.
        for (task, key, stranger) in [(first.token(), &one, &other), (second.token(), &other, &one)] {
            let access = host.ask(key, [&task, ACCESS_TOKEN], "tickets").await;
            assert!(host.world.caller("tickets-api").introspect(&host.server.base, &access.token()).await.is_active());
            let stolen = host.ask(stranger, [&task, ACCESS_TOKEN], "tickets").await;
            assert_eq!(stolen.refusal(), SUBJECT, "{}", stolen.text);
        }
        // The host renews its SVID; the agents stay the same.
        let renewed = Host::signed(&host.world, &host.key, BUYER);
        let again = host.ask_by(&renewed, &one, [&ann, ID_TOKEN], "tickets").await;
        assert_eq!((actor(&again), again.task()), (actor(&first), first.task()));
        // A restarted process has another key, which the SVID is not pinned against, and is another agent.
        let restarted = host.ask(&Key::new("restarted"), [&ann, ID_TOKEN], "tickets").await;
        assert!(![actor(&first), actor(&second)].contains(&actor(&restarted)));

        let killed = host.world.deputy(&["agent", "kill", &actor(&first)]).await;
        assert!(killed.status.success(), "{}", String::from_utf8_lossy(&killed.stderr));

        let banned = host.ask(&one, [&ann, ID_TOKEN], "tickets").await;
        assert_eq!(banned.refusal(), ACTOR, "{}", banned.text);
        assert_eq!(host.ask(&other, [&bob, ID_TOKEN], "tickets").await.status, 200);
        host.end().await;
    }
}

on_both_databases! {
    async fn a_process_ends_what_is_its_own_and_operators_see_its_spiffe_id(backend: Backend) {
        let host = Host::begin(backend).await;
        let [one, other] = ["one", "other"].map(Key::new);
        let granted = host.ask(&one, [&host.world.id_token("ann"), ID_TOKEN], "tickets").await;
        let access = granted.token();
        let directory = host.world.config().parent().expect("a directory").to_owned();
        write(&directory, "svid.jwt", &host.svid);
        let shown = host.world.deputy(&["--json", "agent", "show", &actor(&granted)]).await;
        let shown: Value = serde_json::from_slice(&shown.stdout).expect("JSON");
        assert_eq!(shown["workload_issuer"], "spiffe://agents.example");
        assert_eq!((&shown["stable_id"], &shown["workload_id"]), (&json!(BUYER), &json!(one.thumbprint())));

        let file = directory.join("svid.jwt");
        let file = file.to_str().expect("a path");
        let verb = ["--json", "workload", "explain", "--token", file];
        let explained = host.world.deputy(&[&verb[..], &["--jkt", &one.thumbprint()]].concat()).await;
        let explained: Value = serde_json::from_slice(&explained.stdout).expect("JSON");
        assert_eq!((&explained["preset"], &explained["id_kind"]), (&json!("spiffe"), &json!("key")));
        assert_eq!(explained["agent"], actor(&granted));
        let without = host.world.deputy(&verb).await;
        let without: Value = serde_json::from_slice(&without.stdout).expect("JSON");
        assert_eq!((&without["class"], &without["agent"]), (&json!("buyer"), &Value::Null), "{without}");

        std::fs::remove_file(file).expect("a file");

        // At `/revoke` a process proves its key too.
        let caller = host.world.caller_named("");
        let form = [("token", &*access)];
        let credential = || Credential::Platform(host.svid.as_str().into());
        let none = caller.post_by(&host.server.base, Endpoint::Revocation, credential(), &form).await;
        assert_eq!(none.refusal(), (400, "invalid_dpop_proof", "proof_missing"), "{}", none.text);
        let revoke = async |key: &Key| caller.revoke_proving(&host.server.base, credential(), &access, key).await;
        assert_eq!(revoke(&other).await.refusal(), (400, "invalid_request", "token_of_other_client"));
        assert!(host.world.caller("tickets-api").introspect(&host.server.base, &access).await.is_active());
        assert_eq!(revoke(&one).await.status, 200);
        assert!(!host.world.caller("tickets-api").introspect(&host.server.base, &access).await.is_active());

        // `kill workload` names the SPIFFE ID, and ends every process of it.
        let name = format!("spiffe://agents.example|{BUYER}");
        let killed = host.world.deputy(&["kill", "workload", &name, "--yes"]).await;
        assert!(killed.status.success(), "{}", String::from_utf8_lossy(&killed.stderr));
        for key in [&one, &other] {
            let stopped = host.ask(key, [&host.world.id_token("bob"), ID_TOKEN], "tickets").await;
            assert_eq!(stopped.refusal(), ACTOR, "{}", stopped.text);
        }
        host.end().await;
    }
}

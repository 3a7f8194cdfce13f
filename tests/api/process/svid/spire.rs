//! Real SPIRE: its server publishes the bundle, its agent attests this process and hands out the SVIDs.

use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::time::Duration;

use serde_json::Value;
use tokio::process::{Child, Command};
use tokio::time::timeout;

use super::{DOMAIN, Host, ID_TOKEN, actor};
use crate::definition::certify;
use crate::jose::{Key, claims_of, header_of};
use crate::ports::free_port;
use crate::process_support::{Backend, Plan, World};

/// How long a part of SPIRE may take to begin.
const PATIENCE: Duration = Duration::from_secs(60);
const SPIFFE_ID: &str = "spiffe://agents.example/agents/buyer";

/// A server and an agent of SPIRE, which end with the test.
struct Spire {
    binaries: PathBuf,
    directory: PathBuf,
    _server: Child,
    _agent: Child,
}

impl Spire {
    /// Starts both, and gives this process its SPIFFE ID. The bundle endpoint has the certificate in `directory`.
    async fn start(directory: &Path, bundle_port: u16) -> Self {
        let binaries =
            std::env::var_os("DEPUTY_TEST_SPIRE").expect("DEPUTY_TEST_SPIRE: `just spire` sets it");
        let (binaries, directory) = (PathBuf::from(binaries), directory.to_owned());
        let server_port = free_port();
        let shown = directory.display();
        let server = format!(
            r#"server {{
                 bind_address = "127.0.0.1"
                 bind_port = "{server_port}"
                 socket_path = "{shown}/server.sock"
                 trust_domain = "agents.example"
                 data_dir = "{shown}/spire"
                 jwt_key_type = "ec-p256"
                 federation {{
                   bundle_endpoint {{
                     address = "127.0.0.1"
                     port = {bundle_port}
                     refresh_hint = "5m"
                     profile "https_web" {{
                       serving_cert_file {{
                         cert_file_path = "{shown}/tls/certificate.pem"
                         key_file_path = "{shown}/tls/key.pem"
                         file_sync_interval = "1h"
                       }}
                     }}
                   }}
                 }}
               }}
               plugins {{
                 DataStore "sql" {{
                   plugin_data {{
                     database_type = "sqlite3"
                     connection_string = "{shown}/spire.sqlite3"
                   }}
                 }}
                 NodeAttestor "join_token" {{
                   plugin_data {{}}
                 }}
                 KeyManager "memory" {{
                   plugin_data {{}}
                 }}
               }}"#
        );
        let agent = format!(
            r#"agent {{
                 server_address = "127.0.0.1"
                 server_port = "{server_port}"
                 socket_path = "{shown}/agent.sock"
                 trust_domain = "agents.example"
                 data_dir = "{shown}/spire-agent"
                 insecure_bootstrap = true
               }}
               plugins {{
                 NodeAttestor "join_token" {{
                   plugin_data {{}}
                 }}
                 KeyManager "memory" {{
                   plugin_data {{}}
                 }}
                 WorkloadAttestor "unix" {{
                   plugin_data {{}}
                 }}
               }}"#
        );
        for (name, text) in [("server.conf", server), ("agent.conf", agent)] {
            std::fs::write(directory.join(name), text).expect("a file");
        }
        let run = |program: &str, arguments: &[&str]| {
            let log = std::fs::File::create(directory.join(format!("{program}.log"))).expect("a log");
            Command::new(binaries.join(program))
                .args(arguments)
                .stdout(log.try_clone().expect("a log"))
                .stderr(Stdio::from(log))
                .kill_on_drop(true)
                .spawn()
                .expect(program)
        };
        let path = |name: &str| directory.join(name).display().to_string();
        let server = run("spire-server", &["run", "-config", &path("server.conf")]);
        let socket = path("server.sock");
        let program = binaries.join("spire-server");
        let host = "spiffe://agents.example/host";
        let generate = ["token", "generate", "-socketPath", &socket, "-spiffeID", host, "-output", "json"];
        let made = Self::until(&program, &generate).await;
        let token: Value = serde_json::from_str(&made).expect("JSON");
        let token = token["value"].as_str().expect("a join token").to_owned();
        let agent = run("spire-agent", &["run", "-config", &path("agent.conf"), "-joinToken", &token]);
        let uid = format!("unix:uid:{}", rustix::process::getuid().as_raw());
        let entry = [
            "entry",
            "create",
            "-socketPath",
            &socket,
            "-parentID",
            host,
            "-spiffeID",
            SPIFFE_ID,
            "-selector",
            &uid,
            "-jwtSVIDTTL",
            "300",
        ];
        Self::until(&program, &entry).await;
        Self { binaries, directory, _server: server, _agent: agent }
    }

    /// What the command says as soon as it succeeds.
    async fn until(program: &Path, arguments: &[&str]) -> String {
        let tried = async {
            loop {
                let output = Command::new(program).args(arguments).output().await.expect("a command");
                if output.status.success() {
                    return String::from_utf8(output.stdout).expect("text");
                }
                tokio::time::sleep(Duration::from_millis(200)).await;
            }
        };
        timeout(PATIENCE, tried).await.unwrap_or_else(|_| panic!("{arguments:?} does not succeed"))
    }

    /// The SVID that the agent hands to a process of this machine.
    async fn svid(&self, audience: &str) -> String {
        let socket = self.directory.join("agent.sock").display().to_string();
        let fetch = ["api", "fetch", "jwt", "-socketPath", &socket, "-audience", audience, "-output", "json"];
        let said = Self::until(&self.binaries.join("spire-agent"), &fetch).await;
        let said: Value = serde_json::from_str(&said).expect("JSON");
        said[0]["svids"][0]["svid"].as_str().unwrap_or_else(|| panic!("{said}")).to_owned()
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
#[ignore = "the test above in full, by a real SPIRE: `just spire`"]
async fn real_spire_names_the_agents_of_two_processes() {
    let world = World::of(Backend::Sqlite, Plan::default()).await;
    let directory = world.config().parent().expect("a directory").to_owned();
    certify(&directory);
    let port = free_port();
    let spire = Spire::start(&directory, port).await;
    let reached = "bundle_endpoint = \"@bundle@\"\ntls_ca_file = \"tls/certificate.pem\"";
    let domain = DOMAIN.replace("bundle_endpoint = \"@bundle@\"", reached);
    Host::trust(&world, &domain.replace("@bundle@", &format!("https://127.0.0.1:{port}")));
    let checked = world.deputy(&["--json", "check"]).await;
    let checked: Value = serde_json::from_slice(&checked.stdout).expect("JSON");
    for id in ["remote_keys", "bundles"] {
        let found = checked["findings"].as_array().expect("findings").iter();
        let found: Vec<&Value> = found.filter(|finding| finding["id"] == id).collect();
        assert!(found.iter().all(|finding| finding["status"] == "ok") && !found.is_empty(), "{found:?}");
    }
    let server = world.start().await;

    let [svid, cached] = [spire.svid(world.issuer()).await, spire.svid(world.issuer()).await];
    assert_eq!(svid, cached, "the agent hands every process the same SVID");
    println!("the header of the SVID is {}, and its claims are {}", header_of(&svid), claims_of(&svid));
    assert_eq!(claims_of(&svid)["sub"], SPIFFE_ID);
    // A key under the name of the one that signed it.
    let forger = Key::new(header_of(&svid)["kid"].as_str().expect("a kid"));
    let host = Host { svid: world.witness.saw(svid), key: forger, world, server };
    let [one, other] = ["one", "other"].map(Key::new);
    let [ann, bob] = ["ann", "bob"].map(|user| host.world.id_token(user));
    let first = host.ask(&one, [&ann, ID_TOKEN], "tickets").await;
    let second = host.ask(&other, [&bob, ID_TOKEN], "tickets").await;
    assert_ne!(actor(&first), actor(&second));
    assert_eq!(claims_of(&first.token())["cnf"]["jkt"], one.thumbprint());

    let elsewhere = host.world.witness.saw(spire.svid("https://other.example").await);
    let refused = host.ask_by(&elsewhere, &one, [&ann, ID_TOKEN], "tickets").await;
    assert_eq!(
        refused.refusal(),
        (401, "invalid_client", "client_authentication_failed"),
        "{}",
        refused.text
    );
    let forged = Host::signed(&host.world, &host.key, SPIFFE_ID);
    let refused = host.ask_by(&forged, &one, [&ann, ID_TOKEN], "tickets").await;
    assert_eq!(
        refused.refusal(),
        (401, "invalid_client", "client_authentication_failed"),
        "{}",
        refused.text
    );
    drop(spire);
    host.end().await;
}

//! Mutual TLS by the real binary: curl as an agent runs it, a reload that takes an authority away, and a second node.

mod page;

use std::process::Output;
use std::time::Duration;

use serde_json::{Value, json};
use tokio::io::AsyncReadExt as _;
use tokio::net::TcpStream;
use tokio::process::Command;

use crate::definition::{TLS, certify, replaced, write};
use crate::jose::claims_of;
use crate::ports::free_port;
use crate::process_support::{Backend, Plan, World, on_both_databases};
use crate::world::{Authority, Certified, named};

const ID_TOKEN: &str = "urn:ietf:params:oauth:token-type:id_token";
const GRANT: &str = "urn:ietf:params:oauth:grant-type:token-exchange";

/// The client `tls-agent` authenticates by its certificate.
const CLIENT: &str = "
[[client]]
id = \"tls-agent\"
authentication = \"tls_client_auth\"
tls_client_auth_san_uri = \"https://agents.example/tls-agent\"
scopes = [\"tickets:search\"]
targets = [\"tickets\"]
";

fn with_mutual_tls(toml: String) -> String {
    let management = "management = \"@management@\"";
    let toml = replaced(
        &(Plan::default().change)(toml),
        management,
        &format!("{management}\nmtls = \"127.0.0.1:{}\"", free_port()),
    );
    let toml = replaced(&toml, "\"age-agent\", \"couriers\"]", "\"age-agent\", \"couriers\", \"tls-agent\"]");
    format!("{toml}{CLIENT}{TLS}client_ca_file = \"tls/clients.pem\"\n")
}

/// A world whose authority has issued a certificate for the agent, which is in `agent.pem` and `agent.key`.
async fn world(backend: Backend) -> (World, Certified) {
    let plan = Plan { scheme: "https", change: with_mutual_tls, ..Plan::default() };
    let world = World::of(backend, plan).await;
    let agent = certified(&world);
    (world, agent)
}

/// The certificate of the server, and one that an authority of the world has issued for the agent.
fn certified(world: &World) -> Certified {
    certify(&world.path("."));
    let authority = Authority::new("Authority");
    write(&world.path("."), "tls/clients.pem", authority.pem());
    let mut params = named("any");
    let uri = "https://agents.example/tls-agent".try_into().unwrap();
    params.subject_alt_names = vec![rcgen::SanType::URI(uri)];
    let agent = authority.issue(&params);
    write(&world.path("."), "agent.pem", &agent.pem);
    write(&world.path("."), "agent.key", &agent.key_pem);
    agent
}

/// Where this node asks for certificates.
fn mtls_of(world: &World, node: &str) -> String {
    let toml = std::fs::read_to_string(world.path(node)).unwrap();
    let port = toml.lines().find_map(|line| line.strip_prefix("mtls = \"127.0.0.1:")).unwrap();
    format!("https://127.0.0.1:{}", port.trim_end_matches('"'))
}

/// What curl prints for a form that it sends with the agent's certificate, or with none.
async fn curl(world: &World, url: &str, has_certificate: bool, form: &[(&str, &str)]) -> (u16, Value) {
    let certificate: &[&str] =
        if has_certificate { &["--cert", "agent.pem", "--key", "agent.key"] } else { &[] };
    curl_with(world, url, certificate, form).await
}

/// What curl prints for a form that it sends with these arguments; for an empty one it asks by GET.
async fn curl_with(world: &World, url: &str, arguments: &[&str], form: &[(&str, &str)]) -> (u16, Value) {
    let mut curl = Command::new("curl");
    curl.current_dir(world.path(".")).args(["--silent", "--show-error", "--cacert", "tls/certificate.pem"]);
    curl.args(["--write-out", "\n%{http_code}"]).args(arguments);
    for (name, value) in form {
        curl.args(["--data-urlencode", &format!("{name}={value}")]);
    }
    let Output { status, stdout, stderr } = curl.arg(url).output().await.expect("curl can be run");
    assert!(status.success(), "{}", String::from_utf8_lossy(&stderr));
    let text = String::from_utf8(stdout).unwrap();
    let (body, code) = text.rsplit_once('\n').unwrap();
    let json: Value = serde_json::from_str(body).unwrap_or_default();
    if let Some(token) = json["access_token"].as_str() {
        world.witness.saw(token.to_owned());
    }
    (code.parse().unwrap(), json)
}

/// An exchange by the agent.
async fn exchange(world: &World, url: &str, has_certificate: bool, token: (&str, &str)) -> (u16, Value) {
    curl(world, &format!("{url}/token"), has_certificate, &form(token)).await
}

/// The form of an exchange by the agent, of a token and its type.
const fn form<'a>(token: (&'a str, &'a str)) -> [(&'static str, &'a str); 6] {
    [
        ("grant_type", GRANT),
        ("client_id", "tls-agent"),
        ("subject_token", token.0),
        ("subject_token_type", token.1),
        ("audience", "tickets"),
        ("scope", "tickets:search"),
    ]
}

on_both_databases! {
    async fn an_agent_with_a_certificate_uses_curl_at_either_node(backend: Backend) {
        let (mut world, agent) = world(backend).await;
        let mut servers = vec![world.start().await];
        if backend == Backend::Postgres {
            let node = world.add_node();
            servers.push(world.start_node(node, &[]).await.expect("a start"));
        }
        let id_token = world.id_token("ulla");
        for node in ["node1.toml", "node2.toml"].iter().take(servers.len()) {
            let url = mtls_of(&world, node);
            let (status, answer) = exchange(&world, &url, true, (&id_token, ID_TOKEN)).await;
            assert_eq!((status, &answer["token_type"]), (200, &json!("Bearer")), "{answer}");
            let claims = claims_of(answer["access_token"].as_str().unwrap());
            assert_eq!(claims["cnf"], json!({"x5t#S256": agent.hash()}));
            assert_eq!(claims["client_id"], "tls-agent");
            // On the public listener nobody is asked for a certificate.
            for (url, has_certificate) in [(world.issuer(), true), (&url, false)] {
                let (status, answer) = exchange(&world, url, has_certificate, (&id_token, ID_TOKEN)).await;
                assert_eq!((status, &answer["error"]), (401, &json!("invalid_client")), "{answer}");
            }
            let form = [("client_id", "tls-agent"), ("token", answer["access_token"].as_str().unwrap())];
            let (status, _) = curl(&world, &format!("{url}/revoke"), true, &form).await;
            assert_eq!(status, 200);
        }
        for server in &mut servers {
            server.stop().await;
        }
        world.finish().await;
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_reload_takes_an_authority_away_from_connections_that_are_open_too() {
    let (world, agent) = world(Backend::Sqlite).await;
    let mut server = world.start().await;
    let url = mtls_of(&world, "node1.toml");
    let pem = format!("{}{}", agent.pem, agent.key_pem);
    let own = std::fs::read(world.path("tls/certificate.pem")).unwrap();
    let http = reqwest::Client::builder()
        .no_proxy()
        .tls_certs_only([reqwest::Certificate::from_pem(&own).unwrap()])
        .identity(reqwest::Identity::from_pem(pem.as_bytes()).unwrap())
        .build()
        .unwrap();
    let id_token = world.id_token("ulla");
    let form = form((&id_token, ID_TOKEN));
    let asked = async || {
        let answer = http.post(format!("{url}/token")).form(&form).send().await.unwrap();
        let (status, json) = (answer.status().as_u16(), answer.json::<Value>().await.unwrap());
        if let Some(token) = json["access_token"].as_str() {
            world.witness.saw(token.to_owned());
        }
        status
    };
    assert_eq!(asked().await, 200);
    write(&world.path("."), "tls/clients.pem", "no certificate");
    server.signal("HUP").await;
    while !server.log().contains("configuration refused") {
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    assert_eq!(asked().await, 200, "what cannot be read changes nothing");
    write(&world.path("."), "tls/clients.pem", Authority::new("Authority").pem());
    server.signal("HUP").await;
    while !server.log().contains("configuration reloaded") {
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    assert_eq!(asked().await, 401, "another authority of the same name");
    server.stop().await;
    world.finish().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_source_holds_so_many_connections_to_this_listener_too() {
    let (world, _) = world(Backend::Sqlite).await;
    let limit = [("DEPUTY_LIMITS_CONNECTIONS_PER_SOURCE", "4".to_owned())];
    let mut server = world.start_node(0, &limit).await.expect("a start");
    let address = mtls_of(&world, "node1.toml").replace("https://", "");
    let mut held = Vec::new();
    for _ in 0..4 {
        held.push(TcpStream::connect(&address).await.unwrap());
    }
    let mut more = TcpStream::connect(&address).await.unwrap();
    let closed = tokio::time::timeout(Duration::from_secs(5), more.read(&mut [0; 1])).await;
    assert!(matches!(closed, Ok(Ok(0) | Err(_))), "it is closed unanswered: {closed:?}");
    drop(held);
    server.stop().await;
    world.finish().await;
}

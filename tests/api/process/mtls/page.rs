//! What docs/operating.md tells operators to write under "## Client certificates", used as it stands: Deputy that asks for
//! certificates itself, and nginx in front of it.

use std::process::Stdio;
use std::time::Duration;

use tokio::net::TcpStream;
use tokio::process::Child;
use toml::{Table, Value as Toml};

use super::*;

/// The blocks in this language below a heading of a page.
fn blocks_below(page: &str, heading: &str, language: &str) -> Vec<String> {
    let page = std::fs::read_to_string(page).unwrap();
    let (_, below) = page.split_once(&format!("\n{heading}\n")).expect("the heading");
    let section = below.split("\n## ").next().unwrap();
    let fence = format!("```{language}\n");
    let blocks = section.split(&fence).skip(1);
    blocks.map(|block| block.split("```").next().unwrap().to_owned()).collect()
}

/// The blocks for operators.
fn blocks(language: &str) -> Vec<String> {
    let page = concat!(env!("CARGO_MANIFEST_DIR"), "/docs/operating.md");
    blocks_below(page, "## Client certificates", language)
}

/// The block as it is needed here: each first text, which has to be in it, is replaced by the second.
fn here(block: &str, places: &[(&str, &str)]) -> String {
    places.iter().fold(block.to_owned(), |text, (place, here)| replaced(&text, place, here))
}

/// Deputy's files have other names on the page.
const FILES: [(&str, &str); 3] = [
    ("tls/deputy.crt", "tls/certificate.pem"),
    ("tls/deputy.key", "tls/key.pem"),
    ("tls/clients-ca.pem", "tls/clients.pem"),
];

fn with_the_client(toml: String) -> String {
    let toml = (Plan::default().change)(toml);
    let toml = replaced(&toml, "\"age-agent\", \"couriers\"]", "\"age-agent\", \"couriers\", \"tls-agent\"]");
    format!("{toml}{CLIENT}")
}

/// A world whose configuration has this part in it.
async fn world_with(part: &str) -> (World, Certified) {
    let plan = Plan { scheme: "https", change: with_the_client, ..Plan::default() };
    let world = World::of(Backend::Sqlite, plan).await;
    let agent = certified(&world);
    // nginx looks for names only, and knows Deputy by the one on the page.
    let names = ["127.0.0.1", "deputy.example"].map(str::to_owned);
    let own = rcgen::generate_simple_self_signed(names).unwrap();
    write(&world.path("."), "tls/certificate.pem", own.cert.pem());
    write(&world.path("."), "tls/key.pem", own.signing_key.serialize_pem());
    let mut whole: Table = std::fs::read_to_string(world.config()).unwrap().parse().unwrap();
    for (section, members) in part.parse::<Table>().unwrap() {
        let Toml::Table(members) = members else { panic!("a part has sections only") };
        let own = whole.entry(section).or_insert_with(|| Toml::Table(Table::new()));
        own.as_table_mut().unwrap().extend(members);
    }
    std::fs::write(world.config(), whole.to_string()).unwrap();
    (world, agent)
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn deputy_asks_for_certificates_with_the_lines_of_the_page() {
    let mtls = format!("127.0.0.1:{}", free_port());
    let part = here(&here(&blocks("toml")[0], &FILES), &[("0.0.0.0:8445", &mtls)]);
    let (world, agent) = world_with(&part).await;
    let mut server = world.start().await;

    let id_token = world.id_token("ulla");
    let (status, answer) = exchange(&world, &format!("https://{mtls}"), true, (&id_token, ID_TOKEN)).await;

    assert_eq!(status, 200, "{answer}");
    let claims = claims_of(answer["access_token"].as_str().unwrap());
    assert_eq!(claims["cnf"], json!({"x5t#S256": agent.hash()}));
    server.stop().await;
    world.finish().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_command_of_the_guide_for_agents_presents_a_certificate() {
    let mtls = format!("127.0.0.1:{}", free_port());
    let part = here(&here(&blocks("toml")[0], &FILES), &[("0.0.0.0:8445", &mtls)]);
    let (world, agent) = world_with(&part).await;
    let mut server = world.start().await;
    let own = world.path(".");
    write(&own, "agent.crt", &agent.pem);
    write(&own, "certs/ca.pem", std::fs::read(world.path("tls/certificate.pem")).unwrap());
    write(&own, "id-token.jwt", world.id_token("ulla"));

    let guide = concat!(env!("CARGO_MANIFEST_DIR"), "/docs/guides/agent.md");
    let command = &blocks_below(guide, "### With a client certificate", "sh")[0];
    let command = here(command, &[("localhost:8445", &mtls), ("client_id=assistant", "client_id=tls-agent")]);
    let done = Command::new("sh").current_dir(own).args(["-eu", "-c", &command]).output().await.unwrap();

    // The file is the reader's, not Deputy's.
    std::fs::remove_file(world.path("id-token.jwt")).unwrap();
    let told = String::from_utf8_lossy(&done.stderr);
    let answer: Value = serde_json::from_slice(&done.stdout).unwrap_or_else(|_| panic!("{command}\n{told}"));
    let token = world.witness.saw(answer["access_token"].as_str().expect("a token").to_owned());
    assert_eq!(claims_of(&token)["cnf"], json!({"x5t#S256": agent.hash()}));
    assert_eq!(answer["token_type"], "Bearer");
    server.stop().await;
    world.finish().await;
}

/// nginx with the lines of the page between itself and a Deputy that has those of the page too.
struct Proxied {
    world: World,
    agent: Certified,
    server: crate::process_support::Server,
    nginx: Child,
    /// Where nginx listens.
    front: String,
}

impl Proxied {
    async fn begin() -> Self {
        let front = format!("127.0.0.1:{}", free_port());
        let url = format!("https://{front}");
        let places = [("https://mtls.deputy.example", url.as_str()), ("10.1.0.7/32", "127.0.0.1/32")];
        let (world, agent) = world_with(&here(&here(&blocks("toml")[1], &FILES), &places)).await;
        let server = world.start().await;
        let mut nginx = Self::nginx(&world, &front);
        for _ in 0..500 {
            if TcpStream::connect(&front).await.is_ok() {
                return Self { world, agent, server, nginx, front: url };
            }
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
        nginx.kill().await.unwrap();
        panic!("nginx does not listen: {}", std::fs::read_to_string(world.path("nginx.log")).unwrap());
    }

    fn nginx(world: &World, front: &str) -> Child {
        let own = world.path(".");
        let path = |name: &str| own.join(name).to_str().unwrap().to_owned();
        let (certificate, key) = (path("tls/certificate.pem"), path("tls/key.pem"));
        let places = [
            ("listen 443 ssl", format!("listen {front} ssl")),
            ("/etc/nginx/mtls.crt", certificate.clone()),
            ("/etc/nginx/mtls.key", key),
            ("/etc/nginx/deputy-ca.pem", certificate),
            ("https://10.1.0.20:8443", world.issuer().to_owned()),
        ];
        let places: Vec<(&str, &str)> = places.iter().map(|(place, here)| (*place, here.as_str())).collect();
        let server = here(&blocks("nginx")[0], &places);
        let scratch: String = ["client_body", "proxy", "fastcgi", "uwsgi", "scgi"]
            .map(|kind| format!("{kind}_temp_path {};\n", path(&format!("nginx-{kind}"))))
            .concat();
        // One process, as the user that runs the tests.
        let whole = format!(
            "daemon off;\nmaster_process off;\npid {};\nerror_log stderr;\nevents {{}}\n\
             http {{\naccess_log off;\n{scratch}{server}}}\n",
            path("nginx.pid"),
        );
        std::fs::write(world.path("nginx.conf"), whole).unwrap();
        let log = std::fs::File::create(world.path("nginx.log")).unwrap();
        let mut nginx = Command::new("nginx");
        nginx.args(["-p", own.to_str().unwrap(), "-c", &path("nginx.conf"), "-e", "stderr"]);
        nginx.stdin(Stdio::null()).stderr(log).kill_on_drop(true);
        nginx.spawn().expect("nginx is on PATH, where ./test puts it")
    }

    async fn end(mut self) {
        self.nginx.kill().await.unwrap();
        self.server.stop().await;
        self.world.finish().await;
    }
}

/// A certificate as nginx states it: the PEM, percent-encoded.
fn escaped(pem: &str) -> String {
    pem.bytes().map(|byte| format!("%{byte:02X}")).collect()
}

/// An exchange that states a certificate in the header itself, from this address of the machine.
async fn forged(world: &World, url: &str, from: &str, id_token: &str, pem: &str) -> (u16, Value) {
    let form = form((id_token, ID_TOKEN));
    let header = format!("X-Client-Cert: {}", escaped(pem));
    let arguments = ["--interface", from, "--header", &header];
    curl_with(world, &format!("{url}/token"), &arguments, &form).await
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn nginx_states_the_certificate_of_a_client_and_nobody_else_can() {
    let proxied = Proxied::begin().await;
    let Proxied { world, agent, front, .. } = &proxied;
    let id_token = world.id_token("ulla");

    let (status, answer) = exchange(world, front, true, (&id_token, ID_TOKEN)).await;
    assert_eq!(status, 200, "{answer}");
    let claims = claims_of(answer["access_token"].as_str().unwrap());
    assert_eq!(
        (&claims["cnf"], &claims["client_id"]),
        (&json!({"x5t#S256": agent.hash()}), &json!("tls-agent"))
    );

    let refused = |(status, answer): (u16, Value)| (status, answer["error"].as_str().map(str::to_owned));
    let nobody = (401, Some("invalid_client".to_owned()));
    let without = exchange(world, front, false, (&id_token, ID_TOKEN)).await;
    assert_eq!(refused(without), nobody, "nginx leaves the header out");
    let replaced = forged(world, front, "127.0.0.1", &id_token, &agent.pem).await;
    assert_eq!(refused(replaced), nobody, "nginx replaces what a client writes");
    let ignored = forged(world, world.issuer(), "127.0.0.9", &id_token, &agent.pem).await;
    assert_eq!(refused(ignored), nobody, "the header counts from the proxy alone");
    let (status, answer) = forged(world, world.issuer(), "127.0.0.1", &id_token, &agent.pem).await;
    assert_eq!(status, 200, "from the address of the proxy it does: {answer}");

    let metadata = format!("{}/.well-known/oauth-authorization-server", world.issuer());
    let (_, metadata) = curl_with(world, &metadata, &[], &[]).await;
    assert_eq!(metadata["mtls_endpoint_aliases"]["token_endpoint"], json!(format!("{front}/token")));
    proxied.end().await;
}

//! The parties that all tests share: the text of `tests/world/deputy.toml`, to be filled in and changed.

#![allow(dead_code, reason = "each test target uses its part")]

use std::path::Path;

/// The definition with its placeholders.
pub const DEFINITION: &str = include_str!("../world/deputy.toml");
/// The directory of the definition. The secrets of its clients are in `secrets`, each in a file named like its client.
pub const DIRECTORY: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/world");
/// The workload issuer of the definition.
pub const WORKLOADS: &str = "https://workloads.example";
/// For `@provider_keys@`: the keys of the provider are in a file.
pub const PINNED: &str = "jwks_file = \"provider.json\"";
/// For `@provider_keys@`: the keys are fetched from a provider on loopback.
pub const FETCHED: &str = "network = \"private\"";

/// For a world whose requests are not to be throttled.
pub const UNLIMITED: &str = "
[limits]
failures_per_minute = 1000000
unknown_tokens_per_minute = 1000000
unauthenticated_rows_per_minute = 1000000
";
/// For a world that serves TLS.
pub const TLS: &str = "
[tls]
certificate_file = \"tls/certificate.pem\"
key_file = \"tls/key.pem\"
";

/// For a world with agents that work without a user: the pods of a nightly job, which authenticate as one client and may
/// begin tasks of their own, and sensors, for which nothing is registered.
pub const NIGHTLY: &str = r#"
[[workload_issuer.class]]
name = "nightly"
when = { claim = "kind", equals = "nightly" }
lifetime = "task"
clients = ["nightly-jobs"]
agent_tokens = true
begins_tasks = true
scopes = ["reports:read", "reports:write", "reports:mine"]
targets = ["reports"]

[[workload_issuer.class]]
name = "sensor"
when = { claim = "kind", equals = "sensor" }
lifetime = "principal"
agent_tokens = true
scopes = ["reports:read"]
targets = ["reports"]

[[client]]
id = "nightly-jobs"
authentication = "workload"
grants = ["urn:ietf:params:oauth:grant-type:token-exchange", "client_credentials"]
scopes = ["reports:read", "reports:write", "reports:mine"]
targets = ["reports"]

[[target]]
identifier = "reports"
scopes = { "reports:read" = { subjects = ["user", "agent"] }, "reports:write" = { subjects = ["agent"] }, "reports:mine" = {} }
resource_server = "tickets-api"
"#;

/// Fills in the placeholders of a text.
pub fn filled(text: &str, values: &[(&str, &str)]) -> String {
    values.iter().fold(text.to_owned(), |text, (name, value)| text.replace(&format!("@{name}@"), value))
}

/// The definition for a server that is at `issuer` and listens on the usual ports of loopback.
pub fn on_loopback(issuer: &str, provider: &str, provider_keys: &str) -> String {
    let values = [
        ("issuer", issuer),
        ("public", "127.0.0.1:8443"),
        ("management", "127.0.0.1:8444"),
        ("provider", provider),
        ("provider_keys", provider_keys),
    ];
    filled(DEFINITION, &values)
}

/// The section of a client, up to the next empty line.
pub fn client_section(id: &str) -> &'static str {
    let section = format!("[[client]]\nid = \"{id}\"\n");
    let (at, _) = DEFINITION.match_indices(&section).next().expect("a client");
    DEFINITION[at..].split("\n\n").next().expect("a section")
}

/// `text` with every `from` replaced; there has to be one.
#[track_caller]
pub fn replaced(text: &str, from: &str, to: &str) -> String {
    assert!(text.contains(from), "`{from}` is not in the configuration");
    text.replace(from, to)
}

/// `text` with these targets getting opaque tokens.
#[track_caller]
pub fn with_opaque_tokens(text: &str, targets: &[&str]) -> String {
    targets.iter().fold(text.to_owned(), |text, target| {
        let identifier = format!("[[target]]\nidentifier = \"{target}\"\n");
        replaced(&text, &identifier, &format!("{identifier}token_format = \"opaque\"\n"))
    })
}

/// The clients of the definition that have a key. Their key set belongs in `clients/ID.json`.
pub fn key_clients() -> Vec<&'static str> {
    DEFINITION
        .lines()
        .filter_map(|line| line.strip_prefix("jwks_file = \"clients/")?.strip_suffix(".json\""))
        .collect()
}

/// The secret of a client; for a client without one, a secret that nobody registered.
pub fn secret_of(client: &str) -> String {
    std::fs::read_to_string(Path::new(DIRECTORY).join("secrets").join(client))
        .map_or_else(|_| format!("{client}-has-no-secret-0123456789"), |secret| secret.trim_end().to_owned())
}

/// Writes a file that only its owner may read, with the directories above it.
pub fn write(directory: &Path, name: &str, content: impl AsRef<[u8]>) {
    use std::io::Write as _;
    use std::os::unix::fs::OpenOptionsExt as _;
    let path = directory.join(name);
    std::fs::create_dir_all(path.parent().expect("a directory")).expect("the directory");
    let mut options = std::fs::OpenOptions::new();
    let file = options.write(true).create(true).truncate(true).mode(0o600).open(path);
    file.and_then(|mut file| file.write_all(content.as_ref())).expect("the file");
}

/// Makes a certificate for `127.0.0.1`, writes it with its key as [`TLS`] names them, and gives it as DER.
pub fn certify(directory: &Path) -> Vec<u8> {
    let certified = rcgen::generate_simple_self_signed(["127.0.0.1".to_owned()]).expect("a certificate");
    write(directory, "tls/certificate.pem", certified.cert.pem());
    write(directory, "tls/key.pem", certified.signing_key.serialize_pem());
    certified.cert.der().to_vec()
}

/// Writes what every server needs beside its configuration: the secrets of the clients, and a directory for the data
/// that is open to its owner alone.
pub fn write_files(directory: &Path, data_dir: &str) {
    use std::os::unix::fs::DirBuilderExt as _;
    for file in std::fs::read_dir(Path::new(DIRECTORY).join("secrets")).expect("the secrets") {
        let name = file.expect("a file").file_name().into_string().expect("a name");
        write(directory, &format!("secrets/{name}"), secret_of(&name));
    }
    let mut builder = std::fs::DirBuilder::new();
    builder.mode(0o700).recursive(true).create(directory.join(data_dir)).expect("the data directory");
}

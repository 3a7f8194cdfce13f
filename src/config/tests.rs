//! A valid file, one thing changed, what is said about it.

mod access_tokens;
mod examples;
mod page;
mod platforms;
mod providers;
mod refused;
mod spiffe;

use std::path::{Path, PathBuf};
use std::sync::LazyLock;

use super::{Config, Database, PostgresTls};
use crate::base::time::Lifetime;
use crate::jose::Algorithm;
use crate::oauth::GrantType;
use crate::registry::{ClaimTest, ClientAuthentication, KeySource, SubjectForm};
use crate::testing::definition;

/// The definition of all tests as a valid file.
pub(super) static VALID: LazyLock<String> =
    LazyLock::new(|| definition::on_loopback("http://127.0.0.1:8443", "https://login.example", ""));

/// A path beside the file.
pub(super) fn beside(name: &str) -> PathBuf {
    Path::new(definition::DIRECTORY).join(name)
}

/// Reads `text`; the secrets of the definition are beside it.
pub(super) fn parse(text: &str) -> Result<Config, super::error::ConfigError> {
    Config::parse(text, Path::new(definition::DIRECTORY))
}

/// All that is said about `text`; empty if it is taken.
pub(super) fn said(text: &str) -> String {
    parse(text).err().map_or_else(String::new, |error| error.to_string())
}

#[test]
fn a_valid_file_is_read_with_the_documented_defaults() {
    let text = definition::replaced(&VALID, "management = \"127.0.0.1:8444\"\n", "");
    let config = parse(&text).unwrap();

    assert_eq!(config.data_dir, beside("data"));
    assert_eq!(config.listen.management.to_string(), "127.0.0.1:8444");
    assert!(matches!(&config.database, Database::Sqlite(file) if *file == beside("data/deputy.db")));
    assert_eq!(config.keys.signing_algorithm, Algorithm::ES256);
    assert_eq!(config.keys.master_key_file, beside("data/master.key"));
    assert_eq!(config.tokens.lifetime, Lifetime::from_seconds(300));
    assert_eq!(config.tasks.max_chain_depth, 4);
    assert_eq!(config.tokens.subject, SubjectForm::Pairwise);
    let provider = &config.registry.identity_providers["https://login.example"];
    assert_eq!(provider.keys, KeySource::Discovery);
    assert_eq!(provider.algorithms.len(), 5);
    assert_eq!(provider.max_session, Lifetime::from_seconds(28_800));
    assert_eq!(
        config.registry.workload_issuers["https://workloads.example"].audience,
        "http://127.0.0.1:8443"
    );
    let client = &config.registry.clients["assistant"];
    assert!(client.may_use(GrantType::TokenExchange) && client.may_act_as_agent);
    let ClientAuthentication::PrivateKeyJwt { algorithms, keys, .. } = &client.authentication else {
        panic!("not private_key_jwt");
    };
    assert!(!algorithms.contains(&Algorithm::RS256) && !algorithms.contains(&Algorithm::ES384));
    assert_eq!(keys, &KeySource::File(beside("clients/assistant.json")));
    assert_eq!(config.limits.failures_per_minute, 60);
}

#[test]
fn the_level_mfa_is_built_in_at_every_provider_unless_it_is_redefined() {
    let built_in = parse(&VALID).unwrap();
    let text = VALID.replace("name = \"phishing_resistant\"", "name = \"mfa\"");
    let redefined =
        parse(&text.replace("assurance = \"phishing_resistant\"", "assurance = \"mfa\"")).unwrap();

    let level = |config: &Config| {
        config.registry.identity_providers["https://login.example"].assurance["mfa"].any_of[0].test.clone()
    };
    assert_eq!(level(&built_in), ClaimTest::Contains(vec!["mfa".to_owned()]));
    assert_eq!(level(&redefined), ClaimTest::In(vec!["phr".to_owned(), "phrh".to_owned()]));
}

#[test]
fn answers_imply_their_scope_at_target_class_and_client() {
    let assistant = "\"age_over_18\", \"age_over_21\", \"files.read\"";
    let text = definition::replaced(&VALID, assistant, "\"age_over_21\", \"files.read\"");
    let class = "clients = [\"age-agent\"]\nscopes = [\"age_over_18\", \"age_over_21\"]";
    let text = definition::replaced(&text, class, "clients = [\"age-agent\"]");
    let targets = "targets = [\"tickets\", \"age-agent\"";
    let text = definition::replaced(&text, targets, &format!("answers = [\"age_over_18\"]\n{targets}"));

    let config = parse(&text).unwrap();

    assert!(config.registry.targets["tickets"].scope().contains("age_over_18"));
    let rule =
        config.registry.targets["tickets"].scopes.iter().find(|(scope, _)| scope.as_str() == "age_over_18");
    assert_eq!(rule.unwrap().1.assurance.as_deref(), Some("mfa"));
    assert!(config.registry.clients["assistant"].scopes.contains("age_over_18"));
    let class = &config.registry.workload_issuers["https://workloads.example"].classes[0];
    assert!(class.scopes.contains("age_over_18"));
}

#[test]
fn a_sector_is_the_origin_of_a_url_and_otherwise_the_identifier() {
    let url = VALID.replace("\"tickets\"", "\"https://tickets.example:8443/api\"");

    let config = parse(&url).unwrap();

    assert_eq!(
        config.registry.targets["https://tickets.example:8443/api"].sector,
        "https://tickets.example:8443"
    );
    assert_eq!(config.registry.targets["age-agent"].sector, "age-agent");
}

#[test]
fn variables_override_scalars_and_nothing_else() {
    let directory = tempfile::tempdir().unwrap();
    let file = directory.path().join("deputy.toml");
    definition::write_files(directory.path(), "data");
    std::fs::write(&file, &*VALID).unwrap();
    let load = |variables: &[(&str, &str)]| {
        let owned: Vec<_> = variables.iter().map(|(k, v)| ((*k).to_owned(), (*v).to_owned())).collect();
        Config::load(&file, owned)
    };

    let config = load(&[
        ("DEPUTY_TOKENS_LIFETIME_SECONDS", "120"),
        ("DEPUTY_LISTEN_PUBLIC", "127.0.0.1:9443"),
        ("DEPUTY_DATABASE_URL", "sqlite://other.db"),
        ("DEPUTY_TEST_ANYTHING", "1"),
        ("DEPUTY_PORT", "tcp://10.96.7.12:8443"),
        ("DEPUTY_SERVICE_HOST", "10.96.7.12"),
        ("DEPUTY_PORT_8443_TCP_PROTO", "tcp"),
        ("HOME", "/root"),
    ])
    .unwrap();

    assert_eq!(config.tokens.lifetime.seconds(), 120);
    assert_eq!(config.listen.public.port(), 9443);
    assert!(matches!(&config.database, Database::Sqlite(path) if *path == directory.path().join("other.db")));
    let unknown = load(&[("DEPUTY_TOKEN_LIFETIME_SECONDS", "120")]).unwrap_err().to_string();
    assert!(unknown.contains("`DEPUTY_TOKENS_LIFETIME_SECONDS`"), "{unknown}");
    let listed = load(&[("DEPUTY_LISTEN_TRUSTED_PROXIES", "10.0.0.0/8")]).unwrap_err().to_string();
    assert!(listed.contains("is not a variable"), "{listed}");
    let typed = load(&[("DEPUTY_TOKENS_LIFETIME_SECONDS", "soon")]).unwrap_err().to_string();
    assert!(typed.contains("must be an integer"), "{typed}");
    let ranged = load(&[("DEPUTY_TOKENS_LIFETIME_SECONDS", "9000")]).unwrap_err().to_string();
    assert!(ranged.contains("`DEPUTY_TOKENS_LIFETIME_SECONDS` is 9000; write 1 to 900"), "{ranged}");
}

/// The valid file with this database.
fn with_database(url: &str) -> String {
    VALID.replace("[tokens]", &format!("[database]\nurl = \"{url}\"\n[tokens]"))
}

#[test]
fn a_database_url_keeps_its_password_to_itself() {
    let text = with_database("postgres://deputy:hunter2@db.example/deputy?sslrootcert=ca.pem");

    let config = parse(&text).unwrap();

    let Database::Postgres(postgres) = &config.database else { panic!("not PostgreSQL") };
    assert_eq!(postgres.url, "postgres://deputy:hunter2@db.example/deputy");
    assert_eq!(postgres.tls, PostgresTls::VerifyFull(Some(beside("ca.pem"))));
    assert!(!format!("{config:?}").contains("hunter2"));
    for mode in ["prefer", "require", "verify-ca"] {
        let broken = said(&text.replace("sslrootcert=ca.pem", &format!("sslmode={mode}")));
        assert!(broken.contains("does not verify") && !broken.contains("hunter2"), "{broken}");
    }
}

#[test]
fn a_database_url_reaches_the_driver_as_written() {
    let parsed = |url: &str| match parse(&with_database(url)) {
        Ok(Config { database: Database::Postgres(postgres), .. }) => Ok(postgres.url),
        Ok(other) => panic!("{:?}", other.database),
        Err(error) => Err(error.to_string()),
    };
    let base = "postgres://deputy@db.example/deputy";
    for query in
        ["options=-c%20search_path%3Down", "application_name=a+b&connect_timeout=3", "host=a,b&port=1,2"]
    {
        let url = format!("{base}?{query}");
        assert_eq!(parsed(&format!("{url}&sslmode=verify-full&sslrootcert=%2Fca.pem")).as_ref(), Ok(&url));
    }
    let several =
        "postgres://deputy@one.example:5432,two.example:5433/deputy?target_session_attrs=read-write";
    assert_eq!(parsed(several).as_deref(), Ok(several));
    for local in ["127.0.0.1:5432", "[::1]:5432", "127.0.0.1,127.0.0.2", "%2Fvar%2Frun%2Fpostgresql"] {
        let url = format!("postgres://u:p%40ss@{local}/d");
        assert_eq!(parsed(&format!("{url}?sslmode=disable")).as_ref(), Ok(&url));
    }
    for remote in ["db.example/d", "127.0.0.1,db.example/d", "127.0.0.1/d?host=db.example"] {
        let separator = if remote.contains('?') { '&' } else { '?' };
        let refused = parsed(&format!("postgres://u@{remote}{separator}sslmode=disable")).unwrap_err();
        assert!(refused.contains("not on this machine"), "{remote}: {refused}");
    }
    for hidden in ["u@127.0.0.1@db.example/d", "u:pw/127.0.0.1@db.example/d"] {
        let refused = parsed(&format!("postgres://{hidden}?sslmode=disable")).unwrap_err();
        assert!(refused.contains("percent-encode") && !refused.contains("pw"), "{hidden}: {refused}");
    }
}

/// The number of the first line that begins so.
fn line_of(text: &str, beginning: &str) -> usize {
    1 + text.lines().position(|line| line.starts_with(beginning)).unwrap()
}

#[test]
fn everything_wrong_is_told_at_once_in_the_order_of_the_file() {
    let text = VALID
        .replace("subject = \"pairwise\"", "subject = \"pairwise\"\nlifetime_seconds = 9999")
        .replace("clients = [\"assistant\"]", "clients = [\"asistant\"]")
        .replacen("onward = [\"tickets\"]", "onward = [\"ticket\"]", 1);

    let error = parse(&text).unwrap_err();

    let lines: Vec<_> = error.problems.iter().map(|problem| problem.line.unwrap()).collect();
    assert_eq!(lines.len(), 3, "{error}");
    assert!(lines.is_sorted());
    let (file, line) = (beside("deputy.toml"), line_of(&text, "lifetime_seconds = 9999"));
    let first = format!("{}:{line}: `tokens.lifetime_seconds` is 9999", file.display());
    assert!(error.to_string().starts_with(&first), "{error}");
}

#[test]
fn unknown_keys_are_all_told_with_line_and_nearest_key() {
    let text = VALID
        .replace("[tokens]", "[tokens]\nlifetime_second = 300")
        .replace("onward = ", "onwards = ")
        .replace("[listen]", "[listen]\njwks_max_age_seconds = 300");

    let said = said(&text);

    let line = line_of(&text, "lifetime_second = 300");
    let key = "`tokens.lifetime_second` is not a key; the nearest key here is `lifetime_seconds`";
    assert!(said.contains(&format!("deputy.toml:{line}: {key}")), "{said}");
    assert!(said.contains("`target.onwards` is not a key; the nearest key here is `onward`"), "{said}");
    assert!(
        said.contains("`listen.jwks_max_age_seconds` is not a key; that key belongs in `[keys]`"),
        "{said}"
    );
}

#[test]
fn a_file_that_is_not_there_says_so() {
    let error = Config::load(Path::new("/nonexistent/deputy.toml"), []).unwrap_err().to_string();

    assert!(
        error.contains("/nonexistent/deputy.toml: `--config` cannot be read: there is no such file"),
        "{error}"
    );
}

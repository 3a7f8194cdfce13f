//! `deputy init`: a commented configuration, its data directory and its master key.

use std::os::unix::fs::DirBuilderExt as _;
use std::path::{Path, PathBuf};

use super::SetupError;
use super::certificates::{dev_certificates, write_new};
use crate::base::entropy::Entropy;
use crate::base::time::Timestamp;
use crate::config::Config;
use crate::keys::NodeSecrets;

#[derive(Clone, Debug)]
pub struct Options {
    pub directory: PathBuf,
    /// Deputy's issuer; without one, plain HTTP on loopback.
    pub issuer: Option<String>,
    /// Whether to make certificates for localhost, and use them.
    pub dev_certs: bool,
    /// Whether to keep a configuration that is there, and make only what it lacks.
    pub only_missing: bool,
}

#[derive(Clone, Debug)]
pub struct Made {
    /// In the order they were made.
    pub files: Vec<PathBuf>,
    /// What to do next, a line each.
    pub next: Vec<String>,
}

const TEMPLATE: &str = include_str!("init/deputy.toml");

/// Writes `deputy.toml`, `data/` (mode 0700) and `data/master.key`. With `only_missing` a configuration that is there
/// is kept, and what it names is made unless it is there.
///
/// # Errors
/// [`SetupError`]. Nothing is written unless a server would accept the configuration and no file is in the way.
pub fn init(options: &Options, now: Timestamp, entropy: &dyn Entropy) -> Result<Made, SetupError> {
    let directory = &options.directory;
    let file = directory.join("deputy.toml");
    let certs = directory.join("certs");
    let is_kept = options.only_missing && file.exists();
    let text = if is_kept {
        std::fs::read_to_string(&file).map_err(SetupError::at(&file))?
    } else {
        configuration(options)
    };
    let config = Config::parse(&text, directory)?;
    let (data, master_key) = (config.data_dir, config.keys.master_key_file);
    let in_the_way = [&file, &master_key].into_iter().find(|path| path.exists());
    if let Some(path) = in_the_way.filter(|_| !options.only_missing) {
        return Err(SetupError::Exists(path.clone()));
    }
    std::fs::create_dir_all(directory).map_err(SetupError::at(directory))?;
    let mut files = Vec::new();
    if options.dev_certs && !(options.only_missing && certs.join("server.pem").exists()) {
        let made = dev_certificates(&certs, now)?;
        files.extend([made.ca, made.certificate, made.key]);
    }
    if !data.exists() {
        let mut private = std::fs::DirBuilder::new();
        private.recursive(true).mode(0o700).create(&data).map_err(SetupError::at(&data))?;
        files.push(data);
    }
    if !master_key.exists() {
        NodeSecrets::create(&master_key, entropy)?;
        files.push(master_key.clone());
    }
    if !is_kept {
        // The configuration last: where it is, everything it names is.
        write_new(&file, text.as_bytes(), 0o644)?;
        files.push(file.clone());
    }
    Ok(Made { next: next(options, is_kept, [&file, &certs, &master_key]), files })
}

fn configuration(options: &Options) -> String {
    let (issuer, public, tls) = match (&options.issuer, options.dev_certs) {
        (Some(issuer), _) => (issuer.as_str(), "0.0.0.0:8443", Some(("tls/deputy.crt", "tls/deputy.key"))),
        (None, true) => {
            ("https://localhost:8443", "127.0.0.1:8443", Some(("certs/server.pem", "certs/server-key.pem")))
        }
        (None, false) => ("http://127.0.0.1:8443", "127.0.0.1:8443", None),
    };
    let tls = match tls {
        Some((certificate, key)) => {
            format!("[tls]\ncertificate_file = \"{certificate}\"\nkey_file = \"{key}\"")
        }
        None => "# Needed as soon as issuer or listener is not loopback.\n# [tls]\n# certificate_file = \"tls/deputy.crt\"\n# key_file = \"tls/deputy.key\"".to_owned(),
    };
    // A quote in the issuer cannot break out of its string: the text is parsed before it is written.
    TEMPLATE.replace("@issuer@", issuer).replace("@public@", public).replace("@tls@", &tls)
}

fn next(options: &Options, is_kept: bool, [file, certs, master_key]: [&Path; 3]) -> Vec<String> {
    let file = file.display();
    let sections = if is_kept { "" } else { "each section is there as a comment; " };
    let mut steps = vec![
        format!("1. open {file}: name your identity provider, a client and a target"),
        format!("   ({sections}docs/configuration.md has every key)"),
        format!("2. deputy check --config {file}"),
        format!("3. deputy serve --config {file}"),
    ];
    if options.issuer.is_some() {
        steps.insert(2, "   and put certificate and key where [tls] says".to_owned());
    }
    if options.dev_certs {
        steps.push(format!("   clients trust {}", certs.join("ca.pem").display()));
    }
    steps.push(format!(
        "Keep a copy of {} somewhere safe: without it the database cannot be opened.",
        master_key.display()
    ));
    steps
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::PermissionsExt as _;

    use super::*;
    use crate::base::entropy::SystemEntropy;

    const NOW: Timestamp = Timestamp::from_seconds(1_795_000_000);

    fn options(directory: &Path) -> Options {
        Options { directory: directory.join("deputy"), issuer: None, dev_certs: false, only_missing: false }
    }

    fn make(options: &Options) -> Result<Made, SetupError> {
        init(options, NOW, &SystemEntropy::default())
    }

    fn mode(path: &Path) -> u32 {
        std::fs::metadata(path).unwrap().permissions().mode() & 0o777
    }

    #[test]
    fn a_fresh_configuration_loads_unchanged() {
        let place = tempfile::tempdir().unwrap();
        let options = options(place.path());

        let made = make(&options).unwrap();

        let config = Config::load(&options.directory.join("deputy.toml"), []).unwrap();
        assert_eq!(config.issuer.as_str(), "http://127.0.0.1:8443");
        assert_eq!(mode(&config.data_dir), 0o700);
        assert!(config.keys.master_key_file.exists());
        assert!(made.files.iter().all(|file| file.exists()));
        assert!(made.next.iter().any(|step| step.contains("deputy check")));
        assert!(made.next.iter().any(|step| step.contains("as a comment")));
    }

    #[test]
    fn every_commented_section_of_a_fresh_configuration_is_right_when_uncommented() {
        let text = configuration(&Options {
            directory: "/x".into(),
            issuer: None,
            dev_certs: true,
            only_missing: false,
        });
        let uncommented: String = text
            .lines()
            .map(|line| line.strip_prefix("#: ").or_else(|| line.strip_prefix("#:")).unwrap_or(line))
            .fold(String::new(), |text, line| text + line + "\n");

        let config = Config::parse(&uncommented, Path::new("/x")).unwrap();

        assert_eq!(config.registry.identity_providers.len(), 1);
        assert_eq!(config.registry.clients.len(), 2);
        assert_eq!(config.registry.targets.len(), 1);
        assert_eq!(config.registry.workload_issuers.len(), 1);
    }

    #[test]
    fn nothing_is_overwritten() {
        let place = tempfile::tempdir().unwrap();
        let options = options(place.path());
        make(&options).unwrap();
        std::fs::write(options.directory.join("deputy.toml"), "mine").unwrap();

        let again = make(&options).unwrap_err().to_string();

        assert!(again.contains("deputy.toml` is there already"), "{again}");
        assert_eq!(std::fs::read_to_string(options.directory.join("deputy.toml")).unwrap(), "mine");
    }

    #[test]
    fn what_a_configuration_lacks_is_made_and_the_rest_is_kept() {
        let place = tempfile::tempdir().unwrap();
        let options = Options { only_missing: true, ..options(place.path()) };
        std::fs::create_dir(&options.directory).unwrap();
        let mine =
            "issuer = \"http://127.0.0.1:9\"\ndata_dir = \"state\"\n[listen]\npublic = \"127.0.0.1:9\"\n";
        std::fs::write(options.directory.join("deputy.toml"), mine).unwrap();

        let first = make(&options).unwrap();
        let second = make(&options).unwrap();

        let state = options.directory.join("state");
        assert_eq!(first.files, [state.clone(), state.join("master.key")]);
        assert_eq!(mode(&state), 0o700);
        assert!(second.files.is_empty());
        assert!(!first.next.iter().any(|step| step.contains("as a comment")), "{:?}", first.next);
        let key = state.join("master.key").display().to_string();
        assert!(first.next.iter().any(|step| step.contains(&key)), "{:?}", first.next);
        assert_eq!(std::fs::read_to_string(options.directory.join("deputy.toml")).unwrap(), mine);
    }

    #[test]
    fn an_issuer_that_is_not_taken_leaves_nothing_behind() {
        let place = tempfile::tempdir().unwrap();
        for issuer in
            ["http://deputy.example", "https://deputy.example\"\n[audit]\ncheckpoint_file = \"/etc/passwd"]
        {
            let options = Options { issuer: Some(issuer.to_owned()), ..options(place.path()) };

            assert!(matches!(make(&options), Err(SetupError::Configuration(_))), "{issuer}");
            assert!(!options.directory.exists());
        }
    }

    #[test]
    fn development_certificates_are_for_this_machine_and_their_key_is_private() {
        let place = tempfile::tempdir().unwrap();
        let options = Options { dev_certs: true, ..options(place.path()) };

        make(&options).unwrap();

        let config = Config::load(&options.directory.join("deputy.toml"), []).unwrap();
        let tls = config.tls.unwrap();
        assert_eq!(mode(&tls.key_file), 0o600);
        assert!(
            std::fs::read_to_string(&tls.certificate_file).unwrap().starts_with("-----BEGIN CERTIFICATE")
        );
        let again = make(&Options { directory: place.path().join("deputy"), ..options });
        assert!(again.is_err());
    }
}

//! Reading a configuration: text, variables, sections, then what holds between sections.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use super::error::{ConfigError, Problem};
use super::names::Names;
use super::raw::RawConfig;
use super::validation::Validation;
use super::{
    Config, between, clients, database, environment, names, predicates, providers, server, source, targets,
    workloads,
};
use crate::registry::Registry;

impl Config {
    /// Reads the file at `path`, with what the `DEPUTY_…` variables of `environment` override.
    ///
    /// # Errors
    /// Everything that is wrong, each with its line, its key and what to write instead.
    pub fn load(
        path: &Path,
        environment: impl IntoIterator<Item = (String, String)>,
    ) -> Result<Self, ConfigError> {
        let text = std::fs::read_to_string(path).map_err(|error| {
            let what = format!("cannot be read: {}", error.kind());
            let fix = "give `--config`, or make one with `deputy init`";
            ConfigError::whole_file(path.to_owned(), "--config", what, fix)
        })?;
        // The empty parent of `deputy.toml` is the working directory, which joins as it should.
        let base = path.parent().unwrap_or(Path::new(""));
        read(&text, path.to_owned(), base, environment)
    }

    /// Reads `text` as if it were the file `deputy.toml` in `base_dir`.
    ///
    /// # Errors
    /// As [`Config::load`].
    pub fn parse(text: &str, base_dir: &Path) -> Result<Self, ConfigError> {
        read(text, base_dir.join("deputy.toml"), base_dir, [])
    }
}

fn read(
    text: &str,
    file: PathBuf,
    base: &Path,
    variables: impl IntoIterator<Item = (String, String)>,
) -> Result<Config, ConfigError> {
    let source::Source { mut table, mut places, mut problems } = source::read(text);
    problems.extend(environment::apply(&mut table, &mut places, variables));
    if !problems.is_empty() {
        return Err(refused(file, problems));
    }
    let raw: RawConfig = match table.try_into() {
        Ok(raw) => raw,
        Err(error) => {
            let what = format!("does not read: {}", error.message());
            return Err(ConfigError::whole_file(file, "TOML", what, ""));
        }
    };
    let validation = Validation::new(&places, base);
    let config = sections(&validation, raw);
    let problems = validation.into_problems();
    match config {
        Some(config) if problems.is_empty() => Ok(config),
        _ => Err(refused(file, problems)),
    }
}

fn refused(file: PathBuf, mut problems: Vec<Problem>) -> ConfigError {
    problems.sort_by_key(|problem| problem.line.unwrap_or(usize::MAX));
    problems.dedup();
    ConfigError { file, problems }
}

/// Converts every section even after a problem, so that all problems are reported at once.
fn sections(validation: &Validation<'_>, raw: RawConfig) -> Option<Config> {
    let names = Names::of(&raw);
    let order = between::Order {
        providers: raw.identity_provider.iter().map(|provider| provider.issuer.clone()).collect(),
        targets: raw.target.iter().map(|target| target.identifier.clone()).collect(),
    };
    doubles(validation, &raw);

    let issuer = server::issuer(validation, raw.issuer);
    let own = issuer.as_ref().map(|(issuer, _)| issuer);
    let data_dir = server::data_dir(validation, raw.data_dir);
    let listen = server::listen(validation, raw.listen);
    let tls = server::tls(validation, raw.tls, issuer.as_ref().map(|(_, url)| url), listen.as_ref());
    let database = database::database(validation, raw.database, &data_dir);
    let keys = server::keys(validation, raw.keys, &data_dir);
    let tokens = server::tokens(validation, &raw.tokens);
    let tasks = server::tasks(validation, &raw.tasks);
    let policy = server::policy(validation, raw.policy);
    let audit = server::audit(validation, raw.audit, &data_dir);
    let limits = server::limits(validation, &raw.limits);

    let identity_providers = list("identity_provider", raw.identity_provider, |section, raw| {
        let provider = providers::provider(validation, section, raw, &names)?;
        Some((provider.issuer.clone(), Arc::new(provider)))
    });
    let workload_issuers = list("workload_issuer", raw.workload_issuer, |section, raw| {
        let issuer = workloads::workload_issuer(validation, section, raw, own, &names)?;
        Some((issuer.issuer.clone(), Arc::new(issuer)))
    });
    let clients = list("client", raw.client, |section, raw| {
        let client = clients::client(validation, section, raw, &names)?;
        Some((client.id.clone(), Arc::new(client)))
    });
    let predicates = list("predicate", raw.predicate, |section, raw| {
        let predicate = predicates::predicate(validation, section, raw)?;
        Some((predicate.scope.clone(), Arc::new(predicate)))
    });
    let targets = list("target", raw.target, |section, raw| {
        let target = targets::target(validation, section, raw, &names)?;
        Some((target.identifier.clone(), Arc::new(target)))
    });
    let config = Config {
        issuer: issuer.map(|(issuer, _)| issuer)?,
        data_dir,
        listen: listen?,
        tls,
        database: database?,
        keys,
        tokens,
        tasks,
        registry: Registry { identity_providers, workload_issuers, clients, predicates, targets },
        policy,
        audit,
        limits,
    };
    between::check(validation, &config, &order);
    Some(config)
}

/// Refuses two sections that have the same name.
fn doubles(validation: &Validation<'_>, raw: &RawConfig) {
    let RawConfig { identity_provider, workload_issuer, client, predicate, target, .. } = raw;
    let providers = identity_provider.iter().map(|provider| provider.issuer.as_ref());
    names::doubles(validation, "identity_provider", "issuer", providers);
    let issuers = workload_issuer.iter().map(|issuer| issuer.issuer.as_ref());
    names::doubles(validation, "workload_issuer", "issuer", issuers);
    names::doubles(validation, "client", "id", client.iter().map(|client| client.id.as_ref()));
    let scopes = predicate.iter().map(|predicate| predicate.scope.as_ref());
    names::doubles(validation, "predicate", "scope", scopes);
    let identifiers = target.iter().map(|target| target.identifier.as_ref());
    names::doubles(validation, "target", "identifier", identifiers);
}

fn list<R, K: Ord, V>(
    name: &str,
    raw: Vec<R>,
    convert: impl Fn(&str, R) -> Option<(K, V)>,
) -> BTreeMap<K, V> {
    raw.into_iter()
        .enumerate()
        .filter_map(|(position, raw)| convert(&format!("{name}[{position}]"), raw))
        .collect()
}

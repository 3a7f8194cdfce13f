//! Reading a configuration: text, variables, sections, then what holds between sections.

use std::cell::RefCell;
use std::collections::BTreeMap;
use std::io::ErrorKind;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use super::error::{ConfigError, Problem};
use super::mutual_tls::Accepted;
use super::names::Names;
use super::raw::RawConfig;
use super::section::{Reading, Section};
use super::{
    Config, Policy, clients, database, environment, form, mutual_tls, names, predicates, providers, server,
    source, targets, workloads,
};
use crate::base::text::why_unread;
use crate::registry::{Conflict, Party, Registry};

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
            let what = format!("cannot be read: {}", why_unread(&error));
            let fix = match error.kind() {
                ErrorKind::InvalidData => "save it as UTF-8: an editor has written it in another encoding",
                ErrorKind::IsADirectory => "name the file in that directory, which is usually `deputy.toml`",
                ErrorKind::PermissionDenied => "run the command as the user that Deputy runs as",
                _ => "give `--config`, or make one with `deputy init`",
            };
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
    let (mut table, mut places) = source::read(text).map_err(|problems| refused(file.clone(), problems))?;
    let mut unreadable = environment::apply(&mut table, &mut places, variables);
    let mut form = form::check(&mut table, &places);
    unreadable.append(&mut form.unreadable);
    if !unreadable.is_empty() {
        return Err(refused(file, unreadable));
    }
    let raw: RawConfig = match table.try_into() {
        Ok(raw) => raw,
        Err(error) => {
            let what = format!("does not read: {}", error.message());
            return Err(ConfigError::whole_file(file, "TOML", what, ""));
        }
    };
    let reading = Reading {
        places: &places,
        base,
        names: Names::of(&raw),
        removed: form.removed,
        problems: RefCell::new(form.illegal),
    };
    let config = sections(&Section { reading: &reading, path: String::new() }, raw);
    let problems = reading.problems.into_inner();
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

/// Converts every section even after a problem, so that all of them are reported at once.
fn sections(top: &Section<'_>, raw: RawConfig) -> Option<Config> {
    let lists = names::lists(&raw);
    for (list, key, names) in &lists {
        for (position, name) in names.iter().enumerate().filter_map(|(n, name)| Some((n, name.as_ref()?))) {
            if names[..position].contains(&Some(name.clone())) {
                let what = format!("is `{name}` a second time");
                top.item(list, position).refuse(key, what, "use each name once");
            }
        }
    }

    let mtls = Accepted::of(&raw);
    let issuer = server::issuer(top, raw.issuer);
    let own = issuer.as_ref().map(|(issuer, _)| issuer);
    let data_dir = top.file(raw.data_dir);
    let url = issuer.as_ref().map(|(_, url)| url);
    let listen = server::listen(&top.at("listen"), &raw.listen);
    let tls = server::tls(top, raw.tls, url, listen.as_ref());
    let listen = listen.map(|listen| mutual_tls::listen(top, &raw.listen, listen, url, tls.as_ref()));
    let database = database::database(&top.at("database"), raw.database, &data_dir);
    let keys = server::keys(&top.at("keys"), raw.keys, &data_dir);
    let audit = server::audit(&top.at("audit"), raw.audit, &data_dir);
    let dpop = server::dpop(&top.at("dpop"), &raw.dpop);
    let policy =
        Policy { directory: raw.policy.directory.map(|directory| top.file(directory)), ..raw.policy };

    let identity_providers = list(top, "identity_provider", raw.identity_provider, |section, raw| {
        let provider = providers::provider(section, raw, own)?;
        Some((provider.issuer.clone(), provider))
    });
    let default_quotas = raw.agents.quotas;
    let workload_issuers = list(top, "workload_issuer", raw.workload_issuer, |section, raw| {
        let issuer = workloads::workload_issuer(section, raw, own, default_quotas)?;
        Some((issuer.issuer.clone(), issuer))
    });
    let clients = list(top, "client", raw.client, |section, raw| {
        let client = clients::client(section, raw, mtls)?;
        Some((client.id.clone(), client))
    });
    let predicates = list(top, "predicate", raw.predicate, |section, raw| {
        let predicate = predicates::predicate(section, raw)?;
        Some((predicate.scope.clone(), predicate))
    });
    let targets = list(top, "target", raw.target, |section, raw| {
        let target = targets::target(section, raw)?;
        Some((target.identifier.clone(), target))
    });
    let (issuer, _) = issuer?;
    let config = Config {
        generation: 0,
        is_local: issuer.is_on_loopback(),
        issuer,
        data_dir,
        listen: listen?,
        tls,
        database: database?,
        keys,
        tokens: raw.tokens.convert(),
        tasks: raw.tasks.convert(),
        dpop,
        registry: Registry { identity_providers, workload_issuers, clients, predicates, targets },
        policy,
        audit,
        limits: raw.limits,
    };
    for Conflict { party, key, fault } in config.registry.conflicts(&config.issuer, config.tokens.subject) {
        let (list, name) = match party {
            Party::Own => ("", ""),
            Party::Provider(issuer) => ("identity_provider", issuer.as_str()),
            Party::WorkloadIssuer(issuer) => ("workload_issuer", issuer.as_str()),
            Party::Client(id) => ("client", id.as_str()),
            Party::Target(id) => ("target", id.as_str()),
        };
        let names = lists.iter().find(|(other, ..)| *other == list).map(|(.., names)| names);
        let position = names.and_then(|names| names.iter().position(|other| other.as_deref() == Some(name)));
        let place = position.map_or_else(|| top.clone(), |position| top.item(list, position));
        place.refuse(&key, fault.what, fault.fix);
    }
    Some(config)
}

/// The parties of a list of tables.
fn list<R, K: Ord, V>(
    top: &Section<'_>,
    name: &str,
    raw: Vec<R>,
    convert: impl Fn(&Section<'_>, R) -> Option<(K, V)>,
) -> BTreeMap<K, Arc<V>> {
    raw.into_iter()
        .enumerate()
        .filter_map(|(position, raw)| convert(&top.item(name, position), raw))
        .map(|(name, party)| (name, Arc::new(party)))
        .collect()
}

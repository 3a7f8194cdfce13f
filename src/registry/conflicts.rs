//! What has to hold between registered parties, and between them and Deputy itself.

use std::collections::{BTreeMap, BTreeSet};

use super::forms::Fault;
use super::{KeySource, MFA, Registry, SubjectForm, Target};
use crate::base::nearest::nearest;
use crate::jose::KeyForm;
use crate::oauth::{ClientId, GrantType, Issuer, ResourceUri, TargetId};

/// The party whose registration has to change.
#[derive(Clone, Copy, Debug)]
pub enum Party<'a> {
    /// Deputy itself.
    Own,
    Provider(&'a Issuer),
    WorkloadIssuer(&'a Issuer),
    Client(&'a ClientId),
    Target(&'a TargetId),
}

/// A rule that does not hold.
#[derive(Clone, Debug)]
pub struct Conflict<'a> {
    pub party: Party<'a>,
    /// The key of the party's registration that has to change.
    pub key: String,
    pub fault: Fault,
}

/// Collects the conflicts of a registry, at a Deputy with this issuer and this default form of `sub`.
struct Search<'a> {
    registry: &'a Registry,
    own: &'a Issuer,
    default_subject: SubjectForm,
    found: Vec<Conflict<'a>>,
}

impl Registry {
    /// Every conflict, at a Deputy with the issuer `own` and this default form of `sub`.
    pub fn conflicts<'a>(&'a self, own: &'a Issuer, default_subject: SubjectForm) -> Vec<Conflict<'a>> {
        let mut search = Search { registry: self, own, default_subject, found: Vec::new() };
        search.own_issuer_names_nothing_else();
        search.resources_are_told_apart();
        search.levels_exist();
        search.subjects_are_unambiguous();
        search.exchange_clients_may_exchange();
        search.credentials_are_told_apart();
        search.platform_credentials_suffice_alone();
        search.tasks_of_agents_have_a_client();
        search.default_scopes_can_be_granted();
        search.classes_are_told_apart();
        search.bundles_are_of_one_trust_domain();
        search.plain_http_stays_on_this_machine();
        search.found
    }
}

impl<'a> Search<'a> {
    fn add(
        &mut self,
        party: Party<'a>,
        key: impl Into<String>,
        what: impl Into<String>,
        fix: impl Into<String>,
    ) {
        self.found.push(Conflict { party, key: key.into(), fault: Fault::new(what, fix) });
    }

    /// `http://` issuers and keys are fetched only where Deputy's own issuer is on loopback too.
    fn plain_http_stays_on_this_machine(&mut self) {
        if self.own.is_on_loopback() {
            return;
        }
        let what = "is fetched by plain HTTP, which is accepted only if Deputy's own `issuer` is on this machine too";
        let fix = "write `https://` here; or, to try Deputy on this machine, `issuer = \"http://localhost:8443\"` without \
                   `[tls]` and `public = \"127.0.0.1:8443\"` under `[listen]`";
        let is_plain = |issuer: &str, keys: &KeySource| {
            issuer.starts_with("http:") || keys.url().is_some_and(|url| url.scheme() == "http")
        };
        for (issuer, provider) in &self.registry.identity_providers {
            if is_plain(issuer.as_str(), &provider.keys) {
                self.add(Party::Provider(issuer), "issuer", what, fix);
            }
        }
        for (issuer, workload) in &self.registry.workload_issuers {
            if is_plain(issuer.as_str(), &workload.keys) {
                self.add(Party::WorkloadIssuer(issuer), "issuer", what, fix);
            }
        }
        for (id, client) in &self.registry.clients {
            let keys = client.authentication.keys();
            if keys.is_some_and(|keys| is_plain("", keys)) {
                self.add(Party::Client(id), "jwks_uri", what, fix);
            }
        }
    }

    /// Deputy's issuer is the `aud` of task tokens, and of nothing else.
    fn own_issuer_names_nothing_else(&mut self) {
        let resource = ResourceUri::parse(self.own.as_str());
        let is_own = |target: &Target| resource.is_some() && target.resource == resource;
        for (target, _) in self.registry.targets.iter().filter(|(_, target)| is_own(target)) {
            let what = "is Deputy's own issuer, the audience of task tokens";
            self.add(Party::Target(target), "identifier", what, "name the target otherwise");
        }
        let what = "is Deputy's own issuer";
        if self.registry.identity_providers.contains_key(self.own) {
            self.add(Party::Provider(self.own), "issuer", what, "name the provider where users sign in");
        }
        if self.registry.workload_issuers.contains_key(self.own) {
            let fix = "name the issuer of the agents' credentials";
            self.add(Party::WorkloadIssuer(self.own), "issuer", what, fix);
        }
    }

    /// `resource` names one target, however it is spelled (RFC 3986 §6.2.2, §6.2.3).
    fn resources_are_told_apart(&mut self) {
        let mut known: BTreeMap<&ResourceUri, &TargetId> = BTreeMap::new();
        for (target, registered) in &self.registry.targets {
            let Some(resource) = &registered.resource else { continue };
            if let Some(other) = known.insert(resource, target) {
                let what = format!("is `{target}`, another spelling of the target `{other}`");
                self.add(Party::Target(target), "identifier", what, "keep one of the two");
            }
        }
    }

    /// A level that some provider does not define could never be met by its users, or be met by accident.
    fn levels_exist(&mut self) {
        for (target, rules) in &self.registry.targets {
            for (scope, rule) in &rules.scopes {
                let Some(level) = &rule.assurance else { continue };
                for (issuer, provider) in &self.registry.identity_providers {
                    if provider.assurance.contains_key(level) {
                        continue;
                    }
                    let what = format!("is `{level}`, a level that provider `{issuer}` does not define");
                    let known = provider.assurance.keys().map(String::as_str).chain(["none"]);
                    let near = nearest(level, known).unwrap_or(MFA);
                    let fix = format!(
                        "add `[[identity_provider.assurance]]` with that name there; the nearest it has is `{near}`"
                    );
                    self.add(Party::Target(target), format!("scopes.{scope}.assurance"), what, fix);
                }
            }
        }
    }

    /// Two providers may give the same `sub` to different people.
    fn subjects_are_unambiguous(&mut self) {
        if self.registry.identity_providers.len() < 2 {
            return;
        }
        let what = "is `upstream` with more than one identity provider";
        let fix = "write `pairwise`: two providers may give one `sub` to different people";
        for (target, registered) in &self.registry.targets {
            if registered.subject == Some(SubjectForm::Upstream) {
                self.add(Party::Target(target), "subject", what, fix);
            }
        }
        if self.default_subject == SubjectForm::Upstream {
            let user = self.registry.targets.iter().find(|(_, target)| target.subject.is_none());
            if let Some((target, _)) = user {
                self.add(Party::Own, "tokens.subject", format!("{what}, and target `{target}` uses it"), fix);
            } else if self.registry.targets.is_empty() {
                self.add(Party::Own, "tokens.subject", what, fix);
            }
        }
    }

    fn exchange_clients_may_exchange(&mut self) {
        for (name, target) in &self.registry.targets {
            let client = target.exchange_client.as_ref().and_then(|id| self.registry.clients.get(id));
            if let Some(client) = client.filter(|client| !client.may_use(GrantType::TokenExchange)) {
                let what = format!("is `{}`, whose `grants` lack token exchange", client.id);
                self.add(Party::Target(name), "exchange_client", what, "add the grant to that client");
            }
        }
    }

    /// Of a class whose agents authenticate by the credential of their platform, that credential alone suffices. A
    /// client that has another credential beside it would be no safer for it, and looks as if it were.
    fn platform_credentials_suffice_alone(&mut self) {
        let is_workload = |id: &ClientId| self.registry.clients.get(id).map(|client| client.is_workload());
        let mut listed = BTreeSet::new();
        let mut mixed = Vec::new();
        for (issuer, workload) in &self.registry.workload_issuers {
            for (position, class) in workload.classes.iter().enumerate() {
                let (alone, others): (Vec<_>, Vec<_>) = class
                    .clients
                    .iter()
                    .filter_map(|id| Some((id, is_workload(id)?)))
                    .partition(|(_, is_workload)| *is_workload);
                listed.extend(alone.iter().map(|(id, _)| *id));
                if let (Some((alone, _)), Some((other, _))) = (alone.first(), others.first()) {
                    let what = format!(
                        "list `{alone}`, which authenticates by the credential of its platform, and `{other}`, which does not"
                    );
                    mixed.push((issuer, format!("class[{position}].clients"), what));
                }
            }
        }
        for (issuer, key, what) in mixed {
            let fix = "give the two kinds of client a class each";
            self.add(Party::WorkloadIssuer(issuer), key, what, fix);
        }
        for (id, client) in &self.registry.clients {
            if client.is_workload() && !listed.contains(id) {
                let what = "is `workload`, and no class of a workload issuer lists the client";
                let fix = "list the client under `clients` of a `[[workload_issuer.class]]`";
                self.add(Party::Client(id), "authentication", what, fix);
            }
        }
    }

    /// The agent that began a task of its own continues it through the client that its credential authenticates.
    fn tasks_of_agents_have_a_client(&mut self) {
        let mut found = Vec::new();
        for (issuer, workload) in &self.registry.workload_issuers {
            for (position, class) in
                workload.classes.iter().enumerate().filter(|(_, class)| class.begins_tasks)
            {
                let able = self.registry.workload_clients(class).count();
                if able != 1 {
                    let what = format!(
                        "is true, and `clients` lists {able} clients with `authentication = \"workload\"`, where the \
                         task needs one"
                    );
                    found.push((issuer, format!("class[{position}].begins_tasks"), what));
                }
            }
        }
        for (issuer, key, what) in found {
            let fix = "list one such client, whose tasks they are";
            self.add(Party::WorkloadIssuer(issuer), key, what, fix);
        }
    }

    /// A target defines its default scopes, and can answer no more than one yes/no scope in a token.
    fn default_scopes_can_be_granted(&mut self) {
        let of_targets = self.registry.targets.values().filter_map(|target| {
            let scope = target.default_scopes.as_ref()?;
            Some((Party::Target(&target.identifier), "default_scopes".to_owned(), target, scope))
        });
        let of_clients = self.registry.clients.values().flat_map(|client| {
            client.default_scopes.iter().filter_map(|(id, scope)| {
                let target = self.registry.targets.get(id)?;
                Some((Party::Client(&client.id), format!("default_scopes.{id}"), target, scope))
            })
        });
        let mut faults = Vec::new();
        for (party, key, target, scope) in of_targets.chain(of_clients) {
            let has = |word: &str| target.scopes.keys().any(|own| own.as_str() == word);
            if let Some(word) = scope.tokens().find(|word| !has(word)) {
                let what = format!("lists `{word}`, which target `{}` does not define", target.identifier);
                faults.push((party, key.clone(), what, "list scopes of the target"));
            }
            if target.answers.keys().filter(|answer| scope.contains(answer.as_str())).count() > 1 {
                let what = "lists more than one yes/no scope, and a token carries one answer".to_owned();
                faults.push((party, key, what, "keep one of them"));
            }
        }
        for (party, key, what, fix) in faults {
            self.add(party, key, what, fix);
        }
    }

    /// Where one issuer signs users' ID tokens and agents' credentials, its preset has to prove that a token is a
    /// workload's, and the audiences must differ.
    fn credentials_are_told_apart(&mut self) {
        for (issuer, workload) in &self.registry.workload_issuers {
            let Some(provider) = self.registry.identity_providers.get(issuer) else { continue };
            if !workload.preset.proves_a_workload() {
                let what = format!(
                    "is an identity provider too, and the preset `{}` cannot tell a workload from a person",
                    workload.preset.word()
                );
                let fix = "use an issuer that signs for workloads only";
                self.add(Party::WorkloadIssuer(issuer), "issuer", what, fix);
            }
            if provider.relying_parties.contains_key(&workload.audience) {
                let what = format!(
                    "has `{}`, which is the audience of agents' credentials of the same issuer",
                    workload.audience
                );
                self.add(
                    Party::Provider(issuer),
                    "relying_party",
                    what,
                    "give one of the two another audience",
                );
            }
            if provider.access_tokens.iter().any(|source| source.audience == workload.audience) {
                let what = format!(
                    "has the audience `{}`, which is that of agents' credentials of the same issuer",
                    workload.audience
                );
                let fix = "give one of the two another audience";
                self.add(Party::Provider(issuer), "access_token", what, fix);
            }
        }
    }

    /// A bundle vouches for one trust domain. If it were that of two, either could name the workloads of the other.
    fn bundles_are_of_one_trust_domain(&mut self) {
        let mut owners: Vec<(&KeySource, &Issuer)> = Vec::new();
        let bundles =
            self.registry.workload_issuers.iter().map(|(issuer, workload)| (&workload.keys, issuer));
        let mut shared = Vec::new();
        for (keys, issuer) in bundles.filter(|(keys, _)| keys.form() == KeyForm::Bundle) {
            match owners.iter().find(|(known, _)| *known == keys) {
                Some((_, owner)) => shared.push((issuer, *owner)),
                None => owners.push((keys, issuer)),
            }
        }
        for (issuer, owner) in shared {
            let what = format!("has the bundle of `{owner}`");
            let fix = "name the bundle of this trust domain: a bundle is never that of two";
            self.add(Party::WorkloadIssuer(issuer), "trust_domain", what, fix);
        }
    }

    /// A class is named in policy, audit and stops without its issuer.
    fn classes_are_told_apart(&mut self) {
        let mut known: BTreeMap<&str, &Issuer> = BTreeMap::new();
        for (issuer, workload) in &self.registry.workload_issuers {
            for (position, class) in workload.classes.iter().enumerate() {
                let Some(other) = known.insert(&class.name, issuer) else { continue };
                let what = match other == issuer {
                    true => format!("is `{}` a second time for this issuer", class.name),
                    false => format!("is `{}`, as is a class of `{other}`", class.name),
                };
                let key = format!("class[{position}].name");
                self.add(Party::WorkloadIssuer(issuer), key, what, "choose another name");
            }
        }
    }
}

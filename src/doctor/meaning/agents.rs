//! What agents get by their credential alone, and without a user.

use std::collections::BTreeSet;

use super::super::Findings;
use crate::oauth::{ClientId, GrantType, Scope, ScopeToken, TargetId};
use crate::registry::{AgentClass, Client, Delegate, Registry, Target};

pub(super) fn check(findings: &mut Findings, registry: &Registry) {
    platforms(findings, registry);
    without_user(findings, registry);
}

/// Names the classes whose credentials are all that a request needs.
fn platforms(findings: &mut Findings, registry: &Registry) {
    let is_workload = |id| registry.clients.get(id).is_some_and(|client| client.is_workload());
    for issuer in registry.workload_issuers.values() {
        for class in issuer.classes.iter().filter(|class| class.clients.iter().any(is_workload)) {
            let what = format!(
                "a credential of class `{}` of `{}` suffices alone: no client authenticates beside it",
                class.name, issuer.issuer
            );
            findings.ok("platforms", what);
        }
    }
}

/// Names everybody who gets tokens that no user is behind, and what of it leads nowhere.
fn without_user(findings: &mut Findings, registry: &Registry) {
    const ID: &str = "without_user";
    for alone in everybody_alone(registry) {
        let whose = alone.whose();
        if !registry.targets.values().any(|target| alone.reaches_any(target)) {
            let what = format!("{whose} get tokens without a user, and may get no scope that lets agents in");
            let fix = "write `subjects = [\"agent\"]` at a scope that they may have, or take the right away";
            findings.warn(ID, what, fix);
            continue;
        }
        if alone.has_tokens {
            findings.ok(ID, format!("{whose} get tokens about themselves, which no user is behind"));
        }
        if alone.begins_tasks {
            findings.ok(ID, format!("{whose} begin tasks that no user is behind"));
        }
    }
    findings.ok_unless_reported(ID, "nobody gets a token that no user is behind");
}

/// The right to tokens that no user is behind, and how far it reaches.
struct Alone<'a> {
    /// The class, or else the client.
    of: Result<&'a AgentClass, &'a Client>,
    has_tokens: bool,
    begins_tasks: bool,
}

impl Alone<'_> {
    fn whose(&self) -> String {
        match self.of {
            Ok(class) => format!("agents of class `{}`", class.name),
            Err(client) => format!("agents of client `{}`", client.id),
        }
    }

    fn ceiling(&self) -> (&Scope, &BTreeSet<TargetId>) {
        match self.of {
            Ok(class) => (&class.scopes, &class.targets),
            Err(client) => (&client.scopes, &client.targets),
        }
    }

    fn reaches(&self, target: &Target, scope: &ScopeToken) -> bool {
        let (scopes, targets) = self.ceiling();
        let lets_agents_in = target.scopes.get(scope).is_some_and(|rule| rule.subjects.agent);
        lets_agents_in && targets.contains(&target.identifier) && scopes.contains(scope.as_str())
    }

    fn reaches_any(&self, target: &Target) -> bool {
        target.scopes.keys().any(|scope| self.reaches(target, scope))
    }
}

fn everybody_alone(registry: &Registry) -> impl Iterator<Item = Alone<'_>> {
    let classes = registry.workload_issuers.values().flat_map(|issuer| &issuer.classes).map(|class| Alone {
        of: Ok(class),
        has_tokens: class.agent_tokens,
        begins_tasks: class.begins_tasks,
    });
    let clients = registry.clients.values().map(|client| Alone {
        of: Err(client),
        has_tokens: client.may_use(GrantType::ClientCredentials),
        begins_tasks: client.begins_tasks,
    });
    classes.chain(clients).filter(|alone| alone.has_tokens || alone.begins_tasks)
}

/// Whether somebody may have the scope without a user.
pub(super) fn may_have_alone(registry: &Registry, target: &Target, scope: &ScopeToken) -> bool {
    everybody_alone(registry).any(|alone| alone.reaches(target, scope))
}

/// Whether the client gets something to exchange although no user signs in for it: an agent of its own begins a task,
/// or another agent brings one in.
pub(super) fn is_given_work(registry: &Registry, client: &Client) -> bool {
    let classes = || registry.workload_issuers.values().flat_map(|issuer| &issuer.classes);
    let presents = |class: &AgentClass, id: &ClientId| class.clients.contains(id);
    let begins =
        client.begins_tasks || classes().any(|class| class.begins_tasks && presents(class, &client.id));
    let is_brought_in = |delegate: &Delegate| match delegate {
        Delegate::OwnAgent(id) => *id == client.id,
        Delegate::Class(name) => classes().any(|class| class.name == *name && presents(class, &client.id)),
    };
    let others = registry.clients.values().flat_map(|other| &other.delegates_to);
    begins || classes().flat_map(|class| &class.delegates_to).chain(others).any(is_brought_in)
}

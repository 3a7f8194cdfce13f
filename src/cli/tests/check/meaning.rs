//! What is well-formed but does not do what the operator means.

use super::super::world::NOW;
use super::Case;
use crate::base::time::Lifetime;
use crate::doctor::Status::{Failed, Warning};

pub(super) const MEANING: &[Case] = &[
    (
        "agents that need not prove a key",
        |w| w.edit("proof = \"required\"\n", ""),
        "proof",
        Warning,
        "proof = \"required\"",
    ),
    (
        "ID tokens that need not say when the user signed in",
        |w| w.edit("policy_claims = [\"groups\"]", "policy_claims = [\"groups\"]\nauth_time = \"optional\""),
        "auth_time",
        Warning,
        "ask the provider with `max_age`",
    ),
    (
        "ID tokens for any audience beside the relying party",
        |w| w.edit("client_id = \"other-app\"", "client_id = \"other-app\"\nother_audiences = \"any\""),
        "audiences",
        Warning,
        "list the audiences",
    ),
    (
        "assertions that another server could pass on",
        |w| {
            let id = "id = \"assistant\"\n";
            w.edit(id, &format!("{id}assertion_audience = \"issuer_or_endpoint\"\n"));
        },
        "assertion_audience",
        Warning,
        "assertion_audience = \"issuer\"",
    ),
    (
        "no relying party",
        |w| {
            while let Some(from) = w.text.find("[[identity_provider.relying_party]]") {
                let section = w.text[from..].split_inclusive("\n\n").next().unwrap().to_owned();
                w.edit(&section, "");
            }
        },
        "relying_parties",
        Warning,
        "relying_party",
    ),
    (
        "a client with nothing to exchange",
        |w| w.edit("clients = [\"assistant\", \"basic-app\"", "clients = [\"basic-app\""),
        "clients",
        Warning,
        "grants = []",
    ),
    (
        "a client with nothing to do",
        |w| w.edit("resource_server = \"no-exchange\"\n", ""),
        "clients",
        Warning,
        "remove it",
    ),
    (
        "a scope nobody may get",
        |w| w.edit("\"tickets:search\" = {}", "\"tickets:search\" = {}, \"tickets:audit\" = {}"),
        "scopes",
        Warning,
        "add scope and target to a client",
    ),
    (
        "a target that cannot ask",
        |w| w.edit("resource_server = \"no-exchange\"\n", ""),
        "introspection",
        Warning,
        "resource_server",
    ),
    (
        "onward without a client",
        |w| w.edit("exchange_client = \"age-agent\"\n", ""),
        "onward",
        Warning,
        "exchange_client",
    ),
    (
        "onward with nothing to carry",
        |w| {
            w.edit("scopes = { age_over_18 = {}, age_over_21 = {} }", "scopes = { other = {} }");
            w.edit("\"files.write\", \"deep\"", "\"files.write\", \"other\", \"deep\"");
        },
        "onward",
        Warning,
        "add the scope that it carries onward",
    ),
    (
        "onward in a circle",
        |w| {
            w.edit("resource_server = \"tickets-api\"", "resource_server = \"tickets-api\"\nexchange_client = \"assistant\"\nonward = [\"age-agent\"]")
        },
        "onward",
        Warning,
        "no agent may be in a chain twice",
    ),
    (
        "a question nobody may ask",
        |w| {
            w.edit(
                "targets = [\"tickets\"]\nanswers = [\"age_over_18\", \"age_over_21\"]",
                "targets = [\"tickets\"]",
            );
        },
        "answers",
        Warning,
        "agent class",
    ),
    (
        "a question no target asks",
        |w| {
            w.edit("[[predicate]]", "[[predicate]]\nscope = \"age_over_65\"\nclaim = \"birthdate\"\nat_least_years = 65\n[[predicate]]")
        },
        "answers",
        Warning,
        "or remove it",
    ),
    (
        "tokens longer than tasks",
        |w| w.edit("[tokens]", "[tasks]\nmax_lifetime_seconds = 60\n[tokens]"),
        "lifetimes",
        Warning,
        "shorten",
    ),
    (
        "answers that live long",
        |w| w.edit("answers = { age_over_18", "lifetime_seconds = 600\nanswers = { age_over_18"),
        "lifetimes",
        Warning,
        "lifetime_seconds = 120",
    ),
    (
        "everybody a proxy",
        |w| w.edit("[listen]", "[listen]\ntrusted_proxies = [\"0.0.0.0/0\"]"),
        "trusted_proxies",
        Failed,
        "own addresses",
    ),
    (
        "a wide network of proxies",
        |w| w.edit("[listen]", "[listen]\ntrusted_proxies = [\"10.0.0.0/8\"]"),
        "trusted_proxies",
        Warning,
        "own addresses",
    ),
    (
        "an egress proxy",
        |w| {
            w.edit(
                "jwks_file = \"keys.json\"",
                "jwks_file = \"keys.json\"\nproxy = \"http://proxy.example:3128\"",
            )
        },
        "egress",
        Warning,
        "private",
    ),
    (
        "a secret that expired",
        |w| w.edit("2027-11-01", "2026-11-01"),
        "client_secrets",
        Failed,
        "add a new one",
    ),
    (
        "a secret that expires soon",
        |w| w.edit("2027-11-01", "2026-11-20"),
        "client_secrets",
        Warning,
        "add a second one",
    ),
    (
        "a database that is no file",
        |w| w.edit("[tokens]", "[database]\nurl = \"sqlite://certs\"\n[tokens]"),
        "database",
        Failed,
        "name a file",
    ),
    (
        "a database that is something else",
        |w| {
            w.write("notes.txt", "this is no database, but long enough to be looked at");
            w.edit("[tokens]", "[database]\nurl = \"sqlite://notes.txt\"\n[tokens]");
        },
        "database",
        Failed,
        "name a file",
    ),
    (
        "a database that is down",
        |w| {
            w.edit("[tokens]", "[database]\nurl = \"postgres://deputy:hunter2@127.0.0.1:1/deputy?sslmode=disable\"\n[tokens]")
        },
        "database",
        Failed,
        "sslmode",
    ),
    (
        "a database without TLS",
        |w| {
            w.edit(
                "[tokens]",
                "[database]\nurl = \"postgres://deputy@127.0.0.1:1/deputy?sslmode=disable\"\n[tokens]",
            )
        },
        "database_tls",
        Warning,
        "verify-full",
    ),
    (
        "a password in the configuration",
        |w| {
            w.edit("[tokens]", "[database]\nurl = \"postgres://deputy:hunter2@127.0.0.1:1/deputy?sslmode=disable\"\n[tokens]")
        },
        "secret_files",
        Warning,
        "database.url_file",
    ),
    (
        "a clock that was set back",
        |w| w.now = NOW.minus(Lifetime::from_seconds(600)),
        "clock",
        Failed,
        "deputy clock reset",
    ),
    (
        "a client's keys that cannot be had",
        |w| {
            w.edit(
                "id = \"assistant\"\njwks_file = \"clients/assistant.json\"",
                "id = \"assistant\"\njwks_uri = \"https://127.0.0.1:1/keys\"\nnetwork = \"private\"",
            )
        },
        "remote_keys",
        Failed,
        "jwks_file",
    ),
];

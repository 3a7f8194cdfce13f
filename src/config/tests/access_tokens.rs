//! Access tokens of a provider, conditions, and default scopes.

use serde_json::json;

use super::{parse, said};
use crate::oauth::{ClientId, TargetId};
use crate::registry::{AccessTokenMark, AuthTime, ClaimMatch};

const HEAD: &str = r#"
issuer = "http://127.0.0.1:8443"

[listen]
public = "127.0.0.1:8443"

[[client]]
id = "gateway"
jwks_file = "gateway.json"
scopes = ["search", "book"]
targets = ["tickets"]
@client@

[[client]]
id = "other"
jwks_file = "other.json"

[[target]]
identifier = "tickets"
scopes = { search = {}, book = {} }
@target@

[[identity_provider]]
issuer = "https://login.example"
@provider@

[[identity_provider.access_token]]
audience = "https://gateway.example"
client = "gateway"
authorized_parties = ["travel-app"]
@entry@
"#;

/// The file with this at one place.
fn file(place: &str, text: &str) -> String {
    let places = ["@client@", "@target@", "@provider@", "@entry@"];
    places.into_iter().fold(HEAD.to_owned(), |file, name| {
        file.replace(name, if name.trim_matches('@') == place { text } else { "" })
    })
}

#[test]
fn an_entry_is_read_with_its_defaults() {
    let config = parse(&file("provider", "id_token_claims = [\"client_id\"]")).unwrap();
    let provider = &config.registry.identity_providers["https://login.example"];
    assert!(provider.id_token_claims.contains(&AccessTokenMark::ClientId));
    let [entry] = provider.access_tokens.as_slice() else { panic!("{provider:?}") };
    assert_eq!(entry.clients.iter().map(ClientId::as_str).collect::<Vec<_>>(), ["gateway"]);
    assert!(entry.is_client && entry.when.is_none() && entry.types.len() == 2);
    assert_eq!(entry.auth_time, AuthTime::Optional);
    assert!(!entry.is_scope_ceiling && entry.asserted_levels.is_empty());
}

#[test]
fn a_condition_is_one_check_or_several() {
    let read = |text: &str| {
        let config = parse(&file("entry", text)).unwrap();
        config.registry.identity_providers["https://login.example"].access_tokens[0].when.clone().unwrap().all
    };
    let one = read("when = { claim = \"tid\", equals = 7 }");
    assert_eq!((one[0].claim.as_str(), &one[0].test), ("tid", &ClaimMatch::Equals(json!(7))));
    let all = read(
        "when = { all = [{ claim = \"a\", in = [\"x\", true] }, { claim = \"b\", contains = \"y\" }, \
         { claim = \"c\", under = \"acme/\" }] }",
    );
    let tests: Vec<ClaimMatch> = all.into_iter().map(|check| check.test).collect();
    let wanted = [
        ClaimMatch::In(vec![json!("x"), json!(true)]),
        ClaimMatch::Contains(json!("y")),
        ClaimMatch::Under("acme/".to_owned()),
    ];
    assert_eq!(tests, wanted);
}

#[test]
fn what_would_let_in_too_much_or_nothing_is_refused() {
    let cases = [
        ("entry", "clients = [\"other\"]", "is there beside `client`"),
        ("entry", "typ = [\"rt+jwt\"]", "names `rt+jwt`, which is no `typ` of an access token"),
        ("entry", "typ = []", "is empty: no token would be accepted"),
        ("entry", "asserted_levels = [\"mfa\"]", "asserts levels for every token"),
        (
            "entry",
            "asserted_levels = [\"phr\"]\nwhen = { claim = \"a\", equals = 1 }",
            "names `phr`, a level that the provider does not define",
        ),
        ("entry", "when = {}", "checks nothing"),
        ("entry", "when = { claim = \"a\" }", "needs exactly one of `equals`, `in`, `contains` and `under`"),
        ("entry", "when = { equals = 1 }", "when.claim` is missing"),
        ("entry", "when = { claim = \"a\", equals = 1, in = [1] }", "needs exactly one of"),
        ("entry", "when = { claim = \"a\", in = [] }", "is empty: no token would meet it"),
        ("entry", "when = { claim = \"a\", in = [[1]] }", "must be a string, integer or boolean"),
        ("entry", "when = { claim = \"a\", under = \"acme\" }", "is no prefix of whole segments"),
        (
            "entry",
            "when = { claim = \"a\", equals = 1, all = [{ claim = \"b\", equals = 1 }] }",
            "move that check into",
        ),
        (
            "entry",
            "[[identity_provider.access_token]]\naudience = \"https://gateway.example\"\nclient = \"other\"\n\
             authorized_parties = [\"b\"]",
            "names another client than the entry before",
        ),
        (
            "entry",
            "[[identity_provider.access_token]]\naudience = \"a\"\nclients = [\"other\"]\nauthorized_parties = [\"b\"]",
            "is a list, but only one client can be this audience",
        ),
        (
            "entry",
            "[[identity_provider.access_token]]\naudience = \"a\"\nauthorized_parties = [\"b\"]",
            "nobody could present the tokens",
        ),
        (
            "entry",
            "[[identity_provider.access_token]]\naudience = \"a\"\nclient = \"gateway\"",
            "names no application",
        ),
        ("provider", "id_token_claims = [\"azp\"]", "lists `azp`, which is no mark of an access token"),
        ("target", "default_scopes = [\"cancel\"]", "lists `cancel`, which target `tickets` does not define"),
        (
            "client",
            "default_scopes = { tickets = [\"cancel\"] }",
            "lists `cancel`, which target `tickets` does not define",
        ),
        ("client", "default_scopes = { ticket = [\"book\"] }", "names `ticket`, and there is no such target"),
        ("client", "default_scopes = { tickets = \"book\" }", "must be a list of strings"),
    ];
    for (place, text, expected) in cases {
        let said = said(&file(place, text));
        assert!(said.contains(expected), "`{text}`: expected `{expected}`, got:\n{said}");
    }
}

#[test]
fn deputys_issuer_as_audience_lists_clients() {
    let entry = "[[identity_provider.access_token]]\naudience = \"http://127.0.0.1:8443\"\n\
                 clients = [\"gateway\", \"other\"]\nauthorized_parties = [\"b\"]";
    let config = parse(&file("entry", entry)).unwrap();
    let entries = &config.registry.identity_providers["https://login.example"].access_tokens;
    assert!(!entries[1].is_client && entries[1].clients.len() == 2);
}

#[test]
fn one_issuer_does_not_sign_users_tokens_and_agents_credentials_for_one_audience() {
    let workloads = "\n[[workload_issuer]]\nissuer = \"https://login.example\"\njwks_file = \"w.json\"\n";
    let with = |audience: &str| file("entry", "") + workloads + &format!("audience = \"{audience}\"\n");
    let said = said(&with("https://gateway.example"));
    assert!(said.contains("which is that of agents' credentials of the same issuer"), "{said}");
}

#[test]
fn the_default_scopes_of_a_client_replace_those_of_the_target() {
    let default = |client: &str, target: &str| {
        let text = HEAD
            .replace("@client@", client)
            .replace("@target@", target)
            .replace("@provider@", "")
            .replace("@entry@", "");
        let registry = parse(&text).unwrap().registry;
        let client = &registry.clients["gateway"];
        let scope = registry.default_scope(client, &TargetId::new("tickets")).map(ToString::to_string);
        let other = registry.default_scope(&registry.clients["other"], &TargetId::new("tickets"));
        assert!(other.is_none(), "the target is not that client's");
        scope
    };
    let of_target = "default_scopes = [\"search\", \"book\"]";
    assert_eq!(default("", of_target).as_deref(), Some("book search"));
    assert_eq!(default("default_scopes = { tickets = [\"search\"] }", of_target).as_deref(), Some("search"));
    assert_eq!(default("default_scopes = { tickets = [] }", of_target), None);
    assert_eq!(default("", ""), None);
}

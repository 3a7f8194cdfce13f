//! One thing wrong at a time.

mod handovers;
mod mutual_tls;
mod platforms;

use super::{VALID, parse, said};

/// What is replaced in the valid file, by what, and what must be said.
type Case = (&'static str, &'static str, &'static str);

fn check(cases: &[Case]) {
    for (from, to, expected) in cases {
        assert!(VALID.contains(from), "`{from}` is not in the valid file");
        let said = said(&VALID.replacen(from, to, 1));
        assert!(said.contains(expected), "`{to}`: expected `{expected}`, got:\n{said}");
    }
}

const ISSUER: &str = "issuer = \"http://127.0.0.1:8443\"";

#[test]
fn an_issuer_that_could_be_read_in_two_ways_is_refused() {
    check(&[
        (ISSUER, "", "`issuer` is missing; write for example `issuer = \"https://deputy.example\"`"),
        (ISSUER, "issuer = \"deputy\"", "`deputy` is no absolute URL"),
        (
            ISSUER,
            "issuer = \"http://deputy.example\"",
            "plain HTTP, which is accepted only on this machine; write `https://`, or the host as `localhost`",
        ),
        (ISSUER, "issuer = \"http://localhost.:8443\"", "plain HTTP, which is accepted only on this machine"),
        (ISSUER, "issuer = \"http://127.0.0.1:8443/\"", "ends with a slash"),
        (ISSUER, "issuer = \"http://127.0.0.1:8443?a=b\"", "has a query"),
        (ISSUER, "issuer = \"http://127.0.0.1:8443#a\"", "has a fragment"),
        (ISSUER, "issuer = \"http://a:b@127.0.0.1:8443\"", "user name or password"),
        (
            ISSUER,
            "issuer = \"HTTP://127.0.0.1:8443\"",
            "not in its normal form; write `http://127.0.0.1:8443`",
        ),
        (ISSUER, "issuer = \"http://127.0.0.1:80\"", "write `http://127.0.0.1`"),
        (ISSUER, "issuer = \"https://deputy.example\"", "`tls` is missing"),
    ]);
}

#[test]
fn plain_http_is_only_for_loopback() {
    check(&[
        (
            "public = \"127.0.0.1:8443\"",
            "public = \"0.0.0.0:8443\"",
            "`listen.public` is 0.0.0.0:8443, which is not loopback",
        ),
        ("issuer = \"https://login.example\"", "issuer = \"http://login.example\"", "plain HTTP"),
        ("jwks_file = \"workloads.json\"", "jwks_uri = \"http://keys.example\"", "plain HTTP"),
        (
            "[tokens]",
            "[tls]\ncertificate_file = \"a\"\nkey_file = \"b\"\n[tokens]",
            "`tls` is given, but `issuer` is plain HTTP",
        ),
    ]);
    assert_eq!(said(&VALID.replace("https://login.example", "http://[::1]:9000")), "");
}

#[test]
fn addresses_and_proxies_are_literal() {
    check(&[
        (
            "public = \"127.0.0.1:8443\"",
            "public = \"localhost:8443\"",
            "`localhost:8443` is no address with a port",
        ),
        ("management = \"127.0.0.1:8444\"", "management = \"127.0.0.1:8443\"", "is the public address"),
        (
            "public = \"127.0.0.1:8443\"",
            "public = \"127.0.0.1:8443\"\ntrusted_proxies = [\"10.0.0.1\"]",
            "`10.0.0.1` is no network; write CIDR",
        ),
    ]);
}

#[test]
fn numbers_out_of_range_are_refused() {
    check(&[
        ("[tokens]", "[tokens]\nlifetime_seconds = 901", "is 901; write 1 to 900"),
        ("[tokens]", "[tokens]\nlifetime_seconds = -1", "is -1; write 1 to 900"),
        ("[tokens]", "[keys]\njwks_max_age_seconds = 59\n[tokens]", "is 59; write 60 to 86400"),
        ("[tokens]", "[tasks]\nmax_chain_depth = 9\n[tokens]", "is 9; write 1 to 8"),
        ("at_least_years = 18", "at_least_years = 151", "is 151; write 1 to 150"),
        ("[tokens]", "[tokens]\nlifetime_seconds = \"300\"", "must be an integer, found string"),
    ]);
}

#[test]
fn a_value_that_is_not_legal_has_no_further_consequences() {
    for (from, to, expected) in [
        ("at_least_years = 18", "at_least_years = 151", "`predicate.at_least_years` is 151; write 1 to 150"),
        (
            "lifetime = \"task\"",
            "lifetime = \"tasks\"",
            "`workload_issuer.class.lifetime` is `tasks`; write `task` or `instance` or `principal`",
        ),
        (
            "id = \"assistant\"",
            "id = \"assistant\"\nauthentication = \"none\"",
            "`client.authentication` is `none`; write `private_key_jwt` or `client_secret_basic` or `client_secret_post` or `tls_client_auth` or `self_signed_tls_client_auth` or `workload`",
        ),
        (
            "jwks_file = \"clients/assistant.json\"",
            "jwks_file = \" \"",
            "`client.jwks_file` is empty; remove it, or write for example `jwks_file = \"clients/assistant.jwks.json\"`",
        ),
        (
            "claim = \"birthdate\"\n",
            "",
            "`predicate.claim` is missing; write for example `claim = \"birthdate\"`",
        ),
    ] {
        let said = said(&VALID.replacen(from, to, 1));

        assert_eq!(said.lines().count(), 1, "{said}");
        assert!(said.ends_with(expected), "{said}");
    }
}

#[test]
fn algorithms_are_those_of_their_kind() {
    check(&[
        (
            "[tokens]",
            "[keys]\nsigning_algorithm = \"Ed25519\"\n[tokens]",
            "which is called `EdDSA` in a header; write `EdDSA`",
        ),
        ("[tokens]", "[keys]\nsigning_algorithm = \"HS256\"\n[tokens]", "write `ES256`, `EdDSA` or `RS256`"),
        (
            "policy_claims",
            "algorithms = [\"HS256\"]\npolicy_claims",
            "names `HS256`, which is not allowed here; choose from `RS256`",
        ),
        ("policy_claims", "algorithms = [\"Ed25519\"]\npolicy_claims", "which is called `EdDSA`"),
        ("policy_claims", "algorithms = []\npolicy_claims", "is empty: nothing would be accepted"),
        (
            "jwks_file = \"clients/assistant.json\"",
            "jwks_file = \"a\"\nalgorithms = [\"ES384\"]",
            "names `ES384`, which is not allowed here",
        ),
    ]);
}

#[test]
fn what_is_named_has_to_exist() {
    check(&[
        ("clients = [\"assistant\"]", "clients = [\"asistant\"]", "the nearest client is `assistant`"),
        ("onward = [\"tickets\"]", "onward = [\"ticket\"]", "the nearest target is `tickets`"),
        ("onward = [\"tickets\"]", "onward = [\"age-agent\"]", "lists `age-agent` itself"),
        ("exchange_client = \"age-agent\"", "exchange_client = \"age\"", "there is no such client"),
        (
            "exchange_client = \"age-agent\"",
            "exchange_client = \"age-agent\"\nresource_server = \"api\"",
            "`target.resource_server` names `api`",
        ),
        (
            "exchange_client = \"age-agent\"",
            "token_format = \"opaque\"",
            "is `opaque`, but nobody could use such a token; name the client that introspects them",
        ),
        ("scopes = [\"tickets:search\"", "scopes = [\"tickets:find\"", "no such scope of a target"),
        ("answers = [\"age_over_18\"", "answers = [\"age_over_65\"", "no such yes/no scope"),
        ("answers = { age_over_18 = {}", "answers = { age_over_65 = {}", "no such predicate"),
        (
            "assurance = \"phishing_resistant\"",
            "assurance = \"phishing\"",
            "a level that provider `https://login.example` does not define",
        ),
        ("clients = [\"age-agent\"]", "clients = []", "nobody could present its agents"),
    ]);
}

#[test]
fn nothing_stands_twice() {
    check(&[
        ("id = \"age-agent\"", "id = \"assistant\"", "`client.id` is `assistant` a second time"),
        (
            "identifier = \"age-agent\"",
            "identifier = \"tickets\"",
            "`target.identifier` is `tickets` a second time",
        ),
        (
            "identifier = \"age-agent\"",
            "identifier = \"http://127.0.0.1:8443\"",
            "is Deputy's own issuer, the audience of task tokens",
        ),
        (
            "issuer = \"https://login.example\"",
            "issuer = \"http://127.0.0.1:8443\"",
            "is Deputy's own issuer",
        ),
    ]);
}

#[test]
fn a_task_class_needs_instances() {
    check(&[
        ("instance_id_claim = \"instance\"", "", "the issuer has no `instance_id_claim`"),
        ("name = \"age-verification\"", "name = \"client\"", "is the class of a client's own agent"),
        ("jwks_file = \"workloads.json\"", "", "give `jwks_uri` or `jwks_file`"),
        (
            "jwks_file = \"workloads.json\"",
            "jwks_file = \"a\"\njwks_uri = \"https://a.example\"",
            "keep one of the two",
        ),
        ("equals = \"age\"", "equals = 1.5", "must be a string, integer or boolean, found float"),
    ]);
}

#[test]
fn a_client_id_is_plain_and_not_of_another_kind() {
    check(&[
        ("id = \"assistant\"", "id = \"as sistant\"", "use letters, digits"),
        ("id = \"assistant\"", "id = \"d_assistant\"", "begins with `d_`"),
        ("id = \"assistant\"", "id = \"https://assistant.example\"", "begins with `https://`"),
        ("jwks_file = \"clients/assistant.json\"", "", "needs the client's public keys"),
        (
            "jwks_file = \"clients/assistant.json\"",
            "jwks_file = \"a\"\ngrants = [\"password\"]",
            "clients may have `urn:ietf:params:oauth:grant-type:token-exchange`",
        ),
        (
            "jwks_file = \"clients/assistant.json\"",
            "jwks_file = \"a\"\nallow_secret = true",
            "this one has a key",
        ),
        (
            "allow_secret = true",
            "allow_secret = true\nassertion_audience = \"issuer\"",
            "this one has a secret",
        ),
        (
            "jwks_file = \"clients/age-agent.json\"",
            "jwks_file = \"a\"\ngrants = []",
            "whose `grants` lack token exchange",
        ),
    ]);
}

#[test]
fn identifiers_and_predicates_say_what_they_are() {
    check(&[
        ("identifier = \"age-agent\"", "identifier = \"https://age.example#a\"", "has a fragment"),
        ("identifier = \"age-agent\"", "identifier = \"age agent\"", "is no identifier"),
        ("at_least_years = 18", "", "needs exactly one of `at_least_years` and `equals`"),
        ("at_least_years = 18", "at_least_years = 21", "but the scope is `age_over_18`"),
        ("at_least_years = 18", "at_least_years = 18\nleap_day = \"feb29\"", "write `mar1` or `feb28`"),
        (
            "policy_claims = [\"groups\"]",
            "policy_claims = [\"birthdate\"]",
            "which a predicate is about and which policies therefore never see",
        ),
        (
            "answers = { age_over_18 = {}",
            "answers = { age_over_18 = { zone = \"local\" }",
            "`local` is no time zone",
        ),
        (
            "identifier = \"age-agent\"",
            "identifier = \"age-agent\"\nclaims = [\"amr\"]",
            "only `acr` can be listed",
        ),
        (
            "any_of = [{ claim = \"acr\", in = [\"phr\", \"phrh\"] }]",
            "any_of = [{ claim = \"acr\" }]",
            "exactly one of `in`, `contains` and `any`",
        ),
    ]);
}

#[test]
fn two_providers_need_pairwise_subjects() {
    let second = "[[identity_provider]]\nissuer = \"https://other.example\"\n\
        [[identity_provider.assurance]]\nname = \"phishing_resistant\"\n\
        any_of = [{ claim = \"acr\", in = [\"phr\"] }]\n";
    let text = format!("{}{second}", VALID.replace("subject = \"upstream\"\n", ""));

    assert_eq!(said(&text), "");
    let upstream = said(&text.replace("subject = \"pairwise\"", "subject = \"upstream\""));
    assert!(upstream.contains("`tokens.subject` is `upstream` with more than one"), "{upstream}");
    let one = said(&text.replace("onward = ", "subject = \"upstream\"\nonward = "));
    assert!(one.contains("`target.subject` is `upstream` with more than one"), "{one}");
    let undefined = said(&text.replace(
        "assurance]]\nname = \"phishing_resistant\"\nany_of = [{ claim = \"acr\", in = [\"phr\"]",
        "assurance]]\nname = \"strong\"\nany_of = [{ claim = \"acr\", in = [\"phr\"]",
    ));
    assert!(undefined.contains("provider `https://other.example` does not define"), "{undefined}");
}

#[test]
fn an_issuer_of_people_is_no_issuer_of_agents() {
    let text = VALID.replace("https://workloads.example", "https://login.example");
    let said = said(&text);
    assert!(
        said.contains("`workload_issuer.issuer` is an identity provider too, and the preset `generic`"),
        "{said}"
    );
}

#[test]
fn one_audience_for_users_and_agents_of_one_issuer_is_refused() {
    let text = VALID
        .replace("https://workloads.example", "https://login.example")
        .replace("instance_id_claim", "audience = \"booking-app\"\ninstance_id_claim");

    assert!(said(&text).contains("the audience of agents' credentials of the same issuer"));
}

#[test]
fn zones_are_offsets_or_iana_names() {
    use crate::registry::Zone;

    for zone in ["UTC", "UTC-12", "UTC+05:30", "UTC+14", "UTC-3:30", "Europe/Berlin"] {
        assert!(Zone::parse(zone).is_some(), "{zone}");
    }
    for zone in
        ["", "UTC-13", "UTC+14:01", "UTC+5:3", "UTC5", "UTC+", "utc", "CEST+1", "europe/berlin", "Local"]
    {
        assert!(Zone::parse(zone).is_none(), "{zone}");
    }
}

/// A client with a secret in a file with this content, and more lines for its section.
fn with_secret(content: &str, lines: &str) -> String {
    let directory = tempfile::tempdir().unwrap();
    crate::testing::definition::write_files(directory.path(), "data");
    std::fs::write(directory.path().join("secret"), content).unwrap();
    std::fs::write(directory.path().join("second"), "another-secret-0123456789-ABCDEFGHIJK").unwrap();
    let text = format!("{}\n[[client]]\nid = \"reporting\"\n{lines}\n", *VALID);
    super::Config::parse(&text, directory.path()).err().map_or_else(String::new, |error| error.to_string())
}

#[test]
fn secrets_are_allowed_one_by_one_and_have_to_be_strong() {
    const BASIC: &str = "authentication = \"client_secret_basic\"\nallow_secret = true\n";
    const STRONG: &str = "kX3-pQ9_vB7~mN2.tR5-wY8_zC4\n";
    let one = format!("{BASIC}secret_file = \"secret\"");

    assert_eq!(with_secret(STRONG, &one), "");
    let weak = with_secret("hunter2", &one);
    assert!(weak.contains("too short for 160 random bits") && !weak.contains("hunter2"), "{weak}");
    assert!(with_secret("0123456789abcdef0123456789abcdef", &one).contains("too short"));
    assert_eq!(with_secret("0123456789abcdef0123456789abcdef01234567", &one), "");
    assert!(with_secret(&"abAB".repeat(20), &one).contains("repeats a few characters"));
    assert!(with_secret(STRONG, BASIC).contains("the client has no secret"));
    assert!(with_secret(STRONG, &format!("{BASIC}secret_file = \"nowhere\"")).contains("cannot be read"));
    let not_allowed = "authentication = \"client_secret_post\"\nsecret_file = \"secret\"";
    assert!(with_secret(STRONG, not_allowed).contains("add `allow_secret = true`"));
    let two = format!(
        "{BASIC}secret_files = [{{ file = \"secret\", expires_at = 2027-01-31T00:00:00Z }}, {{ file = \"second\" }}]"
    );
    assert_eq!(with_secret(STRONG, &two), "");
    assert!(with_secret(STRONG, &two.replace("second", "secret")).contains("the same secret"));
    assert!(with_secret(STRONG, &two.replace("00Z", "00")).contains("no offset from UTC"));
    let three = two.replace("{ file = \"second\" }", "{ file = \"second\" }, { file = \"second\" }");
    assert!(with_secret(STRONG, &three).contains("keep two at most"));
}

#[test]
fn a_client_with_a_secret_is_no_agent_unless_it_says_so() {
    let directory = tempfile::tempdir().unwrap();
    crate::testing::definition::write_files(directory.path(), "data");
    std::fs::write(directory.path().join("secret"), "kX3-pQ9_vB7~mN2.tR5-wY8_zC4").unwrap();
    let text = format!(
        "{}\n[[client]]\nid = \"reporting\"\nauthentication = \"client_secret_post\"\n\
         allow_secret = true\nsecret_file = \"secret\"\n",
        *VALID
    );
    let read = |text: &str| super::Config::parse(text, directory.path()).unwrap();

    assert!(!read(&text).registry.clients["reporting"].may_act_as_agent);
    assert!(read(&format!("{text}may_act_as_agent = true")).registry.clients["reporting"].may_act_as_agent);
    assert!(parse(&VALID).unwrap().registry.clients["assistant"].may_act_as_agent);
}

#[test]
fn text_that_is_not_toml_names_its_line() {
    assert!(said("issuer = \n").contains("deputy.toml:1: `TOML` does not parse"));
    assert!(
        said("issuer = \"a\"\nissuer = \"b\"\n")
            .contains("deputy.toml:2: `TOML` does not parse: duplicate key")
    );
}

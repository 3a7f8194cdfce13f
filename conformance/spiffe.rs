//! SPIFFE client authentication by JWT-SVID (draft-ietf-oauth-spiffe-client-auth), JWT-SVIDs and SPIFFE IDs.

use serde_json::{Value, json};

use crate::definition::{DEFINITION, UNLIMITED, replaced};
use crate::expect::{self, CLIENT, actors, refuses, refuses_config};
use crate::harness::{Cases, case};
use crate::jwt_bearer::JWT_BEARER;
use crate::world::{Answer, Jwt, Key, OtherKey, Request, Setup, World, unsigned};

/// The cases of this file.
pub fn cases() -> Cases {
    vec![
        case("SPIFFE-3.1-01", an_svid_has_an_assertion_type_of_its_own),
        case("SPIFFE-3.1-02", subject_audience_and_expiry_are_all_that_is_needed),
        case("SPIFFE-3.1-03", deputy_is_the_only_audience),
        case("SPIFFE-3.1-04", the_key_is_one_of_the_trust_domain_for_jwt_svids),
        case("SPIFFE-3.1-05", only_what_a_class_takes_is_a_client),
        case("SPIFFE-4-01", metadata_says_that_svids_authenticate),
        case("SPIFFE-5.1-01", a_path_covers_whole_segments_below_it),
        case("SPIFFE-5.1-02", no_class_takes_a_whole_trust_domain),
        case("SPIFFE-5.1-03", the_actor_is_the_workload_and_not_the_client),
        case("SPIFFE-5.1-04", a_client_names_no_bundle),
        case("SPIFFE-6-01", bundles_are_never_merged),
        case("SPIFFE-6.1-01", a_bundle_is_renewed_and_emptied_and_grows_old),
        case("SPIFFE-8.1-01", no_key_is_found_by_the_issuer_of_an_svid),
        case("JWTSVID-2-01", algorithm_type_and_header_are_those_of_svids),
        case("JWTSVID-7.1-01", an_svid_may_come_again_and_lives_as_long_as_is_configured),
        case("SPIFFEID-2-01", a_subject_is_a_spiffe_id),
        case("WLI-17", a_trust_domain_is_three_lines),
        case("7523-2.1-01", an_svid_is_a_grant_of_the_process_that_proves_a_key),
        case("NEG-CA-29", deputy_is_the_only_audience),
        case("NEG-CA-29", the_key_is_one_of_the_trust_domain_for_jwt_svids),
        case("NEG-CA-29", bundles_are_never_merged),
    ]
}

const SVID: &str = "urn:ietf:params:oauth:client-assertion-type:jwt-spiffe";
const BUYER: &str = "spiffe://agents.example/client/1";
const DOMAIN: &str = r#"
[[workload_issuer]]
preset = "spiffe"
trust_domain = "agents.example"
bundle_file = "agents.bundle.json"

[[workload_issuer.class]]
name = "buyer"
when = { claim = "sub", under = "spiffe://agents.example/client/" }
lifetime = "instance"
clients = ["buyers"]
scopes = ["tickets:search"]
targets = ["tickets"]

[[client]]
id = "buyers"
authentication = "workload"
scopes = ["tickets:search"]
targets = ["tickets"]
"#;
const WHEN: &str = "under = \"spiffe://agents.example/client/\"";

/// A bundle with these keys, each for what it says.
fn bundle(keys: &[(&Key, &str)]) -> Value {
    let keys: Vec<Value> = keys
        .iter()
        .map(|(key, purpose)| {
            let mut jwk = key.jwk();
            jwk["use"] = json!(purpose);
            jwk
        })
        .collect();
    json!({"keys": keys, "spiffe_sequence": 1, "spiffe_refresh_hint": 60})
}

fn with(domain: &str, bundle: &Value) -> Setup {
    let text = replaced(
        DEFINITION,
        "\"couriers\"]\n\n[[identity_provider.relying_party]]",
        "\"couriers\", \"buyers\"]\n\n[[identity_provider.relying_party]]",
    );
    Setup::of(&(text + UNLIMITED + domain)).file("agents.bundle.json", &bundle.to_string())
}

/// A world that trusts this key for the SVIDs of `agents.example`.
async fn world_of(key: &Key) -> World {
    World::start(with(DOMAIN, &bundle(&[(key, "jwt-svid")]))).await
}

/// The least that an SVID has.
fn svid(world: &World, key: &Key, sub: &str) -> Jwt {
    let claims = json!({"sub": sub, "aud": world.issuer, "exp": world.now() + 300});
    let mut jwt = world.workload_token("x").signed_by(key).header("kid", key.kid.as_str());
    jwt.claims = claims.as_object().unwrap().clone();
    jwt
}

/// An exchange with nothing but this SVID, and a proof by this key.
fn asking<'a>(world: &'a World, svid: &str, key: &Key) -> Request<'a> {
    let request = world.tx().anonymous().set("client_assertion_type", SVID).set("client_assertion", svid);
    request.header("DPoP", &world.proof(key).sign())
}

async fn sent(world: &World, svid: &Jwt) -> Answer {
    asking(world, &svid.sign(), &Key::new("process")).send().await
}

async fn is_refused(world: &World, what: &str, svid: &str, cause: &str) {
    refuses(world, what, asking(world, svid, &Key::new("process")), CLIENT, cause).await;
}

async fn a_trust_domain_is_three_lines() {
    let key = Key::new("svid-1");
    let world = world_of(&key).await;
    let lines =
        "preset = \"spiffe\"\ntrust_domain = \"agents.example\"\nbundle_file = \"agents.bundle.json\"\n\n[[";
    assert!(world.toml.contains(lines));
    sent(&world, &svid(&world, &key, BUYER)).await.granted();
    refuses_config(&world, "preset = \"spiffe\"", "preset = \"mainframe\"", "`azure` or `spiffe`");
}

async fn an_svid_has_an_assertion_type_of_its_own() {
    let key = Key::new("svid-1");
    let world = world_of(&key).await;
    let token = svid(&world, &key, BUYER).sign();
    let process = Key::new("process");
    asking(&world, &token, &process).send().await.granted();
    let bearer = "urn:ietf:params:oauth:client-assertion-type:jwt-bearer";
    let as_jwt = asking(&world, &token, &process).set("client_assertion_type", bearer);
    refuses(&world, "as any JWT", as_jwt, CLIENT, "kind").await;
    let courier = world.workload_token("courier").sign();
    is_refused(&world, "another platform's credential as an SVID", &courier, "kind").await;
    is_refused(&world, "a client's own assertion as an SVID", &world.assertion("assistant").sign(), "kind")
        .await;
    let named = asking(&world, &token, &process).set("client_id", "buyers");
    named.send().await.granted();
    // Without client authentication an actor token is the credential, as for every platform.
    let alone = world.tx().anonymous().actor(&token).header("DPoP", &world.proof(&process).sign());
    alone.send().await.granted();
}

async fn an_svid_is_a_grant_of_the_process_that_proves_a_key() {
    let key = Key::new("svid-1");
    let of_class = "lifetime = \"instance\"\n";
    let alone = replaced(DOMAIN, of_class, &format!("{of_class}agent_tokens = true\n"));
    let alone =
        replaced(&alone, "scopes = [\"tickets:search\"]", "scopes = [\"tickets:search\", \"reports:read\"]");
    let alone = replaced(&alone, "targets = [\"tickets\"]", "targets = [\"tickets\", \"reports\"]");
    let reports = "\n[[target]]\nidentifier = \"reports\"\nresource_server = \"tickets-api\"\n\
                   scopes = { \"reports:read\" = { subjects = [\"agent\"] } }\n";
    let world = World::start(with(&(alone + reports), &bundle(&[(&key, "jwt-svid")]))).await;
    let token = svid(&world, &key, BUYER).sign();
    let ask = || {
        let form = world.form("/token").set("grant_type", JWT_BEARER).set("assertion", &token);
        form.set("audience", "reports").set("scope", "reports:read")
    };
    let proving = |process: &Key| ask().header("DPoP", &world.proof(process).sign());

    let [one, two] = ["one", "two"].map(Key::new);
    let first = proving(&one).send().await.claims();
    assert_eq!((first.get("act"), &first["cnf"]["jkt"]), (None, &json!(one.thumbprint())), "{first}");
    assert_eq!(proving(&one).send().await.claims()["sub"], first["sub"]);
    assert_ne!(proving(&two).send().await.claims()["sub"], first["sub"], "another process is another agent");
    let bare = ask().send().await;
    assert_eq!((bare.status, &bare.body["error"]), (400, &json!("invalid_dpop_proof")), "{}", bare.text);
    let as_client = proving(&one).set("client_assertion_type", SVID).set("client_assertion", &token);
    let several = as_client.send().await;
    assert_eq!((several.status, &several.body["reason"]), (400, &json!("several_authentication_methods")));
}

async fn subject_audience_and_expiry_are_all_that_is_needed() {
    let key = Key::new("svid-1");
    let world = world_of(&key).await;
    let good = svid(&world, &key, BUYER);
    sent(&world, &good).await.granted();
    let full =
        good.clone().claim("iss", "https://spire.example").claim("jti", "1").claim("iat", world.now() - 5);
    sent(&world, &full).await.granted();
    for (claim, cause) in [("sub", "issuer_untrusted|kind"), ("aud", "audience"), ("exp", "claim")] {
        is_refused(&world, claim, &good.clone().without(claim).sign(), cause).await;
    }
    is_refused(&world, "expired", &good.claim("exp", world.now() - 60).sign(), "expired").await;
}

async fn deputy_is_the_only_audience() {
    let key = Key::new("svid-1");
    let world = world_of(&key).await;
    let good = svid(&world, &key, BUYER);
    sent(&world, &good.clone().claim("aud", json!([world.issuer]))).await.granted();
    for aud in [
        json!([world.issuer, "https://other.example"]),
        json!(format!("{}/token", world.issuer)),
        json!("spiffe://agents.example/deputy"),
    ] {
        is_refused(&world, &aud.to_string(), &good.clone().claim("aud", aud.clone()).sign(), "audience")
            .await;
    }
}

async fn the_key_is_one_of_the_trust_domain_for_jwt_svids() {
    let [key, x509, wit, sig] = ["svid-1", "x509", "wit", "sig"].map(Key::new);
    let keys = [(&key, "jwt-svid"), (&x509, "x509-svid"), (&wit, "wit-svid"), (&sig, "sig")];
    let world = World::start(with(DOMAIN, &bundle(&keys))).await;
    sent(&world, &svid(&world, &key, BUYER)).await.granted();
    for other in [&x509, &wit, &sig] {
        is_refused(&world, &other.kid, &svid(&world, other, BUYER).sign(), "key_unknown").await;
    }
    let forged = svid(&world, &key, BUYER).signed_by(&x509).sign();
    is_refused(&world, "under the name of another key", &forged, "signature").await;
}

async fn only_what_a_class_takes_is_a_client() {
    let key = Key::new("svid-1");
    let world = world_of(&key).await;
    is_refused(
        &world,
        "a workload of no class",
        &svid(&world, &key, "spiffe://agents.example/other").sign(),
        "no_class",
    )
    .await;
    let stranger = svid(&world, &key, "spiffe://strangers.example/client/1").sign();
    is_refused(&world, "a trust domain that is not configured", &stranger, "issuer_untrusted").await;
    let named = asking(&world, &svid(&world, &key, BUYER).sign(), &Key::new("process"));
    refuses(
        &world,
        "another client",
        named.set("client_id", "couriers"),
        CLIENT,
        "credential_names_no_client",
    )
    .await;
}

async fn metadata_says_that_svids_authenticate() {
    let methods = async |world: &World| {
        let document = world.get("/.well-known/oauth-authorization-server").await.body;
        ["token", "introspection", "revocation"]
            .map(|endpoint| document[format!("{endpoint}_endpoint_auth_methods_supported")].to_string())
    };
    let world = world_of(&Key::new("svid-1")).await;
    for listed in methods(&world).await {
        assert!(listed.contains("\"spiffe_jwt\"") && listed.contains("\"private_key_jwt\""), "{listed}");
        assert!(!listed.contains("spiffe_x509") && !listed.contains("spiffe_wit"), "not served: {listed}");
    }
    let world = World::start(Setup::default()).await;
    assert!(methods(&world).await.iter().all(|listed| !listed.contains("spiffe")));
}

async fn a_path_covers_whole_segments_below_it() {
    let [key, other] = ["svid-1", "svid-2"].map(Key::new);
    let second = DOMAIN
        .split("[[client]]")
        .next()
        .unwrap()
        .replace("agents.", "other.")
        .replace("name = \"buyer\"", "name = \"stranger\"")
        .replace("/client/\"", "/elsewhere/\"");
    let setup = with(&format!("{DOMAIN}{second}"), &bundle(&[(&key, "jwt-svid")]));
    let world =
        World::start(setup.file("other.bundle.json", &bundle(&[(&other, "jwt-svid")]).to_string())).await;
    for path in ["client/1", "client/1/2"] {
        sent(&world, &svid(&world, &key, &format!("spiffe://agents.example/{path}"))).await.granted();
    }
    for (path, cause) in [("client", "no_class"), ("client/", "subject"), ("client1", "no_class")] {
        let token = svid(&world, &key, &format!("spiffe://agents.example/{path}")).sign();
        is_refused(&world, path, &token, cause).await;
    }
    let elsewhere = svid(&world, &other, "spiffe://other.example/client/1").sign();
    is_refused(&world, "the path in another trust domain", &elsewhere, "no_class").await;
}

async fn no_class_takes_a_whole_trust_domain() {
    let world = world_of(&Key::new("svid-1")).await;
    refuses_config(
        &world,
        WHEN,
        "under = \"spiffe://agents.example/\"",
        "takes every workload of the trust domain",
    );
    let when = format!("when = {{ claim = \"sub\", {WHEN} }}\n");
    refuses_config(&world, &when, "", "does not say which SPIFFE IDs the class takes");
    for pattern in
        ["spiffe://agents.example/*", "spiffe://agents.example/*/client", "spiffe://agents.example/c*"]
    {
        refuses_config(
            &world,
            WHEN,
            &format!("equals = \"{pattern}\""),
            "what is no SPIFFE ID of a workload",
        );
        refuses_config(
            &world,
            WHEN,
            &format!("under = \"{pattern}/\""),
            "what is no SPIFFE ID of a workload",
        );
    }
}

/// Two workloads of one class are two agents, and two processes of one workload are two as well.
async fn the_actor_is_the_workload_and_not_the_client() {
    let key = Key::new("svid-1");
    let world = world_of(&key).await;
    let [one, other] = ["one", "other"].map(Key::new);
    let by = async |sub: &str, process: &Key| {
        let token = svid(&world, &key, sub).sign();
        actors(&asking(&world, &token, process).send().await.claims()).swap_remove(0)
    };
    let first = by(BUYER, &one).await;
    let same = by(BUYER, &one).await;
    let process = by(BUYER, &other).await;
    assert_eq!(first, same);
    assert_ne!(first, process);
    let shown = world.admin("GET", &format!("/agents/{first}"), Value::Null).await.body;
    assert_eq!(
        (&shown["workload_issuer"], &shown["stable_id"]),
        (&json!("spiffe://agents.example"), &json!(BUYER))
    );
    assert_eq!(shown["workload_id"], one.thumbprint());

    // The agents of a class of principals are the workloads themselves.
    let principals = DOMAIN.replace("\"instance\"", "\"principal\"");
    let world = World::start(with(&principals, &bundle(&[(&key, "jwt-svid")]))).await;
    let by = async |sub: &str, process: &Key| {
        let token = svid(&world, &key, sub).sign();
        actors(&asking(&world, &token, process).send().await.claims()).swap_remove(0)
    };
    let [first, second] = [by(BUYER, &one).await, by("spiffe://agents.example/client/2", &one).await];
    assert_ne!(first, second);
    assert_eq!(first, by(BUYER, &other).await);
}

async fn a_client_names_no_bundle() {
    let key = Key::new("svid-1");
    let world = world_of(&key).await;
    let client = "id = \"buyers\"\n";
    for member in ["spiffe_bundle_endpoint", "bundle_endpoint", "spiffe_id"] {
        let named = format!("{client}{member} = \"{}/jwks\"\n", world.other_provider.issuer);
        refuses_config(&world, client, &named, &format!("`client.{member}` is not a key"));
    }
    let attacker = Key::new("attacker");
    world.other_provider.publish(bundle(&[(&attacker, "jwt-svid")]));
    let url = format!("{}/jwks", world.other_provider.issuer);
    let token = svid(&world, &attacker, BUYER).claim("spiffe_bundle_endpoint", url).sign();
    is_refused(&world, "a bundle of its own", &token, "key_unknown").await;
    assert_eq!(world.other_provider.jwks_fetches(), 0);
}

async fn bundles_are_never_merged() {
    let [key, other] = ["svid-1", "svid-2"].map(Key::new);
    let second = DOMAIN
        .split("[[client]]")
        .next()
        .unwrap()
        .replace("agents.", "other.")
        .replace("name = \"buyer\"", "name = \"other-buyer\"");
    let setup = with(&format!("{DOMAIN}{second}"), &bundle(&[(&key, "jwt-svid")]));
    let world =
        World::start(setup.file("other.bundle.json", &bundle(&[(&other, "jwt-svid")]).to_string())).await;
    let elsewhere = "spiffe://other.example/client/1";
    sent(&world, &svid(&world, &key, BUYER)).await.granted();
    sent(&world, &svid(&world, &other, elsewhere)).await.granted();
    is_refused(&world, "their key for ours", &svid(&world, &other, BUYER).sign(), "key_unknown").await;
    is_refused(&world, "our key for theirs", &svid(&world, &key, elsewhere).sign(), "key_unknown").await;
    let shared = "bundle_file = \"other.bundle.json\"";
    refuses_config(
        &world,
        shared,
        "bundle_file = \"agents.bundle.json\"",
        "has the bundle of `spiffe://agents.example`",
    );
}

/// Asks until the answer is a refusal, which it is as soon as the fetch that is due is over.
async fn refused_soon(world: &World, svid: &Jwt) -> Answer {
    for _ in 0..500 {
        let answer = sent(world, svid).await;
        if answer.status != 200 {
            return answer;
        }
    }
    panic!("the key still serves")
}

async fn a_bundle_is_renewed_and_emptied_and_grows_old() {
    let [key, next] = ["svid-1", "svid-2"].map(Key::new);
    let fetched = "bundle_endpoint = \"@other_provider@/jwks\"\nnetwork = \"private\"";
    let domain = replaced(DOMAIN, "bundle_file = \"agents.bundle.json\"", fetched);
    let world = World::start(with(&domain, &json!({}))).await;
    let publisher = &world.other_provider;
    publisher.publish(bundle(&[(&key, "jwt-svid")]));
    // What was published when the server began was no bundle, so that a failure is waited out.
    world.advance(60);
    sent(&world, &svid(&world, &key, BUYER)).await.granted();

    publisher.publish(bundle(&[(&next, "jwt-svid")]));
    world.advance(59);
    sent(&world, &svid(&world, &key, BUYER)).await.granted();
    world.advance(1);
    let refused = refused_soon(&world, &svid(&world, &key, BUYER)).await;
    expect::is_refused("a key that was removed", &refused, CLIENT);
    sent(&world, &svid(&world, &next, BUYER)).await.granted();

    publisher.answer_keys_with(500, &[], "");
    world.advance(86_399);
    sent(&world, &svid(&world, &next, BUYER)).await.granted();
    world.advance(1);
    let token = svid(&world, &next, BUYER).sign();
    expect::is_unavailable("a bundle of yesterday", asking(&world, &token, &Key::new("process"))).await;

    publisher.answer_keys();
    world.advance(60);
    sent(&world, &svid(&world, &next, BUYER)).await.granted();
    publisher.publish(bundle(&[]));
    world.advance(60);
    let refused = refused_soon(&world, &svid(&world, &next, BUYER)).await;
    expect::is_refused("an empty bundle", &refused, CLIENT);
}

async fn no_key_is_found_by_the_issuer_of_an_svid() {
    let key = Key::new("svid-1");
    let world = world_of(&key).await;
    // Its `iss` may even be an issuer that is configured: the trust domain of its subject decides.
    let ours = svid(&world, &key, BUYER).claim("iss", "https://workloads.example");
    sent(&world, &ours).await.granted();
    let theirs = svid(&world, &world.workload_key, BUYER).claim("iss", "https://workloads.example");
    is_refused(&world, "another issuer's token with a SPIFFE ID", &theirs.sign(), "key_unknown").await;
    let stranger = theirs.clone().claim("sub", "spiffe://strangers.example/client/1").sign();
    is_refused(&world, "a trust domain that is known only by `iss`", &stranger, "issuer_untrusted").await;
    let of_provider = svid(&world, &world.provider.key, BUYER).claim("iss", world.provider.issuer.as_str());
    is_refused(&world, "an ID token of the provider", &of_provider.sign(), "key_unknown").await;
    // A trust domain in `iss` is none either.
    let no_svid = svid(&world, &key, "client-1").claim("iss", "spiffe://agents.example").sign();
    is_refused(&world, "no SPIFFE ID", &no_svid, "kind").await;
    let actor = world.tx().actor(&no_svid);
    refuses(&world, "as actor token", actor, expect::ACTOR, "issuer_untrusted").await;
    assert_eq!(world.other_provider.jwks_fetches(), 0);
}

async fn algorithm_type_and_header_are_those_of_svids() {
    let key = Key::new("svid-1");
    let rsa = OtherKey::new("svid-rsa", "RS256");
    let ed = OtherKey::new("svid-ed", "EdDSA");
    let mut keys = bundle(&[(&key, "jwt-svid")]);
    for other in [&rsa, &ed] {
        let mut jwk = other.jwks()["keys"][0].clone();
        jwk["use"] = json!("jwt-svid");
        keys["keys"].as_array_mut().unwrap().push(jwk);
    }
    let world = World::start(with(DOMAIN, &keys)).await;
    let good = svid(&world, &key, BUYER);
    for typ in ["JWT", "JOSE"] {
        sent(&world, &good.clone().header("typ", typ)).await.granted();
    }
    asking(&world, &good.signed_with(&rsa), &Key::new("process")).send().await.granted();
    is_refused(&world, "EdDSA", &good.signed_with(&ed), "algorithm").await;
    let (_, claims) = good.texts();
    is_refused(&world, "none", &unsigned(r#"{"alg":"none"}"#, &claims), "algorithm").await;
    let mac = crate::world::hmac_signed(b"a secret", r#"{"alg":"HS256"}"#, &claims);
    is_refused(&world, "HMAC", &mac, "algorithm").await;
    is_refused(&world, "another type", &good.clone().header("typ", "at+jwt").sign(), "kind").await;
    for (name, value) in [("jku", json!("https://keys.example")), ("jwk", key.jwk()), ("x5t", json!("x"))] {
        is_refused(&world, name, &good.clone().header(name, value).sign(), "kind").await;
    }
    is_refused(&world, "not compact", "{\"payload\":\"x\"}", "malformed").await;
}

/// The lifetime is configured, which is an exception. The issued token is bound to a key all the same.
async fn an_svid_may_come_again_and_lives_as_long_as_is_configured() {
    let key = Key::new("svid-1");
    let world = world_of(&key).await;
    let token = svid(&world, &key, BUYER).sign();
    let process = Key::new("process");
    for _ in 0..2 {
        let answer = asking(&world, &token, &process).send().await;
        assert_eq!(answer.claims()["cnf"]["jkt"], process.thumbprint());
    }
    let without = world.tx().anonymous().set("client_assertion_type", SVID).set("client_assertion", &token);
    refuses(&world, "no proof", without, (400, "invalid_dpop_proof", "proof_missing"), "proof_missing").await;
    let left = |world: &World, seconds: i64| svid(world, &key, BUYER).claim("exp", world.now() + seconds);
    sent(&world, &left(&world, 3600)).await.granted();
    is_refused(&world, "more than an hour left", &left(&world, 3700).sign(), "too_old").await;

    let shorter = DOMAIN.replace("bundle_file", "max_token_lifetime_seconds = 600\nbundle_file");
    let world = World::start(with(&shorter, &bundle(&[(&key, "jwt-svid")]))).await;
    sent(&world, &left(&world, 600)).await.granted();
    is_refused(&world, "an hour left", &left(&world, 3600).sign(), "too_old").await;
}

async fn a_subject_is_a_spiffe_id() {
    let key = Key::new("svid-1");
    let world = world_of(&key).await;
    let longest = format!("spiffe://agents.example/client/{}", "a".repeat(2048 - 31));
    for id in ["spiffe://agents.example/client/A.b-c_1", &longest] {
        sent(&world, &svid(&world, &key, id)).await.granted();
    }
    for id in [
        "spiffe://agents.example",
        "spiffe://agents.example/",
        "spiffe:///client/1",
        "SPIFFE://agents.example/client/1",
        "spiffe://Agents.example/client/1",
        "spiffe://agents.example:443/client/1",
        "spiffe://user@agents.example/client/1",
        "spiffe://agents%2Eexample/client/1",
        "spiffe://agents.example//client/1",
        "spiffe://agents.example/client/1/",
        "spiffe://agents.example/client/../client/1",
        "spiffe://agents.example/client/./1",
        "spiffe://agents.example/client/a b",
        "spiffe://agents.example/client/%31",
        "spiffe://agents.example/client/1?a=b",
        "spiffe://agents.example/client/1#a",
        &format!("{longest}a"),
    ] {
        is_refused(&world, id, &svid(&world, &key, id).sign(), "subject").await;
    }
    is_refused(
        &world,
        "another scheme",
        &svid(&world, &key, "https://agents.example/client/1").sign(),
        "kind",
    )
    .await;
}

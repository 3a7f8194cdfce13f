//! `tls_client_auth` and `self_signed_tls_client_auth` (RFC 8705 §2).

use rcgen::string::Ia5String;
use rcgen::{BasicConstraints, CertificateParams, DnType, IsCa, SanType, date_time_ymd};

use super::{CLIENT, Parties, setup, world};
use crate::expect::{malformed, refuses};
use crate::harness::{Cases, case};
use crate::requests::metadata;
use crate::world::{Authority, Certified, Setup, World, named};

pub fn cases() -> Cases {
    vec![
        case("8705-2-01", the_client_is_always_named_in_the_body),
        case("8705-2-02", without_a_certificate_the_client_is_nobody),
        case("NEG-CA-16", without_a_certificate_the_client_is_nobody),
        case("8705-2.1-01", a_certificate_of_the_authority_with_the_name_is_the_client),
        case("8705-2.1-01", any_other_certificate_is_nobodys),
        case("NEG-CA-17", any_other_certificate_is_nobodys),
        case("8705-2.1.2-01", exactly_one_name_is_registered),
        case("8705-2.1.2-02", a_name_is_compared_in_its_own_way),
        case("8705-2.2-01", a_self_signed_certificate_is_the_registered_one),
        case("CA-ALL-01", a_certificate_is_a_method_only_of_a_client_that_is_registered_for_it),
        case("CA-ALL-02", a_certificate_does_not_take_the_place_of_the_registered_method),
        case("CA-ALL-06", metadata_lists_mutual_tls_where_it_is_on),
        case("8705-5-01", the_aliases_lead_to_the_listener_and_assertions_stay_for_the_issuer),
    ]
}

async fn the_client_is_always_named_in_the_body() {
    let (world, Parties { issued, own, .. }) = world().await;
    for (client, certified) in [("tls-agent", &issued), ("own-agent", &own)] {
        let good = || world.tx().by_certificate(client, certified);
        good().send().await.granted();
        refuses(&world, client, good().without("client_id"), CLIENT, "no_credentials").await;
    }
}

async fn without_a_certificate_the_client_is_nobody() {
    let (world, Parties { issued, .. }) = world().await;
    let token = world.tx().by_certificate("tls-agent", &issued).send().await.granted();
    for client in ["tls-agent", "own-agent"] {
        let forms = [
            world.tx(),
            world.form("/introspect").set("token", &token),
            world.form("/revoke").set("token", &token),
        ];
        for form in forms {
            let named = form.anonymous().set("client_id", client);
            refuses(&world, "public", named.clone(), CLIENT, "certificate_missing").await;
            refuses(&world, "mutual TLS", named.over_mtls(None), CLIENT, "certificate_missing").await;
        }
    }
    let revoked =
        world.form("/revoke").set("token", &token).by_certificate("tls-agent", &issued).send().await;
    assert_eq!((revoked.status, world.is_active(&token).await), (200, false), "it works at each endpoint");
}

async fn a_certificate_of_the_authority_with_the_name_is_the_client() {
    let (world, Parties { authority, issued, .. }) = world().await;
    let answer = world.tx().by_certificate("tls-agent", &issued).send().await;
    assert_eq!(answer.claims()["client_id"], "tls-agent");
    // A new certificate for the same name is the same client.
    let renewed = authority.issue(&named("assistant"));
    world.tx().by_certificate("tls-agent", &renewed).send().await.granted();
}

async fn any_other_certificate_is_nobodys() {
    let (world, Parties { authority, issued, own }) = world().await;
    let changed = |change: fn(&mut CertificateParams)| {
        let mut params = named("assistant");
        change(&mut params);
        authority.issue(&params)
    };
    for (certified, cause) in [
        (authority.issue(&named("assistant2")), "certificate_subject"),
        (
            changed(|params| params.distinguished_name.push(DnType::OrganizationName, "X")),
            "certificate_subject",
        ),
        (changed(|params| params.not_after = date_time_ymd(2026, 11, 22)), "certificate_expired"),
        (changed(|params| params.not_before = date_time_ymd(2026, 11, 23)), "certificate_not_yet_valid"),
        (
            changed(|params| params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained)),
            "certificate_of_authority",
        ),
        (Authority::new("Authority").issue(&named("assistant")), "certificate_untrusted"),
        (Certified::self_signed(&named("assistant")), "certificate_untrusted"),
        (own, "certificate_untrusted"),
    ] {
        let request = world.tx().by_certificate("tls-agent", &certified);
        refuses(&world, cause, request, CLIENT, cause).await;
    }
    world.tx().by_certificate("tls-agent", &issued).send().await.granted();
}

async fn exactly_one_name_is_registered() {
    let (world, _) = world().await;
    let refused = |name: &str| {
        let one = "tls_client_auth_subject_dn = \"CN=assistant\"";
        assert!(world.toml.contains(one), "the configuration is good");
        let toml = world.toml.replace(one, name);
        deputy::testing::Config::parse(&toml, world.directory.path()).err().unwrap_or_default()
    };
    assert!(refused("").contains("needs the name in the client's certificate"), "{}", refused(""));
    let two = "tls_client_auth_san_dns = \"a.example\"\ntls_client_auth_san_uri = \"https://a.example\"";
    assert!(refused(two).contains("a client has exactly one"), "{}", refused(two));
    assert!(refused("tls_client_auth_san_dns = \"*.example\"").contains("wildcard"));
    let of_another = "tls_client_auth_subject_dn = \"CN=assistant\"\n\n[[client]]\nid = \"x\"\njwks_file = \"own.json\"\n\
                      tls_client_auth_san_dns = \"a.example\"";
    assert!(refused(of_another).contains("whose certificate an authority issues"), "{}", refused(of_another));
}

/// Whether a client that is known by `name` is who presents a certificate with these parameters.
async fn is_taken(name: &str, params: &CertificateParams) -> bool {
    let (authority, own) = (Authority::new("Authority"), Certified::self_signed(&named("own")));
    let issued = authority.issue(params);
    let world = World::start(setup(&authority, &own, name)).await;
    let request = world.tx().by_certificate("tls-agent", &issued);
    let answer = request.send().await;
    if answer.status == 200 {
        return true;
    }
    answer.refused_because(&world, CLIENT, "certificate_subject").await;
    false
}

async fn a_name_is_compared_in_its_own_way() {
    let text = |text: &str| Ia5String::try_from(text).unwrap();
    let mut params = named("assistant");
    params.distinguished_name.push(DnType::OrganizationName, "Example, Inc.");
    params.subject_alt_names = vec![
        SanType::DnsName(text("agent.example")),
        SanType::DnsName(text("*.wild.example")),
        SanType::URI(text("https://agents.example/assistant")),
        SanType::IpAddress("2001:db8::7".parse().unwrap()),
        SanType::Rfc822Name(text("assistant@agents.example")),
    ];
    for (name, is_its) in [
        (r"tls_client_auth_subject_dn = 'O=Example\, Inc.,CN=assistant'", true),
        (r"tls_client_auth_subject_dn = 'o=Example\2C Inc.,cn=assistant'", true),
        (r"tls_client_auth_subject_dn = 'CN=assistant,O=Example\, Inc.'", false),
        ("tls_client_auth_subject_dn = 'CN=assistant'", false),
        (r"tls_client_auth_subject_dn = 'O=Example\, Inc.,CN=assist'", false),
        ("tls_client_auth_san_dns = 'agent.example'", true),
        ("tls_client_auth_san_dns = 'a.wild.example'", false),
        ("tls_client_auth_san_dns = 'example'", false),
        ("tls_client_auth_san_uri = 'https://agents.example/assistant'", true),
        ("tls_client_auth_san_uri = 'https://agents.example/assistant/'", false),
        ("tls_client_auth_san_ip = '2001:DB8:0::7'", true),
        ("tls_client_auth_san_ip = '2001:db8::8'", false),
        ("tls_client_auth_san_email = 'assistant@agents.example'", true),
        ("tls_client_auth_san_email = 'assistant@Agents.example'", false),
    ] {
        assert_eq!(is_taken(name, &params).await, is_its, "{name}");
    }
}

async fn a_self_signed_certificate_is_the_registered_one() {
    let (mut world, Parties { authority, own, .. }) = world().await;
    world.tx().by_certificate("own-agent", &own).send().await.granted();
    let renewed = Certified::self_signed(&named("own"));
    for other in [&renewed, &authority.issue(&named("own"))] {
        let request = world.tx().by_certificate("own-agent", other);
        refuses(&world, "another of the same subject", request, CLIENT, "certificate_unregistered").await;
    }
    // The key set with the new certificate takes effect with the next look at it.
    std::fs::write(world.directory.path().join("own.json"), renewed.jwks().to_string()).unwrap();
    world.reload(|toml| toml).await;
    world.tx().by_certificate("own-agent", &renewed).send().await.granted();
    let request = world.tx().by_certificate("own-agent", &own);
    refuses(&world, "the old one", request, CLIENT, "certificate_unregistered").await;
}

async fn a_certificate_is_a_method_only_of_a_client_that_is_registered_for_it() {
    let (world, Parties { issued, .. }) = world().await;
    let two = malformed("several_authentication_methods");
    let by_certificate = || world.tx().by_certificate("tls-agent", &issued);
    let with_secret = by_certificate().set("client_secret", "x");
    refuses(&world, "with a secret", with_secret, two, "several_methods").await;
    // Beside the method of any other client it is none.
    world.tx().over_mtls(Some(&issued)).send().await.granted();
    world.tx().basic("basic-app").over_mtls(Some(&issued)).send().await.granted();
}

async fn a_certificate_does_not_take_the_place_of_the_registered_method() {
    let (world, Parties { issued, own, .. }) = world().await;
    let other = world.tx().by_certificate("assistant", &issued);
    refuses(&world, "a client with a key", other, CLIENT, "no_credentials").await;
    let other = world.tx().by_certificate("own-agent", &issued);
    refuses(&world, "the other kind", other, CLIENT, "certificate_unregistered").await;
    let other = world.tx().by_certificate("tls-agent", &own);
    refuses(&world, "the other kind", other, CLIENT, "certificate_untrusted").await;
    let secret = world.tx().secret_in_body("tls-agent").over_mtls(None);
    refuses(&world, "a secret", secret, CLIENT, "method_not_registered").await;
}

async fn metadata_lists_mutual_tls_where_it_is_on() {
    let off = metadata(&World::start(Setup::default()).await).await;
    let (world, _) = world().await;
    let on = metadata(&world).await;
    for endpoint in ["token", "introspection", "revocation"] {
        let methods = |document: &serde_json::Value| {
            document[format!("{endpoint}_endpoint_auth_methods_supported")].to_string()
        };
        for method in ["tls_client_auth", "self_signed_tls_client_auth"] {
            let word = format!("\"{method}\"");
            assert!(methods(&on).contains(&word) && !methods(&off).contains(&word), "{endpoint}: {method}");
        }
    }
    assert_eq!(on["tls_client_certificate_bound_access_tokens"], true);
    assert_eq!(off.get("tls_client_certificate_bound_access_tokens"), None);
    assert_eq!(off.get("mtls_endpoint_aliases"), None);
}

async fn the_aliases_lead_to_the_listener_and_assertions_stay_for_the_issuer() {
    let (world, Parties { issued, .. }) = world().await;
    let document = metadata(&world).await;
    let aliases = &document["mtls_endpoint_aliases"];
    for (member, path) in [
        ("token_endpoint", "/token"),
        ("introspection_endpoint", "/introspect"),
        ("revocation_endpoint", "/revoke"),
    ] {
        assert_eq!(aliases[member], format!("{}{path}", world.mtls_base()));
    }
    assert_eq!(aliases.as_object().map(serde_json::Map::len), Some(3));
    world.tx().over_mtls(Some(&issued)).send().await.granted();
    let alias = world.assertion("assistant").claim("aud", aliases["token_endpoint"].clone()).sign();
    let request = world.tx().with_assertion(&alias).over_mtls(Some(&issued));
    refuses(
        &world,
        "for the alias",
        request,
        crate::expect::client("assertion_audience"),
        "assertion_audience",
    )
    .await;
    let elsewhere = world.http.get(format!("{}/metrics", world.mtls_base())).send().await.unwrap();
    assert_eq!(elsewhere.status(), 404, "nothing else is served there");
}

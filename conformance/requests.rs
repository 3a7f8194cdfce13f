//! Requests, tokens and configurations that several files begin with.

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use serde_json::Value;

use crate::world::{Answer, Jwt, Key, Request, Setup, World};

/// Where the metadata of an issuer without a path is.
pub const WELL_KNOWN: &str = "/.well-known/oauth-authorization-server";

/// A revocation by the client's assertion.
pub fn revocation<'a>(world: &'a World, client: &str, token: &str) -> Request<'a> {
    world.form("/revoke").set("token", token).by_assertion(client)
}

/// An introspection that lacks its client's authentication.
pub fn asking(world: &World) -> Request<'_> {
    world.form("/introspect").set("token", "x")
}

/// A request with a good body for each form endpoint, by the assistant's assertion; and one for
/// introspection by its resource server.
pub fn at_each_endpoint<'a>(world: &'a World, token: &str) -> [Request<'a>; 3] {
    [
        world.tx(),
        world.form("/introspect").set("token", token).by_assertion("assistant"),
        revocation(world, "assistant", token),
    ]
}

/// Three failures a minute are tolerated, and the source of a request is what a proxy says ([`from`]).
pub fn throttled() -> Setup {
    Setup::default().replace("failures_per_minute = 1000000", "failures_per_minute = 3").replace(
        "management = \"127.0.0.1:0\"",
        "management = \"127.0.0.1:0\"\ntrusted_proxies = [\"127.0.0.1/32\"]",
    )
}

/// Sends it as a trusted proxy would for `source`.
pub async fn from(request: Request<'_>, source: &str) -> Answer {
    request.header("X-Forwarded-For", source).send().await
}

/// The good exchange with this ID token.
pub fn with<'a>(world: &'a World, id_token: &Jwt) -> Request<'a> {
    world.tx().set("subject_token", &id_token.sign())
}

/// An ID token with `iat` and `exp` this far from now.
pub fn aged(world: &World, issued_ago: i64, expires_in: i64) -> Jwt {
    world.id_token().claim("iat", world.now() - issued_ago).claim("exp", world.now() + expires_in)
}

/// An ID token whose only evidence is this.
pub fn evidence(world: &World, acr: Option<&str>, amr: Value) -> Jwt {
    let token = world.id_token().claim("amr", amr);
    match acr {
        Some(acr) => token.claim("acr", acr),
        None => token.without("acr"),
    }
}

/// The good exchange, to this `resource`.
pub fn to<'a>(world: &'a World, resource: &str) -> Request<'a> {
    world.tx().without("audience").set("scope", "files.read").set("resource", resource)
}

/// `token` with one bit of its signature flipped.
pub fn with_a_bit_flipped(token: &str) -> String {
    let (input, signature) = token.rsplit_once('.').expect("a compact JWS");
    let mut bytes = URL_SAFE_NO_PAD.decode(signature).unwrap();
    bytes[7] ^= 1;
    format!("{input}.{}", URL_SAFE_NO_PAD.encode(bytes))
}

/// The metadata document.
pub async fn metadata(world: &World) -> Value {
    let answer = world.get(WELL_KNOWN).await;
    assert_eq!(answer.status, 200);
    answer.body
}

/// A provider whose keys are in a file, beside the usual one.
pub fn pinned_provider(issuer: &str, key: &Key) -> Setup {
    let provider = format!(
        "
[[identity_provider]]
issuer = \"{issuer}\"
jwks_file = \"pinned.json\"

[[identity_provider.relying_party]]
client_id = \"booking-app\"
clients = [\"assistant\"]

[[identity_provider.assurance]]
name = \"phishing_resistant\"
any_of = [{{ claim = \"acr\", in = [\"phr\", \"phrh\"] }}]
"
    );
    // With two providers every target is pairwise.
    Setup::default()
        .file("pinned.json", &key.jwks().to_string())
        .replace("subject = \"upstream\"\n", "")
        .add(&provider)
}

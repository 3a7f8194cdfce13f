//! A token that is bound to a key, shown by its holder and by others.

use reqwest::Method;
use url::Url;

use super::*;
use crate::sandbox::wire::Access;

/// An agent with a key of its own, and a token that is bound to it.
struct Holder {
    client: Client,
    token: String,
}

impl World {
    fn client(&self, key: SigningKey) -> Client {
        let credential = Credential::Platform("unused".into());
        let endpoints = Endpoints::of_deputy(&self.issuer.url);
        let entropy = Arc::new(SystemEntropy::default());
        Client::new(&self.issuer.url, endpoints, "", credential, self.clock.clone(), entropy).proving(key)
    }

    fn holder(&self) -> Holder {
        let key = SigningKey::generate(Algorithm::ES256).unwrap();
        let mut claims = self.claims("tickets:search");
        claims["cnf"] = json!({ "jkt": key.kid() });
        Holder { token: self.token("at+jwt", &claims), client: self.client(key) }
    }

    fn search_url(&self) -> Url {
        Url::parse(&format!("{}/search?q=Friday", self.api)).unwrap()
    }

    async fn search(&self, access: Access<'_>) -> (u16, String) {
        let url = self.search_url();
        let call = self.wire.send("tickets API", Method::GET, url.as_str(), access, None).await.unwrap();
        (call.status, call.text("error").to_owned())
    }
}

impl Holder {
    fn proof(&self, method: Method, url: &Url) -> String {
        self.client.proof_of_use(&method, url, &self.token).unwrap().unwrap()
    }
}

fn bad_proof() -> (u16, String) {
    (401, "invalid_dpop_proof".to_owned())
}

#[actix_web::test]
async fn the_holder_of_the_key_searches_and_each_proof_is_good_once() {
    let world = world();
    let holder = world.holder();
    let proof = holder.proof(Method::GET, &world.search_url());
    let access = Access::Bound { token: &holder.token, proof: &proof };
    assert_eq!(world.search(access).await.0, 200);
    assert_eq!(world.search(access).await, bad_proof());
}

#[actix_web::test]
async fn a_bound_token_under_bearer_or_with_the_proof_of_another_key_is_refused() {
    let world = world();
    let holder = world.holder();
    assert_eq!(world.search(Access::Bearer(&holder.token)).await, (401, "invalid_token".to_owned()));
    let thief = Holder { token: holder.token.clone(), ..world.holder() };
    let proof = thief.proof(Method::GET, &world.search_url());
    assert_eq!(world.search(Access::Bound { token: &holder.token, proof: &proof }).await, bad_proof());
}

#[actix_web::test]
async fn a_proof_for_another_method_url_or_token_is_refused() {
    let world = world();
    let (holder, url) = (world.holder(), world.search_url());
    let other_token = Holder { token: world.booking(), client: holder.client.clone() };
    for proof in [
        holder.proof(Method::POST, &url),
        holder.proof(Method::GET, &url.join("/book").unwrap()),
        other_token.proof(Method::GET, &url),
        "no-proof".to_owned(),
    ] {
        assert_eq!(world.search(Access::Bound { token: &holder.token, proof: &proof }).await, bad_proof());
    }
}

#[actix_web::test]
async fn a_proof_is_good_for_a_minute() {
    let world = world();
    let (holder, url) = (world.holder(), world.search_url());
    let (first, second) = (holder.proof(Method::GET, &url), holder.proof(Method::GET, &url));
    world.clock.advance(Lifetime::from_seconds(60));
    assert_eq!(world.search(Access::Bound { token: &holder.token, proof: &first }).await.0, 200);
    world.clock.advance(Lifetime::from_seconds(1));
    assert_eq!(world.search(Access::Bound { token: &holder.token, proof: &second }).await, bad_proof());
}

#[actix_web::test]
async fn a_token_that_is_bound_to_no_key_is_shown_as_a_bearer_token_only() {
    let world = world();
    let token = world.token("at+jwt", &world.claims("tickets:search"));
    assert_eq!(world.search(Access::Bearer(&token)).await.0, 200);
    let holder = Holder { token, ..world.holder() };
    let proof = holder.proof(Method::GET, &world.search_url());
    let refused = world.search(Access::Bound { token: &holder.token, proof: &proof }).await;
    assert_eq!(refused, (401, "invalid_token".to_owned()));
}

#[actix_web::test]
async fn a_token_that_is_bound_to_a_certificate_is_refused_where_none_is_asked_for() {
    let world = world();
    let mut claims = world.claims("tickets:search");
    claims["cnf"] = json!({ "x5t#S256": "A".repeat(43) });
    let token = world.token("at+jwt", &claims);
    assert_eq!(world.search(Access::Bearer(&token)).await, (401, "invalid_token".to_owned()));
}

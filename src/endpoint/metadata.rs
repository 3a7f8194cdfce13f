//! Metadata (RFC 8414) and keys (RFC 7517), built from what is really switched on.

use std::collections::BTreeSet;
use std::time::Instant;

use actix_web::http::header;
use actix_web::{HttpRequest, HttpResponse, web};
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use serde_json::{Map, Value, json};

use crate::app::{App, Stop};
use crate::base::digest::sha256;
use crate::config::Config;
use crate::endpoint::forms;
use crate::endpoint::route::Route;
use crate::endpoint::stopped::stopped;
use crate::metrics::{Endpoint, Outcome};
use crate::oauth::GrantType;
use crate::registry::{ClientAuthentication, Preset};

/// The path of the issuer without a slash at its end. All endpoints are below it.
pub fn issuer_path(config: &Config) -> String {
    let path = url::Url::parse(config.issuer.as_str()).map(|url| url.path().to_owned()).unwrap_or_default();
    path.trim_end_matches('/').to_owned()
}

/// `GET /.well-known/oauth-authorization-server…` (RFC 8414 §3), and the same document under the name that clients of
/// OpenID providers look for (RFC 8414 §5).
pub async fn metadata(app: web::Data<App>, request: HttpRequest, routes: &'static [Route]) -> HttpResponse {
    let begun = Instant::now();
    let document = document(&app.config.load(), routes);
    let response = public(&request, "application/json", document.to_string(), 300);
    app.metrics.count(Endpoint::Metadata, Outcome::Ok);
    app.metrics.time(Endpoint::Metadata, begun.elapsed());
    response
}

/// `GET /jwks` (RFC 7517 §5): read from the store, so that all nodes agree at any instant.
pub async fn jwks(app: web::Data<App>, request: HttpRequest) -> HttpResponse {
    let begun = Instant::now();
    let refreshed = match app.now() {
        Ok(now) => app.refresh_keys().await.map(|()| now),
        Err(failure) => Err(failure),
    };
    let response = match refreshed {
        Ok(now) => {
            let config = app.config.load();
            let keys = app.ring.load().jwks(now, longest_token(&config));
            app.metrics.count(Endpoint::Jwks, Outcome::Ok);
            public(&request, "application/jwk-set+json", keys, config.keys.jwks_max_age.seconds())
        }
        Err(failure) => {
            let caller = forms::caller(&app, &request);
            stopped(&app, &caller, Endpoint::Jwks, &Stop::Failed(failure))
        }
    };
    app.metrics.time(Endpoint::Jwks, begun.elapsed());
    response
}

/// The longest life of any token: task tokens live as long as their task.
fn longest_token(config: &Config) -> crate::base::time::Lifetime {
    let targets = config.registry.targets.values().filter_map(|target| target.lifetime);
    targets.chain([config.tokens.lifetime, config.tasks.max_lifetime]).max().unwrap_or_default()
}

/// The metadata document, from the configuration and the routes that are served.
fn document(config: &Config, routes: &[Route]) -> Value {
    let base = config.issuer.as_str().trim_end_matches('/');
    let mut methods = BTreeSet::new();
    let mut algorithms = BTreeSet::new();
    for client in config.registry.clients.values() {
        match &client.authentication {
            ClientAuthentication::PrivateKeyJwt { algorithms: registered, .. } => {
                methods.insert("private_key_jwt");
                algorithms.extend(registered.iter().map(|algorithm| algorithm.as_str()));
            }
            ClientAuthentication::ClientSecretBasic(_) => {
                methods.insert("client_secret_basic");
            }
            ClientAuthentication::ClientSecretPost(_) => {
                methods.insert("client_secret_post");
            }
            ClientAuthentication::Tls(_) => {
                methods.insert("tls_client_auth");
            }
            ClientAuthentication::SelfSignedTls { .. } => {
                methods.insert("self_signed_tls_client_auth");
            }
            // What its agents send is a client assertion too, signed by their platform.
            ClientAuthentication::Workload => {
                for issuer in
                    config.registry.workload_issuers.values().filter(|issuer| issuer.lists(&client.id))
                {
                    methods.insert(match issuer.preset {
                        Preset::Spiffe => "spiffe_jwt",
                        _ => "private_key_jwt",
                    });
                    algorithms.extend(issuer.algorithms.iter().map(|algorithm| algorithm.as_str()));
                }
            }
        }
    }
    let scopes: BTreeSet<&str> = config
        .registry
        .targets
        .values()
        .flat_map(|target| target.scopes.keys())
        .map(|scope| scope.as_str())
        .collect();
    let mut document = Map::new();
    let mut put = |name: &str, value: Value| {
        // A member without values is left out (RFC 8414 §3.2).
        if value.as_array().is_none_or(|values| !values.is_empty()) {
            document.insert(name.to_owned(), value);
        }
    };
    put("issuer", json!(config.issuer));
    for route in routes {
        let Some(member) = route.member else { continue };
        put(member, json!(format!("{base}{}", route.path)));
        if route.has_clients {
            put(&format!("{member}_auth_methods_supported"), json!(methods));
            put(&format!("{member}_auth_signing_alg_values_supported"), json!(algorithms));
        }
    }
    // Required by RFC 8414 §2, and there is no authorization endpoint (8414-2-02).
    put("response_types_supported", json!(["none"]));
    put("grant_types_supported", json!(served(config)));
    put("scopes_supported", json!(scopes));
    // RFC 9449 §5.1
    let proofs: Vec<&str> = config.dpop.algorithms.iter().map(|algorithm| algorithm.as_str()).collect();
    put("dpop_signing_alg_values_supported", json!(proofs));
    // RFC 8705 §3.3, §5
    if config.takes_certificates() {
        put("tls_client_certificate_bound_access_tokens", json!(true));
    }
    let aliases: Map<String, Value> = routes
        .iter()
        .filter(|route| route.has_clients)
        .filter_map(|route| Some((route.member?.to_owned(), json!(config.mutual_tls_url(route.path)?))))
        .collect();
    if !aliases.is_empty() {
        put("mtls_endpoint_aliases", Value::Object(aliases));
    }
    Value::Object(document)
}

/// The grants that somebody may use.
fn served(config: &Config) -> Vec<GrantType> {
    let is_served = |grant: &GrantType| match grant {
        GrantType::TokenExchange => true,
        GrantType::ClientCredentials => config.registry.clients.values().any(|client| client.may_use(*grant)),
        GrantType::JwtBearer => {
            let mut classes = config.registry.workload_issuers.values().flat_map(|issuer| &issuer.classes);
            classes.any(|class| class.agent_tokens || class.begins_tasks)
        }
    };
    GrantType::ALL.iter().copied().filter(is_served).collect()
}

/// A public, cacheable document that any origin may read.
fn public(request: &HttpRequest, content_type: &'static str, body: String, max_age: u32) -> HttpResponse {
    let hash = sha256([body.as_bytes()]);
    let etag = format!("\"{}\"", URL_SAFE_NO_PAD.encode(&hash[..16]));
    let is_known =
        request.headers().get(header::IF_NONE_MATCH).and_then(|value| value.to_str().ok()).is_some_and(
            |known| {
                known.split(',').any(|tag| tag.trim().trim_start_matches("W/") == etag || tag.trim() == "*")
            },
        );
    let mut builder = if is_known { HttpResponse::NotModified() } else { HttpResponse::Ok() };
    builder
        .insert_header((header::CACHE_CONTROL, format!("public, max-age={max_age}")))
        .insert_header((header::ETAG, etag))
        .insert_header((header::ACCESS_CONTROL_ALLOW_ORIGIN, "*"))
        .insert_header((header::X_CONTENT_TYPE_OPTIONS, "nosniff"));
    if is_known {
        return builder.finish();
    }
    builder.content_type(content_type).body(body)
}

/// Any other method at a public document.
pub async fn other_method() -> HttpResponse {
    HttpResponse::MethodNotAllowed().insert_header((header::ALLOW, "GET, HEAD")).finish()
}

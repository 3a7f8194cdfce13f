//! The platform that agents run on: it starts instances and vouches for each with a credential of its
//! own (the "workload issuer" of Deputy's configuration). Deputy knows its keys, not the instances.

use std::collections::HashMap;
use std::sync::Arc;

use actix_web::http::header::AUTHORIZATION;
use actix_web::web::{Data, Form, Json, ServiceConfig, get, post};
use actix_web::{HttpRequest, HttpResponse};
use serde_json::json;

use super::provider::jwks;
use super::wire::Wire;
use crate::base::entropy::{Entropy, handle};
use crate::base::time::Clock;
use crate::jose::SigningKey;

const CREDENTIAL_SECONDS: i64 = 600;

pub struct Platform {
    pub issuer: String,
    /// Whom its credentials are for: Deputy.
    pub audience: String,
    /// What an operator's software shows to have an instance started.
    pub launch_key: String,
    pub key: SigningKey,
    pub clock: Arc<dyn Clock>,
    pub entropy: Arc<dyn Entropy>,
}

impl Platform {
    /// Starts an instance: an id that never comes again, and a credential that names it.
    fn start(&self, role: &str) -> anyhow::Result<serde_json::Value> {
        let instance = format!("{role}-{}", handle::<6>(&*self.entropy)?);
        let now = self.clock.now().seconds();
        let credential = self.key.sign_jwt(
            "JWT",
            &json!({
                "iss": self.issuer, "sub": format!("workload:{role}"), "aud": self.audience,
                "iat": now, "exp": now + CREDENTIAL_SECONDS, "jti": handle::<16>(&*self.entropy)?,
                "role": role, "instance_id": instance,
            }),
        )?;
        Ok(json!({ "instance_id": instance, "credential": credential }))
    }
}

/// What an operator's software needs to have instances started.
#[derive(Clone)]
pub struct Launcher {
    pub wire: Wire,
    pub platform: String,
    /// What the platform wants to see.
    pub launch_key: String,
}

impl Launcher {
    /// Has an instance of this role started and brings its credential.
    pub async fn start(&self, role: &str) -> anyhow::Result<String> {
        let url = format!("{}/instances", self.platform);
        let started = self.wire.post("platform", &url, &[("role", role)], Some(&self.launch_key)).await?;
        anyhow::ensure!(started.status == 201, "the platform answered {}", started.status);
        Ok(started.text("credential").to_owned())
    }
}

pub fn routes(config: &mut ServiceConfig) {
    config
        .route("/jwks", get().to(async |platform: Data<Platform>| Json(jwks(&platform.key))))
        .route("/instances", post().to(serve_start));
}

async fn serve_start(
    request: HttpRequest,
    platform: Data<Platform>,
    form: Form<HashMap<String, String>>,
) -> HttpResponse {
    let shown = request.headers().get(AUTHORIZATION).and_then(|value| value.to_str().ok());
    if shown != Some(&format!("Bearer {}", platform.launch_key)) {
        return HttpResponse::Unauthorized().json(json!({ "error": "launch_key" }));
    }
    match form.get("role").map(|role| platform.start(role)) {
        Some(Ok(started)) => HttpResponse::Created().json(started),
        Some(Err(_)) => HttpResponse::ServiceUnavailable().finish(),
        None => HttpResponse::BadRequest().json(json!({ "error": "role" })),
    }
}

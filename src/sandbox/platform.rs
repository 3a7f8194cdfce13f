//! The platform that agents run on, a small cluster like Kubernetes: it starts pods and gives each a projected token
//! that names the pod and its service account. Deputy has the cluster's keys, and knows none of the pods.

use std::collections::HashMap;
use std::sync::Arc;

use actix_web::http::header::AUTHORIZATION;
use actix_web::web::{Data, Form, ServiceConfig, post};
use actix_web::{HttpRequest, HttpResponse};
use serde_json::json;
use uuid::Uuid;

use super::wire::Wire;
use crate::base::entropy::{Entropy, uuid_v7};
use crate::base::time::Clock;
use crate::jose::SigningKey;

/// The issuer identifier of the cluster. Its keys are pinned in a file, so that nothing is ever fetched from it.
pub const ISSUER: &str = "https://oidc.cluster.example";
/// The namespace of all pods.
const NAMESPACE: &str = "agents";
/// The lifetime of a projected token where the pod asks for no other.
const TOKEN_SECONDS: i64 = 3600;

pub struct Platform {
    /// Whom its tokens are for: Deputy.
    pub audience: String,
    /// What an operator's software shows to have a pod started.
    pub launch_key: String,
    /// The service accounts with their uids.
    pub accounts: HashMap<&'static str, Uuid>,
    pub key: SigningKey,
    pub clock: Arc<dyn Clock>,
    pub entropy: Arc<dyn Entropy>,
}

impl Platform {
    /// Starts a pod: a uid that never comes again, and a token that names it. `None` without such a service account.
    fn start(&self, account: &str) -> anyhow::Result<Option<serde_json::Value>> {
        let Some(account_uid) = self.accounts.get(account) else { return Ok(None) };
        let now = self.clock.now();
        let (uid, jti) = (uuid_v7(&*self.entropy, now)?, uuid_v7(&*self.entropy, now)?);
        let pod = format!("{account}-{}", &uid.simple().to_string()[27..]);
        let now = now.seconds();
        let token = self.key.sign_jwt(
            "JWT",
            &json!({
                "iss": ISSUER, "sub": format!("system:serviceaccount:{NAMESPACE}:{account}"),
                "aud": [self.audience], "iat": now, "nbf": now, "exp": now + TOKEN_SECONDS, "jti": jti,
                "kubernetes.io": {
                    "namespace": NAMESPACE,
                    "pod": { "name": pod, "uid": uid },
                    "serviceaccount": { "name": account, "uid": account_uid },
                },
            }),
        )?;
        Ok(Some(json!({ "pod": pod, "token": token })))
    }
}

/// What an operator's software needs to have pods started.
#[derive(Clone)]
pub struct Launcher {
    pub wire: Wire,
    pub platform: String,
    /// What the platform wants to see.
    pub launch_key: String,
}

impl Launcher {
    /// Has a pod of this service account started for a party, and brings the pod's token.
    pub async fn start(&self, party: &'static str, account: &str) -> anyhow::Result<String> {
        let url = format!("{}/pods", self.platform);
        let form = [("service_account", account)];
        let started = self.wire.of(party).post("platform", &url, &form, Some(&self.launch_key)).await?;
        anyhow::ensure!(started.status == 201, "the platform answered {}", started.status);
        Ok(started.text("token").to_owned())
    }
}

pub fn routes(config: &mut ServiceConfig) {
    config.route("/pods", post().to(serve_start));
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
    match form.get("service_account").map(|account| platform.start(account)) {
        Some(Ok(Some(started))) => HttpResponse::Created().json(started),
        Some(Err(_)) => HttpResponse::ServiceUnavailable().finish(),
        Some(Ok(None)) | None => HttpResponse::BadRequest().json(json!({ "error": "service_account" })),
    }
}

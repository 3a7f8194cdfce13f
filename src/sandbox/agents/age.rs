//! The age-verification agent: a service that has a fresh agent started, in a pod of its own, for each question.

use std::collections::HashMap;

use actix_web::HttpResponse;
use actix_web::web::{Data, Form, ServiceConfig, post};
use serde_json::json;

use super::{Agent, Pods};
use crate::sandbox::tickets;

/// The service behind the agent. It keeps nothing between two questions.
pub struct AgeAgent {
    pub pods: Pods,
}

/// The service account of its pods.
pub const ROLE: &str = "age-verification";

impl AgeAgent {
    /// A fresh agent.
    pub async fn start(&self) -> anyhow::Result<Agent> {
        self.pods.start("age agent", ROLE).await
    }

    async fn check(&self, token: &str) -> anyhow::Result<HttpResponse> {
        let answer = self.start().await?.deputy.narrow(token, tickets::TARGET, "age_over_18").await?;
        Ok(match answer.token() {
            Some(token) => HttpResponse::Ok().json(json!({ "age_answer": token })),
            None => HttpResponse::Forbidden()
                .json(json!({ "error": "no_answer", "deputy": answer.text("reason") })),
        })
    }
}

pub fn routes(config: &mut ServiceConfig) {
    config.route("/check", post().to(serve_check));
}

async fn serve_check(agent: Data<AgeAgent>, form: Form<HashMap<String, String>>) -> HttpResponse {
    let token = form.get("token").map(String::as_str).unwrap_or_default();
    match agent.check(token).await {
        Ok(response) => response,
        Err(error) => HttpResponse::BadGateway().json(json!({ "error": format!("{error:#}") })),
    }
}

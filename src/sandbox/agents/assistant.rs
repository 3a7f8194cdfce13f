//! The assistant: books for users, with what Deputy gives it for the login at the booking application.

use std::collections::HashMap;

use actix_web::HttpResponse;
use actix_web::web::{Data, Query, ServiceConfig, get};
use reqwest::Method;
use serde_json::json;

use super::{BookingApp, DeputyClient};
use crate::sandbox::wire::Call;

pub struct Assistant {
    pub deputy: DeputyClient,
    /// The token of its pod, which a drill steals.
    pub pod_token: String,
    /// Where its users sign in and come back.
    pub app: BookingApp,
    pub tickets: String,
    pub age_agent: String,
}

impl Assistant {
    /// Begins a task with an ID token: asks for a task token (`audience` is Deputy itself).
    pub async fn begin_task(&self, id_token: &str, scope: &str, purpose: &str) -> anyhow::Result<Call> {
        self.deputy.begin_task(id_token, scope, purpose).await
    }

    pub async fn search(&self, token: &str) -> anyhow::Result<Call> {
        self.deputy.search(&self.tickets, token).await
    }

    /// Books with a token, and an age answer if there is one.
    pub async fn book(&self, token: &str, age_answer: Option<&str>) -> anyhow::Result<Call> {
        let mut form = vec![("event", "moonlight-concert")];
        form.extend(age_answer.map(|answer| ("age_answer", answer)));
        let url = format!("{}/book", self.tickets);
        self.deputy.use_token("tickets API", Method::POST, &url, token, Some(&form)).await
    }

    /// Hands a token to the age agent, which hands its answer back.
    pub async fn ask_age_agent(&self, token: &str) -> anyhow::Result<Call> {
        let url = format!("{}/check", self.age_agent);
        self.deputy.wire.post("age agent", &url, &[("token", token)], None).await
    }
}

pub fn routes(config: &mut ServiceConfig) {
    config.route("/callback", get().to(serve_callback));
}

async fn serve_callback(assistant: Data<Assistant>, query: Query<HashMap<String, String>>) -> HttpResponse {
    match assistant.app.callback(&query).await {
        Ok(()) => HttpResponse::Ok().json(json!({ "signed_in": true })),
        Err(error) => HttpResponse::BadRequest().json(json!({ "error": format!("{error:#}") })),
    }
}

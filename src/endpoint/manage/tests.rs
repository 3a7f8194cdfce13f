use std::collections::BTreeMap;

use actix_web::body::to_bytes;
use actix_web::test::TestRequest;
use actix_web::{FromRequest as _, web};

use super::*;
use crate::app::fixtures::Parts;
use crate::audit::{Event, Kind, Outcome, VerbEvent};
use crate::base::time::{Lifetime, Timestamp};
use crate::delegation::record::{Agent, AgentState, Build, EndReason, Ended, Provenance};
use crate::delegation::stops::StopNumber;
use crate::endpoint::route::Place;
use crate::endpoint::routes::ROUTES;
use crate::keys::KeyRow;
use crate::oauth::{AgentId, ClientId, Issuer};
use crate::registry::AgentLifetime;
use crate::verification::fixtures::NOW;

async fn read(response: HttpResponse) -> (u16, Value) {
    let status = response.status().as_u16();
    let body = to_bytes(response.into_body()).await.unwrap();
    (status, serde_json::from_slice(&body).unwrap())
}

fn path(id: &str) -> web::Path<String> {
    web::Path::from(id.to_owned())
}

/// What `GET /audit/trace` answers to this query.
async fn trace(parts: &Parts, query: &str) -> (u16, Value) {
    let request = TestRequest::with_uri(&format!("/audit/trace?{query}")).to_http_request();
    let query = web::Query::extract(&request).await.unwrap();
    read(audit::trace(parts.app.clone(), query).await).await
}

/// What `POST /subjects/end` answers to this body.
async fn end_subject(parts: &Parts, body: &str) -> (u16, Value) {
    let request = TestRequest::post().insert_header(("content-type", "application/json"));
    let (request, mut payload) = request.set_payload(body.to_owned()).to_http_parts();
    let payload = web::Payload::from_request(&request, &mut payload).await.unwrap();
    read(act::end_subject(parts.app.clone(), request, payload).await).await
}

fn not_found(what: &str) -> (u16, Value) {
    let text = format!("there is no such {what}");
    (404, json!({"error": "not_found", "error_description": text}))
}

#[actix_web::test]
async fn what_is_not_there_is_not_found_by_its_name() {
    let parts = Parts::new(|_| {}).await;
    let app = || parts.app.clone();
    for (response, what) in [
        (show::agent(app(), path("agent_x")).await, "agent"),
        (explain::agent(app(), path("agent_x")).await, "agent"),
        (act::kill_agent(app(), path("agent_x")).await, "agent"),
        (act::suspend_agent(app(), path("agent_x")).await, "agent"),
        (show::task(app(), path("no UUID")).await, "task"),
        (act::end_task(app(), path("no UUID")).await, "task"),
        (act::end_task(app(), path("0192f0c1-2345-7000-8000-000000000001")).await, "task"),
        (act::revoke_key(app(), path("no-key")).await, "key"),
    ] {
        assert_eq!(read(response).await, not_found(what));
    }
    assert_eq!(parts.rows().await, [], "nothing happened, so nothing is recorded");
}

#[actix_web::test]
async fn a_query_for_rows_names_the_identifier_that_is_none() {
    let parts = Parts::new(|_| {}).await;
    for name in ["task", "jti", "request"] {
        let (status, body) = trace(&parts, &format!("{name}=nonsense")).await;
        assert_eq!((status, &body["error"]), (400, &json!("invalid_request")), "{name}");
        assert!(body["error_description"].as_str().unwrap().contains(name), "{body}");
    }
    assert_eq!(trace(&parts, "agent=agent_x").await, (200, json!({"rows": []})));
}

#[actix_web::test]
async fn a_list_names_the_time_that_is_none_and_is_no_longer_than_was_asked() {
    let parts = Parts::new(|_| {}).await;
    for _ in 0..3 {
        assert_eq!(call(&parts, "/subjects/end").await, 400);
    }
    let list = async |query: &str| {
        let request = TestRequest::with_uri(&format!("/audit/list?{query}")).to_http_request();
        let query = web::Query::extract(&request).await.unwrap();
        read(audit::list_rows(parts.app.clone(), query).await).await
    };
    let (status, body) = list("since=yesterday").await;
    assert_eq!((status, &body["error"]), (400, &json!("invalid_request")));
    assert!(body["error_description"].as_str().unwrap().contains("`since` is not a time"), "{body}");
    let (_, body) = list("outcome=refused&event=verb&limit=2").await;
    let numbers: Vec<_> = body["rows"].as_array().unwrap().iter().map(|row| row["seq"].clone()).collect();
    assert_eq!((numbers, &body["next_until"]), (vec![json!(2), json!(3)], &Value::Null));
}

#[actix_web::test]
async fn the_stop_of_a_user_takes_an_issuer_and_a_subject() {
    let parts = Parts::new(|_| {}).await;
    for body in ["", "[]", r#"{"issuer": "https://op.example"}"#, r#"{"issuer": 1, "subject": "alice"}"#] {
        let (status, answer) = end_subject(&parts, body).await;
        assert_eq!((status, &answer["error"]), (400, &json!("invalid_request")), "{body}");
    }
    assert_eq!(parts.rows().await, []);
    let (status, answer) =
        end_subject(&parts, r#"{"issuer": "https://op.example", "subject": "alice"}"#).await;
    assert_eq!((status, &answer["changed"], &answer["known"]), (200, &json!(true), &json!(false)));
    let rows = parts.rows().await;
    assert!(!rows[0].body().contains("alice"), "{rows:?}");
}

#[actix_web::test]
async fn a_key_is_prepared_once_and_shown_without_its_private_part() {
    let parts = Parts::new(|_| {}).await;
    let (status, body) = read(act::rotate_keys(parts.app.clone()).await).await;
    assert_eq!((status, &body["keys"][0]["state"]), (200, &json!("prepared")), "{body}");
    let (status, body) = read(act::rotate_keys(parts.app.clone()).await).await;
    assert_eq!((status, &body["error"]), (409, &json!("conflict")), "{body}");
    parts.clock.advance(Lifetime::from_seconds(360));
    let (_, body) = read(show::keys(parts.app.clone()).await).await;
    assert_eq!(body["keys"][0]["state"], "active", "{body}");
    let mut members: Vec<&str> = body["keys"][0].as_object().unwrap().keys().map(String::as_str).collect();
    members.sort_unstable();
    let shown = ["active_from", "algorithm", "kid", "published_at", "retired_at", "revoked_at", "state"];
    assert_eq!(members, shown);
}

#[test]
fn the_state_of_a_key_is_the_last_that_it_came_to() {
    let at = |seconds| Timestamp::from_seconds(seconds);
    let key = |retired_at, revoked_at| KeyRow {
        kid: "k".to_owned(),
        algorithm: "ES256".to_owned(),
        public_jwk: "{}".to_owned(),
        sealed: Vec::new(),
        published_at: at(100),
        active_from: at(200),
        retired_at,
        revoked_at,
    };
    let state = |key: &KeyRow, now| show::key_json(key, at(now))["state"].clone();
    assert_eq!(state(&key(None, None), 199), "prepared");
    assert_eq!(state(&key(None, None), 200), "active");
    assert_eq!(state(&key(Some(at(300)), None), 299), "active");
    assert_eq!(state(&key(Some(at(300)), None), 300), "retired");
    assert_eq!(state(&key(Some(at(300)), Some(at(150))), 160), "revoked");
}

/// What `deputy agent explain` says of an agent that did nothing.
fn told(agent: Agent) -> String {
    let standing = explain::Standing { agent, profile: None, over: None, ends: BTreeMap::new() };
    explain::tell(&standing, &[], &BTreeMap::new())
}

#[test]
fn an_agent_is_shown_with_who_vouches_for_it_and_how_it_ended() {
    let agent = Agent {
        id: AgentId::new("agent_x"),
        client: ClientId::new("assistant"),
        provenance: Provenance::Workload {
            issuer: Issuer::new("https://cluster.example"),
            workload: "account".to_owned(),
            instance: Some("pod".to_owned()),
        },
        class: "age".to_owned(),
        lifetime: AgentLifetime::Task,
        state: AgentState::Banned,
        ended: Some(Ended { at: NOW, why: EndReason::KillSwitch }),
        stopped: StopNumber::new(1),
        first_seen: NOW,
        last_seen: NOW,
        idle: Some(Lifetime::from_seconds(60)),
        expires_at: Some(NOW.plus(Lifetime::from_seconds(600))),
        build: Build { software: Some("age".to_owned()), version: Some("1.2".to_owned()), image: None },
    };
    let shown = show::agent_json(&agent, None);
    assert_eq!(shown["workload_issuer"], "https://cluster.example");
    assert_eq!((&shown["state"], &shown["lifetime"]), (&json!("banned"), &json!("task")));
    assert_eq!(shown["ended"], json!({"at": NOW.to_string(), "why": "kill_switch"}));
    assert_eq!((&shown["software"], &shown["version"]), (&json!("age"), &json!("1.2")));
    let idle_end = NOW.plus(Lifetime::from_seconds(75)).to_string();
    assert_eq!((&shown["last_seen"], &shown["ends_at"]), (&json!(NOW.to_string()), &json!(idle_end)));
    assert!(told(agent.clone()).contains(&format!("  banned {NOW} (kill switch)\n")));
    let active = Agent { state: AgentState::Active, ended: None, ..agent.clone() };
    let text = told(active.clone());
    assert!(text.contains("  runs age, 1.2, as its platform said\n"), "{text}");
    assert!(
        text.contains(&format!("  it has not ended; it does at {idle_end}, if it is idle until then\n")),
        "{text}"
    );
    let own = Agent {
        provenance: Provenance::Client,
        idle: None,
        expires_at: None,
        build: Build::default(),
        ..active
    };
    let shown = show::agent_json(&own, None);
    assert_eq!((&shown["workload_issuer"], &shown["ended"]), (&Value::Null, &Value::Null));

    let text = told(own);
    for line in
        ["  the own agent of client `assistant`", "  nobody: it never worked in a task", "  it has not ended"]
    {
        assert!(text.lines().any(|said| said == line), "{line}: {text}");
    }
}

#[actix_web::test]
async fn a_verb_that_fails_says_so_and_is_worth_trying_again() {
    let parts = Parts::new(|_| {}).await;
    parts.store.close().await.unwrap();
    let (status, body) = read(act::rotate_keys(parts.app.clone()).await).await;
    assert_eq!((status, &body["error"]), (503, &json!("temporarily_unavailable")), "{body}");
}

#[test]
fn a_list_leaves_the_oldest_out_and_says_so() {
    let most = i32::try_from(show::MOST).unwrap();
    let (mut newest_last, mut newest_first): (Vec<i32>, Vec<i32>) =
        ((0..=most).collect(), (0..=most).rev().collect());
    assert!(show::cut(&mut newest_last, show::Oldest::First));
    assert!(show::cut(&mut newest_first, show::Oldest::Last));
    newest_first.reverse();
    assert_eq!(newest_last, newest_first);
    assert_eq!(newest_last.iter().copied().min(), Some(1));
    assert!(!show::cut(&mut newest_last, show::Oldest::First));

    let shown = show::list("rows", (0..=most).collect(), show::Oldest::First, |row| json!(row));
    assert_eq!(shown["rows"][0], 1);
    assert_eq!(shown["left_out"], "only the newest 1000 of more rows are shown");
    let all = show::list("rows", (0..most).collect(), show::Oldest::First, |row| json!(row));
    assert_eq!(all.get("left_out"), None);
}

/// What a verb of the admin socket answers that is called as a listener calls it.
async fn call(parts: &Parts, path: &str) -> u16 {
    let service = actix_web::App::new().app_data(parts.app.clone()).configure(|services| {
        for route in ROUTES.iter().filter(|route| route.place == Place::Admin) {
            route.mount(services, "");
        }
    });
    let service = actix_web::test::init_service(service).await;
    let request = TestRequest::post().uri(path).to_request();
    actix_web::test::call_service(&service, request).await.status().as_u16()
}

#[actix_web::test]
async fn a_verb_that_did_nothing_is_recorded_as_refused() {
    let parts = Parts::new(|_| {}).await;
    assert_eq!(call(&parts, "/agents/agent_x/kill").await, 404);
    assert_eq!(call(&parts, "/subjects/end").await, 400);
    assert_eq!(call(&parts, "/keys/rotate").await, 200);
    let told: Vec<_> = parts.rows().await.into_iter().map(|row| (row.event, row.outcome)).collect();
    let refused = |cause: &'static str| Outcome::Refused { cause: cause.into(), reason: cause.into() };
    let verb = |path: &str| Event::Verb(VerbEvent { verb: path.to_owned() });
    assert_eq!(told[0], (verb("/agents/agent_x/kill"), refused("not_found")));
    assert_eq!(told[1], (verb("/subjects/end"), refused("invalid_request")));
    assert_eq!((told[2].0.kind(), &told[2].1, told.len()), (Kind::Key, &Outcome::Granted, 3));
}

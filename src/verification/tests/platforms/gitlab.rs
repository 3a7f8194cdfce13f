//! Jobs of GitLab.

use super::*;

/// The ID token of a job, with the claims that GitLab documents.
fn job(changes: Value) -> Value {
    let now = NOW.seconds();
    let claims = json!({
        "iss": WORKLOADS, "aud": DEPUTY, "exp": now + 300, "iat": now - 5, "nbf": now - 10, "jti": "j",
        "sub": "project_path:acme/shop:ref_type:branch:ref:main",
        "namespace_id": "72", "namespace_path": "acme", "project_id": "20", "project_path": "acme/shop",
        "user_id": "1", "user_login": "ada", "user_email": "ada@example.com", "user_access_level": "developer",
        "pipeline_id": "574", "pipeline_source": "push", "job_id": "302", "ref": "main", "ref_type": "branch",
        "ref_path": "refs/heads/main", "ref_protected": "true", "runner_id": 1, "environment": "prod",
        "runner_environment": "gitlab-hosted", "sha": "714a629c0b401fdce83e847fc9589983fc6f46bc",
    });
    but(claims, changes)
}

fn gitlab(lifetime: AgentLifetime, events: Option<&[&str]>) -> World {
    world_of(Preset::Gitlab, |issuer| {
        let events =
            events.map(|events| events.iter().map(|&event| event.to_owned()).collect::<BTreeSet<_>>());
        let when = Some(When { all: vec![check("namespace_id", "72")] });
        let class = AgentClass { when, events, lifetime, ..AgentClass::clone(&issuer.classes[0]) };
        issuer.classes = vec![Arc::new(class)];
    })
}

#[tokio::test]
async fn a_project_is_known_by_its_number_and_a_job_of_it_is_an_instance() {
    let world = gitlab(AgentLifetime::Principal, None);
    let known = verify(&world, job(json!({}))).await.unwrap();
    assert_eq!((known.workload(), known.instance()), ("20", None));
    for same in [
        json!({"project_path": "acme/store", "namespace_path": "new", "sub": "project_path:acme/store"}),
        json!({"user_id": "9", "user_login": "root", "user_email": "root@example.com", "job_id": "303"}),
    ] {
        let verified = verify(&world, job(same.clone())).await.unwrap();
        assert_eq!(agent(&world, &verified), agent(&world, &known), "{same}");
    }
    let other = verify(&world, job(json!({"project_id": "21"}))).await.unwrap();
    assert_ne!(agent(&world, &other), agent(&world, &known), "the same name is another project");
    let fork = verify(&world, job(json!({"namespace_id": "73"}))).await;
    assert_eq!(fork.unwrap_err(), TokenFault::NoClass);

    let world = gitlab(AgentLifetime::Instance, None);
    let first = verify(&world, job(json!({}))).await.unwrap();
    let second = verify(&world, job(json!({"job_id": "303"}))).await.unwrap();
    assert_eq!((first.instance(), second.instance()), (Some("302".to_owned()), Some("303".to_owned())));
    assert_eq!((first.workload(), second.workload()), ("20", "20"));
}

#[tokio::test]
async fn a_merge_request_gets_no_class_unless_one_lists_it() {
    let proposals = ["merge_request_event", "external_pull_request_event"];
    let world = gitlab(AgentLifetime::Instance, None);
    for event in proposals {
        let verified = verify(&world, job(json!({"pipeline_source": event}))).await;
        assert_eq!(verified.unwrap_err(), TokenFault::Event, "{event}");
    }
    for event in ["push", "web", "schedule", "api", "trigger", "parent_pipeline"] {
        assert!(verify(&world, job(json!({"pipeline_source": event}))).await.is_ok(), "{event}");
    }
    let unknown = verify(&world, job(json!({"pipeline_source": null}))).await;
    assert_eq!(unknown.unwrap_err(), TokenFault::Claim);
    let listed = gitlab(AgentLifetime::Instance, Some(&proposals));
    assert!(verify(&listed, job(json!({"pipeline_source": "merge_request_event"}))).await.is_ok());
    assert_eq!(verify(&listed, job(json!({}))).await.unwrap_err(), TokenFault::Event);
}

#[tokio::test]
async fn a_person_who_signed_in_with_gitlab_is_no_workload() {
    let world = gitlab(AgentLifetime::Principal, None);
    let person = json!({
        "iss": WORKLOADS, "aud": DEPUTY, "exp": NOW.seconds() + 120, "iat": NOW.seconds(), "sub": "7",
        "auth_time": NOW.seconds() - 5, "name": "Ada", "nickname": "ada", "preferred_username": "ada",
        "email": "ada@example.com", "email_verified": true, "groups_direct": ["acme"],
    });
    assert_eq!(verify(&world, person).await.unwrap_err(), TokenFault::NotAWorkload);
    for claim in ["project_id", "job_id"] {
        let verified = verify(&world, job(json!({claim: null}))).await;
        assert_eq!(verified.unwrap_err(), TokenFault::NotAWorkload, "{claim}");
    }
}

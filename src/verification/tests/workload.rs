use serde_json::{Value, json};

use crate::jose::UnverifiedToken;
use crate::oauth::{TokenFault, WorkloadIdForm, WorkloadIdKind};
use crate::registry::*;
use crate::verification::fixtures::*;
use crate::verification::{NotVerified, VerifiedWorkload};

async fn verify(world: &World, token: &str) -> Result<VerifiedWorkload, TokenFault> {
    match world.verifier.workload(&world.config, &UnverifiedToken::scan(token), NOW).await {
        Ok(verified) => Ok(verified.presented_with(None).unwrap()),
        Err(NotVerified::Fault(fault)) => Err(fault),
        Err(NotVerified::Unavailable(why)) => panic!("{why}"),
    }
}

async fn changed(world: &World, changes: Value) -> Result<VerifiedWorkload, TokenFault> {
    verify(world, &sign(&world.workload_key, "JWT", &but(workload_claims(), changes))).await
}

#[tokio::test]
async fn a_task_class_is_known_by_its_instance_and_a_principal_by_its_stable_id() {
    let world = World::new();
    let verified = changed(&world, json!({})).await.unwrap();
    assert_eq!((verified.id().text().as_str(), verified.class().name.as_str()), ("pod-uid", "age-verifier"));
    assert_eq!(verified.subject(), Some("system:serviceaccount:shop:age"));
    assert_eq!(verified.issuer().as_str(), WORKLOADS);
    let batch = json!({"kubernetes.io": {
        "namespace": "batch", "serviceaccount": {"uid": "sa-uid"}, "pod": {"uid": "pod-uid"},
    }});
    let verified = changed(&world, batch).await.unwrap();
    assert_eq!((verified.id().text().as_str(), verified.class().name.as_str()), ("sa-uid", "batch"));
}

#[tokio::test]
async fn claims_that_fit_no_class_are_refused() {
    let world = World::new();
    for io in [json!({"namespace": "elsewhere"}), json!({"namespace": ["shop"]}), json!({})] {
        let verified = changed(&world, json!({"kubernetes.io": io})).await;
        assert_eq!(verified.unwrap_err(), TokenFault::NoClass);
    }
}

#[tokio::test]
async fn a_class_without_condition_takes_what_the_earlier_ones_left() {
    let mut world = World::new();
    let mut issuer = WorkloadIssuer::clone(&world.config.registry.workload_issuers[WORKLOADS]);
    let mut any = AgentClass::clone(&issuer.classes[1]);
    (any.name, any.when) = ("any".to_owned(), None);
    issuer.classes.push(any.into());
    add_workload_issuer(&mut world.config, issuer);
    let io = json!({"namespace": "elsewhere", "serviceaccount": {"uid": "u"}});
    assert_eq!(changed(&world, json!({"kubernetes.io": io})).await.unwrap().class().name, "any");
    assert_eq!(changed(&world, json!({})).await.unwrap().class().name, "age-verifier");
}

#[tokio::test]
async fn a_missing_or_unusable_id_is_refused() {
    let world = World::new();
    for pod in [
        json!({}),
        json!({"uid": ""}),
        json!({"uid": null}),
        json!({"uid": ["a"]}),
        json!({"uid": 1.5}),
        json!({"uid": -1}),
        json!({"uid": "a".repeat(513)}),
        json!({"uid": "a\u{0}b"}),
        json!({"uid": "a\u{85}b"}),
        json!({"uid": "a\u{2066}b"}),
        json!({"uid": "a\u{e0041}b"}),
    ] {
        let io = json!({"namespace": "shop", "serviceaccount": {"uid": "s"}, "pod": pod});
        let verified = changed(&world, json!({"kubernetes.io": io})).await;
        assert_eq!(verified.unwrap_err(), TokenFault::Claim, "{pod}");
    }
    let io = json!({"namespace": "shop", "pod": {"uid": 42}});
    let number = changed(&world, json!({"kubernetes.io": io})).await.unwrap();
    let text = json!({"namespace": "shop", "pod": {"uid": "42"}});
    let text = changed(&world, json!({"kubernetes.io": text})).await.unwrap();
    assert_eq!((number.id().text().as_str(), text.id().text().as_str()), ("42", "42"));
    assert_eq!(
        (number.id().values[0].form, text.id().values[0].form),
        (WorkloadIdForm::Number, WorkloadIdForm::Text)
    );
    assert_eq!(number.id().kind, WorkloadIdKind::Instance);
}

#[tokio::test]
async fn the_audience_is_ours_alone() {
    let world = World::new();
    assert!(changed(&world, json!({"aud": DEPUTY})).await.is_ok());
    for aud in [
        json!(null),
        json!([]),
        json!("https://kubernetes.default.svc"),
        json!([DEPUTY, "x"]),
        json!([DEPUTY, DEPUTY]),
        json!("https://deputy.example/"),
        json!({"a": 1}),
    ] {
        assert_eq!(changed(&world, json!({"aud": aud})).await.unwrap_err(), TokenFault::Audience, "{aud}");
    }
}

#[tokio::test]
async fn a_credential_whose_holder_acts_for_another_is_refused() {
    let world = World::new();
    for act in [json!({"sub": "another"}), json!("another"), json!({})] {
        assert_eq!(
            changed(&world, json!({"act": act})).await.unwrap_err(),
            TokenFault::ForeignChain,
            "{act}"
        );
    }
}

#[tokio::test]
async fn times_are_judged_with_sixty_seconds_of_leeway() {
    let world = World::new();
    let now = NOW.seconds();
    for (changes, expected) in [
        (json!({"exp": null}), Some(TokenFault::Claim)),
        (json!({"exp": now - 59}), None),
        (json!({"exp": now - 60}), Some(TokenFault::Expired)),
        (json!({"nbf": now + 60}), None),
        (json!({"nbf": now + 61}), Some(TokenFault::NotYetValid)),
        (json!({"iat": now + 61, "exp": now + 600}), Some(TokenFault::IssuedAhead)),
        (json!({"iat": now, "exp": now + 3600}), None),
        (json!({"iat": now, "exp": now + 3601}), Some(TokenFault::TooOld)),
        (json!({"iat": null}), None),
        (json!({"iat": null, "exp": now + 3661}), Some(TokenFault::TooOld)),
    ] {
        assert_eq!(changed(&world, changes.clone()).await.err(), expected, "{changes}");
    }
}

#[tokio::test]
async fn tokens_of_other_kinds_issuers_and_keys_are_refused() {
    let world = World::new();
    for typ in ["at+jwt", "logout+jwt", "dpop+jwt", "wit+jwt"] {
        let token = sign(&world.workload_key, typ, &workload_claims());
        assert_eq!(verify(&world, &token).await.unwrap_err(), TokenFault::Kind, "{typ}");
    }
    let jose = sign(&world.workload_key, "JOSE", &workload_claims());
    assert!(verify(&world, &jose).await.is_ok());
    assert_eq!(changed(&world, json!({"events": {}})).await.unwrap_err(), TokenFault::Kind);
    assert_eq!(
        changed(&world, json!({"iss": "https://other.example"})).await.unwrap_err(),
        TokenFault::IssuerUntrusted
    );
    let foreign = sign(&world.provider_key, "JWT", &workload_claims());
    assert_eq!(verify(&world, &foreign).await.unwrap_err(), TokenFault::KeyUnknown);
    let id_token = sign(&world.provider_key, "JWT", &id_claims());
    assert_eq!(verify(&world, &id_token).await.unwrap_err(), TokenFault::IssuerUntrusted);
}

#[tokio::test]
async fn a_subject_may_be_missing_but_not_malformed() {
    let world = World::new();
    assert_eq!(changed(&world, json!({"sub": null})).await.unwrap().subject(), None);
    for sub in [json!(""), json!(1), json!("a".repeat(513))] {
        assert_eq!(changed(&world, json!({"sub": sub})).await.unwrap_err(), TokenFault::Subject, "{sub}");
    }
}

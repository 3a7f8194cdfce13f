//! What is read of the claims: assurance, predicates, `may_act`.

use std::collections::BTreeSet;

use super::*;

#[tokio::test]
async fn amr_is_an_array_of_strings_and_acr_a_string() {
    let world = World::new();
    for changes in [
        json!({"amr": {"mfa": true}}),
        json!({"amr": [1]}),
        json!({"amr": ["mfa", null]}),
        json!({"acr": 2}),
        json!({"acr": ["2"]}),
        json!({"sid": 1}),
        json!({"sid": "a\u{0}b"}),
        json!({"acr": "a\u{0}b"}),
        json!({"amr": ["a\u{1b}b"]}),
    ] {
        assert_eq!(fault(&world, changes.clone()).await, TokenFault::Claim, "{changes}");
    }
}

#[tokio::test]
async fn levels_are_met_by_what_the_provider_is_configured_for() {
    let mut world = World::new();
    let cases: &[(Value, bool, &[&str])] = &[
        (json!({"amr": ["mfa", "xyz"], "acr": null}), false, &["mfa"]),
        (json!({"amr": ["MFA"], "acr": null}), false, &[]),
        (json!({"amr": null, "acr": null}), false, &[]),
        (json!({"amr": ["pwd"], "acr": "2"}), false, &[]),
        (json!({"amr": ["pwd", "otp"], "acr": null}), false, &[]),
        (json!({"amr": ["pwd", "otp"], "acr": null}), true, &["mfa"]),
        (json!({"amr": ["hwk", "face"], "acr": null}), true, &["mfa"]),
        (json!({"amr": ["sc", "pin"], "acr": null}), true, &["mfa"]),
        (json!({"amr": ["pwd", "pin"], "acr": null}), true, &[]),
        (json!({"amr": ["otp", "sms"], "acr": null}), true, &[]),
        (json!({"amr": ["pwd", "face"], "acr": null}), true, &[]),
        (json!({"amr": ["pwd", "mca", "user", "geo", "rba", "wia"], "acr": null}), true, &[]),
        (json!({"amr": ["hwk", "mfa"], "acr": null}), false, &["mfa"]),
        (json!({"amr": "mfa", "acr": null}), false, &["mfa"]),
        (json!({"amr": "pwd otp mfa", "acr": null}), true, &[]),
        (json!({"amr": ["pwd"], "acr": "phr"}), false, &["mfa", "phishing_resistant"]),
        (json!({"amr": ["mfa"], "acr": "phrh"}), false, &["mfa", "phishing_resistant"]),
        (json!({"amr": ["pwd"], "acr": "PHR"}), false, &[]),
        (json!({"amr": ["pwd"], "acr": "3"}), false, &[]),
    ];
    for (changes, infer, expected) in cases {
        change_provider(&mut world, |provider| provider.infer_mfa_from_amr = *infer);
        let verified = verify(&world, &but(id_claims(), changes.clone())).await.unwrap();
        assert_eq!(verified.levels.iter().collect::<Vec<_>>(), *expected, "{changes} {infer}");
    }
}

#[tokio::test]
async fn an_operators_own_mfa_level_takes_the_place_of_the_built_in_one() {
    let mut world = World::new();
    change_provider(&mut world, |provider| {
        let any_of =
            vec![ClaimCondition { claim: "acr".to_owned(), test: ClaimTest::In(vec!["gold".to_owned()]) }];
        provider.assurance.insert(
            "mfa".to_owned(),
            AssuranceLevel { name: "mfa".to_owned(), any_of, implies: BTreeSet::new() },
        );
    });
    assert!(verify(&world, &id_claims()).await.unwrap().levels.is_empty());
    let gold = but(id_claims(), json!({"acr": "gold", "amr": null}));
    assert!(verify(&world, &gold).await.unwrap().levels.contains("mfa"));
    change_provider(&mut world, |provider| provider.assurance.clear());
    assert!(verify(&world, &id_claims()).await.unwrap().levels.contains("mfa"));
}

#[tokio::test]
async fn a_level_is_met_by_one_that_implies_it() {
    let mut world = World::new();
    let level = |name: &str, test: ClaimTest, implies: &[&str]| {
        let any_of = vec![ClaimCondition { claim: "methods".to_owned(), test }];
        let implies = implies.iter().map(|name| (*name).to_owned()).collect();
        (name.to_owned(), AssuranceLevel { name: name.to_owned(), any_of, implies })
    };
    let of = |values: &[&str]| values.iter().map(|value| (*value).to_owned()).collect::<Vec<_>>();
    change_provider(&mut world, |provider| {
        provider.assurance = [
            level("hardware", ClaimTest::Any(of(&["key", "card"])), &["mfa", "strong"]),
            level("strong", ClaimTest::Contains(of(&["key", "pin"])), &[]),
            level("mfa", ClaimTest::In(of(&["gold"])), &[]),
        ]
        .into();
    });
    for (methods, expected) in [
        (json!(["card"]), &["hardware", "mfa", "strong"][..]),
        (json!("key"), &["hardware", "mfa", "strong"]),
        (json!(["pin", "x"]), &[]),
        (json!("gold"), &["mfa"]),
        (json!(["gold"]), &[]),
        (json!(7), &[]),
        (json!(null), &[]),
    ] {
        let claims = but(id_claims(), json!({"amr": null, "acr": null, "methods": methods}));
        let verified = verify(&world, &claims).await.unwrap();
        assert_eq!(verified.levels.iter().collect::<Vec<_>>(), expected, "{methods}");
    }
}

#[tokio::test]
async fn a_long_claim_is_no_fault() {
    let world = World::new();
    let groups: Vec<String> = (0..200).map(|n| format!("{n:08x}-0000-4000-8000-000000000000")).collect();
    let claims = but(
        id_claims(),
        json!({"groups": groups, "acr": "a".repeat(300), "amr": ["mfa", "b".repeat(300)], "sid": "c".repeat(300)}),
    );
    let verified = verify(&world, &claims).await.unwrap();
    assert_eq!(verified.policy_claims["groups"].as_array().unwrap().len(), 200);
    assert_eq!(verified.acr.as_ref().unwrap().len(), 300);
}

#[tokio::test]
async fn claims_that_are_not_judged_may_have_any_type() {
    let world = World::new();
    let claims = but(
        id_claims(),
        json!({
            "birthdate": 19_900_605, "updated_at": "2026-01-01T00:00:00Z", "email_verified": "true",
            "address": "somewhere", "nonce": 5, "extension": [{"a": 1}],
        }),
    );
    let verified = verify(&world, &claims).await.unwrap();
    assert_eq!(verified.predicate_claims().get("birthdate"), Some(&json!(19_900_605)));
}

#[tokio::test]
async fn the_providers_own_answer_to_a_predicate_is_kept_for_it() {
    let world = World::new();
    let verified = verify(&world, &but(id_claims(), json!({"age_over_18": true}))).await.unwrap();
    assert_eq!(verified.predicate_claims().get("age_over_18"), Some(&json!(true)));
}

#[tokio::test]
async fn may_act_is_read_strictly() {
    let world = World::new();
    let read = async |may_act: Value| {
        verify(&world, &but(id_claims(), json!({"may_act": may_act})))
            .await
            .map(|verified| verified.may_act().cloned())
    };
    let plain = MayAct { issuer: None, subject: "a".to_owned(), has_other_identity_members: false };
    assert_eq!(read(json!({"sub": "a", "exp": 1})).await, Ok(Some(plain.clone())));
    assert_eq!(
        read(json!({"sub": "a", "iss": "https://x", "email": "e"})).await,
        Ok(Some(MayAct { issuer: Some("https://x".to_owned()), has_other_identity_members: true, ..plain }))
    );
    for malformed in [
        json!("a"),
        json!([]),
        json!({}),
        json!({"iss": "x"}),
        json!({"sub": 1}),
        json!({"sub": ""}),
        json!({"sub": "a", "iss": 1}),
    ] {
        assert_eq!(read(malformed.clone()).await, Err(TokenFault::MayAct), "{malformed}");
    }
}

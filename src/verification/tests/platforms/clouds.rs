//! Workloads of AWS, Google Cloud and Microsoft Entra.

use super::*;
use crate::oauth::Issuer;

/// A world in which each workload of the platform that fits `when` is a principal.
fn cloud(preset: Preset, issuer: &str, when: When) -> World {
    world_of(preset, |workloads| {
        workloads.issuer = Issuer::new(issuer);
        let (when, lifetime) = (Some(when), AgentLifetime::Principal);
        let class = AgentClass { when, lifetime, ..AgentClass::clone(&workloads.classes[0]) };
        workloads.classes = vec![Arc::new(class)];
    })
}

/// What every credential has.
fn times(issuer: &str, lifetime: i64, claims: Value) -> Value {
    let now = NOW.seconds();
    but(json!({"iss": issuer, "aud": DEPUTY, "iat": now - 5, "exp": now - 5 + lifetime}), claims)
}

const AWS: &str = "https://7c1d.tokens.sts.global.api.aws";
const ROLE: &str = "arn:aws:iam::123456789012:role/buyer";

fn role(changes: Value) -> Value {
    let context = json!({
        "aws_account": "123456789012", "org_id": "o-ab12", "ou_path": ["o-ab12/r-x/ou-x/"], "principal_id": ROLE,
        "source_region": "eu-central-1", "original_session_exp": "2026-11-22T10:45:29Z",
        "principal_tags": {"team": "shop"}, "request_tags": {"task": "t1"},
    });
    let claims = json!({"jti": "j", "sub": ROLE, "https://sts.amazonaws.com/": but(context, changes)});
    times(AWS, 300, claims)
}

#[tokio::test]
async fn a_role_of_an_account_of_aws_is_a_workload_whatever_its_caller_types() {
    let path = "https://sts.amazonaws.com/.principal_tags.team";
    let world = cloud(Preset::Aws, AWS, When { all: vec![check(path, "shop")] });
    let known = verify(&world, role(json!({}))).await.unwrap();
    assert_eq!(known.workload(), "arn%3Aaws%3Aiam%3A%3A123456789012%3Arole/buyer:123456789012");
    let tags =
        json!({"request_tags": {"team": "root", "principal_tags": {"team": "root"}, "aws_account": "9"}});
    let forged = verify(&world, role(tags)).await.unwrap();
    assert_eq!(
        (agent(&world, &forged), forged.class().name.as_str()),
        (agent(&world, &known), "age-verifier")
    );
    let instead = json!({"principal_tags": null, "request_tags": {"team": "shop"}});
    assert_eq!(verify(&world, role(instead)).await.unwrap_err(), TokenFault::NoClass);
    let other = verify(&world, role(json!({"aws_account": "210987654321"}))).await.unwrap();
    assert_ne!(agent(&world, &other), agent(&world, &known));
    let without = verify(&world, role(json!({"aws_account": null}))).await;
    assert_eq!(without.unwrap_err(), TokenFault::Claim);
}

#[tokio::test]
async fn a_session_of_a_person_at_aws_is_no_workload() {
    let world = cloud(Preset::Aws, AWS, When { all: vec![check("sub", ROLE)] });
    assert!(verify(&world, role(json!({}))).await.is_ok());
    let person =
        json!({"identity_store_user_id": "93a4b2c1", "identity_store_arn": "arn:aws:identitystore::1"});
    assert_eq!(verify(&world, role(person)).await.unwrap_err(), TokenFault::NotAWorkload);
}

const GOOGLE: &str = "https://accounts.google.com";

/// The ID token of a service account, as the metadata server of a machine gives it out.
fn account(changes: Value) -> Value {
    let claims = json!({
        "azp": "112179062720391305885", "sub": "112179062720391305885", "email_verified": true,
        "email": "buyer@shop-123.iam.gserviceaccount.com",
        "google": {"compute_engine": {
            "instance_creation_timestamp": 1_794_000_000, "instance_id": "4570452845155348778",
            "instance_name": "buyer-1", "project_id": "shop-123", "project_number": 1_071_284_184_436_u64,
            "zone": "europe-west1-b",
        }},
    });
    but(times(GOOGLE, 3600, claims), changes)
}

fn google() -> World {
    let test = ClaimMatch::Equals(json!(1_071_284_184_436_u64));
    let ours = ClaimCheck { claim: "google.compute_engine.project_number".to_owned(), test };
    cloud(Preset::Gcp, GOOGLE, When { all: vec![ours] })
}

#[tokio::test]
async fn a_service_account_of_google_is_known_by_its_number() {
    let world = google();
    let known = verify(&world, account(json!({}))).await.unwrap();
    assert_eq!(known.workload(), "112179062720391305885");
    let default = json!({"email": "1071284184436-compute@developer.gserviceaccount.com"});
    assert_eq!(agent(&world, &verify(&world, account(default)).await.unwrap()), agent(&world, &known));
    let again = json!({"sub": "998", "azp": "998"});
    let again = verify(&world, account(again)).await.unwrap();
    assert_ne!(agent(&world, &again), agent(&world, &known), "the address is the same, the account is not");
    let elsewhere = json!({"google": {"compute_engine": {"project_number": 7}}});
    assert_eq!(verify(&world, account(elsewhere)).await.unwrap_err(), TokenFault::NoClass);
}

#[tokio::test]
async fn a_person_who_signed_in_with_google_is_no_workload() {
    let world = google();
    for changes in [
        json!({"azp": "1234987819200-kb7s2qv0.apps.googleusercontent.com"}),
        json!({"azp": null}),
        json!({"sub": null}),
        json!({"sub": null, "azp": null}),
        json!({"sub": 7, "azp": 7}),
        json!({"email": "jsmith@example.com"}),
        json!({"email": "jsmith@gserviceaccount.com.example"}),
        json!({"email": "jsmith@xgserviceaccount.com"}),
        json!({"email": "x.gserviceaccount.com"}),
        json!({"email": null}),
        json!({"email_verified": false}),
        json!({"email_verified": "true"}),
        json!({"email_verified": null}),
    ] {
        let verified = verify(&world, account(changes.clone())).await;
        assert_eq!(verified.unwrap_err(), TokenFault::NotAWorkload, "{changes}");
    }
}

#[tokio::test]
async fn each_process_of_a_service_account_that_proves_a_key_is_an_instance() {
    let test = ClaimMatch::Equals(json!("buyer@shop-123.iam.gserviceaccount.com"));
    let ours = When { all: vec![ClaimCheck { claim: "email".to_owned(), test }] };
    let world = world_of(Preset::Gcp, |workloads| {
        workloads.issuer = Issuer::new(GOOGLE);
        let (when, lifetime) = (Some(ours), AgentLifetime::Instance);
        let class = AgentClass { when, lifetime, ..AgentClass::clone(&workloads.classes[0]) };
        workloads.classes = vec![Arc::new(class)];
    });
    let cached = credential(&world, account(json!({}))).await.unwrap();
    assert!(cached.presented_with(None).is_none(), "without a key nobody knows which process it is");
    let [one, other] = [1, 2].map(|byte| cached.presented_with(Some(Jkt::new([byte; 32]))).unwrap());
    assert_ne!(agent(&world, &one), agent(&world, &other));
    assert_eq!((one.workload(), other.workload()), ("112179062720391305885", "112179062720391305885"));
}

const TENANT: &str = "9122040d-6c67-4c5b-b112-36a304b66dad";
const IDENTITY: &str = "5f1c9a2e-0b7d-4c1e-8f3a-2d9b6e7c4a10";
const APPLICATION: &str = "6731de76-14a6-49ae-97bc-6eba6914391e";

fn entra(version: &str) -> (String, World) {
    let issuer = match version {
        "1.0" => format!("https://sts.windows.net/{TENANT}/"),
        _ => format!("https://login.microsoftonline.com/{TENANT}/v2.0"),
    };
    let ours = When { all: vec![check("oid", IDENTITY)] };
    let world = cloud(Preset::Azure, &issuer, ours);
    (issuer, world)
}

/// The token of a managed identity, which is good for a day.
fn identity(issuer: &str, version: &str, changes: Value) -> Value {
    let of_version = match version {
        "1.0" => json!({"appid": APPLICATION, "appidacr": "2"}),
        _ => json!({"azp": APPLICATION, "azpacr": "2"}),
    };
    let claims = json!({
        "ver": version, "tid": TENANT, "oid": IDENTITY, "sub": IDENTITY, "idtyp": "app", "aio": "E2Zg", "rh": "0.AXE",
        "uti": "zV7k", "xms_mirid": "/subscriptions/1/resourcegroups/shop/providers/Microsoft.Compute/virtualMachines/a",
    });
    but(but(times(issuer, 86_700, claims), of_version), changes)
}

#[tokio::test]
async fn an_application_of_a_tenant_is_known_by_tenant_and_object_in_both_versions() {
    for version in ["1.0", "2.0"] {
        let (issuer, world) = entra(version);
        let known = verify(&world, identity(&issuer, version, json!({}))).await.unwrap();
        assert_eq!(known.workload(), format!("{TENANT}:{IDENTITY}"), "{version}");
        let moved = json!({"xms_mirid": "/subscriptions/2", "roles": ["Agent"], "ver": null});
        let moved = verify(&world, identity(&issuer, version, moved)).await.unwrap();
        assert_eq!(agent(&world, &moved), agent(&world, &known));
        let other = json!({"oid": "00000000-0000-0000-66f3-3332eca7ea81"});
        let other = verify(&world, identity(&issuer, version, other)).await;
        assert_eq!(other.unwrap_err(), TokenFault::NoClass);
        let endless = json!({"exp": NOW.seconds() + 90_000});
        let endless = verify(&world, identity(&issuer, version, endless)).await;
        assert_eq!(endless.unwrap_err(), TokenFault::TooOld);
    }
}

#[tokio::test]
async fn what_entra_issues_for_a_person_or_in_another_version_or_tenant_is_refused() {
    for (version, own, other) in [("1.0", "appid", "azp"), ("2.0", "azp", "appid")] {
        let (issuer, world) = entra(version);
        for (changes, fault) in [
            (json!({"idtyp": null}), TokenFault::NotAWorkload),
            (json!({"idtyp": "user", "scp": "access_as_user"}), TokenFault::NotAWorkload),
            (json!({"scp": "access_as_user"}), TokenFault::NotAWorkload),
            (json!({"idtyp": ["app"]}), TokenFault::NotAWorkload),
            (json!({"tid": "2f1c9a2e-0b7d-4c1e-8f3a-2d9b6e7c4a10"}), TokenFault::OtherTenant),
            (json!({"tid": TENANT.to_uppercase()}), TokenFault::OtherTenant),
            (json!({"tid": null}), TokenFault::OtherTenant),
            (json!({own: null}), TokenFault::AuthorizedParty),
            (json!({own: ""}), TokenFault::AuthorizedParty),
            (json!({own: null, other: APPLICATION}), TokenFault::AuthorizedParty),
            (json!({other: APPLICATION}), TokenFault::AuthorizedParty),
            (json!({other: "another"}), TokenFault::AuthorizedParty),
            (json!({"ver": if version == "1.0" { "2.0" } else { "1.0" }}), TokenFault::AuthorizedParty),
        ] {
            let verified = verify(&world, identity(&issuer, version, changes.clone())).await;
            assert_eq!(verified.unwrap_err(), fault, "{version} {changes}");
        }
    }
}

#[tokio::test]
async fn an_operator_is_told_what_a_platform_refuses() {
    let world = google();
    let explain = async |claims: Value| {
        let token = sign(&world.workload_key, "JWT", &claims);
        world.verifier.explain_workload(&world.config, &token, NOW).await
    };
    let person = explain(account(json!({"azp": "x.apps.googleusercontent.com", "email": null}))).await;
    let read =
        |name: &str| person.claims.iter().find(|(known, _)| known == name).map(|(_, value)| value.clone());
    assert_eq!(person.preset, Some(Preset::Gcp));
    assert_eq!(read("azp"), Some(Some(json!("x.apps.googleusercontent.com"))));
    assert_eq!(read("email"), Some(None), "what is missing is named");
    let problem = person.outcome.unwrap_err();
    assert_eq!(problem.fault, Some(TokenFault::NotAWorkload));
    assert!(problem.fix.contains("`format=full` at the metadata server"), "{}", problem.fix);

    let (issuer, world) = entra("2.0");
    for (changes, fix) in [
        (json!({"idtyp": null}), "add the optional claim `idtyp`"),
        (json!({"tid": "x"}), "request the token in the tenant that the issuer names"),
        (json!({"azp": null, "appid": "x"}), "`ver` 1.0 with `appid`"),
    ] {
        let token = sign(&world.workload_key, "JWT", &identity(&issuer, "2.0", changes));
        let explained = world.verifier.explain_workload(&world.config, &token, NOW).await;
        let told = explained.outcome.unwrap_err().fix;
        assert!(told.contains(fix), "{told}");
    }
}

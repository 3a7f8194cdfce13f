//! The platforms GitLab, AWS, Google Cloud and Microsoft Entra.

use super::*;

/// A platform with a credential of the shape that it documents.
#[derive(Clone, Copy)]
struct Platform {
    preset: &'static str,
    issuer: &'static str,
    /// Says whose workloads the class `planner` takes.
    check: &'static str,
    lifetime: &'static str,
    claims: fn() -> Value,
}

const GITLAB: Platform = Platform {
    preset: "gitlab",
    issuer: "https://gitlab.com",
    check: "{ claim = \"namespace_id\", equals = \"72\" }",
    lifetime: "principal",
    claims: || {
        json!({
            "sub": "project_path:acme/shop:ref_type:branch:ref:main", "namespace_id": "72", "namespace_path": "acme",
            "project_id": "20", "project_path": "acme/shop", "user_id": "1", "user_login": "ada",
            "user_email": "ada@example.com", "pipeline_id": "574", "pipeline_source": "push", "job_id": "302",
            "ref": "main", "ref_type": "branch", "ref_path": "refs/heads/main", "ref_protected": "true",
            "runner_id": 1, "runner_environment": "gitlab-hosted", "sha": "714a629c0b401fdce83e847fc9589983fc6f46bc",
        })
    },
};
const AWS: Platform = Platform {
    preset: "aws",
    issuer: "https://7c1d.tokens.sts.global.api.aws",
    check: "{ claim = \"https://sts.amazonaws.com/.principal_tags.team\", equals = \"shop\" }",
    lifetime: "principal",
    claims: || {
        let role = "arn:aws:iam::123456789012:role/buyer";
        json!({"sub": role, "https://sts.amazonaws.com/": {
            "aws_account": "123456789012", "org_id": "o-ab12", "ou_path": ["o-ab12/r-x/ou-x/"], "principal_id": role,
            "source_region": "eu-central-1", "original_session_exp": "2026-11-21T10:45:29Z",
            "principal_tags": {"team": "shop"}, "request_tags": {"task": "t1"},
        }})
    },
};
const GOOGLE: Platform = Platform {
    preset: "gcp",
    issuer: "https://accounts.google.com",
    check: "{ claim = \"email\", equals = \"buyer@shop-123.iam.gserviceaccount.com\" }",
    lifetime: "instance",
    claims: || {
        json!({
            "azp": "112179062720391305885", "sub": "112179062720391305885", "email_verified": true,
            "email": "buyer@shop-123.iam.gserviceaccount.com",
            "google": {"compute_engine": {
                "instance_creation_timestamp": 1_794_000_000, "instance_id": "4570452845155348778",
                "instance_name": "buyer-1", "project_id": "shop-123", "project_number": 1_071_284_184_436_u64,
                "zone": "europe-west1-b",
            }},
        })
    },
};
const ENTRA: Platform = Platform {
    preset: "azure",
    issuer: "https://login.microsoftonline.com/9122040d-6c67-4c5b-b112-36a304b66dad/v2.0",
    check: "{ claim = \"roles\", contains = \"Agent\" }",
    lifetime: "instance",
    claims: || {
        json!({
            "ver": "2.0", "tid": "9122040d-6c67-4c5b-b112-36a304b66dad", "idtyp": "app", "azpacr": "2",
            "oid": "5f1c9a2e-0b7d-4c1e-8f3a-2d9b6e7c4a10", "sub": "5f1c9a2e-0b7d-4c1e-8f3a-2d9b6e7c4a10",
            "azp": "0c3a7f5e-88a1-4c52-b0a3-6a1b7a9b2f40", "roles": ["Agent"], "uti": "zV7k",
        })
    },
};
const PLATFORMS: [Platform; 4] = [GITLAB, AWS, GOOGLE, ENTRA];

impl Platform {
    /// The world's configuration with this platform as its workload issuer.
    fn toml(self) -> String {
        let Self { preset, issuer, check, lifetime, .. } = self;
        let head = format!(
            "[[workload_issuer]]\nissuer = \"{issuer}\"\npreset = \"{preset}\"\nalgorithms = [\"ES256\"]\n\
             jwks_file = \"workloads.json\"\n"
        );
        let when = |kind: &str| format!("when = {{ claim = \"kind\", equals = \"{kind}\" }}");
        let kind = |kind: &str| format!("{{ claim = \"kind\", equals = \"{kind}\" }}");
        let all = |checks: &str| format!("when = {{ all = [{checks}] }}");
        let mut toml = replaced(DEFINITION, HEAD, &head);
        toml = replaced(&toml, &when("planner"), &all(check));
        for other in ["age", "courier"] {
            toml = replaced(&toml, &when(other), &all(&format!("{check}, {}", kind(other))));
        }
        for old in ["task", "principal"] {
            toml = toml.replace(&format!("lifetime = \"{old}\""), &format!("lifetime = \"{lifetime}\""));
        }
        toml + UNLIMITED
    }

    async fn world(self) -> World {
        World::start(Setup::of(&self.toml())).await
    }

    /// Its credential with changes; `null` leaves a claim out.
    fn credential(self, world: &World, changes: Value) -> Jwt {
        let mut token = world.workload_token("planner").without("instance").without("kind");
        token = token.claim("iss", self.issuer);
        for (name, value) in (self.claims)().as_object().unwrap().iter().chain(changes.as_object().unwrap()) {
            token = match value {
                Value::Null => token.without(name),
                value => token.claim(name, value.clone()),
            };
        }
        token
    }
}

/// The claims of the token for an agent with this credential and key.
async fn claims(world: &World, credential: &Jwt, key: &Key) -> Value {
    proving(world, credential, key).await.claims()
}

async fn is_refused_proving(world: &World, what: &str, credential: &Jwt, cause: &str) {
    let request = world.tx().actor(&credential.sign()).header("DPoP", &world.proof(&Key::new("a")).sign());
    refuses(world, what, request, ACTOR, cause).await;
}

pub async fn an_audience_beside_deputy_is_refused_on_each_platform() {
    for platform in PLATFORMS {
        let world = platform.world().await;
        for aud in
            [json!([world.issuer, "https://other.example"]), json!("https://other.example"), json!(null)]
        {
            let credential = platform.credential(&world, json!({"aud": aud}));
            is_refused_proving(&world, platform.preset, &credential, "audience").await;
        }
        let alone = platform.credential(&world, json!({"aud": [world.issuer]}));
        proving(&world, &alone, &Key::new("agent")).await.granted();
    }
}

pub async fn what_is_made_again_under_its_name_is_another_agent() {
    for (platform, again) in [
        (GITLAB, json!({"project_id": "21"})),
        (
            AWS,
            json!({"https://sts.amazonaws.com/": {
                "aws_account": "210987654321", "principal_tags": {"team": "shop"},
            }}),
        ),
        (GOOGLE, json!({"sub": "998", "azp": "998"})),
        (ENTRA, json!({"oid": "00000000-0000-0000-66f3-3332eca7ea81"})),
    ] {
        // A key that serves both does not make them one.
        let platform = Platform { lifetime: "principal", ..platform };
        let (world, key) = (platform.world().await, Key::new("agent"));
        let before = claims(&world, &platform.credential(&world, json!({})), &key).await;
        let after = claims(&world, &platform.credential(&world, again), &key).await;
        assert_ne!(actors(&before), actors(&after), "{}", platform.preset);
    }
}

pub async fn what_the_caller_types_in_decides_nothing() {
    let key = Key::new("agent");
    let tags = |tags: Value| {
        let mut claims = (AWS.claims)();
        claims["https://sts.amazonaws.com/"]["request_tags"] = tags;
        json!({"https://sts.amazonaws.com/": claims["https://sts.amazonaws.com/"]})
    };
    let aws =
        [json!({"team": "root"}), json!({"principal_tags": {"team": "root"}}), json!({"aws_account": "9"})];
    let gitlab = [
        json!({"user_id": "0", "user_login": "root", "user_email": "root@example.com"}),
        json!({"groups_direct": ["admins"], "target_ref": "main", "target_ref_protected": "true"}),
        json!({"ref": "try", "ref_path": "refs/heads/try", "ref_protected": "false", "environment": "prod"}),
    ];
    for (platform, forged) in [(AWS, aws.map(tags)), (GITLAB, gitlab)] {
        let world = platform.world().await;
        let known = claims(&world, &platform.credential(&world, json!({})), &key).await;
        for changes in forged {
            let other = claims(&world, &platform.credential(&world, changes.clone()), &key).await;
            assert_eq!((&other["act"], &other["scope"]), (&known["act"], &known["scope"]), "{changes}");
        }
    }
    let world = AWS.world().await;
    let mut instead = tags(json!({"team": "shop"}));
    instead["https://sts.amazonaws.com/"]["principal_tags"] = json!({"team": "other"});
    is_refused_proving(&world, "a tag of the request", &AWS.credential(&world, instead), "no_class").await;

    let team = "https://sts.amazonaws.com/.request_tags.team";
    let words = format!("checks `{team}`, whose value the caller chooses");
    refuses_config(&world, AWS.check, &AWS.check.replace("principal_tags", "request_tags"), &words);
    let world = GITLAB.world().await;
    for (claim, words) in [
        ("user_login", "checks `user_login`, whose value the caller chooses"),
        ("target_ref_protected", "checks `target_ref_protected`, whose value the caller chooses"),
        ("ref", "checks `ref`, which anybody chooses who may push to any branch"),
        ("environment", "checks `environment`, which anybody chooses who may push to any branch"),
    ] {
        let check = format!("{}, {{ claim = \"{claim}\", equals = \"prod\" }}", GITLAB.check);
        refuses_config(&world, GITLAB.check, &check, words);
    }
}

/// Google is the identity provider too, and signs for people and service accounts with one key.
pub async fn a_person_who_signs_in_with_google_is_no_agent() {
    let fetched = GOOGLE
        .toml()
        .replace(GOOGLE.issuer, "@provider@")
        .replace("jwks_file = \"workloads.json\"", "jwks_uri = \"@provider@/jwks\"\nnetwork = \"private\"");
    let world = World::start(Setup::of(&fetched)).await;
    let key = Key::new("agent");
    let account = |changes: Value| {
        let token = GOOGLE.credential(&world, changes).claim("iss", world.provider.issuer.as_str());
        token.signed_by(&world.provider.key).header("kid", world.provider.key.kid.as_str())
    };
    proving(&world, &account(json!({})), &key).await.granted();

    let person = world.id_token().claim("aud", world.issuer.as_str());
    let at_an_application = json!({"azp": "1234987819200-kb7s2qv0.apps.googleusercontent.com"});
    for (what, token) in [
        ("an ID token", person.clone()),
        ("with an authorized party", person.claim("azp", "booking-app")),
        ("an application's", account(at_an_application)),
        ("no service account's address", account(json!({"email": "jsmith@example.com"}))),
        ("an address that nobody verified", account(json!({"email_verified": false}))),
        ("no address", account(json!({"email": null}))),
    ] {
        is_refused_proving(&world, what, &token, "not_a_workload").await;
    }
    is_refused_proving(&world, "the ID token that signs her in", &world.id_token(), "audience").await;

    for preset in ["generic", "kubernetes", "github", "aws"] {
        let preset = format!("preset = \"{preset}\"");
        let words = "cannot tell a workload from a person";
        refuses_config(&world, "preset = \"gcp\"", &preset, words);
    }
}

pub async fn a_person_of_another_platform_is_no_agent_either() {
    let mut session = (AWS.claims)();
    session["https://sts.amazonaws.com/"]["identity_store_user_id"] = json!("user-abc123def456");
    for (platform, changes, cause) in [
        (GITLAB, json!({"project_id": null, "job_id": null, "sub": "7"}), "not_a_workload"),
        (AWS, session, "not_a_workload"),
        (ENTRA, json!({"idtyp": null}), "not_a_workload"),
        (ENTRA, json!({"scp": "access_as_user"}), "not_a_workload"),
        (ENTRA, json!({"tid": "2f1c9a2e-0b7d-4c1e-8f3a-2d9b6e7c4a10"}), "other_tenant"),
        (ENTRA, json!({"azp": null, "appid": "0c3a7f5e-88a1-4c52-b0a3-6a1b7a9b2f40"}), "authorized_party"),
    ] {
        let world = platform.world().await;
        is_refused_proving(&world, platform.preset, &platform.credential(&world, changes), cause).await;
    }
}

pub async fn a_platform_is_one_line() {
    for platform in PLATFORMS {
        let world = platform.world().await;
        let credential = platform.credential(&world, json!({}));
        let [one, other] = ["one", "other"].map(Key::new);
        let first = claims(&world, &credential, &one).await;
        assert_eq!(first["cnf"]["jkt"], one.thumbprint(), "{}", platform.preset);
        let second = proving(&world, &credential, &other).await;
        match platform.lifetime {
            // One cached credential of many processes: the key is the agent, and nothing is pinned.
            "instance" => {
                assert_ne!(actors(&second.claims()), actors(&first), "{}", platform.preset);
                let missing = (400, "invalid_dpop_proof", "proof_missing");
                expect::is_refused(platform.preset, &sent(&world, &credential).await, missing);
            }
            _ => expect::is_refused(platform.preset, &second, PINNED),
        }
    }
}

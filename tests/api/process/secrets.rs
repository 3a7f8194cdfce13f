//! What must not exist: tokens and personal data in what Deputy writes. Every world of these tests is
//! searched when it ends (`World::finish`); here is one that takes every turn, and proof that the search finds.

use std::path::Path;

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use deputy::testing::Endpoint;

use crate::definition::with_opaque_tokens;
use crate::jose::{forged, fresh_id};
use crate::process_support::scan::Scanner;
use crate::process_support::world::with_a_key_for_the_tickets_api;
use crate::process_support::{Backend, Plan, World, canary, on_both_databases};

/// Runs everything that handles a token or a claim, refusals and faults included.
async fn take_every_turn(world: &World, base: &str) {
    let [assistant, b, age, stranger, api] =
        ["assistant", "agent-b", "age-agent", "stranger", "tickets-api"].map(|id| world.caller(id));
    let id_token = world.id_token("ann");
    let task = assistant
        .sign_in(base, &id_token, world.issuer(), "tickets:search tickets:book age_over_18")
        .await
        .token();
    let search = assistant.exchange(base, &task, "tickets", "tickets:search").await.token();
    let at_b = assistant.sign_in(base, &id_token, "agent-b", "tickets:search").await.token();
    let onward = b.exchange(base, &at_b, "tickets", "tickets:search").await.token();
    let handed_on = assistant.exchange(base, &task, "age-agent", "age_over_18").await.token();
    let workload = world.workload_token();
    let answer = age.exchange_as(base, &handed_on, &workload, "tickets", "age_over_18").await.token();

    // Refusals and faults, each with a token somewhere in it.
    let forged = world.witness.saw(forged(&task));
    let misplaced = world.witness.saw(fresh_id());
    for answer in [
        assistant.exchange(base, &task, &misplaced, "tickets:search").await,
        assistant.exchange(base, &task, "tickets", &format!("tickets:search {misplaced}")).await,
        assistant.sign_in(base, &id_token, "tickets", &misplaced).await,
        assistant.exchange(base, &misplaced, "tickets", "tickets:search").await,
        world.caller_named(&misplaced).exchange(base, &task, "tickets", "tickets:search").await,
        assistant.exchange(base, &forged, "tickets", "tickets:search").await,
        stranger.exchange(base, &task, "tickets", "tickets:search").await,
        assistant.exchange(base, &id_token, "tickets", "tickets:search").await,
        assistant.sign_in(base, &workload, "tickets", "tickets:search").await,
        assistant.exchange(base, &task, &search, "tickets:search").await,
        assistant.exchange(base, &task, "tickets", &id_token).await,
        stranger.sign_in(base, &id_token, "tickets", "tickets:search").await,
        stranger.revoke(base, &search).await,
        assistant.revoke(base, &id_token).await,
        assistant.exchange_as(base, &task, &workload, "tickets", "tickets:search").await,
        assistant.post(base, Endpoint::Token, &[("grant_type", &task), ("client_secret", &search)]).await,
    ] {
        assert!((400..500).contains(&answer.status), "{}: {}", answer.status, answer.text);
    }
    let assertion = assistant.assertion();
    for _ in 0..2 {
        assistant
            .try_post_with(base, Endpoint::Token, &assertion, &[("token", &search)])
            .await
            .expect("an answer");
    }
    let http = reqwest::Client::new();
    for path in ["/token", "/introspect", "/revoke", "/nowhere"] {
        _ = http
            .get(format!("{base}{path}?token={search}&subject_token={id_token}"))
            .send()
            .await
            .expect("an answer");
        _ = http
            .post(format!("{base}{path}"))
            .bearer_auth(&search)
            .body(task.clone())
            .send()
            .await
            .expect("an answer");
        _ = http
            .post(format!("{base}{path}"))
            .basic_auth(&search, Some(&id_token))
            .send()
            .await
            .expect("an answer");
    }
    for token in [&search, &onward, &answer, &forged, &task, &id_token] {
        api.introspect(base, token).await;
    }
    assistant.revoke(base, &search).await;
    assistant.revoke(base, &task).await;
}

async fn take_every_turn_and_search(world: World) {
    let verbose = [("DEPUTY_LOG", "trace".to_owned())];
    let mut server = world.start_node(0, &verbose).await.expect("a start");
    let base = server.base.clone();

    take_every_turn(&world, &base).await;

    std::fs::write(world.path("metrics.txt"), server.metrics().await).expect("a file");
    for (file, arguments) in [
        ("agents.txt", &["agent", "list", "--json"][..]),
        ("tasks.txt", &["task", "list", "--json"][..]),
        ("rows.txt", &["audit", "list", "--limit", "1000", "--json"][..]),
    ] {
        let output = world.deputy(arguments).await;
        assert!(output.status.success(), "{arguments:?}: {}", String::from_utf8_lossy(&output.stderr));
        std::fs::write(world.path(file), output.stdout).expect("a file");
    }
    server.kill_9().await; // the write-ahead log stays as it is
    assert!(!server.log().is_empty(), "nothing was logged, so nothing was searched");
    world.finish().await;
}

on_both_databases! {
    async fn no_token_and_no_personal_data_is_left_in_anything_deputy_writes(backend: Backend) {
        take_every_turn_and_search(World::new(backend).await).await;
    }

    async fn no_opaque_token_is_left_in_anything_deputy_writes(backend: Backend) {
        let change = |toml| with_opaque_tokens(
            &with_a_key_for_the_tickets_api(toml), &["tickets", "agent-b", "age-agent"],
        );
        take_every_turn_and_search(World::of(backend, Plan { change, ..Plan::default() }).await).await;
    }

    async fn a_planted_leak_is_found(backend: Backend) {
        let world = World::new(backend).await;
        let mut server = world.start().await;
        let task = world.caller("assistant")
            .sign_in(&server.base, &world.id_token("ann"), world.issuer(), "tickets:search")
            .await.token();
        server.stop().await;
        assert_eq!(world.findings(), []);

        let hex: String = task.bytes().map(|byte| format!("{byte:02x}")).collect();
        for leak in [
            format!("INFO issued {task} to someone"),
            format!("{{\"token\":\"{}\"}}", URL_SAFE_NO_PAD.encode(&task)),
            format!("\\\\x{hex}"),
            format!("born on {}", canary("birthdate")),
            canary("email").replace('@', "\\u0040").replace("\\u0040", "@"),
        ] {
            let file = world.path("node1-data/planted.log");
            std::fs::write(&file, &leak).expect("a file");
            let findings = world.findings();
            assert!(!findings.is_empty(), "not found: a leak of {} bytes", leak.len());
            assert!(findings.iter().all(|finding| finding.file == file), "{findings:?}");
            std::fs::remove_file(&file).expect("a file");
        }
        world.finish().await;
    }
}

#[test]
fn the_scanner_finds_the_random_part_of_an_opaque_token() {
    let bytes: Vec<u8> = (0..42).collect();
    let token = format!("dpt_at_{}", URL_SAFE_NO_PAD.encode(&bytes));
    let mut scanner = Scanner::default();
    scanner.add("it", &token);
    let hex = |part: &[u8]| part.iter().map(|byte| format!("{byte:02x}")).collect::<String>();
    for form in [hex(&bytes), hex(&bytes).to_ascii_uppercase(), token["dpt_at_".len()..].to_owned()] {
        assert!(!scanner.search(form.as_bytes(), Path::new("it")).is_empty(), "not found: {form}");
    }
    assert_eq!(scanner.search(hex(&bytes[..16]).as_bytes(), Path::new("it")), [], "its `jti` is no secret");
}

#[test]
fn the_scanner_finds_every_form_in_the_middle_of_other_bytes() {
    let secret = "a/b\"c.defgh.ijkl";
    let mut scanner = Scanner::default();
    scanner.add("it", secret);
    let hex: String = secret.bytes().map(|byte| format!("{byte:02X}")).collect();
    for form in [
        secret.to_owned(),
        URL_SAFE_NO_PAD.encode(secret),
        hex,
        serde_json::to_string(secret).expect("JSON"),
        "a\\/b\\\"c.defgh.ijkl".to_owned(),
    ] {
        let text = format!("\u{0}before{form}after");
        assert!(!scanner.search(text.as_bytes(), Path::new("it")).is_empty(), "not found: {form}");
    }
    assert_eq!(scanner.search(b"a/b\"c.defgh.ijk and nothing else", Path::new("it")), []);
}

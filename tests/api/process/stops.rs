//! Stops through the command line and the real binary: a kill stands until it is lifted, on every node and across
//! `kill -9`, and says what it did.

use serde_json::{Value, json};

use crate::process_support::{Answer, Backend, Server, World, on_both_databases};

/// What `deputy` printed, and its exit code.
async fn deputy(world: &World, arguments: &[&str]) -> (i32, Value) {
    let output = world.deputy(&[&["--json"], arguments].concat()).await;
    let printed = if output.status.success() { &output.stdout } else { &output.stderr };
    let code = output.status.code().expect("an exit code");
    (code, serde_json::from_slice(printed).unwrap_or(Value::Null))
}

async fn kill(world: &World, kind: &str, name: &str) -> Value {
    let (code, answer) = deputy(world, &["kill", kind, name, "--yes"]).await;
    assert_eq!((code, &answer["changed"]), (0, &json!(true)), "{kind} {name}: {answer}");
    answer
}

/// A task token of the assistant and an access token that came of it.
async fn issue(world: &World, base: &str, user: &str) -> [String; 2] {
    let assistant = world.caller("assistant");
    let id_token = world.id_token(user);
    let task = assistant.sign_in(base, &id_token, world.issuer(), "tickets:search").await.token();
    let access = assistant.exchange(base, &task, "tickets", "tickets:search").await.token();
    [task, access]
}

async fn begin(world: &World, base: &str, user: &str) -> Answer {
    world.caller("assistant").sign_in(base, &world.id_token(user), world.issuer(), "tickets:search").await
}

async fn is_active(world: &World, base: &str, token: &str) -> bool {
    world.caller("tickets-api").introspect(base, token).await.is_active()
}

on_both_databases! {
    async fn a_kill_stands_until_it_is_lifted(backend: Backend) {
        let world = World::new(backend).await;
        let mut server = world.start().await;
        let [task, access] = issue(&world, &server.base, "ann").await;
        assert!(is_active(&world, &server.base, &access).await);

        let (code, _) = deputy(&world, &["kill", "client", "assistant"]).await;
        assert_eq!(code, 2, "nobody can be asked");
        let (_, drill) = deputy(&world, &["kill", "client", "assistant", "--drill"]).await;
        assert_eq!(drill["tasks"], 1, "{drill}");
        assert!(is_active(&world, &server.base, &access).await, "neither wrote anything");

        kill(&world, "client", "assistant").await;
        server.kill_9().await;
        let mut server = world.start().await;
        assert!(!is_active(&world, &server.base, &access).await);
        let refused = begin(&world, &server.base, "bob").await;
        assert_eq!((refused.status, refused.refusal().1), (401, "invalid_client"), "{}", refused.text);
        let (code, again) = deputy(&world, &["kill", "client", "assistant", "--yes"]).await;
        assert_eq!((code, &again["changed"]), (0, &json!(false)));

        let (code, lifted) = deputy(&world, &["lift", "client", "assistant"]).await;
        assert_eq!((code, &lifted["changed"]), (0, &json!(true)));
        assert!(lifted["logins_after"].is_string(), "{lifted}");
        assert!(!is_active(&world, &server.base, &access).await, "nothing comes back");
        let spent = world.caller("assistant").exchange(&server.base, &task, "tickets", "tickets:search").await;
        assert_ne!(spent.status, 200);
        let (_, stops) = deputy(&world, &["stops"]).await;
        let stop = &stops["stops"][0];
        assert_eq!((&stop["kind"], &stop["stands"]), (&json!("client"), &json!(false)), "{stops}");
        server.stop().await;
        world.finish().await;
    }
}

on_both_databases! {
    async fn what_was_never_met_can_be_stopped(backend: Backend) {
        let world = World::new(backend).await;
        let mut server = world.start().await;
        let provider = world.provider();
        let answer = kill(&world, "user", &format!("{provider}|never-seen")).await;
        assert_eq!(answer["known"], false, "{answer}");
        let refused = begin(&world, &server.base, "never-seen").await;
        assert_eq!(refused.refusal().1, "invalid_request", "{}", refused.text);
        assert_eq!(begin(&world, &server.base, "ann").await.status, 200);
        let answer = kill(&world, "class", "a-class-that-comes-later").await;
        assert_eq!(answer["known"], false, "{answer}");

        for (kind, name) in [
            ("user", "no-issuer"),
            ("user", "|no-issuer"),
            ("session", "no-issuer"),
            ("workload", "https://workloads.example|"),
            ("relying-party", "|booking-app"),
            ("agent", "assistant"),
            ("task", "not-a-task"),
            ("client", ""),
            ("target", ""),
        ] {
            for verb in ["kill", "lift"] {
                // No stop of a task stands that a lift could be about.
                let (yes, is_lift_of_task) = (["--yes"], verb == "lift" && kind == "task");
                let yes: &[&str] = if verb == "kill" { &yes } else { &[] };
                let (code, answer) = deputy(&world, &[&[verb, kind, name], yes].concat()).await;
                assert_eq!(code, if is_lift_of_task { 1 } else { 2 }, "{verb} {kind} `{name}`: {answer}");
            }
        }
        let (code, answer) = deputy(&world, &["kill", "agent", "assistant", "--drill"]).await;
        assert_eq!((code, &answer["error"]), (2, &json!("invalid_request")), "{answer}");
        for (verb, name) in [("agent", "not-an-agent"), ("task", "not-a-task")] {
            let (code, _) = deputy(&world, &[verb, "show", name]).await;
            assert_eq!(code, 3, "the verbs about {verb}s say that there is none");
        }
        let (code, _) = deputy(&world, &["lift", "task", "anything"]).await;
        assert_eq!(code, 1, "the end of a task is final");
        server.stop().await;
        world.finish().await;
    }
}

on_both_databases! {
    async fn a_final_state_is_refused(backend: Backend) {
        let world = World::new(backend).await;
        let mut server = world.start().await;
        issue(&world, &server.base, "ann").await;
        let (_, agents) = deputy(&world, &["agent", "list"]).await;
        let agent = agents["agents"][0]["agent"].as_str().expect("an agent").to_owned();
        let (code, _) = deputy(&world, &["agent", "kill", &agent]).await;
        assert_eq!(code, 0);
        for verb in ["resume", "suspend", "retire"] {
            let (code, answer) = deputy(&world, &["agent", verb, &agent]).await;
            assert_eq!(code, 1, "{verb}: {answer}");
        }
        let (_, trace) = deputy(&world, &["audit", "trace", "--agent", &agent]).await;
        let rows: Vec<&Value> =
            trace["rows"].as_array().expect("rows").iter().map(|found| &found["row"]).collect();
        let states: Vec<_> = rows.into_iter().filter(|row| row["event"] == "agent_state").collect();
        assert_eq!(states.len(), 4, "{trace}");
        assert!(states[1..].iter().all(|row| row["outcome"] == "refused" && row["cause"] == "agent_final"));
        let (code, _) = deputy(&world, &["agent", "kill", "agent_unknown"]).await;
        assert_eq!(code, 3);
        server.stop().await;
        world.finish().await;
    }
}

on_both_databases! {
    async fn every_way_to_end_a_task_is_on_its_record(backend: Backend) {
        let world = World::new(backend).await;
        let mut server = world.start().await;
        let mut tasks = Vec::new();
        for user in ["ann", "bob"] {
            let answer = begin(&world, &server.base, user).await;
            tasks.push(answer.task());
        }
        kill(&world, "user", &format!("{}|ann", world.provider())).await;
        assert_eq!(deputy(&world, &["kill", "task", &tasks[1], "--yes"]).await.0, 0);
        for (task, why) in [(&tasks[0], "kill_switch"), (&tasks[1], "operator")] {
            let end = ended(&world, task).await;
            assert_eq!(end["why"], why, "{end}");
            let (_, shown) = deputy(&world, &["task", "show", task]).await;
            assert_eq!(shown["is_live"], false, "{shown}");
        }
        let (_, agents) = deputy(&world, &["agent", "list"]).await;
        let agent = agents["agents"][0]["agent"].as_str().expect("an agent").to_owned();
        let (_, told) = deputy(&world, &["agent", "explain", &agent]).await;
        let text = told["text"].as_str().expect("a text");
        for task in &tasks {
            assert!(text.contains(&format!("task {task} ended")), "{text}");
        }
        server.stop().await;
        world.finish().await;
    }
}

/// The row of the trace that ended this task; it is written within seconds.
async fn ended(world: &World, task: &str) -> Value {
    for _ in 0..100 {
        let (_, trace) = deputy(world, &["audit", "trace", "--task", task]).await;
        let is_end = |row: &&Value| row["event"] == "tasks_end" || row["event"] == "task_end";
        let mut rows = trace["rows"].as_array().expect("rows").iter().map(|found| &found["row"]);
        if let Some(row) = rows.find(is_end) {
            return row.clone();
        }
        tokio::time::sleep(std::time::Duration::from_millis(100)).await;
    }
    panic!("task {task} has no end on record");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_kill_at_one_process_holds_at_the_other_on_postgres() {
    if !Backend::is_postgres_there() {
        return;
    }
    let mut world = World::new(Backend::Postgres).await;
    let second = world.add_node();
    let mut nodes = [world.start().await, world.start_node(second, &[]).await.expect("a second process")];
    for (kind, name) in [("target", "tickets"), ("relying-party", "booking-app"), ("provider", "")] {
        let provider = world.provider();
        let name = match kind {
            "relying-party" => format!("{provider}|{name}"),
            "provider" => provider,
            _ => name.to_owned(),
        };
        let [_, access] = issue(&world, &nodes[1].base, "ann").await;
        assert!(is_active(&world, &nodes[1].base, &access).await);
        kill(&world, kind, &name).await;
        assert!(!is_active(&world, &nodes[1].base, &access).await, "{kind}");
        let refused = world
            .caller("assistant")
            .sign_in(&nodes[1].base, &world.id_token("bob"), "tickets", "tickets:search")
            .await;
        assert_eq!(refused.status, 400, "{kind}: {}", refused.text);
        if kind == "target" {
            assert_eq!(refused.refusal().1, "invalid_target");
            assert_eq!(deputy(&world, &["lift", kind, &name]).await.0, 0);
        } else {
            break;
        }
    }
    stop_all(&mut nodes).await;
    world.finish().await;
}

async fn stop_all(nodes: &mut [Server]) {
    for node in nodes {
        node.stop().await;
    }
}

on_both_databases! {
    async fn agents_are_released_after_a_restart_too(backend: Backend) {
        const LEFT: &str = "SELECT count(*) FROM agent WHERE state = 'active' AND lifetime = 'task'";
        let world = World::new(backend).await;
        let mut server = world.start().await;
        let [assistant, age] = ["assistant", "age-agent"].map(|id| world.caller(id));
        // The background work comes once a second, and may by chance be done before the process is killed.
        let mut left = 0;
        for _ in 0..3 {
            let base = server.base.clone();
            let begun = assistant.sign_in(&base, &world.id_token("ann"), world.issuer(), "tickets:search age_over_18").await;
            let handed_on = assistant.exchange(&base, &begun.token(), "age-agent", "age_over_18").await.token();
            for _ in 0..10 {
                let workloads: Vec<String> = (0..20).map(|_| world.workload_token()).collect();
                let hops = workloads.iter().map(|workload| age.exchange_as(&base, &handed_on, workload, "tickets", "age_over_18"));
                for answer in futures_util::future::join_all(hops).await {
                    assert_eq!(answer.status, 200, "{}", answer.text);
                }
            }
            assert_eq!(deputy(&world, &["task", "end", &begun.task()]).await.0, 0);
            server.kill_9().await;
            left = world.number(LEFT).await;
            server = world.start().await;
            let (_, shown) = deputy(&world, &["agent", "list"]).await;
            let agents = shown["agents"].as_array().expect("agents");
            let active = agents.iter().filter(|agent| agent["state"] == "active").count();
            assert_eq!(active, 1, "only the assistant's own agent: {shown}");
            if left > 0 {
                break;
            }
        }
        assert!(left > 0, "the process was never killed half way");
        for _ in 0..100 {
            if world.number(LEFT).await == 0 {
                break;
            }
            tokio::time::sleep(std::time::Duration::from_millis(100)).await;
        }
        assert_eq!(world.number(LEFT).await, 0);
        assert!(world.deputy(&["audit", "verify"]).await.status.success());
        server.stop().await;
        world.finish().await;
    }
}

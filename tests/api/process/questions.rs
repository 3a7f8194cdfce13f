//! What the commands that stop something ask on a terminal, and what comes of each answer.

use crate::process_support::server::command;
use crate::process_support::terminal::Terminal;
use crate::process_support::{Backend, Server, World};

const QUESTION: &str = "Stop? [y/N]";

/// How the operator answers.
#[derive(Clone, Copy, Debug)]
enum Reply {
    Line(&'static str),
    EndOfInput,
}

/// Runs a command in a terminal and answers its question: its exit code and everything that it showed.
async fn ask(world: &World, line: &str, reply: Reply) -> (i32, String) {
    let words: Vec<&str> = line.split(' ').collect();
    let mut terminal = Terminal::run(command(world.config(), &words, &[]));
    terminal.until(QUESTION).await;
    match reply {
        Reply::Line(text) => terminal.enter(text),
        Reply::EndOfInput => terminal.end_input(),
    }
    let code = terminal.ended().await;
    (code, terminal.shown())
}

/// An access token of a new task of the assistant, and the task.
async fn begin(world: &World, server: &Server, user: &str) -> (String, String) {
    let assistant = world.caller("assistant");
    let begun =
        assistant.sign_in(&server.base, &world.id_token(user), world.issuer(), "tickets:search").await;
    let token = assistant.exchange(&server.base, &begun.token(), "tickets", "tickets:search").await.token();
    (begun.task(), token)
}

async fn is_active(world: &World, server: &Server, token: &str) -> bool {
    world.caller("tickets-api").introspect(&server.base, token).await.is_active()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn on_a_terminal_a_stop_says_what_it_ends_and_only_yes_stops() {
    let world = World::new(Backend::Sqlite).await;
    let mut server = world.start().await;
    let (task, token) = begin(&world, &server, "ann").await;
    let (_, of_bob) = begin(&world, &server, "bob").await;
    let user = format!("kill user {}|bob", world.provider());
    let task = format!("kill task {task}");
    for (line, told, stopped) in [
        (&*user, "This ends 1 task and stops 0 agents.", &of_bob),
        (&*task, "This ends the task with all its tokens. It cannot be lifted.", &token),
    ] {
        for reply in [Reply::Line("n"), Reply::Line(""), Reply::Line("yes, please"), Reply::EndOfInput] {
            let (code, shown) = ask(&world, line, reply).await;
            assert_eq!(code, 1, "{line} {reply:?}: {shown}");
            assert!(shown.contains(told) && shown.contains("nothing was stopped"), "{reply:?}: {shown}");
            assert!(is_active(&world, &server, stopped).await, "{line} {reply:?}");
        }
        let (code, shown) = ask(&world, line, Reply::Line("y")).await;
        assert_eq!(code, 0, "{line}: {shown}");
        assert!(shown.contains(told) && !shown.contains("nothing was stopped"), "{shown}");
        assert!(!is_active(&world, &server, stopped).await, "{line}");
    }
    server.stop().await;
    world.finish().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn on_a_terminal_the_end_of_an_agent_is_asked_for_because_it_is_final() {
    for verb in ["retire", "kill"] {
        let world = World::new(Backend::Sqlite).await;
        let mut server = world.start().await;
        let (_, token) = begin(&world, &server, "ann").await;
        let listed = world.deputy(&["--json", "agent", "list"]).await.stdout;
        let listed: serde_json::Value = serde_json::from_slice(&listed).unwrap();
        let agent = listed["agents"][0]["agent"].as_str().expect("an agent");
        let line = format!("agent {verb} {agent}");

        let (code, shown) = ask(&world, &line, Reply::Line("N")).await;

        assert_eq!(code, 1, "{shown}");
        assert!(shown.contains("This ends 1 task and stops 1 agent. It is final."), "{shown}");
        assert!(shown.contains("nothing was stopped"), "{shown}");
        assert!(is_active(&world, &server, &token).await);

        let (code, shown) = ask(&world, &line, Reply::Line("yes")).await;

        assert_eq!(code, 0, "{shown}");
        assert!(!is_active(&world, &server, &token).await);
        server.stop().await;
        world.finish().await;
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn on_a_terminal_too_nothing_is_asked_with_yes_or_of_a_drill() {
    let world = World::new(Backend::Sqlite).await;
    let mut server = world.start().await;
    let (_, token) = begin(&world, &server, "ann").await;
    for (line, is_stopped) in [
        ("kill client assistant --drill", false),
        ("kill client nobody! --drill", false),
        ("kill client assistant --yes", true),
    ] {
        let words: Vec<&str> = line.split(' ').collect();
        let mut terminal = Terminal::run(command(world.config(), &words, &[]));
        let code = terminal.ended().await;
        assert_eq!(code, 0, "{line}: {}", terminal.shown());
        assert!(!terminal.shown().contains(QUESTION), "{}", terminal.shown());
        assert_eq!(is_active(&world, &server, &token).await, !is_stopped, "{line}");
    }
    server.stop().await;
    world.finish().await;
}

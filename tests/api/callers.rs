//! The pages of `docs/callers`: each configuration on them loads, and each request that a caller's public sources build
//! (`tests/callers/requests`) is sent as it is to the real binary, which runs with the configuration of that caller's
//! page. `tests/callers/table` prints what came of each.

mod page;
mod request;
mod stage;

use page::Page;
use request::Recorded;
use stage::Stage;

/// Sends the recorded requests of one caller to a Deputy that is configured as the caller's page says.
async fn plays(name: &str) {
    let recorded = Recorded::of(name);
    let page = Page::of(name);
    for request in &recorded.requests {
        let stage = Stage::set(page.configuration(request.configuration)).await;
        let mut server = stage.world.start().await;
        let answer = stage.send(&server, request).await;
        request.came_as_expected(&answer);
        if let Some(cause) = request.cause() {
            assert_eq!(stage.audited_cause(&answer).await, cause, "{}: {}", request.name, answer.text);
        }
        println!("| {} | {} | {} |", recorded.caller, request.name, request.outcome());
        server.stop().await;
        stage.world.finish().await;
    }
}

/// A test for each caller whose requests are recorded.
macro_rules! played {
    ($($(#[$meta:meta])* $name:ident: $file:literal,)*) => {
        $(
            $(#[$meta])*
            #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
            async fn $name() {
                plays($file).await;
            }
        )*

        /// The callers that are played, by the names of their pages.
        const PLAYED: &[&str] = &[$($file),*];
    };
}

played! {
    agentcore: "agentcore",
    agentgateway: "agentgateway",
    authbridge: "authbridge",
    aws: "aws",
    azure: "azure",
    bifrost: "bifrost",
    contextforge: "contextforge",
    gcp: "gcp",
    github_actions: "github-actions",
    gitlab: "gitlab",
    google_auth: "google-auth",
    kagent: "kagent",
    keycard: "keycard",
    kubernetes: "kubernetes",
    kubernetes_mcp_server: "kubernetes-mcp-server",
    libraries: "libraries",
    litellm: "litellm",
    spiffe: "spiffe",
    spring_security: "spring-security",
    toolhive: "toolhive",
    vault: "vault",
}

#[test]
fn every_configuration_on_a_page_loads() {
    for name in Page::names() {
        for configuration in Page::of(&name).configurations() {
            let directory = tempfile::tempdir().unwrap();
            let text = configuration.on_disk(directory.path());
            if let Err(error) = deputy::testing::Config::parse(&text, directory.path()) {
                panic!("docs/callers/{name}.md: {error}");
            }
        }
    }
}

#[test]
fn every_recorded_caller_is_played_on_a_page_of_its_own() {
    let recorded: Vec<String> = Recorded::names();
    let played: Vec<&str> = PLAYED.to_vec();
    assert_eq!(recorded, played);
    for name in recorded {
        assert!(Page::names().contains(&name), "docs/callers/{name}.md");
    }
}

#[test]
fn the_table_of_the_pages_says_what_the_requests_come_to() {
    let table = std::fs::read_to_string(page::directory().join("README.md")).unwrap();
    for name in Recorded::names() {
        let recorded = Recorded::of(&name);
        for request in &recorded.requests {
            let row =
                format!("| [{}]({name}.md) | {} | {} |", recorded.caller, request.name, request.outcome());
            assert!(table.contains(&row), "docs/callers/README.md has no row\n{row}");
        }
    }
}

#[test]
fn every_page_is_in_the_table() {
    let table = std::fs::read_to_string(page::directory().join("README.md")).unwrap();
    for name in Page::names() {
        assert!(
            table.contains(&format!("]({name}.md)")),
            "docs/callers/README.md does not lead to {name}.md"
        );
    }
}

//! Who may exchange what, and as whom.

use crate::expect::{ACTOR, NOT_ONWARD, SUBJECT, actors, malformed, refuses};
use crate::harness::{Cases, case};
use crate::world::{Setup, World, claims_of};

pub fn cases() -> Cases {
    vec![
        case("8693-F-04", the_actor_is_an_agent_this_client_may_present),
        case("8693-F-05", a_token_is_exchanged_by_those_it_belongs_to),
        case("8693-F-06", an_audience_exchanges_onward_only_where_registered),
        case("8693-F-09", no_agent_is_in_a_chain_twice),
        case("AGD-02", a_token_is_exchanged_by_those_it_belongs_to),
        case("AGD-06", an_audience_exchanges_onward_only_where_registered),
    ]
}

/// The actor is any agent that this client may present. Nomination of another actor is not built yet.
async fn the_actor_is_an_agent_this_client_may_present() {
    let world = World::start(Setup::default()).await;
    let planner = || world.workload_token("planner").sign();
    let answer = world.tx().actor(&planner()).send().await;
    assert_eq!(actors(&answer.claims()), [world.agent_of_workload("workload-planner").to_string()]);

    // A valid token of an agent whose class lists another client.
    let other = world.workload_token("age").sign();
    let request = world.tx().actor(&other);
    refuses(&world, "another client's class", request, ACTOR, "class_not_for_client").await;
    let id_token = world.id_token().claim("aud", "other-app").sign();
    let request = world.tx().set("subject_token", &id_token).by_assertion("stranger").actor(&planner());
    refuses(&world, "by another client", request, ACTOR, "class_not_for_client").await;
    let unknown = world.workload_token("gardener").sign();
    refuses(&world, "no class at all", world.tx().actor(&unknown), ACTOR, "no_class").await;

    // An agent belongs to the client that first presented it, though its class lists both.
    let setup = Setup::default().replace(
        "lifetime = \"principal\"\nclients = [\"assistant\"]",
        "lifetime = \"principal\"\nclients = [\"assistant\", \"basic-app\"]",
    );
    let world = World::start(setup).await;
    let planner = || world.workload_token("planner").sign();
    world.tx().actor(&planner()).send().await.granted();
    let request = world.tx().basic("basic-app").actor(&planner());
    refuses(&world, "first seen elsewhere", request, ACTOR, "other_clients_agent").await;
}

async fn a_token_is_exchanged_by_those_it_belongs_to() {
    let world = World::start(Setup::default()).await;
    let task = world.task_token().await;
    let files = world.files_from(&task).await;

    // In the hands of any other registered client.
    for client in ["stranger", "age-agent", "svc1"] {
        let request = world.onward(client, &task, "tickets", "tickets:search");
        refuses(&world, client, request, SUBJECT, "not_yours").await;
        let request = world.onward(client, &files, "https://archive.example/", "files.read");
        refuses(&world, client, request, SUBJECT, "not_yours").await;
    }
    let request = world.onward("files-service", &task, "https://archive.example/", "files.read");
    refuses(&world, "a task token by an audience", request, SUBJECT, "not_yours").await;

    // Its own client, but another agent of it.
    let planner = world.workload_token("planner").sign();
    let request = world.onward("assistant", &task, "tickets", "tickets:search").actor(&planner);
    refuses(&world, "another agent of the client", request, SUBJECT, "not_yours").await;

    // Only task tokens are continued: an access token in its own actor's hands is refused as well.
    for target in ["https://archive.example/", "https://files.example/", "tickets"] {
        let request = world.onward("assistant", &files, target, "files.read");
        refuses(&world, "by its own actor", request, SUBJECT, "not_yours").await;
    }

    world.onward("assistant", &task, "tickets", "tickets:search").send().await.granted();
    world.onward_tx(&files).send().await.granted();
}

/// A requester that is not registered gets the same answer as for a bad subject token.
async fn an_audience_exchanges_onward_only_where_registered() {
    let world = World::start(Setup::default()).await;
    let files = world.files_token().await;
    world.onward_tx(&files).send().await.granted();
    for other in ["tickets", "deep1"] {
        let request = world.onward_tx(&files).set("audience", other).set("scope", "files.read");
        refuses(&world, "not listed", request, NOT_ONWARD, "target_not_onward").await;
    }

    // The same server, no longer registered for its target's tokens.
    let world = World::start(
        Setup::default()
            .replace("exchange_client = \"files-service\"\n", "")
            .replace("onward = [\"https://archive.example/\"]\n", ""),
    )
    .await;
    let files = world.files_token().await;
    refuses(&world, "not registered", world.onward_tx(&files), SUBJECT, "not_yours").await;

    // Registered for one target, holding another's token.
    let world = World::start(Setup::default()).await;
    let archive = world.onward_tx(&world.files_token().await).send().await.granted();
    refuses(&world, "another target's", world.onward_tx(&archive), SUBJECT, "not_yours").await;
    // A resource server that may introspect a token may not therefore exchange it.
    let agent = "secret_file = \"secrets/tickets-api\"";
    let world =
        World::start(Setup::default().replace(agent, &format!("{agent}\nmay_act_as_agent = true"))).await;
    let tickets = world.tx().send().await.granted();
    assert!(world.is_active(&tickets).await);
    let request = world.onward("assistant", &tickets, "tickets", "tickets:search").basic("tickets-api");
    refuses(&world, "a mere resource server", request, SUBJECT, "not_yours").await;
}

/// `act.sub` cannot be `sub`: no provider's subject that looks like an agent is taken (9068-5-02).
async fn no_agent_is_in_a_chain_twice() {
    let world = World::start(Setup::default()).await;
    let task = world.task_token().await;
    let first = world.onward("assistant", &task, "deep1", "deep").send().await.granted();
    let second = world.onward("svc1", &first, "deep2", "deep").send().await.granted();
    let third = world.onward("svc2", &second, "deep1", "deep").send().await.granted();
    assert_eq!(actors(&claims_of(&third)).len(), 3);
    let request = world.onward("svc1", &third, "deep2", "deep");
    refuses(&world, "svc1 again", request, malformed("chain_loop"), "chain_loop").await;

    let agent = world.agent_of("assistant").to_string();
    let token = world.id_token().claim("sub", agent.as_str()).sign();
    let request = world.tx().set("subject_token", &token);
    refuses(&world, "an agent as subject", request, SUBJECT, "subject").await;
}

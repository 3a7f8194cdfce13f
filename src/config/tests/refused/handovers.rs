//! What is wrong with the agents that others may bring in.

use super::check;

#[test]
fn whom_an_agent_may_bring_in_is_a_class_or_the_own_agent_of_a_client() {
    let of_client = "delegates_to = [\"age-verification\", \"courier\", \"client:agent-b\"]";
    check(&[
        (of_client, "delegates_to = [\"couriers\"]", "names `couriers`, and there is no such class"),
        (of_client, "delegates_to = [\"couriers\"]", "the nearest class or `client:ID` is `courier`"),
        (of_client, "delegates_to = [\"agent-b\"]", "names `agent-b`, and there is no such class"),
        (
            of_client,
            "delegates_to = [\"client:agent-x\"]",
            "names `client:agent-x`, and there is no such class",
        ),
        (of_client, "delegates_to = [\"client\"]", "names `client`, and there is no such class"),
        (of_client, "delegates_to = [\"courier\", \"courier\"]", "names `courier` twice"),
        ("name = \"courier\"", "name = \"client:courier\"", "begins with `client:`"),
        ("[tokens]", "[tasks]\naccept_within_seconds = 0\n[tokens]", "accept_within_seconds"),
    ]);
}

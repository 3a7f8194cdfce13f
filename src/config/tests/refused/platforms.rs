//! What is wrong with clients that authenticate by the credential of their agents' platform.

use super::check;

#[test]
fn a_client_of_a_platform_has_no_credential_of_its_own_and_a_class_to_itself() {
    let alone = "authentication = \"workload\"";
    check(&[
        (
            alone,
            "authentication = \"workload\"\njwks_file = \"a\"",
            "this one has that of its agents' platform",
        ),
        (
            alone,
            "authentication = \"workload\"\nsecret_file = \"a\"",
            "this one has that of its agents' platform",
        ),
        (
            "clients = [\"couriers\"]",
            "clients = [\"assistant\"]",
            "no class of a workload issuer lists the client",
        ),
        (
            "clients = [\"couriers\"]",
            "clients = [\"assistant\", \"couriers\"]",
            "authenticates by the credential of its platform, and `assistant`, which does not",
        ),
    ]);
}

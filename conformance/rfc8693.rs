//! RFC 8693: core-exchange A.

use crate::harness::{Cases, case};
use crate::world::{Setup, World};

/// The cases of this file.
pub fn cases() -> Cases {
    vec![case("8693-2.1-01", an_exchange_is_a_form_posted_to_the_token_endpoint)]
}

async fn an_exchange_is_a_form_posted_to_the_token_endpoint() {
    let world = World::start(Setup::default()).await;

    world.tx().send().await.granted();

    let in_query = format!("/token?{}", world.tx().encoded());
    let answer = world.form(&in_query).send().await;
    answer.refused(401, "invalid_client");
}

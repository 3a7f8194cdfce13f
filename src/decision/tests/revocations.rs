//! Who may revoke what.

use super::*;

#[test]
fn a_client_revokes_its_own_tokens_and_by_a_task_token_the_task() {
    let mine = ClientId::new("assistant");
    let access = super::super::fixtures::delegation(TokenKind::Access, "tickets", "tickets:search");
    let token = super::super::fixtures::delegation(TokenKind::Task, DEPUTY, "tickets:search");
    let task = super::super::fixtures::lineage(&Scene::first_hop().world, token.clone()).task;
    let ends =
        |client: &ClientId, token| revocation(client, None, token, Some(&task)).map(|revoked| revoked.ends);
    assert_eq!(ends(&mine, &access), Ok(Ends::Token));
    assert_eq!(ends(&mine, &token), Ok(Ends::Task));
    assert_eq!(ends(&ClientId::new("other"), &token), Err(Plain::TokenOfOtherClient));
}

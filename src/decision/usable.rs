//! Whether a resource server may use a token that was presented to it.

use crate::base::time::Timestamp;
use crate::config::Config;
use crate::delegation::record::{Lineage, TokenKind, live};
use crate::oauth::ClientId;

/// Whether the token is active for this resource server (RFC 7662 §2.2): an access token for its target, issued
/// to a client that is still registered, and still valid. The resource server cannot tell why any
/// other token is inactive.
pub fn is_active_for(config: &Config, server: &ClientId, lineage: &Lineage, now: Timestamp) -> bool {
    let token = &lineage.delegation;
    let is_its_target = config
        .registry
        .targets
        .get(&token.target)
        .is_some_and(|target| target.resource_server.as_ref() == Some(server));
    token.kind == TokenKind::Access
        && is_its_target
        && config.registry.clients.contains_key(&token.client)
        && live(lineage, now).is_ok()
}

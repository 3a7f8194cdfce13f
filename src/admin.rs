//! The admin socket and what its verbs do. Whoever may open the socket is the operator.

use actix_web::web;

/// The routes of the socket.
pub fn routes(routes: &mut web::ServiceConfig) {
    let _ = routes;
}

//! One path of a listener. All of them are in [`super::routes`].

use actix_web::guard::{Any, Get, Head, Post};
use actix_web::middleware::from_fn;
use actix_web::{Route as Handled, web};

use super::manage::operator;

/// Where a path is served.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Place {
    /// On the public listener, below the issuer's path.
    Issuer,
    /// On the public listener, between the host and the issuer's path (RFC 8414 §3).
    WellKnown,
    /// On the public listener, between the host and the issuer's path as RFC 8414 §5 has it, and below the issuer's path
    /// as OpenID Connect Discovery §4 has it.
    Discovery,
    /// On the management listener.
    Management,
    /// On the admin socket.
    Admin,
}

/// The method of a path.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Method {
    /// `GET`
    Get,
    /// `GET`, and `HEAD` for the header alone.
    GetOrHead,
    /// `POST`
    Post,
}

/// One path with what it takes and who answers.
pub struct Route {
    /// Where it is served.
    pub place: Place,
    pub method: Method,
    /// Its path, beginning with a slash.
    pub path: &'static str,
    /// Its member in the metadata document; a public path without one is not announced there.
    pub member: Option<&'static str>,
    /// Whether clients authenticate here, so that the metadata announces how.
    pub has_clients: bool,
    /// Adds who answers to actix's route.
    pub handler: fn(Handled) -> Handled,
    /// Who answers another method.
    pub other_method: Option<fn() -> Handled>,
}

impl Route {
    /// The path with the issuer's path where it belongs, each of its places once.
    pub fn paths(&self, issuer_path: &str) -> Vec<String> {
        let below = || format!("{issuer_path}{}", self.path);
        let between = || format!("{}{issuer_path}", self.path);
        match self.place {
            Place::Issuer => vec![below()],
            Place::WellKnown => vec![between()],
            Place::Discovery if issuer_path.is_empty() => vec![between()],
            Place::Discovery => vec![between(), below()],
            Place::Management | Place::Admin => vec![self.path.to_owned()],
        }
    }

    /// Adds this path to a listener. Another method gets the reply of the endpoint, and where it has none, the
    /// path is not found.
    pub fn mount(&self, services: &mut web::ServiceConfig, issuer_path: &str) {
        for path in self.paths(issuer_path) {
            self.mount_at(services, &path);
        }
    }

    fn mount_at(&self, services: &mut web::ServiceConfig, path: &str) {
        let route = match self.method {
            Method::Get => web::route().guard(Get()),
            Method::GetOrHead => web::route().guard(Any(Get()).or(Head())),
            Method::Post => web::route().guard(Post()),
        };
        let mut route = (self.handler)(route);
        if self.place == Place::Admin && self.method == Method::Post {
            route = route.wrap(from_fn(operator::act));
        }
        match self.other_method {
            Some(other) => {
                services.service(web::resource(path.to_owned()).route(route).default_service(other()))
            }
            None => services.route(path, route),
        };
    }
}

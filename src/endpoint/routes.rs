//! Every path that is served: the one table that the listeners and the metadata are built from.

use actix_web::{Route as Handled, web};

use super::forms::{self, FormEndpoint};
use super::introspect::Introspection;
use super::manage::{act, audit, clock, explain, profile, show, stop, user};
use super::revoke::Revocation;
use super::route::{Method, Place, Route};
use super::token::Token;
use super::{health, metadata};

/// An endpoint that takes a form from a client.
const fn form<E: FormEndpoint>(path: &'static str, member: &'static str) -> Route {
    Route {
        place: Place::Issuer,
        method: Method::Post,
        path,
        member: Some(member),
        has_clients: true,
        handler: |route| route.to(forms::post::<E>),
        other_method: Some(|| web::to(forms::other_method::<E>)),
    }
}

/// A public document.
const fn document(
    place: Place,
    path: &'static str,
    member: Option<&'static str>,
    handler: fn(Handled) -> Handled,
) -> Route {
    Route {
        method: Method::GetOrHead,
        member,
        other_method: Some(|| web::to(metadata::other_method)),
        ..plain(place, Method::Get, path, handler)
    }
}

/// A path of the management listener. Load balancers ask by `HEAD` too.
const fn probes(path: &'static str, handler: fn(Handled) -> Handled) -> Route {
    plain(Place::Management, Method::GetOrHead, path, handler)
}

/// A verb of the admin socket that only reads.
const fn reads(path: &'static str, handler: fn(Handled) -> Handled) -> Route {
    plain(Place::Admin, Method::Get, path, handler)
}

/// A verb of the admin socket that changes something.
const fn changes(path: &'static str, handler: fn(Handled) -> Handled) -> Route {
    plain(Place::Admin, Method::Post, path, handler)
}

const fn plain(place: Place, method: Method, path: &'static str, handler: fn(Handled) -> Handled) -> Route {
    Route { place, method, path, member: None, has_clients: false, handler, other_method: None }
}

/// Every route.
#[rustfmt::skip]
pub static ROUTES: &[Route] = &[
    form::<Token>("/token", "token_endpoint"),
    form::<Introspection>("/introspect", "introspection_endpoint"),
    form::<Revocation>("/revoke", "revocation_endpoint"),
    document(Place::Issuer, "/jwks", Some("jwks_uri"), |route| route.to(metadata::jwks)),
    document(Place::WellKnown, "/.well-known/oauth-authorization-server", None, |route| route.to(|app, request| metadata::metadata(app, request, ROUTES))),
    document(Place::Discovery, "/.well-known/openid-configuration", None, |route| route.to(|app, request| metadata::metadata(app, request, ROUTES))),

    probes("/healthz", |route| route.to(health::healthz)),
    probes("/readyz", |route| route.to(health::readyz)),
    probes("/metrics", |route| route.to(health::metrics)),

    reads("/agents", |route| route.to(show::agents)),
    reads("/agents/{id}", |route| route.to(show::agent)),
    reads("/agents/{id}/explain", |route| route.to(explain::agent)),
    changes("/agents/{id}/profile", |route| route.to(profile::put)),
    changes("/agents/{id}/retire", |route| route.to(act::retire_agent)),
    changes("/agents/{id}/kill", |route| route.to(act::kill_agent)),
    changes("/agents/{id}/suspend", |route| route.to(act::suspend_agent)),
    changes("/agents/{id}/resume", |route| route.to(act::resume_agent)),
    reads("/tasks", |route| route.to(show::tasks)),
    reads("/tasks/{id}", |route| route.to(show::task)),
    changes("/tasks/{id}/end", |route| route.to(act::end_task)),
    reads("/stops", |route| route.to(stop::list)),
    changes("/stops", |route| route.to(stop::post)),
    changes("/stops/count", |route| route.to(stop::count)),
    changes("/lifts", |route| route.to(stop::lift)),
    reads("/subjects", |route| route.to(user::show)),
    changes("/subjects/end", |route| route.to(act::end_subject)),
    reads("/keys", |route| route.to(show::keys)),
    changes("/keys/refresh", |route| route.to(act::refresh_keys)),
    changes("/keys/rotate", |route| route.to(act::rotate_keys)),
    changes("/keys/{kid}/revoke", |route| route.to(act::revoke_key)),
    reads("/audit/trace", |route| route.to(audit::trace)),
    reads("/audit/list", |route| route.to(audit::list_rows)),
    reads("/audit/chains", |route| route.to(audit::chains)),
    reads("/audit/rows", |route| route.to(audit::rows)),
    changes("/clock/reset", |route| route.to(clock::reset)),
];

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;

    #[test]
    fn a_path_stands_once_a_method() {
        let paths: BTreeSet<_> = ROUTES.iter().map(|route| (route.path, route.method)).collect();
        assert_eq!(paths.len(), ROUTES.len());
    }

    #[test]
    fn the_issuers_path_comes_before_an_endpoint_and_after_the_well_known_path() {
        let of =
            |path, issuer_path| ROUTES.iter().find(|route| route.path == path).unwrap().paths(issuer_path);
        assert_eq!(of("/token", "/tenant"), ["/tenant/token"]);
        let well_known = "/.well-known/oauth-authorization-server";
        assert_eq!(of(well_known, "/tenant"), [format!("{well_known}/tenant")]);
        let openid = "/.well-known/openid-configuration";
        assert_eq!(of(openid, "/tenant"), [format!("{openid}/tenant"), format!("/tenant{openid}")]);
        assert_eq!(of(openid, ""), [openid]);
        assert_eq!(of("/agents", "/tenant"), ["/agents"]);
    }
}

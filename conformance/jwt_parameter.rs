//! The four parameters that carry a JWT to Deputy. Every rule of RFC 7515, 7519 and 8725 applies to each of them.

use crate::expect::{ACTOR, CLIENT, SUBJECT, Wire, client, is_refused, refuses_as};
use crate::world::{Jwt, Request, World};

/// The parameter in which a JWT is presented, with the kind of token that it takes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum JwtParameter {
    /// `subject_token` of type `…:id_token`.
    IdToken,
    /// `subject_token` of type `…:access_token`: a token that Deputy issued.
    Own,
    /// `actor_token` of type `…:jwt`.
    Actor,
    /// `client_assertion`.
    Assertion,
}

impl JwtParameter {
    /// All of them.
    pub const ALL: [Self; 4] = [Self::IdToken, Self::Own, Self::Actor, Self::Assertion];
    /// Those whose tokens others sign.
    pub const FOREIGN: [Self; 3] = [Self::IdToken, Self::Actor, Self::Assertion];

    /// A good token for this parameter, which a test can change and sign again.
    pub async fn good(self, world: &World) -> Jwt {
        match self {
            Self::IdToken => world.id_token(),
            Self::Own => {
                let issued = world.files_token().await;
                world.taken_apart(&issued).await
            }
            Self::Actor => world.workload_token("planner"),
            Self::Assertion => world.assertion("assistant"),
        }
    }

    /// A request that is good except for `token`.
    pub fn request<'a>(self, world: &'a World, token: &str) -> Request<'a> {
        match self {
            Self::IdToken => world.tx().set("subject_token", token),
            Self::Own => world.onward_tx(token),
            Self::Actor => world.tx().actor(token),
            Self::Assertion => world.tx().with_assertion(token),
        }
    }

    /// The response to a bad token in this parameter.
    pub const fn wire(self) -> Wire {
        match self {
            Self::IdToken | Self::Own => SUBJECT,
            Self::Actor => ACTOR,
            Self::Assertion => CLIENT,
        }
    }

    /// The causes in the audit for `faults`. Client authentication has causes of its own.
    pub fn causes(self, faults: &str) -> String {
        let word = |fault: &str| match (self, fault) {
            (Self::Assertion, "critical_header" | "claim" | "malformed") => "assertion_malformed".to_owned(),
            (Self::Assertion, "issued_ahead" | "not_yet_valid") => "assertion_not_yet_valid".to_owned(),
            (Self::Assertion, "too_old") => "assertion_too_long".to_owned(),
            (Self::Assertion, "subject") => "assertion_issuer|client_unknown".to_owned(),
            (Self::Assertion, fault) => format!("assertion_{fault}"),
            // Of its own tokens Deputy reads only what it needs to find the record, which has the user.
            (Self::Own, "subject") => "never_issued".to_owned(),
            (_, fault) => fault.to_owned(),
        };
        faults.split('|').map(word).collect::<Vec<_>>().join("|")
    }

    /// `token` is refused in this parameter, for one of these faults.
    pub async fn refuses(self, world: &World, what: &str, token: &str, faults: &str) {
        let what = format!("{what} as {self:?}");
        let wire_of = |cause: &str| if self == Self::Assertion { client(cause) } else { self.wire() };
        refuses_as(world, &what, self.request(world, token), wire_of, &self.causes(faults)).await;
    }

    /// `token` passes every check of its form. A token that a test signed in Deputy's name gets as far as the
    /// records, which do not have it.
    pub async fn takes(self, world: &World, what: &str, token: &str) {
        let answer = self.request(world, token).send().await;
        if self == Self::Own {
            is_refused(what, &answer, SUBJECT);
            assert_eq!(answer.audited_cause(world).await, "never_issued", "{what} as {self:?}");
        } else {
            assert_eq!(answer.status, 200, "{what} as {self:?}: {}", answer.text);
        }
    }
}

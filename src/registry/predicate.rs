//! Predicates: yes/no questions over a claim that an identity provider has verified.

use crate::oauth::ScopeToken;

/// The day a birthday of 29 February falls on in other years.
#[derive(
    Clone, Copy, Debug, PartialEq, Eq, Default, serde::Serialize, serde::Deserialize, schemars::JsonSchema,
)]
#[serde(rename_all = "lowercase")]
pub enum LeapDay {
    /// 1 March: never a day too early.
    #[default]
    Mar1,
    /// 28 February.
    Feb28,
}

/// `[[predicate]]`: a yes/no question over a verified claim.
#[derive(Clone, Debug)]
pub struct Predicate {
    /// The scope that asks it, and the claim that answers it.
    pub scope: ScopeToken,
    pub claim: String,
    pub question: Question,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Question {
    /// A birthdate at least so many years ago.
    AtLeastYears { years: u16, leap_day: LeapDay },
    /// The claim equals this value.
    Equals(serde_json::Value),
}

/// Whether tokens and introspection have a claim of this name already, which an answer would overwrite or be taken for.
pub fn is_reserved_claim(name: &str) -> bool {
    matches!(
        name,
        "iss"
            | "sub"
            | "aud"
            | "exp"
            | "nbf"
            | "iat"
            | "jti"
            | "client_id"
            | "scope"
            | "act"
            | "may_act"
            | "txn"
            | "acr"
            | "amr"
            | "auth_time"
            | "cnf"
            | "authorization_details"
            | "sid"
            | "nonce"
            | "active"
            | "token_type"
            | "username"
            | "task"
            | "birthdate"
    )
}

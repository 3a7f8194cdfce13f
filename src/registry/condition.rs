//! Conditions on the claims of a token (`when`): which tokens a class of agents or an `access_token` entry is about.

use serde_json::{Map, Value};

use crate::jose::{Claims, find_claim};

/// `when`: every one of the checks holds. One without checks would hold for every token, and the configuration never
/// makes one.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct When {
    pub all: Vec<ClaimCheck>,
}

/// One check of one claim.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ClaimCheck {
    /// The claim, by name or dotted path.
    pub claim: String,
    pub test: ClaimMatch,
}

/// What a claim has to be. Values are compared with their types.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum ClaimMatch {
    /// This value.
    Equals(Value),
    /// One of these values.
    In(Vec<Value>),
    /// An array that holds this value.
    Contains(Value),
    /// A path below this prefix, which ends with `/`: whole segments, none of them empty, `.` or `..`.
    Under(String),
}

impl When {
    /// Whether verified claims meet every check.
    pub fn holds(&self, claims: &Claims) -> bool {
        self.holds_in(claims.members())
    }

    /// The same for claims that nobody has verified: only to tell an operator what would match.
    pub fn holds_in(&self, claims: &Map<String, Value>) -> bool {
        self.all.iter().all(|check| {
            find_claim(claims, &check.claim).is_some_and(|value| !value.is_null() && check.test.holds(value))
        })
    }
}

impl ClaimMatch {
    fn holds(&self, value: &Value) -> bool {
        match self {
            Self::Equals(wanted) => value == wanted,
            Self::In(listed) => listed.contains(value),
            Self::Contains(wanted) => value.as_array().is_some_and(|values| values.contains(wanted)),
            Self::Under(prefix) => value
                .as_str()
                .and_then(|path| path.strip_prefix(prefix.as_str()))
                .is_some_and(|rest| rest.split('/').all(|segment| !matches!(segment, "" | "." | ".."))),
        }
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn holds(test: ClaimMatch, claims: &Value) -> bool {
        let when = When { all: vec![ClaimCheck { claim: "a.b".to_owned(), test }] };
        when.holds_in(claims.as_object().unwrap())
    }

    #[test]
    fn values_are_compared_with_their_types() {
        assert!(holds(ClaimMatch::Equals(json!(1)), &json!({"a": {"b": 1}})));
        assert!(!holds(ClaimMatch::Equals(json!(1)), &json!({"a": {"b": "1"}})));
        assert!(!holds(ClaimMatch::Equals(json!(null)), &json!({"a": {"b": null}})));
        assert!(!holds(ClaimMatch::Equals(json!(1)), &json!({"a": 1})));
        let listed = ClaimMatch::In(vec![json!("x"), json!(true)]);
        assert!(holds(listed.clone(), &json!({"a.b": true})));
        assert!(!holds(listed.clone(), &json!({"a.b": "true"})));
        assert!(!holds(listed, &json!({"a.b": ["x"]})));
    }

    #[test]
    fn contains_is_about_arrays_alone() {
        let contains = ClaimMatch::Contains(json!("x"));
        assert!(holds(contains.clone(), &json!({"a.b": ["y", "x"]})));
        assert!(!holds(contains.clone(), &json!({"a.b": "x"})));
        assert!(!holds(contains, &json!({"a.b": [["x"]]})));
    }

    #[test]
    fn under_takes_whole_segments_and_no_way_out() {
        let under = |path: &str| holds(ClaimMatch::Under("acme/team/".to_owned()), &json!({"a.b": path}));
        assert!(under("acme/team/app"));
        assert!(under("acme/team/app/sub"));
        for path in
            ["acme/team", "acme/team/", "acme/teammate/app", "acme/team/../other", "acme/team//app", "x"]
        {
            assert!(!under(path), "{path}");
        }
    }

    #[test]
    fn every_check_has_to_hold() {
        let check = |claim: &str, value: Value| ClaimCheck {
            claim: claim.to_owned(),
            test: ClaimMatch::Equals(value),
        };
        let when = When { all: vec![check("x", json!(1)), check("y", json!(2))] };
        assert!(when.holds_in(json!({"x": 1, "y": 2}).as_object().unwrap()));
        assert!(!when.holds_in(json!({"x": 1, "y": 3}).as_object().unwrap()));
        assert!(!when.holds_in(json!({"x": 1}).as_object().unwrap()));
    }
}

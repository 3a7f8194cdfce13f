//! Conditions on the claims of a verified token: what the tokens of a class have in common.

use serde_json::{Map, Value};

use crate::jose::{Claims, find_claim};

/// A condition, which holds if all of its checks do. Without any check it holds for no token: a condition that was
/// read wrongly must not let everything in.
#[derive(Clone, Debug, PartialEq)]
pub struct When {
    pub all: Vec<ClaimCheck>,
}

/// What one claim has to be.
#[derive(Clone, Debug, PartialEq)]
pub struct ClaimCheck {
    /// The name of the claim. Members of objects are named with dots, and the longest name that leads somewhere counts.
    pub claim: String,
    pub test: ClaimMatch,
}

/// How a claim is compared. Values are compared with their types: `1` is not `"1"`.
#[derive(Clone, Debug, PartialEq)]
pub enum ClaimMatch {
    /// The claim is this value.
    Equals(Value),
    /// The claim is one of these values.
    In(Vec<Value>),
    /// The claim is a list that has this value.
    Contains(Value),
    /// The claim is a text with this prefix, which ends with a slash, and whole segments after it. A text with an empty
    /// segment or one that is `.` or `..` is below nothing.
    Under(String),
}

impl When {
    /// Whether verified claims meet every check.
    pub fn holds(&self, claims: &Claims) -> bool {
        self.holds_in(claims.members())
    }

    /// The same for claims that nobody has verified: only to tell an operator what would match.
    pub fn holds_in(&self, claims: &Map<String, Value>) -> bool {
        !self.all.is_empty() && self.all.iter().all(|check| check.holds(claims))
    }

    /// Every claim that it names.
    pub fn claims(&self) -> impl Iterator<Item = &str> {
        self.all.iter().map(|check| check.claim.as_str())
    }
}

impl ClaimCheck {
    fn holds(&self, claims: &Map<String, Value>) -> bool {
        let Some(found) = find_claim(claims, &self.claim) else { return false };
        match &self.test {
            ClaimMatch::Equals(value) => found == value,
            ClaimMatch::In(values) => values.contains(found),
            ClaimMatch::Contains(value) => found.as_array().is_some_and(|members| members.contains(value)),
            ClaimMatch::Under(prefix) => found.as_str().is_some_and(|text| is_under(text, prefix)),
        }
    }
}

fn is_under(text: &str, prefix: &str) -> bool {
    let rest = prefix.ends_with('/').then(|| text.strip_prefix(prefix)).flatten();
    rest.is_some_and(|rest| rest.split('/').all(|segment| !matches!(segment, "" | "." | "..")))
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn claims(value: Value) -> Claims {
        let Value::Object(claims) = value else { panic!("no object") };
        Claims::for_tests(claims)
    }

    fn holds(test: ClaimMatch, claim: Value) -> bool {
        let check = ClaimCheck { claim: "c".to_owned(), test };
        When { all: vec![check] }.holds(&claims(json!({"c": claim})))
    }

    #[test]
    fn a_value_is_compared_with_its_type() {
        let equals = |value: Value, claim: Value| holds(ClaimMatch::Equals(value), claim);
        assert!(
            equals(json!("1"), json!("1")) && equals(json!(1), json!(1)) && equals(json!(true), json!(true))
        );
        assert!(!equals(json!("1"), json!(1)) && !equals(json!(1), json!("1")));
        assert!(!equals(json!("a"), json!(["a"])), "a list is not its member");
        assert!(!equals(json!("a"), json!("A")), "no case is folded");

        let one_of = || ClaimMatch::In(vec![json!("a"), json!(2)]);
        assert!(holds(one_of(), json!("a")) && holds(one_of(), json!(2)));
        assert!(
            !holds(one_of(), json!("2")) && !holds(one_of(), json!(["a"])) && !holds(one_of(), json!(null))
        );

        let contains = || ClaimMatch::Contains(json!("a"));
        assert!(holds(contains(), json!(["b", "a"])));
        assert!(
            !holds(contains(), json!("a"))
                && !holds(contains(), json!([]))
                && !holds(contains(), json!(["ab"]))
        );
    }

    #[test]
    fn a_path_is_below_a_prefix_only_by_whole_segments() {
        let under = |claim: &str| holds(ClaimMatch::Under("acme/shop/".to_owned()), json!(claim));
        assert!(under("acme/shop/a") && under("acme/shop/a/b.yml@refs/heads/main"));
        for claim in [
            "acme/shop",
            "acme/shop/",
            "acme/shopping/a",
            "acme/shop/../evil/a",
            "acme/shop/./a",
            "acme/shop//a",
            "acme/shop/a/",
            "x/acme/shop/a",
            "ACME/shop/a",
        ] {
            assert!(!under(claim), "{claim}");
        }
        assert!(!holds(ClaimMatch::Under("acme/shop/".to_owned()), json!(["acme/shop/a"])));
        assert!(
            !holds(ClaimMatch::Under("acme/sh".to_owned()), json!("acme/shop")),
            "no prefix of a segment"
        );
    }

    #[test]
    fn a_condition_holds_if_every_check_does_and_there_is_one() {
        let check = |claim: &str, value: &str| ClaimCheck {
            claim: claim.to_owned(),
            test: ClaimMatch::Equals(json!(value)),
        };
        let both = When { all: vec![check("a.b.c", "1"), check("d", "2")] };
        assert!(both.holds(&claims(json!({"a.b": {"c": "1"}, "d": "2"}))));
        assert!(!both.holds(&claims(json!({"a.b": {"c": "1"}, "d": "3"}))));
        assert!(!both.holds(&claims(json!({"a.b": {"c": "1"}}))));
        assert!(!When { all: Vec::new() }.holds(&claims(json!({"d": "2"}))));
        assert_eq!(both.claims().collect::<Vec<_>>(), ["a.b.c", "d"]);
    }
}

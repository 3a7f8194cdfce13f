//! `when`: one condition on a claim, or several that all have to hold.

use schemars::JsonSchema;
use serde::Deserialize;
use serde_json::{Value, json};

use super::raw::Scalar;
use super::section::Section;
use super::table::table;
use crate::registry::{ClaimCheck, ClaimMatch, When};

table! {
    /// What the tokens have in common: one condition, or `all` of several.
    pub(super) struct RawWhen {
        /// A claim of the token, by name or dotted path.
        #[schemars(example = &"namespace", extend("x-default" = "this or `all`"))]
        claim: Option<String>,
        /// The value that the claim must have, its type included.
        #[schemars(example = &"age-agents")]
        equals: Option<Scalar>,
        /// The values of which the claim must have one, their types included.
        #[schemars(example = json!(["age-agents", "planners"]))]
        r#in: Option<Scalars>,
        /// The value that the claim, an array, must hold.
        #[schemars(example = &"staff")]
        contains: Option<Scalar>,
        /// The prefix, ending with `/`, below which the claim must be, in whole segments.
        #[schemars(example = &"acme/payments/")]
        under: Option<String>,
        #[schemars(extend("x-default" = "this or `claim`"))]
        all: Vec<RawCheck>,
    }
}

table! {
    /// Conditions that all have to hold.
    pub(super) struct RawCheck {
        /// A claim of the token, by name or dotted path.
        #[schemars(required, example = &"namespace")]
        claim: Option<String>,
        /// The value that the claim must have, its type included.
        #[schemars(example = &"age-agents")]
        equals: Option<Scalar>,
        /// The values of which the claim must have one, their types included.
        #[schemars(example = json!(["age-agents", "planners"]))]
        r#in: Option<Scalars>,
        /// The value that the claim, an array, must hold.
        #[schemars(example = &"staff")]
        contains: Option<Scalar>,
        /// The prefix, ending with `/`, below which the claim must be, in whole segments.
        #[schemars(example = &"acme/payments/")]
        under: Option<String>,
    }
}

/// Values of the operator's choice, kept with their types.
#[derive(Deserialize)]
pub(super) struct Scalars(Vec<Value>);

impl JsonSchema for Scalars {
    fn schema_name() -> std::borrow::Cow<'static, str> {
        "Scalars".into()
    }

    fn json_schema(_: &mut schemars::SchemaGenerator) -> schemars::Schema {
        schemars::json_schema!({"type": "array", "items": {"type": ["string", "integer", "boolean"]}})
    }
}

/// The condition of a `when`; `None` where it was refused.
pub(super) fn when(section: &Section<'_>, raw: RawWhen) -> Option<When> {
    let RawWhen { claim, equals, r#in, contains, under, all } = raw;
    let one = RawCheck { claim, equals, r#in, contains, under };
    let is_one = one.claim.is_some() || one.has_test();
    match (is_one, all.is_empty()) {
        (true, true) => Some(When { all: vec![check(section, one)?] }),
        (false, false) => {
            let checks = all.into_iter().enumerate().map(|(n, raw)| check(&section.item("all", n), raw));
            Some(When { all: checks.collect::<Option<_>>()? })
        }
        (true, false) => {
            section.refuse("", "has both a condition of its own and `all`", "move the condition into `all`");
            None
        }
        (false, true) => {
            let fix = "write `{ claim = \"…\", equals = \"…\" }` or `{ all = [{ … }, { … }] }`";
            section.refuse("", "has no condition, so that it would hold for every token", fix);
            None
        }
    }
}

impl RawCheck {
    const fn has_test(&self) -> bool {
        self.equals.is_some() || self.r#in.is_some() || self.contains.is_some() || self.under.is_some()
    }
}

fn check(section: &Section<'_>, raw: RawCheck) -> Option<ClaimCheck> {
    let Some(claim) = raw.claim else {
        if !section.is_refused("claim") {
            section.refuse("claim", "is missing", "name a claim of the token");
        }
        return None;
    };
    let test = match (raw.equals, raw.r#in, raw.contains, raw.under) {
        (Some(value), None, None, None) => ClaimMatch::Equals(value.0),
        (None, Some(values), None, None) if !values.0.is_empty() => ClaimMatch::In(values.0),
        (None, Some(_), None, None) => {
            section.refuse("in", "lists no values", "name at least one");
            return None;
        }
        (None, None, Some(value), None) => ClaimMatch::Contains(value.0),
        (None, None, None, Some(prefix)) if prefix.ends_with('/') && prefix.len() > 1 => {
            ClaimMatch::Under(prefix)
        }
        (None, None, None, Some(_)) => {
            section.refuse("under", "does not end with `/`", "write the prefix with its `/`: `\"acme/\"`");
            return None;
        }
        _ => {
            let what = "needs exactly one of `equals`, `in`, `contains` and `under`";
            section.refuse("", what, "keep one of them");
            return None;
        }
    };
    Some(ClaimCheck { claim, test })
}

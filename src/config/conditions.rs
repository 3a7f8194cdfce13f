//! `when`: conditions on the claims of a token.

use super::raw::Scalar;
use super::section::Section;
use super::table::table;
use crate::registry::{ClaimCheck, ClaimMatch, When};

table! {
    /// What the tokens of the class have in common: one check of a claim, or several in `all`. Only claims whose value
    /// the issuer decides are taken. Members of objects are named with dots (`kubernetes.io.namespace`).
    pub(super) struct RawWhen {
        /// A claim of the token.
        #[schemars(example = &"namespace", extend("x-default" = "this or `all`"))]
        claim: Option<String>,
        /// The value that the claim must have, its type included.
        #[schemars(example = &"age-agents", extend("x-default" = "this, `in`, `contains` or `under`"))]
        equals: Option<Scalar>,
        /// The values of which the claim must have one.
        #[schemars(example = ["prod", "staging"], extend("x-default" = "this, `equals`, `contains` or `under`"))]
        r#in: Option<Vec<Scalar>>,
        /// The value that the claim, a list, must have among others.
        #[schemars(example = &"agents", extend("x-default" = "this, `equals`, `in` or `under`"))]
        contains: Option<Scalar>,
        /// The prefix that the claim, a path, must have, and whole segments after it. It ends with a slash.
        #[schemars(example = &"acme/shop/.github/workflows/", extend("x-default" = "this, `equals`, `in` or `contains`"))]
        under: Option<String>,
        #[schemars(extend("x-default" = "the check beside it"))]
        all: Vec<RawCheck>,
    }
}

table! {
    /// Checks of claims, all of which have to hold.
    pub(super) struct RawCheck {
        /// A claim of the token.
        #[schemars(required, example = &"namespace")]
        claim: Option<String>,
        /// The value that the claim must have, its type included.
        #[schemars(example = &"age-agents", extend("x-default" = "this, `in`, `contains` or `under`"))]
        equals: Option<Scalar>,
        /// The values of which the claim must have one.
        #[schemars(example = ["prod", "staging"], extend("x-default" = "this, `equals`, `contains` or `under`"))]
        r#in: Option<Vec<Scalar>>,
        /// The value that the claim, a list, must have among others.
        #[schemars(example = &"agents", extend("x-default" = "this, `equals`, `in` or `under`"))]
        contains: Option<Scalar>,
        /// The prefix that the claim, a path, must have, and whole segments after it. It ends with a slash.
        #[schemars(example = &"acme/shop/.github/workflows/", extend("x-default" = "this, `equals`, `in` or `contains`"))]
        under: Option<String>,
    }
}

/// The condition of `section`, the table `when` itself. A part that is refused makes the whole file be refused, so that
/// what is left of the condition is never used.
pub(super) fn when(section: &Section<'_>, raw: RawWhen) -> When {
    let RawWhen { claim, equals, r#in, contains, under, all } = raw;
    let has_own =
        claim.is_some() || equals.is_some() || r#in.is_some() || contains.is_some() || under.is_some();
    let own = RawCheck { claim, equals, r#in, contains, under };
    match (has_own, all.is_empty()) {
        (true, false) => {
            section.refuse("all", "is set beside a check", "move that check into `all`");
            When { all: Vec::new() }
        }
        (false, true) => {
            let fix = "write `when = { claim = \"…\", equals = \"…\" }`, or remove it";
            section.refuse("", "checks nothing", fix);
            When { all: Vec::new() }
        }
        (true, true) => {
            if own.claim.is_none() && !section.has("claim") {
                section.refuse("claim", "is missing", "name the claim that is checked");
            }
            When { all: check(section, own).into_iter().collect() }
        }
        (false, false) => {
            let checks = all.into_iter().enumerate();
            When { all: checks.filter_map(|(n, raw)| check(&section.item("all", n), raw)).collect() }
        }
    }
}

fn check(section: &Section<'_>, raw: RawCheck) -> Option<ClaimCheck> {
    let claim = raw.claim?;
    let values = |values: Vec<Scalar>| values.into_iter().map(|value| value.0).collect::<Vec<_>>();
    let test = match (raw.equals, raw.r#in, raw.contains, raw.under) {
        (Some(value), None, None, None) => ClaimMatch::Equals(value.0),
        (None, Some(list), None, None) => ClaimMatch::In(values(list)),
        (None, None, Some(value), None) => ClaimMatch::Contains(value.0),
        (None, None, None, Some(prefix)) => ClaimMatch::Under(prefix),
        _ => {
            let what = "needs exactly one of `equals`, `in`, `contains` and `under`";
            section.refuse("", what, "keep one of them");
            return None;
        }
    };
    match &test {
        ClaimMatch::In(values) if values.is_empty() => {
            section.refuse("in", "is empty: no token would meet it", "name at least one value");
        }
        ClaimMatch::Under(prefix) if !prefix.ends_with('/') || prefix.len() < 2 => {
            let what = "is no prefix of whole segments";
            section.refuse("under", what, "write it with a slash at the end, as in `acme/shop/`");
        }
        _ => {}
    }
    Some(ClaimCheck { claim, test })
}

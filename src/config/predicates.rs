//! `[[predicate]]`: yes/no questions over a verified claim.

use super::raw::Scalar;
use super::section::Section;
use super::table::table;
use crate::registry::{LeapDay, Predicate, Question, is_reserved_claim};

table! {
    /// The yes/no questions about a verified claim.
    pub(super) struct RawPredicate {
        /// The scope that asks the question, and the claim that answers it.
        #[schemars(required, example = &"age_over_18")]
        pub(super) scope: Option<String>,
        /// The claim of the ID token that the question is about.
        #[schemars(required, example = &"birthdate")]
        pub(super) claim: Option<String>,
        /// The answer is true if the claim is a date at least so many years ago.
        #[schemars(range(min = 1, max = 150), example = 18, extend("x-default" = "this or `equals`"))]
        at_least_years: Option<u16>,
        /// The birthday of a person born on 29 February in years without that day.
        leap_day: LeapDay,
        /// The answer is true if the claim has this value.
        #[schemars(example = true, extend("x-default" = "this or `at_least_years`"))]
        equals: Option<Scalar>,
    }
}

pub(super) fn predicate(section: &Section<'_>, raw: RawPredicate) -> Option<Predicate> {
    let scope = raw.scope.and_then(|text| section.scope_token("scope", &text));
    if let Some(scope) = scope.as_ref().filter(|scope| is_reserved_claim(scope.as_str())) {
        let what = format!("is `{scope}`, and a claim of that name has a meaning already");
        section.refuse("scope", what, "choose another name, for example `age_over_18`");
    }
    if section.is_refused("at_least_years") || section.is_refused("leap_day") {
        return None;
    }
    let question = match (raw.at_least_years, raw.equals) {
        (Some(years), None) => {
            if let Some(named) = scope.as_ref().and_then(|scope| scope.as_str().strip_prefix("age_over_"))
                && named.parse() != Ok(years)
            {
                let what = format!("is {years}, but the scope is `age_over_{named}`");
                section.refuse("at_least_years", what, "let the name say what is answered");
            }
            Question::AtLeastYears { years, leap_day: raw.leap_day }
        }
        (None, Some(value)) => {
            if section.has("leap_day") {
                let what = "is set together with `equals`, where it has no meaning";
                section.refuse("leap_day", what, "remove it");
            }
            Question::Equals(value.0)
        }
        _ => {
            let what = "needs exactly one of `at_least_years` and `equals`";
            section.refuse("", what, "write for example `at_least_years = 18`");
            return None;
        }
    };
    Some(Predicate { scope: scope?, claim: raw.claim?, question })
}

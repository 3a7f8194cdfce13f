//! `[[identity_provider.assurance]]`: the named levels of a provider, as conditions on the claims of its tokens.

use std::collections::{BTreeMap, BTreeSet};

use super::section::Section;
use super::table::table;
use crate::base::nearest::nearest;
use crate::registry::{AssuranceLevel, ClaimCondition, ClaimTest, MFA, PHISHING_RESISTANT};

table! {
    /// The named levels of assurance; `mfa` may be redefined.
    pub(super) struct RawAssurance {
        /// The name by which scopes refer to the level.
        #[schemars(required, example = &"phishing_resistant")]
        name: Option<String>,
        #[schemars(extend("x-default" = "required"))]
        any_of: Vec<RawCondition>,
        /// The levels of the provider that a login of this one meets as well.
        #[schemars(example = ["mfa"], extend("x-default" = "`[\"mfa\"]` for `phishing_resistant`, else `[]`"))]
        implies: Option<Vec<String>>,
    }
}

table! {
    /// The conditions of a level, any one of which suffices.
    pub(super) struct RawCondition {
        /// A claim of the ID token.
        #[schemars(required, example = &"acr")]
        claim: Option<String>,
        /// The claim is one of these strings. A refusal has the values as `acr_values`.
        #[schemars(example = ["phr", "phrh"], extend("x-default" = "exactly one of the three"))]
        r#in: Option<Vec<String>>,
        /// The claim is an array that holds all of these strings. A single string counts as an array of one.
        #[schemars(example = ["mfa"], extend("x-default" = "exactly one of the three"))]
        contains: Option<Vec<String>>,
        /// The claim is an array that holds at least one of these strings. A single string counts as an array of one.
        #[schemars(example = ["hwk", "fido"], extend("x-default" = "exactly one of the three"))]
        any: Option<Vec<String>>,
    }
}

/// The levels by name. `mfa` is always among them.
pub(super) fn assurance(section: &Section<'_>, raw: Vec<RawAssurance>) -> BTreeMap<String, AssuranceLevel> {
    let mut levels = BTreeMap::new();
    let names: Vec<String> = raw.iter().map(|raw| raw.name.clone().unwrap_or_default()).collect();
    for (position, raw) in raw.into_iter().enumerate() {
        let level = section.item("assurance", position);
        let Some(name) = raw.name else { continue };
        if name == "none" {
            level.refuse("name", "is `none`, which means no level at all", "choose another name");
        }
        if raw.any_of.is_empty() {
            let fix = "write `any_of = [{ claim = \"acr\", in = [\"…\"] }]`";
            level.refuse("any_of", "is empty: nobody could meet the level", fix);
        }
        let conditions = raw.any_of.into_iter().enumerate();
        let any_of = conditions.filter_map(|(n, raw)| condition(&level.item("any_of", n), raw)).collect();
        let implies = raw.implies.unwrap_or_else(|| implied_by_default(&name)).into_iter().collect();
        if levels.insert(name.clone(), AssuranceLevel { name: name.clone(), any_of, implies }).is_some() {
            let what = format!("is `{name}` a second time for this provider");
            level.refuse("name", what, "merge the two `any_of`");
        }
    }
    levels.entry(MFA.to_owned()).or_insert_with(|| AssuranceLevel {
        name: MFA.to_owned(),
        any_of: vec![ClaimCondition {
            claim: "amr".to_owned(),
            test: ClaimTest::Contains(vec![MFA.to_owned()]),
        }],
        implies: BTreeSet::new(),
    });
    resolve(section, &names, &mut levels);
    levels
}

fn implied_by_default(name: &str) -> Vec<String> {
    if name == PHISHING_RESISTANT { vec![MFA.to_owned()] } else { Vec::new() }
}

/// Replaces what each level implies by everything that it implies, directly or not. `names` are the levels in the order of
/// the file.
fn resolve(section: &Section<'_>, names: &[String], levels: &mut BTreeMap<String, AssuranceLevel>) {
    let written: BTreeMap<String, BTreeSet<String>> =
        levels.iter().map(|(name, level)| (name.clone(), level.implies.clone())).collect();
    for (name, level) in levels {
        let position = names.iter().position(|other| other == name).unwrap_or_default();
        let place = section.item("assurance", position);
        for unknown in level.implies.iter().filter(|implied| !written.contains_key(*implied)) {
            let what = format!("names `{unknown}`, a level that the provider does not define");
            let known = written.keys().filter(|known| *known != name);
            let fix = match nearest(unknown, known) {
                Some(near) => format!("the nearest level is `{near}`"),
                None => "define it, or remove it".to_owned(),
            };
            place.refuse("implies", what, fix);
        }
        level.implies = implied(name, &written);
        if level.implies.contains(name) {
            let what = format!("leads from `{name}` back to `{name}`");
            place.refuse("implies", what, "remove one step: levels that imply each other are one level");
        }
    }
}

/// Every level that `name` implies.
fn implied(name: &String, written: &BTreeMap<String, BTreeSet<String>>) -> BTreeSet<String> {
    let mut all = BTreeSet::new();
    let mut open: Vec<&String> = written.get(name).into_iter().flatten().collect();
    while let Some(next) = open.pop() {
        if all.insert(next.clone()) {
            open.extend(written.get(next).into_iter().flatten());
        }
    }
    all
}

fn condition(section: &Section<'_>, raw: RawCondition) -> Option<ClaimCondition> {
    let claim = raw.claim?;
    let test = match (raw.r#in, raw.contains, raw.any) {
        (Some(values), None, None) => ClaimTest::In(values),
        (None, Some(values), None) => ClaimTest::Contains(values),
        (None, None, Some(values)) => ClaimTest::Any(values),
        _ => {
            section.refuse("", "needs exactly one of `in`, `contains` and `any`", "keep one of them");
            return None;
        }
    };
    let values = test.values();
    if values.is_empty() {
        section.refuse("", "lists no values", "name at least one");
        return None;
    }
    // `acr_values` is one space-separated string (OIDC Core §3.1.2.1), so a value with a space could not be listed.
    if matches!(test, ClaimTest::In(_)) && values.iter().any(|value| value.is_empty() || value.contains(' '))
    {
        section.refuse("", "lists a value that is empty or holds a space", "remove it");
        return None;
    }
    Some(ClaimCondition { claim, test })
}

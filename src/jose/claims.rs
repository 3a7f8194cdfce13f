//! The claims of a verified token, read with their types (RFC 7519 §4.1).

use std::sync::Arc;

use serde_json::{Map, Value};

use super::JoseError;
use crate::base::time::Timestamp;

/// 9999-12-31T23:59:59Z, in seconds.
const END_OF_TIME: f64 = 253_402_300_799.0;
/// Claims that are NumericDates in every kind of token (RFC 7519 §4.1, OIDC Core §2).
const TIMES: [&str; 4] = ["exp", "nbf", "iat", "auth_time"];
/// Claims that restrict who may use a token. A `null` in one of them is refused: its author may have meant a
/// restriction.
const NEVER_NULL: [&str; 3] = ["act", "may_act", "cnf"];

/// Claims under a verified signature. Only this module makes them; `Debug` prints names, no values.
pub struct Claims(Arc<Map<String, Value>>);

impl std::fmt::Debug for Claims {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_set().entries(self.0.keys()).finish()
    }
}

impl Claims {
    pub(super) const fn new(claims: Arc<Map<String, Value>>) -> Self {
        Self(claims)
    }

    /// Every claim, unchanged.
    pub fn members(&self) -> &Map<String, Value> {
        &self.0
    }

    /// Claims for tests of what comes after verification.
    #[cfg(test)]
    pub(crate) fn for_tests(claims: Map<String, Value>) -> Self {
        Self(Arc::new(claims))
    }

    /// A claim, unchanged.
    pub fn get(&self, name: &str) -> Option<&Value> {
        self.0.get(name)
    }

    /// A string claim.
    ///
    /// # Errors
    /// [`JoseError::Claim`] where it is there and not a string.
    pub fn text(&self, name: &str) -> Result<Option<&str>, JoseError> {
        match self.0.get(name) {
            None => Ok(None),
            Some(Value::String(text)) => Ok(Some(text)),
            Some(_) => Err(JoseError::Claim),
        }
    }

    /// An array of strings. A single string, which some issuers write, is an array of one.
    ///
    /// # Errors
    /// [`JoseError::Claim`] where it is there and anything else.
    pub fn texts(&self, name: &str) -> Result<Option<Vec<&str>>, JoseError> {
        match self.0.get(name) {
            None => Ok(None),
            Some(Value::String(one)) => Ok(Some(vec![one])),
            Some(Value::Array(values)) => {
                values.iter().map(Value::as_str).collect::<Option<_>>().map(Some).ok_or(JoseError::Claim)
            }
            Some(_) => Err(JoseError::Claim),
        }
    }

    /// A NumericDate, fractions rounded down to the millisecond.
    ///
    /// # Errors
    /// [`JoseError::Claim`] where it is there and not a number from 0 to the year 9999.
    pub fn time(&self, name: &str) -> Result<Option<Timestamp>, JoseError> {
        self.0.get(name).map(numeric_date).transpose()
    }

    /// `aud` as its members (RFC 7519 §4.1.3): a string counts as one. Absent and empty are errors,
    /// since every kind Deputy reads demands one (8725-3.9-01).
    pub fn audiences(&self) -> Result<Vec<&str>, JoseError> {
        match self.0.get("aud") {
            Some(Value::String(one)) => Ok(vec![one]),
            Some(Value::Array(values)) if !values.is_empty() => {
                values.iter().map(Value::as_str).collect::<Option<_>>().ok_or(JoseError::Claim)
            }
            _ => Err(JoseError::Claim),
        }
    }

    /// A claim by name or by dotted path, see [`find_claim`].
    pub fn find(&self, path: &str) -> Option<&Value> {
        find_claim(&self.0, path)
    }
}

/// Finds `path` in `claims`: the member of that very name, else a walk into nested objects. Names hold
/// dots themselves (`kubernetes.io.pod.uid`), so the longest first name that leads somewhere wins. A member that is `null`
/// counts as absent.
pub fn find_claim<'a>(claims: &'a Map<String, Value>, path: &str) -> Option<&'a Value> {
    if let Some(value) = claims.get(path).filter(|value| !value.is_null()) {
        return Some(value);
    }
    path.rmatch_indices('.').find_map(|(dot, _)| {
        let inner = claims.get(&path[..dot])?.as_object()?;
        find_claim(inner, &path[dot + 1..])
    })
}

/// Removes the claims that are `null`, which count as absent.
///
/// # Errors
/// [`JoseError::Claim`] where `act`, `may_act` or `cnf` is `null`.
pub(super) fn drop_absent(claims: &mut Map<String, Value>) -> Result<(), JoseError> {
    if NEVER_NULL.iter().any(|&name| claims.get(name).is_some_and(Value::is_null)) {
        return Err(JoseError::Claim);
    }
    claims.retain(|_, value| !value.is_null());
    Ok(())
}

/// Refuses claims whose numeric dates are no dates (7519-4.1.4-01).
pub(super) fn check_times(claims: &Map<String, Value>) -> Result<(), JoseError> {
    TIMES.iter().filter_map(|&name| claims.get(name)).try_for_each(|value| numeric_date(value).map(|_| ()))
}

#[expect(clippy::cast_possible_truncation, reason = "range-checked just before")]
pub(super) fn numeric_date(value: &Value) -> Result<Timestamp, JoseError> {
    if let Some(seconds) = value.as_i64() {
        return if (0..=END_OF_TIME as i64).contains(&seconds) {
            Ok(Timestamp::from_seconds(seconds))
        } else {
            Err(JoseError::Claim)
        };
    }
    match value {
        Value::Number(number) => number
            .as_f64()
            .filter(|seconds| (0.0..=END_OF_TIME).contains(seconds))
            .map(|seconds| Timestamp::from_millis((seconds * 1000.0).floor() as i64))
            .ok_or(JoseError::Claim),
        _ => Err(JoseError::Claim),
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn claims(value: Value) -> Claims {
        match value {
            Value::Object(map) => Claims::for_tests(map),
            _ => unreachable!(),
        }
    }

    #[test]
    fn a_numeric_date_is_a_number_within_recorded_time() {
        let good = [
            (json!(0), 0),
            (json!(1_700_000_000), 1_700_000_000_000),
            (json!(1_700_000_000.25), 1_700_000_000_250),
            (json!(253_402_300_799_i64), 253_402_300_799_000),
        ];
        for (value, millis) in good {
            let claims = claims(json!({"exp": value}));
            assert_eq!(claims.time("exp"), Ok(Some(Timestamp::from_millis(millis))), "{value}");
        }
        let bad = [
            json!("1700000000"),
            json!(true),
            json!(null),
            json!(-1),
            json!(-0.5),
            json!(1e308),
            json!(253_402_300_800_i64),
            json!(i64::MAX),
            json!(u64::MAX),
            json!([1]),
            json!({}),
        ];
        for value in bad {
            let object = json!({"exp": value});
            assert_eq!(check_times(object.as_object().unwrap()), Err(JoseError::Claim), "{value}");
        }
    }

    #[test]
    fn an_audience_is_a_string_or_strings() {
        assert_eq!(claims(json!({"aud": "a"})).audiences(), Ok(vec!["a"]));
        assert_eq!(claims(json!({"aud": ["a", "b"]})).audiences(), Ok(vec!["a", "b"]));
        for value in [json!({}), json!({"aud": []}), json!({"aud": ["a", 1]}), json!({"aud": {"a": 1}})] {
            assert_eq!(claims(value.clone()).audiences(), Err(JoseError::Claim), "{value}");
        }
    }

    #[test]
    fn null_is_absent_except_where_a_restriction_may_have_been_meant() {
        let dropped = |value: Value| {
            let Value::Object(mut claims) = value else { unreachable!() };
            drop_absent(&mut claims).map(|()| Value::Object(claims))
        };
        let written = json!({"sub": "a", "nonce": null, "exp": null, "amr": null, "x": {"y": null}});
        assert_eq!(dropped(written), Ok(json!({"sub": "a", "x": {"y": null}})));
        for name in ["act", "may_act", "cnf"] {
            assert_eq!(dropped(json!({"sub": "a", name: null})), Err(JoseError::Claim), "{name}");
        }
    }

    #[test]
    fn a_single_string_is_a_list_of_one() {
        assert_eq!(claims(json!({"amr": "mfa"})).texts("amr"), Ok(Some(vec!["mfa"])));
        assert_eq!(claims(json!({"amr": ["pwd", "mfa"]})).texts("amr"), Ok(Some(vec!["pwd", "mfa"])));
        assert_eq!(claims(json!({})).texts("amr"), Ok(None));
        for value in [json!(1), json!([1]), json!(["mfa", null]), json!({"mfa": true})] {
            assert_eq!(claims(json!({"amr": value})).texts("amr"), Err(JoseError::Claim), "{value}");
        }
    }

    #[test]
    fn a_path_finds_names_that_hold_dots() {
        let claims = claims(json!({
            "kubernetes.io": {"pod": {"uid": "p"}, "serviceaccount": {"uid": "s"}, "a.b": {"c": "d"}},
            "kubernetes": {"io": {"pod": {"name": "other"}}},
            "x.y": "literal",
            "none": {"at": {"all": null}},
            "x": {"y": "walked"},
        }));
        assert_eq!(claims.find("kubernetes.io.pod.uid"), Some(&json!("p")));
        assert_eq!(claims.find("kubernetes.io.a.b.c"), Some(&json!("d")));
        assert_eq!(claims.find("kubernetes.io.pod.name"), Some(&json!("other")));
        assert_eq!(claims.find("x.y"), Some(&json!("literal")));
        for absent in ["kubernetes.io.pod.gid", "x.y.z", "none.at.all", "", ".", "kubernetes.io."] {
            assert_eq!(claims.find(absent), None, "{absent}");
        }
    }

    #[test]
    fn debug_shows_no_values() {
        assert_eq!(format!("{:?}", claims(json!({"sub": "alice"}))), "{\"sub\"}");
    }
}

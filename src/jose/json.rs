//! Strict JSON: one object, no duplicate names, bounded in depth and size (JSON-LIMIT-01).

use std::fmt;

use serde::de::{DeserializeSeed, Deserializer, Error, MapAccess, SeqAccess, Visitor};
use serde_json::map::Entry;
use serde_json::{Map, Number, Value};

use super::JoseError;

/// Bounds on a JSON text.
#[derive(Clone, Copy, Debug)]
pub struct Limits {
    /// Bytes of the whole text.
    pub bytes: usize,
    /// Nested arrays and objects, the outermost included.
    pub depth: usize,
}

impl Limits {
    /// For the header and the claims of a JWT, each of which is smaller than the whole token.
    pub const JWT: Self = Self { bytes: 16 * 1024, depth: 16 };
    /// For a key set (JWKS-08).
    pub const KEY_SET: Self = Self { bytes: 512 * 1024, depth: 16 };
    /// For the bundle of a SPIFFE trust domain, which also has certificates (FETCH-05).
    pub const BUNDLE: Self = Self { bytes: 1024 * 1024, depth: 16 };
}

/// Parses `text` as one JSON object (RFC 8259) with nothing before or after it but white space.
///
/// Names are compared after unescaping, so `"sub"` and `"s\u0075b"` are duplicates (7515-4-01, 7519-4-01).
///
/// # Errors
/// [`JoseError::Malformed`] for anything else: not UTF-8, a byte order mark, a duplicate name at any
/// level, lone surrogates, numbers out of range, or over a limit.
pub fn parse_object(text: &[u8], limits: Limits) -> Result<Map<String, Value>, JoseError> {
    if text.len() > limits.bytes {
        return Err(JoseError::Malformed);
    }
    let text = std::str::from_utf8(text).map_err(|_| JoseError::Malformed)?;
    let mut deserializer = serde_json::Deserializer::from_str(text);
    let strict = Strict { depth: limits.depth, members: (text.len() / MEMBER).min(MAX_RESERVED) };
    let value = strict.deserialize(&mut deserializer).map_err(|_| JoseError::Malformed)?;
    deserializer.end().map_err(|_| JoseError::Malformed)?;
    match value {
        Value::Object(object) => Ok(object),
        _ => Err(JoseError::Malformed),
    }
}

/// One value, with what is left of the depth.
#[derive(Clone, Copy)]
struct Strict {
    depth: usize,
    /// How many members to reserve space for.
    members: usize,
}

/// A member of a token takes about this many bytes.
const MEMBER: usize = 32;
/// Space is reserved for this many members at most. Key sets are long and have few.
const MAX_RESERVED: usize = 32;

impl Strict {
    fn inside<E: Error>(self) -> Result<Self, E> {
        let depth = self.depth.checked_sub(1).ok_or_else(|| E::custom("too deep"))?;
        Ok(Self { depth, members: 0 })
    }
}

impl<'de> DeserializeSeed<'de> for Strict {
    type Value = Value;

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<Value, D::Error> {
        deserializer.deserialize_any(self)
    }
}

impl<'de> Visitor<'de> for Strict {
    type Value = Value;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("strict JSON")
    }

    fn visit_unit<E>(self) -> Result<Value, E> {
        Ok(Value::Null)
    }

    fn visit_bool<E>(self, value: bool) -> Result<Value, E> {
        Ok(Value::Bool(value))
    }

    fn visit_i64<E>(self, value: i64) -> Result<Value, E> {
        Ok(Value::Number(value.into()))
    }

    fn visit_u64<E>(self, value: u64) -> Result<Value, E> {
        Ok(Value::Number(value.into()))
    }

    fn visit_f64<E: Error>(self, value: f64) -> Result<Value, E> {
        Number::from_f64(value).map(Value::Number).ok_or_else(|| E::custom("number out of range"))
    }

    fn visit_str<E>(self, value: &str) -> Result<Value, E> {
        Ok(Value::String(value.to_owned()))
    }

    fn visit_string<E>(self, value: String) -> Result<Value, E> {
        Ok(Value::String(value))
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut seq: A) -> Result<Value, A::Error> {
        let inner = self.inside()?;
        let mut array = Vec::new();
        while let Some(value) = seq.next_element_seed(inner)? {
            array.push(value);
        }
        Ok(Value::Array(array))
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Value, A::Error> {
        let inner = self.inside()?;
        let mut object = Map::with_capacity(self.members);
        while let Some(name) = map.next_key::<String>()? {
            match object.entry(name) {
                Entry::Occupied(_) => return Err(A::Error::custom("duplicate name")),
                Entry::Vacant(place) => place.insert(map.next_value_seed(inner)?),
            };
        }
        Ok(Value::Object(object))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn claims(text: &str) -> Result<Map<String, Value>, JoseError> {
        parse_object(text.as_bytes(), Limits::JWT)
    }

    #[test]
    fn an_object_comes_back_as_it_was_written() {
        let object = claims(r#" {"a":[1,-2,3.5,true,null],"b":{"c":"\u00e9"}} "#).unwrap();
        assert_eq!(
            Value::Object(object),
            serde_json::json!({"a": [1, -2, 3.5, true, null], "b": {"c": "é"}})
        );
    }

    #[test]
    fn a_name_twice_is_refused_at_any_level_and_however_it_is_escaped() {
        for text in [
            r#"{"sub":"a","sub":"a"}"#,
            r#"{"sub":"a","s\u0075b":"b"}"#,
            r#"{"\u0073\u0075\u0062":"a","sub":"b"}"#,
            r#"{"act":{"sub":"a","sub":"b"}}"#,
            r#"{"list":[{"x":1,"x":2}]}"#,
        ] {
            assert_eq!(claims(text), Err(JoseError::Malformed), "{text}");
        }
    }

    #[test]
    fn anything_but_one_strict_object_is_refused() {
        for text in [
            "",
            "null",
            "true",
            "1",
            "\"{}\"",
            "[]",
            "{}{}",
            "{} x",
            "{\"a\":1,}",
            "{'a':1}",
            "{a:1}",
            "\u{feff}{}",
            "{\"a\":NaN}",
            "{\"a\":Infinity}",
            "{\"a\":1e400}",
            "{\"a\":01}",
            "{\"a\":+1}",
            "{\"a\":\"\\ud800\"}",
            "{\"a\":\"\u{0}\"}",
            "// {}",
        ] {
            assert_eq!(claims(text), Err(JoseError::Malformed), "{text:?}");
        }
        assert_eq!(parse_object(b"{\"a\":\"\xff\"}", Limits::JWT), Err(JoseError::Malformed));
        let utf16: Vec<u8> = "{}".encode_utf16().flat_map(u16::to_le_bytes).collect();
        assert_eq!(parse_object(&utf16, Limits::JWT), Err(JoseError::Malformed));
    }

    #[test]
    fn depth_is_bounded_at_sixteen() {
        let nested = |levels: usize| format!("{}1{}", "{\"a\":".repeat(levels), "}".repeat(levels));
        assert!(claims(&nested(16)).is_ok());
        assert_eq!(claims(&nested(17)), Err(JoseError::Malformed));
        let arrays = |levels: usize| format!("{{\"a\":{}{}}}", "[".repeat(levels), "]".repeat(levels));
        assert!(claims(&arrays(15)).is_ok());
        assert_eq!(claims(&arrays(16)), Err(JoseError::Malformed));
    }

    #[test]
    fn nothing_but_bytes_and_depth_is_bounded() {
        let members = (0..900).map(|i| format!("\"m{i}\":1")).collect::<Vec<_>>().join(",");
        assert_eq!(claims(&format!("{{{members}}}")).unwrap().len(), 900);
        let groups = vec!["\"c0ffee00-0000-4000-8000-000000000000\""; 400].join(",");
        assert!(claims(&format!("{{\"groups\":[{groups}]}}")).is_ok());
        let text = |bytes: usize| format!("{{\"a\":\"{}\"}}", "x".repeat(bytes - 8));
        assert!(claims(&text(16 * 1024)).is_ok());
        assert_eq!(claims(&text(16 * 1024 + 1)), Err(JoseError::Malformed));
    }
}

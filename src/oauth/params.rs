//! A form-encoded body as parameters (RFC 6749 §3.2 and appendix B).

use std::borrow::Cow;

use super::refusal::{Cause, Plain};

/// The parameters of one request, each name decoded once.
///
/// Empty values count as not sent. A name given twice is refused, but for `resource` and `audience`
/// (RFC 8693 §2.1). White space around a token or an assertion is not part of it. Values never reach `Debug`: they hold
/// tokens and secrets.
pub struct Params(Vec<(String, String)>);

/// The parameters that hold a token or an assertion. None has white space in it (RFC 7515 §7.1), but a file it is sent
/// from often ends with a line end.
const TOKENS: [&str; 4] = ["subject_token", "actor_token", "client_assertion", "token"];

impl std::fmt::Debug for Params {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_list().entries(self.0.iter().map(|(name, _)| name)).finish()
    }
}

impl Params {
    /// The most parameters taken from one request.
    pub const MAX: usize = 100;

    /// Parses `application/x-www-form-urlencoded`.
    ///
    /// # Errors
    /// [`Plain::FormMalformed`] for bad percent-encoding, NUL or bytes that are not UTF-8;
    /// [`Plain::TooManyParameters`]; [`Plain::ParameterRepeated`], equal values included.
    pub fn parse(body: &[u8]) -> Result<Self, Cause> {
        let mut params: Vec<(String, String)> = Vec::with_capacity(12);
        for pair in body.split(|&b| b == b'&').filter(|pair| !pair.is_empty()) {
            if params.len() == Self::MAX {
                return Err(Plain::TooManyParameters.into());
            }
            let (name, value) = match pair.iter().position(|&b| b == b'=') {
                Some(at) => (&pair[..at], &pair[at + 1..]),
                None => (pair, &[][..]),
            };
            let name = decode(name).ok_or(Plain::FormMalformed)?;
            let value = decode(value).ok_or(Plain::FormMalformed)?;
            let may_repeat = matches!(name.as_ref(), "resource" | "audience");
            if !may_repeat && params.iter().any(|(seen, _)| *seen == name) {
                return Err(Plain::ParameterRepeated.into());
            }
            let value = if TOKENS.contains(&name.as_ref()) { value.trim_ascii() } else { &value };
            params.push((name.into_owned(), value.to_owned()));
        }
        params.retain(|(_, value)| !value.is_empty());
        Ok(Self(params))
    }

    /// The value of `name`, if it was sent and is not empty.
    pub fn get(&self, name: &str) -> Option<&str> {
        self.0.iter().find(|(seen, _)| seen == name).map(|(_, value)| value.as_str())
    }

    /// Every value of `name`, in order.
    pub fn all<'a>(&'a self, name: &'a str) -> impl Iterator<Item = &'a str> {
        self.0.iter().filter(move |(seen, _)| seen == name).map(|(_, value)| value.as_str())
    }
}

/// Decodes one form-encoded component (RFC 6749 appendix B): `+` is a space, `%XX` a byte, the
/// result UTF-8 without NUL. `None` for anything else.
pub fn decode(component: &[u8]) -> Option<Cow<'_, str>> {
    if !component.iter().any(|b| matches!(b, b'%' | b'+' | 0)) {
        return std::str::from_utf8(component).ok().map(Cow::Borrowed);
    }
    let mut bytes = Vec::with_capacity(component.len());
    let mut rest = component.iter();
    while let Some(&b) = rest.next() {
        bytes.push(match b {
            b'+' => b' ',
            b'%' => hex(*rest.next()?)? << 4 | hex(*rest.next()?)?,
            other => other,
        });
    }
    (!bytes.contains(&0)).then(|| String::from_utf8(bytes).ok().map(Cow::Owned))?
}

fn hex(digit: u8) -> Option<u8> {
    (digit as char).to_digit(16).and_then(|d| u8::try_from(d).ok())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_repeated_parameter_is_refused_even_when_its_name_is_encoded() {
        assert_eq!(Params::parse(b"scope=a&%73cope=a").unwrap_err(), Plain::ParameterRepeated.into());
        assert!(Params::parse(b"resource=a&resource=b&audience=c&audience=d").is_ok());
    }

    #[test]
    fn an_empty_value_counts_as_not_sent() {
        let params = Params::parse(b"a=&b&c=1").unwrap();
        assert_eq!((params.get("a"), params.get("b"), params.get("c")), (None, None, Some("1")));
    }

    #[test]
    fn white_space_around_a_token_is_not_part_of_it() {
        for name in TOKENS {
            let params = |value: &str| Params::parse(format!("{name}={value}").as_bytes()).unwrap();
            for value in ["a.b.c", "a.b.c%0a", "a.b.c%0D%0A", "+%09a.b.c%0C+"] {
                assert_eq!(params(value).get(name), Some("a.b.c"), "{name}={value}");
            }
            assert_eq!(params("%0a+").get(name), None, "a token of white space is no token");
            for inside in ["a.+b.c", "a.b.c%C2%A0", "%E2%80%8Ba.b.c", "a.b.c%0b"] {
                assert_ne!(params(inside).get(name), Some("a.b.c"), "{name}={inside}");
            }
        }
        let params = Params::parse(b"audience=+b+&scope=+a&client_secret=s+").unwrap();
        assert_eq!(
            ["audience", "scope", "client_secret"].map(|name| params.get(name)),
            [Some(" b "), Some(" a"), Some("s ")]
        );
    }

    #[test]
    fn bad_encoding_is_refused() {
        for body in [&b"a=%zz"[..], b"a=%0", b"a=%00", b"a=%ff", b"a=\xff"] {
            assert_eq!(Params::parse(body).unwrap_err(), Plain::FormMalformed.into(), "{body:?}");
        }
    }
}

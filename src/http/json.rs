//! Reading a JSON body: what administrative verbs take.

use actix_web::{HttpRequest, web};
use serde::de::DeserializeOwned;

use super::body::{self, Unread};

/// The deepest nesting that is read; tokens have the same limit.
const MAX_DEPTH: usize = 32;

/// Why a body is not taken. The texts hold nothing of the body.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
pub enum NotTaken {
    /// Another media type.
    #[error("the body must be application/json in UTF-8")]
    MediaType,
    /// More than [`body::MAX_BODY`].
    #[error("the body is larger than 64 KiB")]
    TooLarge,
    /// It did not arrive whole.
    #[error("the body did not arrive whole and in time")]
    Incomplete,
    /// Arrays and objects are nested too deeply.
    #[error("the body is nested more than 32 deep")]
    TooDeep,
    /// No JSON, or a member is missing or of another type.
    #[error("the body is not the JSON that this verb takes (line {line}, column {column})")]
    Malformed { line: usize, column: usize },
}

/// Reads the body of one request as a `T`.
pub async fn read<T: DeserializeOwned>(request: &HttpRequest, payload: web::Payload) -> Result<T, NotTaken> {
    if !body::is_of_type(request, "application/json") {
        return Err(NotTaken::MediaType);
    }
    let body = body::read(request, payload).await.map_err(|unread| match unread {
        Unread::TooLarge => NotTaken::TooLarge,
        Unread::Timeout | Unread::Broken => NotTaken::Incomplete,
    })?;
    parse(&body)
}

fn parse<T: DeserializeOwned>(body: &[u8]) -> Result<T, NotTaken> {
    if depth(body) > MAX_DEPTH {
        return Err(NotTaken::TooDeep);
    }
    serde_json::from_slice(body)
        .map_err(|error| NotTaken::Malformed { line: error.line(), column: error.column() })
}

/// How deeply brackets outside strings are nested. What is no JSON has a depth too; the parser refuses it.
fn depth(body: &[u8]) -> usize {
    let (mut depth, mut deepest) = (0_usize, 0);
    let mut is_in_string = false;
    let mut bytes = body.iter();
    while let Some(byte) = bytes.next() {
        match (byte, is_in_string) {
            (b'"', _) => is_in_string = !is_in_string,
            (b'\\', true) => {
                // The escaped byte ends nothing.
                bytes.next();
            }
            (b'[' | b'{', false) => {
                depth += 1;
                deepest = deepest.max(depth);
            }
            (b']' | b'}', false) => depth = depth.saturating_sub(1),
            _ => {}
        }
    }
    deepest
}

#[cfg(test)]
mod tests {
    use actix_web::FromRequest as _;
    use actix_web::test::TestRequest;
    use serde_json::{Value, json};

    use super::*;

    fn nested(depth: usize) -> String {
        format!("{}{}", "[".repeat(depth), "]".repeat(depth))
    }

    #[test]
    fn thirty_two_levels_are_read_and_no_more() {
        assert!(parse::<Value>(nested(32).as_bytes()).is_ok());
        assert_eq!(parse::<Value>(nested(33).as_bytes()), Err(NotTaken::TooDeep));
        let mixed = format!("{{\"a\":{}}}", nested(32));
        assert_eq!(parse::<Value>(mixed.as_bytes()), Err(NotTaken::TooDeep));
    }

    #[actix_web::test]
    async fn the_media_type_is_json_and_the_body_is_bounded() {
        let read_as = async |content_type: &str, body: String| {
            let request = TestRequest::post().insert_header(("content-type", content_type)).set_payload(body);
            let (request, mut payload) = request.to_http_parts();
            let payload = web::Payload::from_request(&request, &mut payload).await.unwrap();
            read::<Value>(&request, payload).await
        };
        assert_eq!(read_as("application/json", "{\"a\":1}".to_owned()).await, Ok(json!({"a": 1})));
        assert_eq!(read_as("text/json", "{}".to_owned()).await, Err(NotTaken::MediaType));
        let large = format!("\"{}\"", "x".repeat(body::MAX_BODY));
        assert_eq!(read_as("application/json", large).await, Err(NotTaken::TooLarge));
    }

    #[test]
    fn brackets_inside_strings_nest_nothing() {
        let text = format!(r#"["\"{}", "\\", "{}"]"#, "[".repeat(40), "{".repeat(40));
        assert_eq!(depth(text.as_bytes()), 1);
        assert!(parse::<Value>(text.as_bytes()).is_ok());
    }

    #[test]
    fn the_refusal_says_where_and_repeats_nothing() {
        #[derive(Debug, PartialEq, serde::Deserialize)]
        struct Body {
            count: u8,
        }
        assert_eq!(parse::<Body>(br#"{"count": 3}"#), Ok(Body { count: 3 }));
        for body in [r#"{"count": "a secret"}"#, r#"{"count": 1, "count": 2}"#, "{}", "", "{\"count\":"] {
            let error = parse::<Body>(body.as_bytes()).unwrap_err();
            assert!(matches!(error, NotTaken::Malformed { .. }), "{body}: {error:?}");
            assert!(!error.to_string().contains("secret"), "{error}");
        }
    }
}

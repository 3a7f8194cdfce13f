//! What came back, and what every refusal has to look like.

use reqwest::header::HeaderMap;
use serde_json::Value;

use super::World;
use crate::jose::{claims_of, header_of};

/// One HTTP answer, read whole.
#[derive(Clone, Debug)]
pub struct Answer {
    /// Status code.
    pub status: u16,
    /// Headers.
    pub headers: HeaderMap,
    /// The body's text.
    pub text: String,
    /// The body as JSON; null if it is none.
    pub body: Value,
}

impl Answer {
    /// Reads a response.
    pub async fn read(response: reqwest::Response) -> Self {
        let status = response.status().as_u16();
        let headers = response.headers().clone();
        let text = response.text().await.unwrap();
        let body = serde_json::from_str(&text).unwrap_or(Value::Null);
        Self { status, headers, text, body }
    }

    /// A header's value.
    pub fn header(&self, name: &str) -> Option<&str> {
        self.headers.get(name).and_then(|value| value.to_str().ok())
    }

    /// The issued token; fails the test if there is none.
    #[track_caller]
    pub fn granted(&self) -> String {
        assert_eq!(self.status, 200, "{}", self.text);
        self.body["access_token"].as_str().expect("access_token is a string").to_owned()
    }

    /// The claims of the issued token.
    #[track_caller]
    pub fn claims(&self) -> Value {
        claims_of(&self.granted())
    }

    /// The header of the issued token.
    #[track_caller]
    pub fn token_header(&self) -> Value {
        header_of(&self.granted())
    }

    /// Asserts a refusal: status, content type, no-store, `error`, and that no token was issued.
    #[track_caller]
    pub fn refused(&self, status: u16, error: &str) -> &Self {
        assert_eq!((self.status, self.body["error"].as_str()), (status, Some(error)), "{}", self.text);
        assert!(
            self.header("content-type").is_some_and(|value| value.starts_with("application/json")),
            "{self:?}"
        );
        assert_eq!(self.header("cache-control"), Some("no-store"), "{self:?}");
        // A 401 has a challenge, and nothing else has (RFC 9110 §15.5.2).
        assert_eq!(self.header("www-authenticate").is_some(), status == 401, "{self:?}");
        assert!(self.body.get("access_token").is_none(), "{}", self.text);
        let legal = |text: &str| text.bytes().all(|b| matches!(b, 0x20..=0x21 | 0x23..=0x5b | 0x5d..=0x7e));
        assert!(self.body["error_description"].as_str().is_some_and(legal), "{}", self.text);
        self
    }

    /// The stable `reason`.
    #[track_caller]
    pub fn reason(&self) -> &str {
        self.body["reason"].as_str().expect("reason is a string")
    }

    /// `request_id`.
    #[track_caller]
    pub fn request_id(&self) -> &str {
        self.body["request_id"].as_str().expect("request_id is a string")
    }

    /// The body without what names the request: equal for all faults of one token.
    pub fn anonymous_body(&self) -> String {
        let request_id = self.body["request_id"].as_str().unwrap_or_default();
        self.text.replace(request_id, "")
    }

    /// The true cause in the audit row of this refusal; there is exactly one row.
    pub async fn audited_cause(&self, world: &World) -> String {
        let rows = world.audit_of(self.request_id()).await;
        assert_eq!(rows.len(), 1, "one refusal, one row: {rows:?}");
        rows[0]["cause"].as_str().expect("a refusal's row has its cause").to_owned()
    }

    /// [`Answer::refused`] with status, `error` and `reason`, and the audit row has this cause.
    pub async fn refused_because(&self, world: &World, wire: (u16, &str, &str), cause: &str) {
        let (status, error, reason) = wire;
        self.refused(status, error);
        assert_eq!(self.reason(), reason, "{}", self.text);
        assert_eq!(self.audited_cause(world).await, cause, "{}", self.text);
    }
}

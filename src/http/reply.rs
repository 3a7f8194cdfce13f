//! How answers look: JSON, never cached, never sniffed (RFC 6749 §5.1, §5.2).

use actix_web::http::{StatusCode, header};
use actix_web::{HttpResponse, HttpResponseBuilder};
use serde::Serialize;
use serde_json::json;

use crate::http::caller::Caller;
use crate::http::throttle::Throttle;
use crate::oauth::exchange::refusal_body;
use crate::oauth::{Cause, Plain, RequestId, TokenResponse};

/// The header with the nonce for the next DPoP proof (RFC 9449 §8).
pub const DPOP_NONCE: &str = "dpop-nonce";

/// The challenge to a client that used the header `Authorization` (RFC 6749 §5.2).
const BASIC_CHALLENGE: &str = "Basic realm=\"deputy\", charset=\"UTF-8\"";
/// The challenge to the others, because a 401 has one (RFC 9110 §15.5.2). HTTP has no scheme for a credential in the body,
/// so it has the name of the method of client authentication (RFC 7523), as in the metadata. `Basic` would let a browser
/// ask its user for a password, and `Bearer` would ask for an access token.
const KEY_CHALLENGE: &str = "private_key_jwt realm=\"deputy\"";

/// A success with a JSON body.
pub fn ok(body: &impl Serialize) -> HttpResponse {
    sensitive(StatusCode::OK).json(body)
}

/// A token (RFC 6749 §5.1), with the nonce for the next DPoP proof where one is demanded.
pub fn token(answer: &TokenResponse) -> HttpResponse {
    let mut builder = sensitive(StatusCode::OK);
    if let Some(nonce) = &answer.dpop_nonce {
        builder.insert_header((DPOP_NONCE, nonce.as_str()));
    }
    builder.json(answer)
}

/// A success without a body.
pub fn empty() -> HttpResponse {
    sensitive(StatusCode::OK).finish()
}

fn sensitive(status: StatusCode) -> HttpResponseBuilder {
    let mut builder = HttpResponse::build(status);
    builder
        .insert_header((header::CACHE_CONTROL, "no-store"))
        .insert_header((header::PRAGMA, "no-cache"))
        .insert_header((header::X_CONTENT_TYPE_OPTIONS, "nosniff"));
    builder
}

/// A refusal (RFC 6749 §5.2).
pub fn refused(caller: &Caller, cause: &Cause) -> HttpResponse {
    let wire = cause.wire();
    let mut builder = sensitive(StatusCode::from_u16(wire.status).unwrap_or(StatusCode::BAD_REQUEST));
    if wire.status == 401 {
        let challenge = if caller.authorization.is_empty() { KEY_CHALLENGE } else { BASIC_CHALLENGE };
        builder.insert_header((header::WWW_AUTHENTICATE, challenge));
    }
    if let Cause::Plain(Plain::Throttled) = cause {
        builder.insert_header((header::RETRY_AFTER, Throttle::retry_after()));
    }
    if let Cause::AgentQuota { retry_after } = cause {
        builder.insert_header((header::RETRY_AFTER, *retry_after));
    }
    if let Cause::Plain(Plain::MethodNotAllowed) = cause {
        builder.insert_header((header::ALLOW, "POST"));
    }
    if let Cause::NonceDemanded { nonce } = cause {
        builder.insert_header((DPOP_NONCE, nonce.as_ref()));
    }
    if matches!(cause, Cause::Plain(Plain::BodyTooLarge | Plain::BodyTimeout)) {
        builder.force_close();
    }
    builder.json(refusal_body(cause, caller.request))
}

/// 503 for a request that failed: nothing of the cause is told. After a commit that was not answered nobody knows
/// whether something was recorded (`may_have_changed`). `retry_after` is in seconds.
pub fn failed(request: RequestId, may_have_changed: bool, retry_after: u32) -> HttpResponse {
    let description = if may_have_changed {
        "the server cannot answer now; no token was given out, but a change may have been recorded; try again after \
         Retry-After"
    } else {
        "the server cannot answer now; nothing was issued or changed; try again after Retry-After"
    };
    sensitive(StatusCode::SERVICE_UNAVAILABLE).insert_header((header::RETRY_AFTER, retry_after)).json(json!({
        "error": "temporarily_unavailable",
        "error_description": description,
        "reason": "temporarily_unavailable",
        "request_id": request.to_string(),
    }))
}

#[cfg(test)]
mod tests {
    use uuid::Uuid;

    use super::*;

    fn refusal(cause: Plain, authorization: Vec<Vec<u8>>) -> HttpResponse {
        let caller = Caller { authorization, ..Caller::for_tests(RequestId::new(Uuid::nil())) };
        refused(&caller, &cause.into())
    }

    fn header_of(response: &HttpResponse, name: header::HeaderName) -> Option<&str> {
        response.headers().get(name).map(|value| value.to_str().unwrap())
    }

    #[test]
    fn no_reply_may_be_cached() {
        for response in [
            ok(&"body"),
            empty(),
            failed(RequestId::new(Uuid::nil()), false, 5),
            refusal(Plain::MediaType, vec![]),
        ] {
            assert_eq!(header_of(&response, header::CACHE_CONTROL), Some("no-store"));
            assert_eq!(header_of(&response, header::X_CONTENT_TYPE_OPTIONS), Some("nosniff"));
        }
    }

    #[test]
    fn each_401_has_a_challenge_and_basic_is_asked_for_only_of_those_who_used_the_header() {
        let challenge = |authorization| {
            let response = refusal(Plain::NoCredentials, authorization);
            assert_eq!(response.status(), 401);
            header_of(&response, header::WWW_AUTHENTICATE).map(str::to_owned)
        };
        assert_eq!(challenge(vec![]).as_deref(), Some("private_key_jwt realm=\"deputy\""));
        assert_eq!(
            challenge(vec![b"Basic x".to_vec()]).as_deref(),
            Some("Basic realm=\"deputy\", charset=\"UTF-8\"")
        );
    }

    #[test]
    fn a_reply_says_when_to_try_again_and_which_method_to_use() {
        assert_eq!(header_of(&refusal(Plain::Throttled, vec![]), header::RETRY_AFTER), Some("10"));
        assert_eq!(header_of(&refusal(Plain::MethodNotAllowed, vec![]), header::ALLOW), Some("POST"));
        let failed = failed(RequestId::new(Uuid::nil()), true, 5);
        assert_eq!(
            (failed.status(), header_of(&failed, header::RETRY_AFTER)),
            (StatusCode::SERVICE_UNAVAILABLE, Some("5"))
        );
    }
}

//! Reading a body: its size and time are bounded before anything is parsed.

use std::time::Duration;

use actix_web::http::header;
use actix_web::{HttpRequest, web};
use futures_util::StreamExt as _;

/// The largest body that is read, in bytes.
pub const MAX_BODY: usize = 64 * 1024;
/// The longest time that a body may take: 64 KiB need no more, and a connection is free to hold.
const TIMEOUT: Duration = Duration::from_secs(3);

/// Why a body is not read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Unread {
    /// It is larger than [`MAX_BODY`], or says so.
    TooLarge,
    /// It did not arrive in time.
    Timeout,
    /// The connection broke, or the encoding of the transfer is malformed.
    Broken,
}

/// Reads the whole body of a request.
pub async fn read(request: &HttpRequest, payload: web::Payload) -> Result<Vec<u8>, Unread> {
    let declared = request
        .headers()
        .get(header::CONTENT_LENGTH)
        .and_then(|value| value.to_str().ok()?.parse::<usize>().ok());
    if declared.is_some_and(|length| length > MAX_BODY) {
        return Err(Unread::TooLarge);
    }
    tokio::time::timeout(TIMEOUT, collect(payload)).await.map_err(|_| Unread::Timeout)?
}

async fn collect(mut payload: web::Payload) -> Result<Vec<u8>, Unread> {
    let mut body = Vec::with_capacity(2048);
    while let Some(chunk) = payload.next().await {
        let chunk = chunk.map_err(|_| Unread::Broken)?;
        if body.len() + chunk.len() > MAX_BODY {
            return Err(Unread::TooLarge);
        }
        body.extend_from_slice(&chunk);
    }
    Ok(body)
}

/// Whether the request declares this media type, with no charset but UTF-8.
pub fn is_of_type(request: &HttpRequest, media_type: &str) -> bool {
    let declared = request.headers().get(header::CONTENT_TYPE).and_then(|value| value.to_str().ok());
    declared.is_some_and(|declared| is_utf8(declared, media_type))
}

fn is_utf8(declared: &str, media_type: &str) -> bool {
    let mut parts = declared.split(';').map(str::trim);
    parts.next().is_some_and(|kind| kind.eq_ignore_ascii_case(media_type))
        && parts.all(|parameter| match parameter.split_once('=') {
            Some((name, value)) if name.trim().eq_ignore_ascii_case("charset") => {
                value.trim().trim_matches('"').eq_ignore_ascii_case("utf-8")
            }
            _ => true,
        })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_media_type_is_taken_in_any_case_and_with_utf_8_only() {
        let form = "application/x-www-form-urlencoded";
        for declared in
            [form, "Application/X-WWW-Form-Urlencoded", &format!("{form}; charset=\"UTF-8\"; boundary=x")]
        {
            assert!(is_utf8(declared, form), "{declared}");
        }
        for declared in ["", "application/json", &format!("{form};charset=latin1"), &format!("{form}x")] {
            assert!(!is_utf8(declared, form), "{declared}");
        }
    }
}

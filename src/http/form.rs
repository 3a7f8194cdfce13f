//! Reading a form: the body of every request to an OAuth endpoint.

use actix_web::{HttpRequest, web};

use super::body::{self, Unread};
use crate::oauth::{Cause, Params, Plain};

/// Reads the parameters of one POST.
///
/// # Errors
/// Another media type, a body that is too large or too slow, or a malformed form.
pub async fn read(request: &HttpRequest, payload: web::Payload) -> Result<Params, Cause> {
    if !body::is_of_type(request, "application/x-www-form-urlencoded") {
        return Err(Plain::MediaType.into());
    }
    let body = body::read(request, payload).await.map_err(|unread| match unread {
        Unread::TooLarge => Plain::BodyTooLarge,
        Unread::Timeout => Plain::BodyTimeout,
        Unread::Broken => Plain::FormMalformed,
    })?;
    Params::parse(&body)
}

#[cfg(test)]
mod tests {
    use actix_web::FromRequest as _;
    use actix_web::test::TestRequest;

    use super::*;

    const FORM: &str = "application/x-www-form-urlencoded";

    async fn read_as(content_type: &str, body: Vec<u8>) -> Result<Params, Plain> {
        let request = TestRequest::post().insert_header(("content-type", content_type)).set_payload(body);
        let (request, mut payload) = request.to_http_parts();
        let payload = web::Payload::from_request(&request, &mut payload).await.unwrap();
        read(&request, payload).await.map_err(|cause| match cause {
            Cause::Plain(cause) => cause,
            other => panic!("{other:?}"),
        })
    }

    #[actix_web::test]
    async fn a_form_is_read_and_nothing_else() {
        let params = read_as(FORM, b"scope=a+b&audience=%C3%A9&empty=".to_vec()).await.unwrap();
        assert_eq!(
            [params.get("scope"), params.get("audience"), params.get("empty")],
            [Some("a b"), Some("\u{e9}"), None]
        );
        for content_type in ["application/json", "multipart/form-data; boundary=x", ""] {
            assert_eq!(read_as(content_type, b"a=b".to_vec()).await.unwrap_err(), Plain::MediaType);
        }
        for malformed in [&b"a=%zz"[..], b"a=%00", b"a=%ff"] {
            assert_eq!(read_as(FORM, malformed.to_vec()).await.unwrap_err(), Plain::FormMalformed);
        }
    }

    #[actix_web::test]
    async fn a_body_may_have_so_many_bytes_and_no_more() {
        let of_length = |length| [b"a=".as_slice(), &vec![b'x'; length - 2]].concat();
        assert!(read_as(FORM, of_length(body::MAX_BODY)).await.is_ok());
        assert_eq!(read_as(FORM, of_length(body::MAX_BODY + 1)).await.unwrap_err(), Plain::BodyTooLarge);
    }
}

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

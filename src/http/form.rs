//! Reading a form: method, media type, size and time are bounded before anything is parsed (design.md 8).

use std::net::IpAddr;
use std::time::Duration;

use actix_web::http::header;
use actix_web::{HttpRequest, web};
use futures_util::StreamExt as _;

use crate::config::Listen;
use crate::http::caller::Caller;
use crate::oauth::{Cause, Params, Plain, RequestId};

/// The largest body read.
const MAX_BODY: usize = 64 * 1024;
/// The longest time a body may take.
const BODY_TIMEOUT: Duration = Duration::from_secs(10);

/// Reads the parameters of one POST.
pub async fn read(request: &HttpRequest, payload: web::Payload) -> Result<Params, Cause> {
    let is_form = request
        .headers()
        .get(header::CONTENT_TYPE)
        .and_then(|value| value.to_str().ok())
        .is_some_and(is_utf8_form);
    if !is_form {
        return Err(Plain::MediaType.into());
    }
    let declared = request
        .headers()
        .get(header::CONTENT_LENGTH)
        .and_then(|value| value.to_str().ok()?.parse::<usize>().ok());
    if declared.is_some_and(|length| length > MAX_BODY) {
        return Err(Plain::BodyTooLarge.into());
    }
    let body = tokio::time::timeout(BODY_TIMEOUT, collect(payload)).await;
    Params::parse(&body.map_err(|_| Plain::BodyTimeout)??)
}

async fn collect(mut payload: web::Payload) -> Result<Vec<u8>, Cause> {
    let mut body = Vec::with_capacity(2048);
    while let Some(chunk) = payload.next().await {
        let chunk = chunk.map_err(|_| Plain::FormMalformed)?;
        if body.len() + chunk.len() > MAX_BODY {
            return Err(Plain::BodyTooLarge.into());
        }
        body.extend_from_slice(&chunk);
    }
    Ok(body)
}

/// `application/x-www-form-urlencoded`, with no charset but UTF-8.
fn is_utf8_form(value: &str) -> bool {
    let mut parts = value.split(';').map(str::trim);
    let is_form =
        parts.next().is_some_and(|kind| kind.eq_ignore_ascii_case("application/x-www-form-urlencoded"));
    is_form
        && parts.all(|parameter| match parameter.split_once('=') {
            Some((name, value)) if name.trim().eq_ignore_ascii_case("charset") => {
                value.trim().trim_matches('"').eq_ignore_ascii_case("utf-8")
            }
            _ => true,
        })
}

/// Who sent this request: the connection's address, or what the last listed proxy says of it.
pub fn caller(request: &HttpRequest, listen: &Listen, id: RequestId) -> Caller {
    let direct = request.peer_addr().map_or(IpAddr::from([0, 0, 0, 0]), |address| address.ip());
    let authorization =
        request.headers().get_all(header::AUTHORIZATION).map(|value| value.as_bytes().to_vec()).collect();
    Caller { source: source(direct, request, listen), authorization, request: id }
}

fn source(direct: IpAddr, request: &HttpRequest, listen: &Listen) -> IpAddr {
    let is_trusted = |address: &IpAddr| listen.trusted_proxies.iter().any(|net| net.contains(address));
    if !is_trusted(&direct) {
        return direct;
    }
    let mut forwarded = Vec::new();
    for value in request.headers().get_all("x-forwarded-for") {
        let Ok(text) = value.to_str() else { return direct };
        for hop in text.split(',') {
            match hop.trim().parse::<IpAddr>() {
                Ok(address) => forwarded.push(address),
                Err(_) => return direct,
            }
        }
    }
    forwarded.into_iter().rev().find(|address| !is_trusted(address)).unwrap_or(direct)
}

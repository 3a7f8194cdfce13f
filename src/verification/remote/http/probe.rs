//! One more look at a server from which keys are fetched, for what the fetch itself does not tell.

use jiff::fmt::rfc2822::DateTimeParser;
use reqwest::header::{AGE, DATE, HeaderMap, LOCATION};
use url::Url;

use super::{HttpKeys, check_url, token};
use crate::base::certificate::CertificateFault;
use crate::base::loopback::is_loopback;
use crate::base::time::Timestamp;
use crate::registry::Reach;

/// What a server shows of itself.
#[derive(Clone, Debug, Default)]
pub struct Probe {
    /// Whether a request was sent at all: the rules for URLs allow it, and what it needs is at hand.
    pub was_asked: bool,
    /// The status code of its answer, if it answered.
    pub status: Option<u16>,
    /// Where it sends those who ask.
    pub location: Option<String>,
    /// What its clock shows (RFC 9110 §6.6.1).
    pub date: Option<Timestamp>,
    /// Why its certificate was refused.
    pub certificate: Option<CertificateFault>,
}

impl HttpKeys {
    /// Asks for `url` as a fetch would, and reads no body.
    pub async fn probe(&self, url: &Url, reach: &Reach, is_local: bool) -> Probe {
        let is_loopback = is_local && is_loopback(url);
        let request = check_url(url, reach, is_loopback)
            .and_then(|()| Ok((self.client(url, reach, is_loopback)?.get(url.clone()), token(url, reach)?)));
        let Ok((request, token)) = request else { return Probe::default() };
        let request = match token {
            Some(token) => request.header(reqwest::header::AUTHORIZATION, token),
            None => request,
        };
        match request.send().await {
            Err(error) => {
                let certificate = CertificateFault::among_causes(&error);
                Probe { was_asked: true, certificate, ..Probe::default() }
            }
            Ok(response) => {
                let location = response.headers().get(LOCATION).and_then(|value| value.to_str().ok());
                Probe {
                    was_asked: true,
                    status: Some(response.status().as_u16()),
                    location: location.map(str::to_owned),
                    date: date(response.headers()),
                    certificate: None,
                }
            }
        }
    }
}

/// The time of the answer: when it was made, and how long caches have kept it since (RFC 9111 §5.1).
fn date(headers: &HeaderMap) -> Option<Timestamp> {
    static FORM: DateTimeParser = DateTimeParser::new();
    let made = FORM.parse_timestamp(headers.get(DATE)?.to_str().ok()?).ok()?;
    let age = headers.get(AGE).and_then(|value| value.to_str().ok()?.trim().parse::<u32>().ok());
    Some(Timestamp::from_seconds(made.as_second() + i64::from(age.unwrap_or(0))))
}

#[cfg(test)]
mod tests {
    use reqwest::header::HeaderValue;

    use super::*;

    #[test]
    fn the_clock_of_a_server_is_its_date_and_the_time_in_caches() {
        let mut headers = HeaderMap::new();
        assert_eq!(date(&headers), None);
        headers.insert(DATE, HeaderValue::from_static("Wed, 18 Nov 2026 11:06:40 GMT"));
        assert_eq!(date(&headers), Some(Timestamp::from_seconds(1_795_000_000)));
        headers.insert(AGE, HeaderValue::from_static("100"));
        assert_eq!(date(&headers), Some(Timestamp::from_seconds(1_795_000_100)));
        headers.insert(DATE, HeaderValue::from_static("today"));
        assert_eq!(date(&headers), None);
    }
}

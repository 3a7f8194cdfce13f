//! Who sent a request.

use std::net::IpAddr;

use crate::oauth::RequestId;

/// Who sent one request. `Debug` prints no credentials.
pub struct Caller {
    /// The source address, as seen through trusted proxies.
    pub source: IpAddr,
    /// Every `Authorization` header, as received.
    pub authorization: Vec<Vec<u8>>,
    /// The identifier of this request.
    pub request: RequestId,
}

impl std::fmt::Debug for Caller {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Caller").field("request", &self.request).finish_non_exhaustive()
    }
}

//! What every row has.

use std::net::IpAddr;

use serde::{Deserialize, Serialize};

use crate::base::time::Timestamp;
use crate::oauth::{ClientId, RequestId};

/// The version of the canonical form. It is part of the hashed body.
pub const VERSION: u8 = 1;

/// What every row has, whatever it describes.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Envelope {
    /// The version of the canonical form: [`VERSION`].
    #[serde(rename = "v")]
    pub version: u8,
    /// The chain of the node that wrote the row. The JSON member is `node`, as `chain` is that of the actors.
    #[serde(rename = "node")]
    pub chain: String,
    /// Its place on the chain: 1, 2, 3, …
    pub seq: i64,
    pub at: Timestamp,
    /// The request; absent for what happens without one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub request: Option<RequestId>,
    #[serde(flatten)]
    pub requester: Requester,
    /// The address that a request over HTTP came from, as much of it as the configuration lets be recorded.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub source: Option<IpAddr>,
}

/// Who asked for what happened.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(tag = "by", rename_all = "snake_case")]
pub enum Requester {
    /// A client that authenticated.
    Client {
        client: ClientId,
        /// The key that its assertion names; absent where it presented a secret.
        #[serde(rename = "client_kid", default, skip_serializing_if = "Option::is_none")]
        kid: Option<String>,
    },
    /// A caller that did not authenticate.
    Unauthenticated {
        /// The registered client that it claimed to be, if any.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        client: Option<ClientId>,
    },
    /// The operator, through the admin socket or a verb of the command line.
    Operator {
        /// The user of the machine whose process asked.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        uid: Option<u32>,
    },
    Server,
}

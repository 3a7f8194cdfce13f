//! Where the keys of a registered party are, and how they are reached.

use std::path::PathBuf;

/// Where the keys of an issuer or client come from.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum KeySource {
    /// Discovery at the issuer, then its `jwks_uri` (identity providers).
    Discovery,
    /// Fetched (RFC 7517 §5).
    Uri(url::Url),
    /// Pinned in a file.
    File(PathBuf),
}

/// Which addresses an operator-configured URL may resolve to.
#[derive(
    Clone, Copy, Debug, PartialEq, Eq, Default, serde::Serialize, serde::Deserialize, schemars::JsonSchema,
)]
#[serde(rename_all = "lowercase")]
pub enum Network {
    /// Public addresses only.
    #[default]
    Public,
    /// Private addresses too.
    Private,
}

#[derive(Clone, Debug, Default)]
pub struct Reach {
    /// `network`
    pub network: Network,
    /// A private CA, PEM.
    pub tls_ca_file: Option<PathBuf>,
    /// An egress proxy.
    pub proxy: Option<url::Url>,
    /// A token that is presented to the key server of a cluster.
    pub token: Option<KeysToken>,
}

/// A file that holds a bearer token, and the only origin that it is presented to.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct KeysToken {
    /// Read anew at each fetch, because a platform renews it.
    pub file: PathBuf,
    pub origin: url::Origin,
}

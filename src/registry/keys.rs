//! Where the keys of a registered party are, and how they are reached.

use std::path::{Path, PathBuf};

use url::Url;

use crate::jose::KeyForm;

/// Where the keys of an issuer or client come from.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum KeySource {
    /// Discovery at the issuer, then its `jwks_uri` (identity providers).
    Discovery,
    /// Fetched (RFC 7517 §5).
    Uri(Url),
    /// Pinned in a file.
    File(PathBuf),
    /// The bundle of a SPIFFE trust domain, fetched from its bundle endpoint (profile `https_web`).
    BundleEndpoint(Url),
    /// The bundle of a SPIFFE trust domain, pinned in a file.
    BundleFile(PathBuf),
}

impl KeySource {
    /// The URL that is fetched, if it is known without discovery.
    pub const fn url(&self) -> Option<&Url> {
        match self {
            Self::Uri(url) | Self::BundleEndpoint(url) => Some(url),
            Self::Discovery | Self::File(_) | Self::BundleFile(_) => None,
        }
    }

    /// The file that has them.
    pub fn file(&self) -> Option<&Path> {
        match self {
            Self::File(file) | Self::BundleFile(file) => Some(file),
            Self::Discovery | Self::Uri(_) | Self::BundleEndpoint(_) => None,
        }
    }

    /// The form of the document that has them.
    pub const fn form(&self) -> KeyForm {
        match self {
            Self::Discovery | Self::Uri(_) | Self::File(_) => KeyForm::Jwks,
            Self::BundleEndpoint(_) | Self::BundleFile(_) => KeyForm::Bundle,
        }
    }
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
    pub proxy: Option<Url>,
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

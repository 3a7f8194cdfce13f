//! Whether a party demands proof of possession of a key (RFC 9449, RFC 8705), and whether credentials are pinned to it.

use crate::base::words::words;

words! {
    /// Whether Deputy demands a proof of possession in a request for a token: by DPoP, or by a client certificate.
    #[derive(Default, schemars::JsonSchema)]
    #[schemars(rename_all = "snake_case")]
    Proof {
        /// A request without a proof is refused.
        Required => "required",
        /// A request may prove a key, and what it gets is bound to that key.
        #[default]
        Optional => "optional",
    }
}

words! {
    /// What a target can do with tokens that are bound to a key.
    #[derive(Default, schemars::JsonSchema)]
    #[schemars(rename_all = "snake_case")]
    TargetProof {
        /// It gets bound tokens only.
        Required => "required",
        /// It gets bound tokens where a key was proven.
        #[default]
        Optional => "optional",
        /// It cannot check them: its tokens are bearer tokens, whatever key was proven.
        None => "none",
    }
}

words! {
    /// Whether a credential of a workload issuer is pinned to a key.
    #[derive(Default, schemars::JsonSchema)]
    #[schemars(rename_all = "kebab-case")]
    Pin {
        /// The first key that is proven beside a credential is the only one, until the credential expires.
        #[default]
        FirstKey => "first-key",
        /// Any key may be proven beside it.
        Off => "off",
    }
}

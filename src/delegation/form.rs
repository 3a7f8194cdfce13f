//! The two forms of a token: a JWT, or a reference to its record.

/// In which form a token was given out.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum TokenForm {
    /// A JWT, which holds its claims.
    Jwt {
        /// The key that signed it.
        kid: String,
    },
    /// A reference to its record, which holds its claims.
    Opaque {
        /// The claims, a JSON object, sealed.
        claims: Vec<u8>,
    },
}

impl TokenForm {
    /// The key that signed the token, if one did.
    pub fn kid(&self) -> Option<&str> {
        match self {
            Self::Jwt { kid } => Some(kid),
            Self::Opaque { .. } => None,
        }
    }
}

//! The grants of the token endpoint (RFC 6749 §4, §4.5). This list is the one that metadata, the errors about
//! grants and the configuration reference are made from.

use super::exchange::{ExchangeRequest, Reading};

use super::params::Params;
use super::refusal::{Cause, Plain};
use crate::base::words::words;

/// Declares the grants with their identifiers, and the advice that lists them.
macro_rules! grant_types {
    ($(#[$first_about:meta])* $first:ident => $first_word:literal,
     $($(#[$about:meta])* $variant:ident => $word:literal,)*) => {
        words! {
            /// A grant type, with its identifier on the wire as its word.
            #[derive(PartialOrd, Ord)]
            GrantType {
                $(#[$first_about])* $first => $first_word,
                $($(#[$about])* $variant => $word,)*
            }
        }

        impl GrantType {
            /// The description in the refusal of a request without a grant type, or with one that is not served.
            pub const ADVICE: &'static str = concat!("send the grant_type ", $first_word $(, " or ", $word)*);
        }
    };
}

grant_types! {
    /// Token exchange (RFC 8693).
    TokenExchange => "urn:ietf:params:oauth:grant-type:token-exchange",
    /// A token about the client's agent itself (RFC 6749 §4.4).
    ClientCredentials => "client_credentials",
    /// A token about the agent that the credential of its platform names, without any client (RFC 7523 §2.1).
    JwtBearer => "urn:ietf:params:oauth:grant-type:jwt-bearer",
}

impl GrantType {
    /// The grants of a client whose registration names none.
    pub const DEFAULT: [Self; 1] = [Self::TokenExchange];

    /// The grant that a request asks for (RFC 6749 §5.2).
    ///
    /// # Errors
    /// `grant_type` is missing, or is one that is not served.
    pub fn of(params: &Params) -> Result<Self, Plain> {
        let word = params.get("grant_type").ok_or(Plain::GrantTypeMissing)?;
        Self::parse(word).ok_or(Plain::GrantTypeUnsupported)
    }
}

/// A request to the token endpoint whose parameters are present and well-formed: one variant a grant.
#[derive(Clone, Debug)]
pub enum TokenRequest {
    /// Token exchange (RFC 8693 §2.1).
    Exchange(ExchangeRequest),
    /// A token about an agent itself, or for a task of its own (RFC 6749 §4.4.2, RFC 7523 §2.1): an exchange without a
    /// subject token.
    OfAgent(ExchangeRequest),
}

impl TokenRequest {
    /// Parses the parameters of `grant`.
    ///
    /// # Errors
    /// The first fault found, in the order that the grant's own parser states.
    pub fn parse(grant: GrantType, params: &Params, reading: Reading<'_>) -> Result<Self, Cause> {
        match grant {
            GrantType::TokenExchange => ExchangeRequest::parse(params, reading).map(Self::Exchange),
            GrantType::ClientCredentials | GrantType::JwtBearer => {
                ExchangeRequest::parse_of_agent(params, reading).map(Self::OfAgent)
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_advice_names_every_grant() {
        for grant in GrantType::ALL {
            assert!(GrantType::ADVICE.contains(grant.word()));
        }
    }

    #[test]
    fn a_grant_is_asked_for_by_its_exact_identifier() {
        let of = |form: &str| GrantType::of(&Params::parse(form.as_bytes()).unwrap());
        for grant in GrantType::ALL {
            assert_eq!(of(&format!("grant_type={}", grant.word())).unwrap(), *grant);
            let upper = of(&format!("grant_type={}", grant.word().to_uppercase()));
            assert!(matches!(upper, Err(Plain::GrantTypeUnsupported)));
        }
        assert!(matches!(of("scope=a"), Err(Plain::GrantTypeMissing)));
    }
}

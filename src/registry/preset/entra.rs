//! The issuers of Microsoft Entra. Each is one tenant, in one of the two versions of tokens.

use uuid::Uuid;

/// The end of the issuer of tokens of version 2.0.
const V2: &str = "/v2.0";
/// What comes before the tenant in the issuer of tokens of version 1.0.
const V1: &str = "https://sts.windows.net/";

/// The version of tokens, which the resource chooses for those that are issued for it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum EntraVersion {
    V1,
    V2,
}

/// The issuer of one tenant.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct EntraIssuer<'a> {
    /// The tenant's identifier, which its tokens have as `tid`.
    pub tenant: &'a str,
    pub version: EntraVersion,
    /// The issuer without what says the version.
    base: &'a str,
}

impl<'a> EntraIssuer<'a> {
    /// `None` where no tenant is named: no token has the issuer `https://login.microsoftonline.com/common/v2.0`.
    pub fn parse(issuer: &'a str) -> Option<Self> {
        let (base, version) = match issuer.strip_suffix(V2) {
            Some(base) => (base, EntraVersion::V2),
            None => (issuer.strip_suffix('/')?, EntraVersion::V1),
        };
        let (_, tenant) = base.rsplit_once('/')?;
        // Entra writes a tenant in one form, and issuers are compared byte for byte.
        let is_tenant = Uuid::try_parse(tenant).is_ok_and(|id| id.hyphenated().to_string() == tenant);
        is_tenant.then_some(Self { tenant, version, base })
    }

    /// Where its keys are.
    pub(super) fn jwks_uri(self) -> Option<String> {
        match self.version {
            EntraVersion::V2 => Some(format!("{}/discovery/v2.0/keys", self.base)),
            EntraVersion::V1 => self
                .base
                .starts_with(V1)
                .then(|| format!("https://login.microsoftonline.com/{}/discovery/keys", self.tenant)),
        }
    }
}

impl EntraVersion {
    /// `ver` of its tokens.
    pub const fn ver(self) -> &'static str {
        match self {
            Self::V1 => "1.0",
            Self::V2 => "2.0",
        }
    }

    /// The claim that names the application to which a token was issued.
    pub const fn application(self) -> &'static str {
        match self {
            Self::V1 => "appid",
            Self::V2 => "azp",
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_issuer_names_one_tenant_in_one_form() {
        let tenant = "9122040d-6c67-4c5b-b112-36a304b66dad";
        for (issuer, version) in [
            (format!("https://login.microsoftonline.com/{tenant}/v2.0"), Some(EntraVersion::V2)),
            (format!("https://sts.windows.net/{tenant}/"), Some(EntraVersion::V1)),
            (format!("https://sts.windows.net/{tenant}"), None),
            (format!("https://login.microsoftonline.com/{tenant}/v2.0/"), None),
            (format!("https://login.microsoftonline.com/{}/v2.0", tenant.to_uppercase()), None),
            (format!("https://login.microsoftonline.com/{}/v2.0", tenant.replace('-', "")), None),
            ("https://login.microsoftonline.com/common/v2.0".to_owned(), None),
            ("https://login.microsoftonline.com/v2.0".to_owned(), None),
            (String::new(), None),
        ] {
            let read = EntraIssuer::parse(&issuer).map(|issuer| (issuer.tenant, issuer.version));
            assert_eq!(read, version.map(|version| (tenant, version)), "{issuer}");
        }
    }
}

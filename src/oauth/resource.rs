//! `resource` as a URI (RFC 8707 §2), in the form in which URIs are compared.

use fluent_uri::Uri;

/// A `resource` URI in its normal form (RFC 3986 §6.2.2 and §6.2.3), so that two spellings of one URI are equal.
///
/// The case of scheme and host, the default port, percent-encodings of unreserved characters, the case of the others,
/// dot segments and an empty path make no difference. Everything else does: the query, a slash at the end of another path,
/// and a reserved character beside its percent-encoding. There are no prefixes.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct ResourceUri(String);

impl ResourceUri {
    /// `None` for what is no absolute URI without a fragment (RFC 8707 §2), and for an `http` or `https` URI without a
    /// host (RFC 9110 §4.2).
    pub fn parse(text: &str) -> Option<Self> {
        let uri = Uri::parse(text).ok().filter(|uri| !uri.has_fragment())?.normalize();
        let has_host = uri.authority().is_some_and(|authority| !authority.host().is_empty());
        if !has_host && matches!(uri.scheme().as_str(), "http" | "https") {
            return None;
        }
        Some(Self(match uri.authority() {
            // The library leaves an empty path as it is (RFC 3986 §6.2.3).
            Some(authority) if uri.path().is_empty() => {
                let query = uri.query().map(|query| format!("?{query}")).unwrap_or_default();
                format!("{}://{authority}/{query}", uri.scheme())
            }
            Some(_) | None => uri.into_string(),
        }))
    }

    /// The normal form.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

#[cfg(test)]
mod tests {
    use super::ResourceUri;

    fn normal(text: &str) -> Option<String> {
        ResourceUri::parse(text).map(|uri| uri.as_str().to_owned())
    }

    #[test]
    fn spellings_of_one_uri_are_equal() {
        for (one, other) in [
            ("https://tickets.example", "https://tickets.example/"),
            ("https://tickets.example", "HTTPS://Tickets.Example"),
            ("https://tickets.example", "https://tickets.example:443"),
            ("https://tickets.example", "https://tickets.example:/"),
            ("http://tickets.example", "http://tickets.example:80/"),
            ("https://tickets.example", "https://tickets%2Eexample"),
            ("https://tickets.example?a=1", "https://tickets.example/?a=1"),
            ("https://tickets.example/~ada", "https://tickets.example/%7Eada"),
            ("https://tickets.example/~ada", "https://tickets.example/%7eada"),
            ("https://tickets.example/a%2Fb", "https://tickets.example/a%2fb"),
            ("https://tickets.example/a", "https://tickets.example/./b/../a"),
            ("https://tickets.example/a", "https://tickets.example/b/%2E%2e/a"),
            ("https://tickets.example?a=1", "https://tickets.example?a=%31"),
            ("https://[2001:db8::1]/", "https://[2001:DB8:0::1]"),
            ("spiffe://cluster.example", "spiffe://CLUSTER.example/"),
        ] {
            assert_eq!(normal(one), normal(other), "{one} and {other}");
            assert!(normal(one).is_some(), "{one}");
        }
    }

    /// What a browser, whose rules `url` follows, reads as one URL.
    #[test]
    fn what_differs_by_more_than_the_spelling_stays_another_uri() {
        for (one, other) in [
            ("https://tickets.example/a", "https://tickets.example/a/"),
            ("https://tickets.example/a", "https://tickets.example//a"),
            ("https://tickets.example/a", "https://tickets.example/A"),
            ("https://tickets.example/a/b", "https://tickets.example/a%2Fb"),
            ("https://tickets.example", "http://tickets.example"),
            ("https://tickets.example", "https://tickets.example:8443"),
            ("https://tickets.example", "https://tickets.example."),
            ("https://tickets.example", "https://tickets.example?"),
            ("https://tickets.example", "https://x@tickets.example"),
            ("https://tickets.example", "https://@tickets.example"),
            ("https://tickets.example/?a='", "https://tickets.example/?a=%27"),
            ("https://tickets.example/?a=1&b=2", "https://tickets.example/?b=2&a=1"),
            ("https://127.0.0.1", "https://127.1"),
            ("https://127.0.0.1", "https://0x7f.0.0.1"),
            ("https://xn--bcher-kva.example", "https://b%C3%BCcher.example"),
            ("urn:tickets:a", "urn:tickets:A"),
        ] {
            assert_ne!(normal(one), normal(other), "{one} and {other}");
            assert!(normal(one).is_some() && normal(other).is_some(), "{one} and {other}");
        }
    }

    #[test]
    fn what_is_no_absolute_uri_without_fragment_is_none() {
        for text in [
            "",
            "tickets",
            "/calendar",
            "//tickets.example/x",
            "?tenant=1",
            "https:",
            "https://",
            "https:///x",
            "https:/tickets.example",
            "https:tickets.example",
            "https:\\\\tickets.example",
            "https://tickets.example/x#part",
            "https://tickets.example/#",
            "https://tickets.example/a b",
            " https://tickets.example",
            "https://tickets.example\n",
            "https://b\u{fc}cher.example",
            "https://tickets.example/{x}",
            "https://tickets.example/%zz",
            "https://tickets.example:x",
            "https://[::1",
        ] {
            assert_eq!(ResourceUri::parse(text), None, "{text}");
        }
    }

    #[test]
    fn the_normal_form_is_its_own_normal_form() {
        for text in
            ["HTTPS://A.example:443?x=%7e", "https://a.example/../b/./c", "urn:a:b", "spiffe://A", "a:b"]
        {
            let once = normal(text).unwrap();
            assert_eq!(normal(&once).as_deref(), Some(once.as_str()), "{text}");
        }
    }
}

//! For which kind of token Deputy would take one, and why: what `deputy token inspect` says besides the content. It needs
//! no network, and believes nothing.

use std::collections::BTreeSet;

use serde_json::{Map, Value, json};

use crate::config::Config;
use crate::jose::UnverifiedToken;
use crate::oauth::exchange::own_typ;
use crate::oauth::{ClientId, OpaqueToken, TokenFault};
use crate::registry::IdentityProvider;
use crate::verification::{SubjectKind, access_token_source, kind_of, relying_party};

/// What a token would be taken for.
pub(super) struct Taken {
    /// The kind; absent where no kind of subject token fits.
    pub(super) kind: Option<&'static str>,
    /// The word or mark that decided.
    pub(super) because: String,
    /// What the configuration says of it; absent without a configuration.
    pub(super) matches: Option<String>,
}

impl Taken {
    /// Reads the kind of a token, and which entry of the configuration it would match.
    pub(super) fn read(token: &str, config: Option<&Config>) -> Self {
        if OpaqueToken::parse(token).is_some() {
            return Self {
                kind: Some("access token"),
                because: "it begins with `dpt_at_`, as the opaque tokens of Deputy do".to_owned(),
                matches: config.map(|config| own(config, true)),
            };
        }
        let scanned = match UnverifiedToken::scan(token) {
            Ok(scanned) => scanned,
            Err(error) => {
                return Self { kind: None, because: format!("it is refused: {error}"), matches: None };
            }
        };
        let issuer = scanned.claimed_issuer().unwrap_or_default();
        let (header, claims) = (scanned.header(), scanned.unverified_claims());
        let is_own = config.is_some_and(|config| config.issuer.as_str() == issuer);
        for (typ, kind) in [(own_typ::TASK, "task token"), (own_typ::HANDOVER, "handover")] {
            if header.typ.as_deref() == Some(typ) {
                let because = format!("the header `typ` is `{typ}`");
                let matches = config.map(|config| own(config, is_own));
                return Self { kind: Some(kind), because, matches };
            }
        }
        let provider = config.and_then(|config| config.registry.identity_providers.get(issuer));
        let none = BTreeSet::new();
        let (kind, because) =
            match kind_of(header, claims, provider.map_or(&none, |provider| &provider.id_token_claims)) {
                Ok((kind, because)) => (Some(kind), because.to_string()),
                Err(_) => {
                    let because = "a word or a claim in it is that of another kind, or two words disagree";
                    (None, because.to_owned())
                }
            };
        let matches = config.map(|config| match (provider, kind) {
            _ if is_own => own(config, is_own),
            (Some(provider), Some(kind)) => of_provider(provider, kind, claims),
            (Some(_), None) => "no entry: it is refused with the cause `kind`".to_owned(),
            (None, _) if config.registry.workload_issuers.contains_key(issuer) => {
                format!("workload issuer `{issuer}`: it is taken as `actor_token`, not as `subject_token`")
            }
            (None, _) => "no configured issuer: it is refused with the cause `issuer_untrusted`".to_owned(),
        });
        Self { kind: kind.map(SubjectKind::name), because, matches }
    }

    pub(super) fn to_json(&self) -> Value {
        json!({"kind": self.kind, "because": self.because, "matches": self.matches})
    }
}

fn own(config: &Config, is_own: bool) -> String {
    match is_own {
        true => "Deputy itself: it is compared with its record".to_owned(),
        false => format!("nothing: its `iss` is not `{}`", config.issuer),
    }
}

fn of_provider(provider: &IdentityProvider, kind: SubjectKind, claims: &Map<String, Value>) -> String {
    let issuer = &provider.issuer;
    match kind {
        SubjectKind::IdToken => match relying_party(provider, claims) {
            Ok((id, party)) => {
                format!("relying party `{id}` of `{issuer}`, from {}", clients(&party.clients))
            }
            Err(fault) => {
                let fix = match fault {
                    TokenFault::Audience => {
                        ": `aud` needs the `client_id` of a `relying_party`, and what else is in it has to be listed under \
                         its `other_audiences`"
                    }
                    TokenFault::AuthorizedParty => {
                        ": `azp` has to be the `client_id` of a `relying_party`, or listed under its `authorized_parties`"
                    }
                    _ => "",
                };
                format!("no relying party: it is refused with the cause `{}`{fix}", fault.word())
            }
        },
        SubjectKind::AccessToken => match access_token_source(provider, claims, |when| when.holds_in(claims))
        {
            Ok((position, source)) => format!(
                "`access_token` entry {} of `{issuer}` (audience `{}`), from {}",
                position + 1,
                source.audience,
                clients(&source.clients)
            ),
            Err(_) if provider.access_tokens.is_empty() => {
                format!("nothing: `{issuer}` has no `access_token` entry")
            }
            Err(fault) => format!("no `access_token` entry: it is refused with the cause `{}`", fault.word()),
        },
    }
}

fn clients(clients: &BTreeSet<ClientId>) -> String {
    let names: Vec<String> = clients.iter().map(|client| format!("`{client}`")).collect();
    format!("the client{} {}", if names.len() == 1 { "" } else { "s" }, names.join(", "))
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use base64::Engine as _;
    use base64::engine::general_purpose::URL_SAFE_NO_PAD;

    use super::*;
    use crate::testing::definition;

    const ENTRIES: &str = r#"
[[identity_provider.access_token]]
audience = "https://gateway.example"
client = "assistant"
authorized_parties = ["other-app"]

[[identity_provider.access_token]]
audience = "https://gateway.example"
client = "assistant"
authorized_parties = ["travel-app"]

[[identity_provider.assurance]]"#;

    fn config() -> Config {
        let text = definition::on_loopback("https://deputy.example", "https://op.example", "");
        let text = text.replace("\n[[identity_provider.assurance]]", ENTRIES) + definition::TLS;
        Config::parse(&text, Path::new(definition::DIRECTORY)).unwrap()
    }

    /// What is said of an unsigned token.
    fn said(
        config: Option<&Config>,
        header: &Value,
        claims: &Value,
    ) -> (Option<&'static str>, String, String) {
        let part = |value: &Value| URL_SAFE_NO_PAD.encode(value.to_string());
        let token = format!("{}.{}.c2ln", part(header), part(claims));
        let taken = Taken::read(&token, config);
        (taken.kind, taken.because, taken.matches.unwrap_or_default())
    }

    #[test]
    fn the_kind_and_what_decides_it_are_said_without_a_configuration() {
        let cases = [
            (json!({"typ": "at+jwt"}), json!({}), Some("access token"), "the header `typ` is `at+jwt`"),
            (json!({}), json!({"typ": "Bearer"}), Some("access token"), "the claim `typ` is `Bearer`"),
            (
                json!({}),
                json!({"scp": "a"}),
                Some("access token"),
                "it has the claim `scp`, and no word names its kind",
            ),
            (json!({"typ": "task+jwt"}), json!({}), Some("task token"), "the header `typ` is `task+jwt`"),
            (
                json!({"typ": "JWT"}),
                json!({"nonce": "n"}),
                Some("ID token"),
                "no word names its kind, and no claim marks it as an access token",
            ),
            (
                json!({}),
                json!({"typ": "Refresh"}),
                None,
                "a word or a claim in it is that of another kind, or two words disagree",
            ),
        ];
        for (mut header, claims, kind, because) in cases {
            header["alg"] = json!("ES256");
            assert_eq!(said(None, &header, &claims), (kind, because.to_owned(), String::new()), "{claims}");
        }
    }

    #[test]
    fn an_opaque_token_is_recognised_by_its_form() {
        let token = format!("dpt_at_{}", "A".repeat(56));
        let taken = Taken::read(&token, Some(&config()));
        assert_eq!(taken.kind, Some("access token"));
        assert_eq!(taken.because, "it begins with `dpt_at_`, as the opaque tokens of Deputy do");
        assert_eq!(taken.matches.as_deref(), Some("Deputy itself: it is compared with its record"));
        assert_eq!(Taken::read(&token[..62], None).kind, None, "it has another length");
    }

    #[test]
    fn with_a_configuration_the_entry_that_would_match_is_named() {
        let config = config();
        let header = json!({"alg": "ES256"});
        let access = json!({"iss": "https://op.example", "aud": "https://gateway.example", "scope": "a"});
        let of = |name: &str, value: &str| {
            let mut claims = access.clone();
            claims[name] = json!(value);
            said(Some(&config), &header, &claims).2
        };
        assert_eq!(
            of("azp", "travel-app"),
            "`access_token` entry 2 of `https://op.example` (audience `https://gateway.example`), from the client \
             `assistant`"
        );
        assert_eq!(
            of("azp", "nobody"),
            "no `access_token` entry: it is refused with the cause `authorized_party`"
        );
        assert_eq!(
            of("iss", "https://nobody.example"),
            "no configured issuer: it is refused with the cause `issuer_untrusted`"
        );
        assert_eq!(of("iss", "https://deputy.example"), "Deputy itself: it is compared with its record");
        let id_token = json!({"iss": "https://op.example", "aud": "other-app"});
        assert_eq!(
            said(Some(&config), &header, &id_token).2,
            "relying party `other-app` of `https://op.example`, from the client `stranger`"
        );
        let beside = json!({"iss": "https://op.example", "aud": ["other-app", "235982"], "azp": "other-app"});
        assert_eq!(
            said(Some(&config), &header, &beside).2,
            "no relying party: it is refused with the cause `audience`: `aud` needs the `client_id` of a `relying_party`, \
             and what else is in it has to be listed under its `other_audiences`"
        );
    }
}

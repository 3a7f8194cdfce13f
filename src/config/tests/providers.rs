//! What can be said of a provider: when its users signed in, for whom its tokens are, and which levels imply others.

use super::{VALID, parse, said};
use crate::registry::{AuthTime, OtherAudiences};
use crate::testing::definition::replaced;

const ISSUER: &str = "https://login.example";
const PARTY: &str = "client_id = \"booking-app\"";
const LEVEL: &str = "name = \"phishing_resistant\"";

/// The levels of the provider, each with those that it implies.
fn levels(text: &str) -> Vec<(String, Vec<String>)> {
    let config = parse(text).unwrap();
    let levels = config.registry.identity_providers[ISSUER].assurance.values();
    levels.map(|level| (level.name.clone(), level.implies.iter().cloned().collect())).collect()
}

fn pairs(pairs: &[(&str, &[&str])]) -> Vec<(String, Vec<String>)> {
    let owned = |words: &[&str]| words.iter().map(|word| (*word).to_owned()).collect();
    pairs.iter().map(|(name, implies)| ((*name).to_owned(), owned(implies))).collect()
}

#[test]
fn the_strict_reading_is_the_default() {
    let config = parse(&VALID).unwrap();
    let provider = &config.registry.identity_providers[ISSUER];
    assert_eq!((provider.auth_time, provider.requires_nonce), (AuthTime::Required, false));
    let party = &provider.relying_parties["booking-app"];
    assert_eq!(party.other_audiences, OtherAudiences::Listed([].into()));
    assert!(party.authorized_parties.is_empty());
}

#[test]
fn a_relying_party_lists_other_audiences_or_says_any() {
    let of = |line: &str| {
        let config = parse(&replaced(&VALID, PARTY, &format!("{PARTY}\n{line}"))).unwrap();
        config.registry.identity_providers[ISSUER].relying_parties["booking-app"].other_audiences.clone()
    };
    assert_eq!(of("other_audiences = \"any\""), OtherAudiences::Any);
    let listed = of("other_audiences = [\"a\", \"any\"]");
    assert!(listed.contains("any") && listed.contains("a") && !listed.contains("b"));
    let word = said(&replaced(&VALID, PARTY, &format!("{PARTY}\nother_audiences = \"all\"")));
    assert!(word.contains("is `all`, and the only word that it may be is `any`"), "{word}");
    assert!(word.contains("write `[\"all\"]` for that audience"), "{word}");
}

#[test]
fn phishing_resistant_implies_mfa_unless_it_says_otherwise() {
    assert_eq!(levels(&VALID), pairs(&[("mfa", &[]), ("phishing_resistant", &["mfa"])]));
    let none = replaced(&VALID, LEVEL, &format!("{LEVEL}\nimplies = []"));
    assert_eq!(levels(&none), pairs(&[("mfa", &[]), ("phishing_resistant", &[])]));
}

#[test]
fn a_level_implies_what_the_levels_that_it_implies_imply() {
    let more = "name = \"gold\"\nimplies = [\"phishing_resistant\"]\nany_of = [{ claim = \"acr\", in = [\"g\"] }]\n\n\
                [[identity_provider.assurance]]\n";
    let text = replaced(&VALID, LEVEL, &format!("{more}{LEVEL}"));
    assert_eq!(
        levels(&text),
        pairs(&[("gold", &["mfa", "phishing_resistant"]), ("mfa", &[]), ("phishing_resistant", &["mfa"])])
    );
    let unknown = said(&text.replace("[\"phishing_resistant\"]", "[\"phishing_resitant\"]"));
    assert!(unknown.contains("`identity_provider.assurance.implies` names `phishing_resitant`"), "{unknown}");
    assert!(unknown.contains("the nearest level is `phishing_resistant`"), "{unknown}");
    let circle = said(&replaced(&text, LEVEL, &format!("{LEVEL}\nimplies = [\"gold\"]")));
    assert!(circle.contains("leads from `gold` back to `gold`"), "{circle}");
    let itself = said(&replaced(&VALID, LEVEL, &format!("{LEVEL}\nimplies = [\"phishing_resistant\"]")));
    assert!(itself.contains("leads from `phishing_resistant` back"), "{itself}");
}

#[test]
fn a_provider_on_this_machine_is_named_as_its_tokens_name_it() {
    let text = VALID.replace("https://login.example", "http://localhost:3000");
    assert_eq!(said(&text), "");
    assert_eq!(said(&text.replace("http://127.0.0.1:8443", "http://localhost:8443")), "");

    let own =
        text.replace("http://127.0.0.1:8443", "https://deputy.example") + crate::testing::definition::TLS;
    let told = said(&own);
    assert!(told.contains("accepted only if Deputy's own `issuer` is on this machine too"), "{told}");
    assert!(told.contains("`issuer = \"http://localhost:8443\"` without `[tls]`"), "{told}");
}

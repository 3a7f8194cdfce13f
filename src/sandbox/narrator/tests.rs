use serde_json::json;

use super::*;
use crate::jose::{Algorithm, SigningKey};
use crate::sandbox::step::Part;
use crate::sandbox::wire::Call;

const PLAIN: Look = Look { width: 80, has_boxes: false, has_colour: false };

/// A step with everything in it, and the token that it is about.
fn full_step() -> (Step, String) {
    let claims =
        json!({ "sub": "pw_0123456789abcdefghij", "scope": "tickets:search", "birthdate": "1991-05-17" });
    let token = SigningKey::generate(Algorithm::ES256).unwrap().sign_jwt("at+jwt", &claims).unwrap();
    let call = Call {
        from: "assistant",
        to: "Deputy",
        method: "POST".to_owned(),
        path: "/token".to_owned(),
        params: [
            ("subject_token", token.as_str()),
            ("password", "a-password"),
            ("code_verifier", "0123456789-0123456789-0123456789-0123456789"),
            ("scope", "tickets:search"),
        ]
        .map(|(name, value)| (name.to_owned(), value.to_owned()))
        .to_vec(),
        bearer: Some(token.clone()),
        proof_by: None,
        status: 200,
        location: None,
        retry_after: None,
        body: json!({ "access_token": token, "scope": "tickets:search" }),
    };
    let mut step = Step::new(Part::Story, "1", "A step").saying("Plain words.").after(vec![call.clone()]);
    step = step.with_call(&call).denied("someone", "something", "a rule", "something else");
    step.audit = Some(json!({ "seq": 1, "outcome": "refused", "cause": "not_yours" }));
    step.text.push("a line".to_owned());
    step.expect("status", 200, 200);
    step.expect("scope", "a", "b");
    (step, token)
}

fn signature_of(token: &str) -> &str {
    token.rsplit('.').next().unwrap()
}

#[test]
fn plain_output_has_no_escape_codes_and_no_frames() {
    let text = human::step(&full_step().0, PLAIN);
    assert!(!text.contains('\u{1b}') && !text.contains('┌'), "{text}");
}

#[test]
fn a_terminal_gets_colour_and_frames_of_one_width() {
    let coloured = human::step(&full_step().0, Look::of_width(Some(110), true));
    assert!(coloured.contains("\u{1b}["));
    let framed = human::step(&full_step().0, Look::of_width(Some(110), false));
    assert!(!framed.contains('\u{1b}'));
    assert!(framed.lines().all(|line| line.chars().count() == 110), "{framed}");
}

#[test]
fn no_line_is_wider_than_the_terminal_and_narrow_ones_get_no_frames() {
    let long = "https://".to_owned() + &"a-name-without-a-space.".repeat(9);
    let mut step = full_step().0;
    step.title = format!("A title of many words that names {long}");
    step.words.push(long.clone());
    step.text.push(format!("    {long}"));
    step.expect("a long value", long.as_str(), 7);
    for columns in [None, Some(0), Some(20), Some(48), Some(80), Some(99), Some(100), Some(300)] {
        let look = Look::of_width(columns, false);
        let passage = [(Some("a term"), long.clone()), (None, long.clone())];
        let offers = [Offer::Comment(long.clone()), Offer::Command(vec!["curl".to_owned(), long.clone()])];
        let text = human::step(&step, look)
            + &human::passage(&long, &passage, look)
            + &human::to_copy(&long, &offers, look)
            + &human::prompt(&long, look)
            + &human::verdict(&long, true, look);
        let most = text.lines().map(|line| line.chars().count()).max();
        assert!(most <= Some(look.width), "{columns:?}: {most:?}\n{text}");
        assert_eq!(text.contains('┌'), columns >= Some(100), "{columns:?}");
    }
    assert_eq!(Look::of_width(None, false).width, 80);
    assert_eq!(Look::of_width(Some(300), false).width, 120);
}

#[test]
fn no_token_password_or_verifier_is_shown_whole_to_anyone() {
    let (step, token) = full_step();
    for text in [human::step(&step, PLAIN), json::step(&step).to_string()] {
        assert!(!text.contains(&token) && !text.contains(signature_of(&token)), "{text}");
        assert!(!text.contains("a-password") && !text.contains("0123456789-0123456789"), "{text}");
        assert!(!text.contains("1991-05-17"), "{text}");
    }
}

#[test]
fn a_denial_says_who_what_which_rule_and_what_would_have_passed() {
    let text = human::step(&full_step().0, PLAIN);
    for said in ["someone", "something", "a rule [cause not_yours]", "would have passed: something else"] {
        assert!(text.contains(said), "{text}");
    }
}

#[test]
fn what_differs_is_told_with_expected_and_actual() {
    let text = human::step(&full_step().0, PLAIN);
    assert!(text.contains("DIFFERS scope: expected a, got b"), "{text}");
}

#[test]
fn a_json_step_has_the_documented_members_on_one_line() {
    let object = json::step(&full_step().0);
    for member in ["step", "title", "request", "response", "token", "decision", "audit"] {
        assert!(object.get(member).is_some_and(|value| !value.is_null()), "{member}: {object}");
    }
    assert_eq!(object["ok"], false);
    assert_eq!(object["token"]["claims"]["scope"], "tickets:search");
    assert_eq!(object["decision"]["denied"]["would_pass"], "something else");
    assert!(!object.to_string().contains('\n'));
}

#[test]
fn equal_opaque_values_stay_recognisable_when_cut() {
    assert_eq!(shown::brief_id("pw_0123456789abcdefghij"), "pw_012345678…");
    assert_eq!(shown::brief_id("01997a4c-3b2a-7c1d-8e4f-0123456789ab"), "…6789ab");
    assert_eq!(shown::brief_id("tickets:search"), "tickets:search");
}

#[test]
fn what_is_shown_of_a_token_holds_nothing_of_its_signature() {
    let (_, token) = full_step();
    assert!(shown::is_jws(&token));
    assert!(shown::shorten(&token).chars().count() <= 8);
}

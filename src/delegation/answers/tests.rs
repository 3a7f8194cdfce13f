use proptest::prelude::*;
use serde_json::json;

use super::*;
use crate::registry::LeapDay;

const TASK_END: Timestamp = Timestamp::from_seconds(4_000_000_000);

fn zone(hours: i8) -> Zone {
    Zone(jiff::tz::TimeZone::fixed(jiff::tz::offset(hours)))
}

fn at(text: &str) -> Timestamp {
    let at: jiff::Timestamp = text.parse().unwrap();
    Timestamp::from_millis(at.as_millisecond())
}

fn at_least(years: u16, leap_day: LeapDay) -> Question {
    Question::AtLeastYears { years, leap_day }
}

/// Yes, no or neither, as words that a failing test may print.
fn on(question: &Question, claim: Value, zone: &Zone, now: &str) -> &'static str {
    match answer(question, Some(&claim), None, zone, at(now)) {
        Answer::True => "true",
        Answer::False => "false",
        Answer::Unknown(Unknown::Unavailable) => "unknown",
        Answer::Unknown(Unknown::Invalid) => "invalid",
    }
}

fn over_18(claim: Value, now: &str) -> &'static str {
    on(&at_least(18, LeapDay::Mar1), claim, &zone(0), now)
}

#[test]
fn only_the_two_forms_of_a_birthdate_are_read() {
    let now = "2026-11-21T12:00:00Z";
    assert_eq!(over_18(json!("1990-02-28"), now), "true");
    assert_eq!(over_18(json!("2015-02-28"), now), "false");
    assert_eq!(over_18(json!("1990"), now), "true");
    for no_year in [json!("0000-06-15"), json!("0000"), json!("0000-02-29")] {
        assert_eq!(over_18(no_year.clone(), now), "unknown", "{no_year}");
    }
    for invalid in [
        json!("1990-02-30"),
        json!("1990-6-5"),
        json!("06/05/1990"),
        json!("1990-06"),
        json!("1990-00-00"),
        json!("1990-01-00"),
        json!("1990-13-01"),
        json!("1900-02-29"),
        json!("0000-13-01"),
        json!("0000-02-30"),
        json!("1990-02-28 "),
        json!(" 1990"),
        json!("1990-02-28T00:00:00Z"),
        json!("+990"),
        json!("19९0"),
        json!("١٩٩٠"),
        json!("1990/02/28"),
        json!("199"),
        json!("19900228"),
        json!(""),
        json!("   "),
        json!(1990),
        json!(19_900_228),
        json!(null),
        json!(true),
        json!(["1990-02-28"]),
        json!({"year": 1990}),
        json!("2026-11-22"),
        json!("2027"),
        json!("1896-11-20"),
        json!("1895"),
    ] {
        assert_eq!(over_18(invalid.clone(), now), "invalid", "{invalid}");
    }
    assert_eq!(over_18(json!("1896-11-21"), now), "true");
    assert_eq!(over_18(json!("1896"), now), "true");
    assert_eq!(over_18(json!("2026-11-21"), now), "false");
    assert_eq!(over_18(json!("2026"), now), "false");
}

#[test]
fn a_missing_claim_is_unknown() {
    let answer = answer(&at_least(18, LeapDay::Mar1), None, None, &zone(0), at("2026-11-21T12:00:00Z"));
    assert!(answer == Answer::Unknown(Unknown::Unavailable));
}

#[test]
fn a_birthday_of_29_february_falls_as_configured() {
    let mar1 = at_least(18, LeapDay::Mar1);
    let feb28 = at_least(18, LeapDay::Feb28);
    let born = json!("2004-02-29");
    for (now, by_mar1, by_feb28) in [
        ("2022-02-27T12:00:00Z", "false", "false"),
        ("2022-02-28T12:00:00Z", "false", "true"),
        ("2022-03-01T12:00:00Z", "true", "true"),
    ] {
        assert_eq!(on(&mar1, born.clone(), &zone(0), now), by_mar1, "{now}");
        assert_eq!(on(&feb28, born.clone(), &zone(0), now), by_feb28, "{now}");
    }
    // In a leap year it is its own day under both.
    for leap_day in [LeapDay::Mar1, LeapDay::Feb28] {
        let twenty = at_least(20, leap_day);
        assert_eq!(on(&twenty, born.clone(), &zone(0), "2024-02-28T12:00:00Z"), "false");
        assert_eq!(on(&twenty, born.clone(), &zone(0), "2024-02-29T12:00:00Z"), "true");
    }
    // 2100 is none.
    let ninety_six = at_least(96, LeapDay::Mar1);
    assert_eq!(on(&ninety_six, born.clone(), &zone(0), "2100-02-28T12:00:00Z"), "false");
    assert_eq!(on(&ninety_six, born, &zone(0), "2100-03-01T12:00:00Z"), "true");
}

#[test]
fn the_birthday_counts_and_the_day_before_does_not() {
    let born = json!("2008-06-15");
    assert_eq!(over_18(born.clone(), "2026-06-14T23:59:59.999Z"), "false");
    assert_eq!(over_18(born.clone(), "2026-06-15T00:00:00Z"), "true");
    assert_eq!(over_18(born, "2027-01-01T00:00:00Z"), "true");
}

#[test]
fn a_bare_year_is_an_interval() {
    let born = json!("2008");
    assert_eq!(over_18(born.clone(), "2025-12-31T12:00:00Z"), "false");
    assert_eq!(over_18(born.clone(), "2026-01-01T12:00:00Z"), "unknown");
    assert_eq!(over_18(born.clone(), "2026-06-01T12:00:00Z"), "unknown");
    assert_eq!(over_18(born.clone(), "2026-12-30T12:00:00Z"), "unknown");
    assert_eq!(over_18(born.clone(), "2026-12-31T12:00:00Z"), "true");
    assert_eq!(over_18(born, "2027-01-01T12:00:00Z"), "true");
}

#[test]
fn one_instant_is_two_days_in_two_zones() {
    let question = at_least(18, LeapDay::Mar1);
    let born = json!("2008-06-15");
    let now = "2026-06-15T11:59:59Z";
    assert_eq!(on(&question, born.clone(), &zone(-12), now), "false");
    assert_eq!(on(&question, born.clone(), &zone(0), now), "true");
    assert_eq!(on(&question, born.clone(), &zone(-12), "2026-06-15T12:00:00Z"), "true");
    let tokyo = Zone(jiff::tz::TimeZone::get("Asia/Tokyo").unwrap());
    assert_eq!(on(&question, born.clone(), &tokyo, "2026-06-14T14:59:59Z"), "false");
    assert_eq!(on(&question, born, &tokyo, "2026-06-14T15:00:00Z"), "true");
}

#[test]
fn a_threshold_no_one_reaches_is_false_and_not_a_fault() {
    let question = at_least(u16::MAX, LeapDay::Mar1);
    assert_eq!(on(&question, json!("1990-02-28"), &zone(0), "2026-11-21T12:00:00Z"), "false");
}

#[test]
fn the_providers_own_boolean_is_taken_before_the_date() {
    let now = at("2026-11-21T12:00:00Z");
    let question = at_least(18, LeapDay::Mar1);
    let ask = |claim: &Value, own: &Value| answer(&question, Some(claim), Some(own), &zone(0), now);
    assert!(ask(&json!("2015-01-01"), &json!(true)) == Answer::True);
    assert!(ask(&json!("1990-01-01"), &json!(false)) == Answer::False);
    assert!(ask(&json!("06/05/1990"), &json!(true)) == Answer::True);
    for mistyped in [json!("true"), json!(1), json!(null), json!({"18": true})] {
        assert!(ask(&json!("2015-01-01"), &mistyped) == Answer::False, "{mistyped}");
    }
}

#[test]
fn a_general_claim_is_equal_or_not_or_unknown() {
    let question = Question::Equals(json!("adult"));
    let now = "2026-11-21T12:00:00Z";
    assert_eq!(on(&question, json!("adult"), &zone(0), now), "true");
    assert_eq!(on(&question, json!("Adult"), &zone(0), now), "false");
    for other_type in [json!(null), json!(true), json!(["adult"])] {
        assert_eq!(on(&question, other_type.clone(), &zone(0), now), "unknown", "{other_type}");
    }
    // A claim named like the scope decides nothing here: the operator named the claim.
    let denied = Question::Equals(json!(false));
    let value = json!(false);
    assert!(answer(&denied, Some(&value), Some(&value), &zone(0), at(now)) == Answer::True);
}

#[test]
fn false_holds_to_midnight_and_true_to_the_tasks_end() {
    let question = at_least(18, LeapDay::Mar1);
    let now = at("2026-06-10T20:30:00Z");
    let seal = |claim: Value, zone: &Zone| evaluate(&question, Some(&claim), None, zone, now, TASK_END);
    assert!(seal(json!("1990-01-01"), &zone(0)).unwrap().valid_until == TASK_END);
    // Not their birthday on 15 June, nor New Year of a bare year.
    for born in [json!("2008-06-15"), json!("2009")] {
        let sealed = seal(born, &zone(0)).unwrap();
        assert!(!sealed.value);
        assert_eq!(sealed.valid_until, at("2026-06-11T00:00:00Z"));
    }
    assert_eq!(seal(json!("2008-06-15"), &zone(-12)).unwrap().valid_until, at("2026-06-11T12:00:00Z"));
    assert!(seal(json!("2008"), &zone(0)).is_none());
    assert!(seal(json!("0000"), &zone(0)).is_none());
}

#[test]
fn midnight_in_a_zone_with_summer_time_is_that_zones() {
    let berlin = Zone(jiff::tz::TimeZone::get("Europe/Berlin").unwrap());
    assert_eq!(next_midnight(&berlin, at("2026-07-01T12:00:00Z")), Some(at("2026-07-01T22:00:00Z")));
    assert_eq!(next_midnight(&berlin, at("2026-12-01T12:00:00Z")), Some(at("2026-12-01T23:00:00Z")));
    assert_eq!(next_midnight(&berlin, at("2026-07-01T22:00:00Z")), Some(at("2026-07-02T22:00:00Z")));
}

#[test]
fn a_sealed_answer_is_not_given_past_its_time_nor_false_where_only_true_is() {
    let rule = |only_true| AnswerRule { zone: zone(-12), only_true };
    let until = at("2026-06-11T00:00:00Z");
    let no = SealedAnswer { value: false, valid_until: until };
    let yes = SealedAnswer { value: true, valid_until: until };
    let before = Timestamp::from_millis(until.millis() - 1);
    assert_eq!(no.at(before, &rule(false)), Some(false));
    assert_eq!(yes.at(before, &rule(false)), Some(true));
    assert_eq!(no.at(until, &rule(false)), None);
    assert_eq!(yes.at(until, &rule(false)), None);
    assert_eq!(no.at(before, &rule(true)), None);
    assert_eq!(yes.at(before, &rule(true)), Some(true));
}

#[test]
fn nothing_that_knows_an_answer_prints_it() {
    let born = Birthdate::parse(Some(&json!("1987-03-21")), jiff::civil::date(2026, 6, 11)).unwrap();
    assert_eq!(format!("{born:?}"), "Birthdate(…)");
    let yes = SealedAnswer { value: true, valid_until: TASK_END };
    let no = SealedAnswer { value: false, valid_until: TASK_END };
    assert_eq!(format!("{yes:?}"), format!("{no:?}"));
    assert_eq!(format!("{:?}", Answer::True), format!("{:?}", Answer::Unknown(Unknown::Invalid)));
}

#[test]
fn bytes_that_are_no_sealed_answer_are_not_read() {
    let good = SealedAnswer { value: true, valid_until: TASK_END }.to_bytes();
    assert!(SealedAnswer::from_bytes(&good).is_some());
    let mut version = good;
    version[0] = 2;
    let mut value = good;
    value[1] = 2;
    for bad in [&version[..], &value[..], &good[..9], &[], &[&good[..], &[0]].concat()[..]] {
        assert!(SealedAnswer::from_bytes(bad).is_none(), "{bad:?}");
    }
}

proptest! {
    #[test]
    fn a_sealed_answer_comes_back_as_it_was(value: bool, millis: i64) {
        let sealed = SealedAnswer { value, valid_until: Timestamp::from_millis(millis) };
        prop_assert_eq!(SealedAnswer::from_bytes(&sealed.to_bytes()), Some(sealed));
    }

    #[test]
    fn no_text_makes_the_parser_fail_or_an_answer_of_a_wrong_form(text in "\\PC{0,12}") {
        let now = at("2026-11-21T12:00:00Z");
        let claim = json!(text);
        let got = answer(&at_least(18, LeapDay::Mar1), Some(&claim), None, &zone(-12), now);
        let digits = |s: &str| s.bytes().all(|b| b.is_ascii_digit());
        let has_form = (text.len() == 4 && digits(&text))
            || (text.len() == 10 && digits(&text.replacen('-', "", 2)) && text.matches('-').count() == 2);
        prop_assert!(has_form || got == Answer::Unknown(Unknown::Invalid));
    }

    /// The rule again, by a calendar that others wrote: the birthday is the day plus so many years,
    /// which a calendar that constrains puts on 28 February.
    #[test]
    fn a_full_date_agrees_with_a_calendar(
        born in 0i64..40_000, today in 0i64..47_000, years in 0u16..40, feb28: bool,
    ) {
        let epoch = jiff::civil::date(1900, 1, 1);
        let born = epoch.checked_add(jiff::Span::new().days(born)).unwrap();
        let today = epoch.checked_add(jiff::Span::new().days(today)).unwrap();
        let mut birthday = born.checked_add(jiff::Span::new().years(i64::from(years))).unwrap();
        if !feb28 && birthday.day() != born.day() {
            birthday = birthday.tomorrow().unwrap();
        }
        let oldest = born.checked_add(jiff::Span::new().years(130)).unwrap();
        let expected = if born > today || oldest < today { "invalid" }
            else if today >= birthday { "true" } else { "false" };
        let leap_day = if feb28 { LeapDay::Feb28 } else { LeapDay::Mar1 };
        let got = on(&at_least(years, leap_day), json!(born.to_string()), &zone(0), &format!("{today}T00:00:00Z"));
        prop_assert_eq!(got, expected);
    }

    /// A bare year says no more than every day of that year would.
    #[test]
    fn a_bare_year_says_only_what_all_its_days_say(year in 1930i16..2026, today in 0i64..20_000, years in 1u16..30) {
        let today = jiff::civil::date(1990, 1, 1).checked_add(jiff::Span::new().days(today)).unwrap();
        let now = format!("{today}T12:00:00Z");
        let question = at_least(years, LeapDay::Mar1);
        let first = on(&question, json!(format!("{year}-01-01")), &zone(0), &now);
        let last = on(&question, json!(format!("{year}-12-31")), &zone(0), &now);
        let bare = on(&question, json!(year.to_string()), &zone(0), &now);
        prop_assume!(year < today.year());
        prop_assert_eq!(bare, if first == last { first } else { "unknown" });
    }

    #[test]
    fn yes_never_turns_to_no_on_a_later_day(born in 0i64..40_000, today in 0i64..40_000, later in 1i64..5_000, years in 0u16..40) {
        let epoch = jiff::civil::date(1900, 1, 1);
        let day = |n: i64| epoch.checked_add(jiff::Span::new().days(n)).unwrap().to_string();
        let question = at_least(years, LeapDay::Mar1);
        let claim = json!(day(born));
        let now = on(&question, claim.clone(), &zone(-12), &format!("{}T12:00:00Z", day(today)));
        let then = on(&question, claim, &zone(-12), &format!("{}T12:00:00Z", day(today + later)));
        prop_assert!(now != "true" || then == "true" || then == "invalid");
    }

    #[test]
    fn a_false_ends_within_a_day_whatever_the_birthday(born in 0i64..9_000, hours in -12i8..=14, second in 0i64..400_000_000) {
        let epoch = jiff::civil::date(2012, 1, 1);
        let born = epoch.checked_add(jiff::Span::new().days(born)).unwrap();
        let now = Timestamp::from_seconds(1_700_000_000 + second);
        let claim = json!(born.to_string());
        let sealed = evaluate(&at_least(18, LeapDay::Mar1), Some(&claim), None, &zone(hours), now, TASK_END);
        if let Some(sealed) = sealed.filter(|sealed| !sealed.value) {
            let left = sealed.valid_until.millis_since(now);
            prop_assert!((1..=86_400_000).contains(&left));
            prop_assert_eq!((sealed.valid_until.seconds() + i64::from(hours) * 3600).rem_euclid(86_400), 0);
        }
    }
}

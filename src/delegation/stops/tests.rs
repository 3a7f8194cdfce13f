use super::*;
use crate::base::time::Lifetime;

const AT: Timestamp = Timestamp::from_seconds(1_800_000_000);

fn client() -> Stoppable {
    Stoppable::Client(ClientId::new("assistant"))
}

fn stopped(party: &Stoppable, stop: Stop) -> Stops {
    [(party.clone(), stop)].into_iter().collect()
}

#[test]
fn every_party_is_read_back_from_its_kind_and_name() {
    let issuer = Issuer::new("https://login.example");
    let parties = [
        Stoppable::User(SubjectRef::new(uuid::Uuid::from_u128(7))),
        Stoppable::Session([9; 32]),
        Stoppable::Agent(AgentId::new("agent_a")),
        Stoppable::Workload(issuer.clone(), "system:serviceaccount:a:b|c".to_owned()),
        Stoppable::Class("age".to_owned()),
        client(),
        Stoppable::Target(TargetId::new("https://files.example/")),
        Stoppable::Provider(issuer.clone()),
        Stoppable::RelyingParty(issuer.clone(), "app".to_owned()),
        Stoppable::Issuer(issuer),
        Stoppable::Everything,
    ];
    let kinds: Vec<StopKind> = parties.iter().map(Stoppable::kind).collect();
    assert_eq!(kinds, StopKind::ALL);
    for party in parties {
        assert_eq!(Stoppable::parse(party.kind(), &party.name()), Some(party));
    }
    assert_eq!(Stoppable::parse(StopKind::Workload, "no-issuer"), None);
    assert_eq!(Stoppable::parse(StopKind::Session, "abc"), None);
}

#[test]
fn a_row_dies_of_a_stop_with_a_higher_number_only() {
    let stop = Stop { number: StopNumber::new(5), stands: false, not_before: None };
    let stops = stopped(&client(), stop);
    for (as_of, is_dead) in [(0, true), (4, true), (5, false), (6, false)] {
        assert_eq!(stops.end(StopNumber::new(as_of), [client()]), is_dead, "{as_of}");
        assert!(!stops.end(StopNumber::new(as_of), [Stoppable::Class("other".to_owned())]));
    }
}

#[test]
fn what_stands_ends_whatever_number_a_row_carries_but_for_later_logins() {
    let stop = Stop { number: StopNumber::new(5), stands: true, not_before: Some(AT) };
    assert!(stopped(&client(), stop).end(StopNumber::new(6), [client()]));
    let session = Stoppable::Session([9; 32]);
    let stops = stopped(&session, stop);
    assert!(stops.end(StopNumber::new(4), [session.clone()]));
    assert!(!stops.end(StopNumber::new(5), [session]), "a login after the stop began anew");
}

#[test]
fn a_stop_that_stands_prevents_everything_and_a_lifted_one_what_is_older() {
    let stands = Stop { number: StopNumber::new(5), stands: true, not_before: None };
    assert!(stopped(&client(), stands).prevent(i64::MAX, [client()]));

    let leeway = i64::from(FOREIGN_LEEWAY.seconds());
    let lifted = Stop { number: StopNumber::new(6), stands: false, not_before: Some(AT) };
    let stops = stopped(&client(), lifted);
    for (time, is_prevented) in
        [(i64::MIN, true), (AT.seconds() + leeway, true), (AT.seconds() + leeway + 1, false)]
    {
        assert_eq!(stops.prevent(time, [client()]), is_prevented, "{time}");
    }

    // A party that left the configuration and came back takes what it took before.
    let removed = Stop { number: StopNumber::new(5), stands: false, not_before: None };
    assert!(!stopped(&client(), removed).prevent(0, [client()]));
}

#[test]
fn a_session_that_was_stopped_takes_later_logins_by_itself() {
    let session = Stoppable::Session([9; 32]);
    let stop = Stop { number: StopNumber::new(5), stands: true, not_before: Some(AT) };
    let stops = stopped(&session, stop);
    let later = AT.plus(FOREIGN_LEEWAY).plus(Lifetime::from_seconds(1)).seconds();
    assert!(stops.prevent(AT.seconds(), [session.clone()]));
    assert!(!stops.prevent(later, [session]));
}

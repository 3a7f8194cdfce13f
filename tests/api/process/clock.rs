//! A restart with the clock a year back: refused, and after the reset nothing that ended is alive again.

use crate::process_support::{Backend, World, on_both_databases};

const YEAR: i64 = 365 * 24 * 3600;

on_both_databases! {
    async fn a_restart_a_year_back_is_refused_and_after_the_reset_nothing_comes_back_to_life(backend: Backend) {
        let world = World::new(backend).await;
        let mut server = world.start().await;
        let base = server.base.clone();
        let [assistant, api] = ["assistant", "tickets-api"].map(|id| world.caller(id));
        let id_token = world.id_token("ann");
        let expiring = assistant.sign_in(&base, &id_token, "tickets", "tickets:search").await.token();
        let revoked = assistant.sign_in(&base, &id_token, "tickets", "tickets:search").await.token();
        assert_eq!(assistant.revoke(&base, &revoked).await.status, 200);
        let other_login = world.id_token("bob");
        let task = assistant.sign_in(&base, &other_login, world.issuer(), "tickets:search").await.token();
        let of_task = assistant.exchange(&base, &task, "tickets", "tickets:search").await.token();
        assert_eq!(assistant.revoke(&base, &task).await.status, 200);
        let long_task = assistant.sign_in(&base, &world.id_token("cyd"), world.issuer(), "tickets:search").await.token();
        assert!(api.introspect(&base, &expiring).await.is_active());
        server.stop().await;

        // Two hours on, everything is past its time, and that time is on record.
        let later = world.set_clock_offset(2 * 3600);
        let mut server = world.start_node(0, &later).await.expect("a start");
        let id_token = world.id_token("dan");
        let short = assistant.sign_in(&base, &id_token, "tickets", "tickets:search").await.token();
        assert!(!api.introspect(&base, &expiring).await.is_active());
        server.stop().await;

        // Ten minutes later this token is past its time too, but its task is not.
        let later = world.set_clock_offset(2 * 3600 + 600);
        let mut server = world.start_node(0, &later).await.expect("a start");
        assistant.sign_in(&base, &world.id_token("fay"), "tickets", "tickets:search").await.token();
        assert!(!api.introspect(&base, &short).await.is_active());
        server.stop().await;

        let back = world.set_clock_offset(-YEAR);
        let ended = world.start_node(0, &back).await.err().expect("a refused start");
        assert_ne!(ended.code, Some(0));
        assert!(ended.log.contains("clock reset"), "the fix is not named:\n{}", ended.log);
        let check = world.deputy_with(&["check"], &back).await;
        assert!(!check.status.success(), "`deputy check` passes with the clock a year back");

        let reset = world.deputy_with(&["clock", "reset"], &back).await;
        assert!(reset.status.success(), "{}", String::from_utf8_lossy(&reset.stderr));
        let mut server = world.start_node(0, &back).await.expect("a start after the reset");
        for (what, token) in [("expired", &expiring), ("expired in a live task", &short), ("revoked", &revoked), ("of an ended task", &of_task)] {
            assert!(!api.introspect(&base, token).await.is_active(), "a token that was {what} is active again");
        }
        for (what, token) in [("ended", &task), ("expired", &long_task)] {
            let answer = assistant.exchange(&base, token, "tickets", "tickets:search").await;
            assert_eq!(
                answer.refusal(),
                (400, "invalid_request", "subject_token_unacceptable"),
                "the {what} task goes on: {}", answer.text
            );
        }
        let fresh = assistant.sign_in(&base, &world.id_token("eve"), "tickets", "tickets:search").await;
        assert_eq!(fresh.status, 200, "nothing new can begin after the reset: {}", fresh.text);
        let verified = world.deputy_with(&["audit", "verify"], &back).await;
        assert!(verified.status.success(), "{}", String::from_utf8_lossy(&verified.stderr));

        server.stop().await;
        world.finish().await;
    }
}

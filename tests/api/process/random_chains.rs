//! 200 random chains through the real binary: half of the requests ask for more than they may, and no
//! token that comes back is wider than the one it was exchanged from.

use std::collections::BTreeSet;

use deputy::testing::Exchange;
use serde_json::Value;

use crate::jose::{Key, claims_of};
use crate::process_support::world::SCOPES;
use crate::process_support::{Backend, World, on_both_databases};

const CHAINS: usize = 200;
const TARGETS: [&str; 5] = ["agent-b", "agent-c", "agent-d", "tickets", "age-agent"];

/// A repeatable generator (SplitMix64); its seed is in every failure.
struct Dice(u64);

impl Dice {
    fn roll(&mut self, sides: usize) -> usize {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        usize::try_from((z ^ (z >> 31)) % u64::try_from(sides).expect("few sides")).expect("a side")
    }

    fn one_of<'a>(&mut self, from: &[&'a str]) -> &'a str {
        from[self.roll(from.len())]
    }

    /// At least one of these, in their order.
    fn some_of<'a>(&mut self, from: &[&'a str]) -> Vec<&'a str> {
        let mut chosen: Vec<&str> = from.iter().copied().filter(|_| self.roll(2) == 0).collect();
        if chosen.is_empty() {
            chosen.push(self.one_of(from));
        }
        chosen
    }
}

/// What of a token may only shrink.
#[derive(Debug)]
struct Width {
    scope: BTreeSet<String>,
    audience: String,
    expires_at: i64,
    agents: Vec<String>,
}

impl Width {
    fn of(token: &str) -> Self {
        let claims = claims_of(token);
        let text = |name: &str| claims[name].as_str().unwrap_or_default().to_owned();
        let mut agents = Vec::new();
        let mut level: &Value = &claims["act"];
        while let Some(agent) = level["sub"].as_str() {
            agents.push(agent.to_owned());
            level = &level["act"];
        }
        Self {
            scope: text("scope").split(' ').map(str::to_owned).collect(),
            audience: text("aud"),
            expires_at: claims["exp"].as_i64().expect("exp"),
            agents,
        }
    }

    /// Targets that may follow from this token, itself included, as the world's configuration says.
    fn reach(&self) -> BTreeSet<&str> {
        let mut reach: BTreeSet<&str> = match self.audience.as_str() {
            "agent-b" => ["agent-b", "agent-c", "agent-d", "tickets"].into(),
            "agent-c" => ["agent-c", "agent-d", "tickets"].into(),
            "agent-d" => ["agent-d", "tickets"].into(),
            "age-agent" => ["age-agent", "tickets"].into(),
            "tickets" => ["tickets"].into(),
            _ => TARGETS.into(), // a task token: every target of the ceiling
        };
        reach.insert(self.audience.as_str());
        reach
    }

    #[track_caller]
    fn assert_not_wider_than(&self, parent: &Self, is_continued: bool, told: &str) {
        assert!(self.scope.is_subset(&parent.scope), "{told}: scope grew: {self:?} from {parent:?}");
        assert!(self.expires_at <= parent.expires_at, "{told}: life grew: {self:?} from {parent:?}");
        assert!(self.reach().is_subset(&parent.reach()), "{told}: reach grew: {self:?} from {parent:?}");
        let added = if is_continued { 0 } else { 1 };
        assert_eq!(self.agents.len(), parent.agents.len() + added, "{told}: {self:?} from {parent:?}");
        assert_eq!(self.agents[added..], parent.agents, "{told}: the chain lost or invented one");
        let different: BTreeSet<_> = self.agents.iter().collect();
        assert_eq!(different.len(), self.agents.len(), "{told}: an agent is in the chain twice");
        assert!(self.agents.len() <= 4, "{told}: deeper than configured");
    }
}

on_both_databases! {
    async fn two_hundred_random_chains_never_widen(backend: Backend) {
        let world = World::new(backend).await;
        let mut server = world.start().await;
        let base = server.base.clone();
        let mut dice = Dice(0x0dd_ba11);
        let keys = [Key::new("one"), Key::new("other")];
        let (mut granted, mut refused) = (0, 0);
        for number in 0..CHAINS {
            let told = format!("chain {number}");
            let asked = dice.some_of(&SCOPES).join(" ");
            let first = dice.one_of(&["agent-b", "agent-b", "tickets", world.issuer()]);
            let user = format!("user-{number}");
            let answer = world.caller("assistant").sign_in(&base, &world.id_token(&user), first, &asked).await;
            let mut token = answer.token();
            let mut width = Width::of(&token);
            assert_eq!(width.scope, asked.split(' ').map(str::to_owned).collect(), "{told}: granted as asked");
            for _ in 0..5 {
                let held: Vec<String> = width.scope.iter().cloned().collect();
                let held: Vec<&str> = held.iter().map(String::as_str).collect();
                let asks_too_much = dice.roll(2) == 0;
                let scope = if asks_too_much { dice.some_of(&SCOPES) } else { dice.some_of(&held) }.join(" ");
                let who = match (width.audience.as_str(), dice.roll(4)) {
                    (_, 0) => dice.one_of(&["assistant", "agent-b", "agent-c", "agent-d", "stranger"]),
                    (holder @ ("agent-b" | "agent-c" | "agent-d"), _) => holder,
                    _ => "assistant",
                }
                .to_owned();
                let target = dice.one_of(&TARGETS);
                let caller = world.caller(&who);
                let proven = [None, Some(&keys[0]), Some(&keys[1])][dice.roll(3)];
                let answer = match proven {
                    None => caller.exchange(&base, &token, target, &scope).await,
                    Some(key) => {
                        let exchange = Exchange::of_access_token(&token).audience(target).scope(&scope);
                        let proof = caller.proof(key);
                        caller.try_exchange_proving(&base, &exchange, &proof).await.expect("an answer")
                    }
                };
                let told = format!("{told}: {who} asks {scope} at {target}");
                if answer.status != 200 {
                    assert_eq!(answer.status, 400, "{told}: {}", answer.text);
                    refused += 1;
                    continue;
                }
                granted += 1;
                let is_continued = width.audience == world.issuer();
                let next = answer.token();
                let bound_to = claims_of(&next)["cnf"]["jkt"].as_str().map(str::to_owned);
                assert_eq!(bound_to, proven.map(Key::thumbprint), "{told}: bound to a key that was not proven");
                let next_width = Width::of(&next);
                next_width.assert_not_wider_than(&width, is_continued, &told);
                (token, width) = (next, next_width);
            }
        }
        // Both happened often enough to mean something.
        assert!(granted >= CHAINS / 2 && refused >= CHAINS, "{granted} granted, {refused} refused");

        server.stop().await;
        world.finish().await;
    }
}

#[test]
#[should_panic(expected = "scope grew")]
fn a_planted_widening_is_caught() {
    let narrow = Width {
        scope: ["a".to_owned()].into(),
        audience: "agent-b".into(),
        expires_at: 10,
        agents: vec!["x".into()],
    };
    let wide = Width {
        scope: ["a".to_owned(), "b".to_owned()].into(),
        audience: "agent-c".into(),
        expires_at: 10,
        agents: vec!["y".into(), "x".into()],
    };
    wide.assert_not_wider_than(&narrow, false, "planted");
}

//! Controls that are carried out at the same time: whichever comes first, no stop and no revocation that was
//! acknowledged is undone by another.

use super::on_each_database;
use super::world::{World, end, kill, user};
use crate::base::time::{Lifetime, Timestamp};
use crate::delegation::record::{AgentState, Delegation, EndReason};
use crate::delegation::stops::Stoppable;
use crate::keys::KeyRow;
use crate::oauth::{AgentId, ClientId, TokenFault};
use crate::store::Store;
use crate::store::entry::{Control, Impossible, Recorded};

on_each_database! {
    no_control_undoes_another,
    a_revoked_key_is_not_written_back,
    a_second_key_is_not_prepared,
    a_reset_of_the_clock_ends_everything_that_was_issued,
}

/// Everything that an operator can do to what [`Story`] begins with.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Act {
    RevokeKey,
    RotateKeys,
    SetKeysBack,
    ResetClock,
    KillClient,
    KillUser,
    Ban,
    Suspend,
    EndTask,
    TakeOut,
}

pub(super) const ACTS: [Act; 10] = [
    Act::RevokeKey,
    Act::RotateKeys,
    Act::SetKeysBack,
    Act::ResetClock,
    Act::KillClient,
    Act::KillUser,
    Act::Ban,
    Act::Suspend,
    Act::EndTask,
    Act::TakeOut,
];

/// A key, a task with its token, and an agent of their own, so that pairs do not meet.
pub(super) struct Story {
    kid: String,
    token: Delegation,
    agent: AgentId,
    client: ClientId,
    user: String,
}

impl Story {
    pub(super) async fn begin(world: &World, store: &Store) -> Self {
        let number = world.next();
        let mut agent = world.principal();
        agent.id = AgentId::new(format!("agent_{number}"));
        agent.client = ClientId::new(format!("client-{number}"));
        let user = format!("user-{number}");
        let entry = world.hop_zero(store, &world.sign_in(&user), &agent).await;
        let token = world.issued(store, entry).await;
        Self { kid: token.form.kid().unwrap().to_owned(), token, agent: agent.id, client: agent.client, user }
    }

    pub(super) fn control(&self, act: Act, world: &World) -> Control {
        let key = || Box::new(key(world));
        let state = |state, why| Control::SetAgentState { agent: self.agent.clone(), state, why };
        match act {
            Act::RevokeKey => Control::RevokeKey { kid: self.kid.clone(), spare: key() },
            Act::RotateKeys => Control::RotateKeys { new: key() },
            Act::SetKeysBack => Control::SetKeysBack { from: world.now().plus(Lifetime::from_seconds(60)) },
            Act::ResetClock => Control::ResetClock,
            Act::KillClient => kill(Stoppable::Client(self.client.clone())),
            Act::KillUser => Control::Stop { what: user(world, &self.user), why: EndReason::KillSwitch },
            Act::Ban => state(AgentState::Banned, EndReason::KillSwitch),
            Act::Suspend => state(AgentState::Suspended, EndReason::Suspended),
            Act::EndTask => end(self.token.task),
            Act::TakeOut => Control::TakeEffect { generation: 0, parties: Vec::new() },
        }
    }

    /// Whether what was acknowledged holds.
    pub(super) async fn assert_holds(&self, act: Act, world: &World, store: &Store, pair: (Act, Act)) {
        match act {
            Act::RevokeKey => {
                let keys = store.list_keys().await.unwrap();
                let revoked = keys.iter().find(|row| row.kid == self.kid).unwrap();
                assert!(revoked.revoked_at.is_some() && revoked.sealed.is_empty(), "{pair:?}");
                assert!(keys.iter().any(|row| row.revoked_at.is_none()), "{pair:?}: a key signs");
            }
            Act::RotateKeys | Act::SetKeysBack | Act::TakeOut => return,
            Act::Ban => {
                let agent = store.find_agent(&self.agent).await.unwrap().unwrap();
                assert_eq!(agent.state, AgentState::Banned, "{pair:?}");
            }
            Act::ResetClock | Act::KillClient | Act::KillUser | Act::Suspend | Act::EndTask => {}
        }
        assert!(world.life(store, &self.token).await.is_err(), "{pair:?}: after {act:?} its token lives");
    }
}

/// A key that nobody has seen yet.
fn key(world: &World) -> KeyRow {
    KeyRow { kid: format!("key-{}", world.next()), ..world.key() }
}

/// Every ordered pair, at once and one after the other: on PostgreSQL by two nodes.
async fn no_control_undoes_another(world: World) {
    let one = world.open().await;
    let other = match world.is_postgres() {
        true => world.open_as(&world.second_node()).await.unwrap(),
        false => one.clone(),
    };
    for first in ACTS {
        for second in ACTS {
            for is_at_once in [true, false] {
                let (story, pair) = (Story::begin(&world, &one).await, (first, second));
                let (a, b) = (story.control(first, &world), story.control(second, &world));
                let (a, b) = if is_at_once {
                    tokio::join!(world.try_control(&one, a), world.try_control(&other, b))
                } else {
                    (world.try_control(&one, a).await, world.try_control(&other, b).await)
                };
                for (act, recorded) in [(first, a), (second, b)] {
                    match recorded {
                        Recorded::Done { .. } => {
                            story.assert_holds(act, &world, &one, pair).await;
                            story.assert_holds(act, &world, &other, pair).await;
                        }
                        Recorded::Impossible(_) => {}
                        other => panic!("{pair:?}: {other:?}"),
                    }
                }
                // A key that signs is needed for the next pair.
                if is_of_keys(first) || is_of_keys(second) {
                    restore_key(&world).await;
                }
            }
        }
    }
}

/// Whether an act changes the key that a [`Story`] begins with.
pub(super) fn is_of_keys(act: Act) -> bool {
    matches!(act, Act::RevokeKey | Act::RotateKeys | Act::SetKeysBack)
}

/// Makes the key of this world's tokens trusted again, as nothing in Deputy can.
pub(super) async fn restore_key(world: &World) {
    world
        .tamper_all(
            "DELETE FROM signing_key WHERE kid <> 'key-1'; \
             UPDATE signing_key SET revoked_at = NULL, retired_at = NULL, active_from = published_at",
        )
        .await;
}

async fn a_revoked_key_is_not_written_back(world: World) {
    let store = world.open().await;
    let (_, token) = world.begin(&store, &world.principal()).await;
    let kid = token.form.kid().unwrap();
    let revoke = |kid: &str| Control::RevokeKey { kid: kid.to_owned(), spare: Box::new(key(&world)) };
    assert!(world.control(&store, revoke(kid)).await.1);
    assert!(!world.control(&store, revoke(kid)).await.1, "it was revoked before");
    assert!(matches!(world.try_control(&store, revoke("unknown")).await, Recorded::NotFound));
    world.control(&store, Control::AddFirstKey(Box::new(world.key()))).await;
    world.control(&store, Control::RotateKeys { new: Box::new(world.key()) }).await;
    let keys = store.list_keys().await.unwrap();
    let revoked = keys.iter().find(|row| row.kid == kid).unwrap();
    assert!(revoked.revoked_at.is_some() && revoked.sealed.is_empty());
    assert_eq!(world.life(&store, &token).await, Err(TokenFault::KeyRevoked));
}

async fn a_second_key_is_not_prepared(world: World) {
    let store = world.open().await;
    let later = |at: Timestamp| {
        let active_from = at.plus(Lifetime::from_seconds(360));
        Control::RotateKeys { new: Box::new(KeyRow { active_from, published_at: at, ..key(&world) }) }
    };
    assert!(world.control(&store, later(world.now())).await.1);
    let recorded = world.try_control(&store, later(world.now())).await;
    assert!(matches!(recorded, Recorded::Impossible(Impossible::KeyPrepared)), "{recorded:?}");
}

async fn a_reset_of_the_clock_ends_everything_that_was_issued(world: World) {
    let store = world.open().await;
    let (sign_in, token) = world.begin(&store, &world.principal()).await;
    assert!(world.control(&store, Control::ResetClock).await.1);
    assert!(world.life(&store, &token).await.is_err());
    let again = world.hop_zero(&store, &sign_in, &world.principal()).await;
    assert!(matches!(store.record(again).await.unwrap(), Recorded::Refused(_)), "its login is spent");
    let (_, anew) = world.begin(&store, &world.principal()).await;
    assert_eq!(world.life(&store, &anew).await, Ok(()));
}

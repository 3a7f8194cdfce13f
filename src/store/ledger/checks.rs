//! What a new token is checked against besides the records that it depends on: the pin of its actor's credential, and
//! the quotas of its actor's kind.

use super::Ledger;
use crate::audit::{Effect, PinEvent, Pinned};
use crate::base::time::{FOREIGN_LEEWAY, Timestamp};
use crate::decision::Terms;
use crate::delegation::binding::{PinnedUse, Pinning};
use crate::oauth::{Cause, Confirmation};
use crate::store::entry::Recorded;
use crate::store::pins::PinRow;
use crate::store::quotas::Birth;
use crate::store::rows::{Cnf, Hash};
use crate::verification::Credential;

impl Ledger {
    /// The first key or certificate that is proven beside the credential, with the row that pins it, if this is the first.
    ///
    /// # Errors
    /// The credential is pinned to another one than was proven, if any.
    pub(super) fn check_pin(
        &self,
        used: &PinnedUse,
        terms: &Terms,
        effect: &mut Effect,
        now: Timestamp,
    ) -> Result<Option<(PinRow, Confirmation)>, Recorded> {
        let Credential { hash, expires_at } = used.credential;
        let credential = Hash(*hash.digest());
        match used.judge(self.pins.get(&credential).copied()) {
            Pinning::Unpinned | Pinning::Same => Ok(None),
            Pinning::First(first) => {
                effect.pin = Some(Pinned::First(PinEvent::of(used, &terms.actor.id, terms.in_task())));
                let until = expires_at.plus(FOREIGN_LEEWAY).millis();
                Ok(Some((PinRow { credential, cnf: Cnf::from(first), until }, first)))
            }
            Pinning::Refused => {
                effect.pin = Some(Pinned::Refused(PinEvent::of(used, &terms.actor.id, None)));
                let retry_after = (expires_at.seconds() - now.seconds()).max(1);
                Err(Recorded::Refused(Cause::CredentialPinned { retry_after }))
            }
        }
    }

    /// The actor as it counts against quotas, if it is new and has any.
    ///
    /// # Errors
    /// There are as many of its kind as there may be.
    pub(super) fn check_quotas(&self, terms: &Terms, now: Timestamp) -> Result<Option<Birth>, Recorded> {
        let quotas = terms.quotas.as_ref().filter(|_| !self.agents.contains_key(&terms.actor.id));
        let judged = quotas.map(|quotas| self.quotas.judge(quotas, &self.births, now)).transpose();
        judged.map_err(|retry_after| Recorded::Refused(Cause::AgentQuota { retry_after }))
    }
}

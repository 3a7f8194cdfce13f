//! The decision on an exchange: one pure function that checks everything in one order and reports what it found.
//!
//! [`decide`] takes plain values and touches neither store nor keys nor clock. It gives back a [`Report`], from
//! which the audit row is made and which explains the decision, and an outcome: a [`Permit`], without which
//! nothing can be issued, or the reason why there is none. [`confirm`] looks at the permit once more inside the
//! writing transaction, with the same rules.

mod confirm;
mod decide;
mod facts;
#[cfg(test)]
pub(crate) mod fixtures;
mod permit;
#[cfg(test)]
mod properties;
mod question;
mod report;
mod revocation;
#[cfg(test)]
mod tests;
#[cfg(test)]
mod trees;
mod usable;

pub use confirm::{Confirmed, Placement, confirm};
pub use decide::{Decision, Denial, Unknown, decide};
pub use permit::{FirstHop, GivenAnswer, KnownAnswer, OnBehalfOf, Origin, Permit, Terms};
pub use question::{FreshIds, NoActor, Question, SubjectResult, Verified, WayIn, World};
#[cfg(test)]
pub use report::Proposal;
pub use report::{Act, Check, Found, Report};
pub use revocation::{Ends, Revocation, revocation};
pub use usable::is_active_for;

//! Room 5, pure: whose token it is, `may_act`, the act chain, narrowing of scope, target and lifetime.
//!
//! Everything here is a function of its inputs; an auditor can read it in one sitting: [`rules`] first.

pub mod actor;
pub mod answers;
pub mod assurance;
pub mod record;
pub mod rules;
pub mod task;

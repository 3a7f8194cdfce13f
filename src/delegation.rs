//! The delegation rules: whose token it is to exchange, `may_act`, the chain of actors, and how scope, target
//! and lifetime shrink. Everything here is a function of its inputs. Start with [`rules`].

pub mod actor;
pub mod alone;
pub mod answers;
pub mod assurance;
pub mod binding;
pub mod ceiling;
pub mod fault;
mod form;
pub mod handover;
pub mod plan;
pub mod profile;
pub mod quota;
pub mod record;
pub mod recorded;
pub mod rules;
pub mod standing;
pub mod stops;

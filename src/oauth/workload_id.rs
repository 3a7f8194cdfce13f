//! The identifier of a workload, as its issuer writes it.

use crate::base::words::words;

words! {
    /// Which claim an identifier is from. Each of them is a name space of its own.
    WorkloadIdKind {
        /// It stays the same over restarts.
        Stable => "stable",
        /// It never recurs.
        Instance => "instance",
    }
}

words! {
    /// How an identifier is written in JSON. A number and a text of the same digits are two identifiers.
    WorkloadIdForm {
        Text => "text",
        Number => "number",
    }
}

/// The identifier of a workload at its issuer.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct WorkloadId {
    pub kind: WorkloadIdKind,
    pub form: WorkloadIdForm,
    /// The text, or the digits of the number.
    pub text: String,
}

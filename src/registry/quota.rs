//! Quotas: how many agents there may be of a workload issuer or of a class.

/// How many agents there may be. Agents that are known already are never counted out.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Quotas {
    /// As many agents may one node create in any 60 seconds; absent means any number.
    pub new_per_minute: Option<u32>,
    /// As many agents that are not over there may be when one more is created; absent means any number.
    pub live: Option<u32>,
}

impl Quotas {
    /// Whether it limits nothing.
    pub const fn is_empty(self) -> bool {
        self.new_per_minute.is_none() && self.live.is_none()
    }
}

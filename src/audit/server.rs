//! The events of the server itself: what it loads, that it starts and stops, and commands that did nothing.

use std::borrow::Cow;

use serde::{Deserialize, Serialize};

use crate::base::time::Timestamp;
use crate::base::words::words;
use crate::delegation::stops::StopNumber;

/// A loaded policy set, or a refused one.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct PolicyLoadEvent {
    /// The set that is in force, by the first 16 digits of its hash.
    pub set: String,
}

/// A configuration that takes effect.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct ConfigurationEvent {
    /// The parties that it names for the first time, as kind and name.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub added: Vec<String>,
    /// The parties that were configured before and that it does not name: what was issued until now and names them is
    /// dead.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub removed: Vec<String>,
    /// The number of the stop of those that it does not name.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub number: Option<StopNumber>,
}

/// A reset of the highest time seen.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ClockResetEvent {
    /// The highest time that had been seen.
    pub from: Timestamp,
    pub to: Timestamp,
    /// The number of the stop of everything that had been issued.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub number: Option<StopNumber>,
}

words! {
    /// What a server process did.
    ProcessAct {
        Start => "start",
        /// A stop that was asked for. A process that ends in another way has no row.
        Stop => "stop",
        /// The configuration was read again, and put in force or refused.
        Reload => "reload",
    }
}

/// A start, a stop or a reload.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ProcessEvent {
    pub act: ProcessAct,
    /// The version of Deputy.
    pub version: Cow<'static, str>,
    /// Why a configuration was refused: the keys that are wrong, or what else stands in the way.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub fault: Option<String>,
}

/// A verb of an operator that did nothing.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct VerbEvent {
    /// What was asked for, as a path of the admin socket.
    pub verb: String,
}

impl ProcessEvent {
    /// The longest fault that is recorded, in characters.
    const MAX_FAULT: usize = 1000;

    /// What this process did.
    pub fn new(act: ProcessAct, fault: Option<&str>) -> Self {
        let fault = fault.map(|fault| fault.chars().take(Self::MAX_FAULT).collect());
        Self { act, version: Cow::Borrowed(env!("CARGO_PKG_VERSION")), fault }
    }
}

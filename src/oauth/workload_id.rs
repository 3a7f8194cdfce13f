//! The identifier of a workload, as its issuer writes it.

use super::fingerprint::Jkt;
use crate::base::words::words;

words! {
    /// Where an identifier is from. Each of them is a name space of its own.
    WorkloadIdKind {
        /// It stays the same over restarts.
        Stable => "stable",
        /// It never recurs.
        Instance => "instance",
        /// The thumbprint of the key that the holder of the credential has proven.
        Key => "key",
    }
}

words! {
    /// How an identifier is written in JSON. A number and a text of the same digits are two identifiers.
    WorkloadIdForm {
        Text => "text",
        Number => "number",
    }
}

/// The identifier of a workload at its issuer: one value, or several that only together name it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct WorkloadId {
    pub kind: WorkloadIdKind,
    /// In the order of the configuration; never empty.
    pub values: Vec<WorkloadIdValue>,
}

/// One value of an identifier.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct WorkloadIdValue {
    pub form: WorkloadIdForm,
    /// The text, or the digits of the number.
    pub text: String,
}

impl WorkloadId {
    /// An identifier of one text.
    pub fn of_text(kind: WorkloadIdKind, text: &str) -> Self {
        Self { kind, values: vec![WorkloadIdValue { form: WorkloadIdForm::Text, text: text.to_owned() }] }
    }

    /// The identifier of the process that holds this key.
    pub fn of_key(key: Jkt) -> Self {
        Self::of_text(WorkloadIdKind::Key, &key.to_string())
    }

    /// How it is recorded, and how operators name it: one value as it is, several with a colon between them. A colon
    /// and a percent sign within one of several are written `%3A` and `%25`, so that no two identifiers of one issuer
    /// read the same.
    pub fn text(&self) -> String {
        match self.values.as_slice() {
            [only] => only.text.clone(),
            several => {
                let escaped = |value: &WorkloadIdValue| value.text.replace('%', "%25").replace(':', "%3A");
                several.iter().map(escaped).collect::<Vec<_>>().join(":")
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_two_identifiers_of_several_values_read_the_same() {
        let of = |texts: &[&str]| {
            let value =
                |text: &&str| WorkloadIdValue { form: WorkloadIdForm::Text, text: (*text).to_owned() };
            WorkloadId { kind: WorkloadIdKind::Stable, values: texts.iter().map(value).collect() }.text()
        };
        assert_eq!(of(&["4411", "88120", "acme/shop/agent.yml"]), "4411:88120:acme/shop/agent.yml");
        assert_eq!(of(&["a:b"]), "a:b");
        assert_ne!(of(&["a:b", "c"]), of(&["a", "b:c"]));
        assert_ne!(of(&["a:b", "c"]), of(&["a%3Ab", "c"]));
    }
}

//! The reference has exactly the keys that serde reads.

use std::collections::BTreeSet;

use serde::Deserialize;
use serde::de::{Deserializer, Error as _, Visitor};

use super::super::reference::{KEYS, Kind};
use super::super::{clients, database, predicates, providers, raw, secrets, server, targets, workloads};

/// Tells the field names that a derived `Deserialize` asks for, and gives nothing.
struct FieldNames<'a>(&'a mut BTreeSet<&'static str>);

impl<'de> Deserializer<'de> for FieldNames<'_> {
    type Error = serde::de::value::Error;

    fn deserialize_struct<V: Visitor<'de>>(
        self,
        _name: &'static str,
        fields: &'static [&'static str],
        _visitor: V,
    ) -> Result<V::Value, Self::Error> {
        self.0.extend(fields);
        Err(Self::Error::custom("only the names were wanted"))
    }

    fn deserialize_any<V: Visitor<'de>>(self, _visitor: V) -> Result<V::Value, Self::Error> {
        Err(Self::Error::custom("not a struct"))
    }

    serde::forward_to_deserialize_any! {
        bool i8 i16 i32 i64 i128 u8 u16 u32 u64 u128 f32 f64 char str string bytes byte_buf option unit
        unit_struct newtype_struct seq tuple tuple_struct map enum identifier ignored_any
    }
}

fn fields<T: for<'de> Deserialize<'de>>() -> BTreeSet<&'static str> {
    let mut names = BTreeSet::new();
    assert!(T::deserialize(FieldNames(&mut names)).is_err());
    names
}

#[test]
fn every_key_that_is_read_is_documented_and_no_other() {
    let sections = [
        ("", fields::<raw::RawConfig>()),
        ("listen", fields::<server::RawListen>()),
        ("tls", fields::<server::RawTls>()),
        ("database", fields::<database::RawDatabase>()),
        ("keys", fields::<server::RawKeys>()),
        ("tokens", fields::<server::RawTokens>()),
        ("tasks", fields::<server::RawTasks>()),
        ("identity_provider[]", fields::<providers::RawProvider>()),
        ("identity_provider[].relying_party[]", fields::<providers::RawRelyingParty>()),
        ("identity_provider[].assurance[]", fields::<providers::RawAssurance>()),
        ("identity_provider[].assurance[].any_of[]", fields::<providers::RawCondition>()),
        ("workload_issuer[]", fields::<workloads::RawWorkloadIssuer>()),
        ("workload_issuer[].class[]", fields::<workloads::RawClass>()),
        ("workload_issuer[].class[].when", fields::<workloads::RawWhen>()),
        ("client[]", fields::<clients::RawClient>()),
        ("client[].secret_files[]", fields::<secrets::RawSecretFile>()),
        ("predicate[]", fields::<predicates::RawPredicate>()),
        ("target[]", fields::<targets::RawTarget>()),
        ("target[].scopes{}", fields::<targets::RawScopeRule>()),
        ("target[].answers{}", fields::<targets::RawAnswerRule>()),
        ("policy", fields::<server::RawPolicy>()),
        ("audit", fields::<server::RawAudit>()),
        ("limits", fields::<server::RawLimits>()),
    ];

    for (section, read) in &sections {
        let documented: BTreeSet<&str> =
            KEYS.iter().filter(|key| key.parent() == *section).map(|key| key.name()).collect();
        assert_eq!(&documented, read, "section `{section}`");
    }
    let known: BTreeSet<&str> = sections.iter().map(|(section, _)| *section).collect();
    for key in KEYS {
        assert!(known.contains(key.parent()), "`{}` is in no section that is read", key.path);
        let child = match key.kind {
            Kind::Table => key.path.to_owned(),
            Kind::Tables => format!("{}[]", key.path),
            Kind::Map => format!("{}{{}}", key.path),
            _ => continue,
        };
        assert!(known.contains(child.as_str()), "section `{child}` is not compared");
    }
}

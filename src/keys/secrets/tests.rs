use std::os::unix::fs::symlink;

use super::*;
use crate::base::entropy::{EntropyUnavailable, SystemEntropy};
use crate::oauth::{Jti, WorkloadIdForm, WorkloadIdKind, WorkloadIdValue};
use crate::testing::doubles::SeededEntropy;

fn secrets() -> NodeSecrets {
    NodeSecrets::from_master(&[7; 32])
}

fn write(path: &Path, bytes: &[u8], mode: u32) {
    std::fs::write(path, bytes).unwrap();
    std::fs::set_permissions(path, std::fs::Permissions::from_mode(mode)).unwrap();
}

#[test]
fn a_made_master_key_is_private_random_and_never_overwritten() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("master.key");
    NodeSecrets::create(&path, &SystemEntropy::default()).unwrap();
    let bytes = std::fs::read(&path).unwrap();
    assert_eq!(bytes.len(), 32);
    assert_eq!(std::fs::metadata(&path).unwrap().permissions().mode() & 0o7777, 0o600);
    NodeSecrets::load(&path).unwrap();
    assert!(NodeSecrets::create(&path, &SystemEntropy::default()).is_err());
    assert_eq!(std::fs::read(&path).unwrap(), bytes);
    let other = dir.path().join("other.key");
    NodeSecrets::create(&other, &SystemEntropy::default()).unwrap();
    assert_ne!(std::fs::read(&other).unwrap(), bytes);
}

#[test]
fn without_entropy_no_master_key_is_made() {
    struct Dry;
    impl Entropy for Dry {
        fn fill(&self, _: &mut [u8]) -> Result<(), EntropyUnavailable> {
            Err(EntropyUnavailable)
        }
    }
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("master.key");
    assert!(NodeSecrets::create(&path, &Dry).is_err());
    assert!(!path.exists());
    assert!(secrets().seal(SealPurpose::Answer("a"), b"x", &Dry).is_err());
}

#[test]
fn a_master_key_file_open_to_others_missing_or_of_another_size_is_refused() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("master.key");
    let fault = |path: &Path| match NodeSecrets::load(path) {
        Err(KeyError::MasterKey { path: named, what }) => {
            assert_eq!(named, path.display().to_string());
            what
        }
        other => panic!("{other:?}"),
    };
    assert!(fault(&path).contains("No such file"));
    for mode in [0o604, 0o644, 0o660, 0o700, 0o620, 0o4600, 0o650] {
        write(&path, &[1; 32], mode);
        assert!(fault(&path).contains("chmod 600"), "{mode:o}");
    }
    for size in [0, 31, 33, 64] {
        write(&path, &vec![1; size], 0o600);
        assert!(fault(&path).contains("32 bytes"), "{size}");
    }
    assert!(fault(dir.path()).contains("regular"));
    for mode in [0o600, 0o400, 0o640, 0o440] {
        write(&path, &[1; 32], mode);
        assert!(NodeSecrets::load(&path).is_ok(), "{mode:o}: the group is one of this process");
    }
    // Only a privileged process can give a file to another user.
    if std::os::unix::fs::chown(&path, Some(987_654), None).is_ok() {
        assert!(fault(&path).contains("belongs to the user 987654"), "its owner could exchange it");
        std::os::unix::fs::chown(&path, Some(rustix::process::geteuid().as_raw()), None).unwrap();
    }
    // Only a privileged process can give a file to a group that it is not in.
    let is_of_another_group = std::os::unix::fs::chown(&path, None, Some(987_654)).is_ok();
    if is_of_another_group {
        assert!(fault(&path).contains("chmod 600"), "a group of others may read it");
        write(&path, &[1; 32], 0o600);
        assert!(NodeSecrets::load(&path).is_ok());
    }
    let link = dir.path().join("link.key");
    symlink(&path, &link).unwrap();
    assert!(NodeSecrets::load(&link).is_ok(), "secrets are mounted as links");
}

#[test]
fn what_is_derived_depends_on_the_master_key_and_its_label_alone() {
    let (one, same, other) = (secrets(), secrets(), NodeSecrets::from_master(&[8; 32]));
    assert_eq!(one.token_hash("t"), same.token_hash("t"));
    assert_ne!(one.token_hash("t"), other.token_hash("t"));
    assert_ne!(one.token_hash("t"), one.secret_hash(b"t"), "a label each");
    assert_ne!(one.token_hash("t"), one.token_hash("u"));
    assert_eq!(format!("{one:?}"), "NodeSecrets(…)");
}

#[test]
fn pairwise_subjects_differ_by_issuer_subject_and_sector() {
    let secrets = secrets();
    let pairwise = |issuer: &str, subject: &str, sector: &str| {
        secrets.pairwise_subject(&Issuer::new(issuer), subject, sector)
    };
    let one = pairwise("https://op", "alice", "tickets");
    assert!(one.starts_with("pw_") && one.len() == 3 + 43, "{one}");
    assert_eq!(one, pairwise("https://op", "alice", "tickets"));
    for other in [
        pairwise("https://op2", "alice", "tickets"),
        pairwise("https://op", "bob", "tickets"),
        pairwise("https://op", "alice", "age"),
        pairwise("https://op", "alicet", "ickets"),
        pairwise("https://opt", "alice", "ickets"),
    ] {
        assert_ne!(one, other);
    }
}

#[test]
fn a_pairwise_txn_is_stable_in_a_sector_and_reads_as_no_task() {
    let secrets = secrets();
    let task = TaskId::parse("019a0000-0000-7000-8000-000000000001").unwrap();
    let txn = secrets.pairwise_txn(task, "tickets");
    assert!(txn.starts_with("tx_") && txn.len() == 3 + 43);
    assert_eq!(txn, secrets.pairwise_txn(task, "tickets"));
    assert_ne!(txn, secrets.pairwise_txn(task, "age"));
    assert!(TaskId::parse(&txn).is_none() && Jti::parse(&txn).is_none());
}

#[test]
fn an_agent_id_is_agent_and_128_bits_in_lower_case_base32() {
    let secrets = secrets();
    let issuer = Issuer::new("https://cluster.example");
    let workload = |kind, form, text: &str| WorkloadId {
        kind,
        values: vec![WorkloadIdValue { form, text: text.to_owned() }],
    };
    let (stable, written) = (WorkloadIdKind::Stable, WorkloadIdForm::Text);
    let of = |id: &WorkloadId| secrets.agent_id(AgentOf::Workload(&issuer, id));
    let id = of(&workload(stable, written, "12345"));
    let text = id.as_str().strip_prefix("agent_").unwrap();
    assert_eq!(text.len(), 26);
    assert!(text.bytes().all(|b| matches!(b, b'a'..=b'z' | b'2'..=b'7')));
    assert_eq!(id, of(&workload(stable, written, "12345")));
    let others = [
        of(&workload(WorkloadIdKind::Instance, written, "12345")),
        of(&workload(WorkloadIdKind::Key, written, "12345")),
        of(&workload(stable, WorkloadIdForm::Number, "12345")),
        of(&workload(stable, written, "123456")),
        secrets.agent_id(AgentOf::Workload(&Issuer::new("client"), &workload(stable, written, "12345"))),
        secrets.agent_id(AgentOf::Client(&ClientId::new("12345"))),
    ];
    assert!(!others.contains(&id), "{others:?}");

    let of_two = |texts: [&str; 2]| {
        let value = |text: &str| WorkloadIdValue { form: written, text: text.to_owned() };
        of(&WorkloadId { kind: stable, values: texts.map(value).to_vec() })
    };
    assert_eq!(of_two(["12", "345"]), of_two(["12", "345"]));
    assert_ne!(of_two(["12", "345"]), of_two(["123", "45"]), "each value counts with its length");
    assert_ne!(of_two(["12", "345"]), of_two(["345", "12"]));
    assert_ne!(of_two(["12345", ""]), id);
}

#[test]
fn what_is_sealed_opens_for_its_purpose_and_master_key_only() {
    let secrets = secrets();
    let entropy = SeededEntropy::new(1);
    let sealed = secrets.seal(SealPurpose::SigningKey("k"), b"private", &entropy).unwrap();
    assert!(!sealed.windows(7).any(|window| window == b"private"));
    assert_eq!(secrets.open(SealPurpose::SigningKey("k"), &sealed).unwrap().as_slice(), b"private");
    for purpose in [SealPurpose::SigningKey("j"), SealPurpose::Answer("k"), SealPurpose::CheckpointKey("k")] {
        assert!(matches!(secrets.open(purpose, &sealed), Err(KeyError::Sealed)), "{purpose:?}");
    }
    let other = NodeSecrets::from_master(&[8; 32]);
    assert!(other.open(SealPurpose::SigningKey("k"), &sealed).is_err());
    let again = secrets.seal(SealPurpose::SigningKey("k"), b"private", &entropy).unwrap();
    assert_ne!(sealed, again, "a nonce each");
}

#[test]
fn each_purpose_is_sealed_by_a_key_of_its_own() {
    let secrets = secrets();
    let aad = || Aad::from(b"same");
    let sealed: Vec<Vec<u8>> =
        [SealPurpose::SigningKey("k"), SealPurpose::Answer("k"), SealPurpose::CheckpointKey("k")]
            .map(|purpose| {
                let mut body = b"plain".to_vec();
                let nonce = Nonce::assume_unique_for_key([0; NONCE_LEN]);
                secrets.sealing.key(purpose).seal_in_place_append_tag(nonce, aad(), &mut body).unwrap();
                body
            })
            .to_vec();
    assert!(sealed[0] != sealed[1] && sealed[1] != sealed[2] && sealed[0] != sealed[2]);
}

#[test]
fn a_damaged_sealed_value_does_not_open() {
    let secrets = secrets();
    let sealed = secrets.seal(SealPurpose::Answer("a"), b"x", &SeededEntropy::new(1)).unwrap();
    for at in 0..sealed.len() {
        let mut damaged = sealed.clone();
        damaged[at] ^= 1;
        assert!(secrets.open(SealPurpose::Answer("a"), &damaged).is_err(), "byte {at}");
        assert!(secrets.open(SealPurpose::Answer("a"), &sealed[..at]).is_err(), "cut at {at}");
    }
}

#[test]
fn an_opaque_token_is_told_from_a_guess_by_its_master_key_alone() {
    let entropy = SystemEntropy::default();
    let jti = Jti::parse("019a0000-0000-7000-8000-000000000001").unwrap();
    let token = secrets().opaque_token(jti, &entropy).unwrap();
    assert_eq!(token.jti(), jti);
    assert!(secrets().has_made(&token));
    assert!(!NodeSecrets::from_master(&[8; 32]).has_made(&token), "another master key");
    let other = secrets().opaque_token(jti, &entropy).unwrap();
    assert_ne!(token, other, "its random part is its own");
    let text = token.to_text();
    for at in "dpt_at_".len()..text.len() {
        let replaced = if &text[at..=at] == "A" { "B" } else { "A" };
        let guess = format!("{}{replaced}{}", &text[..at], &text[at + 1..]);
        assert!(!secrets().has_made(&OpaqueToken::parse(&guess).unwrap()), "{at}");
    }
}

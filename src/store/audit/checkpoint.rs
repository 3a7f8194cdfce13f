//! Signed checkpoints: from time to time the end of this node's chain is signed and written to a file beside the
//! database, which someone who deletes the last rows of the chain cannot reach (ADR 3).

use std::fs::OpenOptions;
use std::io::{Read as _, Write as _};
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::{Path, PathBuf};

use aws_lc_rs::signature::{ED25519, Ed25519KeyPair, KeyPair as _, UnparsedPublicKey};
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use data_encoding::HEXLOWER;
use serde::{Deserialize, Serialize};
use zeroize::Zeroizing;

use super::chain::Head;
use super::{CheckpointKeyRow, CheckpointRow};
use crate::base::time::Timestamp;
use crate::keys::SealPurpose;
use crate::store::rows::Hash;
use crate::store::statement::Failure;
use crate::store::transaction::Transaction;
use crate::store::{Opening, StoreError};

/// Sets these signatures apart from every other.
const DOMAIN: &[u8; 16] = b"deputy anchor v1";

/// One line of the checkpoint file.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(in crate::store) struct Line {
    pub(in crate::store) chain: String,
    pub(in crate::store) seq: i64,
    pub(in crate::store) hash: String,
    pub(in crate::store) at: Timestamp,
    /// The public key, base64url.
    pub(in crate::store) key: String,
    /// Ed25519, base64url.
    pub(in crate::store) signature: String,
}

impl Line {
    pub(in crate::store) fn hash(&self) -> Option<Hash> {
        let bytes = self.hash.as_bytes();
        let mut hash = [0; 32];
        if bytes.len() != 64 {
            return None;
        }
        for (byte, pair) in hash.iter_mut().zip(bytes.chunks(2)) {
            *byte = u8::from_str_radix(std::str::from_utf8(pair).ok()?, 16).ok()?;
        }
        Some(Hash(hash))
    }

    /// Whether its signature is its key's.
    pub(in crate::store) fn is_genuine(&self) -> bool {
        let decoded = |text: &str| URL_SAFE_NO_PAD.decode(text).ok();
        let (Some(hash), Some(key), Some(signature)) =
            (self.hash(), decoded(&self.key), decoded(&self.signature))
        else {
            return false;
        };
        is_genuine(&key, &self.chain, self.seq, &hash, self.at.millis(), &signature)
    }
}

fn message(chain: &str, seq: i64, hash: &Hash, at: i64) -> Vec<u8> {
    let mut message = DOMAIN.to_vec();
    message.extend_from_slice(&(chain.len() as u64).to_be_bytes());
    message.extend_from_slice(chain.as_bytes());
    message.extend_from_slice(&seq.to_be_bytes());
    message.extend_from_slice(&hash.0);
    message.extend_from_slice(&at.to_be_bytes());
    message
}

/// Whether `key` signed this.
pub(in crate::store) fn is_genuine(
    key: &[u8],
    chain: &str,
    seq: i64,
    hash: &Hash,
    at: i64,
    signature: &[u8],
) -> bool {
    UnparsedPublicKey::new(&ED25519, key).verify(&message(chain, seq, hash, at), signature).is_ok()
}

/// A public key or signature as it is written.
pub(in crate::store) fn text(bytes: &[u8]) -> String {
    URL_SAFE_NO_PAD.encode(bytes)
}

/// Signs checkpoints of one chain and appends them to the file.
pub(in crate::store) struct Notary {
    key: Ed25519KeyPair,
    file: PathBuf,
    chain: String,
}

impl Notary {
    /// Takes up the chain's checkpoint key, or makes it.
    pub(in crate::store) async fn open<S: Transaction>(
        session: &mut S,
        chain: &str,
        opening: &Opening<'_>,
    ) -> Result<Self, StoreError> {
        let unusable = |what: String| StoreError::Unusable(format!("audit checkpoint key: {what}"));
        let damaged = || unusable("damaged".to_owned());
        let purpose = SealPurpose::CheckpointKey(chain);
        let file = opening.config.audit.checkpoint_file.clone();
        drop_unfinished_line(&file)?;
        let known = session.checkpoint_keys().await?.into_iter().find(|row| row.chain == chain);
        let key = if let Some(row) = known {
            let pkcs8 = opening.secrets.open(purpose, &row.sealed);
            let pkcs8 = pkcs8.map_err(|error| unusable(error.to_string()))?;
            let key = Ed25519KeyPair::from_pkcs8(&pkcs8).map_err(|_| damaged())?;
            if key.public_key().as_ref() != row.public_key {
                return Err(damaged());
            }
            key
        } else {
            let mut seed = Zeroizing::new([0; 32]);
            opening
                .entropy
                .fill(seed.as_mut_slice())
                .map_err(|error| StoreError::Unusable(error.to_string()))?;
            let key = Ed25519KeyPair::from_seed_unchecked(seed.as_slice()).map_err(|_| damaged())?;
            let pkcs8 = key.to_pkcs8v1().map_err(|_| damaged())?;
            let sealed = opening.secrets.seal(purpose, pkcs8.as_ref(), opening.entropy);
            let row = CheckpointKeyRow {
                chain: chain.to_owned(),
                public_key: key.public_key().as_ref().to_vec(),
                sealed: sealed.map_err(|error| unusable(error.to_string()))?,
            };
            session.insert_checkpoint_key(&row).await?;
            key
        };
        Ok(Self { key, file, chain: chain.to_owned() })
    }

    /// Signs the end of the chain, as a row and as a line.
    pub(in crate::store) fn sign(&self, head: &Head, at: Timestamp) -> (CheckpointRow, Line) {
        let signature = self.key.sign(&message(&self.chain, head.seq, &head.hash, at.millis()));
        let row = CheckpointRow {
            chain: self.chain.clone(),
            seq: head.seq,
            hash: head.hash,
            at: at.millis(),
            signature: signature.as_ref().to_vec(),
        };
        let line = Line {
            chain: self.chain.clone(),
            seq: head.seq,
            hash: HEXLOWER.encode(&head.hash.0),
            at,
            key: text(self.key.public_key().as_ref()),
            signature: text(signature.as_ref()),
        };
        (row, line)
    }

    /// Appends the line to the file; it is on the disk when this returns.
    pub(in crate::store) fn publish(&self, line: &Line) -> Result<(), Failure> {
        let mut text = serde_json::to_string(line)
            .map_err(|error| StoreError::Unusable(format!("checkpoint: {error}")))?;
        text.push('\n');
        append(&self.file, &text)?;
        Ok(())
    }
}

/// A line that a crash left without its end was never relied on; the next must not run into it.
fn drop_unfinished_line(path: &Path) -> Result<(), StoreError> {
    let wrong = |error: std::io::Error| {
        StoreError::Unusable(format!("checkpoint file `{}`: {error}", path.display()))
    };
    append(path, "")?;
    let mut file = OpenOptions::new().read(true).write(true).open(path).map_err(wrong)?;
    let mut text = Vec::new();
    file.read_to_end(&mut text).map_err(wrong)?;
    let finished = text.iter().rposition(|byte| *byte == b'\n').map_or(0, |last| last + 1);
    if finished < text.len() {
        file.set_len(finished as u64).and_then(|()| file.sync_all()).map_err(wrong)?;
    }
    Ok(())
}

fn append(path: &Path, text: &str) -> Result<(), StoreError> {
    let wrong = |what: String| StoreError::Unusable(format!("checkpoint file `{}`: {what}", path.display()));
    let mut file = OpenOptions::new()
        .create(true)
        .append(true)
        .mode(0o600)
        .open(path)
        .map_err(|error| wrong(error.to_string()))?;
    file.write_all(text.as_bytes()).and_then(|()| file.sync_all()).map_err(|error| wrong(error.to_string()))
}

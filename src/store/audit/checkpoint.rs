//! Signed checkpoints: from time to time the end of this node's chain is signed and written to a file beside the
//! database, which someone who deletes the last rows of the chain cannot reach (ADR 3).

use std::collections::BTreeMap;
use std::path::PathBuf;

use aws_lc_rs::signature::{ED25519, Ed25519KeyPair, KeyPair as _, UnparsedPublicKey};
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use data_encoding::HEXLOWER;
use serde::{Deserialize, Serialize};
use zeroize::Zeroizing;

use super::chain::Head;
use super::{CheckpointKeyRow, CheckpointRow, file};
use crate::base::time::Timestamp;
use crate::keys::SealPurpose;
use crate::store::rows::Hash;
use crate::store::statement::Failure;
use crate::store::transaction::Transaction;
use crate::store::{Opening, StoreError};

/// Sets these signatures apart from every other.
const DOMAIN: &[u8; 16] = b"deputy anchor v1";

/// The end of a chain as a checkpoint names it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(in crate::store) struct End {
    pub(in crate::store) seq: i64,
    pub(in crate::store) hash: String,
}

impl End {
    pub(in crate::store) fn hash(&self) -> Option<Hash> {
        let hash = HEXLOWER.decode(self.hash.as_bytes()).ok()?;
        Some(Hash(hash.try_into().ok()?))
    }
}

/// The ends of all chains, by name. That of the signing chain itself is the one of the checkpoint before.
pub(in crate::store) type Ends = BTreeMap<String, End>;

/// One line of the checkpoint file.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(in crate::store) struct Line {
    pub(in crate::store) chain: String,
    #[serde(flatten)]
    pub(in crate::store) end: End,
    pub(in crate::store) at: Timestamp,
    pub(in crate::store) heads: Ends,
    /// The public key, base64url.
    pub(in crate::store) key: String,
    /// Ed25519, base64url.
    pub(in crate::store) signature: String,
}

impl Line {
    /// Whether its signature is its key's.
    pub(in crate::store) fn is_genuine(&self) -> bool {
        let decoded = |text: &str| URL_SAFE_NO_PAD.decode(text).ok();
        let (Some(hash), Some(key), Some(signature), Ok(heads)) = (
            self.end.hash(),
            decoded(&self.key),
            decoded(&self.signature),
            serde_json::to_string(&self.heads),
        ) else {
            return false;
        };
        let (chain, seq, at) = (self.chain.clone(), self.end.seq, self.at.millis());
        is_genuine(&key, &CheckpointRow { chain, seq, hash, at, heads, signature })
    }
}

/// What is signed of a checkpoint. Each part is of fixed width or says how long it is, but for the last.
fn message(row: &CheckpointRow) -> Vec<u8> {
    let mut message = DOMAIN.to_vec();
    message.extend_from_slice(&(row.chain.len() as u64).to_be_bytes());
    message.extend_from_slice(row.chain.as_bytes());
    message.extend_from_slice(&row.seq.to_be_bytes());
    message.extend_from_slice(&row.hash.0);
    message.extend_from_slice(&row.at.to_be_bytes());
    message.extend_from_slice(row.heads.as_bytes());
    message
}

/// Whether `key` signed this.
pub(in crate::store) fn is_genuine(key: &[u8], row: &CheckpointRow) -> bool {
    UnparsedPublicKey::new(&ED25519, key).verify(&message(row), &row.signature).is_ok()
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

    /// Signs the end of the chain and what is known of the others, as a row and as a line.
    pub(in crate::store) fn sign(
        &self,
        head: &Head,
        heads: Ends,
        at: Timestamp,
    ) -> Result<(CheckpointRow, Line), StoreError> {
        let mut row = CheckpointRow {
            chain: self.chain.clone(),
            seq: head.seq,
            hash: head.hash,
            at: at.millis(),
            heads: serde_json::to_string(&heads)
                .map_err(|error| StoreError::Unusable(format!("checkpoint: {error}")))?,
            signature: Vec::new(),
        };
        row.signature = self.key.sign(&message(&row)).as_ref().to_vec();
        let line = Line {
            chain: self.chain.clone(),
            end: End { seq: head.seq, hash: HEXLOWER.encode(&head.hash.0) },
            at,
            heads,
            key: text(self.key.public_key().as_ref()),
            signature: text(&row.signature),
        };
        Ok((row, line))
    }

    /// Appends the line to the file; it is on the disk when this returns.
    pub(in crate::store) fn publish(&self, line: &Line) -> Result<(), Failure> {
        let mut text = serde_json::to_string(line)
            .map_err(|error| StoreError::Unusable(format!("checkpoint: {error}")))?;
        text.push('\n');
        file::append(&self.file, &text)?;
        Ok(())
    }
}

//! The master key and what is derived from it.

use std::fs::{File, OpenOptions};
use std::io::{Read, Write};
use std::os::unix::fs::{MetadataExt, OpenOptionsExt, PermissionsExt};
use std::path::Path;

use aws_lc_rs::aead::{AES_256_GCM, Aad, LessSafeKey, NONCE_LEN, Nonce, UnboundKey};
use aws_lc_rs::{hkdf, hmac};
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use data_encoding::BASE32_NOPAD;
use zeroize::Zeroizing;

use super::KeyError;
use crate::base::entropy::Entropy;
use crate::base::time::Timestamp;
use crate::oauth::ids::{AGENT_PREFIX, PAIRWISE_PREFIX};
use crate::oauth::{
    AgentId, ClientId, Digest, Issuer, Jti, OPAQUE_CHECK, OPAQUE_RANDOM, OpaqueToken, TaskId, WorkloadId,
};

/// Bytes of a master key.
pub const MASTER: usize = 32;
/// Bytes of the keyed hash in a DPoP nonce.
const NONCE_MAC: usize = 16;
/// First byte of a sealed value: AES-256-GCM with a 96-bit nonce in front.
const SEAL_VERSION: u8 = 1;

/// What a sealed value is for; part of the associated data.
#[derive(Clone, Copy, Debug)]
pub enum SealPurpose<'a> {
    /// A signing key, by kid.
    SigningKey(&'a str),
    /// An answer: login, target, scope, as one text.
    Answer(&'a str),
    /// The audit checkpoint key of this chain.
    CheckpointKey(&'a str),
    /// The claims of an opaque token, by `jti`.
    Claims(&'a str),
}

/// Whom an agent is of.
#[derive(Clone, Copy, Debug)]
pub enum AgentOf<'a> {
    /// A client that acts itself.
    Client(&'a ClientId),
    /// A workload that its issuer vouches for. A stable id and an instance id are two name spaces, and so are numbers
    /// and texts.
    Workload(&'a Issuer, &'a WorkloadId),
}

impl SealPurpose<'_> {
    fn associated_data(self) -> Vec<u8> {
        let (word, name) = match self {
            Self::SigningKey(kid) => ("signing_key", kid),
            Self::Answer(place) => ("answer", place),
            Self::CheckpointKey(chain) => ("checkpoint_key", chain),
            Self::Claims(jti) => ("claims", jti),
        };
        [word, "\0", name].concat().into_bytes()
    }
}

/// Keys derived from the master key by HKDF-SHA-256, one label each. Prints nothing.
pub struct NodeSecrets {
    token_hash: hmac::Key,
    opaque_check: hmac::Key,
    secret_hash: hmac::Key,
    pairwise_subject: hmac::Key,
    pairwise_txn: hmac::Key,
    agent_id: hmac::Key,
    dpop_nonce: hmac::Key,
    sealing: Sealing,
}

/// A key for each purpose, so that the values of one do not add to the nonces of another.
struct Sealing {
    signing_key: LessSafeKey,
    answer: LessSafeKey,
    checkpoint_key: LessSafeKey,
    claims: LessSafeKey,
}

impl Sealing {
    const fn key(&self, purpose: SealPurpose<'_>) -> &LessSafeKey {
        match purpose {
            SealPurpose::SigningKey(_) => &self.signing_key,
            SealPurpose::Answer(_) => &self.answer,
            SealPurpose::CheckpointKey(_) => &self.checkpoint_key,
            SealPurpose::Claims(_) => &self.claims,
        }
    }
}

/// Whether nobody but this process can read a file of this kind: its owner may, and also its group if that is a group of
/// this process. Kubernetes mounts secrets like that (`fsGroup`).
pub fn is_private(metadata: &std::fs::Metadata) -> bool {
    let mode = metadata.permissions().mode() & 0o7777;
    let is_own_group = || {
        let gid = metadata.gid();
        rustix::process::getegid().as_raw() == gid
            || rustix::process::getgroups().is_ok_and(|groups| groups.iter().any(|own| own.as_raw() == gid))
    };
    mode & !0o600 == 0 || (mode & !0o640 == 0 && is_own_group())
}

/// Whether a file belongs to the user of this process or to root. Anybody else could exchange it.
pub fn is_of_own_user(metadata: &std::fs::Metadata) -> bool {
    metadata.uid() == 0 || metadata.uid() == rustix::process::geteuid().as_raw()
}

impl std::fmt::Debug for NodeSecrets {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("NodeSecrets(…)")
    }
}

impl NodeSecrets {
    /// Makes a master key file: 32 random bytes, mode 0600, never over an existing one.
    ///
    /// # Errors
    /// [`KeyError::MasterKey`] where the file exists or cannot be written, [`KeyError::Crypto`] without
    /// entropy.
    pub fn create(path: &Path, entropy: &dyn Entropy) -> Result<(), KeyError> {
        let mut master = Zeroizing::new([0; MASTER]);
        entropy.fill(master.as_mut_slice())?;
        let fault = |error: std::io::Error| master_key(path, &error.to_string());
        let mut file =
            OpenOptions::new().write(true).create_new(true).mode(0o600).open(path).map_err(fault)?;
        file.write_all(master.as_slice()).map_err(fault)?;
        file.sync_all().map_err(fault)
    }

    /// Reads the master key and derives.
    ///
    /// # Errors
    /// [`KeyError::MasterKey`]: missing, no regular file, of another user, open to group or others, or not 32 bytes.
    pub fn load(path: &Path) -> Result<Self, KeyError> {
        let fault = |error: std::io::Error| master_key(path, &error.to_string());
        let mut file = File::open(path).map_err(fault)?;
        let metadata = file.metadata().map_err(fault)?;
        if !metadata.is_file() {
            return Err(master_key(path, "not a regular file"));
        }
        if !is_of_own_user(&metadata) {
            let what =
                format!("belongs to the user {}; it has to be Deputy's own user or root", metadata.uid());
            return Err(master_key(path, &what));
        }
        // The mode is that of the open file, so the file cannot be exchanged in between. 0400 is accepted too.
        if !is_private(&metadata) {
            let mode = metadata.permissions().mode() & 0o7777;
            return Err(master_key(path, &format!("has mode {mode:04o}; set it to 0600 (chmod 600)")));
        }
        let mut master = Zeroizing::new([0; MASTER + 1]);
        let mut length = 0;
        while length < master.len() {
            match file.read(&mut master[length..]).map_err(fault)? {
                0 => break,
                read => length += read,
            }
        }
        match <&[u8; MASTER]>::try_from(&master[..length]) {
            Ok(master) => Ok(Self::from_master(master)),
            Err(_) => Err(master_key(path, "does not hold exactly 32 bytes")),
        }
    }

    /// From 32 bytes, for tests and the sandbox.
    pub fn from_master(master: &[u8; 32]) -> Self {
        // INVARIANT: the labels name stored data; to change one is to lose what was hashed under it. The label of the
        // token hash ends with its version (docs/adr/0010-identity-of-a-token.md).
        let extracted = hkdf::Salt::new(hkdf::HKDF_SHA256, b"deputy node secrets 1").extract(master);
        let mac = |label: &str| hmac::Key::new(hmac::HMAC_SHA256, derive(&extracted, label).as_slice());
        Self {
            token_hash: mac("token hash 1"),
            opaque_check: mac("opaque token check"),
            secret_hash: mac("secret hash"),
            pairwise_subject: mac("pairwise subject"),
            pairwise_txn: mac("pairwise txn"),
            agent_id: mac("agent id"),
            dpop_nonce: mac("dpop nonce"),
            sealing: Sealing {
                signing_key: sealing_key(derive(&extracted, "sealing of signing keys").as_slice()),
                answer: sealing_key(derive(&extracted, "sealing of answers").as_slice()),
                checkpoint_key: sealing_key(derive(&extracted, "sealing of checkpoint keys").as_slice()),
                claims: sealing_key(derive(&extracted, "sealing of claims").as_slice()),
            },
        }
    }

    /// The keyed hash under which a token is kept.
    pub fn token_hash(&self, token: &str) -> Digest {
        tag(&self.token_hash, &[token.as_bytes()])
    }

    /// A new opaque token with this `jti`.
    ///
    /// # Errors
    /// [`KeyError::Crypto`] without entropy.
    pub fn opaque_token(&self, jti: Jti, entropy: &dyn Entropy) -> Result<OpaqueToken, KeyError> {
        let mut random = Zeroizing::new([0; OPAQUE_RANDOM]);
        entropy.fill(random.as_mut_slice())?;
        let unchecked = OpaqueToken::new(jti, &random, &[0; OPAQUE_CHECK]);
        Ok(OpaqueToken::new(jti, &random, &self.opaque_check(&unchecked)))
    }

    /// Whether this token was made with the master key of this node. It tells guesses from tokens without the database,
    /// and nothing more: only the record says that a token was issued.
    pub fn has_made(&self, token: &OpaqueToken) -> bool {
        use subtle::ConstantTimeEq as _;
        self.opaque_check(token).ct_eq(token.check()).into()
    }

    fn opaque_check(&self, token: &OpaqueToken) -> [u8; OPAQUE_CHECK] {
        let mut check = [0; OPAQUE_CHECK];
        check.copy_from_slice(&tag(&self.opaque_check, &[token.checked()])[..OPAQUE_CHECK]);
        check
    }

    /// The keyed hash under which a client secret is compared.
    pub fn secret_hash(&self, secret: &[u8]) -> Digest {
        tag(&self.secret_hash, &[secret])
    }

    /// `pw_` and base64url of HMAC(len|issuer|len|sector|len|subject) (OIDC Core §8.1).
    pub fn pairwise_subject(&self, issuer: &Issuer, subject: &str, sector: &str) -> String {
        let parts = [issuer.as_str().as_bytes(), sector.as_bytes(), subject.as_bytes()];
        format!("{PAIRWISE_PREFIX}{}", URL_SAFE_NO_PAD.encode(tag(&self.pairwise_subject, &parts)))
    }

    /// The `txn` that targets of a sector see instead of the task id: `tx_` and base64url of a keyed hash.
    pub fn pairwise_txn(&self, task: TaskId, sector: &str) -> String {
        let task = task.uuid();
        let parts = [task.as_bytes().as_slice(), sector.as_bytes()];
        format!("tx_{}", URL_SAFE_NO_PAD.encode(tag(&self.pairwise_txn, &parts)))
    }

    /// `agent_` and 128 bits in lower-case base32, stable for whom it is the agent of.
    pub fn agent_id(&self, of: AgentOf<'_>) -> AgentId {
        let digest = match of {
            AgentOf::Client(client) => tag(&self.agent_id, &[b"client", client.as_str().as_bytes()]),
            AgentOf::Workload(issuer, id) => {
                let mut words = vec!["workload", issuer.as_str(), id.kind.word()];
                words.extend(id.values.iter().flat_map(|value| [value.form.word(), value.text.as_str()]));
                tag(&self.agent_id, &words.into_iter().map(str::as_bytes).collect::<Vec<_>>())
            }
        };
        AgentId::new(format!("{AGENT_PREFIX}{}", BASE32_NOPAD.encode(&digest[..16]).to_ascii_lowercase()))
    }

    /// A nonce for DPoP proofs (RFC 9449 §8) that was made now: the time, and a keyed hash of it that nobody else can
    /// make. It is good on every node that has the master key, and none of them has to remember it.
    pub fn dpop_nonce(&self, now: Timestamp) -> String {
        let time = now.millis().to_be_bytes();
        let mac = tag(&self.dpop_nonce, &[&time]);
        URL_SAFE_NO_PAD.encode([&time[..], &mac[..NONCE_MAC]].concat())
    }

    /// When [`NodeSecrets::dpop_nonce`] made this nonce; `None` if it did not.
    pub fn dpop_nonce_time(&self, nonce: &str) -> Option<Timestamp> {
        use subtle::ConstantTimeEq as _;
        let bytes = URL_SAFE_NO_PAD.decode(nonce).ok()?;
        let (time, mac) = bytes.split_first_chunk::<8>()?;
        let is_ours = tag(&self.dpop_nonce, &[time])[..NONCE_MAC].ct_eq(mac);
        bool::from(is_ours).then(|| Timestamp::from_millis(i64::from_be_bytes(*time)))
    }

    /// Seals with AES-256-GCM, a random nonce in front.
    ///
    /// # Errors
    /// [`KeyError::Crypto`] without entropy.
    pub fn seal(
        &self,
        purpose: SealPurpose<'_>,
        plain: &[u8],
        entropy: &dyn Entropy,
    ) -> Result<Vec<u8>, KeyError> {
        let mut nonce = [0; NONCE_LEN];
        entropy.fill(&mut nonce)?;
        // With space for the tag, so that the plain text is not left behind by a move.
        let mut body = Vec::with_capacity(plain.len() + AES_256_GCM.tag_len());
        body.extend_from_slice(plain);
        self.sealing
            .key(purpose)
            .seal_in_place_append_tag(
                Nonce::assume_unique_for_key(nonce),
                Aad::from(purpose.associated_data()),
                &mut body,
            )
            .map_err(|_| KeyError::Crypto)?;
        Ok([&[SEAL_VERSION][..], &nonce, &body].concat())
    }

    /// Opens what [`NodeSecrets::seal`] sealed for the same purpose.
    ///
    /// # Errors
    /// [`KeyError::Sealed`] for anything else.
    pub fn open(&self, purpose: SealPurpose<'_>, sealed: &[u8]) -> Result<Zeroizing<Vec<u8>>, KeyError> {
        let (&version, rest) = sealed.split_first().ok_or(KeyError::Sealed)?;
        let (nonce, body) = rest.split_at_checked(NONCE_LEN).ok_or(KeyError::Sealed)?;
        if version != SEAL_VERSION {
            return Err(KeyError::Sealed);
        }
        let nonce = Nonce::try_assume_unique_for_key(nonce).map_err(|_| KeyError::Sealed)?;
        let mut body = Zeroizing::new(body.to_vec());
        let length = self
            .sealing
            .key(purpose)
            .open_in_place(nonce, Aad::from(purpose.associated_data()), &mut body)
            .map_err(|_| KeyError::Sealed)?
            .len();
        body.truncate(length);
        Ok(body)
    }
}

fn master_key(path: &Path, what: &str) -> KeyError {
    KeyError::MasterKey { path: path.display().to_string(), what: what.to_owned() }
}

/// HKDF-Expand to 32 bytes (RFC 5869 §2.3).
fn derive(extracted: &hkdf::Prk, label: &str) -> Zeroizing<[u8; 32]> {
    let mut out = Zeroizing::new([0; 32]);
    #[expect(clippy::expect_used, reason = "fails only for outputs over 255 times 32 bytes")]
    extracted
        .expand(&[label.as_bytes()], hkdf::HKDF_SHA256)
        .and_then(|material| material.fill(out.as_mut_slice()))
        .expect("32 bytes are one block of HKDF-SHA-256");
    out
}

fn sealing_key(bytes: &[u8]) -> LessSafeKey {
    #[expect(clippy::expect_used, reason = "fails only for keys that are not 32 bytes")]
    LessSafeKey::new(UnboundKey::new(&AES_256_GCM, bytes).expect("AES-256 takes 32 bytes"))
}

/// HMAC-SHA-256 over the parts, each after its length, so that no two lists of parts read the same.
fn tag(key: &hmac::Key, parts: &[&[u8]]) -> Digest {
    let mut context = hmac::Context::with_key(key);
    for part in parts {
        context.update(&(part.len() as u64).to_be_bytes());
        context.update(part);
    }
    let mut digest = [0; 32];
    digest.copy_from_slice(context.sign().as_ref());
    digest
}

#[cfg(test)]
mod tests;

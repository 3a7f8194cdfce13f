//! Where unguessable bytes and fresh identifiers come from.

use std::cell::RefCell;

use aws_lc_rs::rand::{SecureRandom, SystemRandom};
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use uuid::Uuid;
use zeroize::{Zeroize as _, Zeroizing};

use crate::base::time::Timestamp;

/// The random generator has nothing to give; a request that needs it is answered with 503.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("the random generator is not available")]
pub struct EntropyUnavailable;

/// A source of unguessable bytes.
pub trait Entropy: Send + Sync {
    /// # Errors
    /// [`EntropyUnavailable`] when the generator fails; the caller must not go on.
    fn fill(&self, bytes: &mut [u8]) -> Result<(), EntropyUnavailable>;
}

/// The operating system's generator, through aws-lc.
#[derive(Debug, Default)]
pub struct SystemEntropy(SystemRandom);

/// Bytes drawn at once for identifiers, as a draw costs more than its bytes.
const POOL: usize = 512;
/// What an identifier takes. Anything longer (nonces, secrets, keys) is drawn by itself, when it is needed.
const IDENTIFIER: usize = 10;

thread_local! {
    /// Drawn and not yet given out; what was given out is overwritten.
    static DRAWN: RefCell<Zeroizing<Vec<u8>>> = RefCell::default();
}

impl Entropy for SystemEntropy {
    fn fill(&self, bytes: &mut [u8]) -> Result<(), EntropyUnavailable> {
        if bytes.len() > IDENTIFIER {
            return self.0.fill(bytes).map_err(|_| EntropyUnavailable);
        }
        DRAWN.with_borrow_mut(|drawn| {
            if drawn.len() < bytes.len() {
                drawn.resize(POOL, 0);
                if self.0.fill(drawn.as_mut_slice()).is_err() {
                    drawn.zeroize();
                    return Err(EntropyUnavailable);
                }
            }
            let rest = drawn.len() - bytes.len();
            bytes.copy_from_slice(&drawn[rest..]);
            drawn[rest..].zeroize();
            drawn.truncate(rest);
            Ok(())
        })
    }
}

/// A UUID v7 (RFC 9562 §5.7): time-ordered and unique, not a secret.
pub fn uuid_v7(entropy: &dyn Entropy, now: Timestamp) -> Result<Uuid, EntropyUnavailable> {
    let mut random = [0; IDENTIFIER];
    entropy.fill(&mut random)?;
    let millis = u64::try_from(now.millis()).unwrap_or(0);
    Ok(uuid::Builder::from_unix_timestamp_millis(millis, &random).into_uuid())
}

/// `BYTES` random bytes in base64url without padding, for secrets and handles.
pub fn handle<const BYTES: usize>(entropy: &dyn Entropy) -> Result<String, EntropyUnavailable> {
    let mut random = [0; BYTES];
    entropy.fill(&mut random)?;
    Ok(URL_SAFE_NO_PAD.encode(random))
}

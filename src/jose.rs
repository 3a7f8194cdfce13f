//! Tools for rooms 3, 4 and 7: strict pre-scan, decode, check a signature, sign; the allowed algorithms.

/// A public key bound to one algorithm (8725-3.1-02), parsed once.
#[derive(Clone)]
pub struct PublicKey {
    _private: (),
}

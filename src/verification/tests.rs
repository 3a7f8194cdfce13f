//! The rules of verification, one change to a good token at a time.

mod access_token;
mod dpop;
mod id_token;
mod kinds;
mod own;
mod platforms;
mod spiffe;
mod workload;

//! CPU time, of this thread and of another process, and what a bare signature costs.

use std::hint::black_box;
use std::time::Duration;

use aws_lc_rs::rand::SystemRandom;
use aws_lc_rs::signature::{
    ECDSA_P256_SHA256_FIXED, ECDSA_P256_SHA256_FIXED_SIGNING, EcdsaKeyPair, KeyPair as _, ParsedPublicKey,
};

/// About as much as an ID token has to be hashed for.
const LENGTH: usize = 620;
/// Runs of each operation, of which the median counts.
const RUNS: usize = 5;

/// CPU time of one ES256 signature and one verification by aws-lc with parsed keys, on one core.
///
/// No signature is verified twice within a run, as Deputy verifies none twice in a row. How the processor branches in a
/// verification depends on the signature, and it learns the branches of one that comes again and again: that one is
/// verified in about 6 % less time than one of many.
#[derive(Clone, Copy, Debug)]
pub struct Signatures {
    /// Microseconds a signature.
    pub sign: f64,
    /// Microseconds a verification.
    pub verify: f64,
}

impl Signatures {
    /// Measures for about a third of a second.
    pub fn measure() -> Self {
        let pair = EcdsaKeyPair::generate(&ECDSA_P256_SHA256_FIXED_SIGNING).unwrap();
        let public =
            ParsedPublicKey::new(&ECDSA_P256_SHA256_FIXED, pair.public_key().as_ref()).expect("a key");
        let rng = SystemRandom::new();
        let messages: Vec<[u8; LENGTH]> = (0..1600_u32)
            .map(|number| {
                let mut message = [0x61; LENGTH];
                message[..4].copy_from_slice(&number.to_be_bytes());
                message
            })
            .collect();
        let sign = each(&messages, |message| {
            black_box(pair.sign(&rng, black_box(message)).unwrap());
        });
        let signed: Vec<_> =
            messages.iter().take(800).map(|message| (message, pair.sign(&rng, message).unwrap())).collect();
        let verify = each(&signed, |(message, signature)| {
            public.verify_sig(black_box(*message), black_box(signature.as_ref())).unwrap();
        });
        Self { sign, verify }
    }

    /// Between two measurements.
    pub const fn mean(self, other: Self) -> Self {
        Self { sign: f64::midpoint(self.sign, other.sign), verify: f64::midpoint(self.verify, other.verify) }
    }

    /// Microseconds for so many of each.
    pub fn work(self, verifies: u32, signs: u32) -> f64 {
        self.verify * f64::from(verifies) + self.sign * f64::from(signs)
    }
}

/// Microseconds of this thread's CPU time that `work` takes for one of `items`; the median of the runs.
#[expect(clippy::cast_precision_loss, reason = "counts of operations")]
fn each<T>(items: &[T], mut work: impl FnMut(&T)) -> f64 {
    let mut runs: Vec<f64> = (0..RUNS)
        .map(|_| {
            let begun = own_thread();
            items.iter().for_each(&mut work);
            (own_thread() - begun).as_secs_f64() * 1e6 / items.len() as f64
        })
        .collect();
    runs.sort_by(f64::total_cmp);
    runs[RUNS / 2]
}

/// CPU time of this thread so far.
fn own_thread() -> Duration {
    // The account of a running thread is brought up to date at the tick of the clock, or when it gives way.
    std::thread::yield_now();
    let text = std::fs::read_to_string("/proc/thread-self/schedstat").expect("Linux, with /proc");
    Duration::from_nanos(text.split(' ').next().unwrap().parse().unwrap())
}

/// CPU time of a process so far, user and system, of all its threads (proc(5): fields 14 and 15 of `stat`).
pub fn process(pid: u32) -> Duration {
    let text = std::fs::read_to_string(format!("/proc/{pid}/stat")).expect("the process");
    // The second field, the name, is in parentheses and may hold anything.
    let after_name = text.rsplit_once(')').unwrap().1;
    let ticks: u64 =
        after_name.split_ascii_whitespace().skip(11).take(2).map(|t| t.parse::<u64>().unwrap()).sum();
    // USER_HZ is 100 on every Linux that Rust has a target for.
    Duration::from_millis(ticks * 10)
}

//! CPU time, of this thread and of another process, and what a bare signature costs.

use std::hint::black_box;
use std::time::Duration;

use aws_lc_rs::rand::SystemRandom;
use aws_lc_rs::signature::{
    ECDSA_P256_SHA256_FIXED, ECDSA_P256_SHA256_FIXED_SIGNING, EcdsaKeyPair, KeyPair as _, ParsedPublicKey,
};

/// About as much as an ID token has to be hashed for.
const MESSAGE: [u8; 620] = [0x61; 620];

/// CPU time of one ES256 signature and one verification by aws-lc with parsed keys, on one core.
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
        let signature = pair.sign(&rng, &MESSAGE).unwrap();
        let sign = each(8_000, || {
            black_box(pair.sign(&rng, black_box(&MESSAGE)).unwrap());
        });
        let verify = each(4_000, || {
            public.verify_sig(black_box(&MESSAGE), black_box(signature.as_ref())).unwrap();
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

/// Microseconds of this thread's CPU time that `work` takes; the median of five runs of `times`.
fn each(times: u32, mut work: impl FnMut()) -> f64 {
    let mut runs: Vec<f64> = (0..5)
        .map(|_| {
            let begun = own_thread();
            for _ in 0..times / 5 {
                work();
            }
            (own_thread() - begun).as_secs_f64() * 1e6 / f64::from(times / 5)
        })
        .collect();
    runs.sort_by(f64::total_cmp);
    runs[2]
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

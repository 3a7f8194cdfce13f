//! What a signature costs through jsonwebtoken, beside the same signature by aws-lc with a key that was parsed
//! once: `cargo bench --bench jose`. docs/adr/0009-jsonwebtoken-backend.md says what the figures decide.

#![expect(clippy::unwrap_used, clippy::expect_used, reason = "a measurement that cannot go on stops")]

use std::hint::black_box;
use std::time::Duration;

use aws_lc_rs::encoding::{AsDer, Pkcs8V1Der};
use aws_lc_rs::rand::SystemRandom;
use aws_lc_rs::rsa::KeySize;
use aws_lc_rs::signature::{
    ECDSA_P256_SHA256_FIXED, ECDSA_P256_SHA256_FIXED_SIGNING, EcdsaKeyPair, KeyPair as _, ParsedPublicKey,
    RSA_PKCS1_2048_8192_SHA256, RSA_PKCS1_SHA256, RsaKeyPair, RsaPublicKeyComponents,
};
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use jsonwebtoken::crypto::aws_lc::DEFAULT_PROVIDER;
use jsonwebtoken::{Algorithm, DecodingKey, EncodingKey, crypto};

/// About as much as an ID token has to be hashed for.
const MESSAGE: [u8; 620] = [0x61; 620];
/// CPU time of `hop0-secret` on SQLite (docs/performance.md).
const EXCHANGE: f64 = 115.0;
/// Each way is measured once a round, one after the other, and compared within the round.
const ROUNDS: usize = 41;

/// One operation in three ways.
struct Compared<'a> {
    name: &'static str,
    /// Repetitions a round.
    times: u32,
    /// aws-lc with a parsed key.
    parsed: Box<dyn FnMut() + 'a>,
    /// jsonwebtoken's signer or verifier, made once and kept.
    kept: Box<dyn FnMut() + 'a>,
    /// `jsonwebtoken::crypto`, which makes one at each call.
    made: Box<dyn FnMut() + 'a>,
}

fn main() {
    println!("µs of CPU, median of {ROUNDS} rounds; in brackets the median difference within a round");
    println!("| operation | aws-lc, parsed key | jsonwebtoken, kept | jsonwebtoken, made each time |");
    println!("| --- | --- | --- | --- |");
    es256();
    rs256();
}

fn es256() {
    let pkcs8 = EcdsaKeyPair::generate(&ECDSA_P256_SHA256_FIXED_SIGNING).unwrap().to_pkcs8v1().unwrap();
    let pair = EcdsaKeyPair::from_pkcs8(&ECDSA_P256_SHA256_FIXED_SIGNING, pkcs8.as_ref()).unwrap();
    let public = ParsedPublicKey::new(&ECDSA_P256_SHA256_FIXED, pair.public_key().as_ref()).unwrap();
    let private = EncodingKey::from_ec_der(pkcs8.as_ref());
    let point = DecodingKey::from_ec_der(pair.public_key().as_ref());
    let random = SystemRandom::new();
    let sign = move || URL_SAFE_NO_PAD.encode(pair.sign(&random, black_box(&MESSAGE)).unwrap());
    compare(Algorithm::ES256, ("sign ES256", 400), ("verify ES256", 200), sign, &public, &private, &point);
}

fn rs256() {
    let pair = RsaKeyPair::generate(KeySize::Rsa2048).unwrap();
    let pkcs8 = AsDer::<Pkcs8V1Der<'_>>::as_der(&pair).unwrap();
    let parts = RsaPublicKeyComponents::<Vec<u8>>::from(pair.public_key());
    let public = parts.to_parsed_public_key(&RSA_PKCS1_2048_8192_SHA256).unwrap();
    // jsonwebtoken takes PKCS#1 (RFC 8017 §A.1.2), which is what follows the 26 bytes of this PKCS#8 header.
    let private = EncodingKey::from_rsa_der(&pkcs8.as_ref()[26..]);
    let components = DecodingKey::from_rsa_raw_components(&parts.n, &parts.e);
    let random = SystemRandom::new();
    let sign = move || {
        let mut signature = vec![0; pair.public_modulus_len()];
        pair.sign(&RSA_PKCS1_SHA256, &random, black_box(&MESSAGE), &mut signature).unwrap();
        URL_SAFE_NO_PAD.encode(signature)
    };
    compare(
        Algorithm::RS256,
        ("sign RS256", 12),
        ("verify RS256", 300),
        sign,
        &public,
        &private,
        &components,
    );
}

fn compare(
    algorithm: Algorithm,
    (sign_name, signs): (&'static str, u32),
    (verify_name, verifies): (&'static str, u32),
    sign: impl Fn() -> String,
    parsed: &ParsedPublicKey,
    private: &EncodingKey,
    public: &DecodingKey,
) {
    let signer = (DEFAULT_PROVIDER.signer_factory)(&algorithm, private).unwrap();
    let verifier = (DEFAULT_PROVIDER.verifier_factory)(&algorithm, public).unwrap();
    let signature = sign();
    let decoded = || URL_SAFE_NO_PAD.decode(black_box(&signature)).unwrap();
    report(Compared {
        name: sign_name,
        times: signs,
        parsed: Box::new(|| drop(black_box(sign()))),
        kept: Box::new(|| drop(black_box(URL_SAFE_NO_PAD.encode(signer.sign(black_box(&MESSAGE)))))),
        made: Box::new(|| drop(black_box(crypto::sign(black_box(&MESSAGE), private, algorithm).unwrap()))),
    });
    report(Compared {
        name: verify_name,
        times: verifies,
        parsed: Box::new(|| parsed.verify_sig(black_box(&MESSAGE), &decoded()).unwrap()),
        kept: Box::new(|| verifier.verify(black_box(&MESSAGE), &decoded()).unwrap()),
        made: Box::new(|| {
            assert!(crypto::verify(&signature, black_box(&MESSAGE), public, algorithm).unwrap());
        }),
    });
}

fn report(mut of: Compared<'_>) {
    let mut rounds: Vec<[f64; 3]> = Vec::new();
    // The first round warms the caches.
    for round in 0..=ROUNDS {
        let all = [&mut of.parsed, &mut of.kept, &mut of.made].map(|work| each(of.times, work));
        if round > 0 {
            rounds.push(all);
        }
    }
    let column = |way: usize| {
        let took = median(rounds.iter().map(|round| round[way]));
        let more = median(rounds.iter().map(|round| round[way] - round[0]));
        (took, more, more / EXCHANGE * 100.0)
    };
    let (parsed, _, _) = column(0);
    let [kept, made] = [column(1), column(2)]
        .map(|(took, more, share)| format!("{took:.2} ({more:+.2}, {share:+.1} % of an exchange)"));
    println!("| {} | {parsed:.2} | {kept} | {made} |", of.name);
}

/// Microseconds of this thread's CPU time that one of `times` runs of `work` takes.
fn each(times: u32, work: &mut dyn FnMut()) -> f64 {
    let begun = own_thread();
    for _ in 0..times {
        work();
    }
    (own_thread() - begun).as_secs_f64() * 1e6 / f64::from(times)
}

/// CPU time of this thread so far.
fn own_thread() -> Duration {
    // The account of a running thread is brought up to date at the tick of the clock, or when it gives way.
    std::thread::yield_now();
    let text = std::fs::read_to_string("/proc/thread-self/schedstat").expect("Linux, with /proc");
    Duration::from_nanos(text.split(' ').next().unwrap().parse().unwrap())
}

fn median(values: impl Iterator<Item = f64>) -> f64 {
    let mut values: Vec<f64> = values.collect();
    values.sort_by(f64::total_cmp);
    values[values.len() / 2]
}

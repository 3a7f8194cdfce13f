//! Certificates for development: a CA of its own and a server certificate for this machine.

use std::io::Write as _;
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::{Path, PathBuf};

use jiff::tz::TimeZone;
use rcgen::{
    BasicConstraints, CertificateParams, DistinguishedName, DnType, ExtendedKeyUsagePurpose, IsCa, Issuer,
    KeyPair, KeyUsagePurpose, date_time_ymd,
};

use super::SetupError;
use crate::base::time::{Lifetime, Timestamp};

/// How long both certificates are good: more than any test, less than anybody would rely on.
const VALIDITY: Lifetime = Lifetime::from_seconds(365 * 86_400);

/// What the certificate is for.
const NAMES: [&str; 3] = ["localhost", "127.0.0.1", "::1"];

/// The files of [`dev_certificates`].
#[derive(Clone, Debug)]
pub struct DevCertificates {
    /// The CA's certificate, for clients to trust. Its key is not kept.
    pub ca: PathBuf,
    pub certificate: PathBuf,
    /// The server's key, mode 0600.
    pub key: PathBuf,
}

/// Makes a CA and a server certificate for `localhost`, 127.0.0.1 and `[::1]` in `directory`, good for a
/// year from the day before `now`. The CA's key is thrown away, so that nothing else can be signed.
///
/// # Errors
/// [`SetupError`]; existing files are left alone.
pub fn dev_certificates(directory: &Path, now: Timestamp) -> Result<DevCertificates, SetupError> {
    let validity = |params: &mut CertificateParams| {
        let [from, until] = [now.minus(Lifetime::from_seconds(86_400)), now.plus(VALIDITY)].map(day);
        params.not_before = date_time_ymd(from.0, from.1, from.2);
        params.not_after = date_time_ymd(until.0, until.1, until.2);
    };
    let ca_key = KeyPair::generate()?;
    let mut ca = CertificateParams::new(Vec::<String>::new())?;
    ca.is_ca = IsCa::Ca(BasicConstraints::Constrained(0));
    ca.key_usages = vec![KeyUsagePurpose::KeyCertSign, KeyUsagePurpose::CrlSign];
    ca.distinguished_name = named("Deputy development CA");
    validity(&mut ca);
    let ca_certificate = ca.self_signed(&ca_key)?;

    let key = KeyPair::generate()?;
    let mut server = CertificateParams::new(NAMES.map(str::to_owned).to_vec())?;
    server.distinguished_name = named("localhost");
    server.key_usages = vec![KeyUsagePurpose::DigitalSignature];
    server.extended_key_usages = vec![ExtendedKeyUsagePurpose::ServerAuth];
    server.use_authority_key_identifier_extension = true;
    validity(&mut server);
    let certificate = server.signed_by(&key, &Issuer::from_params(&ca, &ca_key))?;

    let made = DevCertificates {
        ca: directory.join("ca.pem"),
        certificate: directory.join("server.pem"),
        key: directory.join("server-key.pem"),
    };
    std::fs::create_dir_all(directory).map_err(SetupError::at(directory))?;
    for (path, pem, mode) in [
        (&made.key, key.serialize_pem(), 0o600),
        (&made.certificate, certificate.pem(), 0o644),
        (&made.ca, ca_certificate.pem(), 0o644),
    ] {
        write_new(path, pem.as_bytes(), mode)?;
    }
    Ok(made)
}

/// Writes a file that must not be there yet.
pub(super) fn write_new(path: &Path, content: &[u8], mode: u32) -> Result<(), SetupError> {
    let file = std::fs::OpenOptions::new().write(true).create_new(true).mode(mode).open(path);
    file.and_then(|mut file| file.write_all(content)).map_err(SetupError::at(path))
}

fn named(name: &str) -> DistinguishedName {
    let mut distinguished = DistinguishedName::new();
    distinguished.push(DnType::CommonName, name);
    distinguished
}

/// Year, month and day of `at` in UTC.
fn day(at: Timestamp) -> (i32, u8, u8) {
    let date = at.zoned(&TimeZone::UTC).unwrap_or_default().date();
    (date.year().into(), date.month().unsigned_abs(), date.day().unsigned_abs())
}

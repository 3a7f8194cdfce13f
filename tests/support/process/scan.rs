//! Looks for secrets in files: raw, base64url, hex and as a JSON string would escape them.

use std::collections::HashMap;
use std::path::{Path, PathBuf};

use base64::Engine as _;
use base64::engine::general_purpose::{STANDARD, URL_SAFE_NO_PAD};

/// Length of the piece of a pattern that is looked up first.
const PIECE: usize = 8;

/// What is looked for.
#[derive(Default)]
pub struct Scanner {
    /// By the last bytes of each pattern: the beginnings of tokens are alike, their ends are not.
    patterns: HashMap<[u8; PIECE], Vec<(Vec<u8>, String)>>,
}

/// Where something was found that must not be there.
#[derive(Debug, PartialEq, Eq)]
pub struct Finding {
    /// What, in words: never the secret itself.
    pub what: String,
    /// In which file.
    pub file: PathBuf,
}

impl Scanner {
    /// Looks for `secret` from now on; `what` names it in findings.
    pub fn add(&mut self, what: &str, secret: &str) {
        let escaped = serde_json::to_string(secret).expect("a JSON string");
        let hex: String = secret.bytes().map(|byte| format!("{byte:02x}")).collect();
        let mut forms = vec![
            ("raw", secret.to_owned()),
            ("base64url", URL_SAFE_NO_PAD.encode(secret)),
            ("base64", STANDARD.encode(secret)),
            ("hex", hex.clone()),
            ("upper-case hex", hex.to_ascii_uppercase()),
            ("JSON-escaped", escaped.trim_matches('"').to_owned()),
            ("JSON-escaped", secret.chars().map(|c| format!("\\u{:04x}", c as u32)).collect()),
            ("JSON-escaped", escaped.trim_matches('"').replace('/', "\\/")),
        ];
        if secret.starts_with("eyJ") && secret.matches('.').count() == 2 {
            let mut parts = secret.split('.').skip(1);
            forms.extend(parts.next().map(|part| ("payload", part.to_owned())));
            forms.extend(parts.next().map(|part| ("signature", part.to_owned())));
        }
        // What is before it in an opaque token is its `jti`, which is in the records.
        if let Some(encoded) = secret.strip_prefix("dpt_at_").filter(|encoded| encoded.len() == 56) {
            let part = &encoded[24..];
            let bytes = URL_SAFE_NO_PAD.decode(part).expect("base64url");
            forms.push(("random part", part.to_owned()));
            forms.push(("random part, hex", bytes.iter().map(|byte| format!("{byte:02x}")).collect()));
            forms.push((
                "random part, upper-case hex",
                bytes.iter().map(|byte| format!("{byte:02X}")).collect(),
            ));
        }
        forms.sort_by(|a, b| a.1.cmp(&b.1));
        forms.dedup_by(|a, b| a.1 == b.1);
        for (form, text) in forms {
            let bytes = text.into_bytes();
            let piece: [u8; PIECE] = bytes
                [bytes.len().checked_sub(PIECE).expect("a secret of 8 bytes or more")..]
                .try_into()
                .expect("8 bytes");
            self.patterns.entry(piece).or_default().push((bytes, format!("{what} ({form})")));
        }
    }

    /// Every finding in `bytes`, each thing once.
    pub fn search(&self, bytes: &[u8], file: &Path) -> Vec<Finding> {
        let mut findings: Vec<Finding> = Vec::new();
        for (end, window) in bytes.windows(PIECE).enumerate().map(|(at, window)| (at + PIECE, window)) {
            let Ok(piece) = <[u8; PIECE]>::try_from(window) else { continue };
            for (pattern, what) in self.patterns.get(&piece).into_iter().flatten() {
                if bytes[..end].ends_with(pattern) && !findings.iter().any(|known| known.what == *what) {
                    findings.push(Finding { what: what.clone(), file: file.to_owned() });
                }
            }
        }
        findings
    }

    /// Every finding in the files under `directory`.
    pub fn search_directory(&self, directory: &Path) -> Vec<Finding> {
        let mut findings = Vec::new();
        for entry in std::fs::read_dir(directory).expect("a directory").map(|entry| entry.expect("an entry"))
        {
            let kind = entry.file_type().expect("a file type");
            if kind.is_dir() {
                findings.extend(self.search_directory(&entry.path()));
            } else if kind.is_file() {
                let bytes = std::fs::read(entry.path()).expect("a file");
                findings.extend(self.search(&bytes, &entry.path()));
            }
        }
        findings
    }
}

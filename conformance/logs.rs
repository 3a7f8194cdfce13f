//! What all worlds log, kept so that tests can look for what must not be there.

use std::io::Write;
use std::path::Path;
use std::sync::{Mutex, PoisonError};

use crate::scan::{Finding, Scanner};

static LOGS: Mutex<Vec<u8>> = Mutex::new(Vec::new());

struct Keep;

impl Write for Keep {
    fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
        LOGS.lock().unwrap_or_else(PoisonError::into_inner).extend_from_slice(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> std::io::Result<()> {
        Ok(())
    }
}

/// Keeps every log line of Deputy from now on, down to the finest, and the notable ones of libraries.
pub fn keep() {
    let filter = tracing_subscriber::EnvFilter::new("info,deputy=trace");
    tracing_subscriber::fmt().with_env_filter(filter).with_ansi(false).with_writer(|| Keep).init();
}

/// What `scanner` looks for and was logged.
pub fn search(scanner: &Scanner) -> Vec<Finding> {
    let logs = LOGS.lock().unwrap_or_else(PoisonError::into_inner);
    scanner.search(&logs, Path::new("the logs of all worlds"))
}

/// Whether `text` was logged.
pub fn hold(text: &str) -> bool {
    let logs = LOGS.lock().unwrap_or_else(PoisonError::into_inner);
    logs.windows(text.len()).any(|window| window == text.as_bytes())
}

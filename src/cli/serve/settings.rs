//! What the server logs and in which form: `DEPUTY_LOG`, `DEPUTY_LOG_FORMAT`, and `--json`.

use std::env::VarError;

use tracing_subscriber::filter::LevelFilter;

/// The variable that says what is logged.
const LOG: &str = "DEPUTY_LOG";
/// The variable that says in which form.
const FORMAT: &str = "DEPUTY_LOG_FORMAT";
/// What is logged where nothing is said.
const DEFAULT: &str = "info";

/// The levels, from nothing to everything.
const LEVELS: [(&str, LevelFilter); 6] = [
    ("off", LevelFilter::OFF),
    ("error", LevelFilter::ERROR),
    ("warn", LevelFilter::WARN),
    ("info", LevelFilter::INFO),
    ("debug", LevelFilter::DEBUG),
    ("trace", LevelFilter::TRACE),
];

/// What is logged, and in which form.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Settings {
    /// Directives of a filter, one after the other.
    pub(super) filter: String,
    pub(super) is_json: bool,
}

impl Settings {
    /// Reads the variables of this process.
    ///
    /// # Errors
    /// In words: a variable has a value that it cannot have.
    pub(super) fn read(is_json: bool) -> Result<Self, String> {
        Self::of(value(LOG)?.as_deref(), value(FORMAT)?.as_deref(), is_json)
    }

    fn of(log: Option<&str>, format: Option<&str>, is_json: bool) -> Result<Self, String> {
        let is_json = match format {
            None | Some("text") => is_json,
            Some("json") => true,
            Some(other) => {
                return Err(format!("{FORMAT}: `{other}` is no form of the log; write `text` or `json`"));
            }
        };
        Ok(Self { filter: filter(log.unwrap_or(DEFAULT))?, is_json })
    }
}

fn value(name: &str) -> Result<Option<String>, String> {
    match std::env::var(name) {
        Ok(value) => Ok(Some(value)),
        Err(VarError::NotPresent) => Ok(None),
        Err(VarError::NotUnicode(_)) => Err(format!("{name}: the value is not UTF-8")),
    }
}

/// The directives of `value`: a level, and `target=level` for parts of the program. Up to `info`, libraries log warnings
/// and errors only; `debug` and `trace` are for everything.
fn filter(value: &str) -> Result<String, String> {
    let mut own = LevelFilter::INFO;
    let mut others = String::new();
    for item in value.split(',').map(str::trim) {
        let (target, word) = item.split_once('=').unwrap_or(("", item));
        let level = LEVELS.iter().find(|(known, _)| *known == word).map(|(_, level)| *level);
        let is_target = target.chars().all(|c| c.is_ascii_alphanumeric() || matches!(c, '_' | ':'));
        match level {
            Some(level) if !item.contains('=') => own = level,
            Some(level) if is_target && !target.is_empty() => others.push_str(&format!(",{target}={level}")),
            _ => return Err(refused(item)),
        }
    }
    let libraries = if own <= LevelFilter::INFO { own.min(LevelFilter::WARN) } else { own };
    Ok(format!("{libraries},deputy={own}{others}"))
}

fn refused(item: &str) -> String {
    let levels = LEVELS.map(|(word, _)| format!("`{word}`")).join(", ");
    let hint = match item {
        "json" | "text" => format!("; {FORMAT} sets the form of the log"),
        _ => String::new(),
    };
    format!("{LOG}: `{item}` is no level; write one of {levels}, or `target=level` for a part{hint}")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn up_to_info_libraries_log_warnings_only() {
        for (value, filter) in [
            (None, "warn,deputy=info"),
            (Some("info"), "warn,deputy=info"),
            (Some("warn"), "warn,deputy=warn"),
            (Some("deputy=debug"), "warn,deputy=info,deputy=debug"),
            (Some("trace"), "trace,deputy=trace"),
            (Some("error"), "error,deputy=error"),
            (Some("off"), "off,deputy=off"),
            (Some("info, actix_server=info"), "warn,deputy=info,actix_server=info"),
            (Some("deputy::store=trace"), "warn,deputy=info,deputy::store=trace"),
        ] {
            assert_eq!(Settings::of(value, None, false).unwrap().filter, filter, "{value:?}");
            assert!(tracing_subscriber::EnvFilter::try_new(filter).is_ok());
        }
    }

    #[test]
    fn what_is_no_level_and_no_form_is_refused_with_what_can_be_written() {
        for value in ["json", "", "verbose", "deputy=loud", "=info", "[span]=info", "info,,debug"] {
            let refused = Settings::of(Some(value), None, false).unwrap_err();
            assert!(refused.starts_with("DEPUTY_LOG: `") && refused.contains("`trace`"), "{refused}");
            assert_eq!(refused.contains("DEPUTY_LOG_FORMAT"), value == "json", "{refused}");
        }
        let refused = Settings::of(None, Some("xml"), false).unwrap_err();
        assert_eq!(refused, "DEPUTY_LOG_FORMAT: `xml` is no form of the log; write `text` or `json`");
    }

    #[test]
    fn the_log_is_json_where_the_variable_or_the_option_says_so() {
        let is_json = |format, option| Settings::of(None, format, option).unwrap().is_json;
        assert!(is_json(Some("json"), false) && is_json(None, true) && is_json(Some("text"), true));
        assert!(!is_json(None, false) && !is_json(Some("text"), false));
    }
}

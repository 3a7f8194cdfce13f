//! The requests of a caller, recorded from its public sources, and what has to come of each.

use serde::Deserialize;
use serde_json::{Map, Value};

use crate::jose::claims_of;
use crate::process_support::Answer;

const DIRECTORY: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/callers/requests");
const ACCESS_TOKEN: &str = "urn:ietf:params:oauth:token-type:access_token";

/// One file of `tests/callers/requests`.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Recorded {
    pub caller: String,
    /// Where the requests were read: a public repository and its commit, or a package and its version.
    #[expect(dead_code, reason = "for readers of the file")]
    source: String,
    pub requests: Vec<Request>,
}

impl Recorded {
    pub fn names() -> Vec<String> {
        let mut names: Vec<String> = std::fs::read_dir(DIRECTORY)
            .unwrap()
            .filter_map(|file| Some(file.unwrap().file_name().to_str()?.strip_suffix(".json")?.to_owned()))
            .collect();
        names.sort();
        names
    }

    pub fn of(name: &str) -> Self {
        let text = std::fs::read_to_string(format!("{DIRECTORY}/{name}.json")).unwrap();
        serde_json::from_str(&text).unwrap_or_else(|error| panic!("{name}.json: {error}"))
    }
}

/// A request to the token endpoint. In `form` and `headers`, what is between `<` and `>` is filled in.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Request {
    /// What the caller is doing, for the table.
    pub name: String,
    /// The number of the configuration on the caller's page.
    #[serde(default)]
    pub configuration: usize,
    #[serde(default)]
    pub headers: Map<String, Value>,
    pub form: Vec<(String, String)>,
    /// Claims of the user's token that differ from a usual one.
    #[serde(default)]
    pub user_token: Map<String, Value>,
    /// The claims of the platform's token, but for issuer, audience and times; an `aud` replaces the audience.
    #[serde(default)]
    pub platform_token: Map<String, Value>,
    /// Whether the client assertion is addressed to the token endpoint, as older libraries do.
    #[serde(default)]
    pub assertion_for_endpoint: bool,
    expected: Expected,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields, rename_all = "snake_case")]
enum Expected {
    /// A token for this target comes back, with this scope.
    Reaches { target: String, scope: String },
    /// A token about the caller's own agent comes back, for this target and with this scope. No user is behind it.
    AboutItself { target: String, scope: String },
    /// The request is refused with this status and error code, for this cause in the audit, which is right for the
    /// reason given.
    Refused { status: u16, error: String, cause: String, because: String },
}

impl Request {
    /// The outcome as the table says it.
    pub fn outcome(&self) -> String {
        match &self.expected {
            Expected::Reaches { target, scope, .. } => format!("reaches `{target}` with `{scope}`"),
            Expected::AboutItself { target, scope } => {
                format!("reaches `{target}` with `{scope}`, without a user")
            }
            Expected::Refused { error, because, .. } => format!("refused, `{error}`: {because}"),
        }
    }

    /// Checks an answer, also for what callers demand of one: `token_type` is Bearer unless a key was proven, the issued
    /// token type is that of an access token, and the lifetime is a whole number of seconds.
    pub fn came_as_expected(&self, answer: &Answer) {
        let what = format!("{}: {} {}", self.name, answer.status, answer.text);
        match &self.expected {
            Expected::Reaches { target, scope } => {
                assert_eq!(answer.status, 200, "{what}");
                let claims = claims_of(&answer.token());
                let kind = if self.headers.contains_key("dpop") { "DPoP" } else { "Bearer" };
                assert!(answer.json["token_type"].as_str().unwrap().eq_ignore_ascii_case(kind), "{what}");
                assert_eq!(answer.json["issued_token_type"], ACCESS_TOKEN, "{what}");
                assert!(answer.json["expires_in"].as_u64().unwrap() > 0, "{what}");
                assert_eq!(
                    (&claims["aud"], &claims["scope"]),
                    (&Value::from(&**target), &Value::from(&**scope))
                );
                assert_eq!(claims["sub"], "alice", "{claims}");
                assert!(claims["act"]["sub"].as_str().unwrap().starts_with("agent_"), "{claims}");
            }
            Expected::AboutItself { target, scope } => {
                assert_eq!(answer.status, 200, "{what}");
                let claims = claims_of(&answer.token());
                assert_eq!(
                    (&claims["aud"], &claims["scope"]),
                    (&Value::from(&**target), &Value::from(&**scope))
                );
                assert!(claims["sub"].as_str().unwrap().starts_with("agent_"), "{claims}");
                assert_eq!(claims.get("act"), None, "{claims}");
            }
            Expected::Refused { status, error, .. } => {
                let (found_status, found_error, _) = answer.refusal();
                assert_eq!((found_status, found_error), (*status, &**error), "{what}");
            }
        }
    }

    /// The cause that the audit has to have for the refusal, if it has to be refused.
    pub fn cause(&self) -> Option<&str> {
        match &self.expected {
            Expected::Reaches { .. } | Expected::AboutItself { .. } => None,
            Expected::Refused { cause, .. } => Some(cause),
        }
    }
}

//! The arrows between rooms: a later room may read an earlier room's output type, never the reverse.

use std::collections::BTreeMap;
use std::path::Path;

/// What each room may name of the others. Rooms that are not listed stand outside the corridor
/// (`app`, `cli`, `serve`, `admin` and the corridors themselves compose; nothing inside names them).
const MAY_NAME: &[(&str, &[&str])] = &[
    ("time", &[]),
    ("entropy", &["time"]),
    ("protocol", &["time"]),
    ("jose", &["config", "protocol", "time"]),
    ("keys", &["config", "entropy", "jose", "protocol", "time"]),
    ("client", &["config", "jose", "keys", "protocol", "time", "verification"]),
    ("verification", &["config", "jose", "keys", "protocol", "time"]),
    ("delegation", &["config", "protocol", "time", "verification"]),
    ("policy", &["audit", "config", "protocol", "time"]),
    ("issuance", &["config", "delegation", "keys", "protocol", "time"]),
    ("audit", &["protocol", "time"]),
    ("store", &["audit", "client", "config", "delegation", "entropy", "keys", "protocol", "time"]),
    ("doorstep", &["config", "protocol", "time"]),
    ("metrics", &[]),
    ("sandbox", &["app", "config", "entropy", "serve", "time"]),
];

#[test]
fn no_room_reaches_back() {
    let mut wrong = Vec::new();
    let source = Path::new(env!("CARGO_MANIFEST_DIR")).join("src");
    for (room, named) in names(&source) {
        let Some((_, allowed)) = MAY_NAME.iter().find(|(name, _)| *name == room) else { continue };
        for (other, file) in named {
            if other != room && !allowed.contains(&other.as_str()) {
                wrong.push(format!("{room} names {other} in {file}"));
            }
        }
    }
    assert!(wrong.is_empty(), "{wrong:#?}");
}

/// Room → every other room it names by `crate::…`, with the file; tests left out.
fn names(source: &Path) -> BTreeMap<String, Vec<(String, String)>> {
    let mut all: BTreeMap<String, Vec<(String, String)>> = BTreeMap::new();
    let mut open = vec![source.to_owned()];
    while let Some(directory) = open.pop() {
        for entry in std::fs::read_dir(directory).unwrap() {
            let path = entry.unwrap().path();
            let name = path.file_stem().unwrap().to_string_lossy().into_owned();
            if path.is_dir() {
                open.push(path);
            } else if !path.components().any(|part| part.as_os_str() == "tests") && !name.contains("test") {
                let relative = path.strip_prefix(source).unwrap();
                let room = relative.components().next().unwrap().as_os_str().to_string_lossy();
                let room = room.trim_end_matches(".rs").to_owned();
                let text = std::fs::read_to_string(&path).unwrap();
                let code = text.split("#[cfg(test)]").next().unwrap();
                for line in code.lines().filter(|line| !line.trim_start().starts_with("//")) {
                    for rest in line.split("crate::").skip(1) {
                        let other: String =
                            rest.chars().take_while(|c| c.is_alphanumeric() || *c == '_').collect();
                        if !other.is_empty() {
                            all.entry(room.clone())
                                .or_default()
                                .push((other, relative.display().to_string()));
                        }
                    }
                }
            }
        }
    }
    assert!(all.len() > 10, "the source is where this test looks");
    all
}

//! The structure of the source: imports go one way between the modules, files and functions stay short, and comments
//! and pages refer only to what is in the repository. Each check is shown to be able to fail on planted sources.

mod planted;
mod references;
mod rust;

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};

/// The modules from top to bottom. A module may import those after it.
const ORDER: [&str; 25] = [
    "testing",
    "cli",
    "sandbox",
    "doctor",
    "setup",
    "sdk",
    "server",
    "endpoint",
    "app",
    "store",
    "audit",
    "issuance",
    "decision",
    "policy",
    "delegation",
    "client_auth",
    "verification",
    "http",
    "keys",
    "config",
    "registry",
    "jose",
    "oauth",
    "metrics",
    "base",
];

/// What is no module of the library: its root, the program, and the modules that are compiled in tests of them only.
const NO_MODULES: [&str; 4] = ["lib", "main", "planted_dead_code", "planted_proof"];

/// The most lines of a file in `src`, tests included.
const FILE_LINES: usize = 400;
/// The most lines of a function in `src`, tests included.
const FUNCTION_LINES: usize = 80;
/// The tables and generated texts that may be longer, each with the reason: a path, or a path, `::` and a function.
const MAY_BE_LONG: [(&str, &str); 0] = [];

/// Which module imports which, each with the files in which it does.
type Imports = BTreeMap<(String, String), BTreeSet<String>>;

fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

#[test]
fn every_import_goes_down_the_order_of_the_modules() {
    let source = root().join("src");
    let wrong = against_order(&modules(&source), &imports(&source), &ORDER);
    assert!(wrong.is_empty(), "{wrong:#?}");
}

#[test]
fn no_circle_of_modules_import_each_other() {
    assert_eq!(circle(&imports(&root().join("src"))), None);
}

#[test]
fn no_file_and_no_function_is_too_long() {
    let wrong = too_long(&root().join("src"), &MAY_BE_LONG);
    assert!(wrong.is_empty(), "{wrong:#?}");
}

#[test]
fn comments_and_pages_refer_only_to_what_is_in_the_repository() {
    let wrong = references::Repository::read(root()).absent();
    assert!(wrong.is_empty(), "{wrong:#?}");
}

/// The files below `directory` with this extension.
fn files(directory: &Path, extension: &str) -> Vec<PathBuf> {
    let mut found = Vec::new();
    let mut open = vec![directory.to_owned()];
    while let Some(directory) = open.pop() {
        for entry in std::fs::read_dir(directory).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() {
                open.push(path);
            } else if path.extension().is_some_and(|found| found == extension) {
                found.push(path);
            }
        }
    }
    found.sort();
    assert!(!found.is_empty(), "the files are where this test looks");
    found
}

/// The top-level module to which a file of `source` belongs.
fn module_of(source: &Path, file: &Path) -> String {
    let relative = file.strip_prefix(source).unwrap();
    let first = Path::new(relative.components().next().unwrap().as_os_str());
    first.file_stem().unwrap().to_str().unwrap().to_owned()
}

/// Every top-level module of `source`.
fn modules(source: &Path) -> BTreeSet<String> {
    let all = files(source, "rs").into_iter().map(|file| module_of(source, &file));
    all.filter(|module| !NO_MODULES.contains(&module.as_str())).collect()
}

/// The imports between the top-level modules of `source`, tests left out.
fn imports(source: &Path) -> Imports {
    let codes: Vec<(PathBuf, String)> = files(source, "rs")
        .into_iter()
        .map(|file| {
            let code = rust::code_of(&std::fs::read_to_string(&file).unwrap());
            (file, code)
        })
        .collect();
    // A module that is declared under `#[cfg(test)]` is left out with all its files.
    let tests: Vec<PathBuf> = codes
        .iter()
        .flat_map(|(file, code)| {
            let is_root = matches!(file.file_stem().unwrap().to_str(), Some("lib" | "main"));
            let below = if is_root { source.to_owned() } else { file.with_extension("") };
            rust::test_modules(code).into_iter().map(move |name| below.join(name))
        })
        .collect();
    let mut all = Imports::new();
    for (file, code) in &codes {
        let module = module_of(source, file);
        let is_test = tests.iter().any(|test| file.with_extension("").starts_with(test));
        if is_test || NO_MODULES.contains(&module.as_str()) {
            continue;
        }
        for other in rust::crate_paths(&rust::without_tests(code)) {
            if other != module {
                let file = file.strip_prefix(source).unwrap().display().to_string();
                all.entry((module.clone(), other)).or_default().insert(file);
            }
        }
    }
    all
}

/// The imports that do not go down `order`, and the modules that `order` does not name or that are not there.
fn against_order(modules: &BTreeSet<String>, imports: &Imports, order: &[&str]) -> Vec<String> {
    let place = |module: &str| order.iter().position(|name| *name == module);
    let unplaced = modules.iter().filter(|module| place(module).is_none());
    let absent = order.iter().filter(|name| !modules.contains(**name));
    let mut wrong: Vec<String> =
        unplaced.map(|module| format!("{module} has no place in the order")).collect();
    wrong.extend(absent.map(|name| format!("{name} is in the order but not in the source")));
    for ((module, other), files) in imports {
        match (place(module), place(other)) {
            (Some(upper), Some(lower)) if upper < lower => {}
            (_, None) => wrong.push(format!("{module} imports {other}, which has no place, in {files:?}")),
            _ => wrong.push(format!("{module} imports {other} in {files:?}")),
        }
    }
    wrong
}

/// A circle of modules that import each other, if there is one: a module, and so on to the same module again.
fn circle(imports: &Imports) -> Option<Vec<String>> {
    fn visit(imports: &Imports, path: &mut Vec<String>, done: &mut BTreeSet<String>) -> Option<Vec<String>> {
        let module = path.last()?.clone();
        for (_, other) in imports.keys().filter(|(from, _)| *from == module) {
            if let Some(begin) = path.iter().position(|earlier| earlier == other) {
                return Some(path[begin..].iter().chain([other]).cloned().collect());
            }
            if !done.contains(other) {
                path.push(other.clone());
                if let Some(found) = visit(imports, path, done) {
                    return Some(found);
                }
                path.pop();
            }
        }
        done.insert(module);
        None
    }
    let mut done = BTreeSet::new();
    imports.keys().find_map(|(module, _)| visit(imports, &mut vec![module.clone()], &mut done))
}

/// The files and functions of `source` that are too long and not among those that may be, and those that may be
/// but are not.
fn too_long(source: &Path, may_be: &[(&str, &str)]) -> Vec<String> {
    let mut long: BTreeMap<String, usize> = BTreeMap::new();
    for file in files(source, "rs") {
        let text = std::fs::read_to_string(&file).unwrap();
        let name = file.strip_prefix(source).unwrap().display().to_string();
        if text.lines().count() > FILE_LINES {
            long.insert(name.clone(), text.lines().count());
        }
        for (function, lines) in rust::functions(&rust::code_of(&text)) {
            if lines > FUNCTION_LINES {
                long.insert(format!("{name}::{function}"), lines);
            }
        }
    }
    let idle = may_be.iter().filter(|(name, _)| !long.contains_key(*name));
    let mut wrong: Vec<String> =
        idle.map(|(name, _)| format!("{name} may be long but is not: take it off the list")).collect();
    long.retain(|name, _| !may_be.iter().any(|(allowed, _)| allowed == name));
    wrong.extend(long.iter().map(|(name, lines)| format!("{name} has {lines} lines")));
    wrong
}

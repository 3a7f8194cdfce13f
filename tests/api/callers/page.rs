//! A page of `docs/callers` and the configurations of Deputy on it: the fenced blocks that begin with `# deputy.toml`.

use std::path::{Path, PathBuf};

use crate::definition::write;
use crate::jose::Key;

const FENCE: &str = "```toml\n# deputy.toml";

/// Where the pages are.
pub fn directory() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("docs/callers")
}

pub struct Page {
    name: String,
    text: String,
}

impl Page {
    /// The names of all pages, without the table.
    pub fn names() -> Vec<String> {
        let mut names: Vec<String> = std::fs::read_dir(directory())
            .unwrap()
            .filter_map(|file| Some(file.unwrap().file_name().to_str()?.strip_suffix(".md")?.to_owned()))
            .filter(|name| name != "README")
            .collect();
        names.sort();
        names
    }

    pub fn of(name: &str) -> Self {
        let text = std::fs::read_to_string(directory().join(format!("{name}.md"))).unwrap();
        Self { name: name.to_owned(), text }
    }

    /// Every configuration on the page.
    pub fn configurations(&self) -> Vec<Configuration> {
        let blocks = self.text.split(FENCE).skip(1);
        let found: Vec<_> = blocks
            .map(|block| Configuration { text: block.split("\n```").next().unwrap().to_owned() })
            .collect();
        assert!(!found.is_empty(), "docs/callers/{}.md has no configuration", self.name);
        found
    }

    /// The configuration with this number, counted from 0.
    pub fn configuration(&self, number: usize) -> Configuration {
        self.configurations().swap_remove(number)
    }
}

/// A whole `deputy.toml`, as an operator would copy it.
pub struct Configuration {
    pub text: String,
}

impl Configuration {
    /// What it says, by member.
    pub fn value(&self) -> toml::Table {
        self.text.parse().unwrap_or_else(|error| panic!("{error}\n{}", self.text))
    }

    /// The entries of an array of tables.
    pub fn entries(&self, section: &str) -> Vec<toml::Table> {
        let value = self.value();
        let entries = value.get(section).and_then(toml::Value::as_array).cloned().unwrap_or_default();
        entries.into_iter().filter_map(|entry| entry.try_into().ok()).collect()
    }

    /// The files that it names, by the member that names them.
    pub fn files(&self, member: &str) -> Vec<String> {
        let sections = ["identity_provider", "workload_issuer", "client"];
        let entries = sections.iter().flat_map(|section| self.entries(section));
        entries.filter_map(|entry| Some(entry.get(member)?.as_str()?.to_owned())).collect()
    }

    /// The text for a directory in which every file that it names has been written, with keys that nobody uses.
    pub fn on_disk(&self, directory: &Path) -> String {
        let key = Key::new("some-key");
        for file in self.files("jwks_file") {
            write(directory, &file, key.jwks().to_string());
        }
        for file in self.files("secret_file") {
            write(directory, &file, "a-secret-of-a-page-0123456789abcdef");
        }
        for file in self.files("bundle_file") {
            write(directory, &file, key.jwks().to_string());
        }
        let value = self.value();
        if value.contains_key("tls") {
            crate::definition::certify(directory);
        }
        let tls = "tls/deputy.crt\"\nkey_file         = \"tls/deputy.key";
        self.text.replace(tls, "tls/certificate.pem\"\nkey_file         = \"tls/key.pem")
    }
}

//! A second PostgreSQL server, which takes the place of the first.

use std::io::{BufRead as _, BufReader};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};

/// A server of one test. It ends when this is dropped.
pub struct SecondServer {
    script: Child,
    url: String,
}

const SCRIPT: &str = ". tests/support/postgres.sh && postgres_start && echo \"$DEPUTY_TEST_POSTGRES_URL\" && read; postgres_stop";

fn program(name: &str) -> PathBuf {
    let directory = std::env::var_os("DEPUTY_TEST_PG_BIN").unwrap_or_default();
    Path::new(&directory).join(name)
}

impl SecondServer {
    /// Starts it; `None` where the programs of the server are not known, which is said on standard error.
    pub fn start() -> Option<Self> {
        if std::env::var_os("DEPUTY_TEST_PG_BIN").is_none() {
            eprintln!("not run: DEPUTY_TEST_PG_BIN is not set (./test sets it)");
            return None;
        }
        let mut script = Command::new("bash")
            .args(["-c", SCRIPT])
            .current_dir(env!("CARGO_MANIFEST_DIR"))
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .expect("bash can be run");
        let mut url = String::new();
        let output = script.stdout.take().expect("standard output");
        BufReader::new(output).read_line(&mut url).expect("the URL of the server");
        assert!(url.starts_with("postgres://"), "the second server did not start: {url}");
        Some(Self { script, url: url.trim_end().to_owned() })
    }

    /// Copies the database of this URL, which keeps its name: the URL of the copy.
    pub fn copy(&self, database: &str, within: &Path) -> String {
        let (mut copy, original): (url::Url, url::Url) =
            (self.url.parse().expect("a URL"), database.parse().expect("a URL"));
        // The test server's user has one password, of the first server's making.
        let name = original.path().trim_start_matches('/').to_owned();
        let password = original.password().expect("a password");
        let dump = within.join("moved.sql");
        run(Command::new(program("pg_dump")).arg("--file").arg(&dump).arg("--dbname").arg(database));
        let sql = |url: &url::Url, arguments: &[&str]| {
            let mut command = Command::new(program("psql"));
            command.args(["--no-psqlrc", "--quiet", "--set=ON_ERROR_STOP=1", "--dbname"]);
            run(command.arg(url.as_str()).args(arguments).stdout(Stdio::null()));
        };
        sql(&copy, &["-c", &format!("CREATE DATABASE {name}")]);
        sql(&copy, &["-c", &format!("ALTER USER deputy PASSWORD '{password}'")]);
        copy.set_password(Some(password)).expect("a URL with a host");
        copy.set_path(&name);
        sql(&copy, &["-f", dump.to_str().expect("a path in UTF-8")]);
        std::fs::remove_file(dump).expect("the dump");
        copy.into()
    }
}

fn run(command: &mut Command) {
    let status = command.status().expect("a program of PostgreSQL can be run");
    assert!(status.success(), "{command:?}: {status}");
}

impl Drop for SecondServer {
    fn drop(&mut self) {
        // The script waits for the end of its input.
        drop(self.script.stdin.take());
        let _ = self.script.wait();
    }
}

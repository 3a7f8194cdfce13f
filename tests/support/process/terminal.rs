//! A pseudo-terminal with a program in it, and an operator before it.

use std::fs::File;
use std::io::{Read as _, Write as _};
use std::os::fd::OwnedFd;
use std::process::Stdio;
use std::sync::{Arc, Mutex};
use std::thread::JoinHandle;
use std::time::Duration;

use rustix::pty::{OpenptFlags, grantpt, openpt, ptsname, unlockpt};
use tokio::process::{Child, Command};
use tokio::time::{Instant, sleep, timeout};

const PATIENCE: Duration = Duration::from_secs(60);
/// What a terminal sends for the end of the input.
const CONTROL_D: &str = "\u{4}";

/// A program whose input, output and errors are a terminal.
pub struct Terminal {
    child: Child,
    keyboard: File,
    shown: Arc<Mutex<String>>,
    screen: JoinHandle<()>,
}

impl Terminal {
    /// Runs a program in a terminal of its own.
    pub fn run(mut command: Command) -> Self {
        let controller = openpt(OpenptFlags::RDWR | OpenptFlags::NOCTTY).expect("a pseudo-terminal");
        grantpt(&controller).expect("a pseudo-terminal");
        unlockpt(&controller).expect("a pseudo-terminal");
        let name = ptsname(&controller, Vec::new()).expect("a name").into_string().expect("UTF-8");
        let side = || Stdio::from(OwnedFd::from(File::options().read(true).write(true).open(&name).unwrap()));
        let child = command.stdin(side()).stdout(side()).stderr(side()).spawn().expect("a process");
        // It holds the program's side too, and the screen goes on until nobody holds that.
        drop(command);
        let keyboard = File::from(controller);
        let shown = Arc::<Mutex<String>>::default();
        let (mut screen, lines) = (keyboard.try_clone().expect("a screen"), Arc::clone(&shown));
        let screen = std::thread::spawn(move || {
            let mut bytes = [0; 4096];
            while let Ok(read @ 1..) = screen.read(&mut bytes) {
                let text = String::from_utf8_lossy(&bytes[..read]).replace('\r', "");
                lines.lock().expect("the screen").push_str(&text);
            }
        });
        Self { child, keyboard, shown, screen }
    }

    /// What is on the screen.
    pub fn shown(&self) -> String {
        self.shown.lock().expect("the screen").clone()
    }

    /// Waits until the program has shown this.
    pub async fn until(&self, text: &str) {
        let end = Instant::now() + PATIENCE;
        while !self.shown().contains(text) {
            assert!(Instant::now() < end, "`{text}` is not shown:\n{}", self.shown());
            sleep(Duration::from_millis(10)).await;
        }
    }

    /// Types a line and Enter.
    pub fn enter(&mut self, line: &str) {
        self.keyboard.write_all(format!("{line}\n").as_bytes()).expect("a terminal");
    }

    /// Ends the input.
    pub fn end_input(&mut self) {
        self.keyboard.write_all(CONTROL_D.as_bytes()).expect("a terminal");
    }

    /// Waits until the program has ended and all that it showed is there: its exit code.
    pub async fn ended(&mut self) -> i32 {
        let status = timeout(PATIENCE, self.child.wait()).await;
        let status = status.unwrap_or_else(|_| panic!("it goes on:\n{}", self.shown())).expect("a process");
        // The screen ends when nobody holds the program's side any more.
        let end = Instant::now() + PATIENCE;
        while !self.screen.is_finished() {
            assert!(Instant::now() < end, "something holds the terminal:\n{}", self.shown());
            sleep(Duration::from_millis(10)).await;
        }
        status.code().expect("a code")
    }
}

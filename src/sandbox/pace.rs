//! The pace at which steps are told: all at once, or each when the viewer asks for it.

use std::io::{BufRead as _, Read as _};

use tokio::sync::mpsc;

/// A line of the viewer's is read up to so many bytes.
const MAX_LINE: u64 = 1024;
/// What a viewer types to see the rest without a stop.
const ALL: &str = "a";

/// When the next step is told.
#[derive(Debug)]
pub enum Pace {
    /// At once.
    Through,
    /// When the viewer presses Enter.
    OnEnter(mpsc::Receiver<String>),
}

impl Pace {
    /// Waits for a line on standard input before each step.
    ///
    /// A thread of its own reads the lines: a task of the runtime that waits for input could not be ended.
    pub fn on_enter() -> Self {
        let (sender, receiver) = mpsc::channel(1);
        std::thread::spawn(move || {
            let mut stdin = std::io::stdin().lock();
            loop {
                let mut line = String::new();
                match stdin.by_ref().take(MAX_LINE).read_line(&mut line) {
                    Ok(read) if read > 0 && sender.blocking_send(line).is_ok() => {}
                    _ => return,
                }
            }
        });
        Self::OnEnter(receiver)
    }

    /// Whether the viewer is waited for.
    pub const fn waits(&self) -> bool {
        matches!(self, Self::OnEnter(_))
    }

    /// Waits until the viewer asks for the next step. Where the input has ended, nobody is waited for any more.
    pub async fn next(&mut self) {
        if let Self::OnEnter(lines) = self {
            match lines.recv().await {
                Some(line) if line.trim() != ALL => {}
                _ => *self = Self::Through,
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A pace with these lines typed already.
    async fn typed(lines: &[&str]) -> Pace {
        let (sender, receiver) = mpsc::channel(lines.len().max(1));
        for line in lines {
            sender.send((*line).to_owned()).await.unwrap();
        }
        Pace::OnEnter(receiver)
    }

    #[tokio::test]
    async fn each_enter_asks_for_one_step_and_the_end_of_the_input_for_all() {
        let mut pace = typed(&["\n", "\n"]).await;
        for _ in 0..2 {
            pace.next().await;
            assert!(pace.waits());
        }
        pace.next().await;
        assert!(!pace.waits());
    }

    #[tokio::test]
    async fn a_viewer_may_ask_for_all_the_rest() {
        let mut pace = typed(&["a\n", "\n"]).await;
        pace.next().await;
        assert!(!pace.waits());
    }
}

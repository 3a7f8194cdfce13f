//! The log of the server, on standard error. Nothing waits for it and nothing fails with it: a thread of its own
//! writes the lines, and a line that cannot be written, or that comes while too many wait, is lost.
//!
//! Of the warnings, errors and refusals of one cause one a second is written; the last of those held back follows with
//! their count, so that a fault that each request meets does not fill a disk.

use std::collections::HashMap;
use std::fmt::{self, Debug, Write as _};
use std::io::{self, IsTerminal as _};
use std::sync::mpsc::{Receiver, RecvTimeoutError, Sender, SyncSender, channel, sync_channel};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use tracing::field::{Field, Visit};
use tracing::{Event, Level, Subscriber};
use tracing_subscriber::EnvFilter;
use tracing_subscriber::fmt::format::{Format, Writer};
use tracing_subscriber::fmt::{FmtContext, FormatEvent, FormatFields, MakeWriter};
use tracing_subscriber::registry::LookupSpan;

/// Lines that may wait to be written.
const LINES: usize = 4096;
/// One line of a cause is written in this time.
const PERIOD: Duration = Duration::from_secs(1);
/// Causes that are told apart; more are counted by their message alone.
const CAUSES: usize = 256;
/// How long a process that ends waits for its last lines.
const PATIENCE: Duration = Duration::from_secs(1);

enum Message {
    Line(Vec<u8>),
    Flush(Sender<()>),
}

/// The log; clones are the same.
#[derive(Clone)]
pub(super) struct Log(SyncSender<Message>);

impl Log {
    /// Sends everything that is logged, and every panic, to standard error.
    ///
    /// # Errors
    /// In words: there is a log already, or its thread cannot be started.
    pub(super) fn start(filter: EnvFilter, is_json: bool) -> Result<Self, String> {
        let (log, counted) = Self::to(io::stderr())?;
        let builder = tracing_subscriber::fmt()
            .with_env_filter(filter)
            .with_writer(log.clone())
            .with_ansi(io::stderr().is_terminal())
            .log_internal_errors(false);
        let set = if is_json {
            builder.json().map_event_format(|inner| Counting { inner, is_json, counted }).try_init()
        } else {
            builder.event_format(Counting { inner: Format::default(), is_json, counted }).try_init()
        };
        set.map_err(|error| error.to_string())?;
        // The hook of the standard library would wait for a pipe that nobody reads.
        std::panic::set_hook(Box::new(|panic| {
            let thread = std::thread::current();
            tracing::error!(thread = thread.name().unwrap_or_default(), "{panic}");
        }));
        Ok(log)
    }

    fn to(output: impl io::Write + Send + 'static) -> Result<(Self, Arc<Counted>), String> {
        let (lines, waiting) = sync_channel(LINES);
        let counted = Arc::new(Counted::default());
        let held = Arc::clone(&counted);
        std::thread::Builder::new()
            .name("deputy-log".to_owned())
            .spawn(move || write(output, &waiting, &held))
            .map_err(|error| error.to_string())?;
        Ok((Self(lines), counted))
    }

    /// Waits until what was logged so far is written, but not for long.
    pub(super) fn flush(&self) {
        let (written, is_written) = channel();
        // A full queue means that nobody reads the log.
        if self.0.try_send(Message::Flush(written)).is_ok() {
            let _ = is_written.recv_timeout(PATIENCE);
        }
    }
}

/// Writes lines until the log is gone. What cannot be written is lost.
fn write(mut output: impl io::Write, waiting: &Receiver<Message>, counted: &Counted) {
    let mut next = Instant::now() + PERIOD;
    loop {
        match waiting.recv_timeout(next.saturating_duration_since(Instant::now())) {
            Ok(Message::Line(line)) => _ = output.write_all(&line),
            Ok(Message::Flush(written)) => {
                for line in counted.due(None) {
                    let _ = output.write_all(line.as_bytes());
                }
                let _ = written.send(());
            }
            Err(RecvTimeoutError::Timeout) => {}
            Err(RecvTimeoutError::Disconnected) => return,
        }
        let now = Instant::now();
        if now >= next {
            for line in counted.due(Some(now)) {
                let _ = output.write_all(line.as_bytes());
            }
            next = now + PERIOD;
        }
    }
}

impl io::Write for Log {
    fn write(&mut self, line: &[u8]) -> io::Result<usize> {
        // A line that finds the queue full is lost.
        let _ = self.0.try_send(Message::Line(line.to_vec()));
        Ok(line.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

impl<'a> MakeWriter<'a> for Log {
    type Writer = Self;

    fn make_writer(&'a self) -> Self {
        self.clone()
    }
}

/// What was held back of one cause.
struct Held {
    written: Instant,
    count: u64,
    last: String,
    is_json: bool,
}

/// The causes of late.
#[derive(Default)]
struct Counted(Mutex<HashMap<String, Held>>);

impl Counted {
    /// Gives the line back if it is to be written now.
    fn take(&self, cause: String, line: String, is_json: bool, now: Instant) -> Option<String> {
        let mut causes = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(held) = causes.get_mut(&cause) {
            held.count += 1;
            held.last = line;
            return None;
        }
        causes.insert(cause, Held { written: now, count: 0, last: String::new(), is_json });
        Some(line)
    }

    /// The last lines of what was held back for long enough (all, without a time), with their counts.
    fn due(&self, now: Option<Instant>) -> Vec<String> {
        let mut causes = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let mut lines = Vec::new();
        causes.retain(|_, held| {
            if now.is_some_and(|now| now.saturating_duration_since(held.written) < PERIOD) {
                return true;
            }
            if held.count == 0 {
                return false;
            }
            lines.push(with_count(&std::mem::take(&mut held.last), held.count, held.is_json));
            held.count = 0;
            held.written = now.unwrap_or(held.written);
            true
        });
        lines
    }

    fn is_full(&self) -> bool {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).len() >= CAUSES
    }
}

fn with_count(line: &str, count: u64, is_json: bool) -> String {
    let line = line.trim_end();
    match line.strip_suffix('}') {
        Some(open) if is_json => format!("{open},\"count\":{count}}}\n"),
        _ => format!("{line} count={count}\n"),
    }
}

/// Formats as `inner` does, and holds back what is repeated.
struct Counting<F> {
    inner: F,
    is_json: bool,
    counted: Arc<Counted>,
}

impl<S, N, F> FormatEvent<S, N> for Counting<F>
where
    S: Subscriber + for<'a> LookupSpan<'a>,
    N: for<'a> FormatFields<'a> + 'static,
    F: FormatEvent<S, N>,
{
    fn format_event(
        &self,
        context: &FmtContext<'_, S, N>,
        mut writer: Writer<'_>,
        event: &Event<'_>,
    ) -> fmt::Result {
        let Some(fields) = told_apart_by(event) else {
            return self.inner.format_event(context, writer, event);
        };
        let mut line = String::new();
        let inner = Writer::new(&mut line);
        self.inner.format_event(context, inner, event)?;
        let mut cause = Cause::new(event, fields, self.counted.is_full());
        event.record(&mut cause);
        match self.counted.take(cause.text, line, self.is_json, Instant::now()) {
            Some(line) => writer.write_str(&line),
            None => Ok(()),
        }
    }
}

/// The fields that tell the causes of lines like this one apart; `None` for lines that are all written. Refusals of one
/// client are of one cause by endpoint and reason. Warnings and errors are by what they say and whose keys they are about,
/// whichever request or client met them.
fn told_apart_by(event: &Event<'_>) -> Option<&'static [&'static str]> {
    let about = event.metadata();
    if about.fields().field("reason").is_some() {
        return Some(&["message", "client.id", "endpoint", "reason", "cause"]);
    }
    (*about.level() <= Level::WARN).then_some(&["message", "error", "keys.source"])
}

/// What makes two lines of one cause: the place in the source, and some of the fields.
struct Cause {
    text: String,
    fields: &'static [&'static str],
    is_short: bool,
}

impl Cause {
    fn new(event: &Event<'_>, fields: &'static [&'static str], is_short: bool) -> Self {
        let place = event.metadata();
        let line = place.line().unwrap_or_default();
        Self { text: format!("{}:{line}", place.target()), fields, is_short }
    }
}

impl Visit for Cause {
    fn record_debug(&mut self, field: &Field, value: &dyn Debug) {
        if !self.is_short && self.fields.contains(&field.name()) {
            // Writing to a string does not fail.
            let _ = write!(self.text, " {value:?}");
        }
    }
}

#[cfg(test)]
mod tests {
    use std::io::Write as _;

    use super::*;

    #[test]
    fn of_one_cause_one_line_a_second_is_written_and_the_rest_is_counted() {
        let (counted, start) = (Counted::default(), Instant::now());
        let take = |cause: &str, line: &str| counted.take(cause.into(), line.into(), false, start);
        assert_eq!(take("disk", "1\n").as_deref(), Some("1\n"));
        assert_eq!([take("disk", "2\n"), take("disk", "3\n")], [None, None]);
        assert_eq!(take("clock", "4\n").as_deref(), Some("4\n"));
        assert!(counted.due(Some(start)).is_empty());
        assert_eq!(counted.due(Some(start + PERIOD)), ["3 count=2\n"]);
        assert_eq!(take("disk", "5\n"), None, "a line was written just now");
        assert_eq!(counted.due(None), ["5 count=1\n"]);
        assert_eq!(with_count("{\"a\":1}\n", 7, true), "{\"a\":1,\"count\":7}\n");
    }

    #[test]
    fn a_log_that_nobody_reads_or_that_is_closed_keeps_nobody_waiting() {
        struct Stuck;
        impl io::Write for Stuck {
            fn write(&mut self, _: &[u8]) -> io::Result<usize> {
                std::thread::sleep(Duration::from_secs(3600));
                Ok(0)
            }
            fn flush(&mut self) -> io::Result<()> {
                Ok(())
            }
        }
        let (mut log, _) = Log::to(Stuck).unwrap();
        let start = Instant::now();
        for _ in 0..2 * LINES {
            log.write_all(b"a line\n").unwrap();
        }
        Log::flush(&log);
        assert!(start.elapsed() < Duration::from_secs(10));
    }
}

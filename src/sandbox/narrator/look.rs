//! How lines look: the width and the colours that the output has, and frames where there is space for them.

use std::io::IsTerminal as _;

use anstyle::{AnsiColor, Style};

use super::layout::{length, wrap};

/// The width where nobody says what it is: in a pipe, and on a terminal that does not tell.
const USUAL_WIDTH: usize = 80;
/// Lines longer than this are hard to read, however wide the terminal is.
const MOST_WIDTH: usize = 120;
/// The narrowest output that is served. A terminal that is narrower breaks the lines itself.
const LEAST_WIDTH: usize = 40;
/// Frames take four columns, which a narrower terminal needs for the text.
const FRAMES_FROM: usize = 100;

/// What the output can do.
#[derive(Clone, Copy, Debug)]
pub struct Look {
    /// The columns of a line.
    pub width: usize,
    pub has_boxes: bool,
    pub has_colour: bool,
}

/// What a line is, and so how it looks.
#[derive(Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    Title,
    Words,
    Wire,
    Token,
    Rule,
    Denied,
    Audit,
    Good,
    Bad,
}

pub struct Line {
    pub kind: Kind,
    pub text: String,
}

impl Look {
    /// The look of standard output: its width and frames if it is a terminal, and colour where `NO_COLOR` allows it.
    pub fn of_stdout() -> Self {
        let stdout = std::io::stdout();
        let has_colour = anstream::AutoStream::choice(&stdout) != anstream::ColorChoice::Never;
        let columns = stdout.is_terminal().then(|| rustix::termios::tcgetwinsize(&stdout).ok()).flatten();
        Self::of_width(columns.map(|size| usize::from(size.ws_col)), has_colour)
    }

    /// The look of a terminal with so many columns, where it tells them; without, that of a pipe.
    pub fn of_width(columns: Option<usize>, has_colour: bool) -> Self {
        let told = columns.filter(|columns| *columns > 0);
        let width = told.unwrap_or(USUAL_WIDTH).clamp(LEAST_WIDTH, MOST_WIDTH);
        Self { width, has_boxes: told.is_some_and(|columns| columns >= FRAMES_FROM), has_colour }
    }

    /// The columns that text has, frames left out.
    pub const fn inner(self) -> usize {
        if self.has_boxes { self.width - 4 } else { self.width }
    }

    pub fn paint(self, text: &str, kind: Kind) -> String {
        let style = kind.style();
        if self.has_colour { format!("{style}{text}{style:#}") } else { text.to_owned() }
    }

    /// Lines under a title, in a frame where there is space for one.
    pub fn framed(self, title: &str, lines: &[Line]) -> String {
        let mut out = String::new();
        if !self.has_boxes {
            for line in wrap(&format!("== {title}"), self.width) {
                out += &format!("{}\n", self.paint(&line, Kind::Title));
            }
            for line in lines {
                out += &format!("{}\n", self.paint(line.text.trim_end(), line.kind));
            }
            return out;
        }
        let inner = self.inner();
        let row = |text: &str, kind| {
            let padding = " ".repeat(inner.saturating_sub(length(text)));
            format!("│ {}{padding} │\n", self.paint(text, kind))
        };
        let titles = wrap(title, inner - 1);
        for (i, title) in titles.iter().enumerate() {
            out += &match i {
                0 => {
                    let rest = "─".repeat((inner - 1).saturating_sub(length(title)));
                    format!("┌─ {} {rest}┐\n", self.paint(title, Kind::Title))
                }
                _ => row(title, Kind::Title),
            };
        }
        for line in lines {
            out += &row(&line.text, line.kind);
        }
        out + &format!("└{}┘\n", "─".repeat(inner + 2))
    }
}

impl Kind {
    fn style(self) -> Style {
        let colour = |colour: AnsiColor| Style::new().fg_color(Some(colour.into()));
        match self {
            Self::Title => Style::new().bold(),
            Self::Words => Style::new(),
            Self::Wire | Self::Audit => Style::new().dimmed(),
            Self::Token => colour(AnsiColor::Cyan),
            Self::Rule => colour(AnsiColor::Yellow),
            Self::Denied => colour(AnsiColor::Magenta),
            Self::Good => colour(AnsiColor::Green),
            Self::Bad => colour(AnsiColor::Red).bold(),
        }
    }
}

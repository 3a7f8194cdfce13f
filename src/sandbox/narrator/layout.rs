//! Text in lines of a width: where it is broken.

use crate::base::text;

/// The least number of columns that text gets, however narrow the terminal and however deep the indentation.
const LEAST: usize = 12;

/// The indentation of the second and the further lines of a command.
const CONTINUED: &str = "    ";

/// Breaks at spaces, and a word that is longer than a line at its no-break spaces, or else wherever the line ends.
/// A no-break space becomes a space.
pub fn wrap(text: &str, width: usize) -> Vec<String> {
    wrap_indented(text, width, 0, 0)
}

/// As [`wrap`], with the first line indented by `first` columns and the others by `others`.
pub fn wrap_indented(text: &str, width: usize, first: usize, others: usize) -> Vec<String> {
    let indent = first.max(others);
    let least = width.saturating_sub(indent).max(LEAST);
    let words: Vec<String> = text.split(' ').map(|word| broken(word, least)).collect();
    let lines = text::wrap(&words.join(" "), least + indent, first, others);
    lines.into_iter().map(|line| line.replace('\u{a0}', " ")).collect()
}

/// A word that is longer than `width`, as words that are not.
fn broken(word: &str, width: usize) -> String {
    if length(word) <= width {
        return word.to_owned();
    }
    let parts: Vec<String> = word.split('\u{a0}').flat_map(|part| pieces(part, width)).collect();
    parts.join(" ")
}

/// A command in lines that a shell reads as one: broken between its words by a backslash, and within a word that is
/// longer than a line. Such a word must not be in single quotes, where a backslash is an ordinary character.
pub fn command<S: AsRef<str>>(words: &[S], width: usize) -> Vec<String> {
    // The space and the backslash at the end of a line that goes on.
    let width = width.max(LEAST + CONTINUED.len()) - 2;
    let mut lines = Vec::new();
    let mut line = String::new();
    for word in words {
        let word = word.as_ref();
        if !line.is_empty() && length(&line) + 1 + length(word) <= width {
            line = format!("{line} {word}");
            continue;
        }
        let indent = if line.is_empty() { "" } else { CONTINUED };
        if !line.is_empty() {
            lines.push(format!("{} \\", std::mem::take(&mut line)));
        }
        let whole = format!("{indent}{word}");
        for piece in pieces(&whole, width) {
            if !line.is_empty() {
                lines.push(format!("{}\\", std::mem::take(&mut line)));
            }
            line = piece;
        }
    }
    lines.push(line);
    lines
}

/// The first characters of a text that is longer than `to`.
pub fn cut(text: &str, to: usize) -> String {
    if length(text) <= to {
        return text.to_owned();
    }
    let mut kept: String = text.chars().take(to.saturating_sub(1)).collect();
    kept.push('…');
    kept
}

/// The number of columns of a text, in which every character takes one.
pub fn length(text: &str) -> usize {
    text.chars().count()
}

fn pieces(word: &str, width: usize) -> Vec<String> {
    let characters: Vec<char> = word.chars().collect();
    characters.chunks(width).map(|piece| piece.iter().collect()).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn text_is_broken_at_spaces_and_never_wider_than_the_line() {
        let lines = wrap("the assistant asks for a ticket for Friday", 20);
        assert_eq!(lines, ["the assistant asks", "for a ticket for", "Friday"]);
    }

    #[test]
    fn a_string_that_is_kept_together_is_broken_where_it_fills_more_than_a_line() {
        let kept = "\"a\u{a0}b\u{a0}c\"";
        assert_eq!(wrap(kept, 20), ["\"a b c\""]);
        let long = ["word"; 9].join("\u{a0}");
        assert_eq!(wrap(&long, 15), ["word word word", "word word word", "word word word"]);
        assert_eq!(wrap(&"x".repeat(30), 12), ["x".repeat(12), "x".repeat(12), "x".repeat(6)]);
    }

    #[test]
    fn a_shell_reads_the_lines_of_a_command_as_the_words_that_they_were() {
        let long = format!("/{}", "directory/".repeat(12));
        let words = ["printf", "'%s|'", "-d", "scope=tickets:search", "\"two  spaces\"", &long];
        let broken = command(&words, 40);
        assert!(broken.iter().all(|line| length(line) <= 40), "{broken:#?}");
        let said = |text: &str| {
            let run = std::process::Command::new("sh").args(["-c", text]).output().unwrap();
            String::from_utf8(run.stdout).unwrap()
        };
        assert_eq!(said(&broken.join("\n")), said(&words.join(" ")));
    }
}

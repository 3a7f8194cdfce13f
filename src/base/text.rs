//! Text that operators read.

use std::io;

/// Whether a character shows in a line of text. Control characters steer a terminal, and format characters change the
/// order of what is shown (bidirectional embeddings, overrides and isolates), or hide something in it (tags, joiners):
/// the categories Cc, Cf, Zl and Zp of Unicode, and everything that it lets a renderer ignore
/// (`Default_Ignorable_Code_Point`).
pub const fn is_shown(c: char) -> bool {
    !matches!(c,
        '\0'..='\u{1f}' | '\u{7f}'..='\u{9f}' | '\u{ad}' | '\u{34f}' | '\u{600}'..='\u{605}' | '\u{61c}'
        | '\u{6dd}' | '\u{70f}' | '\u{890}'..='\u{891}' | '\u{8e2}' | '\u{115f}'..='\u{1160}'
        | '\u{17b4}'..='\u{17b5}' | '\u{180b}'..='\u{180f}' | '\u{200b}'..='\u{200f}' | '\u{2028}'..='\u{202e}'
        | '\u{2060}'..='\u{206f}' | '\u{3164}' | '\u{fe00}'..='\u{fe0f}' | '\u{feff}' | '\u{ffa0}'
        | '\u{fff0}'..='\u{fffb}' | '\u{110bd}' | '\u{110cd}' | '\u{13430}'..='\u{1343f}'
        | '\u{1bca0}'..='\u{1bca3}' | '\u{1d173}'..='\u{1d17a}' | '\u{e0000}'..='\u{e0fff}')
}

/// The lines of a text that is broken at spaces, so that none has more than `width` characters: the first one indented by
/// `first` columns, the others by `rest`. A word that is longer stays whole. Spaces where a line begins are left out.
pub fn wrap(text: &str, width: usize, first: usize, rest: usize) -> Vec<String> {
    let mut lines = Vec::new();
    let mut line = " ".repeat(first);
    let mut is_empty = true;
    for word in text.split(' ') {
        if !is_empty && line.chars().count() + 1 + word.chars().count() > width {
            lines.push(std::mem::replace(&mut line, " ".repeat(rest)));
            is_empty = true;
        }
        if !is_empty {
            line.push(' ');
        }
        line.push_str(word);
        is_empty &= word.is_empty();
    }
    lines.push(line);
    lines
}

/// Why a file cannot be read, in words, without its name.
pub fn why_unread(error: &io::Error) -> String {
    match error.kind() {
        io::ErrorKind::NotFound => "there is no such file".to_owned(),
        io::ErrorKind::PermissionDenied => "this user may not read it".to_owned(),
        io::ErrorKind::InvalidData => "it is not UTF-8".to_owned(),
        other => other.to_string(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_changes_or_hides_text_is_not_shown() {
        let hidden = "\0\n\u{1b}\u{85}\u{ad}\u{200b}\u{200d}\u{200e}\u{202a}\u{202e}\u{2028}\u{2060}\u{2066}\u{2067}\
                      \u{2068}\u{2069}\u{206a}\u{fe0f}\u{feff}\u{fff9}\u{e0001}\u{e0041}\u{e007f}\u{e0100}";
        assert_eq!(hidden.chars().find(|c| is_shown(*c)), None);
        let shown = "Zwei Plätze, é 日本語 العربية עברית €–„“ ✈ 🎫 1;2/3";
        assert_eq!(shown.chars().find(|c| !is_shown(*c)), None);
    }

    #[test]
    fn a_text_is_broken_at_spaces_and_a_long_word_stays_whole() {
        assert_eq!(wrap("one two three", 9, 1, 3), [" one two", "   three"]);
        assert_eq!(wrap("a https://long.example b", 8, 0, 2), ["a", "  https://long.example", "  b"]);
        assert_eq!(wrap("", 8, 2, 2), ["  "]);
        assert_eq!(wrap("  one  two  ten", 8, 0, 2), ["one  two", "  ten"]);
    }
}

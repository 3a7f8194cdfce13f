//! As much of Rust's syntax as the tests of the structure need.

/// `text` with comments and the contents of string and character literals taken out. Line breaks stay.
pub fn code_of(text: &str) -> String {
    let mut code = String::with_capacity(text.len());
    parts(text, |part, is_code| {
        if is_code {
            code.push_str(part);
        } else {
            code.extend(part.chars().filter(|c| *c == '\n'));
        }
    });
    code
}

/// The comments of `text`, one after the other, without the code between them.
pub fn comments_of(text: &str) -> String {
    let mut comments = String::new();
    parts(text, |part, _| {
        if part.starts_with("//") || part.starts_with("/*") {
            comments.push_str(part);
            comments.push('\n');
        }
    });
    comments
}

/// Gives `take` each character of code, and each comment and each literal as a whole, with whether it is code.
fn parts<'a>(text: &'a str, mut take: impl FnMut(&'a str, bool)) {
    let mut rest = text;
    let mut is_in_word = false;
    while let Some(next) = rest.chars().next() {
        let skipped = if rest.starts_with("//") {
            Some(rest.find('\n').unwrap_or(rest.len()))
        } else if rest.starts_with("/*") {
            Some(block_comment(rest))
        } else if next == '"' {
            Some(string(rest))
        } else if let Some(length) = raw_string(rest).filter(|_| !is_in_word) {
            Some(length)
        } else {
            character(rest)
        };
        let (part, following) = rest.split_at(skipped.unwrap_or(next.len_utf8()));
        take(part, skipped.is_none());
        if skipped.is_none() {
            is_in_word = next.is_alphanumeric() || next == '_';
        }
        rest = following;
    }
}

fn block_comment(text: &str) -> usize {
    let mut depth = 0;
    let mut at = 0;
    while at < text.len() {
        if text[at..].starts_with("/*") {
            depth += 1;
            at += 2;
        } else if text[at..].starts_with("*/") {
            depth -= 1;
            at += 2;
            if depth == 0 {
                return at;
            }
        } else {
            at += text[at..].chars().next().map_or(1, char::len_utf8);
        }
    }
    at
}

fn string(text: &str) -> usize {
    let mut is_escaped = false;
    for (at, c) in text.char_indices().skip(1) {
        match c {
            _ if is_escaped => is_escaped = false,
            '\\' => is_escaped = true,
            '"' => return at + 1,
            _ => {}
        }
    }
    text.len()
}

fn raw_string(text: &str) -> Option<usize> {
    let prefix = ["r", "br", "cr"].into_iter().find(|prefix| text.starts_with(prefix))?;
    let hashes = text[prefix.len()..].bytes().take_while(|b| *b == b'#').count();
    let begin = prefix.len() + hashes;
    text[begin..].strip_prefix('"')?;
    let end = format!("\"{}", "#".repeat(hashes));
    Some(text[begin + 1..].find(&end).map_or(text.len(), |at| begin + 1 + at + end.len()))
}

/// The length of a character literal. A lifetime is none.
fn character(text: &str) -> Option<usize> {
    let inner = text.strip_prefix('\'')?;
    let first = inner.chars().next()?;
    if first == '\\' {
        let escaped = 1 + inner[1..].chars().next()?.len_utf8();
        return inner[escaped..].find('\'').map(|at| 1 + escaped + at + 1);
    }
    inner[first.len_utf8()..].starts_with('\'').then(|| first.len_utf8() + 2)
}

const CFG_TEST: &str = "#[cfg(test)]";

/// The names of the modules that are declared under `#[cfg(test)]` in files of their own.
pub fn test_modules(code: &str) -> Vec<String> {
    code.split(CFG_TEST)
        .skip(1)
        .filter_map(|rest| {
            let item = rest[..item_length(rest)].strip_suffix(';')?;
            let (_, name) = item.rsplit_once("mod ")?;
            Some(name.trim().to_owned())
        })
        .collect()
}

/// `code` without the items under `#[cfg(test)]`.
pub fn without_tests(code: &str) -> String {
    let mut parts = code.split(CFG_TEST);
    let first = parts.next().unwrap_or_default().to_owned();
    parts.fold(first, |kept, rest| kept + &rest[item_length(rest)..])
}

/// How far the item at the beginning of `code` goes: to its `;`, or to the end of its braces.
fn item_length(code: &str) -> usize {
    let mut depth = 0;
    for (at, c) in code.char_indices() {
        match c {
            '(' | '[' | '{' => depth += 1,
            ')' | ']' | '}' => depth -= 1,
            _ => {}
        }
        if depth == 0 && matches!(c, ';' | '}') {
            return at + 1;
        }
    }
    code.len()
}

/// The first segment of every path that begins with `crate::`, each of a group in braces included.
pub fn crate_paths(code: &str) -> Vec<String> {
    let word = |text: &str| -> String {
        text.trim_start().chars().take_while(|c| c.is_alphanumeric() || *c == '_').collect()
    };
    let paths = code.split("crate::").skip(1).flat_map(|rest| match rest.strip_prefix('{') {
        None => vec![word(rest)],
        Some(group) => group_members(group).into_iter().map(word).collect(),
    });
    paths.filter(|name| !name.is_empty()).collect()
}

/// The members of a group, from behind its opening brace.
fn group_members(group: &str) -> Vec<&str> {
    let mut members = Vec::new();
    let (mut depth, mut begin) = (0, 0);
    for (at, c) in group.char_indices() {
        match c {
            '{' => depth += 1,
            '}' if depth == 0 => {
                members.push(&group[begin..at]);
                break;
            }
            '}' => depth -= 1,
            ',' if depth == 0 => {
                members.push(&group[begin..at]);
                begin = at + 1;
            }
            _ => {}
        }
    }
    members
}

/// Every function that has a body, with its lines from `fn` to the closing brace.
pub fn functions(code: &str) -> Vec<(String, usize)> {
    let mut found = Vec::new();
    for (at, _) in code.match_indices("fn ") {
        let is_word = !code[..at].ends_with(|c: char| c.is_alphanumeric() || c == '_');
        let name: String =
            code[at + 3..].chars().take_while(|c| c.is_alphanumeric() || *c == '_' || *c == '$').collect();
        let item = &code[at..at + item_length(&code[at..])];
        if is_word && !name.is_empty() && item.ends_with('}') {
            found.push((name, item.lines().count()));
        }
    }
    found
}

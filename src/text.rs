//! Makes text from files, archives and nodes safe for a terminal.
//!
//! Such text can hold escape sequences that act on the terminal, line breaks that forge lines, and characters that
//! reorder or hide others. They are printed as escapes: `\n`, `\u{1b}`, `\u{202e}`.

use std::{
    borrow::Cow,
    fmt::{self, Write as _},
};

/// Start of an escape sequence.
const ESCAPE: char = '\u{1b}';

/// Characters that are invisible, or that change the order of others.
const HIDING: [(char, char); 11] = [
    ('\u{ad}', '\u{ad}'),
    ('\u{61c}', '\u{61c}'),
    ('\u{115f}', '\u{1160}'),
    ('\u{180e}', '\u{180e}'),
    ('\u{200b}', '\u{200f}'),
    ('\u{2028}', '\u{202e}'),
    ('\u{2060}', '\u{206f}'),
    ('\u{3164}', '\u{3164}'),
    ('\u{feff}', '\u{feff}'),
    ('\u{fff9}', '\u{fffb}'),
    ('\u{e0000}', '\u{e007f}'),
];

/// Text on one line. Line breaks and all characters that act on a terminal are escaped.
#[derive(Clone, Copy, Debug)]
pub struct OneLine<'a>(&'a str);

/// The text on one line.
pub const fn one_line(text: &str) -> OneLine<'_> {
    OneLine(text)
}

impl fmt::Display for OneLine<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if !self.0.chars().any(acts) {
            return f.pad(self.0);
        }
        self.0.chars().try_for_each(|char| match acts(char) {
            true => write!(f, "{}", escaped(char)),
            false => f.write_char(char),
        })
    }
}

/// The text, without its middle if it has more than `most` bytes. A parser may quote a whole file in its error.
pub fn shortened(text: &str, most: usize) -> Cow<'_, str> {
    if text.len() <= most {
        return text.into();
    }
    let head = text.floor_char_boundary(most / 2);
    let tail = text.ceil_char_boundary(text.len() - most / 2);
    format!("{} [{} bytes left out] {}", &text[..head], tail - head, &text[tail..]).into()
}

/// The text as one word of a POSIX shell.
pub fn shell_word(text: &str) -> String {
    let is_plain = |byte: u8| byte.is_ascii_alphanumeric() || b"/._-+:,=@%".contains(&byte);
    match !text.is_empty() && text.bytes().all(is_plain) {
        true => text.to_owned(),
        false => format!("'{}'", text.replace('\'', r"'\''")),
    }
}

/// Text of any number of lines, which may hold colours. Only line breaks, tabs, and the sequences for colours and
/// weight (`ESC [ … m`) act on the terminal.
#[derive(Clone, Copy, Debug)]
pub struct Lines<'a>(&'a str);

/// The text on its lines.
pub const fn lines(text: &str) -> Lines<'_> {
    Lines(text)
}

impl fmt::Display for Lines<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut rest = self.0;
        while let Some(at) = rest.find(acts) {
            let (plain, from) = rest.split_at(at);
            f.write_str(plain)?;
            let length = match from.chars().next() {
                Some(kept @ ('\n' | '\t')) => {
                    f.write_char(kept)?;
                    kept.len_utf8()
                }
                Some(ESCAPE) if let Some(length) = style(from) => {
                    f.write_str(&from[..length])?;
                    length
                }
                Some(char) => {
                    write!(f, "{}", escaped(char))?;
                    char.len_utf8()
                }
                None => return Ok(()),
            };
            rest = &from[length..];
        }
        f.write_str(rest)
    }
}

/// Length of the sequence for colours or weight at the start of the text.
fn style(text: &str) -> Option<usize> {
    let parameters = text.strip_prefix("\u{1b}[")?;
    let end = parameters.find(|char: char| !char.is_ascii_digit() && char != ';')?;
    parameters[end..].starts_with('m').then_some(end + 3)
}

/// Whether the character acts on a terminal, or hides or reorders others.
fn acts(char: char) -> bool {
    char.is_control() || HIDING.iter().any(|(first, last)| (*first..=*last).contains(&char))
}

fn escaped(char: char) -> impl fmt::Display {
    char.escape_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_word_of_a_shell_is_quoted_if_it_must_be() {
        for (text, word) in [
            ("../net/genesis.json", "../net/genesis.json"),
            ("my genesis.json", "'my genesis.json'"),
            ("a'b", r"'a'\''b'"),
            ("$HOME", "'$HOME'"),
            ("", "''"),
        ] {
            assert_eq!(shell_word(text), word);
        }
    }

    #[test]
    fn a_long_text_loses_its_middle() {
        assert_eq!(shortened("abcdef", 6), "abcdef");
        assert_eq!(shortened("abcdefgh", 4), "ab [4 bytes left out] gh");
        assert_eq!(shortened("éééé", 3), " [8 bytes left out] ");
    }

    #[test]
    fn one_line_escapes_whatever_acts_on_a_terminal() {
        for (text, printed) in [
            ("stCreate2/x.json::é 🦀", "stCreate2/x.json::é 🦀"),
            ("a\nFAILED b\r\t", "a\\nFAILED b\\r\\t"),
            ("\u{1b}]0;title\u{7}", "\\u{1b}]0;title\\u{7}"),
            ("\u{9b}2J", "\\u{9b}2J"),
            ("abc\u{202e}fed", "abc\\u{202e}fed"),
            ("a\u{200b}b\u{feff}\u{2066}", "a\\u{200b}b\\u{feff}\\u{2066}"),
            ("\u{1b}[31mred", "\\u{1b}[31mred"),
        ] {
            assert_eq!(one_line(text).to_string(), printed);
        }
        assert_eq!(format!("{:<4}|", one_line("ab")), "ab  |");
    }

    #[test]
    fn lines_keep_colours_and_line_breaks_only() {
        for (text, printed) in [
            ("\u{1b}[1;31mred\u{1b}[0m\n\tnext", "\u{1b}[1;31mred\u{1b}[0m\n\tnext"),
            ("\u{1b}[2J\u{1b}[", "\\u{1b}[2J\\u{1b}["),
            ("\u{1b}[31\u{202e}m", "\\u{1b}[31\\u{202e}m"),
            ("a\rb\u{1b}", "a\\rb\\u{1b}"),
        ] {
            assert_eq!(lines(text).to_string(), printed);
        }
    }
}

//! Breaks lines at blanks and drops columns, so that text fits the width of a terminal.
//!
//! A word is never cut. Only a word that is longer than the width exceeds it. Long lists are broken after their commas.

use std::ops::RangeInclusive;

/// Supported widths in characters. A narrower terminal breaks the lines itself, and a wider one has a margin.
pub const WIDTHS: RangeInclusive<usize> = 60..=200;

/// Width if there is no terminal.
pub const USUAL_WIDTH: usize = 100;

/// Blanks at the start of the further lines of a broken line, after its own blanks.
const INDENT: usize = 2;

/// Number of visible characters of a text with colour codes. Each must take one column of the terminal.
pub(super) fn visible(text: &str) -> usize {
    anstream::adapter::strip_str(text).map(|part| part.chars().count()).sum()
}

/// Breaks the lines that are longer than `width`.
pub fn fold<'a>(lines: impl IntoIterator<Item = &'a str>, width: usize) -> Vec<String> {
    lines.into_iter().flat_map(|line| folded(line, width)).collect()
}

fn folded(line: &str, width: usize) -> Vec<String> {
    if visible(line) <= width {
        return vec![line.to_owned()];
    }
    let blanks = line.len() - line.trim_start_matches(' ').len();
    let indent = " ".repeat(blanks + INDENT);
    let mut lines = vec![" ".repeat(blanks)];
    let words = line.split(' ').flat_map(|word| parts(word, width - indent.len().min(width)));
    for (word, before) in words.filter(|(word, _)| !word.is_empty()) {
        let Some(last) = lines.last_mut() else { break };
        let is_new = last.trim_start_matches(' ').is_empty();
        let gap = if is_new { 0 } else { before };
        if is_new || visible(last) + gap + visible(word) <= width {
            last.extend(std::iter::repeat_n(' ', gap));
            last.push_str(word);
        } else {
            lines.push(format!("{indent}{word}"));
        }
    }
    lines
}

/// The parts of a word, each with the number of blanks before it. A list that is longer than `width` is divided after its commas.
fn parts(word: &str, width: usize) -> Vec<(&str, usize)> {
    if visible(word) <= width {
        return vec![(word, 1)];
    }
    word.split_inclusive(',').enumerate().map(|(at, part)| (part, usize::from(at == 0))).collect()
}

/// Chooses the columns of a table that fit the width. `widths` are those of all columns, `gap` is the space between
/// two of them, and `dropped` lists the columns that may be left out, the least important first. The columns keep
/// their order.
pub(super) fn fitting(widths: &[usize], gap: usize, dropped: &[usize], width: usize) -> Vec<usize> {
    let mut kept: Vec<_> = (0..widths.len()).collect();
    let mut next = dropped.iter();
    while total(&kept, widths, gap) > width {
        let Some(column) = next.next() else { break };
        kept.retain(|kept| kept != column);
    }
    kept
}

fn total(kept: &[usize], widths: &[usize], gap: usize) -> usize {
    let sum: usize = kept.iter().filter_map(|column| widths.get(*column)).sum();
    sum + gap * kept.len().saturating_sub(1)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_line_is_broken_at_blanks_and_keeps_its_indentation() {
        let lines = fold(["  one two three four"], 11);
        assert_eq!(lines, ["  one two", "    three", "    four"]);
        assert_eq!(fold(["short", ""], 11), ["short", ""]);
        assert_eq!(
            fold(["a longer-than-the-width b"], 10),
            ["a", "  longer-than-the-width", "  b"]
        );
    }

    #[test]
    fn a_long_list_is_broken_after_its_commas() {
        assert_eq!(fold(["see 11,22,33,44,55"], 10), ["see 11,22,", "  33,44,55"]);
    }

    #[test]
    fn colour_codes_have_no_width() {
        let line = "\u{1b}[1mone two\u{1b}[0m";
        assert_eq!(visible(line), 7);
        assert_eq!(fold([line], 7), [line]);
        assert_eq!(fold([line], 6).len(), 2);
    }

    #[test]
    fn the_least_important_columns_are_dropped_until_the_table_fits() {
        let widths = [4, 4, 4, 4];
        assert_eq!(fitting(&widths, 2, &[2, 1], 22), [0, 1, 2, 3]);
        assert_eq!(fitting(&widths, 2, &[2, 1], 21), [0, 1, 3]);
        assert_eq!(fitting(&widths, 2, &[2, 1], 10), [0, 3]);
        assert_eq!(fitting(&widths, 2, &[2, 1], 1), [0, 3], "the others are kept at any width");
        assert_eq!(fitting(&[], 2, &[], 0), [] as [usize; 0]);
    }
}

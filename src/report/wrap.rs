//! Breaks lines at blanks and drops columns, so that text fits the width of a terminal.
//!
//! A word is never cut, and a number keeps its unit. Only a word that is longer than the width exceeds it. Long lists are broken after their commas.

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
    let words = words(line);
    let indent = " ".repeat(hanging(&words, width));
    let mut lines = vec![String::new()];
    let fits = width - indent.len().min(width);
    let words = words.into_iter().flat_map(|(gap, word)| parts(gap, word, fits));
    for (gap, word) in words.filter(|(_, word)| !word.is_empty()) {
        let Some(last) = lines.last_mut() else { break };
        let is_new = last.trim_start_matches(' ').is_empty();
        if is_new || visible(last) + gap + visible(word) <= width {
            last.extend(std::iter::repeat_n(' ', gap));
            last.push_str(word);
        } else {
            lines.push(format!("{indent}{word}"));
        }
    }
    lines
}

/// Blanks at the start of the further lines of a line with these words. They stand below the last column of the line, which begins after several
/// blanks, if there is one in its first half.
fn hanging(words: &[(usize, &str)], width: usize) -> usize {
    let (mut end, mut column) = (0, None);
    for (at, (gap, word)) in words.iter().enumerate() {
        end += gap;
        if at > 0 && *gap > 1 && end <= width / 2 {
            column = Some(end);
        }
        end += visible(word);
    }
    column.unwrap_or_else(|| words.first().map_or(0, |(blanks, _)| *blanks) + INDENT)
}

/// The words of a line, each with the number of blanks before it. A number and its unit are one word.
fn words(line: &str) -> Vec<(usize, &str)> {
    let mut words = Vec::<(usize, &str)>::new();
    let mut gap = 0;
    for word in line.split(' ') {
        if word.is_empty() {
            gap += 1;
            continue;
        }
        match words.last_mut() {
            Some((_, before)) if gap == 1 && belong_together(before, word) => {
                let start = before.as_ptr() as usize - line.as_ptr() as usize;
                *before = &line[start..start + before.len() + 1 + word.len()];
            }
            _ => words.push((gap, word)),
        }
        gap = 1;
    }
    words
}

/// Whether `word` is the unit of the number before it.
fn belong_together(before: &str, word: &str) -> bool {
    const UNITS: [&str; 14] = [
        "%", "s", "ms", "µs", "ns", "B", "KiB", "MiB", "GiB", "Mgas", "Mgas/s", "thread",
        "threads", "blocks",
    ];
    let unit = word.trim_end_matches([',', ';', ':', '.', ')']);
    before.ends_with(|last: char| last.is_ascii_digit()) && UNITS.contains(&unit)
}

/// The parts of a word, each with the number of blanks before it. A list that is longer than `width` is divided after its commas.
fn parts(gap: usize, word: &str, width: usize) -> Vec<(usize, &str)> {
    if visible(word) <= width {
        return vec![(gap, word)];
    }
    let parts = word.split_inclusive(',').enumerate();
    parts.map(|(at, part)| (if at == 0 { gap } else { 0 }, part)).collect()
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
    fn the_last_column_of_a_line_keeps_its_place() {
        let line = "  7  1.08  bal on 1 thread: a reason that is long";
        let expected =
            ["  7  1.08  bal on 1 thread:", "           a reason that is", "           long"];
        assert_eq!(fold([line], 27), expected);
        let late = "one two three  four five";
        assert_eq!(fold([late], 16), ["one two three", "  four five"]);
    }

    #[test]
    fn a_number_keeps_its_unit() {
        assert_eq!(fold(["a share of 15 %, and"], 13), ["a share of", "  15 %, and"]);
        assert_eq!(fold(["a share of 15 apples"], 13), ["a share of 15", "  apples"]);
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

//! Colours text for a terminal and aligns coloured cells in columns.
//!
//! Text is always written with its colours. The code that opens the output strips them if they are not
//! wanted. Widths count characters, so every character of a cell must take exactly one terminal column.

use super::wrap;
use anstyle::{AnsiColor, Style};

/// An improvement.
pub(super) const GOOD: Style = AnsiColor::Green.on_default();
/// A deterioration.
pub(super) const BAD: Style = AnsiColor::Red.on_default();
/// An error.
pub(super) const ALARM: Style = AnsiColor::Red.on_default().bold();
/// A warning.
pub(super) const WARNING: Style = AnsiColor::Yellow.on_default().bold();
/// Secondary text.
pub(super) const FAINT: Style = Style::new().dimmed();
/// Titles and main results.
pub(super) const STRONG: Style = Style::new().bold();
/// Text without a colour.
pub(super) const PLAIN: Style = Style::new();

/// Text with a style.
#[derive(Clone, Debug)]
pub(super) struct Cell {
    text: String,
    style: Style,
}

impl Cell {
    pub(super) fn new(text: impl Into<String>, style: Style) -> Self {
        Self { text: text.into(), style }
    }

    pub(super) fn plain(text: impl Into<String>) -> Self {
        Self::new(text, PLAIN)
    }

    /// The text with its colour codes.
    pub(super) fn painted(&self) -> String {
        paint(&self.text, self.style)
    }

    fn width(&self) -> usize {
        self.text.chars().count()
    }
}

/// Adds the colour codes of `style` to `text`.
pub(super) fn paint(text: &str, style: Style) -> String {
    if style.is_plain() { text.to_owned() } else { format!("{style}{text}{style:#}") }
}

/// Blanks between two columns.
const GAP: usize = 2;

/// Aligns rows of cells to the left. Each column is as wide as its widest cell.
pub(super) fn columns(rows: &[Vec<Cell>]) -> Vec<String> {
    fitted(rows, &[], usize::MAX)
}

/// As [`columns`], but leaves out columns of `dropped`, the first of them first, until the lines fit `width`.
pub(super) fn fitted(rows: &[Vec<Cell>], dropped: &[usize], width: usize) -> Vec<String> {
    let count = rows.iter().map(Vec::len).max().unwrap_or(0);
    let width_of = |column: usize| {
        rows.iter().filter_map(|row| row.get(column)).map(Cell::width).max().unwrap_or(0)
    };
    let widths: Vec<_> = (0..count).map(width_of).collect();
    let kept = wrap::fitting(&widths, GAP, dropped, width);
    let line = |row: &Vec<Cell>| {
        let cells = kept
            .iter()
            .filter_map(|column| Some((row.get(*column)?.clone(), widths.get(*column).copied()?)));
        padded(cells, GAP)
    };
    rows.iter().map(line).collect()
}

/// A line of cells with their widths. There are no blanks at its end.
pub(super) fn padded(cells: impl IntoIterator<Item = (Cell, usize)>, gap: usize) -> String {
    let cells: Vec<_> = cells.into_iter().collect();
    let filled = cells.iter().rposition(|(cell, _)| !cell.text.is_empty());
    let mut line = String::new();
    let mut blanks = 0;
    for (cell, width) in cells.iter().take(filled.map_or(0, |last| last + 1)) {
        line.extend(std::iter::repeat_n(' ', blanks));
        line += &cell.painted();
        blanks = width.saturating_sub(cell.width()) + gap;
    }
    line
}

/// A bar of `width` characters, filled by `share` (0 to 1), in steps of an eighth of a character.
pub(super) fn bar(share: f64, width: usize) -> String {
    const EIGHTHS: [char; 8] = [' ', '▏', '▎', '▍', '▌', '▋', '▊', '▉'];
    let eighths = (share.clamp(0.0, 1.0) * width as f64 * 8.0).round() as usize;
    let mut bar: String = std::iter::repeat_n('█', eighths / 8).collect();
    bar.extend(EIGHTHS.get(eighths % 8).filter(|_| !eighths.is_multiple_of(8)));
    let missing = width - bar.chars().count();
    bar.extend(std::iter::repeat_n('·', missing));
    bar
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_bar_is_filled_in_eighths_and_never_overflows() {
        for (share, drawn) in
            [(0.0, "····"), (1.0, "████"), (0.5, "██··"), (0.53125, "██▏·"), (7.0, "████")]
        {
            assert_eq!(bar(share, 4), drawn, "{share}");
        }
        assert_eq!(bar(f64::NAN, 2), "··");
    }

    #[test]
    fn columns_are_aligned_independent_of_colour() {
        let rows = [
            vec![Cell::plain("a"), Cell::new("bb", GOOD), Cell::plain("c")],
            vec![Cell::new("aaaa", BAD), Cell::plain("b"), Cell::plain("")],
        ];
        let stripped: Vec<_> = columns(&rows)
            .iter()
            .map(|line| anstream::adapter::strip_str(line).to_string())
            .collect();
        assert_eq!(stripped, ["a     bb  c", "aaaa  b"]);
    }
}

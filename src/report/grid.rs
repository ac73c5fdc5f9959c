//! Lays out text in columns with blanks only.
//!
//! Callers choose the cells and the columns that may be left out. Every row becomes exactly one line if no cell holds
//! a line feed.

use super::wrap::fitting;
use comfy_table::{CellAlignment, ContentArrangement, Table, presets};

/// A column: its title, and the alignment of its title and cells.
pub(crate) type Column = (&'static str, CellAlignment);

/// Returns a line of titles and one line per row. Columns of `dropped` are left out, the first of them first, until
/// the lines fit `width`.
pub(crate) fn lines<T: AsRef<str>>(
    columns: &[(T, CellAlignment)],
    rows: &[Vec<String>],
    dropped: &[usize],
    width: usize,
) -> Vec<String> {
    let kept = fitting(&widths(columns, rows), GAP, dropped, width);
    let of = |cells: &[String]| -> Vec<String> {
        kept.iter().filter_map(|column| cells.get(*column).cloned()).collect()
    };
    let shown: Vec<_> = kept.iter().filter_map(|column| columns.get(*column)).collect();
    let mut table = Table::new();
    table
        .load_style(presets::NOTHING)
        .set_content_arrangement(ContentArrangement::Disabled)
        .set_header(shown.iter().map(|(title, _)| title.as_ref()))
        .add_rows(rows.iter().map(|row| of(row)));
    for ((position, column), (_, side)) in table.column_iter_mut().enumerate().zip(shown) {
        column.set_cell_alignment(*side);
        column.set_padding((if position == 0 { 0 } else { GAP as u16 }, 0));
    }
    table.lines().map(|line| line.trim_end().to_owned()).collect()
}

/// Blanks between two columns.
const GAP: usize = 2;

/// Width of each column.
fn widths<T: AsRef<str>>(columns: &[(T, CellAlignment)], rows: &[Vec<String>]) -> Vec<usize> {
    let width = |(at, (title, _)): (usize, &(T, CellAlignment))| {
        let cells = rows.iter().filter_map(|row| row.get(at)).map(|cell| cell.chars().count());
        cells.chain([title.as_ref().chars().count()]).max().unwrap_or(0)
    };
    columns.iter().enumerate().map(width).collect()
}

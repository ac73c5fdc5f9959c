//! Lays out text in columns with blanks only.
//!
//! Callers choose the cells and keep the lines short enough for the terminal. Every row becomes exactly
//! one line if no cell holds a line feed.

use comfy_table::{CellAlignment, ContentArrangement, Table, presets};

/// A column: its title, and the alignment of its title and cells.
pub(crate) type Column = (&'static str, CellAlignment);

/// Returns a line of titles and one line per row.
pub(crate) fn lines<T: AsRef<str>>(
    columns: &[(T, CellAlignment)],
    rows: Vec<Vec<String>>,
) -> Vec<String> {
    let mut table = Table::new();
    table
        .load_style(presets::NOTHING)
        .set_content_arrangement(ContentArrangement::Disabled)
        .set_header(columns.iter().map(|(title, _)| title.as_ref()))
        .add_rows(rows);
    for (column, (_, side)) in table.column_iter_mut().zip(columns) {
        column.set_cell_alignment(*side);
        column.set_padding((2, 0));
    }
    table.lines().map(|line| line.trim_end().to_owned()).collect()
}

//! Lays out text in columns with blanks only.
//!
//! Callers choose the cells and the columns that may be left out. Every row becomes exactly one line if no cell holds
//! a line feed.

use super::wrap::{fitting, fold};
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

/// Least width of a folded column. In a narrower one its cells stand below their rows.
const LEAST_FOLDED: usize = 28;

/// Blanks before a cell below its row.
const BELOW: usize = 4;

/// As [`lines()`] with all columns. The cells of the last column are broken at blanks, so that each stays in its column or,
/// where that is narrow, below its row.
pub(crate) fn with_last_folded<T: AsRef<str>>(
    columns: &[(T, CellAlignment)],
    rows: &[Vec<String>],
    width: usize,
) -> Vec<String> {
    let Some(((title, _), others)) = columns.split_last() else { return Vec::new() };
    let start: usize = widths(others, rows).iter().map(|width| width + GAP).sum();
    let room = width.saturating_sub(start);
    let is_beside = room >= LEAST_FOLDED;
    let (indent, room) = if is_beside { (start, room) } else { (BELOW, width - BELOW.min(width)) };
    let lines = lines(others, rows, &[], width);
    let title = if is_beside { title.as_ref() } else { "" };
    let titles = vec![title.to_owned()];
    let cells = rows.iter().map(|row| {
        let cell = row.get(others.len()).map_or("", String::as_str);
        fold([cell], room).iter().map(|line| line.trim_start().to_owned()).collect()
    });
    let cells = std::iter::once(titles).chain(cells);
    lines
        .into_iter()
        .zip(cells)
        .flat_map(|(line, cell)| joined(&line, cell, indent, is_beside))
        .collect()
}

/// A row and the lines of its last cell, which begin at `indent`.
fn joined(line: &str, cell: Vec<String>, indent: usize, is_beside: bool) -> Vec<String> {
    let mut lines = vec![line.to_owned()];
    let mut parts = cell.into_iter().filter(|part| !part.is_empty());
    if let Some(first) = parts.next() {
        match is_beside {
            true => lines[0] = format!("{line:<indent$}{first}"),
            false => lines.push(format!("{:indent$}{first}", "")),
        }
    }
    lines.extend(parts.map(|part| format!("{:indent$}{part}", "")));
    lines
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

#[cfg(test)]
mod tests {
    use super::*;
    use comfy_table::CellAlignment::Left;

    fn table(width: usize) -> Vec<String> {
        const COLUMNS: [Column; 3] = [("method", Left), ("served", Left), ("why not", Left)];
        let row = |cells: [&str; 3]| cells.map(str::to_owned).to_vec();
        let rows = [
            row(["debug_executionWitness", "yes", ""]),
            row([
                "eth_getProof",
                "no",
                "the node does not offer this method: \"method not found\"",
            ]),
        ];
        with_last_folded(&COLUMNS, &rows, width)
    }

    #[test]
    fn a_long_last_cell_stays_in_its_column() {
        let expected = [
            "method                  served  why not",
            "debug_executionWitness  yes",
            "eth_getProof            no      the node does not offer this",
            "                                method: \"method not found\"",
        ];
        assert_eq!(table(60), expected);
    }

    #[test]
    fn a_long_last_cell_stands_below_its_row_if_its_column_is_narrow() {
        let expected = [
            "method                  served",
            "debug_executionWitness  yes",
            "eth_getProof            no",
            "    the node does not offer this method:",
            "    \"method not found\"",
        ];
        assert_eq!(table(45), expected);
    }

    #[test]
    fn a_wide_table_has_one_line_for_each_row() {
        assert_eq!(table(200).len(), 3);
    }
}

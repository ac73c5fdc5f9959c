//! Lays out a race as one line for each block, so that a line can be written as soon as its block is done.
//!
//! The widths of the columns follow from the contenders alone. If the contenders do not fit, columns are left out by
//! importance: first the block's size, then the intervals, then all contenders but the fastest.

use std::num::NonZeroUsize;

use super::paint::{ALARM, Cell, FAINT, STRONG, padded};
use super::record::measured_speedup;
use super::table::{NONE, cell, has_receipts_only, is_baseline_row, mark, speedup, speedup_style};
use super::{Contender, Row, counted};
use crate::measure::stats::Speedup;
use crate::units;

/// Title and width of the columns before the contenders.
const BLOCK: (&str, usize) = ("block", 9);
const FACTS: [(&str, usize); 3] = [("txs", 4), ("Mgas", 6), ("baseline", 8)];

/// Blanks between two columns.
const GAP: usize = 2;

/// Width of `1.60 [1.55, 1.65]`, with a mark.
const WITH_INTERVAL: usize = 18;

/// Width of a word in place of a speedup.
const WORD: usize = 8;

/// The columns of a race.
#[derive(Clone, Debug)]
pub struct LiveTable {
    contenders: Vec<(String, NonZeroUsize)>,
    shown: Shown,
    /// Number of columns of [`FACTS`] that are shown, from the last one.
    facts: usize,
}

/// The columns for the contenders.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Shown {
    /// Each contender with its interval.
    Intervals,
    /// Each contender's speedup.
    Speedups,
    /// The fastest contender with its interval.
    Fastest,
    /// The fastest contender's speedup.
    FastestSpeedup,
}

impl LiveTable {
    /// The table of these contenders in `width` characters. The baseline is not among them, and always shown.
    pub fn new<'a>(contenders: impl IntoIterator<Item = Contender<'a>>, width: usize) -> Self {
        let named = |contender: Contender<'_>| (contender.executor.to_owned(), contender.threads);
        let contenders = contenders.into_iter().map(named).collect();
        let of = |shown, facts| Self { contenders: Vec::clone(&contenders), shown, facts };
        let wishes = [Shown::Intervals, Shown::Speedups, Shown::Fastest, Shown::FastestSpeedup];
        let mut wishes = wishes.into_iter().flat_map(|shown| [of(shown, 3), of(shown, 1)]);
        let narrowest = of(Shown::FastestSpeedup, 0);
        wishes.find(|table| table.width() <= width).unwrap_or(narrowest)
    }

    fn width(&self) -> usize {
        let columns = self.columns();
        columns.iter().map(|(.., width)| width + GAP).sum::<usize>().saturating_sub(GAP)
    }

    /// Both title lines and the width of each column.
    fn columns(&self) -> Vec<(String, String, usize)> {
        let facts = &FACTS[FACTS.len() - self.facts..];
        let fixed = [BLOCK].iter().chain(facts);
        let mut columns: Vec<_> =
            fixed.map(|(name, width)| ((*name).to_owned(), String::new(), *width)).collect();
        let least = match self.shown {
            Shown::Intervals => WITH_INTERVAL,
            Shown::Speedups => WORD,
            Shown::Fastest | Shown::FastestSpeedup => {
                let is_short = self.shown == Shown::FastestSpeedup;
                let width = if is_short { WORD } else { WITH_INTERVAL };
                columns.push(("fastest".into(), String::new(), width));
                columns.push(("executor".into(), String::new(), self.longest_name()));
                return columns;
            }
        };
        columns.extend(self.contenders.iter().map(|(executor, threads)| {
            let threads = counted(threads.get(), "thread");
            let width = executor.len().max(threads.len()).max(least);
            (executor.clone(), threads, width)
        }));
        columns
    }

    fn longest_name(&self) -> usize {
        let name = |(executor, threads): &(String, NonZeroUsize)| {
            Contender { executor, threads: *threads }.to_string().len()
        };
        self.contenders.iter().map(name).max().unwrap_or(0)
    }

    /// The title lines.
    pub fn titles(&self) -> Vec<String> {
        let columns = self.columns();
        let line = |title: fn(&(String, String, usize)) -> &String| {
            let cells = columns.iter().map(|column| (Cell::new(title(column), STRONG), column.2));
            padded(cells, GAP)
        };
        let second = columns.iter().any(|(_, second, _)| !second.is_empty());
        let lines = [Some(line(|column| &column.0)), second.then(|| line(|column| &column.1))];
        lines.into_iter().flatten().collect()
    }

    /// The line of a block.
    pub fn line(&self, rows: &[&Row]) -> String {
        let Some(first) = rows.first() else { return String::new() };
        let block = &first.block;
        let receipts = if rows.iter().any(|row| has_receipts_only(row)) { "*" } else { "" };
        let mut cells = vec![Cell::new(format!("{}{receipts}", block.number), STRONG)];
        let baseline = rows.iter().find(|row| is_baseline_row(row));
        let time = baseline.and_then(|row| row.verdict.figures());
        let facts = [
            Cell::new(block.transactions.to_string(), FAINT),
            Cell::new(units::grouped(units::mgas(block.gas_used)), FAINT),
            Cell::plain(cell(time.map(|figures| units::short(figures.execute.median)))),
        ];
        cells.extend(facts.into_iter().skip(FACTS.len() - self.facts));
        cells.extend(self.contender_cells(rows));
        let widths = self.columns().into_iter().map(|(.., width)| width);
        padded(cells.into_iter().zip(widths), GAP)
    }

    fn contender_cells(&self, rows: &[&Row]) -> Vec<Cell> {
        if matches!(self.shown, Shown::Fastest | Shown::FastestSpeedup) {
            return self.fastest(rows);
        }
        let own = |(executor, threads): &(String, NonZeroUsize)| {
            let contender = Contender { executor, threads: *threads };
            let row = rows.iter().find(|row| row.contender() == contender);
            row.map_or_else(|| Cell::plain(NONE), |row| self.result(row))
        };
        self.contenders.iter().map(own).collect()
    }

    fn result(&self, row: &Row) -> Cell {
        let Some(figures) = row.verdict.figures() else { return Cell::new("MISMATCH", ALARM) };
        let Some(measured) = measured_speedup(figures) else { return Cell::plain(NONE) };
        self.measured(row, measured)
    }

    fn measured(&self, row: &Row, measured: Speedup) -> Cell {
        let text = match self.shown {
            Shown::Intervals | Shown::Fastest => speedup(measured),
            Shown::Speedups | Shown::FastestSpeedup => format!("{:.2}", measured.ratio),
        };
        Cell::new(text + mark(row), speedup_style(measured))
    }

    /// The speedup and the name of the fastest contender of a block, or the number of wrong results.
    fn fastest(&self, rows: &[&Row]) -> Vec<Cell> {
        let measured = rows.iter().filter_map(|row| {
            let speedup = measured_speedup(row.verdict.figures()?)?;
            Some((row, speedup))
        });
        let ratio = |(_, speedup): &(&&Row, Speedup)| speedup.ratio;
        let best = measured.max_by(|a, b| ratio(a).total_cmp(&ratio(b)));
        let wrong = rows.iter().filter(|row| row.verdict.figures().is_none()).count();
        let mut cells = match best {
            Some((row, measured)) => {
                vec![self.measured(row, measured), Cell::plain(row.contender().to_string())]
            }
            None => vec![Cell::plain(NONE), Cell::plain("")],
        };
        if wrong > 0 {
            cells[1] = Cell::new(format!("{} MISMATCH", counted(wrong, "row")), ALARM);
        }
        cells
    }
}

#[cfg(test)]
mod tests {
    use super::super::testing::{self, paced, raced};
    use super::super::wrap::visible;
    use super::*;

    fn rows(executors: &[&str]) -> Vec<Row> {
        let named = |name: &&str| Row { executor: (*name).into(), ..raced(5, 500, 1.5) };
        [paced(5, 900)].into_iter().chain(executors.iter().map(named)).collect()
    }

    fn text(rows: &[Row], width: usize) -> Vec<String> {
        let table = LiveTable::new(super::super::table::others(rows), width);
        let mut lines = table.titles();
        lines.push(table.line(&rows.iter().collect::<Vec<_>>()));
        lines.iter().map(|line| anstream::adapter::strip_str(line).to_string()).collect()
    }

    #[test]
    fn columns_are_left_out_by_importance() {
        let few = rows(&["block-stm", "bal"]);
        assert_eq!(
            text(&few, 100),
            [
                "block      txs   Mgas    baseline  block-stm           bal",
                "                                   8 threads           8 threads",
                "5          167   12.9    900 µs    1.50 [1.50, 1.50]   1.50 [1.50, 1.50]",
            ]
        );
        assert!(text(&few, 60)[2].starts_with("5          900 µs    1.50 [1.50, 1.50]"));
        let some = rows(&["block-stm", "bal", "access-list", "two-phase"]);
        assert_eq!(
            text(&some, 72)[2],
            "5          900 µs    1.50       1.50       1.50         1.50"
        );
        let many = ["a", "b", "c", "d", "e", "f", "g", "h"].map(|name| name.repeat(12));
        let many = rows(&many.each_ref().map(String::as_str));
        let fastest = text(&many, 80);
        assert_eq!(fastest.len(), 2);
        assert!(
            fastest[1].ends_with("1.50 [1.50, 1.50]   hhhhhhhhhhhh on 8 threads"),
            "{fastest:?}"
        );
        for width in [60, 80, 100, 140] {
            assert!(
                [&few, &some, &many]
                    .iter()
                    .all(|rows| { text(rows, width).iter().all(|line| visible(line) <= width) })
            );
        }
    }

    #[test]
    fn a_wrong_result_has_no_speedup() {
        let rows = [testing::baseline(), testing::mismatch()];
        assert!(text(&rows, 100)[2].ends_with("MISMATCH"));
    }
}

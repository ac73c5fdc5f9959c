//! Writes the comparison of two runs for a terminal.

use std::io;

use super::compare::{By, Comparison, ContenderChange, Repeated};
use super::paint::{BAD, Cell, FAINT, GOOD, PLAIN, STRONG, columns, paint};
use super::run::Runner;
use super::{Detail, ReportError, counted};
use crate::measure::change::{Change, Judgement};

/// Writes the changes as coloured text for a terminal.
///
/// # Errors
/// [`ReportError::Table`] if `out` fails.
pub fn write(
    comparison: &Comparison,
    detail: Detail,
    mut out: impl io::Write,
) -> Result<(), ReportError> {
    let blocks = if detail == Detail::Blocks { blocks(comparison) } else { vec![] };
    let sections = [blocks, overall(comparison), missing(comparison), vec![conclusion(comparison)]];
    let filled = sections.into_iter().filter(|lines| !lines.is_empty());
    let text: Vec<String> = filled.map(|lines| lines.join("\n")).collect();
    writeln!(out, "{}", text.join("\n\n")).and_then(|()| out.flush()).map_err(ReportError::Table)
}

fn blocks(comparison: &Comparison) -> Vec<String> {
    let titles = ["block", "executor", "threads", "change of time", "95 % interval", ""];
    let mut cells = vec![titles.map(|title| Cell::new(title, STRONG)).to_vec()];
    for contender in &comparison.contenders {
        let rows = contender.blocks.iter().enumerate();
        cells.extend(rows.map(|(position, ((_, number), change))| {
            let stands_out = contender.slower_blocks.contains(&position);
            let words = match contender.repeated {
                _ if !stands_out => "",
                Repeated::Yes => "SLOWER",
                Repeated::No => "slower?",
            };
            line(number.to_string(), contender, change, words)
        }));
    }
    columns(&cells)
}

fn overall(comparison: &Comparison) -> Vec<String> {
    let titles = ["all blocks", "executor", "threads", "change of time", "95 % interval", ""];
    let mut cells = vec![titles.map(|title| Cell::new(title, STRONG)).to_vec()];
    cells.extend(comparison.contenders.iter().map(|contender| {
        let words = match contender.judgement {
            Judgement::Slower if contender.is_doubtful() => "slower?",
            Judgement::Slower => "SLOWER",
            Judgement::Faster => "faster",
            Judgement::Same => "",
        };
        line(contender.blocks.len().to_string(), contender, &contender.overall, words)
    }));
    let mut lines = columns(&cells);
    let several = comparison.contenders.iter().any(|contender| contender.baselines > Some(1));
    let what = match comparison.by {
        By::Speedup if several => {
            "Time relative to concurrent baselines in the same iterations, new / base."
        }
        By::Speedup => "Time relative to the baseline in the same iterations, new / base.",
        By::Time => {
            "Absolute time, new / base: other load or a slower machine looks like a change."
        }
    };
    lines.push(paint(what, FAINT));
    lines
}

fn line(first: String, contender: &ContenderChange, change: &Change, words: &str) -> Vec<Cell> {
    let Change { ratio, ci_low, ci_high } = *change;
    let style = match words {
        "SLOWER" | "slower?" => BAD,
        "faster" => GOOD,
        _ => PLAIN,
    };
    vec![
        Cell::plain(first),
        Cell::plain(contender.runner.executor.clone()),
        Cell::plain(contender.runner.threads.to_string()),
        Cell::new(percent(ratio), style),
        Cell::plain(format!("[{}, {}]", percent(ci_low), percent(ci_high))),
        Cell::new(words, style),
    ]
}

/// Maximum number of missing rows that are named.
const MOST_NAMED: usize = 20;

/// Names the rows that the new run lacks.
fn missing(comparison: &Comparison) -> Vec<String> {
    let rows = comparison.missing.iter().take(MOST_NAMED);
    let named = rows.map(|((_, number), runner)| {
        paint(&format!("missing in the new run: block {number}, {}", on_threads(runner)), BAD)
    });
    let more = comparison.missing.len().saturating_sub(MOST_NAMED);
    let more = (more > 0).then(|| paint(&format!("and {} more", counted(more, "row")), BAD));
    named.chain(more).collect()
}

fn on_threads(runner: &Runner) -> String {
    format!("{} on {}", runner.executor, counted(runner.threads as usize, "thread"))
}

/// Formats a ratio as a change in percent.
fn percent(ratio: f64) -> String {
    format!("{:+.1} %", (ratio - 1.0) * 100.0)
}

/// Hint for slower blocks that are based on a single run.
const DOUBTFUL: &str = "\nslower?: one run cannot distinguish a regression from other load. Compare several runs of each side: \
                        compare BASE1.json,BASE2.json NEW1.json,NEW2.json";

fn conclusion(comparison: &Comparison) -> String {
    let Comparison { contenders, noise, threshold, .. } = comparison;
    let slower = contenders.iter().filter(|contender| contender.is_regression());
    let names: Vec<_> = slower.map(|contender| on_threads(&contender.runner)).collect();
    let noise =
        noise.map_or_else(|| "not measured".into(), |noise| format!("{:.1} %", noise * 100.0));
    let limits = format!("threshold {:.1} %, noise floor {noise}", threshold * 100.0);
    if names.is_empty() && !comparison.missing.is_empty() {
        let rows = counted(comparison.missing.len(), "row");
        return paint(&format!("cannot tell: the new run lacks {rows} ({limits})"), BAD);
    }
    if names.is_empty() {
        let doubtful = contenders.iter().any(|contender| {
            !contender.slower_blocks.is_empty() || contender.judgement == Judgement::Slower
        });
        let hint = if doubtful { DOUBTFUL } else { "" };
        return format!("no regression ({limits}){hint}");
    }
    paint(&format!("REGRESSION: {} ({limits})", names.join(", ")), BAD)
}

#[cfg(test)]
mod tests {
    use super::super::run::RowKey;
    use super::*;

    fn contender(ratio: f64, judgement: Judgement) -> ContenderChange {
        let change = Change { ratio, ci_low: ratio - 0.01, ci_high: ratio + 0.01 };
        ContenderChange {
            baselines: Some(1),
            runner: Runner { executor: "block-stm".into(), threads: 2 },
            overall: change,
            judgement,
            blocks: vec![((1, 19_426_587), change)],
            slower_blocks: vec![],
            repeated: Repeated::Yes,
        }
    }

    fn written(contenders: Vec<ContenderChange>) -> String {
        written_with(contenders, vec![])
    }

    fn written_with(contenders: Vec<ContenderChange>, missing: Vec<RowKey>) -> String {
        let comparison = Comparison {
            contenders,
            noise: Some(0.012),
            threshold: 0.03,
            by: By::Speedup,
            missing,
        };
        let mut out = Vec::new();
        write(&comparison, Detail::Blocks, anstream::StripStream::new(&mut out)).unwrap();
        String::from_utf8(out).unwrap()
    }

    #[test]
    fn a_comparison_matches_the_snapshot() {
        let expected = "\
block     executor   threads  change of time  95 % interval
19426587  block-stm  2        +5.0 %          [+4.0 %, +6.0 %]

all blocks  executor   threads  change of time  95 % interval
1           block-stm  2        +5.0 %          [+4.0 %, +6.0 %]  SLOWER
Time relative to the baseline in the same iterations, new / base.

REGRESSION: block-stm on 2 threads (threshold 3.0 %, noise floor 1.2 %)
";
        let actual = written(vec![contender(1.05, Judgement::Slower)]);
        assert_eq!(actual, expected, "got:\n{actual}");
        assert!(expected.lines().all(|line| line.chars().count() <= 100));
    }

    #[test]
    fn without_a_regression_the_last_line_states_it() {
        let text = written(vec![contender(0.9, Judgement::Faster)]);
        assert!(text.ends_with("no regression (threshold 3.0 %, noise floor 1.2 %)\n"), "{text}");
        assert!(text.contains("-10.0 %"), "{text}");
    }

    #[test]
    fn missing_rows_are_named_and_no_regression_is_claimed() {
        let runner = Runner { executor: "block-stm".into(), threads: 2 };
        let missing = vec![((1, 19_426_588), runner)];
        let text = written_with(vec![contender(1.0, Judgement::Same)], missing);
        let named = "missing in the new run: block 19426588, block-stm on 2 threads";
        assert!(text.contains(named) && !text.contains("no regression"), "{text}");
        assert!(text.contains("cannot tell: the new run lacks 1 row (threshold"), "{text}");
    }

    #[test]
    fn a_slowdown_over_few_blocks_of_one_run_is_doubtful() {
        let slower = contender(1.05, Judgement::Slower);
        let once = written(vec![ContenderChange { repeated: Repeated::No, ..slower }]);
        assert!(once.contains("[+4.0 %, +6.0 %]  slower?\n"), "{once}");
        assert!(once.contains("no regression") && !once.contains("SLOWER"), "{once}");
    }

    #[test]
    fn a_slower_block_is_doubtful_in_one_run_and_a_regression_in_several() {
        let slower = |repeated| {
            let slower_blocks = vec![0];
            written(vec![ContenderChange {
                slower_blocks,
                repeated,
                ..contender(1.0, Judgement::Same)
            }])
        };
        let once = slower(Repeated::No);
        assert!(once.contains("slower?") && once.contains("no regression"), "{once}");
        let again = slower(Repeated::Yes);
        assert!(again.contains("SLOWER") && again.contains("REGRESSION"), "{again}");
    }
}

use std::time::Duration;

use super::super::testing;
use super::*;
use crate::measure::stats::{Speedup, Summary};
use crate::report::Failure;

fn written(report: &Report) -> String {
    let mut out = Vec::new();
    write(report, &mut out).unwrap();
    String::from_utf8(out).unwrap()
}

fn line_with<'a>(text: &'a str, part: &str) -> &'a str {
    text.lines().find(|line| line.contains(part)).unwrap_or_default()
}

fn last_line(report: &Report) -> String {
    written(report).lines().last().unwrap_or_default().to_owned()
}

/// The contender of block `number`, on `micros` µs and with this speedup.
fn raced(number: u64, micros: u64, ratio: f64) -> Row {
    let mut row = testing::contender();
    row.block.number = number;
    row.block.hash.0[0] = number as u8;
    if let Verdict::Match(figures) = &mut row.verdict {
        let time = Duration::from_micros(micros);
        figures.execute = Summary { median: time, ci_low: time, ci_high: time };
        let speedup = Speedup { ratio, ci_low: ratio, ci_high: ratio };
        figures.comparison = Comparison::Against { speedup, total_speedup: None };
    }
    row
}

/// The baseline of block `number`, on `micros` µs.
fn paced(number: u64, micros: u64) -> Row {
    let mut row = Row { block: raced(number, 1, 1.0).block, ..testing::baseline() };
    if let Verdict::Match(figures) = &mut row.verdict {
        figures.execute.median = Duration::from_micros(micros);
    }
    row
}

#[test]
fn a_small_report_looks_like_this() {
    let expected = "\
blockrace 0.1.0 on AMD EPYC 7763 64-Core Processor, 16 logical CPUs
Linux 6.8.0-45-generic, allocator mimalloc
blocks 19426587,46147,19426588
10 timed rounds of each block after 1 warm-up round, seed 42

  executor    threads   execute   Mgas/s            speedup  bound  runs      root  verdict
19426587  Cancun  167 txs  12.9 Mgas
  sequential        1  8.000 ms  1,612.5    1.00 (baseline)      -     -  2.345 ms  match
  block-stm         8  5.000 ms  2,580.0  1.60 [1.55, 1.65]   1.90  1.05  2.345 ms  match
  two-phase         8         -        -                  -      -     -         -  MISMATCH
46147  Frontier  1 tx  0.0 Mgas
  sequential        1  8.000 ms      2.6    1.00 (baseline)      -     -         -  match*

speedup: median execute time of sequential on 1 thread / that of the row.
The brackets hold its 95 % confidence interval. bound: what the block allows on these threads,
with nothing done twice and no overhead. Times of execute leave out the state root, which has a
column of its own. runs: how often a transaction was executed, on average.
* checked to the receipts only: no witness, so no state root to compare.

  executor    threads  verified rows  geometric mean of speedups  total-time ratio
  sequential        1         2 of 2                        1.00              1.00
  block-stm         8         1 of 1                        1.60              1.60
  two-phase         8         0 of 1                           -                 -
The mean counts every block the same. The total-time ratio counts long blocks more: the execute
times of the baseline, added up over the same blocks, / those of the executor.

MISMATCH: block 19426587, two-phase on 8 threads: receipt 12: expected status success, found failure
not run: block 19426588: not cached; fetch it first

2 blocks, 4 rows: 3 match mainnet, 1 DOES NOT, 1 block only to the receipts; 1 block not run
";
    let actual = written(&testing::report());
    assert_eq!(actual, expected, "got:\n{actual}");
    assert!(expected.lines().all(|line| line.chars().count() <= 100));
}

#[test]
fn the_widest_values_fit_100_columns() {
    let mut row = testing::contender();
    row.executor = "access-list".into();
    row.threads = testing::threads(1_024);
    row.mode = Mode::FellBack("too many conflicts".into());
    row.verified_to = VerifiedTo::Receipts;
    row.block.gas_used = 60_000_000;
    if let Verdict::Match(figures) = &mut row.verdict {
        figures.execute.median = Duration::from_nanos(123_456_789);
        figures.root_median = Some(Duration::from_nanos(123_456_789));
        let speedup = Speedup { ratio: 99.99, ci_low: 99.98, ci_high: 100.01 };
        figures.comparison = Comparison::Against { speedup, total_speedup: None };
    }
    let mut report = testing::report_of(vec![testing::baseline(), row]);
    report.machine.cpu_model = "Processor ".repeat(20);
    report.machine.kernel = "Kernel ".repeat(20);
    report.settings.blocks = "19426587,".repeat(1_000);
    report.settings.seed = u64::MAX;

    for line in written(&report).lines() {
        assert!(line.chars().count() <= 100, "{} columns: {line}", line.chars().count());
    }
}

#[test]
fn a_mismatch_shows_no_number_and_is_named_with_its_reason() {
    let report = testing::report_of(vec![testing::baseline(), testing::mismatch()]);
    let text = written(&report);
    let cells: Vec<_> = line_with(&text, "  two-phase").split_whitespace().collect();
    assert_eq!(cells, ["two-phase", "8", "-", "-", "-", "-", "-", "-", "MISMATCH"]);
    let problem = format!("MISMATCH: block 19426587, two-phase on 8 threads: {}", testing::WHY);
    assert_eq!(line_with(&text, "MISMATCH: "), problem);
    assert_eq!(last_line(&report), "1 block, 2 rows: 1 match mainnet, 1 DOES NOT");
}

#[test]
fn rows_of_one_block_are_grouped_wherever_they_are() {
    let rows = vec![paced(5, 10), paced(6, 10), raced(5, 5, 2.0), raced(6, 5, 2.0)];
    let text = written(&testing::report_of(rows));
    let starts: Vec<_> = text
        .lines()
        .skip_while(|line| !line.starts_with("5 "))
        .take(6)
        .filter_map(|line| line.split_whitespace().next())
        .collect();
    assert_eq!(starts, ["5", "sequential", "block-stm", "6", "sequential", "block-stm"]);
}

#[test]
fn the_totals_are_the_geometric_mean_and_the_ratio_of_summed_times() {
    // 100 µs -> 50 µs and 900 µs -> 1800 µs: the mean is sqrt(2 * 0.5), the ratio 1000 / 1850.
    let rows = vec![paced(5, 100), raced(5, 50, 2.0), paced(6, 900), raced(6, 1_800, 0.5)];
    let text = written(&testing::report_of(rows));
    let totals: Vec<_> =
        text.lines().skip_while(|line| !line.contains("geometric")).map(cells_of).collect();
    assert_eq!(totals[1], ["sequential", "1", "2", "of", "2", "1.00", "1.00"]);
    assert_eq!(totals[2], ["block-stm", "8", "2", "of", "2", "1.00", "0.54"]);
}

fn cells_of(line: &str) -> Vec<&str> {
    line.split_whitespace().collect()
}

#[test]
fn a_fall_back_is_marked_and_explained() {
    let mut row = testing::contender();
    row.mode = Mode::FellBack("block has no access list".into());
    let text = written(&testing::report_of(vec![testing::baseline(), row]));
    assert!(line_with(&text, "  block-stm").ends_with("match!"), "{text}");
    assert!(text.contains("\n! gave up and executed the block in another way"), "{text}");
    let reason = "fell back: block 19426587, block-stm on 8 threads: block has no access list";
    assert_eq!(line_with(&text, "fell back: "), reason);
}

#[test]
fn without_a_verified_baseline_there_are_no_speedups() {
    let mut row = testing::contender();
    if let Verdict::Match(figures) = &mut row.verdict {
        figures.comparison = Comparison::NoBaseline;
    }
    let text = written(&testing::report_of(vec![row]));
    assert!(text.contains("speedup: none, since no baseline was verified"), "{text}");
    let cells = cells_of(line_with(&text, "  block-stm"));
    assert_eq!(
        cells,
        ["block-stm", "8", "5.000", "ms", "2,580.0", "-", "1.90", "1.05", "2.345", "ms", "match"]
    );
}

#[test]
fn the_last_line_says_what_was_verified_and_how_far() {
    let to_root = testing::report_of(vec![testing::baseline(), testing::contender()]);
    let expected = "1 block, 2 rows: all match mainnet, 1 block to the state root";
    assert_eq!(last_line(&to_root), expected);

    let to_receipts = testing::report_of(vec![testing::receipts_only()]);
    let expected = "1 block, 1 row: all match mainnet, 1 block only to the receipts";
    assert_eq!(last_line(&to_receipts), expected);
}

#[test]
fn another_chain_is_not_called_mainnet() {
    let mut row = testing::baseline();
    row.block.chain_id = 17_000;
    assert!(last_line(&testing::report_of(vec![row])).contains("all match chain 17000"));
}

#[test]
fn with_nothing_but_failures_there_is_no_table() {
    let report = Report { rows: vec![], ..testing::report() };
    let text = written(&report);
    assert!(!text.contains("executor"), "{text}");
    assert!(text.contains("not run: block 19426588: not cached; fetch it first"), "{text}");
    assert_eq!(last_line(&report), "0 blocks, 0 rows: nothing was verified; 1 block not run");
}

#[test]
fn a_reason_stays_on_its_line_and_cannot_drive_the_terminal() {
    let mut report = testing::report_of(vec![]);
    let what = "node said:\n  \u{1b}[2Jnothing".into();
    report.failures = vec![Failure { block: 7, what }];
    assert!(written(&report).contains("\nnot run: block 7: node said: [2Jnothing\n"));
}

use std::time::Duration;

use super::super::testing::{self, paced, raced};
use super::*;
use crate::measure::warnings::Warning;
use crate::report::{Failure, OracleKnowledge, summary::one_line};

fn written(report: &Report) -> String {
    shown(report, Detail::Blocks)
}

fn shown(report: &Report, detail: Detail) -> String {
    let mut out = Vec::new();
    write(report, detail, anstream::StripStream::new(&mut out)).unwrap();
    String::from_utf8(out).unwrap()
}

fn last_line(report: &Report) -> String {
    written(report).lines().last().unwrap_or_default().to_owned()
}

#[test]
fn a_small_report_matches_the_snapshot() {
    let actual = written(&testing::full_report());
    let expected = include_str!("small.txt");
    assert_eq!(actual, expected, "got:\n{actual}");
    assert!(expected.lines().all(|line| line.chars().count() <= 100));
}

#[test]
fn without_block_details_only_the_totals_are_shown() {
    let text = shown(&testing::full_report(), Detail::Totals);
    assert!(!text.contains("— Cancun"), "{text}");
    assert!(text.contains("geometric mean"), "{text}");
    assert!(text.ends_with(&last_line(&testing::full_report())) || text.ends_with('\n'));
}

#[test]
fn a_clear_speedup_is_green_and_a_mismatch_is_red() {
    let mut out = Vec::new();
    write(&testing::full_report(), Detail::Blocks, &mut out).unwrap();
    let text = String::from_utf8(out).unwrap();
    assert!(text.contains("\u{1b}[32m1.60 [1.55, 1.65]\u{1b}[0m"), "{text:?}");
    assert!(text.contains("\u{1b}[1m\u{1b}[31mMISMATCH\u{1b}[0m"), "{text:?}");
}

#[test]
fn the_widest_values_fit_100_columns() {
    let mut rows = vec![testing::baseline()];
    for executor in ["access-list", "block-stm", "two-phase", "prefetch", "sharded"] {
        let mut row = testing::contender();
        row.executor = executor.into();
        row.threads = testing::threads(128);
        row.mode = Mode::FellBack("too many conflicts".into());
        row.verified_to = VerifiedTo::Receipts;
        row.block.gas_used = 60_000_000;
        row.block.transactions = 1_234;
        row.block.fork = "SpuriousDragon".into();
        if let Verdict::Match(figures) = &mut row.verdict {
            figures.execute.median = Duration::from_nanos(123_456_789);
            figures.root_median = Some(Duration::from_nanos(123_456_789));
            figures.bound_speedup = Some(100.25);
            let speedup = Speedup { ratio: 99.99, ci_low: 99.98, ci_high: 100.01 };
            figures.comparison = Comparison::Against { speedup, total_speedup: None };
        }
        rows.push(row);
    }
    let mut report = testing::report_of(rows);
    report.machine.cpu_model = "Processor ".repeat(20);
    report.machine.kernel = "Kernel ".repeat(20);
    report.settings.blocks = "19426587,".repeat(1_000);
    report.settings.seed = u64::MAX;
    report.warnings = vec![Warning::FrequencyScaling { governor: "schedutil ".repeat(30) }];

    for line in written(&report).lines().filter(|line| !line.starts_with("fell back")) {
        assert!(line.chars().count() <= 100, "{} columns: {line}", line.chars().count());
    }
}

#[test]
fn a_mismatch_shows_its_reason_and_no_number() {
    let report = testing::report_of(vec![testing::baseline(), testing::mismatch()]);
    let text = written(&report);
    assert!(text.contains("MISMATCH\n"), "{text}");
    let problem = format!("\nMISMATCH: block 19426587, two-phase on 8 threads: {}\n", testing::WHY);
    assert!(text.contains(&problem), "{text}");
    assert_eq!(last_line(&report), "1 block, 2 rows: 1 match mainnet, 1 DOES NOT");
}

#[test]
fn blocks_are_grouped_by_fork_in_any_row_order() {
    let old = |mut row: Row| {
        row.block.fork = "London".into();
        row
    };
    let rows = vec![
        paced(5, 10),
        old(paced(6, 10)),
        raced(5, 5, 2.0),
        old(raced(6, 5, 2.0)),
        paced(7, 10),
    ];
    let text = written(&testing::report_of(rows));
    let starts: Vec<_> = text
        .lines()
        .skip_while(|line| !line.starts_with("— Cancun"))
        .filter_map(|line| line.split("  ").next())
        .filter(|start| start.starts_with('—') || start.parse::<u64>().is_ok())
        .take(5)
        .collect();
    assert_eq!(starts, ["— Cancun", "5", "7", "— London", "6"]);
    assert!(text.contains("fork    blocks  block-stm ×8"), "{text}");
}

#[test]
fn a_fallback_is_marked_and_explained() {
    let mut row = testing::contender();
    row.mode = Mode::FellBack("block has no access list".into());
    let text = written(&testing::report_of(vec![testing::baseline(), row]));
    assert!(text.contains("5.00 ms! 2,580 Mgas/s"), "{text}");
    assert!(text.contains("\n! fell back to another way of execution"), "{text}");
    let reason = "\nfell back: block 19426587, block-stm on 8 threads: block has no access list\n";
    assert!(text.contains(reason), "{text}");
}

#[test]
fn a_block_executed_on_one_thread_is_marked() {
    let mut row = testing::contender();
    row.mode = Mode::Sequential;
    let text = written(&testing::report_of(vec![testing::baseline(), row]));
    assert!(text.contains("5.00 ms= 2,580 Mgas/s"), "{text}");
    assert!(text.contains("\n= executed on one thread, as the baseline"), "{text}");
    assert_eq!(text.matches(" ms= ").count(), 1, "the baseline has no mark: {text}");
}

#[test]
fn without_a_verified_baseline_there_are_no_speedups() {
    let mut row = testing::contender();
    if let Verdict::Match(figures) = &mut row.verdict {
        figures.comparison = Comparison::NoBaseline;
    }
    let text = written(&testing::report_of(vec![row]));
    assert!(text.contains("\nThere are no speedups, because no baseline was verified"), "{text}");
    assert!(!text.contains("fastest"), "{text}");
}

#[test]
fn the_last_line_says_what_was_verified_and_how_far() {
    let to_root = testing::report_of(vec![testing::baseline(), testing::contender()]);
    let expected = "1 block, 2 rows: all match mainnet, 1 block to the state root";
    assert_eq!(last_line(&to_root), expected);

    let to_receipts = testing::report_of(vec![testing::receipts_only()]);
    let expected = "1 block, 1 row: all match mainnet, 1 block only to the receipts";
    assert_eq!(last_line(&to_receipts), expected);
    assert!(written(&to_receipts).contains("46147*"));
}

#[test]
fn the_fastest_contender_depends_on_the_interval() {
    let with = |ratio: f64| {
        let mut row = raced(5, 9, ratio);
        if let Verdict::Match(figures) = &mut row.verdict {
            let speedup = Speedup { ratio, ci_low: ratio - 0.05, ci_high: ratio + 0.05 };
            figures.comparison = Comparison::Against { speedup, total_speedup: None };
        }
        written(&testing::report_of(vec![paced(5, 10), row]))
    };
    for (ratio, words) in [
        (1.5, "\nfastest: block-stm on 8 threads, 1.50 [1.45, 1.55] times as fast as the baseline"),
        (
            1.02,
            "\nno executor was clearly faster than the baseline; the best, block-stm on 8 threads: 1.02",
        ),
        (0.8, "\nno executor was faster than the baseline; the best, block-stm on 8 threads: 0.80"),
    ] {
        let text = with(ratio);
        assert!(text.contains(words), "{text}");
    }
}

#[test]
fn a_speedup_within_the_noise_floor_is_not_called_fastest() {
    let with = |noise: f64| {
        let mut report = testing::report_of(vec![paced(5, 10), raced(5, 9, 1.1)]);
        let itself = Speedup { ratio: 1.0, ci_low: 1.0, ci_high: 1.0 + noise };
        report.self_checks.push(testing::self_check(itself));
        written(&report)
    };
    let (quiet, noisy) = (with(0.05), with(0.2));
    assert!(quiet.contains("\nfastest: block-stm on 8 threads, 1.10"), "{quiet}");
    assert!(
        noisy.contains("\nno executor was clearly faster than the baseline; the best"),
        "{noisy}"
    );
}

#[test]
fn another_chain_is_not_called_mainnet() {
    let mut row = testing::baseline();
    row.block.chain_id = 17_000;
    assert!(last_line(&testing::report_of(vec![row])).contains("all match chain 17000"));
}

#[test]
fn a_report_with_failures_only_has_no_table() {
    let report = Report { rows: vec![], ..testing::report() };
    let text = written(&report);
    assert!(!text.contains("executor"), "{text}");
    assert!(text.contains("\nnot run: block 19426588: not cached; fetch it first\n"), "{text}");
    let last = "0 blocks, 0 rows: nothing was verified; 1 block not run";
    assert_eq!(text.lines().last(), Some(last));
}

#[test]
fn control_characters_of_a_reason_are_removed() {
    let what = "node said:\n\t\u{1b}[31mno\u{7} such block".into();
    let report =
        Report { failures: vec![Failure { block: 5, what }], ..testing::report_of(vec![]) };
    assert!(written(&report).contains("\nnot run: block 5: node said: [31mno such block\n"));
}

#[test]
fn a_winner_with_oracle_knowledge_is_shown_with_the_best_contender_without() {
    let mut report = testing::report_of(vec![
        paced(5, 900),
        Row { executor: "bal".into(), ..raced(5, 300, 3.0) },
        raced(5, 450, 2.0),
    ]);
    assert!(!written(&report).contains("oracle knowledge"));
    let (executor, what) = ("bal".into(), "everything".into());
    report.settings.oracle_knowledge = vec![OracleKnowledge { executor, what, carried_by: 0 }];
    let text = one_line(&written(&report));
    let told = "over 1 block; it has oracle knowledge (everything); fastest without: block-stm on 8 threads: 2.00 [";
    assert!(text.contains(told), "{text}");
    let totals = shown(&report, Detail::Totals);
    assert!(totals.contains("bal has oracle knowledge: everything.\n"), "{totals}");

    report.settings.note_carried(3, |_| 2);
    let with_some = shown(&report, Detail::Totals);
    assert!(
        with_some.contains("bal has oracle knowledge: everything. 2 blocks carry it.\n"),
        "{with_some}"
    );
    report.settings.note_carried(2, |_| 2);
    let without = shown(&report, Detail::Totals);
    assert!(
        without.contains("bal has no oracle knowledge. Every block carries it: everything.\n"),
        "{without}"
    );
    assert!(!one_line(&written(&report)).contains("it has oracle knowledge"));
}

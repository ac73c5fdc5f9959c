use std::time::Duration;

use super::super::testing::{self, paced, raced};
use super::*;
use crate::measure::warnings::Warning;
use crate::report::{Failure, OracleKnowledge, summary::one_line};

fn written(report: &Report) -> String {
    shown(report, Detail::Blocks)
}

fn shown(report: &Report, detail: Detail) -> String {
    in_width(report, detail, 100)
}

fn in_width(report: &Report, detail: Detail, width: usize) -> String {
    let mut out = Vec::new();
    write(report, Layout { detail, width }, anstream::StripStream::new(&mut out)).unwrap();
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
fn the_details_of_a_small_report_match_the_snapshot() {
    let text = shown(&testing::full_report(), Detail::Full);
    let expected = include_str!("panel.txt");
    assert!(text.contains(expected), "got:\n{text}");
}

#[test]
fn quiet_output_is_the_problems_the_winner_and_the_verdict() {
    let text = shown(&testing::full_report(), Detail::Totals);
    let starts: Vec<_> = text.lines().filter_map(|line| line.split([':', ' ']).next()).collect();
    let expected =
        ["MISMATCH", "not", "", "do", "fastest", "with", "bottlenecks", "", "noise", "2"];
    assert_eq!(starts, expected, "{text}");
    assert_eq!(text.lines().last(), Some(&*last_line(&testing::full_report())));
}

fn coloured(report: &Report) -> String {
    let mut out = Vec::new();
    write(report, Layout { detail: Detail::Blocks, width: 100 }, &mut out).unwrap();
    String::from_utf8(out).unwrap()
}

#[test]
fn green_is_for_verdicts_only() {
    let text = coloured(&testing::full_report());
    assert!(text.contains("\u{1b}[1m1.60 [1.55, 1.65]\u{1b}[0m"), "{text:?}");
    assert!(text.contains("\u{1b}[1m\u{1b}[31mMISMATCH\u{1b}[0m"), "{text:?}");
    assert!(!text.contains("\u{1b}[32m"), "nothing is green after a mismatch: {text:?}");
    let text = coloured(&testing::report_of(vec![testing::baseline(), testing::contender()]));
    assert_eq!(text.matches("\u{1b}[32m").count(), 1, "{text:?}");
    assert!(text.contains("\u{1b}[32m1 block, 2 rows: all match mainnet"), "{text:?}");
}

#[test]
fn worthless_figures_are_called_so_before_the_winner() {
    let mut report = testing::report_of(vec![testing::baseline(), testing::contender()]);
    assert!(!coloured(&report).contains("do not quote"));
    report.warnings = vec![Warning::OtherLoad { processors: 1.4 }];
    let text = coloured(&report);
    let yellow =
        "\u{1b}[1m\u{1b}[33mdo not quote: other processes used 1.40 CPUs on average\u{1b}[0m\n";
    assert!(text.contains(&format!("{yellow}fastest: ")), "{text:?}");
}

/// Words of more than a few letters, so that figures of one width need not occur in another.
fn words(text: &str) -> std::collections::BTreeSet<&str> {
    let letters = |word: &&str| word.chars().filter(|char| char.is_alphabetic()).count() > 2;
    text.split_whitespace().filter(letters).collect()
}

#[test]
fn every_width_is_kept_and_no_word_is_cut() {
    let mut report = testing::full_report();
    for executor in ["access-list", "sharded-by-access", "two-phase", "prefetch", "bal"] {
        report.rows.push(Row { executor: executor.into(), ..testing::contender() });
        report.rows.push(Row { executor: executor.into(), ..raced(7, 6_000, 1.4) });
    }
    for detail in [Detail::Full, Detail::Blocks, Detail::Totals] {
        let wide = in_width(&report, detail, 200);
        let known = words(&wide);
        for width in [60, 80, 100, 140] {
            let text = in_width(&report, detail, width);
            let longest = text.lines().map(|line| line.chars().count()).max();
            assert!(longest <= Some(width), "{width}: {text}");
            // A narrow terminal shows the fastest contender in place of all.
            let unknown: Vec<_> = words(&text)
                .into_iter()
                .filter(|word| {
                    !known.contains(word) && !["fastest", "executor", "row"].contains(word)
                })
                .collect();
            assert!(unknown.is_empty(), "{width}: {unknown:?} in {text}");
        }
    }
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

    for line in shown(&report, Detail::Full).lines() {
        assert!(line.chars().count() <= 100, "{} columns: {line}", line.chars().count());
    }
}

#[test]
fn a_mismatch_shows_its_reason_and_no_number() {
    let report = testing::report_of(vec![testing::baseline(), testing::mismatch()]);
    let text = written(&report);
    assert!(text.contains("MISMATCH\n"), "{text}");
    let problem = format!("MISMATCH: block 19426587, two-phase on 8 threads: {}", testing::WHY);
    assert!(one_line(&text).contains(&problem), "{text}");
    assert_eq!(last_line(&report), "1 block, 2 rows: 1 match mainnet, 1 DOES NOT");
}

#[test]
fn details_are_grouped_by_fork_in_any_row_order() {
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
    let text = shown(&testing::report_of(rows), Detail::Full);
    let starts: Vec<_> = text
        .lines()
        .skip_while(|line| !line.starts_with("— Cancun"))
        .filter_map(|line| line.split("  ").next())
        .filter(|start| start.starts_with('—') || start.parse::<u64>().is_ok())
        .take(5)
        .collect();
    assert_eq!(starts, ["— Cancun", "5", "7", "— London", "6"]);
    assert!(text.contains("fork    blocks  block-stm on 8 threads"), "{text}");
}

#[test]
fn a_fallback_is_marked_and_explained() {
    let mut row = testing::contender();
    row.mode = Mode::FellBack("block has no access list".into());
    let text = shown(&testing::report_of(vec![testing::baseline(), row]), Detail::Full);
    assert!(text.contains("1.60 [1.55, 1.65]!\n"), "{text}");
    assert!(text.contains("5.00 ms! 2,580 Mgas/s"), "{text}");
    assert!(text.contains("\n! fell back to another way of execution"), "{text}");
    let reason = "\nfell back: block 19426587, block-stm on 8 threads: block has no access list\n";
    assert!(text.contains(reason), "{text}");
}

#[test]
fn a_block_executed_on_one_thread_is_marked() {
    let mut row = testing::contender();
    row.mode = Mode::Sequential;
    let text = shown(&testing::report_of(vec![testing::baseline(), row]), Detail::Full);
    assert!(text.contains("1.60 [1.55, 1.65]=\n"), "{text}");
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
        assert!(one_line(&text).contains(words.trim()), "{text}");
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
    assert!(!text.contains("baseline  "), "{text}");
    assert!(text.contains("\nnot run: block 19426588: not cached; fetch it first\n"), "{text}");
    let last = "0 blocks, 0 rows: nothing was verified; 1 block not run";
    assert_eq!(text.lines().last(), Some(last));
}

#[test]
fn control_characters_of_a_reason_are_removed() {
    let what = "node said:\n\t\u{1b}[31mno\u{7} such block".into();
    let report = Report {
        failures: vec![Failure { block: 5, what, may_pass: false }],
        ..testing::report_of(vec![])
    };
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
    let totals = written(&report);
    assert!(totals.contains("bal has oracle knowledge: everything.\n"), "{totals}");

    report.settings.note_carried(3, |_| 2);
    let with_some = written(&report);
    assert!(
        one_line(&with_some).contains("bal has oracle knowledge: everything. 2 blocks carry it."),
        "{with_some}"
    );
    report.settings.note_carried(2, |_| 2);
    let without = written(&report);
    assert!(
        one_line(&without)
            .contains("bal has no oracle knowledge. Every block carries it: everything."),
        "{without}"
    );
    assert!(!one_line(&written(&report)).contains("it has oracle knowledge"));
}

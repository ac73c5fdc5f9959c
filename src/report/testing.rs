//! Builds small reports for the tests of this folder.

use alloy_primitives::b256;

use super::*;
use crate::measure::{
    sample::{Counts, Sample},
    stats::Summary,
};

pub(super) const HASH: B256 =
    b256!("0x1111111111111111222222222222222233333333333333334444444444444444");

pub(super) const FRONTIER_HASH: B256 =
    b256!("0x5555555555555555666666666666666677777777777777778888888888888888");

pub(super) const WHY: &str = "receipt 12: expected status success, found failure";

/// A validator for the text of a schema.
pub(super) fn validator(schema: &str) -> jsonschema::Validator {
    jsonschema::validator_for(&serde_json::from_str(schema).unwrap()).unwrap()
}

/// Checks a document, and names every place that the schema does not allow.
#[track_caller]
pub(super) fn assert_valid(validator: &jsonschema::Validator, document: &serde_json::Value) {
    let errors: Vec<_> = validator
        .iter_errors(document)
        .map(|error| format!("{}: {error}", error.instance_path()))
        .collect();
    assert!(errors.is_empty(), "{}", errors.join("\n"));
}

/// A report of two replayed blocks and a missing one. One block has a flat pre-state, and one row is a mismatch.
pub(super) fn report() -> Report {
    let rows = vec![baseline(), contender(), mismatch(), receipts_only()];
    let failures = vec![Failure {
        block: 19_426_588,
        what: "not cached; fetch it first".into(),
        may_pass: false,
    }];
    Report { failures, ..report_of(rows) }
}

pub(super) fn provenance() -> Provenance {
    Provenance {
        date: "2026-03-01T12:00:00Z".into(),
        commit: Some("0123456789abcdef0123456789abcdef01234567".into()),
        rustc: Some("rustc 1.95.0 (000000000 2026-01-01)".into()),
        target: "x86_64-unknown-linux-gnu".into(),
        target_features: vec!["sse".into(), "sse2".into()],
        profile: "release, opt-level 3".into(),
    }
}

pub(super) fn report_of(rows: Vec<Row>) -> Report {
    let machine = Machine {
        cpu_model: "AMD EPYC 7763 64-Core Processor".into(),
        logical_cpus: threads(16),
        physical_cores: Some(8),
        caches: vec!["L1d 32K".into(), "L2 512K".into(), "L3 32M".into()],
        memory_bytes: Some(64_000_000_000),
        governor: Some("performance".into()),
        energy_counters: None,
        kernel: "Linux 6.8.0-45-generic".into(),
        allocator: "mimalloc".into(),
        blockrace_version: "0.1.0".into(),
        build: "release".into(),
        libraries: [("revm".to_owned(), "43.0.0".to_owned())].into(),
    };
    let settings = Settings {
        baseline: "sequential".into(),
        executors: vec!["sequential".into(), "block-stm".into(), "two-phase".into()],
        threads: vec![threads(8)],
        iterations: setting::Amount::Rounds(10),
        warmup: setting::Amount::Auto,
        time_limit_s: None,
        self_check: false,
        pinned: false,
        asleep: false,
        seed: 42,
        merge: None,
        state_latency: Duration::ZERO,
        oracle_knowledge: vec![],
        carried_by_blocks: vec![],
        blocks: "19426587,46147,19426588".into(),
        command: "blockrace replay 19426587,46147,19426588 --seed 42".into(),
    };
    Report {
        provenance: provenance(),
        machine,
        settings,
        rows,
        failures: vec![],
        self_checks: vec![],
        preparation: vec![],
        profiled: vec![],
        warnings: vec![],
        pictures: vec![],
        explorer: None,
    }
}

/// An A/A run on the block of [`baseline`].
pub(super) fn self_check(ratio: Speedup) -> SelfCheckRow {
    self_checks_of(1, ratio)
}

/// Concurrent baselines on the block of [`baseline`].
pub(super) fn self_checks_of(threads: usize, ratio: Speedup) -> SelfCheckRow {
    let laps = vec![Duration::from_millis(8), Duration::from_millis(9)];
    let threads = self::threads(threads);
    SelfCheckRow { chain_id: 1, number: 19_426_587, hash: HASH, threads, ratio, laps }
}

/// A profiled run of block `number` on eight threads. It takes `times` × 1.25 ms, half of it execution.
pub(super) fn profiled(number: u64, times: u32) -> ProfiledRun {
    let ms = Duration::from_millis;
    let latency = crate::insight::Latency { first: 0.1, p50: 0.5, p90: 0.9, p99: 0.99 };
    let spent = crate::insight::Spent {
        useful: ms(5) * times,
        wasted: ms(1) * times,
        searching: ms(2) * times,
        tail: ms(1) * times,
        outside: ms(1) * times,
        ..Default::default()
    };
    ProfiledRun {
        chain_id: 1,
        number,
        hash: HASH,
        executor: "block-stm".into(),
        threads: threads(8),
        total: Duration::from_micros(1_250) * times,
        alone: Some(ms(1)),
        spent,
        latency: Some(latency),
    }
}

/// The contender's row of block `number`, with a time of `micros` µs and this speedup.
pub(super) fn raced(number: u64, micros: u64, ratio: f64) -> Row {
    let mut row = contender();
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

/// The baseline's row of block `number`, with a time of `micros` µs.
pub(super) fn paced(number: u64, micros: u64) -> Row {
    let mut row = Row { block: raced(number, 1, 1.0).block, ..baseline() };
    if let Verdict::Match(figures) = &mut row.verdict {
        figures.execute.median = Duration::from_micros(micros);
    }
    row
}

/// A report that fills every part of a page: two blocks, bounds, warnings, pictures.
pub(super) fn full_report() -> Report {
    let mut bounded = contender();
    if let Verdict::Match(figures) = &mut bounded.verdict {
        figures.bound_speedup = Some(2.0);
    }
    let rows = vec![baseline(), bounded, mismatch(), paced(7, 9_000), raced(7, 6_000, 1.5)];
    let span = |thread, start, kind| picture::Span {
        thread,
        start: Duration::from_micros(start),
        length: Duration::from_micros(900),
        kind,
    };
    let schedule = picture::Schedule {
        title: "block-stm on 2 threads".into(),
        threads: threads(2),
        total: Duration::from_micros(2_000),
        spans: vec![
            span(0, 0, picture::SpanKind::Counted),
            span(1, 0, picture::SpanKind::ThrownAway),
            span(1, 900, picture::SpanKind::Counted),
            span(0, 900, picture::SpanKind::Waiting),
        ],
    };
    let picture = BlockPicture {
        block: HASH,
        critical_path_share: 0.4,
        bounds: vec![(threads(1), 1.0), (threads(8), 2.0)],
        conflicts: vec![picture::HotSpot { place: "slot 3 of 0x<Router>".into(), transactions: 9 }],
        critical_path: [0, 1, 4]
            .map(|tx| picture::PathStep {
                tx,
                hash: HASH,
                to: (tx > 0).then_some(alloy_primitives::Address::ZERO),
                gas: 21_000,
                time: Duration::from_micros(300),
            })
            .to_vec(),
        dependencies: vec![(0, 1), (1, 4)],
        schedules: vec![schedule],
    };
    let ms = Duration::from_millis;
    let preparation = PreparationRow {
        rules: Some(HASH),
        chain_id: 1,
        number: 19_426_587,
        decode: ms(1),
        senders: ms(9),
        witness: ms(4),
        flatten: ms(12),
    };
    Report {
        self_checks: vec![self_check(Speedup { ratio: 1.0, ci_low: 0.99, ci_high: 1.02 })],
        preparation: vec![preparation],
        profiled: vec![profiled(19_426_587, 1)],
        warnings: vec![Warning::OtherLoad { processors: 0.5 }],
        pictures: vec![picture],
        failures: report().failures,
        ..report_of(rows)
    }
}

pub(super) fn baseline() -> Row {
    let figures = Figures {
        root_median: Some(Duration::from_micros(2_345)),
        total_median: Some(Duration::from_micros(10_345)),
        total_speedup_in_turn: None,
        ..figures(8_000, Comparison::Baseline)
    };
    row("sequential", 1, Mode::Sequential, Verdict::Match(figures))
}

pub(super) fn contender() -> Row {
    let speedup = Speedup { ratio: 1.6, ci_low: 1.55, ci_high: 1.65 };
    let sample = |micros| Sample {
        whole: None,
        execute: Duration::from_micros(micros),
        root: Some(Duration::from_micros(2_345)),
        cpu: Some(Duration::from_millis(31)),
        counts: Some(Counts { instructions: 40_000_000, cycles: 50_000_000 }),
        energy_uj: None,
    };
    let figures = Figures {
        root_median: Some(Duration::from_micros(2_345)),
        total_median: Some(Duration::from_micros(7_345)),
        total_speedup_in_turn: None,
        incarnations: Some(175),
        wasted_gas: Some(310_000),
        cpu_median: Some(Duration::from_millis(31)),
        counts_median: Some(Counts { instructions: 40_000_000, cycles: 50_000_000 }),
        samples: vec![sample(4_900), sample(5_100)],
        ..figures(5_000, Comparison::Against { speedup, total_speedup: Some(1.375) })
    };
    row("block-stm", 8, Mode::Parallel, Verdict::Match(figures))
}

pub(super) fn mismatch() -> Row {
    row("two-phase", 8, Mode::Parallel, Verdict::Mismatch(WHY.into()))
}

pub(super) fn receipts_only() -> Row {
    let execute = Duration::from_millis(8);
    let samples = vec![Sample {
        execute,
        root: None,
        whole: None,
        cpu: None,
        counts: None,
        energy_uj: Some(250_000),
    }];
    let figures = Figures { samples, ..figures(8_000, Comparison::Baseline) };
    let row = row("sequential", 1, Mode::Sequential, Verdict::Match(figures));
    let block = BlockFacts {
        number: 46_147,
        hash: FRONTIER_HASH,
        fork: "Frontier".into(),
        transactions: 1,
        gas_used: 21_000,
        ..row.block
    };
    Row { block, verified_to: VerifiedTo::Receipts, ..row }
}

pub(super) fn threads(threads: usize) -> NonZeroUsize {
    NonZeroUsize::new(threads).unwrap()
}

fn figures(micros: u64, comparison: Comparison) -> Figures {
    let [median, ci_low, ci_high] = [micros, micros - 100, micros + 100].map(Duration::from_micros);
    Figures {
        execute: Summary { median, ci_low, ci_high },
        comparison,
        root_median: None,
        total_median: None,
        total_speedup_in_turn: None,
        bound_speedup: None,
        total_bound: None,
        incarnations: None,
        wasted_gas: None,
        cross_shard: None,
        early_slots: None,
        early_slots_again: None,
        cpu_median: None,
        counts_median: None,
        outliers: 0,
        drift: None,
        samples: vec![],
    }
}

fn row(executor: &str, count: usize, mode: Mode, verdict: Verdict) -> Row {
    let block = BlockFacts {
        chain_id: 1,
        number: 19_426_587,
        hash: HASH,
        fork: "Cancun".into(),
        transactions: 167,
        gas_used: 12_900_000,
        gas_limit: 30_000_000,
        timestamp: 1_710_338_135,
        confirmed: Some(Confirmation::Given),
    };
    Row {
        block,
        executor: executor.into(),
        threads: threads(count),
        schedule: match mode {
            Mode::Sequential => Schedule::InOrder,
            Mode::Parallel | Mode::FellBack(_) => Schedule::Dependencies,
        },
        mode,
        iterations: 10,
        verdict,
        verified_to: VerifiedTo::StateRoot,
    }
}

/// Asserts that the page loads nothing from outside.
pub(super) fn assert_self_contained(page: &str) {
    for reference in ["http://", "https://", "src=", "@import", "url(", "<script", "<iframe"] {
        // HTML needs no XML namespace, so a page has no `http://` at all.
        assert!(!page.contains(reference), "{reference}");
    }
}

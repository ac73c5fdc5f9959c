//! Small reports for the tests of this folder.

use alloy_primitives::b256;

use super::*;

pub(super) const HASH: B256 =
    b256!("0x1111111111111111222222222222222233333333333333334444444444444444");

pub(super) const FRONTIER_HASH: B256 =
    b256!("0x5555555555555555666666666666666677777777777777778888888888888888");

pub(super) const WHY: &str = "receipt 12: expected status success, found failure";

/// Two blocks that ran, one of them from a flat pre-state, one mismatch, and a block that is
/// missing.
pub(super) fn report() -> Report {
    let rows = vec![baseline(), contender(), mismatch(), receipts_only()];
    let failures = vec![Failure { block: 19_426_588, what: "not cached; fetch it first".into() }];
    Report { failures, ..report_of(rows) }
}

pub(super) fn report_of(rows: Vec<Row>) -> Report {
    let machine = Machine {
        cpu_model: "AMD EPYC 7763 64-Core Processor".into(),
        logical_cpus: threads(16),
        kernel: "Linux 6.8.0-45-generic".into(),
        allocator: "mimalloc".into(),
        blockrace_version: "0.1.0".into(),
    };
    let settings = Settings {
        executors: vec!["sequential".into(), "block-stm".into(), "two-phase".into()],
        threads: vec![threads(8)],
        iterations: 10,
        warmup: 1,
        seed: 42,
        state_latency: Duration::ZERO,
        known_beforehand: vec![],
        blocks: "19426587,46147,19426588".into(),
    };
    Report { machine, settings, rows, failures: vec![] }
}

pub(super) fn baseline() -> Row {
    let figures = Figures {
        root_median: Some(Duration::from_micros(2_345)),
        total_median: Some(Duration::from_micros(10_345)),
        ..figures(8_000, Comparison::Baseline)
    };
    row("sequential", 1, Mode::Sequential, Verdict::Match(figures))
}

pub(super) fn contender() -> Row {
    let speedup = Speedup { ratio: 1.6, ci_low: 1.55, ci_high: 1.65 };
    let sample = |micros| Sample {
        execute: Duration::from_micros(micros),
        root: Some(Duration::from_micros(2_345)),
        cpu: Some(Duration::from_millis(31)),
    };
    let figures = Figures {
        root_median: Some(Duration::from_micros(2_345)),
        total_median: Some(Duration::from_micros(7_345)),
        incarnations: Some(175),
        wasted_gas: Some(310_000),
        cpu_median: Some(Duration::from_millis(31)),
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
    let samples = vec![Sample { execute, root: None, cpu: None }];
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
        bound_speedup: None,
        incarnations: None,
        wasted_gas: None,
        cross_shard: None,
        cpu_median: None,
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
    };
    Row {
        block,
        executor: executor.into(),
        threads: threads(count),
        mode,
        iterations: 10,
        verdict,
        verified_to: VerifiedTo::StateRoot,
    }
}

use rand::{RngExt, SeedableRng, rngs::Xoshiro256PlusPlus};

use super::super::{json, testing};
use super::*;
use crate::measure::sample::Sample;
use crate::report::{Report, Verdict};
use std::time::Duration;

const ROUNDS: usize = 12;

/// A run of the baseline and a contender over 30 blocks. `machine` scales all times, and `slowdown` scales
/// the contender's times. Samples vary by a few percent.
fn run(seed: u64, machine: f64, slowdown: f64) -> Run {
    let mut rng = Xoshiro256PlusPlus::seed_from_u64(seed);
    let mut rows = Vec::new();
    for number in 1..=30 {
        let mut block = [testing::paced(number, 1), testing::raced(number, 1, 1.5)];
        let level = [20.0 * machine, 12.0 * machine * slowdown];
        for (row, level) in block.iter_mut().zip(level) {
            let Verdict::Match(figures) = &mut row.verdict else { unreachable!("it matched") };
            let time = |_| Duration::from_secs_f64(level * 1e-3 * rng.random_range(0.96..1.04));
            let lap = |execute| Sample {
                execute,
                root: None,
                whole: None,
                cpu: None,
                counts: None,
                energy_uj: None,
            };
            figures.samples = (0..ROUNDS).map(time).map(lap).collect();
        }
        rows.extend(block);
    }
    read(&testing::report_of(rows))
}

fn read(report: &Report) -> Run {
    let mut file = Vec::new();
    json::write(report, &mut file).unwrap();
    Run::read(file.as_slice()).unwrap()
}

#[test]
fn a_slowdown_of_five_percent_is_a_regression_on_any_machine() {
    let caught = (0..10)
        .filter(|pair| {
            let (base, new) = (run(2 * pair, 1.0, 1.0), run(2 * pair + 1, 1.3, 1.05));
            Comparison::new(&base, &new, By::Speedup, 0.03).answer() == Answer::Regressed
        })
        .count();
    assert!(caught >= 9, "{caught} of 10");
}

#[test]
fn equal_runs_are_no_regression_even_on_a_slower_machine() {
    for pair in 0..20 {
        let (base, new) = (run(100 + 2 * pair, 1.0, 1.0), run(101 + 2 * pair, 1.1, 1.0));
        let compared = Comparison::new(&base, &new, By::Speedup, 0.03);
        let change = compared.contenders[0].overall;
        assert_eq!(compared.answer(), Answer::NotRegressed, "pair {pair}: {change:?}");
        assert_eq!(compared.contenders.len(), 1, "the baseline is not compared with itself");
    }
}

/// A run with two concurrent baselines. `neighbour` scales all times on two threads.
fn disturbed(seed: u64, neighbour: f64, slowdown: f64) -> Run {
    let mut run = run(seed, 1.0, slowdown * neighbour);
    let mut rng = Xoshiro256PlusPlus::seed_from_u64(!seed);
    let baseline = run.baseline.clone().unwrap();
    for block in run.blocks.keys() {
        let time = |_| 21e6 * neighbour * rng.random_range(0.96..1.04);
        let laps = (0..).zip((0..ROUNDS).map(time)).collect();
        run.times.insert((*block, Runner { threads: 2, ..baseline.clone() }), laps);
    }
    run.side_by_side.insert(2);
    run
}

#[test]
fn other_load_that_slows_down_concurrent_baselines_is_no_regression() {
    for pair in 0..20 {
        let (quiet, loud) =
            (disturbed(200 + 2 * pair, 1.0, 1.0), disturbed(201 + 2 * pair, 1.1, 1.0));
        let answer = |base: &Run, new: &Run| Comparison::new(base, new, By::Speedup, 0.03).answer();
        assert_eq!(answer(&quiet, &loud), Answer::NotRegressed, "{pair}");
        let worse = disturbed(201 + 2 * pair, 0.95, 1.06);
        assert_eq!(answer(&loud, &worse), Answer::Regressed, "{pair}");
        let alone = run(300 + pair, 1.0, 1.1);
        assert_eq!(
            answer(&quiet, &alone),
            Answer::Regressed,
            "{pair}: without concurrent baselines in both runs, one baseline is the reference"
        );
    }
}

/// A run with a contender that takes 1.5 times as long on one block.
fn with_a_slow_block(seed: u64) -> Run {
    let mut run = run(seed, 1.0, 1.0);
    for ((block, runner), laps) in &mut run.times {
        if block.1 == 17 && runner.executor == "block-stm" {
            laps.values_mut().for_each(|time| *time *= 1.5);
        }
    }
    run
}

#[test]
fn one_slower_block_is_a_regression_if_several_runs_agree() {
    let compared = |base: &Run, new: &Run| Comparison::new(base, new, By::Speedup, 0.03);
    let (mut base, mut new) = (run(1, 1.0, 1.0), with_a_slow_block(2));
    let once = compared(&base, &new);
    assert_eq!(
        (once.contenders[0].slower_blocks.as_slice(), once.answer()),
        (&[16][..], Answer::CannotTell)
    );
    base.join(run(3, 1.0, 1.0));
    let mut disturbed = new.clone();
    disturbed.join(run(4, 1.0, 1.0));
    let denied = compared(&base, &disturbed);
    assert!(denied.contenders[0].slower_blocks.is_empty(), "the second run was not slower");
    new.join(with_a_slow_block(4));
    assert_eq!(compared(&base, &new).answer(), Answer::Regressed);
}

#[test]
fn compared_by_time_a_slower_machine_is_a_regression_of_every_contender() {
    let compared = Comparison::new(&run(1, 1.0, 1.0), &run(2, 1.1, 1.0), By::Time, 0.03);
    assert_eq!(compared.contenders.len(), 2);
    assert!(compared.contenders.iter().all(|each| each.answer() == Answer::Regressed));
}

#[test]
fn versions_and_seeds_may_differ_and_other_properties_may_not() {
    let base = read(&testing::full_report());
    let mut other = testing::full_report();
    other.machine.blockrace_version = "9.9.9".into();
    other.settings.seed += 1;
    assert_eq!(differences(&base, &read(&other)), []);

    other.machine.logical_cpus = testing::threads(4);
    other.settings.pinned = true;
    other.rows.truncate(3);
    let found = differences(&base, &read(&other));
    let texts: Vec<_> =
        found.iter().map(|found| format!("{}: {}", found.aspect, found.what)).collect();
    assert_eq!(
        texts,
        [
            "machine: logical_cpus: 16 in the first run, 4 in the second run",
            "settings: pinned: false in the first run, true in the second run",
            "blocks: 1 only in the first run, the lowest: 7",
        ]
    );
}

#[test]
fn a_noise_floor_above_the_threshold_leaves_the_question_open() {
    for (pair, slowdown) in (0..20).zip([1.0, 1.02, 1.05, 1.1].into_iter().cycle()) {
        let (mut base, new) = (run(400 + 2 * pair, 1.0, 1.0), run(401 + 2 * pair, 1.0, slowdown));
        base.noise_floor = Some(0.2);
        let compared = Comparison::new(&base, &new, By::Speedup, 0.03);
        assert_eq!(compared.answer(), Answer::CannotTell, "{pair}");
        assert_eq!(compared.contenders[0].judgement, Judgement::Unclear(Doubt::Noise), "{pair}");
        let far = run(401 + 2 * pair, 1.0, 1.5);
        let compared = Comparison::new(&base, &far, By::Speedup, 0.03);
        assert_eq!(compared.answer(), Answer::Regressed, "{pair}: far above the floor");
    }
}

#[test]
fn few_blocks_of_one_run_show_no_regression_and_exclude_none() {
    let few = |mut run: Run, rounds: u64| {
        run.blocks.retain(|(_, number), _| *number <= 3);
        run.times.values_mut().for_each(|laps| laps.retain(|round, _| *round < rounds));
        run
    };
    let compared = |rounds, slowdown| {
        let (base, new) = (few(run(1, 1.0, 1.0), rounds), few(run(2, 1.0, slowdown), rounds));
        Comparison::new(&base, &new, By::Speedup, 0.05).contenders[0].judgement
    };
    assert_eq!(compared(12, 1.3), Judgement::Unclear(Doubt::SingleRun));
    assert_eq!(compared(12, 1.0), Judgement::Same);
    assert_eq!(compared(2, 1.0), Judgement::Unclear(Doubt::FewIterations));
    assert_eq!(compared(1, 1.3), Judgement::Unclear(Doubt::FewIterations));
}

#[test]
fn warnings_of_both_runs_are_kept() {
    let mut noisy = testing::full_report();
    noisy.warnings = vec![crate::measure::warnings::Warning::Unoptimised];
    let quiet = crate::report::Report { warnings: vec![], ..testing::full_report() };
    let compared = Comparison::new(&read(&quiet), &read(&noisy), By::Speedup, 0.03);
    let [base, new] = compared.sides;
    assert!(base.warnings.is_empty());
    let said =
        ["this is a debug build, so all times are too long; build with: cargo build --release"];
    assert_eq!(new.warnings, said);
}

#[test]
fn runs_without_common_blocks_have_no_changes() {
    let mut base = run(1, 1.0, 1.0);
    base.blocks.clear();
    assert!(Comparison::new(&base, &run(2, 1.0, 1.0), By::Speedup, 0.03).contenders.is_empty());
}

#[test]
fn rows_that_the_new_run_lacks_are_named() {
    let (base, mut new) = (run(1, 1.0, 1.0), run(2, 1.0, 1.0));
    let contender = base.runners.iter().find(|runner| base.baseline.as_ref() != Some(runner));
    let contender = contender.unwrap().clone();
    new.times.remove(&((1, 17), contender.clone()));
    let compared = Comparison::new(&base, &new, By::Speedup, 0.03);
    assert_eq!(compared.missing, [((1, 17), contender.clone())]);

    new.mismatched.insert(((1, 17), contender.clone()));
    let compared = Comparison::new(&base, &new, By::Speedup, 0.03);
    assert_eq!(compared.missing, [], "a mismatch is reported as such");

    new.runners.retain(|runner| *runner != contender);
    new.times.retain(|(_, runner), _| *runner != contender);
    let mut compared = Comparison::new(&base, &new, By::Speedup, 0.03);
    assert_eq!(compared.missing.len(), 29);
    compared.accept_other_contenders(&new);
    assert_eq!(compared.missing, []);
}

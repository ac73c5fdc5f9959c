//! Known answers: runs with noise between iterations, processes and blocks, with or without a known change.

use std::f64::consts::TAU;

use rand::rngs::Xoshiro256PlusPlus;
use rand::{RngExt, SeedableRng};

use super::*;

const BLOCKS: usize = 30;
const ROUNDS: usize = 12;

fn normal(rng: &mut Xoshiro256PlusPlus) -> f64 {
    let radius = (-2.0 * (1.0 - rng.random::<f64>()).ln()).sqrt();
    radius * (TAU * rng.random::<f64>()).cos()
}

/// One run: the costs of one contender on each block. Each process moves each block by about half a percent,
/// and iterations vary by 3 %. One sample in twenty is disturbed.
fn run(rng: &mut Xoshiro256PlusPlus, slowdown: impl Fn(usize) -> f64) -> Vec<Vec<f64>> {
    let block = |at: usize| {
        let level = 0.7 * slowdown(at) * (0.005 * normal(rng)).exp();
        let round = |_| {
            let disturbed = if rng.random_range(0..20) == 0 { 1.5 } else { 1.0 };
            level * disturbed * (0.03 * normal(rng)).exp()
        };
        (0..ROUNDS).map(round).collect()
    };
    (0..BLOCKS).map(block).collect()
}

fn changes(base: &[Vec<f64>], new: &[Vec<f64>]) -> Vec<BlockChange> {
    let between = |(base, new): (&Vec<f64>, &Vec<f64>)| BlockChange::between(base, new, 1).unwrap();
    base.iter().zip(new).map(between).collect()
}

fn judged(base: &[Vec<f64>], new: &[Vec<f64>], threshold: f64) -> (Judgement, Vec<usize>) {
    let changes = changes(base, new);
    let changes: Vec<_> = changes.iter().collect();
    let overall = overall(&changes, 1).unwrap();
    (overall.judge(threshold, 0.0), stands_out(&changes, threshold))
}

#[test]
fn a_slowdown_of_five_percent_is_detected() {
    let mut rng = Xoshiro256PlusPlus::seed_from_u64(5);
    for pair in 0..20 {
        let (base, new) = (run(&mut rng, |_| 1.0), run(&mut rng, |_| 1.05));
        assert_eq!(judged(&base, &new, 0.03).0, Judgement::Slower, "pair {pair}");
        assert_eq!(judged(&new, &base, 0.03).0, Judgement::Faster, "pair {pair}");
    }
}

#[test]
fn two_runs_of_the_same_program_give_no_regression() {
    let mut rng = Xoshiro256PlusPlus::seed_from_u64(6);
    for pair in 0..40 {
        let (base, new) = (run(&mut rng, |_| 1.0), run(&mut rng, |_| 1.0));
        assert_eq!(judged(&base, &new, 0.03), (Judgement::Same, vec![]), "pair {pair}");
    }
}

#[test]
fn a_single_block_that_became_much_slower_stands_out() {
    let mut rng = Xoshiro256PlusPlus::seed_from_u64(7);
    for pair in 0..20 {
        let base = run(&mut rng, |_| 1.0);
        let new = run(&mut rng, |at| if at == 17 { 1.3 } else { 1.0 });
        assert_eq!(judged(&base, &new, 0.03), (Judgement::Same, vec![17]), "pair {pair}");
    }
}

/// A disturbed sample of the baseline lowers the relative costs of all other contenders in its iteration.
#[test]
fn iterations_with_a_slow_baseline_hide_no_slower_block() {
    let mut rng = Xoshiro256PlusPlus::seed_from_u64(11);
    for pair in 0..20 {
        let mut joined = |slowdown: fn(usize) -> f64| {
            let mut all = run(&mut rng, slowdown);
            for _ in 0..2 {
                let more = run(&mut rng, slowdown);
                all.iter_mut().zip(more).for_each(|(all, more)| all.extend(more));
            }
            all
        };
        let base = joined(|_| 1.0);
        let mut new = joined(|at| if at == 17 { 1.2 } else { 1.0 });
        for costs in &mut new {
            costs[pair] *= 0.5;
            costs[pair + ROUNDS] *= 0.5;
        }
        assert_eq!(judged(&base, &new, 0.03), (Judgement::Same, vec![17]), "pair {pair}");
    }
}

#[test]
fn a_block_with_threads_on_one_core_in_most_iterations_does_not_stand_out() {
    let mut rng = Xoshiro256PlusPlus::seed_from_u64(9);
    for pair in 0..20 {
        let (base, mut new) = (run(&mut rng, |_| 1.0), run(&mut rng, |_| 1.0));
        for cost in &mut new[4][5..] {
            *cost *= 1.7;
        }
        assert_eq!(judged(&base, &new, 0.03), (Judgement::Same, vec![]), "pair {pair}");
    }
}

#[test]
fn other_load_in_a_third_of_a_run_gives_no_regression_and_hides_none() {
    let mut rng = Xoshiro256PlusPlus::seed_from_u64(10);
    for pair in 0..20 {
        let disturbed =
            |at: usize, slowdown: f64| if at < BLOCKS / 3 { 1.2 * slowdown } else { slowdown };
        let base = run(&mut rng, |_| 1.0);
        let (same, slower) =
            (run(&mut rng, |at| disturbed(at, 1.0)), run(&mut rng, |at| disturbed(at, 1.05)));
        assert_ne!(judged(&base, &same, 0.03).0, Judgement::Slower, "pair {pair}");
        assert_eq!(judged(&base, &slower, 0.03).0, Judgement::Slower, "pair {pair}");
    }
}

#[test]
fn the_interval_of_an_unchanged_contender_contains_one_in_about_95_percent() {
    let mut rng = Xoshiro256PlusPlus::seed_from_u64(8);
    let holds = |change: &Change| change.ci_low <= 1.0 && 1.0 <= change.ci_high;
    let held = (0..200)
        .filter(|_| {
            let (base, new) = (run(&mut rng, |_| 1.0), run(&mut rng, |_| 1.0));
            let changes = changes(&base[..10], &new[..10]);
            holds(&overall(&changes.iter().collect::<Vec<_>>(), 1).unwrap())
        })
        .count();
    assert!((180..=198).contains(&held), "{held} of 200");
}

#[test]
fn a_ratio_below_the_noise_floor_is_no_change() {
    let change = Change { ratio: 1.05, ci_low: 1.04, ci_high: 1.06 };
    assert_eq!(change.judge(0.03, 0.02), Judgement::Slower);
    assert_eq!(change.judge(0.03, 0.06), Judgement::Unclear(Doubt::Noise));
    assert_eq!(change.judge(0.06, 0.0), Judgement::Same);
}

#[test]
fn an_interval_across_the_threshold_neither_shows_nor_excludes_a_slowdown() {
    let change = Change { ratio: 1.02, ci_low: 0.99, ci_high: 1.05 };
    assert_eq!(change.judge(0.03, 0.0), Judgement::Unclear(Doubt::Interval));
    assert_eq!(change.judge(0.05, 0.0), Judgement::Same);
    let narrow = Change { ratio: 1.0, ci_low: 0.99, ci_high: 1.01 };
    assert_eq!(narrow.judge(0.03, 0.02), Judgement::Same);
    assert_eq!(narrow.judge(0.03, 0.04), Judgement::Unclear(Doubt::Noise));
    let faster = Change { ratio: 0.5, ci_low: 0.4, ci_high: 0.6 };
    assert_eq!(faster.judge(0.03, 0.2), Judgement::Faster);
}

#[test]
fn few_blocks_with_few_iterations_have_no_interval() {
    let of = |rounds: usize| BlockChange::between(&vec![1.0; rounds], &vec![1.0; rounds], 1);
    let (few, many) = (of(2).unwrap(), of(6).unwrap());
    assert!(!has_interval(&[&few, &many]));
    assert!(has_interval(&[&many]));
    assert!(has_interval(&[&few; 5]));
    assert!(!has_interval(&[]));
}

#[test]
fn missing_or_invalid_costs_cannot_be_compared() {
    assert!(BlockChange::between(&[], &[1.0], 0).is_none());
    assert!(BlockChange::between(&[1.0, 0.0], &[1.0], 0).is_none());
    assert!(BlockChange::between(&[1.0], &[f64::NAN], 0).is_none());
    assert!(overall(&[], 0).is_none());
}

//! The engine of `block-stm`, as `model/` compiles it, under schedules: all of them, up to some preemptions, for
//! small blocks, and many at random for others.
//!
//! `MODEL_EFFORT` multiplies how many, and `MODEL_SEED` says which blocks are generated.

#[path = "support/bounded.rs"]
mod bounded;

use blockrace_model::checks::{
    Scene, a_commit_ends_the_run, a_sleeper_is_woken_by_work, by_hand, generated,
    sleepers_are_told_to_stop, tiny, whoever_is_woken_wakes_the_next,
};
use bounded::Bounded;
use shuttle::{
    Config, Runner,
    scheduler::{PctScheduler, RandomScheduler, Scheduler},
};
use std::{env, str::FromStr};

fn number<N: FromStr>(variable: &str, default: N) -> N {
    let set = env::var(variable).ok();
    set.map_or(default, |text| text.parse().ok().expect("the variable is a number"))
}

fn effort() -> usize {
    number("MODEL_EFFORT", 1)
}

/// Two are more than a short run has time for.
fn preemptions() -> usize {
    if effort() > 1 { 2 } else { 1 }
}

/// Returns how many schedules there were.
fn try_all(check: impl Fn() + Send + Sync + 'static, scheduler: impl Scheduler + 'static) -> usize {
    let mut config = Config::new();
    config.stack_size = 1 << 18;
    Runner::new(scheduler, config).run(check)
}

fn run(scene: &Scene, scheduler: impl Scheduler + 'static) -> usize {
    let scene = scene.clone();
    try_all(move || scene.run(), scheduler)
}

/// Runs all schedules with at most so many preemptions, unless they are more than `most`.
fn run_bounded(scene: &Scene, preemptions: usize, most: usize) {
    let schedules = run(scene, Bounded::new(preemptions, most));
    let all = if schedules < most { "all" } else { "not all" };
    println!("{}: {schedules} schedules, {all} with {preemptions} preemptions", scene.name);
}

#[test]
fn s3_a_sleeper_is_woken_by_work_whatever_the_schedule() {
    assert!(try_all(a_sleeper_is_woken_by_work, Bounded::new(4, 100_000)) < 100_000);
}

#[test]
fn s3_whoever_is_woken_wakes_the_next_whatever_the_schedule() {
    assert!(try_all(whoever_is_woken_wakes_the_next, Bounded::new(2, 100_000)) < 100_000);
}

#[test]
fn sleepers_are_told_to_stop_whatever_the_schedule() {
    assert!(try_all(sleepers_are_told_to_stop, Bounded::new(3, 100_000)) < 100_000);
}

#[test]
fn a_commit_ends_the_run_whatever_the_schedule() {
    let schedules = try_all(a_commit_ends_the_run, Bounded::new(2, 50_000 * effort()));
    println!("{schedules} schedules");
    try_all(a_commit_ends_the_run, RandomScheduler::new(2_000 * effort()));
}

#[test]
fn the_smallest_blocks_end_as_in_block_order_whatever_the_schedule() {
    for scene in tiny() {
        run_bounded(&scene, 3, 200_000 * effort());
    }
}

#[test]
fn blocks_by_hand_end_as_in_block_order_whoever_is_preempted() {
    for scene in by_hand() {
        run_bounded(&scene, preemptions(), 20_000 * effort());
    }
}

#[test]
fn blocks_by_hand_end_as_in_block_order_under_random_schedules() {
    for scene in by_hand() {
        run(&scene, RandomScheduler::new(2_000 * effort()));
    }
}

/// Few changes of priority find what needs one thread to be held up for long.
#[test]
fn blocks_by_hand_end_as_in_block_order_under_priorities() {
    for scene in by_hand() {
        for depth in 1..=4 {
            run(&scene, PctScheduler::new(depth, 500 * effort()));
        }
    }
}

#[test]
fn generated_blocks_end_as_in_block_order() {
    for scene in generated(300 * effort(), number("MODEL_SEED", 1)) {
        run(&scene, RandomScheduler::new(15));
        run(&scene, PctScheduler::new(3, 15));
    }
}

//! Runs the engine of `block-stm`, as `model/` compiles it, under many schedules. Small blocks run under all
//! schedules with a limited number of preemptions, other blocks under random ones.
//!
//! `MODEL_EFFORT` multiplies the number of schedules, and `MODEL_SEED` selects the generated blocks.

#[path = "support/bounded.rs"]
mod bounded;

use blockrace_model::checks::{
    Scene, a_commit_ends_the_run, a_sleeper_is_woken_by_work, a_woken_worker_wakes_the_next,
    by_hand, generated, sleeping_workers_stop, tiny,
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

/// Two preemptions take too long for a short run.
fn preemptions() -> usize {
    if effort() > 1 { 2 } else { 1 }
}

/// Returns the number of schedules.
fn try_all(check: impl Fn() + Send + Sync + 'static, scheduler: impl Scheduler + 'static) -> usize {
    let mut config = Config::new();
    config.stack_size = 1 << 18;
    Runner::new(scheduler, config).run(check)
}

fn run(scene: &Scene, scheduler: impl Scheduler + 'static) -> usize {
    let scene = scene.clone();
    try_all(move || scene.run(), scheduler)
}

/// Runs all schedules with at most `preemptions` preemptions, but no more than `most` of them.
fn run_bounded(scene: &Scene, preemptions: usize, most: usize) {
    let schedules = run(scene, Bounded::new(preemptions, most));
    let all = if schedules < most { "all" } else { "not all" };
    println!("{}: {schedules} schedules, {all} with {preemptions} preemptions", scene.name);
}

#[test]
fn s3_work_wakes_a_sleeping_worker_in_every_schedule() {
    assert!(try_all(a_sleeper_is_woken_by_work, Bounded::new(4, 100_000)) < 100_000);
}

#[test]
fn s3_a_woken_worker_wakes_the_next_in_every_schedule() {
    assert!(try_all(a_woken_worker_wakes_the_next, Bounded::new(2, 100_000)) < 100_000);
}

#[test]
fn sleeping_workers_stop_in_every_schedule() {
    assert!(try_all(sleeping_workers_stop, Bounded::new(3, 100_000)) < 100_000);
}

#[test]
fn the_last_commit_ends_the_run_in_every_schedule() {
    let schedules = try_all(a_commit_ends_the_run, Bounded::new(2, 50_000 * effort()));
    println!("{schedules} schedules");
    try_all(a_commit_ends_the_run, RandomScheduler::new(2_000 * effort()));
}

#[test]
fn the_smallest_blocks_match_block_order_in_every_schedule() {
    for scene in tiny() {
        run_bounded(&scene, 3, 200_000 * effort());
    }
}

#[test]
fn handwritten_blocks_match_block_order_with_any_preemption() {
    for scene in by_hand() {
        run_bounded(&scene, preemptions(), 20_000 * effort());
    }
}

#[test]
fn handwritten_blocks_match_block_order_in_random_schedules() {
    for scene in by_hand() {
        run(&scene, RandomScheduler::new(2_000 * effort()));
    }
}

/// Few changes of priority find bugs that need one thread to be delayed for long.
#[test]
fn handwritten_blocks_match_block_order_under_priorities() {
    for scene in by_hand() {
        for depth in 1..=4 {
            run(&scene, PctScheduler::new(depth, 500 * effort()));
        }
    }
}

#[test]
fn generated_blocks_match_block_order() {
    for scene in generated(300 * effort(), number("MODEL_SEED", 1)) {
        run(&scene, RandomScheduler::new(15));
        run(&scene, PctScheduler::new(3, 15));
    }
}

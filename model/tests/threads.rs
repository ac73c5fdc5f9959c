//! Runs the same checks on real threads, for miri and the thread sanitizer, which inspect every
//! access.

#![cfg(not(feature = "schedules"))]

use blockrace_model::checks::{
    Scene, a_sleeper_is_woken_by_work, a_woken_worker_wakes_the_next, by_hand, generated,
    sleeping_workers_stop, tiny,
};

/// Miri takes about a second per block.
const TRIES: usize = if cfg!(miri) { 1 } else { 200 };
const GENERATED: usize = if cfg!(miri) { 5 } else { 400 };

fn run(scene: &Scene) {
    println!("{}", scene.name);
    (0..TRIES).for_each(|_| scene.run());
}

#[test]
fn hand_made_blocks_match_block_order() {
    tiny().iter().chain(&by_hand()).for_each(run);
}

#[test]
fn sleeping_workers_wake_and_stop() {
    for _ in 0..TRIES {
        a_sleeper_is_woken_by_work();
        a_woken_worker_wakes_the_next();
        sleeping_workers_stop();
    }
}

#[test]
fn generated_blocks_match_block_order() {
    generated(GENERATED, 1).iter().for_each(run);
}

//! The same blocks on real threads, for miri and the thread sanitizer, which look at every access.

#![cfg(not(feature = "schedules"))]

use blockrace_model::checks::{
    Scene, a_sleeper_is_woken_by_work, by_hand, generated, sleepers_are_told_to_stop, tiny,
    whoever_is_woken_wakes_the_next,
};

/// Miri takes about a second for a block.
const TRIES: usize = if cfg!(miri) { 1 } else { 200 };
const GENERATED: usize = if cfg!(miri) { 5 } else { 400 };

fn run(scene: &Scene) {
    println!("{}", scene.name);
    (0..TRIES).for_each(|_| scene.run());
}

#[test]
fn blocks_by_hand_end_as_in_block_order() {
    tiny().iter().chain(&by_hand()).for_each(run);
}

#[test]
fn sleepers_are_woken_and_told_to_stop() {
    for _ in 0..TRIES {
        a_sleeper_is_woken_by_work();
        whoever_is_woken_wakes_the_next();
        sleepers_are_told_to_stop();
    }
}

#[test]
fn generated_blocks_end_as_in_block_order() {
    generated(GENERATED, 1).iter().for_each(run);
}

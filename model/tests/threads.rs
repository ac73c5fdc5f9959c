//! The same blocks on real threads, for miri and the thread sanitizer, which look at every access.

#![cfg(not(feature = "schedules"))]

use blockrace_model::checks::{by_hand, generated, tiny};

const TRIES: usize = if cfg!(miri) { 1 } else { 200 };
const GENERATED: usize = if cfg!(miri) { 10 } else { 400 };

#[test]
fn blocks_by_hand_end_as_in_block_order() {
    for scene in tiny().into_iter().chain(by_hand()) {
        (0..TRIES).for_each(|_| scene.run());
    }
}

#[test]
fn generated_blocks_end_as_in_block_order() {
    generated(GENERATED, 1).iter().for_each(|scene| scene.run());
}

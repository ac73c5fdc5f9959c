//! The engine of `block-stm` in simulated time, as `benches/simulation.rs` uses it.

use blockrace_model::simulation::{Block, Change, Costs, Location, Simulated, Step, simulate};

const LENGTH: u64 = 100_000;

/// Costs too small to affect the counted steps.
const COSTS: Costs = Costs { lock: 1, look: 1, yielding: 1, wake: 1 };

fn simulated(steps: Vec<Step>, threads: usize) -> Simulated {
    simulate(Block { steps, early: vec![], accounts: 1, slots: 1 }, threads, COSTS)
}

/// Steps that all read one slot after this time and write it at their end.
fn dependent(count: usize, read_at: u64) -> Vec<Step> {
    let slot = Location::Slot(0, 0);
    let (reads, writes) = (vec![(read_at, slot)], vec![(slot, Change::Set)]);
    vec![Step { length: LENGTH, reads, writes, kinds: 0 }; count]
}

/// The duration in steps that run one after the other.
fn steps(Simulated { length, .. }: Simulated) -> u64 {
    (length + LENGTH / 20) / LENGTH
}

#[test]
fn independent_steps_share_the_threads() {
    let four = vec![Step { length: LENGTH, ..Step::default() }; 4];
    let took = [1, 2, 4, 8].map(|threads| steps(simulated(four.clone(), threads)));
    assert_eq!(took, [4, 2, 1, 1]);
}

#[test]
fn a_transaction_that_reads_too_early_is_executed_again() {
    let both = simulated(dependent(2, 0), 2);
    assert_eq!((steps(both), both.incarnations), (2, 3));
    let alone = simulated(dependent(2, 0), 1);
    assert_eq!((steps(alone), alone.incarnations), (2, 2));
}

#[test]
fn a_transaction_that_reads_published_values_does_not_wait() {
    let mut steps_to_take = dependent(2, LENGTH / 2);
    steps_to_take[0].length = LENGTH / 4;
    let both = simulated(steps_to_take, 2);
    assert_eq!((steps(both), both.incarnations), (1, 2));
}

#[test]
fn the_same_block_takes_the_same_time() {
    let twice = [(); 2].map(|()| simulated(dependent(12, LENGTH / 3), 4));
    assert_eq!(twice[0], twice[1]);
}

//! Schedules of hand-made and of random graphs. Workers end in any order.

use super::*;
use proptest::prelude::*;

fn graph(sources: &[&[TxIndex]], gas: &[u64]) -> Graph {
    let sources: Vec<_> = sources.iter().map(|sources| sources.to_vec()).collect();
    Graph::new(&sources, gas.to_vec())
}

fn schedule(graph: &Graph, threads: usize) -> Schedule<'_> {
    Schedule::new(graph, NonZeroUsize::new(threads).expect("not zero"))
}

/// The next batch of a worker that has ended `done`.
fn after(schedule: &Schedule<'_>, done: &[TxIndex]) -> Vec<TxIndex> {
    let mut batch = done.to_vec();
    schedule.next(&mut batch);
    batch
}

const LONG: u64 = 1_000_000;

#[test]
fn the_ready_transaction_with_the_longest_path_runs_first() {
    let graph = graph(&[&[], &[], &[1]], &[LONG, LONG, LONG]);
    let schedule = schedule(&graph, 2);
    assert_eq!(after(&schedule, &[]), [1]);
    assert_eq!(after(&schedule, &[]), [0]);
}

#[test]
fn a_waiting_transaction_starts_only_if_none_is_ready() {
    let graph = graph(&[&[], &[0], &[1], &[]], &[LONG, LONG, LONG, LONG]);
    let schedule = schedule(&graph, 2);
    assert_eq!(after(&schedule, &[]), [0]);
    assert_eq!(after(&schedule, &[]), [3], "1 would wait for 0");
    assert_eq!(after(&schedule, &[3]), [1], "1 is the only one left");
    assert_eq!(after(&schedule, &[0]), [2]);
    assert!(after(&schedule, &[1]).is_empty());
}

#[test]
fn many_cheap_transactions_are_taken_together() {
    let graph = graph(&[&[] as &[_]; 64], &[21_000; 64]);
    let schedule = schedule(&graph, 2);
    assert_eq!(after(&schedule, &[]), (0..9).collect::<Vec<_>>());
}

#[test]
fn a_stopped_schedule_returns_no_transactions() {
    let graph = graph(&[&[], &[], &[0]], &[LONG, LONG, LONG]);
    let schedule = schedule(&graph, 2);
    assert_eq!(after(&schedule, &[]), [0]);
    schedule.stop();
    assert!(after(&schedule, &[0]).is_empty());
}

/// Lower transactions that each transaction reads from.
fn sources() -> impl Strategy<Value = Vec<Vec<TxIndex>>> {
    let lower = |tx: usize| {
        let all: Vec<_> = (0..tx).collect();
        prop::sample::subsequence(all, 0..=tx.min(3))
    };
    (1..40_usize).prop_flat_map(move |count| (0..count).map(lower).collect::<Vec<_>>())
}

proptest! {
    /// At each step, any worker may end its batch.
    #[test]
    fn w1_sources_are_taken_first_and_w2_workers_get_work_while_some_remains(
        sources in sources(),
        gas in prop::collection::vec(21_000_u64..300_000, 40),
        workers in 1..5_usize,
        turns in prop::collection::vec(any::<prop::sample::Index>(), 200),
    ) {
        let graph = Graph::new(&sources, gas[..sources.len()].to_vec());
        let schedule = schedule(&graph, workers);
        let mut batches = vec![Vec::new(); workers];
        let mut taken = vec![false; sources.len()];
        for turn in turns {
            let batch = turn.get_mut(&mut batches);
            let got = schedule.next(batch);
            prop_assert_eq!(got, taken.contains(&false), "W2");
            for tx in batch {
                prop_assert!(sources[*tx].iter().all(|source| taken[*source]), "W1");
                prop_assert!(!std::mem::replace(&mut taken[*tx], true), "it was taken twice");
            }
        }
    }
}

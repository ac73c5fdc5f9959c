//! Schedules of graphs by hand and of random ones, with workers that end in any order.

use super::*;
use proptest::prelude::*;

fn graph(sources: &[&[TxIndex]], gas: &[u64]) -> Graph {
    let sources: Vec<_> = sources.iter().map(|sources| sources.to_vec()).collect();
    Graph::new(&sources, gas.to_vec())
}

fn schedule(graph: &Graph, threads: usize) -> Schedule<'_> {
    Schedule::new(graph, NonZeroUsize::new(threads).expect("not zero"))
}

/// What a worker that has ended `done` gets to do.
fn after(schedule: &Schedule<'_>, done: &[TxIndex]) -> Vec<TxIndex> {
    let mut batch = done.to_vec();
    schedule.next(&mut batch);
    batch
}

const LONG: u64 = 1_000_000;

#[test]
fn of_those_that_are_ready_the_one_with_the_longest_path_runs_first() {
    let graph = graph(&[&[], &[], &[1]], &[LONG, LONG, LONG]);
    let schedule = schedule(&graph, 2);
    assert_eq!(after(&schedule, &[]), [1]);
    assert_eq!(after(&schedule, &[]), [0]);
}

#[test]
fn what_would_wait_starts_only_where_nothing_is_ready() {
    let graph = graph(&[&[], &[0], &[1], &[]], &[LONG, LONG, LONG, LONG]);
    let schedule = schedule(&graph, 2);
    assert_eq!(after(&schedule, &[]), [0]);
    assert_eq!(after(&schedule, &[]), [3], "1 would wait for 0");
    assert_eq!(after(&schedule, &[3]), [1], "nothing else is left");
    assert_eq!(after(&schedule, &[0]), [2]);
    assert!(after(&schedule, &[1]).is_empty());
}

#[test]
fn cheap_transactions_are_taken_together_where_there_are_many() {
    let graph = graph(&[&[] as &[_]; 64], &[21_000; 64]);
    let schedule = schedule(&graph, 2);
    assert_eq!(after(&schedule, &[]), (0..9).collect::<Vec<_>>());
}

#[test]
fn nobody_gets_anything_once_it_is_stopped() {
    let graph = graph(&[&[], &[], &[0]], &[LONG, LONG, LONG]);
    let schedule = schedule(&graph, 2);
    assert_eq!(after(&schedule, &[]), [0]);
    schedule.stop();
    assert!(after(&schedule, &[0]).is_empty());
}

/// By transaction, the lower ones that it reads from.
fn sources() -> impl Strategy<Value = Vec<Vec<TxIndex>>> {
    let lower = |tx: usize| {
        let all: Vec<_> = (0..tx).collect();
        prop::sample::subsequence(all, 0..=tx.min(3))
    };
    (1..40_usize).prop_flat_map(move |count| (0..count).map(lower).collect::<Vec<_>>())
}

proptest! {
    /// Workers of which, at every step, any one ends what it has.
    #[test]
    fn w1_sources_are_taken_before_and_w2_nobody_goes_without_while_some_are_left(
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
                prop_assert!(!std::mem::replace(&mut taken[*tx], true), "it was taken before");
            }
        }
    }
}

//! What every schedule must hold, whatever the graph.

use super::*;
use proptest::prelude::*;

const ORDERS: [Order; 2] = [Order::LongestPathFirst, Order::BlockOrder];

fn threads(count: usize) -> NonZeroUsize {
    NonZeroUsize::new(count).expect("not zero")
}

fn makespan(graph: &Graph, weights: &[u64], on: usize, order: Order) -> u64 {
    simulate(graph, weights, threads(on), order).makespan()
}

#[test]
fn the_longest_way_is_started_first() {
    // Two short ones, then a chain that is as long as all the rest.
    let graph = Graph::of(&[&[], &[], &[], &[2]]);
    let weights = [2, 2, 2, 2];
    assert_eq!(makespan(&graph, &weights, 2, Order::LongestPathFirst), 4);
    assert_eq!(makespan(&graph, &weights, 2, Order::BlockOrder), 6);
}

#[test]
fn a_thread_that_took_a_transaction_in_block_order_waits_with_it() {
    let graph = Graph::of(&[&[], &[0], &[]]);
    assert_eq!(makespan(&graph, &[4, 1, 4], 2, Order::BlockOrder), 8);
    assert_eq!(makespan(&graph, &[4, 1, 4], 2, Order::LongestPathFirst), 5);
}

#[test]
fn nothing_to_do_has_no_speedup() {
    assert_eq!(speedup(&Graph::of(&[]), &[], threads(2), Order::BlockOrder), None);
}

/// A graph of up to 30 transactions with their weights.
fn graphs() -> impl Strategy<Value = (Graph, Vec<u64>)> {
    let txs =
        prop::collection::vec((prop::collection::btree_set(0usize..30, 0..4), 0u64..50), 1..30);
    txs.prop_map(|txs| {
        let lower = |(tx, (on, _)): (usize, &(std::collections::BTreeSet<usize>, u64))| {
            on.iter().copied().filter(|on| *on < tx).collect::<Vec<_>>()
        };
        let on: Vec<_> = txs.iter().enumerate().map(lower).collect();
        let on: Vec<_> = on.iter().map(Vec::as_slice).collect();
        (Graph::of(&on), txs.iter().map(|(_, weight)| *weight).collect())
    })
}

proptest! {
    #[test]
    fn nobody_starts_before_those_it_depends_on_have_ended((graph, weights) in graphs(), on in 1usize..6) {
        for order in ORDERS {
            let ends = simulate(&graph, &weights, threads(on), order).ends;
            for tx in 0..graph.len() {
                let start = ends[tx] - weights[tx];
                prop_assert!(graph.before(tx).all(|on| ends[on] <= start));
            }
        }
    }

    #[test]
    fn no_more_run_at_once_than_there_are_threads((graph, weights) in graphs(), on in 1usize..6) {
        for order in ORDERS {
            let ends = simulate(&graph, &weights, threads(on), order).ends;
            for end in &ends {
                let runs = |tx: &usize| ends[*tx] - weights[*tx] < *end && *end <= ends[*tx];
                prop_assert!((0..graph.len()).filter(runs).count() <= on);
            }
        }
    }

    #[test]
    fn a_schedule_is_between_the_critical_path_and_one_after_the_other((graph, weights) in graphs(), on in 1usize..6) {
        let total: u64 = weights.iter().sum();
        let path = graph.critical_path(&weights).length;
        let best = path.max(total.div_ceil(on as u64));
        for order in ORDERS {
            let makespan = makespan(&graph, &weights, on, order);
            prop_assert!(best <= makespan && makespan <= total);
        }
        // Graham: never worse than twice the best.
        prop_assert!(makespan(&graph, &weights, on, Order::LongestPathFirst) <= 2 * best);
    }

    #[test]
    fn as_many_threads_as_transactions_reach_the_critical_path((graph, weights) in graphs()) {
        let path = graph.critical_path(&weights).length;
        prop_assert_eq!(makespan(&graph, &weights, graph.len(), Order::LongestPathFirst), path);
    }
}

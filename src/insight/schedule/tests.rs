//! Properties of every schedule, and examples.

use super::*;
use proptest::prelude::*;

const ORDERS: [Order; 2] = [Order::LongestPathFirst, Order::BlockOrder];

fn threads(count: usize) -> NonZeroUsize {
    NonZeroUsize::new(count).expect("not zero")
}

fn task(weight: u64, waits: &[(u64, TxIndex)]) -> Task {
    let mut waits: Vec<_> = waits.iter().map(|(at, on)| Wait { at: *at, on: *on }).collect();
    waits.sort_unstable();
    Task { weight, waits }
}

fn makespan(tasks: &[Task], on: usize, order: Order) -> u64 {
    simulate(tasks, threads(on), order).into_iter().max().unwrap_or_default()
}

#[test]
fn the_longest_path_starts_first() {
    // Two short tasks, then a chain that is as long as all others together.
    let tasks = [task(2, &[]), task(2, &[]), task(2, &[]), task(2, &[(0, 2)])];
    assert_eq!(makespan(&tasks, 2, Order::LongestPathFirst), 4);
    assert_eq!(makespan(&tasks, 2, Order::BlockOrder), 6);
}

#[test]
fn in_block_order_a_thread_keeps_a_waiting_transaction() {
    let tasks = [task(4, &[]), task(1, &[(0, 0)]), task(4, &[])];
    assert_eq!(makespan(&tasks, 2, Order::BlockOrder), 8);
    assert_eq!(makespan(&tasks, 2, Order::LongestPathFirst), 5);
}

#[test]
fn a_transaction_runs_without_waiting_up_to_the_read() {
    for (at, end) in [(0, 20), (4, 16), (10, 10)] {
        let tasks = [task(10, &[]), task(10, &[(at, 0)])];
        for order in ORDERS {
            assert_eq!(makespan(&tasks, 2, order), end, "{order:?} reads at {at}");
        }
    }
}

#[test]
fn a_waiting_transaction_releases_its_thread() {
    let tasks = [task(10, &[]), task(4, &[(2, 0)]), task(8, &[])];
    assert_eq!(makespan(&tasks, 2, Order::LongestPathFirst), 12);
    assert_eq!(makespan(&tasks, 2, Order::BlockOrder), 18);
}

#[test]
fn the_critical_path_follows_the_last_dependency_of_each_transaction() {
    let tasks = [task(5, &[]), task(8, &[]), task(10, &[(1, 0), (3, 1)]), task(3, &[(3, 2)])];
    let path = critical_path(&tasks);
    assert_eq!(path, Path { length: 15, parts: vec![(1, 8), (2, 7), (3, 0)] });
    assert_eq!(critical_path(&[]), Path::default());
}

#[test]
fn an_empty_block_has_no_speedup() {
    assert_eq!(speedup(&[], threads(2), Order::BlockOrder), None);
}

/// Up to 30 transactions that wait for lower ones.
fn blocks() -> impl Strategy<Value = Vec<Task>> {
    let waits = prop::collection::vec((0u64..=50, 0usize..30), 0..4);
    prop::collection::vec((0u64..50, waits), 1..30).prop_map(|txs| {
        let of = |(tx, (weight, waits)): (usize, (u64, Vec<(u64, usize)>))| {
            let lower = waits.into_iter().filter(|(_, on)| *on < tx);
            let waits: Vec<_> = lower.map(|(at, on)| (at.min(weight), on)).collect();
            task(weight, &waits)
        };
        txs.into_iter().enumerate().map(of).collect()
    })
}

proptest! {
    #[test]
    fn after_a_wait_a_transaction_still_runs_its_remaining_time(tasks in blocks(), on in 1usize..6) {
        for order in ORDERS {
            let ends = simulate(&tasks, threads(on), order);
            for (tx, task) in tasks.iter().enumerate() {
                for wait in &task.waits {
                    prop_assert!(ends[wait.on] + task.weight - wait.at <= ends[tx]);
                }
            }
        }
    }

    #[test]
    fn a_schedule_is_between_the_critical_path_and_sequential_execution(
        tasks in blocks(),
        on in 1usize..6,
    ) {
        let total: u64 = tasks.iter().map(|task| task.weight).sum();
        let best = critical_path(&tasks).length.max(total.div_ceil(on as u64));
        for order in ORDERS {
            let makespan = makespan(&tasks, on, order);
            prop_assert!(best <= makespan && makespan <= total);
        }
        // Graham's bound: at most twice the best.
        prop_assert!(makespan(&tasks, on, Order::LongestPathFirst) <= 2 * best);
    }

    #[test]
    fn one_thread_per_transaction_reaches_the_critical_path(tasks in blocks()) {
        let path = critical_path(&tasks).length;
        prop_assert_eq!(makespan(&tasks, tasks.len(), Order::LongestPathFirst), path);
    }

    #[test]
    fn the_parts_of_the_critical_path_add_up_to_its_length(tasks in blocks()) {
        let path = critical_path(&tasks);
        prop_assert_eq!(path.parts.iter().map(|(_, part)| part).sum::<u64>(), path.length);
    }
}

//! The engine must give the outcome of block order. A toy machine takes the place of the EVM.

use crate::{
    Oversubscribed,
    engine::{Executed, Incarnations, Vm},
    observe::Unobserved,
    running::Running,
    scheduler::Steps,
    testing::{
        Outcome, Program, Step, ToyMachine, balance, handed_on_up_to, in_order, memory, run, step,
    },
    view::IncarnationView,
};
use alloy_primitives::U256;
use proptest::prelude::*;
use std::{
    ops::ControlFlow,
    panic::{AssertUnwindSafe, catch_unwind},
    sync::atomic::{AtomicBool, Ordering},
};

fn in_parallel(programs: &[Program], threads: usize) -> (Outcome, Incarnations) {
    crate::testing::in_parallel(programs, &[], threads, &Unobserved)
}

fn programs() -> impl Strategy<Value = Vec<Program>> {
    prop::collection::vec(prop::collection::vec(step(), 0..8), 0..40)
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(400))]

    #[test]
    fn the_outcome_is_that_of_block_order(programs in programs()) {
        let expected = in_order(&programs);
        for threads in [1, 2, 4] {
            let (actual, incarnations) = in_parallel(&programs, threads);
            prop_assert_eq!(&actual, &expected, "with {} threads", threads);
            prop_assert!(incarnations.count >= programs.len() as u64);
        }
    }
}

#[test]
fn one_thread_executes_everything_once() {
    let programs = vec![vec![Step::Read(0), Step::Set(0)]; 50];
    let (_, incarnations) = in_parallel(&programs, 1);
    assert_eq!(incarnations, Incarnations { count: 50, cost: 50 });
}

#[test]
fn additions_do_not_conflict() {
    let programs = vec![vec![Step::Add(0)]; 200];
    let ((_, state), incarnations) = in_parallel(&programs, 4);
    assert_eq!(state[&balance(0)], U256::from(1_000 + 200 * 7));
    assert_eq!(incarnations.count, 200, "no transaction reads the balance");
}

#[test]
fn a_long_chain_of_dependents_ends() {
    let programs = vec![vec![Step::Read(0), Step::Set(0)]; 300];
    let expected = in_order(&programs);
    for threads in [2, 8] {
        let (actual, _) = in_parallel(&programs, threads);
        assert_eq!(actual, expected, "with {threads} threads");
    }
}

#[test]
fn a_commit_can_end_the_run() {
    assert_eq!(handed_on_up_to(9, 50, 2), 10);
}

/// Machine that panics at the fourth transaction.
struct Broken<'a, 'm>(ToyMachine<'a, 'm>, &'a AtomicBool);

impl<'m> Vm<'m> for Broken<'_, 'm> {
    type Output = U256;

    fn view(&mut self) -> &mut IncarnationView<'m> {
        self.0.view()
    }

    fn execute(&mut self) -> Executed<U256> {
        if self.0.view.tx() == 3 {
            self.1.store(true, Ordering::Relaxed);
            panic!("this machine is meant to break");
        }
        self.0.execute()
    }
}

#[test]
fn a_panicking_worker_ends_the_run_of_all_workers() {
    let (memory, broke) = (memory(), AtomicBool::new(false));
    let programs = vec![vec![Step::Read(0), Step::Set(0)]; 50];
    let running = Running::new(programs.len(), Oversubscribed::No);
    let vm = || {
        Broken(
            ToyMachine { programs: &programs, view: IncarnationView::new(&memory, &running) },
            &broke,
        )
    };
    let steps = Steps { count: programs.len(), ..Steps::default() };
    let commit = |_, _| ControlFlow::Continue(());
    let run = || run(4, steps, &memory, &running, &Unobserved, vm, commit);
    assert!(catch_unwind(AssertUnwindSafe(run)).is_err());
    assert!(broke.load(Ordering::Relaxed));
}

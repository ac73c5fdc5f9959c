//! The engine must give the outcome of block order. A toy machine takes the place of the EVM.

use crate::{
    Oversubscribed,
    engine::{Executed, Incarnations, TxTable, Vm, no_other_work},
    location::WriteSet,
    observe::Unobserved,
    running::Running,
    scheduler::Steps,
    testing::{
        Outcome, Program, Step, ToyMachine, balance, handed_on_up_to, hint, in_order, memory, run,
        step, with_hints,
    },
    view::IncarnationView,
};
use alloy_primitives::U256;
use proptest::prelude::*;
use std::{
    collections::BTreeMap,
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

/// Hints for random transactions. Most name slots that the transaction does not write.
fn hints(programs: &[Program]) -> impl Strategy<Value = Vec<(usize, WriteSet)>> + use<> {
    let writes = prop::collection::vec((any::<u8>(), 0..4_u64), 0..6);
    let writes = writes.prop_map(|writes| {
        let hints = writes.into_iter().map(|(choice, value)| hint(choice, value));
        BTreeMap::from_iter(hints).into_iter().collect::<WriteSet>()
    });
    let txs = 0..programs.len();
    prop::collection::vec(writes, programs.len())
        .prop_map(move |all| txs.clone().zip(all).collect())
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(400))]

    #[test]
    fn wrong_hints_change_no_outcome(
        (programs, hints) in programs().prop_flat_map(|programs| {
            let hints = hints(&programs);
            (Just(programs), hints)
        })
    ) {
        let expected = in_order(&programs);
        for threads in [1, 2, 4] {
            let (actual, _) = with_hints(&programs, &[], &hints, threads, &Unobserved);
            prop_assert_eq!(&actual, &expected, "with {} threads", threads);
        }
    }
}

#[test]
fn a_hint_makes_a_reader_wait_for_the_writer() {
    // The first transaction to be executed reads what the last one writes.
    let programs = vec![vec![Step::Set(0)], vec![Step::Read(0)]];
    let hints = [(0, vec![hint(0, 1)])];
    let (actual, incarnations) = with_hints(&programs, &[1], &hints, 1, &Unobserved);
    assert_eq!(actual, in_order(&programs));
    assert_eq!(incarnations.cost, 2, "no incarnation runs to its end in vain");
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
    let run =
        || run(4, &TxTable::new(steps), &memory, &running, &Unobserved, vm, commit, no_other_work);
    assert!(catch_unwind(AssertUnwindSafe(run)).is_err());
    assert!(broke.load(Ordering::Relaxed));
}

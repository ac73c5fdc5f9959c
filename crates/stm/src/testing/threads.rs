//! Runs toy blocks on several threads.

use super::{Outcome, Program, Step, ToyMachine, all_locations, before, in_order, kind, memory};
use crate::{
    Oversubscribed,
    engine::{Incarnations, TxTable, Vm, Worker, no_other_work},
    location::{TxIndex, WriteSet},
    memory::Memory,
    observe::{Observer, Unobserved},
    running::Running,
    scheduler::Steps,
    sync::Mutex,
    view::IncarnationView,
};
#[cfg(feature = "shuttle")]
use shuttle::thread;
use std::ops::ControlFlow;
#[cfg(not(feature = "shuttle"))]
use std::thread;

/// Runs `work` once on each thread, in parallel. The calling thread is one of them.
pub fn on_threads(threads: usize, work: impl Fn() + Sync) {
    thread::scope(|scope| {
        for _ in 1..threads {
            scope.spawn(&work);
        }
        work();
    });
}

/// Executes on this number of threads. Returns `None` if some transaction did not commit.
#[expect(clippy::too_many_arguments, reason = "each is a part of a run")]
pub fn run<'m, M: Vm<'m>>(
    threads: usize,
    table: &TxTable<M::Output>,
    memory: &'m Memory,
    running: &'m Running<'m>,
    observer: &impl Observer,
    vm: impl Fn() -> M + Sync,
    commit: impl FnMut(TxIndex, M::Output) -> ControlFlow<()> + Send,
    idle: impl Fn(TxIndex) -> bool + Sync,
) -> Option<Incarnations> {
    let commit = Mutex::new(commit);
    on_threads(threads, || {
        let commit = |tx, output| (commit.lock())(tx, output);
        Worker { table, memory, running, commit, idle: &idle, observer }.work(&vm);
    });
    table.incarnations()
}

/// Returns the engine's outcome in the same form.
pub fn in_parallel(
    programs: &[Program],
    early: &[TxIndex],
    threads: usize,
    observer: &impl Observer,
) -> (Outcome, Incarnations) {
    with_hints(programs, early, &[], threads, observer)
}

/// As [`in_parallel`], with hints of what transactions write.
pub fn with_hints(
    programs: &[Program],
    early: &[TxIndex],
    hints: &[(TxIndex, WriteSet)],
    threads: usize,
    observer: &impl Observer,
) -> (Outcome, Incarnations) {
    let (memory, mut seen) = (memory(), Vec::new());
    let kinds: Vec<_> = programs.iter().map(|program| kind(program)).collect();
    let running = Running::new(programs.len(), Oversubscribed::No).with_kinds(kinds.clone());
    let table = TxTable::new(Steps { count: programs.len(), early, kinds: &kinds });
    for (tx, writes) in hints {
        table.hint(&memory, *tx, writes.clone());
    }
    let incarnations = run(
        threads,
        &table,
        &memory,
        &running,
        observer,
        || ToyMachine { programs, view: IncarnationView::new(&memory, &running) },
        |tx, output| {
            assert_eq!(tx, seen.len(), "transactions commit in order");
            seen.push(output);
            ControlFlow::Continue(())
        },
        final_below(programs, &memory),
    );
    let after = |at| memory.read(at, programs.len()).map(|observed| observed.over(before(at)));
    let state = all_locations()
        .into_iter()
        .map(|at| (at, after(at).expect("no estimates are left after the block")))
        .collect();
    ((seen, state), incarnations.expect("no worker panics"))
}

/// Other work for idle workers: checks that a location has its final value below the commit index. There is a piece of it for
/// some locations, and for more of them in larger blocks.
fn final_below<'a>(
    programs: &'a [Program],
    memory: &'a Memory,
) -> impl Fn(TxIndex) -> bool + Sync + 'a {
    // Guards the locations that are left.
    let some = all_locations().into_iter().step_by(4).take(programs.len() / 2);
    let left = Mutex::new(some.collect::<Vec<_>>());
    move |commit_index| {
        let Some(at) = left.lock().pop() else { return false };
        let (_, state) = in_order(&programs[..commit_index]);
        let found = memory.read(at, commit_index).map(|observed| observed.over(before(at)));
        assert_eq!(found, Ok(state[&at]), "{at:?} below {commit_index}");
        true
    }
}

/// Returns how many of these dependent transactions are handed on if transaction `last` ends the run. Panics if
/// the run reports that all were handed on.
pub fn handed_on_up_to(last: TxIndex, transactions: usize, threads: usize) -> usize {
    let programs = vec![vec![Step::Read(0), Step::Set(0)]; transactions];
    let (memory, mut handed_on) = (memory(), 0);
    let running = Running::new(transactions, Oversubscribed::No);
    let incarnations = run(
        threads,
        &TxTable::new(Steps { count: transactions, ..Steps::default() }),
        &memory,
        &running,
        &Unobserved,
        || ToyMachine { programs: &programs, view: IncarnationView::new(&memory, &running) },
        |tx, _| {
            handed_on += 1;
            if tx == last { ControlFlow::Break(()) } else { ControlFlow::Continue(()) }
        },
        no_other_work,
    );
    assert_eq!(incarnations, None);
    handed_on
}

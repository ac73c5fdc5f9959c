//! Executes the built-in sample by correct and by wrong declarations.

use super::*;
use crate::{
    block::prepare,
    cache::sample,
    execution::{
        ExecutionMode, Executor as _, access::Accesses, location::Location, observe::Unobserved,
    },
    executors::{Sequential, record_accesses},
};
use std::thread;

fn jobs() -> impl Iterator<Item = ReplayJob> {
    let blocks = sample().expect("the built-in sample is valid");
    blocks.into_iter().map(|block| prepare(block, |_| ()).expect("the witness is valid"))
}

fn pool(threads: usize) -> WorkerPool {
    let threads = NonZeroUsize::new(threads).expect("not zero");
    WorkerPool::new(threads).expect("the threads start")
}

/// Executes by changed declarations and compares the outcomes with the baseline. Returns the number
/// of repeated executions.
fn executed_again(change: impl Fn(&mut Accesses)) -> u64 {
    let pools = [1, 2, 4].map(pool);
    let mut again = 0;
    for job in jobs() {
        let expected = Sequential.execute(&job, &pools[0]).expect("the block is valid").outcome;
        let mut accesses = record_accesses(&job).expect("the block is valid");
        change(&mut accesses);
        for pool in &pools {
            let executor = AccessList::by(&job, &accesses, pool.threads());
            let execution = executor.execute(&job, pool).expect("the block is valid");
            assert_eq!(execution.outcome, expected, "block {}", job.header.number);
            again += execution.stats.incarnations - job.transactions.len() as u64;
        }
    }
    again
}

#[test]
fn exact_declarations_execute_each_transaction_once() {
    assert_eq!(executed_again(|_| ()), 0);
    for job in jobs() {
        let accesses = record_accesses(&job).expect("the block is valid");
        let execution = AccessList::by(&job, &accesses, NonZeroUsize::MIN).execute(&job, &pool(2));
        assert_eq!(execution.expect("the block is valid").mode, ExecutionMode::Parallel);
    }
}

#[test]
fn wrong_declarations_are_reported_as_a_fallback() {
    let mode = |job: ReplayJob| {
        let mut accesses = record_accesses(&job).expect("the block is valid");
        accesses.transactions.iter_mut().for_each(|access| access.writes.clear());
        let execution = AccessList::by(&job, &accesses, NonZeroUsize::MIN).execute(&job, &pool(2));
        execution.expect("the block is valid").mode
    };
    let modes: Vec<_> = jobs().filter(|job| !job.transactions.is_empty()).map(mode).collect();
    assert!(modes.iter().all(|mode| matches!(mode, ExecutionMode::FellBack(_))), "{modes:?}");
}

#[test]
fn undeclared_reads_do_not_change_the_outcome() {
    executed_again(|accesses| {
        accesses.transactions.iter_mut().for_each(|access| access.reads.clear());
    });
}

#[test]
fn undeclared_nonces_and_codes_do_not_change_the_outcome() {
    let is_code = |location: &Location| matches!(location, Location::Code(_));
    let is_nonce = |location: &Location| matches!(location, Location::Nonce(_));
    executed_again(|accesses| {
        for access in &mut accesses.transactions {
            access.writes.retain(|(location, _)| !is_code(location));
        }
    });
    executed_again(|accesses| {
        for access in &mut accesses.transactions {
            access.reads.retain(|(location, _)| !is_nonce(location));
        }
    });
}

#[test]
fn undeclared_writes_do_not_change_the_outcome() {
    executed_again(|accesses| {
        accesses.transactions.iter_mut().for_each(|access| access.writes.clear());
    });
}

#[test]
fn undeclared_writes_of_some_transactions_do_not_change_the_outcome() {
    executed_again(|accesses| {
        for access in accesses.transactions.iter_mut().skip(1).step_by(3) {
            access.writes.retain(|(location, _)| matches!(location, Location::Nonce(_)));
        }
    });
}

#[test]
fn superfluous_declared_writes_do_not_change_the_outcome() {
    executed_again(|accesses| {
        let all: Vec<_> =
            accesses.transactions.iter().flat_map(|access| access.writes.clone()).collect();
        for access in &mut accesses.transactions {
            access.writes.extend(all.iter().copied());
        }
    });
}

#[test]
fn a_panicking_worker_ends_all_waits_and_the_run() {
    let executes_a_reader = |job: &ReplayJob| {
        let accesses = record_accesses(job).expect("the block is valid");
        let executor = AccessList::by(job, &accesses, NonZeroUsize::MIN);
        let reader = executor.declared.sources.iter().position(|sources| !sources.is_empty())?;
        let storage = job.storage();
        let run = Run::begin(job, &storage, &executor.declared).expect("the block is valid");
        let schedule = Schedule::new(&executor.graph, NonZeroUsize::MIN);
        thread::scope(|scope| {
            let ran = scope.spawn(|| {
                let codes = executor.codes.of(0);
                let mut worker = Worker::speculative(job, AccessListDb::new(&run, codes));
                run.execute(&mut worker, reader, &Unobserved)
            });
            let lost = scope.spawn(|| {
                let _guard = GiveUpOnPanic { schedule: &schedule, run: &run };
                panic!("for the test");
            });
            assert!(lost.join().is_err());
            assert!(!schedule.next(&mut Vec::new()), "the schedule has stopped");
            ran.join().ok()
        })
    };
    let ran: Vec<_> = jobs().filter_map(|job| executes_a_reader(&job)).collect();
    assert!(ran.len() > 1, "some blocks have dependencies");
    assert!(ran.iter().all(|ran| *ran == Ran::Otherwise), "{ran:?}");
}

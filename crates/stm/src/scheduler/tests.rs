use super::*;
use crate::engine::no_other_work;

fn ahead(tx: TxIndex) -> Option<Task> {
    Some(Task::Execute { tx, start: ExecutionPoint::Speculative })
}

fn at_commit(tx: TxIndex) -> Option<Task> {
    Some(Task::Execute { tx, start: ExecutionPoint::AtCommit })
}

/// Starts all transactions, the first of them at the commit index.
fn all_started(transactions: usize) -> Scheduler {
    let scheduler = Scheduler::new(Steps { count: transactions, ..Steps::default() });
    assert_eq!(scheduler.next_task(no_other_work), at_commit(0));
    for tx in 1..transactions {
        assert_eq!(scheduler.next_task(no_other_work), ahead(tx));
    }
    scheduler
}

fn commit(tx: TxIndex) -> Option<Task> {
    Some(Task::Commit { tx })
}

fn again(tx: TxIndex, start: ExecutionPoint) -> Option<Task> {
    Some(Task::ExecuteAgain { tx, start })
}

/// Reports an incarnation that changed no value and assumed none.
fn executed(scheduler: &Scheduler, tx: TxIndex) -> Option<Task> {
    scheduler.executed(tx, ReaderSet::EMPTY, Speculation::None)
}

fn executed_and_changed(scheduler: &Scheduler, tx: TxIndex) -> Option<Task> {
    scheduler.executed(tx, ReaderSet::ALL, Speculation::None)
}

#[test]
fn transactions_start_lowest_first_and_commit_in_order() {
    let scheduler = all_started(3);
    assert_eq!(executed(&scheduler, 1), None);
    assert_eq!(scheduler.commit_index(), 0);
    assert_eq!(executed(&scheduler, 0), None);
    assert_eq!(scheduler.commit_index(), 2, "1 was waiting only for 0");
    assert_eq!(executed(&scheduler, 2), None);
    assert_eq!(scheduler.commit_index(), 3);
    assert_eq!(scheduler.next_task(no_other_work), None);
}

#[test]
fn c1_a_lower_publication_during_an_execution_requires_validation() {
    let scheduler = all_started(2);
    assert_eq!(executed(&scheduler, 1), None);
    assert_eq!(executed_and_changed(&scheduler, 0), commit(1));
    assert_eq!(scheduler.commit_index(), 1);
    assert_eq!(scheduler.passed_at_commit(), None);
    assert_eq!(scheduler.commit_index(), 2);
}

#[test]
fn c1_an_assumed_value_requires_validation() {
    let scheduler = all_started(2);
    assert_eq!(executed(&scheduler, 0), None);
    assert_eq!(scheduler.executed(1, ReaderSet::EMPTY, Speculation::Assumed), commit(1));
}

#[test]
fn a_validated_assumption_needs_no_second_validation() {
    let scheduler = all_started(3);
    scheduler.executed(2, ReaderSet::EMPTY, Speculation::Assumed);
    let check = executed_and_changed(&scheduler, 1);
    let Some(Task::Validate { tx: 2, incarnation, epoch }) = check else {
        panic!("2 needs validation, but the task is {check:?}")
    };
    assert_eq!(scheduler.validated(2, incarnation, epoch, Validation::Unresolved), None);
    assert_eq!(scheduler.validated(2, incarnation, epoch, Validation::Valid), None);
    assert_eq!(executed(&scheduler, 0), None);
    assert_eq!(scheduler.commit_index(), 3);
}

#[test]
fn an_unresolved_assumption_does_not_abort_before_its_turn() {
    let scheduler = all_started(2);
    scheduler.executed(1, ReaderSet::EMPTY, Speculation::Assumed);
    assert_eq!(scheduler.validated(1, 0, 0, Validation::Unresolved), None);
    assert_eq!(executed(&scheduler, 0), commit(1));
}

#[test]
fn c1_an_execution_at_the_commit_index_needs_no_validation() {
    let scheduler = Scheduler::new(Steps { count: 2, ..Steps::default() });
    assert_eq!(scheduler.next_task(no_other_work), at_commit(0));
    assert_eq!(executed_and_changed(&scheduler, 0), at_commit(1));
    assert_eq!(executed_and_changed(&scheduler, 1), None);
    assert_eq!(scheduler.commit_index(), 2);
}

#[test]
fn c1_a_publication_after_a_validation_requires_another_one() {
    let scheduler = all_started(3);
    let check = |epoch| Some(Task::Validate { tx: 2, incarnation: 0, epoch });
    assert_eq!(executed(&scheduler, 2), None);
    assert_eq!(executed_and_changed(&scheduler, 1), check(1));
    assert_eq!(scheduler.validated(2, 0, 1, Validation::Valid), None);
    assert_eq!(executed_and_changed(&scheduler, 0), commit(1));
    assert_eq!(scheduler.next_task(no_other_work), check(2));
}

#[test]
fn c1_a_concurrent_validation_does_not_decide_the_one_at_the_commit_index() {
    let scheduler = all_started(3);
    assert_eq!(executed(&scheduler, 2), None);
    let check = Some(Task::Validate { tx: 2, incarnation: 0, epoch: 1 });
    assert_eq!(executed_and_changed(&scheduler, 1), check);
    assert_eq!(executed(&scheduler, 0), commit(2));
    assert_eq!(scheduler.validated(2, 0, 1, Validation::Invalid), None);
    assert_eq!(scheduler.validated(2, 0, 1, Validation::Valid), None);
    assert_eq!(scheduler.commit_index(), 2);
    assert_eq!(scheduler.passed_at_commit(), None);
    assert_eq!(scheduler.commit_index(), 3);
}

#[test]
fn c2_only_one_worker_validates_at_the_commit_index() {
    let scheduler = all_started(3);
    assert_eq!(executed(&scheduler, 1), None);
    assert_eq!(executed_and_changed(&scheduler, 0), commit(1));
    let next = executed(&scheduler, 2);
    assert!(matches!(next, Some(Task::Validate { tx: 2, .. })), "1 is being validated: {next:?}");
    assert_eq!(scheduler.passed_at_commit(), commit(2));
}

#[test]
fn c1_an_invalid_transaction_at_the_commit_index_is_executed_there() {
    let scheduler = all_started(2);
    assert_eq!(executed(&scheduler, 1), None);
    assert_eq!(executed_and_changed(&scheduler, 0), commit(1));
    assert_eq!(Some(scheduler.failed_at_commit()), again(1, ExecutionPoint::AtCommit));
    assert_eq!(scheduler.commit_index(), 1);
    assert_eq!(executed_and_changed(&scheduler, 1), None);
    assert_eq!(scheduler.commit_index(), 2);
}

#[test]
fn s1_the_validating_worker_executes_an_invalid_transaction_again() {
    let scheduler = all_started(3);
    executed(&scheduler, 2);
    let mark_for_validation = executed_and_changed(&scheduler, 1);
    let Some(Task::Validate { tx, incarnation, epoch }) = mark_for_validation else {
        panic!("transaction 2 needs validation");
    };
    let check = || scheduler.validated(tx, incarnation, epoch, Validation::Invalid);
    assert_eq!(check(), again(2, ExecutionPoint::Speculative));
    assert_eq!(check(), None, "an incarnation is aborted once");
}

#[test]
fn a_validation_of_an_older_incarnation_has_no_effect() {
    let scheduler = all_started(3);
    executed_and_changed(&scheduler, 2);
    executed_and_changed(&scheduler, 1);
    assert_eq!(
        scheduler.validated(2, 0, 2, Validation::Invalid),
        again(2, ExecutionPoint::Speculative)
    );
    scheduler.executed(2, ReaderSet::EMPTY, Speculation::Assumed);
    assert_eq!(scheduler.validated(2, 0, 2, Validation::Invalid), None);
    assert_eq!(scheduler.validated(2, 0, 2, Validation::Valid), None);
    assert_eq!(executed(&scheduler, 0), commit(2), "its assumption was not validated");
}

#[test]
fn s2_a_waiting_transaction_is_ready_once_the_writer_has_published() {
    let scheduler = all_started(3);
    scheduler.blocked(2, 1);
    assert_eq!(executed_and_changed(&scheduler, 1), ahead(2));
    assert_eq!(scheduler.blocked(2, 1), ahead(2), "the writer has already published");
}

#[test]
fn s3_a_task_wakes_a_sleeping_worker() {
    let scheduler = all_started(3);
    scheduler.blocked(1, 0);
    scheduler.blocked(2, 0);
    let woken = std::thread::scope(|scope| {
        let sleeper = scope.spawn(|| scheduler.next_task(no_other_work));
        assert_eq!(executed(&scheduler, 0), at_commit(1));
        sleeper.join()
    });
    assert_eq!(woken.ok(), Some(ahead(2)));
}

#[test]
fn stopping_ends_every_worker() {
    let scheduler = Scheduler::new(Steps { count: 1, ..Steps::default() });
    assert_eq!(scheduler.next_task(no_other_work), at_commit(0));
    let ended = std::thread::scope(|scope| {
        let sleeper = scope.spawn(|| scheduler.next_task(no_other_work));
        scheduler.stop();
        sleeper.join()
    });
    assert!(matches!(ended, Ok(None)));
}

#[test]
fn only_registered_readers_need_validation() {
    let scheduler = all_started(4);
    assert_eq!(executed(&scheduler, 2), None);
    assert_eq!(executed(&scheduler, 3), None);
    let check = Some(Task::Validate { tx: 3, incarnation: 0, epoch: 1 });
    assert_eq!(scheduler.executed(1, ReaderSet::by(3), Speculation::None), check);
    assert_eq!(executed(&scheduler, 0), commit(3), "3 is being validated");
    assert_eq!(scheduler.commit_index(), 3);
}

#[test]
fn c1_a_reader_that_runs_during_a_publication_is_validated() {
    let scheduler = all_started(3);
    assert_eq!(scheduler.executed(0, ReaderSet::by(2), Speculation::None), None);
    assert_eq!(executed(&scheduler, 1), None);
    assert_eq!(executed(&scheduler, 2), commit(2));
}

#[test]
fn c1_a_publication_during_a_validation_requires_another_one() {
    let scheduler = all_started(4);
    assert_eq!(executed(&scheduler, 3), None);
    let check = |epoch| Some(Task::Validate { tx: 3, incarnation: 0, epoch });
    assert_eq!(scheduler.executed(2, ReaderSet::by(3), Speculation::None), check(1));
    assert_eq!(scheduler.executed(1, ReaderSet::by(3), Speculation::None), check(2));
    assert_eq!(scheduler.validated(3, 0, 1, Validation::Valid), None);
    assert_eq!(executed(&scheduler, 0), commit(3), "the second validation is not done");
}

#[test]
fn a_stale_incarnation_is_validated_before_its_turn() {
    let scheduler = all_started(3);
    let check = Some(Task::Validate { tx: 2, incarnation: 0, epoch: 0 });
    assert_eq!(scheduler.executed(2, ReaderSet::EMPTY, Speculation::Stale), check);
    assert_eq!(
        scheduler.validated(2, 0, 0, Validation::Invalid),
        again(2, ExecutionPoint::Speculative)
    );
}

#[test]
fn other_work_is_done_only_while_there_is_no_task() {
    let scheduler = Scheduler::new(Steps { count: 2, ..Steps::default() });
    let unexpected = |_| panic!("there is a task");
    assert_eq!(scheduler.next_task(unexpected), at_commit(0));
    assert_eq!(scheduler.next_task(unexpected), ahead(1));
    let pieces = std::cell::Cell::new(0);
    let none = scheduler.next_task(|commit_index| {
        assert_eq!(commit_index, 0);
        pieces.set(pieces.get() + 1);
        if pieces.get() == 3 {
            scheduler.stop();
        }
        pieces.get() < 3
    });
    assert_eq!((none, pieces.get()), (None, 3));
}

use super::*;

fn ahead(tx: TxIndex) -> Option<Task> {
    Some(Task::Execute { tx, start: Start::Ahead })
}

fn at_frontier(tx: TxIndex) -> Option<Task> {
    Some(Task::Execute { tx, start: Start::AtFrontier })
}

/// Starts all transactions, the first of them at the commit index.
fn all_started(transactions: usize) -> Scheduler {
    let scheduler = Scheduler::new(Steps { count: transactions, ..Steps::default() });
    assert_eq!(scheduler.next_task(), at_frontier(0));
    for tx in 1..transactions {
        assert_eq!(scheduler.next_task(), ahead(tx));
    }
    scheduler
}

fn commit(tx: TxIndex) -> Option<Task> {
    Some(Task::Commit { tx })
}

fn again(tx: TxIndex, start: Start) -> Option<Task> {
    Some(Task::ExecuteAgain { tx, start })
}

/// Reports an incarnation that changed no value and assumed none.
fn executed(scheduler: &Scheduler, tx: TxIndex) -> Option<Task> {
    scheduler.executed(tx, Noticed::BY_NOBODY, Basis::Read)
}

fn executed_and_changed(scheduler: &Scheduler, tx: TxIndex) -> Option<Task> {
    scheduler.executed(tx, Noticed::BY_ALL, Basis::Read)
}

#[test]
fn transactions_start_lowest_first_and_commit_in_order() {
    let scheduler = all_started(3);
    assert_eq!(executed(&scheduler, 1), None);
    assert_eq!(scheduler.frontier(), 0);
    assert_eq!(executed(&scheduler, 0), None);
    assert_eq!(scheduler.frontier(), 2, "1 was waiting only for 0");
    assert_eq!(executed(&scheduler, 2), None);
    assert_eq!(scheduler.frontier(), 3);
    assert_eq!(scheduler.next_task(), None);
}

#[test]
fn c1_a_lower_publication_during_an_execution_requires_validation() {
    let scheduler = all_started(2);
    assert_eq!(executed(&scheduler, 1), None);
    assert_eq!(executed_and_changed(&scheduler, 0), commit(1));
    assert_eq!(scheduler.frontier(), 1);
    assert_eq!(scheduler.passed_at_frontier(), None);
    assert_eq!(scheduler.frontier(), 2);
}

#[test]
fn c1_an_assumed_value_requires_validation() {
    let scheduler = all_started(2);
    assert_eq!(executed(&scheduler, 0), None);
    assert_eq!(scheduler.executed(1, Noticed::BY_NOBODY, Basis::Assumed), commit(1));
}

#[test]
fn a_validated_assumption_needs_no_second_validation() {
    let scheduler = all_started(3);
    scheduler.executed(2, Noticed::BY_NOBODY, Basis::Assumed);
    let check = executed_and_changed(&scheduler, 1);
    let Some(Task::Check { tx: 2, incarnation, epoch }) = check else {
        panic!("2 needs validation, but the task is {check:?}")
    };
    assert_eq!(scheduler.checked(2, incarnation, epoch, Found::Missing), None);
    assert_eq!(scheduler.checked(2, incarnation, epoch, Found::Current), None);
    assert_eq!(executed(&scheduler, 0), None);
    assert_eq!(scheduler.frontier(), 3);
}

#[test]
fn an_unresolved_assumption_does_not_abort_before_its_turn() {
    let scheduler = all_started(2);
    scheduler.executed(1, Noticed::BY_NOBODY, Basis::Assumed);
    assert_eq!(scheduler.checked(1, 0, 0, Found::Missing), None);
    assert_eq!(executed(&scheduler, 0), commit(1));
}

#[test]
fn c1_an_execution_at_the_commit_index_needs_no_validation() {
    let scheduler = Scheduler::new(Steps { count: 2, ..Steps::default() });
    assert_eq!(scheduler.next_task(), at_frontier(0));
    assert_eq!(executed_and_changed(&scheduler, 0), at_frontier(1));
    assert_eq!(executed_and_changed(&scheduler, 1), None);
    assert_eq!(scheduler.frontier(), 2);
}

#[test]
fn c1_a_publication_after_a_validation_requires_another_one() {
    let scheduler = all_started(3);
    let check = |epoch| Some(Task::Check { tx: 2, incarnation: 0, epoch });
    assert_eq!(executed(&scheduler, 2), None);
    assert_eq!(executed_and_changed(&scheduler, 1), check(1));
    assert_eq!(scheduler.checked(2, 0, 1, Found::Current), None);
    assert_eq!(executed_and_changed(&scheduler, 0), commit(1));
    assert_eq!(scheduler.next_task(), check(2));
}

#[test]
fn c1_a_concurrent_validation_does_not_decide_the_one_at_the_commit_index() {
    let scheduler = all_started(3);
    assert_eq!(executed(&scheduler, 2), None);
    let check = Some(Task::Check { tx: 2, incarnation: 0, epoch: 1 });
    assert_eq!(executed_and_changed(&scheduler, 1), check);
    assert_eq!(executed(&scheduler, 0), commit(2));
    assert_eq!(scheduler.checked(2, 0, 1, Found::Outdated), None);
    assert_eq!(scheduler.checked(2, 0, 1, Found::Current), None);
    assert_eq!(scheduler.frontier(), 2);
    assert_eq!(scheduler.passed_at_frontier(), None);
    assert_eq!(scheduler.frontier(), 3);
}

#[test]
fn c2_only_one_worker_validates_at_the_commit_index() {
    let scheduler = all_started(3);
    assert_eq!(executed(&scheduler, 1), None);
    assert_eq!(executed_and_changed(&scheduler, 0), commit(1));
    let next = executed(&scheduler, 2);
    assert!(matches!(next, Some(Task::Check { tx: 2, .. })), "1 is being validated: {next:?}");
    assert_eq!(scheduler.passed_at_frontier(), commit(2));
}

#[test]
fn c1_an_invalid_transaction_at_the_commit_index_is_executed_there() {
    let scheduler = all_started(2);
    assert_eq!(executed(&scheduler, 1), None);
    assert_eq!(executed_and_changed(&scheduler, 0), commit(1));
    assert_eq!(Some(scheduler.failed_at_frontier()), again(1, Start::AtFrontier));
    assert_eq!(scheduler.frontier(), 1);
    assert_eq!(executed_and_changed(&scheduler, 1), None);
    assert_eq!(scheduler.frontier(), 2);
}

#[test]
fn s1_the_validating_worker_executes_an_invalid_transaction_again() {
    let scheduler = all_started(3);
    executed(&scheduler, 2);
    let suspect = executed_and_changed(&scheduler, 1);
    let Some(Task::Check { tx, incarnation, epoch }) = suspect else {
        panic!("transaction 2 needs validation");
    };
    let check = || scheduler.checked(tx, incarnation, epoch, Found::Outdated);
    assert_eq!(check(), again(2, Start::Ahead));
    assert_eq!(check(), None, "an incarnation is aborted once");
}

#[test]
fn a_validation_of_an_older_incarnation_has_no_effect() {
    let scheduler = all_started(3);
    executed_and_changed(&scheduler, 2);
    executed_and_changed(&scheduler, 1);
    assert_eq!(scheduler.checked(2, 0, 2, Found::Outdated), again(2, Start::Ahead));
    scheduler.executed(2, Noticed::BY_NOBODY, Basis::Assumed);
    assert_eq!(scheduler.checked(2, 0, 2, Found::Outdated), None);
    assert_eq!(scheduler.checked(2, 0, 2, Found::Current), None);
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
        let sleeper = scope.spawn(|| scheduler.next_task());
        assert_eq!(executed(&scheduler, 0), at_frontier(1));
        sleeper.join()
    });
    assert_eq!(woken.ok(), Some(ahead(2)));
}

#[test]
fn stopping_ends_every_worker() {
    let scheduler = Scheduler::new(Steps { count: 1, ..Steps::default() });
    assert_eq!(scheduler.next_task(), at_frontier(0));
    let ended = std::thread::scope(|scope| {
        let sleeper = scope.spawn(|| scheduler.next_task());
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
    let check = Some(Task::Check { tx: 3, incarnation: 0, epoch: 1 });
    assert_eq!(scheduler.executed(1, Noticed::by(3), Basis::Read), check);
    assert_eq!(executed(&scheduler, 0), commit(3), "3 is being validated");
    assert_eq!(scheduler.frontier(), 3);
}

#[test]
fn c1_a_reader_that_runs_during_a_publication_is_validated() {
    let scheduler = all_started(3);
    assert_eq!(scheduler.executed(0, Noticed::by(2), Basis::Read), None);
    assert_eq!(executed(&scheduler, 1), None);
    assert_eq!(executed(&scheduler, 2), commit(2));
}

#[test]
fn c1_a_publication_during_a_validation_requires_another_one() {
    let scheduler = all_started(4);
    assert_eq!(executed(&scheduler, 3), None);
    let check = |epoch| Some(Task::Check { tx: 3, incarnation: 0, epoch });
    assert_eq!(scheduler.executed(2, Noticed::by(3), Basis::Read), check(1));
    assert_eq!(scheduler.executed(1, Noticed::by(3), Basis::Read), check(2));
    assert_eq!(scheduler.checked(3, 0, 1, Found::Current), None);
    assert_eq!(executed(&scheduler, 0), commit(3), "the second validation is not done");
}

#[test]
fn a_stale_incarnation_is_validated_before_its_turn() {
    let scheduler = all_started(3);
    let check = Some(Task::Check { tx: 2, incarnation: 0, epoch: 0 });
    assert_eq!(scheduler.executed(2, Noticed::BY_NOBODY, Basis::Outdated), check);
    assert_eq!(scheduler.checked(2, 0, 0, Found::Outdated), again(2, Start::Ahead));
}

use super::*;

fn ahead(tx: TxIndex) -> Option<Task> {
    Some(Task::Execute { tx, start: Start::Ahead })
}

fn at_frontier(tx: TxIndex) -> Option<Task> {
    Some(Task::Execute { tx, start: Start::AtFrontier })
}

/// All transactions are started, the first at the frontier.
fn all_started(transactions: usize) -> Scheduler {
    let scheduler = Scheduler::new(Steps { count: transactions, ..Steps::default() });
    assert_eq!(scheduler.next_task(), at_frontier(0));
    for tx in 1..transactions {
        assert_eq!(scheduler.next_task(), ahead(tx));
    }
    scheduler
}

fn commit(tx: TxIndex, comparison: Comparison) -> Option<Task> {
    Some(Task::Commit { tx, comparison })
}

#[test]
fn transactions_start_lowest_first_and_commit_in_order() {
    let scheduler = all_started(2);
    assert_eq!(scheduler.executed(0, Publication::Same, Basis::Read), commit(0, Comparison::Done));
    scheduler.committed(0);
    assert_eq!(scheduler.executed(1, Publication::Same, Basis::Read), commit(1, Comparison::Done));
    assert_eq!(scheduler.committed(1), None);
}

#[test]
fn c1_what_ran_beside_a_publication_below_it_is_compared() {
    let scheduler = all_started(2);
    scheduler.executed(1, Publication::Same, Basis::Read);
    assert_eq!(
        scheduler.executed(0, Publication::Changed, Basis::Read),
        commit(0, Comparison::Done)
    );
    assert_eq!(scheduler.committed(0), commit(1, Comparison::Needed));
}

#[test]
fn c1_what_assumed_something_is_compared_whenever_it_started() {
    let scheduler = all_started(2);
    assert_eq!(scheduler.executed(0, Publication::Same, Basis::Read), commit(0, Comparison::Done));
    scheduler.executed(1, Publication::Same, Basis::Assumed);
    assert_eq!(scheduler.committed(0), commit(1, Comparison::Needed));
}

#[test]
fn an_assumption_that_was_found_true_counts_as_read() {
    let scheduler = all_started(3);
    scheduler.executed(2, Publication::Same, Basis::Assumed);
    let check = scheduler.executed(1, Publication::Changed, Basis::Read);
    let Some(Task::Check { tx: 2, incarnation, epoch }) = check else {
        panic!("2 is suspect, and not {check:?}")
    };
    assert_eq!(scheduler.checked(2, incarnation, epoch, Found::Missing), None);
    assert_eq!(scheduler.checked(2, incarnation, epoch, Found::Current), None);
    assert_eq!(scheduler.executed(0, Publication::Same, Basis::Read), commit(0, Comparison::Done));
    assert_eq!(scheduler.committed(0), commit(1, Comparison::Done));
    assert_eq!(scheduler.committed(1), commit(2, Comparison::Done));
}

#[test]
fn what_is_missing_before_its_turn_may_still_come() {
    let scheduler = all_started(2);
    scheduler.executed(1, Publication::Same, Basis::Assumed);
    assert_eq!(scheduler.checked(1, 0, 0, Found::Missing), None);
    assert_eq!(scheduler.executed(0, Publication::Same, Basis::Read), commit(0, Comparison::Done));
    assert_eq!(scheduler.committed(0), commit(1, Comparison::Needed));
}

#[test]
fn c1_what_started_at_the_frontier_needs_no_comparison() {
    let scheduler = Scheduler::new(Steps { count: 2, ..Steps::default() });
    assert_eq!(scheduler.next_task(), at_frontier(0));
    assert_eq!(
        scheduler.executed(0, Publication::Changed, Basis::Read),
        commit(0, Comparison::Done)
    );
    assert_eq!(scheduler.committed(0), at_frontier(1));
    assert_eq!(
        scheduler.executed(1, Publication::Changed, Basis::Read),
        commit(1, Comparison::Done)
    );
}

#[test]
fn c1_a_publication_after_a_passed_check_makes_suspect_again() {
    let scheduler = all_started(3);
    let check = |epoch| Some(Task::Check { tx: 2, incarnation: 0, epoch });
    assert_eq!(scheduler.executed(2, Publication::Same, Basis::Read), None);
    assert_eq!(scheduler.executed(1, Publication::Changed, Basis::Read), check(1));
    assert_eq!(scheduler.checked(2, 0, 1, Found::Current), None);
    assert_eq!(
        scheduler.executed(0, Publication::Changed, Basis::Read),
        commit(0, Comparison::Done)
    );
    assert_eq!(scheduler.committed(0), commit(1, Comparison::Needed));
    assert_eq!(scheduler.next_task(), check(2));
}

#[test]
fn c2_only_one_worker_commits() {
    let scheduler = Scheduler::new(Steps { count: 3, ..Steps::default() });
    assert_eq!(scheduler.next_task(), at_frontier(0));
    assert_eq!(scheduler.executed(0, Publication::Same, Basis::Read), commit(0, Comparison::Done));
    assert_eq!(scheduler.next_task(), ahead(1));
    assert_eq!(scheduler.next_task(), ahead(2));
}

#[test]
fn s1_an_outdated_suspect_is_executed_again_by_who_found_it() {
    let scheduler = all_started(3);
    scheduler.executed(2, Publication::Changed, Basis::Read);
    let suspect = scheduler.executed(1, Publication::Changed, Basis::Read);
    let Some(Task::Check { tx, incarnation, epoch }) = suspect else {
        panic!("transaction 2 is suspect");
    };
    let check = || scheduler.checked(tx, incarnation, epoch, Found::Outdated);
    assert_eq!(check(), Some(Start::Ahead));
    assert_eq!(check(), None, "it is aborted once");
}

#[test]
fn a_check_of_an_older_incarnation_counts_for_nothing() {
    let scheduler = all_started(3);
    scheduler.executed(2, Publication::Changed, Basis::Read);
    scheduler.executed(1, Publication::Changed, Basis::Read);
    assert_eq!(scheduler.checked(2, 0, 2, Found::Outdated), Some(Start::Ahead));
    scheduler.executed(2, Publication::Same, Basis::Assumed);
    assert_eq!(scheduler.checked(2, 0, 2, Found::Outdated), None);
    assert_eq!(scheduler.checked(2, 0, 2, Found::Current), None);
    assert_eq!(scheduler.executed(0, Publication::Same, Basis::Read), commit(0, Comparison::Done));
    assert!(matches!(scheduler.committed(0), Some(Task::Commit { tx: 1, .. })));
    assert_eq!(scheduler.committed(1), commit(2, Comparison::Needed), "its basis was not checked");
}

#[test]
fn s2_who_waits_is_ready_once_the_writer_has_published() {
    let scheduler = all_started(3);
    scheduler.blocked(2, 1);
    assert_eq!(scheduler.executed(1, Publication::Changed, Basis::Read), ahead(2));
    assert_eq!(scheduler.blocked(2, 1), ahead(2), "it had published already");
}

#[test]
fn s3_a_sleeping_worker_is_woken_by_work() {
    let scheduler = all_started(2);
    scheduler.blocked(1, 0);
    let woken = std::thread::scope(|scope| {
        let sleeper = scope.spawn(|| scheduler.next_task());
        assert_eq!(
            scheduler.executed(0, Publication::Same, Basis::Read),
            commit(0, Comparison::Done)
        );
        sleeper.join()
    });
    assert!(matches!(woken, Ok(Some(Task::Execute { tx: 1, .. }))), "{woken:?}");
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

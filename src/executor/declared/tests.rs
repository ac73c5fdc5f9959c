//! Who waits for whom, and until when, on a block of the built-in sample.

use super::*;
use crate::{
    block::{ReplayJob, prepare},
    cache::sample,
    executor::{
        access::{TxIndex, record},
        codes::Codes,
        observe::{Activity, Event, Record, Unobserved},
        worker::Worker,
    },
};
use std::{num::NonZeroUsize, thread::scope, time::Duration};

/// A block whose transactions declare `sources`, whatever they do.
fn declared(sources: &[&[TxIndex]]) -> (ReplayJob, Declared) {
    let blocks = sample().expect("the file that is built in is whole").into_iter();
    let mut jobs = blocks.map(|block| prepare(block, |_| ()).expect("it proves itself"));
    let job = jobs.find(|job| job.transactions.len() >= sources.len()).expect("one is as long");
    let mut declared = Declared::new(&job, &record(&job).expect("it is valid"));
    declared.sources = vec![Vec::new(); job.transactions.len()];
    for (declared, sources) in declared.sources.iter_mut().zip(sources) {
        *declared = sources.to_vec();
    }
    (job, declared)
}

#[test]
fn who_declared_to_read_from_a_transaction_waits_until_it_has_ended_and_tells_so() {
    let (job, declared) = declared(&[&[], &[0]]);
    let (storage, codes) = (job.storage(), Codes::new(&job.pre_state, NonZeroUsize::MIN));
    let clock = || Duration::ZERO;
    let record = Record::new(&clock, job.transactions.len());
    let run = Run::begin(&job, &storage, &declared).expect("it is valid").seen_by(&record);
    scope(|scope| {
        let reader = scope.spawn(|| run.left_by(0, 1).is_ok());
        let mut worker = Worker::speculative(&job, AccessListDb::new(&run, codes.of(0)));
        assert!(!reader.is_finished());
        assert_eq!(run.execute(&mut worker, 0, &Unobserved), Ran::AsDeclared);
        assert_eq!(reader.join().ok(), Some(true));
    });
    drop(run);
    let told: Vec<_> = record.into_events().into_iter().map(|told| told.event).collect();
    let waits = [Event::Began(Activity::Wait { on: 0 }), Event::Resumed];
    assert!(told.is_empty() || told == waits, "{told:?}, empty if the reader came late");
}

#[test]
fn nobody_waits_for_a_transaction_that_was_not_declared_to_be_read_from() {
    let (job, declared) = declared(&[&[], &[]]);
    let storage = job.storage();
    let run = Run::begin(&job, &storage, &declared).expect("it is valid");
    assert!(run.left_by(0, 1).is_err());
}

#[test]
fn nobody_waits_any_longer_once_the_run_is_given_up() {
    let (job, declared) = declared(&[&[], &[0], &[0]]);
    let storage = job.storage();
    let run = Run::begin(&job, &storage, &declared).expect("it is valid");
    scope(|scope| {
        let readers = [1, 2].map(|tx| {
            scope.spawn({
                let run = &run;
                move || run.left_by(0, tx).is_ok()
            })
        });
        run.give_up();
        assert_eq!(readers.map(|reader| reader.join().ok()), [Some(false); 2]);
    });
}

#[test]
fn payments_of_one_sender_do_not_wait_for_each_other() {
    let mut followers = 0;
    for recorded in sample().expect("the file that is built in is whole") {
        let job = prepare(recorded, |_| ()).expect("it proves itself");
        let accesses = record(&job).expect("it is valid");
        let declared = Declared::new(&job, &accesses);
        let sender = |tx: &TxIndex| job.transactions[*tx].signer();
        let is_payment = |tx: &TxIndex| accesses.transactions[*tx].gas == 21_000;
        for tx in (0..job.transactions.len()).filter(is_payment) {
            followers += usize::from((0..tx).any(|before| sender(&before) == sender(&tx)));
            let own = declared.sources[tx].iter().filter(|source| sender(source) == sender(&tx));
            assert_eq!(own.count(), 0, "transaction {tx} of block {}", job.header.number);
        }
    }
    assert!(followers > 0, "somebody sends twice");
}

//! Waiting of readers for writers, on blocks of the built-in sample.

use super::*;
use crate::{
    block::{ReplayJob, prepare},
    cache::sample,
    execution::{
        codes::Codes,
        location::TxIndex,
        observe::{Activity, Event, Record, Unobserved},
        worker::Worker,
    },
    executors::record_accesses,
};
use std::{num::NonZeroUsize, thread::scope, time::Duration};

/// A block with these declared `sources`. Its transactions may read from others.
fn declared(sources: &[&[TxIndex]]) -> (ReplayJob, Declared) {
    let blocks = sample().expect("the built-in sample is valid").into_iter();
    let mut jobs = blocks.map(|block| prepare(block, |_| ()).expect("the witness is valid"));
    let job =
        jobs.find(|job| job.transactions.len() >= sources.len()).expect("a block is long enough");
    let mut declared = Declared::new(&job, &record_accesses(&job).expect("the block is valid"));
    declared.sources = vec![Vec::new(); job.transactions.len()];
    for (declared, sources) in declared.sources.iter_mut().zip(sources) {
        *declared = sources.to_vec();
    }
    (job, declared)
}

#[test]
fn a_reader_waits_for_a_declared_source_and_records_the_wait() {
    let (job, declared) = declared(&[&[], &[0]]);
    let (storage, codes) = (job.storage(), Codes::new(&job.pre_state, NonZeroUsize::MIN));
    let clock = || Duration::ZERO;
    let record = Record::new(&clock, job.transactions.len());
    let run = Run::begin(&job, &storage, &declared).expect("the block is valid").seen_by(&record);
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
    assert!(told.is_empty() || told == waits, "{told:?}; empty if the reader started late");
}

#[test]
fn an_undeclared_read_does_not_wait() {
    let (job, declared) = declared(&[&[], &[]]);
    let storage = job.storage();
    let run = Run::begin(&job, &storage, &declared).expect("the block is valid");
    assert!(run.left_by(0, 1).is_err());
}

#[test]
fn an_abandoned_run_releases_waiting_readers() {
    let (job, declared) = declared(&[&[], &[0], &[0]]);
    let storage = job.storage();
    let run = Run::begin(&job, &storage, &declared).expect("the block is valid");
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
    for recorded in sample().expect("the built-in sample is valid") {
        let job = prepare(recorded, |_| ()).expect("the witness is valid");
        let accesses = record_accesses(&job).expect("the block is valid");
        let declared = Declared::new(&job, &accesses);
        let sender = |tx: &TxIndex| job.transactions[*tx].signer();
        let is_payment = |tx: &TxIndex| accesses.transactions[*tx].gas == 21_000;
        for tx in (0..job.transactions.len()).filter(is_payment) {
            followers += usize::from((0..tx).any(|before| sender(&before) == sender(&tx)));
            let own = declared.sources[tx].iter().filter(|source| sender(source) == sender(&tx));
            assert_eq!(own.count(), 0, "transaction {tx} of block {}", job.header.number);
        }
    }
    assert!(followers > 0, "a sender has two transactions in a block");
}

//! Records the events of a run, and checks afterwards that they follow the rules.

use crate::stm::observe::{Event, Listener, Observer};
use parking_lot::Mutex;

/// Keeps all events. Reporting one is no step of a schedule.
#[derive(Debug, Default)]
pub(crate) struct Witness(Mutex<Vec<Event>>);

impl Listener for Witness {
    fn tell(&self, event: Event) {
        self.0.lock().push(event);
    }
}

impl Observer for Witness {
    const WATCHES: bool = true;
}

impl Witness {
    /// Checks that all transactions commit once and in order. Each of them commits after it was
    /// published, and is never executed again. An incarnation stops only for a lower transaction.
    pub(crate) fn judge(self, transactions: usize) {
        let (mut committed, mut published) = (0, vec![0; transactions]);
        let events = self.0.into_inner();
        for event in &events {
            match *event {
                Event::Committed { tx } => {
                    assert_eq!(tx, committed, "transactions commit in order: {events:?}");
                    assert!(published[tx] > 0, "{tx} committed unpublished: {events:?}");
                    committed += 1;
                }
                Event::Published { tx } => {
                    assert!(tx >= committed, "{tx} was executed after it committed: {events:?}");
                    published[tx] += 1;
                }
                Event::Blocked { tx, on } => {
                    assert!(on < tx, "{tx} waits for {on}, which is not lower: {events:?}");
                }
                Event::Began(_) | Event::Resumed | Event::Aborted { .. } => {}
            }
        }
        assert_eq!(committed, transactions, "all transactions commit: {events:?}");
    }
}

//! Reads hardware counters: instructions and cycles, through Linux's `perf_event_open`.
//!
//! A counter covers the threads that start after it was opened. It must therefore be opened before the thread
//! pools. Counters are optional: many virtual machines have none, and `kernel.perf_event_paranoid` often denies
//! access to ordinary users.

use super::sample::Counts;

/// Counters of this process and of all threads that start from now on.
#[derive(Debug)]
pub(super) struct Counters(platform::Counters);

impl Counters {
    /// Opens the counters; `None` if hardware counters are unavailable.
    pub(super) fn open() -> Option<Self> {
        platform::Counters::open().map(Self)
    }

    /// Runs `work`, and returns the counts during it.
    pub(super) fn during<T>(&mut self, work: impl FnOnce() -> T) -> (T, Option<Counts>) {
        let before = self.0.read();
        let result = work();
        let counts = self.0.read().zip(before).map(|(after, before)| Counts {
            instructions: after.instructions.saturating_sub(before.instructions),
            cycles: after.cycles.saturating_sub(before.cycles),
        });
        (result, counts)
    }
}

#[cfg(target_os = "linux")]
mod platform {
    use super::Counts;
    use perf_event::{Builder, Counter, events::Hardware};
    use std::io;

    #[derive(Debug)]
    pub(super) struct Counters {
        instructions: Counter,
        cycles: Counter,
    }

    impl Counters {
        pub(super) fn open() -> Option<Self> {
            let instructions = counter(Hardware::INSTRUCTIONS).ok()?;
            let cycles = counter(Hardware::CPU_CYCLES).ok()?;
            Some(Self { instructions, cycles })
        }

        pub(super) fn read(&mut self) -> Option<Counts> {
            let instructions = self.instructions.read().ok()?;
            Some(Counts { instructions, cycles: self.cycles.read().ok()? })
        }
    }

    /// Opens a single counter. Threads do not inherit counters of a group.
    fn counter(event: Hardware) -> io::Result<Counter> {
        let mut counter = Builder::new(event).observe_self().any_cpu().inherit(true).build()?;
        counter.enable()?;
        Ok(counter)
    }
}

#[cfg(not(target_os = "linux"))]
mod platform {
    use super::Counts;

    /// This platform has no hardware counters.
    #[derive(Debug)]
    pub(super) enum Counters {}

    impl Counters {
        pub(super) fn open() -> Option<Self> {
            None
        }

        pub(super) fn read(&mut self) -> Option<Counts> {
            match *self {}
        }
    }
}

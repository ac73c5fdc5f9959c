//! The one place that reads clocks.

use rustix::time::{ClockId, clock_gettime};
use std::time::{Duration, Instant};

/// Runs `work`, and tells how long it took by the wall clock.
pub fn timed<T>(work: impl FnOnce() -> T) -> (T, Duration) {
    let start = Instant::now();
    let result = work();
    (result, start.elapsed())
}

/// Like [`timed`], with the processor time that all threads of this process used meanwhile; `None`
/// where the system does not tell.
pub(super) fn timed_with_cpu<T>(work: impl FnOnce() -> T) -> (T, Duration, Option<Duration>) {
    let before = process_cpu_time();
    let (result, wall) = timed(work);
    let cpu = process_cpu_time().zip(before).and_then(|(after, before)| after.checked_sub(before));
    (result, wall, cpu)
}

fn process_cpu_time() -> Option<Duration> {
    Duration::try_from(clock_gettime(ClockId::ProcessCPUTime)).ok()
}

/// Divides time into laps that follow each other without a gap.
#[derive(Clone, Copy, Debug)]
pub struct Stopwatch {
    lap_began: Instant,
}

impl Stopwatch {
    /// Begins the first lap.
    pub fn start() -> Self {
        Self { lap_began: Instant::now() }
    }

    /// Ends the lap, returns its length, and begins the next.
    pub fn lap(&mut self) -> Duration {
        let now = Instant::now();
        now.duration_since(std::mem::replace(&mut self.lap_began, now))
    }
}

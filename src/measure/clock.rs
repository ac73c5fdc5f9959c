//! The one place that reads clocks.

use rustix::time::{ClockId, clock_gettime};
use std::{
    fmt,
    time::{Duration, Instant},
};

/// Where times come from: the system, or the script of a test.
pub trait Clock: fmt::Debug {
    /// Wall-clock time since some moment that stays the same.
    fn wall(&self) -> Duration;

    /// Processor time that all threads of this process have used; `None` where nobody tells.
    fn cpu(&self) -> Option<Duration>;
}

/// The system's own clocks.
#[derive(Clone, Copy, Debug)]
pub struct SystemClock {
    origin: Instant,
}

impl SystemClock {
    /// A clock that begins now.
    pub fn start() -> Self {
        Self { origin: Instant::now() }
    }
}

impl Clock for SystemClock {
    fn wall(&self) -> Duration {
        self.origin.elapsed()
    }

    fn cpu(&self) -> Option<Duration> {
        Duration::try_from(clock_gettime(ClockId::ProcessCPUTime)).ok()
    }
}

/// Runs `work`, and tells how long it took by the wall clock.
pub(super) fn timed<T>(clock: &impl Clock, work: impl FnOnce() -> T) -> (T, Duration) {
    let start = clock.wall();
    let result = work();
    (result, clock.wall().saturating_sub(start))
}

/// Like [`timed`], with the processor time that all threads of this process used meanwhile; `None`
/// where the system does not tell.
pub(super) fn timed_with_cpu<T>(
    clock: &impl Clock,
    work: impl FnOnce() -> T,
) -> (T, Duration, Option<Duration>) {
    let before = clock.cpu();
    let (result, wall) = timed(clock, work);
    let cpu = clock.cpu().zip(before).and_then(|(after, before)| after.checked_sub(before));
    (result, wall, cpu)
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

//! Reads the wall clock and the CPU clocks for the samples. No other module of `measure` reads a clock.

use jiff::Timestamp;
use rustix::time::{ClockId, clock_gettime};
use std::{
    fmt, hint,
    time::{Duration, Instant},
};

/// A source of times: the system, or a scripted clock in tests.
pub trait Clock: fmt::Debug {
    /// Wall-clock time since a fixed moment.
    fn wall(&self) -> Duration;

    /// CPU time of all threads of this process; `None` if the system does not report it.
    fn cpu(&self) -> Option<Duration>;

    /// Waits until no other thread of this process runs. Idle workers spin for a while before they sleep, and
    /// would take a core from the next sample. The wait has a time limit.
    fn until_quiet(&self);
}

/// The clocks of the system.
#[derive(Clone, Copy, Debug)]
pub struct SystemClock {
    origin: Instant,
}

impl SystemClock {
    /// A clock that starts at zero now.
    pub fn start() -> Self {
        Self { origin: Instant::now() }
    }

    /// CPU time of all threads of this process except the calling one; `None` if the system does not report it.
    fn cpu_of_others(&self) -> Option<Duration> {
        let own = Duration::try_from(clock_gettime(ClockId::ThreadCPUTime)).ok()?;
        Some(self.cpu()?.saturating_sub(own))
    }
}

impl Clock for SystemClock {
    fn wall(&self) -> Duration {
        self.origin.elapsed()
    }

    fn cpu(&self) -> Option<Duration> {
        Duration::try_from(clock_gettime(ClockId::ProcessCPUTime)).ok()
    }

    fn until_quiet(&self) {
        until_quiet(|| self.wall(), || self.cpu_of_others());
    }
}

/// The date and time in UTC, to the second, as in RFC 3339: `2026-03-01T12:00:00Z`.
pub fn utc_now() -> String {
    format!("{:.0}", Timestamp::now())
}

/// Length of the window in which no other thread may run.
const QUIET: Duration = Duration::from_micros(20);

/// CPU time that other threads may use in that window. It covers their last steps into sleep, and the time
/// between reading the two clocks.
const STIR: Duration = Duration::from_micros(2);

/// Time limit of the wait.
const PATIENCE: Duration = Duration::from_millis(5);

/// Spins until the other threads use no CPU time. `wall` reads the time, and `others` reads their CPU time.
/// Returns at once if the CPU time is unknown.
fn until_quiet(wall: impl Fn() -> Duration, others: impl Fn() -> Option<Duration>) {
    let began = wall();
    while let Some(before) = others() {
        let window = wall();
        while wall().saturating_sub(window) < QUIET {
            hint::spin_loop();
        }
        let used = others().map_or(Duration::ZERO, |after| after.saturating_sub(before));
        if used <= STIR || wall().saturating_sub(began) >= PATIENCE {
            break;
        }
    }
}

/// Runs `work`, and returns its wall-clock time.
pub(super) fn timed<T>(clock: &impl Clock, work: impl FnOnce() -> T) -> (T, Duration) {
    let start = clock.wall();
    let result = work();
    (result, clock.wall().saturating_sub(start))
}

/// Like [`timed`], and also returns the CPU time of all threads of this process; `None` if the system does not
/// report it.
pub(super) fn timed_with_cpu<T>(
    clock: &impl Clock,
    work: impl FnOnce() -> T,
) -> (T, Duration, Option<Duration>) {
    let before = clock.cpu();
    let (result, wall) = timed(clock, work);
    let cpu = clock.cpu().zip(before).and_then(|(after, before)| after.checked_sub(before));
    (result, wall, cpu)
}

/// Divides time into consecutive laps without gaps.
#[derive(Clone, Copy, Debug)]
pub struct Stopwatch {
    lap_began: Instant,
}

impl Stopwatch {
    /// Starts the first lap.
    pub fn start() -> Self {
        Self { lap_began: Instant::now() }
    }

    /// The length of the lap so far.
    pub fn elapsed(&self) -> Duration {
        self.lap_began.elapsed()
    }

    /// Ends the lap, returns its length, and starts the next one.
    pub fn lap(&mut self) -> Duration {
        let now = Instant::now();
        now.duration_since(std::mem::replace(&mut self.lap_began, now))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::cell::Cell;

    /// The duration of the wait if the CPU time of other threads follows `busy`. Each read of the clock takes a
    /// microsecond.
    fn waited(busy: impl Fn(Duration) -> Option<Duration>) -> Duration {
        let now = Cell::new(Duration::ZERO);
        let wall = || {
            now.set(now.get() + Duration::from_micros(1));
            now.get()
        };
        until_quiet(wall, || busy(now.get()));
        now.get()
    }

    #[test]
    fn a_sample_waits_for_running_threads_within_a_time_limit() {
        let until = Duration::from_micros(300);
        let waited_for = waited(|now| Some(now.min(until)));
        assert!((until..until + 3 * QUIET).contains(&waited_for), "{waited_for:?}");
        assert!(waited(|_| Some(until)) < 2 * QUIET, "no other thread runs");
        let patient = waited(Some);
        assert!((PATIENCE..PATIENCE + 2 * QUIET).contains(&patient), "{patient:?}");
        assert!(waited(|_| None) < QUIET, "the CPU time is unknown");
    }
}

//! The one place that reads clocks.

use rustix::time::{ClockId, clock_gettime};
use std::{
    fmt, hint,
    time::{Duration, Instant},
};

/// Where times come from: the system, or the script of a test.
pub trait Clock: fmt::Debug {
    /// Wall-clock time since some moment that stays the same.
    fn wall(&self) -> Duration;

    /// Processor time that all threads of this process have used; `None` where nobody tells.
    fn cpu(&self) -> Option<Duration>;

    /// Waits until the calling thread is the only one of this process that runs: those that have just worked look for
    /// more for a while before they sleep, and would take a processor from whoever is timed next. Somebody who goes on
    /// for longer is not waited for.
    fn until_quiet(&self);
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

    /// Processor time that threads other than the calling one have used; `None` where the system does not tell.
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

/// For how long nobody else may have run.
const QUIET: Duration = Duration::from_micros(20);

/// What other threads may use of that: their last steps into sleep, and what the clocks are read apart.
const STIR: Duration = Duration::from_micros(2);

/// No longer than this is waited for others.
const PATIENCE: Duration = Duration::from_millis(5);

/// Keeps the processor until others use none, by the time that passes and the time that they use; not at all where
/// nobody tells the latter.
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

#[cfg(test)]
mod tests {
    use super::*;
    use std::cell::Cell;

    /// How long it is waited where others are busy as this function of time says. Each look at the clock takes a
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
    fn a_lap_waits_for_those_who_still_run_but_not_for_ever() {
        let until = Duration::from_micros(300);
        let waited_for = waited(|now| Some(now.min(until)));
        assert!((until..until + 3 * QUIET).contains(&waited_for), "{waited_for:?}");
        assert!(waited(|_| Some(until)) < 2 * QUIET, "nobody runs");
        let patient = waited(Some);
        assert!((PATIENCE..PATIENCE + 2 * QUIET).contains(&patient), "{patient:?}");
        assert!(waited(|_| None) < QUIET, "nobody tells");
    }
}

//! Simulated time: each thread has a clock, and the thread with the earliest clock always runs
//! next.
//!
//! No other thread has an earlier clock than the next one. So all threads see each step in the
//! order of the clocks, as if they ran in parallel (discrete-event simulation). A blocked thread
//! continues at the time of the thread that released it.
//!
//! Without simulated time, as in model checks, this module does nothing.

use shuttle::{
    current,
    scheduler::{Schedule, Scheduler, Task, TaskId},
};
use std::cell::RefCell;

/// Costs of the engine's steps, in nanoseconds. Everything else in the engine is free. A thread
/// waits for a lock only while the lock's holder takes another one.
#[derive(Clone, Copy, Debug)]
pub struct Costs {
    /// Taking a free lock. Its cache line comes from another core.
    pub lock: u64,
    /// A poll.
    pub look: u64,
    /// A poll that yields to other threads.
    pub yielding: u64,
    /// Time from the wake-up call until the sleeping thread runs.
    pub wake: u64,
}

/// A step that takes time.
#[derive(Clone, Copy, Debug)]
pub enum Cost {
    /// Taking a lock.
    Lock,
    /// A poll.
    Look,
    /// A poll that yields.
    Yield,
    /// Waking up.
    Wake,
    /// Nanoseconds.
    Work(u64),
}

impl Costs {
    const fn of(&self, cost: Cost) -> u64 {
        match cost {
            Cost::Lock => self.lock,
            Cost::Look => self.look,
            Cost::Yield => self.yielding,
            Cost::Wake => self.wake,
            Cost::Work(length) => length,
        }
    }
}

/// Clock of one simulated thread.
#[derive(Clone, Copy, Debug, Default)]
struct Clock {
    /// Time in nanoseconds.
    at: u64,
    /// Whether the thread could run at the last choice.
    runs: bool,
}

#[derive(Debug)]
struct Time {
    costs: Costs,
    clocks: Vec<Clock>,
    /// Clock of the running thread at the time of its choice.
    now: u64,
}

impl Time {
    /// The next thread. If the current thread has an equal clock, it continues.
    fn choose(&mut self, runnable: &[&Task], current: Option<TaskId>) -> Option<TaskId> {
        let runnable: Vec<_> = runnable.iter().map(|task| task.id()).collect();
        let last = runnable.iter().map(|task| usize::from(*task)).max()?;
        self.clocks.resize(self.clocks.len().max(last + 1), Clock::default());
        for (thread, clock) in self.clocks.iter_mut().enumerate() {
            let runs = runnable.contains(&TaskId::from(thread));
            if runs && !clock.runs {
                clock.at = clock.at.max(self.now);
            }
            clock.runs = runs;
        }
        let at = |task: &TaskId| self.clocks[usize::from(*task)].at;
        let next = runnable.into_iter().min_by_key(|task| (at(task), Some(*task) != current))?;
        self.now = at(&next);
        Some(next)
    }
}

thread_local! {
    /// shuttle runs all simulated threads on the thread that calls it.
    static TIME: RefCell<Option<Time>> = const { RefCell::new(None) };
}

/// Whether simulated time passes.
pub(crate) fn passes() -> bool {
    TIME.with_borrow(Option::is_some)
}

/// Advances the clock of the calling thread. Threads with an earlier clock then run first.
pub fn pass(cost: Cost) {
    let passed = TIME.with_borrow_mut(|time| {
        let Some(Time { costs, clocks, .. }) = time else { return false };
        if let Some(clock) = clocks.get_mut(usize::from(current::me())) {
            clock.at += costs.of(cost);
        }
        true
    });
    if passed {
        shuttle::thread::yield_now();
    }
}

/// Clock of the calling thread, in nanoseconds.
pub fn now() -> u64 {
    let me = usize::from(current::me());
    TIME.with_borrow(|time| Some(time.as_ref()?.clocks.get(me)?.at)).unwrap_or_default()
}

/// Runs one schedule with simulated time.
#[derive(Debug)]
pub struct InTime {
    costs: Costs,
    is_over: bool,
}

impl InTime {
    /// Creates the scheduler of one run.
    pub const fn new(costs: Costs) -> Self {
        Self { costs, is_over: false }
    }
}

impl Scheduler for InTime {
    fn new_execution(&mut self) -> Option<Schedule> {
        let time = (!self.is_over).then(|| Time { costs: self.costs, clocks: Vec::new(), now: 0 });
        self.is_over = true;
        let schedule = time.is_some().then(|| Schedule::new(0));
        TIME.set(time);
        schedule
    }

    fn next_task(
        &mut self,
        runnable: &[&Task],
        current: Option<TaskId>,
        _: bool,
    ) -> Option<TaskId> {
        TIME.with_borrow_mut(|time| time.as_mut()?.choose(runnable, current))
    }

    fn next_u64(&mut self) -> u64 {
        0
    }
}

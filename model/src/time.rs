//! Time that passes as told: a clock for each simulated thread, and a schedule in which the thread whose clock is
//! furthest behind is always next.
//!
//! Whoever is next has nobody before it in time, so that all threads see each step in the order of their clocks, as if
//! they ran side by side (discrete-event simulation). Who was blocked goes on when whoever released it did so.
//!
//! Where no time passes, as under [`checks`](crate::checks), nothing here does anything.

use shuttle::{
    current,
    scheduler::{Schedule, Scheduler, Task, TaskId},
};
use std::cell::RefCell;

/// What steps of the engine cost, in nanoseconds. The rest of it costs nothing, and nobody waits for a lock but while its
/// holder takes another.
#[derive(Clone, Copy, Debug)]
pub struct Costs {
    /// Taking a lock that is free, with the line of the cache that comes from another core.
    pub lock: u64,
    /// A look at what is waited for.
    pub look: u64,
    /// One that lets other threads run.
    pub yielding: u64,
    /// From the call to a sleeping thread until it runs.
    pub wake: u64,
}

/// What takes time.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Cost {
    Lock,
    Look,
    Yield,
    Wake,
    /// So many nanoseconds.
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

/// One simulated thread.
#[derive(Clone, Copy, Debug, Default)]
struct Clock {
    /// In nanoseconds.
    at: u64,
    /// Whether it could go on when somebody was last chosen.
    runs: bool,
}

#[derive(Debug)]
struct Time {
    costs: Costs,
    clocks: Vec<Clock>,
    /// The clock of the thread that runs, when it was chosen.
    now: u64,
}

impl Time {
    /// Who is next. Of two at the same time, the one that runs goes on.
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
    /// shuttle runs all simulated threads on the one that calls it.
    static TIME: RefCell<Option<Time>> = const { RefCell::new(None) };
}

/// Whether time passes.
pub(crate) fn passes() -> bool {
    TIME.with_borrow(Option::is_some)
}

/// The calling thread spends so much time. Others whose clocks are behind then run before it goes on.
pub(crate) fn pass(cost: Cost) {
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

/// The calling thread's clock, in nanoseconds.
pub(crate) fn now() -> u64 {
    let me = usize::from(current::me());
    TIME.with_borrow(|time| Some(time.as_ref()?.clocks.get(me)?.at)).unwrap_or_default()
}

/// Runs one schedule in which time passes.
#[derive(Debug)]
pub(crate) struct InTime {
    costs: Costs,
    is_over: bool,
}

impl InTime {
    pub(crate) const fn new(costs: Costs) -> Self {
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

//! Every schedule with a few preemptions.
//!
//! A preemption is a switch from a thread that could have continued. Most concurrency bugs need only one or two
//! preemptions (Musuvathi and Qadeer, "Iterative Context Bounding for Systematic Testing of Multithreaded
//! Programs", PLDI 2007). So few can be tried at every place, in every combination.

use shuttle::scheduler::{DataSource, RandomDataSource, Schedule, Scheduler, Task, TaskId};

/// A point of choice: the runnable threads and the chosen one. The first thread costs no preemption.
#[derive(Debug)]
struct Fork {
    choices: Vec<TaskId>,
    chosen: usize,
}

/// Tries all schedules with at most this number of preemptions.
#[derive(Debug)]
pub(crate) struct Bounded {
    preemptions: usize,
    /// Points of choice in the current schedule.
    trail: Vec<Fork>,
    step: usize,
    preempted: usize,
    tried: usize,
    most: usize,
}

impl Bounded {
    /// Stops after `most` schedules.
    pub(crate) fn new(preemptions: usize, most: usize) -> Self {
        Self { preemptions, trail: Vec::new(), step: 0, preempted: 0, tried: 0, most }
    }

    /// Advances to the next schedule: another choice at the last point that has one left.
    fn advance(&mut self) -> Option<()> {
        while let Some(fork) = self.trail.last_mut() {
            fork.chosen += 1;
            if fork.chosen < fork.choices.len() {
                return Some(());
            }
            self.trail.pop();
        }
        None
    }

    fn choices(&self, runnable: &[&Task], current: Option<TaskId>, yields: bool) -> Vec<TaskId> {
        let all = runnable.iter().map(|task| task.id());
        let Some(current) = current.filter(|current| all.clone().any(|task| task == *current))
        else {
            return all.collect();
        };
        let others = all.filter(|task| *task != current);
        if yields {
            return others.chain([current]).collect();
        }
        let left = self.preemptions - self.preempted;
        std::iter::once(current).chain(others.take(if left > 0 { usize::MAX } else { 0 })).collect()
    }
}

impl Scheduler for Bounded {
    fn new_execution(&mut self) -> Option<Schedule> {
        if self.tried > 0 {
            self.advance()?;
        }
        if self.tried == self.most {
            return None;
        }
        self.tried += 1;
        (self.step, self.preempted) = (0, 0);
        Some(Schedule::new(0))
    }

    fn next_task(
        &mut self,
        runnable: &[&Task],
        current: Option<TaskId>,
        yields: bool,
    ) -> Option<TaskId> {
        let choices = self.choices(runnable, current, yields);
        if self.step == self.trail.len() {
            self.trail.push(Fork { choices: choices.clone(), chosen: 0 });
        }
        let fork = &self.trail[self.step];
        assert_eq!(
            fork.choices, choices,
            "step {} was not repeated: something is random",
            self.step
        );
        self.step += 1;
        let next = fork.choices[fork.chosen];
        // A thread that yields or is blocked is not preempted.
        let goes_on = current.filter(|current| !yields && fork.choices.contains(current));
        self.preempted += usize::from(goes_on.is_some_and(|current| current != next));
        Some(next)
    }

    fn next_u64(&mut self) -> u64 {
        RandomDataSource::initialize(0).next_u64()
    }
}

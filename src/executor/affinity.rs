//! Keeping threads on one core each, where the system can (Linux's `sched_setaffinity`).

use std::io;

/// Whether threads are kept on one core each.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Pinning {
    /// The system moves them as it likes.
    Free,
    /// Each stays on one core; with more threads than cores, some share one.
    Pinned,
}

/// The processors that a thread may run on.
#[derive(Clone, Debug)]
pub(super) struct Cores(platform::Cores);

impl Cores {
    /// Those of the calling thread.
    pub(super) fn of_caller() -> io::Result<Self> {
        platform::Cores::of_caller().map(Self)
    }

    /// Keeps the calling thread on the one of these cores that is `index`, counted round and round.
    pub(super) fn bind_caller(&self, index: usize) -> io::Result<()> {
        self.0.bind_caller(index)
    }

    /// Lets the calling thread run on all of these.
    fn free_caller(&self) -> io::Result<()> {
        self.0.free_caller()
    }
}

/// A core that a thread was on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Core(usize);

impl Core {
    /// The calling thread's, where the system tells.
    pub(super) fn of_caller() -> Option<Self> {
        platform::current().map(Self)
    }

    /// Moves the calling thread to another core if it is on this one, and may be elsewhere. A thread that is woken can
    /// be put where its waker runs although others are idle, above all on a virtual machine, whose idle cores may not
    /// be there; it would then wait for the waker's time slice to end, which is longer than most blocks take.
    pub(super) fn clear(self) {
        if platform::current() == Some(self.0) {
            // If the system would not, the thread is no worse off than before.
            let _ = platform::leave(self.0);
        }
    }
}

/// Keeps a thread on its core until dropped by the same thread.
#[derive(Debug)]
pub struct BoundCaller(Cores);

impl BoundCaller {
    /// Keeps the calling thread on the first of its cores.
    pub(super) fn new() -> io::Result<Self> {
        let cores = Cores::of_caller()?;
        cores.bind_caller(0)?;
        Ok(Self(cores))
    }
}

impl Drop for BoundCaller {
    fn drop(&mut self) {
        // It was allowed a moment ago. If it is not any more, somebody else took the cores away, and
        // staying on one of them is all that is left.
        let _ = self.0.free_caller();
    }
}

#[cfg(target_os = "linux")]
mod platform {
    use rustix::thread::{CpuSet, sched_getaffinity, sched_getcpu, sched_setaffinity};
    use std::io;

    pub(super) fn current() -> Option<usize> {
        Some(sched_getcpu())
    }

    pub(super) fn leave(core: usize) -> io::Result<()> {
        let all = sched_getaffinity(None)?;
        if all.count() > 1 {
            let mut others = all;
            others.unset(core);
            sched_setaffinity(None, &others)?;
            sched_setaffinity(None, &all)?;
        }
        Ok(())
    }

    #[derive(Clone, Debug)]
    pub(super) struct Cores {
        all: CpuSet,
        each: Vec<usize>,
    }

    impl Cores {
        pub(super) fn of_caller() -> io::Result<Self> {
            let all = sched_getaffinity(None)?;
            let each = (0..CpuSet::MAX_CPU).filter(|cpu| all.is_set(*cpu)).collect();
            Ok(Self { all, each })
        }

        pub(super) fn bind_caller(&self, index: usize) -> io::Result<()> {
            let mut one = CpuSet::new();
            let cpu = self.each.iter().cycle().nth(index % self.each.len().max(1));
            one.set(*cpu.ok_or(io::ErrorKind::NotFound)?);
            Ok(sched_setaffinity(None, &one)?)
        }

        pub(super) fn free_caller(&self) -> io::Result<()> {
            Ok(sched_setaffinity(None, &self.all)?)
        }
    }
}

#[cfg(not(target_os = "linux"))]
mod platform {
    use std::io;

    pub(super) fn current() -> Option<usize> {
        None
    }

    pub(super) fn leave(_core: usize) -> io::Result<()> {
        Err(io::ErrorKind::Unsupported.into())
    }

    #[derive(Clone, Copy, Debug)]
    pub(super) struct Cores;

    impl Cores {
        pub(super) fn of_caller() -> io::Result<Self> {
            Err(io::ErrorKind::Unsupported.into())
        }

        pub(super) fn bind_caller(&self, _index: usize) -> io::Result<()> {
            Err(io::ErrorKind::Unsupported.into())
        }

        pub(super) fn free_caller(&self) -> io::Result<()> {
            Err(io::ErrorKind::Unsupported.into())
        }
    }
}

#[cfg(all(test, target_os = "linux"))]
mod tests {
    use super::*;
    use rustix::thread::sched_getaffinity;

    #[test]
    fn a_thread_leaves_a_core_and_may_still_run_anywhere() {
        let before = sched_getaffinity(None).expect("Linux can");
        let has_left = || {
            let core = Core::of_caller().expect("Linux tells");
            core.clear();
            Core::of_caller() != Some(core)
        };
        // The system may put it back at once, but not each time.
        assert!(before.count() == 1 || (0..100).any(|_| has_left()));
        assert_eq!(sched_getaffinity(None).expect("Linux can"), before);
    }

    #[test]
    fn a_thread_that_is_bound_stays() {
        let bound = BoundCaller::new().expect("Linux can");
        let core = Core::of_caller().expect("Linux tells");
        core.clear();
        assert_eq!(Core::of_caller(), Some(core));
        drop(bound);
    }
}

//! Pins threads to cores, with Linux's `sched_setaffinity`. Other systems return an error.

use std::io;

/// Whether each thread is pinned to one core.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Pinning {
    /// The operating system moves threads between cores.
    Free,
    /// Each thread stays on one core. With more threads than cores, threads share cores.
    Pinned,
}

/// The cores that a thread may run on.
#[derive(Clone, Debug)]
pub(crate) struct Cores(platform::Cores);

impl Cores {
    /// Cores of the calling thread.
    pub(crate) fn of_caller() -> io::Result<Self> {
        platform::Cores::of_caller().map(Self)
    }

    /// Pins the calling thread to core number `index` of these, modulo their number.
    pub(crate) fn bind_caller(&self, index: usize) -> io::Result<()> {
        self.0.bind_caller(index)
    }

    /// Lets the calling thread run on all of these cores.
    fn free_caller(&self) -> io::Result<()> {
        self.0.free_caller()
    }
}

/// The core that a thread ran on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Core(usize);

impl Core {
    /// Core of the calling thread; `None` if the operating system does not report it.
    pub(crate) fn of_caller() -> Option<Self> {
        platform::current().map(Self)
    }

    /// Moves the calling thread off this core, if the thread may run on another one.
    ///
    /// The operating system can put a woken thread on the waker's core although other cores are
    /// idle. This is frequent in virtual machines, because the host may not run their idle cores.
    /// The woken thread then waits for the end of the waker's time slice, which is longer than most
    /// blocks take.
    pub(crate) fn clear(self) {
        if platform::current() == Some(self.0) {
            // After an error the thread stays on its core, which is correct but slower.
            let _ = platform::leave(self.0);
        }
    }
}

/// Pins a thread to one core until the same thread drops this.
#[derive(Debug)]
pub struct BoundCaller(Cores);

impl BoundCaller {
    /// Pins the calling thread to the first of its cores.
    pub(crate) fn new() -> io::Result<Self> {
        let cores = Cores::of_caller()?;
        cores.bind_caller(0)?;
        Ok(Self(cores))
    }
}

impl Drop for BoundCaller {
    fn drop(&mut self) {
        // The thread had these cores when it was pinned. If the call fails, another process has
        // changed the allowed cores since. The thread then stays pinned.
        let _ = self.0.free_caller();
    }
}

#[cfg(target_os = "linux")]
mod platform {
    use rustix::thread::{CpuSet, sched_getaffinity, sched_getcpu, sched_setaffinity};
    use std::io;

    pub(crate) fn current() -> Option<usize> {
        Some(sched_getcpu())
    }

    pub(crate) fn leave(core: usize) -> io::Result<()> {
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
    pub(crate) struct Cores {
        all: CpuSet,
        each: Vec<usize>,
    }

    impl Cores {
        pub(crate) fn of_caller() -> io::Result<Self> {
            let all = sched_getaffinity(None)?;
            let each = (0..CpuSet::MAX_CPU).filter(|cpu| all.is_set(*cpu)).collect();
            Ok(Self { all, each })
        }

        pub(crate) fn bind_caller(&self, index: usize) -> io::Result<()> {
            let mut one = CpuSet::new();
            let cpu = self.each.iter().cycle().nth(index % self.each.len().max(1));
            one.set(*cpu.ok_or(io::ErrorKind::NotFound)?);
            Ok(sched_setaffinity(None, &one)?)
        }

        pub(crate) fn free_caller(&self) -> io::Result<()> {
            Ok(sched_setaffinity(None, &self.all)?)
        }
    }
}

#[cfg(not(target_os = "linux"))]
mod platform {
    use std::io;

    pub(crate) fn current() -> Option<usize> {
        None
    }

    pub(crate) fn leave(_core: usize) -> io::Result<()> {
        Err(io::ErrorKind::Unsupported.into())
    }

    #[derive(Clone, Copy, Debug)]
    pub(crate) struct Cores;

    impl Cores {
        pub(crate) fn of_caller() -> io::Result<Self> {
            Err(io::ErrorKind::Unsupported.into())
        }

        pub(crate) fn bind_caller(&self, _index: usize) -> io::Result<()> {
            Err(io::ErrorKind::Unsupported.into())
        }

        pub(crate) fn free_caller(&self) -> io::Result<()> {
            Err(io::ErrorKind::Unsupported.into())
        }
    }
}

#[cfg(all(test, target_os = "linux"))]
mod tests {
    use super::*;
    use rustix::thread::sched_getaffinity;

    #[test]
    fn clear_moves_a_thread_and_keeps_its_allowed_cores() {
        let before = sched_getaffinity(None).expect("affinity is readable");
        let has_left = || {
            let core = Core::of_caller().expect("the core is known");
            core.clear();
            Core::of_caller() != Some(core)
        };
        // The operating system may move the thread back at once, but not every time.
        assert!(before.count() == 1 || (0..100).any(|_| has_left()));
        assert_eq!(sched_getaffinity(None).expect("affinity is readable"), before);
    }

    #[test]
    fn clear_does_not_move_a_pinned_thread() {
        let bound = BoundCaller::new().expect("pinning works");
        let core = Core::of_caller().expect("the core is known");
        core.clear();
        assert_eq!(Core::of_caller(), Some(core));
        drop(bound);
    }
}

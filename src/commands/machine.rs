//! The machine that a report was made on.

use crate::report::Machine;
use std::{fs, num::NonZeroUsize, thread};

/// Asks the system what it is. What it does not tell is "unknown".
pub(super) fn describe() -> Machine {
    let system = rustix::system::uname();
    let kernel = [system.sysname(), system.release()].map(|part| part.to_string_lossy());
    Machine {
        cpu_model: cpu_model().unwrap_or_else(|| "unknown processor".to_owned()),
        logical_cpus: cores(),
        kernel: kernel.join(" "),
        allocator: "mimalloc".to_owned(),
        blockrace_version: env!("CARGO_PKG_VERSION").to_owned(),
    }
}

/// Processors that this process may use; one if the system does not tell.
pub(super) fn cores() -> NonZeroUsize {
    thread::available_parallelism().unwrap_or(NonZeroUsize::MIN)
}

/// As Linux tells it.
fn cpu_model() -> Option<String> {
    let info = fs::read_to_string("/proc/cpuinfo").ok()?;
    let line = info.lines().find(|line| line.starts_with("model name"))?;
    line.split_once(':').map(|(_, model)| model.trim().to_owned())
}

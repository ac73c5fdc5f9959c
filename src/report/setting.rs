//! Where and how a run was made: all that its numbers depend on, and the command that makes it again.

use std::collections::BTreeMap;
use std::fmt;
use std::num::NonZeroUsize;
use std::time::Duration;

use serde::{Serialize, Serializer};

/// The machine and the build, as far as they move numbers. What the system does not tell is `None`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Machine {
    /// The processor's name for itself.
    pub cpu_model: String,
    /// Processors that the system schedules threads on.
    pub logical_cpus: NonZeroUsize,
    /// Cores that these are part of: half as many where each runs two threads at a time.
    pub physical_cores: Option<usize>,
    /// Caches of the first processor, with their sizes: `L1d 32K`.
    pub caches: Vec<String>,
    /// Main memory, in bytes.
    pub memory_bytes: Option<u64>,
    /// Who sets the processor's clock.
    pub governor: Option<String>,
    /// Name and release of the operating system's kernel.
    pub kernel: String,
    /// The memory allocator that was built in.
    pub allocator: String,
    /// The version of blockrace.
    pub blockrace_version: String,
    /// How it was built: `release` or `debug`.
    pub build: String,
    /// Versions of the libraries that execute blocks, by name.
    pub libraries: BTreeMap<String, String>,
}

/// The settings that move numbers.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Settings {
    /// The executors, in the order given.
    pub executors: Vec<String>,
    /// The thread counts, in the order given.
    pub threads: Vec<NonZeroUsize>,
    /// Timed rounds of each block.
    pub iterations: Amount,
    /// Rounds before those, not timed.
    pub warmup: Amount,
    /// After how long automatic rounds of a block end, in seconds.
    pub time_limit_s: Option<u64>,
    /// Whether the baseline ran against itself.
    pub self_check: bool,
    /// Whether threads were kept on one core each.
    pub pinned: bool,
    /// Whether an executor's threads slept until a lap began.
    pub asleep: bool,
    /// Seed of the order within rounds and of the intervals.
    pub seed: u64,
    /// How long a first read of the pre-state took, as asked for.
    #[serde(rename = "state_latency_ns", serialize_with = "nanoseconds")]
    pub state_latency: Duration,
    /// What executors were told of each block, untimed.
    pub known_beforehand: Vec<KnownBeforehand>,
    /// The blocks, as given.
    pub blocks: String,
    /// The command that makes this run again, with every setting spelt out.
    pub command: String,
}

impl Settings {
    /// What an executor was told of each block, if anything.
    pub fn knew(&self, executor: &str) -> Option<&str> {
        let known = self.known_beforehand.iter().find(|known| known.executor == executor);
        known.map(|known| known.what.as_str())
    }
}

/// What an executor knew of each block before it executed it: derived from a sequential run of the same
/// block, which was not timed.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct KnownBeforehand {
    /// Its name.
    pub executor: String,
    /// What it knew.
    pub what: String,
}

fn nanoseconds<S: Serializer>(duration: &Duration, serializer: S) -> Result<S::Ok, S::Error> {
    serializer.serialize_u64(super::record::nanoseconds(*duration))
}

/// A number of rounds, or as many as are needed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Amount {
    /// So many.
    Rounds(u32),
    /// As many as are needed.
    Auto,
}

impl fmt::Display for Amount {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Rounds(rounds) => write!(f, "{rounds}"),
            Self::Auto => f.write_str("auto"),
        }
    }
}

impl Serialize for Amount {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        match self {
            Self::Rounds(rounds) => serializer.serialize_u32(*rounds),
            Self::Auto => serializer.serialize_str("auto"),
        }
    }
}

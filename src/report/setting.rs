//! Describes the machine and the settings of a run, and the command that reproduces it.

use std::collections::BTreeMap;
use std::fmt;
use std::num::NonZeroUsize;
use std::time::Duration;

use serde::{Deserialize, Deserializer, Serialize, Serializer, de};

/// The machine and the build, as far as they affect the figures. A value that the system does not report is
/// `None`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Machine {
    /// Model name of the processor.
    pub cpu_model: String,
    /// Number of logical CPUs.
    pub logical_cpus: NonZeroUsize,
    /// Number of physical cores. With two hardware threads per core it is half of the logical CPUs.
    pub physical_cores: Option<usize>,
    /// Caches of the first processor, with their sizes: `L1d 32K`.
    pub caches: Vec<String>,
    /// Main memory, in bytes.
    pub memory_bytes: Option<u64>,
    /// CPU frequency governor.
    pub governor: Option<String>,
    /// The energy counters that were read; `None` if the system does not let this program read any.
    pub energy_counters: Option<String>,
    /// Name and release of the operating system's kernel.
    pub kernel: String,
    /// Memory allocator of the build.
    pub allocator: String,
    /// Version of blockrace.
    pub blockrace_version: String,
    /// Build profile: `release` or `debug`.
    pub build: String,
    /// Versions of the libraries that execute blocks, by name.
    pub libraries: BTreeMap<String, String>,
}

/// The origin of a result: the time of the run, and the build of the program.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Provenance {
    /// Date and time in UTC at the end of the run, as in RFC 3339.
    pub date: String,
    /// Commit of the sources. It ends with `-modified` if they differ from it. `None` for a build without git.
    pub commit: Option<String>,
    /// Version of the compiler.
    pub rustc: Option<String>,
    /// Target triple.
    pub target: String,
    /// Instruction set extensions that the compiler may use everywhere.
    pub target_features: Vec<String>,
    /// Build profile and optimisation level.
    pub profile: String,
}

/// The settings that affect the figures.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Settings {
    /// The executor that speedups are relative to.
    #[serde(default = "sequential")]
    pub baseline: String,
    /// The executors, in the order given.
    pub executors: Vec<String>,
    /// The thread counts, in the order given.
    pub threads: Vec<NonZeroUsize>,
    /// Timed iterations of each block.
    pub iterations: Amount,
    /// Warm-up iterations. They run before the timed ones.
    pub warmup: Amount,
    /// Time limit of automatic iterations per block, in seconds.
    pub time_limit_s: Option<u64>,
    /// Whether the replay included A/A runs.
    pub self_check: bool,
    /// Whether each thread was pinned to a core.
    pub pinned: bool,
    /// Whether an executor's threads slept until a sample began.
    pub asleep: bool,
    /// Seed of the order within iterations and of the bootstrap intervals.
    pub seed: u64,
    /// Number of consecutive blocks that were merged into one large block; `None` for the blocks of the chain.
    pub merge: Option<NonZeroUsize>,
    /// Requested latency of a first read of the pre-state.
    #[serde(
        rename = "state_latency_ns",
        serialize_with = "nanoseconds",
        deserialize_with = "of_nanoseconds"
    )]
    pub state_latency: Duration,
    /// Oracle knowledge of the executors. Deriving it is not timed.
    pub oracle_knowledge: Vec<OracleKnowledge>,
    /// Knowledge that every block contained, so that it is no oracle knowledge.
    pub carried_by_blocks: Vec<OracleKnowledge>,
    /// The blocks, as given on the command line.
    pub blocks: String,
    /// The command that reproduces this run, with every setting spelt out.
    pub command: String,
}

/// The baseline of results of releases that had no other.
fn sequential() -> String {
    "sequential".into()
}

impl Settings {
    /// Oracle knowledge of an executor; `None` without any.
    pub fn knew(&self, executor: &str) -> Option<&str> {
        let known = self.oracle_knowledge.iter().find(|known| known.executor == executor);
        known.map(|known| known.what.as_str())
    }

    /// Notes how many of `blocks` contain what an executor knows beforehand. It is no oracle knowledge if all do.
    pub fn note_carried(&mut self, blocks: usize, carried: impl Fn(&str) -> usize) {
        for mut known in std::mem::take(&mut self.oracle_knowledge) {
            known.carried_by = carried(&known.executor);
            let is_oracle = blocks == 0 || known.carried_by < blocks;
            let list =
                if is_oracle { &mut self.oracle_knowledge } else { &mut self.carried_by_blocks };
            list.push(known);
        }
    }
}

/// Oracle knowledge that an executor has of each block before it executes the block. It comes from an
/// untimed sequential run of the same block, or from the block itself.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct OracleKnowledge {
    /// Name of the executor.
    pub executor: String,
    /// Description of the knowledge.
    pub what: String,
    /// Number of blocks that contain it themselves.
    pub carried_by: usize,
}

fn nanoseconds<S: Serializer>(duration: &Duration, serializer: S) -> Result<S::Ok, S::Error> {
    serializer.serialize_u64(super::record::nanoseconds(*duration))
}

fn of_nanoseconds<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Duration, D::Error> {
    u64::deserialize(deserializer).map(Duration::from_nanos)
}

/// A number of iterations: fixed, or as many as are needed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Amount {
    /// A fixed number.
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

impl<'de> Deserialize<'de> for Amount {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        #[derive(Deserialize)]
        #[serde(untagged)]
        enum Written {
            Rounds(u32),
            Word(String),
        }
        match Written::deserialize(deserializer)? {
            Written::Rounds(rounds) => Ok(Self::Rounds(rounds)),
            Written::Word(word) if word == "auto" => Ok(Self::Auto),
            Written::Word(word) => Err(de::Error::custom(format_args!("{word} is no number"))),
        }
    }
}

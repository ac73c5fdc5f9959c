//! The settings of a race, and their description in a report.

use super::charts::Charts;
use crate::{
    executors::ExecutorKind,
    measure::{Iterations, Plan, Readiness, Rounds, SelfCheck, Warmup, warnings::FEWEST_ROUNDS},
    report::{OracleKnowledge, Settings, setting::Amount},
    session::{BlockQuery, machine, selection::joined},
    threads::{ExecutionLimit, Pinning},
};
use std::{
    num::{NonZeroU32, NonZeroUsize},
    time::Duration,
};

/// Settings of a race.
#[derive(Clone, Debug)]
pub struct RaceOptions {
    /// The executor that speedups are relative to. It is not parallel, and always runs.
    pub baseline: ExecutorKind,
    /// The executors.
    pub executors: Vec<ExecutorKind>,
    /// Numbers of threads of the parallel executors.
    pub threads: Vec<NonZeroUsize>,
    /// Number of iterations and conditions of the measurement.
    pub rounds: Rounds,
    /// Number of consecutive blocks that are merged into one large block; `None` for the blocks of the chain.
    pub merge: Option<NonZeroUsize>,
    /// Latency of the first read of each account or slot of the pre-state in each execution.
    pub state_latency: Duration,
    /// Limit of a single execution. An executor that exceeds it is out for the block. Its interrupt ends the race in
    /// the middle of an execution.
    pub execution_limit: ExecutionLimit,
    /// Whether the race ends at the first block that fails or does not match its header.
    pub fail_fast: bool,
    /// Whether the report has the data of charts.
    pub charts: Charts,
}

impl Default for RaceOptions {
    /// A short race: the baseline and two executors on all cores, with the fewest iterations that give intervals.
    fn default() -> Self {
        let iterations = NonZeroU32::new(FEWEST_ROUNDS).unwrap_or(NonZeroU32::MIN);
        Self {
            baseline: ExecutorKind::SEQUENTIAL,
            executors: vec![ExecutorKind::SEQUENTIAL, ExecutorKind::BLOCK_STM, ExecutorKind::BAL],
            threads: vec![machine::cores()],
            rounds: Rounds {
                warmup: Warmup::UntilSteady,
                iterations: Iterations::Rounds(iterations),
                self_check: SelfCheck::Off,
                pinning: Pinning::Free,
                readiness: Readiness::Awake,
                seed: 0,
            },
            merge: None,
            state_latency: Duration::ZERO,
            execution_limit: ExecutionLimit::default(),
            fail_fast: false,
            charts: Charts::Omitted,
        }
    }
}

impl RaceOptions {
    /// The measurement plan, the same for every block.
    pub fn plan(&self) -> Plan {
        Plan::new(self.baseline, &self.executors, &self.threads, self.rounds)
    }

    /// The settings of a report on blocks that `query` selects. `named` describes them.
    pub fn settings(&self, query: &BlockQuery, named: &str) -> Settings {
        let rounds = &self.rounds;
        Settings {
            baseline: self.baseline.to_string(),
            executors: self.executors.iter().map(ToString::to_string).collect(),
            threads: self.threads.clone(),
            iterations: iterations(rounds.iterations),
            warmup: warmup(rounds.warmup),
            time_limit_s: limit(rounds.iterations).map(|limit| limit.as_secs()),
            self_check: rounds.self_check != SelfCheck::Off,
            pinned: rounds.pinning == Pinning::Pinned,
            asleep: rounds.readiness == Readiness::Asleep,
            seed: rounds.seed,
            merge: self.merge,
            state_latency: self.state_latency,
            oracle_knowledge: oracle_knowledge(&self.executors),
            carried_by_blocks: vec![],
            blocks: named.to_owned(),
            command: self.command(query),
        }
    }

    /// The command line, with only those settings that affect the results. It has no paths of result files.
    fn command(&self, query: &BlockQuery) -> String {
        let Self { rounds, state_latency, .. } = self;
        let mut words = vec!["blockrace replay".to_owned()];
        words.extend(query.arguments());
        words.extend(self.merge.map(|count| format!("--merge {count}")));
        words.push(format!("--executors {}", joined(&self.executors)));
        words.extend(
            (self.baseline != ExecutorKind::SEQUENTIAL)
                .then(|| format!("--baseline {}", self.baseline)),
        );
        words.push(format!("--threads {}", joined(&self.threads)));
        words.push(format!("--iterations {}", iterations(rounds.iterations)));
        words.extend(
            limit(rounds.iterations).map(|limit| format!("--time-limit {}", limit.as_secs())),
        );
        words.push(format!("--warmup {}", warmup(rounds.warmup)));
        words.push(format!("--seed {}", rounds.seed));
        let latency = (!state_latency.is_zero())
            .then(|| format!("--state-latency {}ns", state_latency.as_nanos()));
        words.extend(latency);
        words.extend((rounds.self_check != SelfCheck::Off).then(|| "--self-check".to_owned()));
        words.extend((rounds.pinning == Pinning::Pinned).then(|| "--pin".to_owned()));
        words.extend((rounds.readiness == Readiness::Asleep).then(|| "--asleep".to_owned()));
        words.join(" ")
    }
}

fn oracle_knowledge(executors: &[ExecutorKind]) -> Vec<OracleKnowledge> {
    let known = |kind: &ExecutorKind| {
        let what = kind.oracle_knowledge()?.to_owned();
        Some(OracleKnowledge { executor: kind.to_string(), what, carried_by: 0 })
    };
    executors.iter().filter_map(known).collect()
}

const fn iterations(iterations: Iterations) -> Amount {
    match iterations {
        Iterations::Rounds(rounds) => Amount::Rounds(rounds.get()),
        Iterations::UntilPrecise { .. } => Amount::Auto,
    }
}

const fn warmup(warmup: Warmup) -> Amount {
    match warmup {
        Warmup::Rounds(rounds) => Amount::Rounds(rounds),
        Warmup::UntilSteady => Amount::Auto,
    }
}

const fn limit(iterations: Iterations) -> Option<Duration> {
    match iterations {
        Iterations::Rounds(_) => None,
        Iterations::UntilPrecise { limit } => Some(limit),
    }
}

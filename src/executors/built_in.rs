//! The executors of this crate, one table entry each. A new executor is added here.

use super::{
    AccessList, Bal, BlockStm, Partition, Prefetch, Sequential, SequentialTuned, Sharded, TwoPhase,
    block_stm::HintedBlockStm,
    kind::{ExecutorFactory, ExecutorKind, Schedule},
};
use crate::{
    block::ReplayJob,
    execution::{ExecuteError, Executor},
};
use std::num::NonZeroUsize;

/// Oracle knowledge of executors that schedule by declared accesses.
const ACCESS_SETS: Option<&str> = Some("each transaction's read and write sets");

const SEQUENTIAL: BuiltIn = BuiltIn {
    name: "sequential",
    description: "the baseline: alloy-evm's block executor, in block order on one thread",
    oracle_knowledge: None,
    schedule: Schedule::InOrder,
    is_parallel: false,
    prepare: |_, _| Ok(Box::new(Sequential)),
    contender: None,
    is_carried_by: |_| false,
};

const SEQUENTIAL_TUNED: BuiltIn = BuiltIn {
    name: "sequential-tuned",
    description: "in block order on one thread, with the savings of block-stm that are not parallelism",
    oracle_knowledge: None,
    schedule: Schedule::InOrder,
    is_parallel: false,
    prepare: |_, _| Ok(Box::new(SequentialTuned)),
    contender: None,
    is_carried_by: |_| false,
};

const BLOCK_STM: BuiltIn = BuiltIn {
    name: "block-stm",
    description: "optimistic, with multi-version memory (Block-STM); a block too small for threads runs in order",
    oracle_knowledge: None,
    schedule: Schedule::Dependencies,
    is_parallel: true,
    prepare: |_, _| Ok(Box::new(BlockStm::Always)),
    contender: Some(|_, _| Ok(Box::new(BlockStm::WhereItPays))),
    is_carried_by: |_| false,
};

const BLOCK_STM_HINTED: BuiltIn = BuiltIn {
    name: "block-stm-hinted",
    description: "block-stm with the slots that each transaction writes, from a block access list (EIP-7928), as hints",
    oracle_knowledge: Some("the block access list, of which it uses the written slots as hints"),
    schedule: Schedule::Dependencies,
    is_parallel: true,
    prepare: |job, _| Ok(Box::new(HintedBlockStm::prepare(BlockStm::Always, job)?)),
    contender: Some(|job, _| Ok(Box::new(HintedBlockStm::prepare(BlockStm::WhereItPays, job)?))),
    is_carried_by: |job| job.own_list().is_some(),
};

const TWO_PHASE: BuiltIn = BuiltIn {
    name: "two-phase",
    description: "all transactions at once on the pre-state, then one validation pass in block order",
    oracle_knowledge: None,
    schedule: Schedule::Dependencies,
    is_parallel: true,
    prepare: |_, _| Ok(Box::new(TwoPhase)),
    contender: None,
    is_carried_by: |_| false,
};

const SHARDED: BuiltIn = BuiltIn {
    name: "sharded",
    description: "accounts split over shards by hash",
    oracle_knowledge: ACCESS_SETS,
    schedule: Schedule::Dependencies,
    is_parallel: true,
    prepare: |job, threads| Ok(Box::new(Sharded::prepare(job, Partition::ByHash, threads)?)),
    contender: None,
    is_carried_by: |_| false,
};

const SHARDED_BY_ACCESS: BuiltIn = BuiltIn {
    name: "sharded-by-access",
    description: "accounts split over shards along the block's access graph",
    oracle_knowledge: ACCESS_SETS,
    schedule: Schedule::Dependencies,
    is_parallel: true,
    prepare: |job, threads| Ok(Box::new(Sharded::prepare(job, Partition::ByAccess, threads)?)),
    contender: None,
    is_carried_by: |_| false,
};

const ACCESS_LIST: BuiltIn = BuiltIn {
    name: "access-list",
    description: "scheduled by declared read and write sets",
    oracle_knowledge: ACCESS_SETS,
    schedule: Schedule::Dependencies,
    is_parallel: true,
    prepare: |job, threads| Ok(Box::new(AccessList::prepare(job, threads)?)),
    contender: None,
    is_carried_by: |_| false,
};

const BAL: BuiltIn = BuiltIn {
    name: "bal",
    description: "by a block access list (EIP-7928), so that no transaction waits",
    oracle_knowledge: Some("the block access list, with every value that a transaction wrote"),
    schedule: Schedule::Independent,
    is_parallel: true,
    prepare: |job, threads| Ok(Box::new(Bal::prepare(job, threads)?)),
    contender: None,
    is_carried_by: |job| job.own_list().is_some(),
};

const PREFETCH: BuiltIn = BuiltIn {
    name: "prefetch",
    description: "in block order, while other threads load the state ahead",
    oracle_knowledge: None,
    schedule: Schedule::InOrder,
    is_parallel: true,
    prepare: |_, _| Ok(Box::new(Prefetch)),
    contender: None,
    is_carried_by: |_| false,
};

impl ExecutorKind {
    /// The baseline.
    pub const SEQUENTIAL: Self = Self::new(&SEQUENTIAL);
    /// The baseline with the savings of the parallel executors.
    pub const SEQUENTIAL_TUNED: Self = Self::new(&SEQUENTIAL_TUNED);
    /// Optimistic execution with multi-version memory.
    pub const BLOCK_STM: Self = Self::new(&BLOCK_STM);
    /// The same, with hints from a block access list.
    pub const BLOCK_STM_HINTED: Self = Self::new(&BLOCK_STM_HINTED);
    /// Speculative execution on the pre-state, one validation pass in block order.
    pub const TWO_PHASE: Self = Self::new(&TWO_PHASE);
    /// Accounts split over shards by hash.
    pub const SHARDED: Self = Self::new(&SHARDED);
    /// Accounts split over shards along the block's access graph.
    pub const SHARDED_BY_ACCESS: Self = Self::new(&SHARDED_BY_ACCESS);
    /// Scheduled by declared read and write sets.
    pub const ACCESS_LIST: Self = Self::new(&ACCESS_LIST);
    /// Scheduled by a block access list (EIP-7928).
    pub const BAL: Self = Self::new(&BAL);
    /// In block order, with the state loaded ahead.
    pub const PREFETCH: Self = Self::new(&PREFETCH);

    /// All executors of this crate, the baseline first.
    pub const BUILT_IN: [Self; 10] = [
        Self::SEQUENTIAL,
        Self::SEQUENTIAL_TUNED,
        Self::BLOCK_STM,
        Self::BLOCK_STM_HINTED,
        Self::TWO_PHASE,
        Self::SHARDED,
        Self::SHARDED_BY_ACCESS,
        Self::ACCESS_LIST,
        Self::BAL,
        Self::PREFETCH,
    ];
}

type Prepare = fn(&ReplayJob, NonZeroUsize) -> Result<Box<dyn Executor>, ExecuteError>;

#[derive(Debug)]
struct BuiltIn {
    name: &'static str,
    description: &'static str,
    oracle_knowledge: Option<&'static str>,
    schedule: Schedule,
    is_parallel: bool,
    prepare: Prepare,
    /// `None` if a race uses the same executor.
    contender: Option<Prepare>,
    /// Whether a block contains what is oracle knowledge otherwise.
    is_carried_by: fn(&ReplayJob) -> bool,
}

impl ExecutorFactory for BuiltIn {
    fn name(&self) -> &str {
        self.name
    }

    fn description(&self) -> &str {
        self.description
    }

    fn oracle_knowledge(&self) -> Option<&str> {
        self.oracle_knowledge
    }

    fn is_carried_by(&self, job: &ReplayJob) -> bool {
        (self.is_carried_by)(job)
    }

    fn schedule(&self) -> Schedule {
        self.schedule
    }

    fn is_parallel(&self) -> bool {
        self.is_parallel
    }

    fn prepare(
        &self,
        job: &ReplayJob,
        threads: NonZeroUsize,
    ) -> Result<Box<dyn Executor>, ExecuteError> {
        (self.prepare)(job, threads)
    }

    fn prepare_contender(
        &self,
        job: &ReplayJob,
        threads: NonZeroUsize,
    ) -> Result<Box<dyn Executor>, ExecuteError> {
        self.contender.unwrap_or(self.prepare)(job, threads)
    }
}

//! Whole tasks as calls: acquire blocks, select them, race executors over them, check them and analyse them.
//!
//! The calls take plain values and return values. They print nothing. An [`Observer`] receives the progress. The command
//! line is one caller; other programs are others. To race two executors over the built-in sample:
//!
//! ```no_run
//! use blockrace::{
//!     cache::Cache,
//!     executors::ExecutorKind,
//!     session::{BlockQuery, RaceOptions, race, select},
//! };
//! use std::ops::ControlFlow;
//!
//! # fn main() -> eyre::Result<()> {
//! let blocks = select(BlockQuery::default(), &Cache::new("an empty folder"))?;
//! let executors = vec![ExecutorKind::BLOCK_STM, ExecutorKind::BAL];
//! let options = RaceOptions { executors, ..RaceOptions::default() };
//! let raced = race(blocks, &options, &(), &mut || ControlFlow::Continue(()))?;
//! for row in &raced.report.rows {
//!     let median = row.verdict.figures().map(|figures| figures.execute.median);
//!     println!("block {}, {}: {median:?}", row.block.number, row.contender());
//! }
//! # Ok(())
//! # }
//! ```
//!
//! | task | call | takes | returns |
//! |---|---|---|---|
//! | fetch blocks, prove them and store them | [`acquire`] | a node, numbers, a cache | an event for each block |
//! | find the rules of a node's chain | [`node_rules`] | a node, a file | [`NodeRules`] |
//! | find cached blocks | [`select`] | a query, a cache | a [`Selection`] |
//! | race executors | [`race`] | a selection, [`RaceOptions`] | a report |
//! | verify blocks without a race | [`check_all`] | blocks, [`CheckOptions`] | a verdict for each block |
//! | compute bounds of the speedup | [`analyze`] | a selection, [`AnalyzeOptions`] | a report |
//! | record a timeline | [`profile_block`] | a block, an executor | a trace |
//!
//! Correctness lives below: `verify` compares a block with its header, and `block` proves the pre-state.

mod acquire;
mod analyze;
mod caught;
mod check;
mod confirmed;
mod filter;
mod folder;
pub mod machine;
mod merge;
mod observer;
mod passing;
mod profile;
mod provenance;
mod prover;
mod query;
mod race;
mod rules;
mod selection;
mod source;

pub use self::{
    acquire::{
        AcquireOptions, Acquired, AcquiredHeader, Estimate, HeaderSources, ListSource, Removal,
        Stored, acquire, estimate, resolve,
    },
    analyze::{AnalyzeOptions, Analyzed, analyze},
    check::{CheckOptions, CheckResult, Checked, StepTimes, check_all},
    confirmed::GivenHashes,
    filter::{BlockFilter, Bounds, BoundsError, SortKey},
    folder::{
        DoneBefore, FolderBlocks, FolderContent, OutputFolder, OutputSettings, RunDescription,
        machine_name, output_status,
    },
    merge::{
        Coverage, MergeSource, MergedBlocks, MergedRaces, Overlap, RacePart, merge_blocks,
        merge_races,
    },
    observer::{Keep, Observer},
    passing::{failure, may_pass},
    profile::{Profiled, profile_block},
    provenance::{LONG_VERSION, provenance},
    prover::Refused,
    query::BlockQuery,
    race::{Charts, RaceOptions, Raced, merged_warnings, race, race_and_keep},
    rules::{NodeRules, RulesFile, RulesSource, node_rules},
    selection::{
        ALL_CACHED, CachedSelection, SelectedBlock, Selection, check_shard, is_whole,
        nothing_cached, select,
    },
    source::BlockSource,
};

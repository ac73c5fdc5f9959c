//! Writes the comparison of two runs as JSON (RFC 8259). `data/compare.schema.json` is the schema.

use std::io;

use serde::Serialize;

use super::reasons;
use crate::measure::change::{Change, Doubt, Judgement};
use crate::report::compare::{Answer, By, Comparison, ContenderChange, Repeated, Side};
use crate::report::run::RowKey;
use crate::report::{Provenance, ReportError, json::write_document};

/// Increases if a field is removed or changes its meaning. New fields do not increase it.
pub const SCHEMA_VERSION: u32 = 1;

/// A comparison, and the origin of this result.
#[derive(Clone, Debug)]
pub struct Compared {
    /// The date of the comparison and the build of the program.
    pub provenance: Provenance,
    /// The comparison.
    pub comparison: Comparison,
}

/// Writes `compared` as one indented JSON document, with a line feed at its end.
///
/// # Errors
/// [`ReportError::Json`] or [`ReportError::ContenderResult`] if `out` fails.
pub fn write(compared: &Compared, out: impl io::Write) -> Result<(), ReportError> {
    write_document(&Document::new(compared), out)
}

#[derive(Debug, Serialize)]
struct Document<'a> {
    schema_version: u32,
    provenance: &'a Provenance,
    answer: &'static str,
    reasons: Vec<String>,
    by: &'static str,
    threshold: f64,
    noise_floor: Option<f64>,
    base: SideRecord<'a>,
    new: SideRecord<'a>,
    contenders: Vec<ContenderRecord<'a>>,
    missing: Vec<MissingRecord<'a>>,
    mismatches: usize,
}

impl<'a> Document<'a> {
    fn new(Compared { provenance, comparison }: &'a Compared) -> Self {
        let answer = comparison.answer();
        let is_open = answer == Answer::CannotTell;
        let [base, new] = &comparison.sides;
        Self {
            schema_version: SCHEMA_VERSION,
            provenance,
            answer: answer.name(),
            reasons: if is_open { reasons(comparison) } else { vec![] },
            by: match comparison.by {
                By::Speedup => "speedup",
                By::Time => "time",
            },
            threshold: comparison.threshold,
            noise_floor: comparison.noise,
            base: SideRecord::new(base),
            new: SideRecord::new(new),
            contenders: comparison.contenders.iter().map(ContenderRecord::new).collect(),
            missing: comparison.missing.iter().map(MissingRecord::new).collect(),
            mismatches: comparison.mismatches,
        }
    }
}

#[derive(Debug, Serialize)]
struct SideRecord<'a> {
    blockrace_version: &'a str,
    runs: usize,
    blocks: usize,
    warnings: &'a [String],
}

impl<'a> SideRecord<'a> {
    fn new(Side { version, runs, blocks, warnings }: &'a Side) -> Self {
        Self { blockrace_version: version, runs: *runs, blocks: *blocks, warnings }
    }
}

/// A change with its interval.
#[derive(Debug, Serialize)]
struct ChangeRecord {
    ratio: f64,
    ci_low: f64,
    ci_high: f64,
}

impl ChangeRecord {
    const fn new(Change { ratio, ci_low, ci_high }: &Change) -> Self {
        Self { ratio: *ratio, ci_low: *ci_low, ci_high: *ci_high }
    }
}

#[derive(Debug, Serialize)]
struct ContenderRecord<'a> {
    executor: &'a str,
    threads: u64,
    concurrent_baselines: Option<u64>,
    #[serde(flatten)]
    overall: ChangeRecord,
    judgement: &'static str,
    doubt: Option<&'static str>,
    answer: &'static str,
    is_repeated: bool,
    blocks: Vec<BlockRecord>,
}

impl<'a> ContenderRecord<'a> {
    fn new(contender: &'a ContenderChange) -> Self {
        let (judgement, doubt) = judgement(contender.judgement);
        let block =
            |(position, ((chain_id, block_number), change)): (usize, &(_, _))| BlockRecord {
                chain_id: *chain_id,
                block_number: *block_number,
                change: ChangeRecord::new(change),
                is_slower: contender.slower_blocks.contains(&position),
            };
        Self {
            executor: &contender.runner.executor,
            threads: contender.runner.threads,
            concurrent_baselines: contender.baselines,
            overall: ChangeRecord::new(&contender.overall),
            judgement,
            doubt,
            answer: contender.answer().name(),
            is_repeated: contender.repeated == Repeated::Yes,
            blocks: contender.blocks.iter().enumerate().map(block).collect(),
        }
    }
}

/// Names of a judgement and of the reason that it is unclear.
const fn judgement(judgement: Judgement) -> (&'static str, Option<&'static str>) {
    match judgement {
        Judgement::Slower => ("slower", None),
        Judgement::Faster => ("faster", None),
        Judgement::Same => ("not-slower", None),
        Judgement::Unclear(doubt) => {
            let doubt = match doubt {
                Doubt::Noise => "noise",
                Doubt::Interval => "interval",
                Doubt::FewIterations => "few-iterations",
                Doubt::SingleRun => "single-run",
            };
            ("unclear", Some(doubt))
        }
    }
}

#[derive(Debug, Serialize)]
struct BlockRecord {
    chain_id: u64,
    block_number: u64,
    #[serde(flatten)]
    change: ChangeRecord,
    is_slower: bool,
}

/// A verified row of the base run that the new run lacks.
#[derive(Debug, Serialize)]
struct MissingRecord<'a> {
    chain_id: u64,
    block_number: u64,
    executor: &'a str,
    threads: u64,
}

impl<'a> MissingRecord<'a> {
    fn new(((chain_id, block_number), runner): &'a RowKey) -> Self {
        let (executor, threads) = (&*runner.executor, runner.threads);
        Self { chain_id: *chain_id, block_number: *block_number, executor, threads }
    }
}

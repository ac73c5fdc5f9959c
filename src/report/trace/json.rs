//! Writes the summary of a trace as JSON (RFC 8259). `data/trace.schema.json` is the schema.

use super::Counts;
use crate::{
    insight::{Latency, Trace},
    report::{
        BlockFacts, Provenance, ReportError,
        json::write_document,
        record::{FactsRecord, SpentRecord, nanoseconds},
    },
    verify::{Verdict, VerifiedTo},
};
use serde::Serialize;
use std::{io, num::NonZeroUsize};

/// Increases if a field is removed or changes its meaning. New fields do not increase it.
pub const SCHEMA_VERSION: u32 = 1;

/// The summary of a trace.
#[derive(Clone, Debug)]
pub struct TraceSummary {
    /// The date of the trace and the build of the program.
    pub provenance: Provenance,
    /// The command that repeats the trace.
    pub command: String,
    /// The block.
    pub facts: BlockFacts,
    /// Name of the executor.
    pub executor: String,
    /// Maximum number of threads.
    pub threads: NonZeroUsize,
    /// Whether the run matches the block's header.
    pub verdict: Verdict,
    /// Depth of the verification.
    pub verified_to: VerifiedTo,
    /// The profiled run. Its figures are written only if it matches.
    pub trace: Trace,
}

/// Writes `summary` as one indented JSON document, with a line feed at its end.
///
/// # Errors
/// [`ReportError::Json`] or [`ReportError::ContenderResult`] if `out` fails.
pub fn write(summary: &TraceSummary, out: impl io::Write) -> Result<(), ReportError> {
    write_document(&Document::new(summary), out)
}

#[derive(Debug, Serialize)]
struct Document<'a> {
    schema_version: u32,
    provenance: &'a Provenance,
    command: &'a str,
    #[serde(flatten)]
    facts: FactsRecord,
    executor: &'a str,
    threads: NonZeroUsize,
    verdict: &'static str,
    what: Option<String>,
    verified_to: &'static str,
    figures: Option<FiguresRecord>,
}

impl<'a> Document<'a> {
    fn new(summary: &'a TraceSummary) -> Self {
        let (verdict, what, figures) = match &summary.verdict {
            Verdict::Match => ("match", None, Some(FiguresRecord::new(&summary.trace))),
            mismatch @ Verdict::Mismatch { .. } => ("mismatch", Some(mismatch.to_string()), None),
        };
        Self {
            schema_version: SCHEMA_VERSION,
            provenance: &summary.provenance,
            command: &summary.command,
            facts: FactsRecord::new(&summary.facts),
            executor: &summary.executor,
            threads: summary.threads,
            verdict,
            what,
            verified_to: summary.verified_to.name(),
            figures,
        }
    }
}

#[derive(Debug, Serialize)]
struct FiguresRecord {
    total_ns: u64,
    threads_used: usize,
    spent: SpentRecord,
    aborts: usize,
    blocked: usize,
    #[serde(rename = "final")]
    finals: Option<FinalRecord>,
}

impl FiguresRecord {
    fn new(trace: &Trace) -> Self {
        let Counts { aborts, waits } = Counts::of(trace);
        Self {
            total_ns: nanoseconds(trace.total),
            threads_used: trace.threads.len(),
            spent: SpentRecord::new(&trace.spent()),
            aborts,
            blocked: waits,
            finals: trace.latency().map(FinalRecord::new),
        }
    }
}

/// Times at which results became final, as shares of the run's time.
#[derive(Debug, Serialize)]
struct FinalRecord {
    first: f64,
    p50: f64,
    p90: f64,
    p99: f64,
}

impl FinalRecord {
    const fn new(Latency { first, p50, p90, p99 }: Latency) -> Self {
        Self { first, p50, p90, p99 }
    }
}

//! Writes the verdicts of `verify` as JSON (RFC 8259). `data/verify.schema.json` is the schema.

use std::{borrow::Cow, collections::BTreeMap, io, num::NonZeroUsize, time::Duration};

use alloy_primitives::B256;
use serde::{Deserialize, Serialize};

use super::{
    BlockFacts, Failure, Provenance, ReportError, json::write_document, record::FactsRecord,
    record::nanoseconds,
};
use crate::verify::{Verdict, VerifiedTo};

/// Increases if a field is removed or changes its meaning. New fields do not increase it.
pub const SCHEMA_VERSION: u32 = 1;

/// The results of a verification.
#[derive(Clone, Debug)]
pub struct VerificationReport {
    /// The date of the verification and the build of the program.
    pub provenance: Provenance,
    /// The settings of the verification.
    pub settings: VerificationSettings,
    /// The blocks that were executed.
    pub blocks: Vec<BlockRecord>,
    /// The blocks that could not be executed.
    pub failures: Vec<Failure>,
}

/// The settings of a verification.
#[derive(Clone, Debug, Serialize)]
pub struct VerificationSettings {
    /// Name of the executor.
    pub executor: String,
    /// Number of blocks that were verified in parallel; `None` for the results of several processes.
    pub jobs: Option<NonZeroUsize>,
    /// The blocks, as given on the command line.
    pub blocks: String,
    /// The command that repeats the verification.
    pub command: String,
}

/// A verified block.
#[derive(Clone, Debug)]
pub struct VerifiedBlock {
    /// The block.
    pub facts: BlockFacts,
    /// Digest of the chain's rules; `None` for a chain of a test.
    pub rules: Option<B256>,
    /// Whether the outcome matches the header.
    pub verdict: Verdict,
    /// Depth of the verification.
    pub verified_to: VerifiedTo,
    /// Names and times of the steps.
    pub times: Vec<(&'static str, Duration)>,
}

/// Writes `report` as one indented JSON document, with a line feed at its end.
///
/// # Errors
/// [`ReportError::Json`] or [`ReportError::ContenderResult`] if `out` fails.
pub fn write(report: &VerificationReport, out: impl io::Write) -> Result<(), ReportError> {
    let document = Document {
        schema_version: SCHEMA_VERSION,
        provenance: &report.provenance,
        settings: &report.settings,
        blocks: &report.blocks,
        failures: &report.failures,
    };
    write_document(&document, out)
}

#[derive(Debug, Serialize)]
struct Document<'a> {
    schema_version: u32,
    provenance: &'a Provenance,
    settings: &'a VerificationSettings,
    blocks: &'a [BlockRecord],
    failures: &'a [Failure],
}

/// A verified block as in the document. Times are in nanoseconds, by step.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct BlockRecord {
    #[serde(flatten)]
    facts: FactsRecord,
    rules_digest: Option<B256>,
    verdict: Cow<'static, str>,
    what: Option<String>,
    verified_to: Cow<'static, str>,
    times: BTreeMap<String, u64>,
}

impl BlockRecord {
    /// The record of a block.
    pub fn new(block: &VerifiedBlock) -> Self {
        let (verdict, what) = match &block.verdict {
            Verdict::Match => ("match", None),
            mismatch @ Verdict::Mismatch { .. } => ("mismatch", Some(mismatch.to_string())),
        };
        let time = |(step, time): &(&str, Duration)| (format!("{step}_ns"), nanoseconds(*time));
        Self {
            facts: FactsRecord::new(&block.facts),
            rules_digest: block.rules,
            verdict: verdict.into(),
            what,
            verified_to: block.verified_to.name().into(),
            times: block.times.iter().map(time).collect(),
        }
    }
}

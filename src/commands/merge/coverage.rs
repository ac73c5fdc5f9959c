//! Gaps, overlaps and builds of merged results, in words.

use crate::{commands::Outcome, output::diagnose, report::counted, session::Coverage};
use std::ops::RangeInclusive;

/// Maximum number of gaps and overlaps that are named.
const MOST_NAMED: usize = 10;

/// Names gaps and overlaps on standard error. A gap is a failure.
pub(super) fn report_coverage(coverage: &Coverage) -> Outcome {
    let Coverage { gaps, missing_shards, overlaps, builds } = coverage;
    if builds.len() > 1 {
        let named: Vec<_> = builds.iter().map(String::as_str).collect();
        diagnose(format_args!(
            "warning: the results are of {} builds, so their times may differ for that reason: {}",
            builds.len(),
            named.join("; ")
        ));
    }
    for overlap in overlaps.iter().take(MOST_NAMED) {
        diagnose(format_args!(
            "block {} is in {} and in {}; the first one counts",
            overlap.number, overlap.first, overlap.second
        ));
    }
    let more = overlaps.len().saturating_sub(MOST_NAMED);
    if more > 0 {
        diagnose(format_args!("and {} more are in several results", counted(more, "block")));
    }
    if !missing_shards.is_empty() {
        diagnose(format_args!("error: no results of shard {}", missing_shards.join(", ")));
    }
    let named: Vec<_> = gaps.iter().take(MOST_NAMED).map(range).collect();
    if !gaps.is_empty() {
        let more = gaps.len().saturating_sub(MOST_NAMED);
        let more = if more > 0 { format!(" and {more} more gaps") } else { String::new() };
        diagnose(format_args!("error: no results of blocks {}{more}", named.join(", ")));
    }
    let is_whole = gaps.is_empty() && missing_shards.is_empty();
    if is_whole { Outcome::Verified } else { Outcome::Failed }
}

fn range(range: &RangeInclusive<u64>) -> String {
    match range.start() == range.end() {
        true => range.start().to_string(),
        false => format!("{}-{}", range.start(), range.end()),
    }
}

//! Prints what a fetch would cost.

use crate::{
    block::range::BlockNumbers,
    cli::FetchArgs,
    commands::{Context, Outcome, interrupt::Interruption},
    fetch::Nodes,
    output::{diagnose, print_text},
    session::{AcquireOptions, Estimate, estimate},
    units,
};
use std::time::Duration;

/// Fetches a few blocks without storing them, and prints the cost of the whole fetch.
pub(super) async fn print(
    args: &FetchArgs,
    (nodes, numbers): (&Nodes, &BlockNumbers),
    options: &AcquireOptions,
    mut interrupt: Interruption,
    context: &Context,
) -> eyre::Result<Outcome> {
    let found = tokio::select! {
        found = estimate(nodes, numbers, options, &context.cache) => found?,
        _ = &mut interrupt.received => {
            diagnose("interrupted before the estimate was complete");
            return Ok(interrupt.outcome());
        }
    };
    let Estimate { selected, cached, .. } = found;
    print_text(format_args!("{selected} blocks selected, {cached} of them cached"))?;
    if found.tried.is_empty() {
        return Ok(Outcome::Verified);
    }
    let limit = args.node.requests_per_second.map_or(f64::INFINITY, |limit| limit.get().into());
    let least = Duration::from_secs_f64(found.requests / limit / nodes.count() as f64);
    let tried: Vec<_> = found.tried.iter().map(ToString::to_string).collect();
    print_text(format_args!(
        "expected: {} requests, {} of answers before compression, {}",
        units::count(found.requests.round() as u64),
        units::bytes(found.bytes.round() as u64),
        units::short(found.time.max(least)),
    ))?;
    print_text(format_args!(
        "estimated from block {}, fetched and proved one after the other, and not stored",
        tried.join(", ")
    ))?;
    Ok(Outcome::Verified)
}

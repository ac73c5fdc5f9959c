//! Completes blocks that came with a tracer's reply: asks the node for what the tracer left out.

use crate::{
    block::{Gap, PrepareError, Survey, Surveyed},
    cache::RecordedBlock,
    commands::prove::{Prover, Refused},
    fetch::{FetchError, Node, TracedBlock},
};
use futures::future::try_join_all;
use std::sync::Arc;

/// Completes and proves a block. Where its tracer's reply can be read in two ways, the one that makes
/// the block come out as its header says is right.
pub(super) async fn prove(
    prover: &Arc<Prover>,
    traced: TracedBlock,
) -> Result<RecordedBlock, Refused> {
    let mut survey = tokio::task::spawn_blocking(|| Survey::new(traced)).await??;
    loop {
        let (reading, completed) = complete(&prover.node, survey).await?;
        survey = reading;
        let refused = match completed {
            Ok(recorded) => match prover.prove(recorded).await {
                Ok(proved) => return Ok(proved),
                Err(refused) => refused,
            },
            Err(error) => error.into(),
        };
        if !survey.read_otherwise() {
            return Err(refused);
        }
    }
}

/// Executes the block and asks for what is missing, until nothing is. What the node cannot tell is no
/// error but an assumption, and part of the block.
async fn complete(
    node: &Node,
    mut survey: Survey,
) -> Result<(Survey, Result<RecordedBlock, PrepareError>), Refused> {
    loop {
        let run = move || (survey.run(), survey);
        let (surveyed, ran) = tokio::task::spawn_blocking(run).await?;
        survey = ran;
        match surveyed {
            Ok(Surveyed::Gaps(gaps)) => fill(node, &mut survey, gaps).await?,
            Ok(Surveyed::Whole(recorded)) => return Ok((survey, Ok(*recorded))),
            Err(error) => return Ok((survey, Err(error))),
        }
    }
}

/// Fills all gaps of one run: the first alone, since a node that cannot tell it will not be asked for
/// the others.
async fn fill(node: &Node, survey: &mut Survey, gaps: Vec<Gap>) -> Result<(), FetchError> {
    let number = survey.header().number;
    let (mut accounts, mut slots, mut ancestors) = (Vec::new(), Vec::new(), Vec::new());
    for gap in gaps {
        match gap {
            Gap::Account(address) => accounts.push(address),
            Gap::Slot(address, slot) => slots.push((address, slot)),
            Gap::Ancestor(ancestor) => ancestors.push(ancestor),
        }
    }
    if let Some(first) = accounts.pop() {
        survey.fill_account(first, node.account_before(number, first).await?);
    }
    let asked = accounts.iter().map(|address| node.account_before(number, *address));
    for (address, fields) in accounts.iter().zip(try_join_all(asked).await?) {
        survey.fill_account(*address, fields);
    }
    let asked = slots.iter().map(|(address, slot)| node.slot_before(number, *address, *slot));
    for ((address, slot), value) in slots.iter().zip(try_join_all(asked).await?) {
        survey.fill_slot(*address, *slot, value);
    }
    fill_ancestors(node, survey, &ancestors).await
}

/// Asks for the oldest ancestor and all after it, which link it to the block.
async fn fill_ancestors(
    node: &Node,
    survey: &mut Survey,
    ancestors: &[u64],
) -> Result<(), FetchError> {
    let Some(oldest) = ancestors.iter().min() else { return Ok(()) };
    match node.ancestors(survey.header(), *oldest).await {
        Ok(headers) => survey.fill_ancestors(&headers),
        Err(error) if error.is_lack() => {
            ancestors.iter().for_each(|number| survey.give_up_ancestor(*number));
        }
        Err(error) => return Err(error),
    }
    Ok(())
}

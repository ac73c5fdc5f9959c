//! Completes blocks with a tracer's reply. It fetches the state that the tracer omitted from the node.
//!
//! [`TraceCompletion`] finds the missing state; this file sends the requests.

use crate::{
    block::RecordedBlock,
    block::TracedBlock,
    block::{MissingState, PrepareError, Surveyed, TraceCompletion},
    fetch::{FetchError, Node},
    session::prover::{Prover, Refused},
};
use eyre::eyre;
use std::sync::Arc;

/// Completes and proves a block. A tracer's reply may have two readings. The reading that leads to the header's
/// results is the right one.
pub(super) async fn prove(
    prover: &Arc<Prover>,
    traced: TracedBlock,
) -> Result<RecordedBlock, Refused> {
    let mut survey = tokio::task::spawn_blocking(|| TraceCompletion::new(traced)).await??;
    loop {
        let (reading, completed) = complete(prover, survey).await?;
        survey = reading;
        let refused = match completed {
            Ok(recorded) => match prover.prove(recorded).await {
                Ok(proved) => return Ok(proved),
                Err(refused) => refused,
            },
            Err(error) => error.into(),
        };
        if survey.read_otherwise() {
            continue;
        }
        match fill_codes(&prover.node, &mut survey).await? {
            Codes::Added => {}
            Codes::Complete => return Err(refused),
            Codes::Unknown(count) => return Err(for_want_of_codes(refused, count)),
        }
    }
}

/// Result of asking the node for codes that the tracer did not give.
enum Codes {
    /// The tracer left codes out.
    Added,
    /// The tracer gave all codes.
    Complete,
    /// The node does not return codes. Holds the number of accounts without one.
    Unknown(usize),
}

/// Fetches the codes of all accounts that have none in the tracer's reply.
async fn fill_codes(node: &Node, survey: &mut TraceCompletion) -> Result<Codes, FetchError> {
    let addresses = survey.without_code();
    if addresses.is_empty() {
        return Ok(Codes::Complete);
    }
    let number = survey.header().number;
    let Some(codes) = node.codes_before(number, &addresses).await? else {
        return Ok(Codes::Unknown(addresses.len()));
    };
    let mut result = Codes::Complete;
    for (address, code) in addresses.iter().zip(codes).filter(|(_, code)| !code.is_empty()) {
        survey.fill_code(*address, code);
        result = Codes::Added;
    }
    Ok(result)
}

/// A mismatch is not certain if codes may be missing.
fn for_want_of_codes(refused: Refused, count: usize) -> Refused {
    match refused {
        Refused::Mismatch(verdict) => Refused::Failed(eyre!(
            "the tracer gave no code for {count} accounts and the node does not answer eth_getCode, so the codes may \
             be missing; use a node with eth_getCode, or another tracer; without these codes: {verdict}"
        )),
        failed => failed,
    }
}

/// Executes the block and fetches missing state until none is missing. State that the node does not have becomes an
/// assumption, which is stored with the block. It is no error.
async fn complete(
    prover: &Prover,
    mut survey: TraceCompletion,
) -> Result<(TraceCompletion, Result<RecordedBlock, PrepareError>), Refused> {
    loop {
        let (surveyed, ran) = prover.guarded(move |_| (survey.run(), survey)).await?;
        survey = ran;
        match surveyed {
            Ok(Surveyed::Gaps(gaps)) => fill(&prover.node, &mut survey, gaps).await?,
            Ok(Surveyed::Whole(recorded)) => return Ok((survey, Ok(*recorded))),
            Err(error) => return Ok((survey, Err(error))),
        }
    }
}

/// Fetches the state for all gaps of one run.
async fn fill(
    node: &Node,
    survey: &mut TraceCompletion,
    gaps: Vec<MissingState>,
) -> Result<(), FetchError> {
    let number = survey.header().number;
    let (mut accounts, mut slots, mut ancestors) = (Vec::new(), Vec::new(), Vec::new());
    for gap in gaps {
        match gap {
            MissingState::Account(address) => accounts.push(address),
            MissingState::Slot(address, slot) => slots.push((address, slot)),
            MissingState::Ancestor(ancestor) => ancestors.push(ancestor),
        }
    }
    for (address, fields) in accounts.iter().zip(node.accounts_before(number, &accounts).await?) {
        survey.fill_account(*address, fields);
    }
    for ((address, slot), value) in slots.iter().zip(node.slots_before(number, &slots).await?) {
        survey.fill_slot(*address, *slot, value);
    }
    fill_ancestors(node, survey, &ancestors).await
}

/// Fetches the oldest ancestor and all headers after it, which link it to the block.
async fn fill_ancestors(
    node: &Node,
    survey: &mut TraceCompletion,
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

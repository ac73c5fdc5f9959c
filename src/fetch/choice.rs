//! Which way the state before a block is asked for.
//!
//! `auto` takes what proves most. A node that lacks every witness method is asked by tracer; so is one
//! that has none for this block, because it pruned the state or never built the witness. Any other
//! failure is the block's: a node that lies about a witness is not trusted with a flat state.

use std::{fmt, str::FromStr};

use alloy_primitives::BlockNumber;
use futures::future::join;

use super::{error::FetchError, node::Node, prestate::TracedBlock};
use crate::cache::{RecordedBlock, RecordedState};

/// By which methods blocks are fetched.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum WitnessChoice {
    /// What the node has, the one that proves most first.
    #[default]
    Auto,
    /// `debug_executionWitness`, by number or by hash.
    ExecutionWitness,
    /// `debug_traceBlockByNumber` with `prestateTracer`.
    Prestate,
}

impl WitnessChoice {
    /// All of them, the default first.
    pub const ALL: [Self; 3] = [Self::Auto, Self::ExecutionWitness, Self::Prestate];

    /// The name on the command line.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Auto => "auto",
            Self::ExecutionWitness => "execution-witness",
            Self::Prestate => "prestate",
        }
    }
}

impl fmt::Display for WitnessChoice {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

/// A name that no choice has.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("there is no witness method {0:?}; there are: auto, execution-witness, prestate")]
pub struct UnknownWitnessChoice(String);

impl FromStr for WitnessChoice {
    type Err = UnknownWitnessChoice;

    fn from_str(name: &str) -> Result<Self, UnknownWitnessChoice> {
        let found = Self::ALL.into_iter().find(|choice| choice.name() == name);
        found.ok_or_else(|| UnknownWitnessChoice(name.to_owned()))
    }
}

/// A block as it was fetched.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum FetchedBlock {
    /// With a witness, which may lack older ancestors' headers.
    Recorded(RecordedBlock),
    /// With a tracer's reply, which leaves things out.
    Traced(TracedBlock),
}

impl Node {
    /// Fetches a block by the method that `choice` says.
    ///
    /// # Errors
    /// Those of [`Node::fetch_block`] and [`Node::fetch_block_flat`]; where the node lacks both ways,
    /// the former.
    pub async fn fetch(
        &self,
        number: BlockNumber,
        choice: WitnessChoice,
    ) -> Result<FetchedBlock, FetchError> {
        match choice {
            WitnessChoice::ExecutionWitness => {
                self.fetch_block(number).await.map(FetchedBlock::Recorded)
            }
            WitnessChoice::Prestate => {
                self.fetch_block_flat(number).await.map(FetchedBlock::Traced)
            }
            WitnessChoice::Auto => self.fetch_by_what_is_there(number).await,
        }
    }

    async fn fetch_by_what_is_there(
        &self,
        number: BlockNumber,
    ) -> Result<FetchedBlock, FetchError> {
        let (chain_id, block) = (self.chain_id(), self.block(number).await?);
        let (ommers, witness) = join(self.ommers(&block), self.witness(&block)).await;
        let lacking = match witness {
            Ok(witness) => {
                let (block, state) = (block.with_ommers(ommers?), RecordedState::Witness(witness));
                return Ok(FetchedBlock::Recorded(RecordedBlock { chain_id, block, state }));
            }
            Err(error) if error.is_lack() => error,
            Err(error) => return Err(error),
        };
        match self.traced_state(&block).await {
            Ok(state) => self.traced(block, ommers, state).map(FetchedBlock::Traced),
            // With neither way there, the better one is what the user should look for.
            Err(error) if error.is_lack() => Err(lacking),
            Err(error) => Err(error),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_choice_is_found_by_its_name() {
        for choice in WitnessChoice::ALL {
            assert_eq!(choice.name().parse(), Ok(choice));
        }
        let error = "proof".parse::<WitnessChoice>().unwrap_err().to_string();
        assert!(WitnessChoice::ALL.iter().all(|choice| error.contains(choice.name())), "{error}");
    }
}

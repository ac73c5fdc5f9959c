//! Compares the rules that a node states with those of a known chain id.

use super::{Activation, BlobSchedule, ChainRules, CurrentRules, blobs::name, forks::is_optional};
use alloy_eips::eip6110::MAINNET_DEPOSIT_CONTRACT_ADDRESS;
use alloy_hardforks::EthereumHardfork as Fork;
use alloy_primitives::Address;

/// A rule of a known chain that a node states in another way. The node then follows another chain with the same id.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("chain {id} has {known}, but the node states {stated}")]
pub struct Disagreement {
    id: u64,
    known: String,
    stated: String,
}

impl ChainRules {
    /// The rules of this known chain, with those forks that only the node states.
    ///
    /// # Errors
    /// [`Disagreement`] names the first fork that both state and in which they differ.
    pub fn agreed(mut self, stated: &Self) -> Result<Self, Disagreement> {
        // A configuration without a deposit contract has mainnet's.
        let contract = Some(stated.deposit_contract);
        self.check_deposit_contract(contract.filter(|at| *at != MAINNET_DEPOSIT_CONTRACT_ADDRESS))?;
        for (fork, theirs) in stated.forks() {
            match (self.forks.get(&fork), theirs) {
                // The block of the merge and its total difficulty cannot be compared.
                (Some(_), Activation::TotalDifficulty(_)) => {}
                (Some(ours), theirs) if *ours != theirs => {
                    let known = format!("{fork} at {ours}");
                    return Err(self.differs(known, theirs.to_string()));
                }
                (Some(_), _) => {}
                (None, theirs) => {
                    self.forks.insert(fork, theirs);
                }
            }
        }
        for (fork, theirs) in &stated.blobs {
            match self.blobs.get(fork) {
                Some(ours) if ours != theirs => {
                    let known = format!("a blob schedule of {ours} from {} on", name(*fork));
                    return Err(self.differs(known, theirs.to_string()));
                }
                Some(_) => {}
                None => {
                    self.blobs.insert(*fork, *theirs);
                }
            }
        }
        Ok(self)
    }

    /// As [`agreed`](Self::agreed), with a node that states its present fork only.
    ///
    /// # Errors
    /// [`Disagreement`] if this chain has another fork or other blob parameters at the start of the present fork.
    pub fn agreed_with_current(mut self, stated: &CurrentRules) -> Result<Self, Disagreement> {
        let CurrentRules { fork, since, blobs, deposit_contract, .. } = *stated;
        let (newest, last) = self.newest_at(u64::MAX);
        if since > last && fork >= newest {
            // A fork that only the node knows. Equal contracts mean that it changes blob parameters alone.
            let added = if fork > newest { Some(fork) } else { self.next_bpo() };
            if let Some(added) = added {
                self.forks.insert(added, Activation::Time(since));
                self.blobs.extend(blobs.map(|blobs| (added, blobs)));
            }
            return Ok(self);
        }
        let (known, at) = self.newest_at(since);
        let ours = self.blobs_at(since);
        self.check_deposit_contract(deposit_contract)?;
        if (known, at) == (fork, since) && (blobs.is_none() || ours == blobs) {
            return Ok(self);
        }
        let at = self.forks.get(&fork).map_or("never".to_owned(), |at| format!("at {at}"));
        let with = |blobs: Option<BlobSchedule>| {
            blobs.map_or(String::new(), |blobs| format!(", with a blob schedule of {blobs}"))
        };
        let (known, stated) = (with(ours.filter(|_| blobs.is_some())), with(blobs));
        Err(self.differs(
            format!("{fork} {at}{known}"),
            format!("the rules of {fork} from time {since} on{stated}"),
        ))
    }

    fn check_deposit_contract(&self, stated: Option<Address>) -> Result<(), Disagreement> {
        match stated.filter(|stated| *stated != self.deposit_contract) {
            Some(stated) => {
                let known = format!("its deposit contract at {}", self.deposit_contract);
                Err(self.differs(known, stated.to_string()))
            }
            None => Ok(()),
        }
    }

    pub(super) fn differs(&self, known: String, stated: String) -> Disagreement {
        Disagreement { id: self.id, known, stated }
    }

    /// The newest fork with contracts or opcodes of its own at this time, and the last activation of any fork.
    pub(super) fn newest_at(&self, time: u64) -> (Fork, u64) {
        let mut newest = (Fork::Frontier, 0);
        for (fork, at) in self.forks() {
            match at {
                Activation::Time(since) if since <= time => {
                    let name = if is_optional(fork) { newest.0 } else { fork.max(newest.0) };
                    newest = (name, since.max(newest.1));
                }
                Activation::Block(0) => newest.0 = fork,
                _ => {}
            }
        }
        newest
    }

    fn next_bpo(&self) -> Option<Fork> {
        let taken = |fork: &&Fork| !self.forks.contains_key(*fork);
        Fork::bpo_variants().iter().find(taken).copied()
    }

    /// The blob schedule at this time.
    fn blobs_at(&self, time: u64) -> Option<BlobSchedule> {
        let active = self.blobs.iter().filter_map(|(fork, blobs)| match self.forks.get(fork)? {
            Activation::Time(since) if *since <= time => Some((*since, *fork, *blobs)),
            _ => None,
        });
        active.max_by_key(|(since, fork, _)| (*since, *fork)).map(|(.., blobs)| blobs)
    }
}

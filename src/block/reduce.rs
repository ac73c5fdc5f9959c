//! Reduces a record to what its block needs. This is the one place that decides what is stored of a block.
//!
//! A node may add codes, keys, ancestor headers and trie nodes that belong to the chain but not to the block, in any
//! order and several times. The result depends on the block alone, so each honest node leads to the same file.
//!
//! From Amsterdam on, the block access list is added if no node answered it.
//!
//! The sequential execution decides what is needed. Other executors read the flat pre-state, which holds no more than
//! that execution read. A speculative read beyond it is an unknown value for them, whatever the witness holds.

use super::{Proof, ReceiptStatus, RecordedBlock, RecordedState, ReplayJob, Witness};
use crate::{
    state::PreState,
    trie::{StateTrie, TrieError, UpdatedTrie},
};
use alloy_primitives::Bytes;
use revm::bytecode::Bytecode;
use std::fmt;

/// Numbers of items in a witness that its block does not need, repeated ones among them.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Unneeded {
    /// Trie nodes.
    pub nodes: usize,
    /// Codes.
    pub codes: usize,
    /// Ancestor headers.
    pub headers: usize,
    /// Keys. No block needs one.
    pub keys: usize,
}

impl Unneeded {
    /// Whether the block needs everything.
    pub fn is_none(&self) -> bool {
        *self == Self::default()
    }

    /// Adds the numbers of another witness.
    pub const fn add(&mut self, other: &Self) {
        self.nodes += other.nodes;
        self.codes += other.codes;
        self.headers += other.headers;
        self.keys += other.keys;
    }
}

/// The numbers that are not zero.
impl fmt::Display for Unneeded {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { nodes, codes, headers, keys } = *self;
        let parts =
            [(nodes, "trie node"), (codes, "code"), (headers, "ancestor header"), (keys, "key")];
        let parts = parts.into_iter().filter(|(count, _)| *count > 0);
        let ending = |count| if count == 1 { "" } else { "s" };
        let named = parts.map(|(count, what)| format!("{count} {what}{}", ending(count)));
        let parts: Vec<_> = named.collect();
        out.write_str(&parts.join(", "))
    }
}

/// Reduces the witness of a block to what the block needs, in a fixed order, and counts the rest. A flat pre-state stays
/// unchanged. Adds the block access list that the header commits to.
///
/// `job` is the prepared block, and `after` the trie after its sequential execution, with the root of the header.
///
/// # Errors
/// None in practice: `job` was prepared from the witness, so the witness proves each of its values.
pub fn reduce(
    recorded: &mut RecordedBlock,
    job: &ReplayJob,
    after: Option<&UpdatedTrie<'_>>,
) -> Result<Unneeded, TrieError> {
    if let Some(own) = job.own_list() {
        recorded.access_list = own.rlp();
    }
    let (RecordedState::Witness(witness), Proof::Witness { nodes, parent_state_root }) =
        (&mut recorded.state, &job.proof)
    else {
        return Ok(Unneeded::default());
    };
    let between = match &job.receipt_status {
        ReceiptStatus::Roots { siblings, .. } => &siblings[..],
        ReceiptStatus::Success | ReceiptStatus::UnknownRoots => &[],
    };
    let siblings = after.into_iter().flat_map(UpdatedTrie::siblings).chain(between.iter().copied());
    let accounts = job.pre_state.accounts.iter();
    let reads = accounts.map(|(address, account)| (*address, account.slots.keys().copied()));
    let trie = StateTrie::new(nodes, *parent_state_root);
    let needed = Witness {
        nodes: trie.needed(reads, siblings)?,
        codes: codes(&job.pre_state),
        headers: headers(witness, job),
        keys: Vec::new(),
    };
    let unneeded = difference(witness, &needed);
    *witness = needed;
    Ok(unneeded)
}

/// The codes that the block read, in the order of byte strings.
fn codes(read: &PreState) -> Vec<Bytes> {
    let infos = read.accounts.values().filter_map(|account| account.info.as_ref());
    let codes =
        infos.filter(|info| !info.is_empty_code_hash()).filter_map(|info| info.code.as_ref());
    let mut codes: Vec<_> = codes.map(Bytecode::original_bytes).collect();
    codes.sort_unstable();
    codes.dedup();
    codes
}

/// The headers from the oldest ancestor that the block read to the parent, which every block needs.
fn headers(witness: &Witness, job: &ReplayJob) -> Vec<Bytes> {
    let number = job.header.number;
    let oldest = job.pre_state.block_hashes.keys().min();
    let count = oldest.map_or(1, |oldest| number.saturating_sub(*oldest).max(1));
    let count = usize::try_from(count).unwrap_or(usize::MAX);
    let given = &witness.headers;
    given[given.len().saturating_sub(count)..].to_vec()
}

fn difference(given: &Witness, needed: &Witness) -> Unneeded {
    let rest = |given: &[Bytes], needed: &[Bytes]| given.len().saturating_sub(needed.len());
    Unneeded {
        nodes: rest(&given.nodes, &needed.nodes),
        codes: rest(&given.codes, &needed.codes),
        headers: rest(&given.headers, &needed.headers),
        keys: rest(&given.keys, &needed.keys),
    }
}

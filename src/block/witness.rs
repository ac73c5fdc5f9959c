//! Checks the parts of a witness beside the trie: ancestor headers and codes.

use super::PrepareError;
use crate::{block::Witness, trie::NodeStore};
use alloy_consensus::Header;
use alloy_primitives::{
    B256, Bytes, keccak256,
    map::{B256Map, HashMap},
};
use alloy_rlp::Decodable;

/// The reason that a witness, or the headers of a flat pre-state, does not belong to its block.
#[derive(Debug, thiserror::Error)]
#[expect(missing_docs, reason = "the messages name the fields")]
pub enum WitnessError {
    /// The witness has no header, so the state root of the parent is unknown.
    #[error("the witness holds no parent header; fetch the block again with --overwrite")]
    NoParent,
    /// The RLP of a header is malformed.
    #[error("ancestor header {position} cannot be decoded")]
    BadHeader { position: usize, source: alloy_rlp::Error },
    /// The chain of parent hashes is broken.
    #[error("ancestor header {number} has hash {actual}, but its child expects {expected}")]
    BrokenChain { number: u64, expected: B256, actual: B256 },
    /// Trie nodes that are not part of the parent's state.
    #[error(
        "the witness holds {count} trie nodes that no path from the parent's state root reaches, \
         {first} among them: it is damaged or belongs to another state; use another node or \
         --witness proofs"
    )]
    Unreachable { count: usize, first: B256 },
}

/// Ancestors that the block descends from, as their hashes prove.
#[derive(Debug)]
pub(super) struct Ancestors {
    pub(super) parent_state_root: B256,
    /// Hashes by block number, for `BLOCKHASH`.
    pub(super) hashes: HashMap<u64, B256>,
}

/// Checks that the witness's headers lead up to the block through their parent hashes.
pub(super) fn check_ancestors(
    block: &Header,
    witness: &Witness,
) -> Result<Ancestors, WitnessError> {
    let (hashes, parent) = link_ancestors(block, &witness.headers)?;
    let parent_state_root = parent.ok_or(WitnessError::NoParent)?.state_root;
    Ok(Ancestors { parent_state_root, hashes })
}

/// Checks that a witness contains only trie nodes of the parent's state.
///
/// [`prepare`](super::prepare()) accepts other nodes, since no path leads to them. But an honest node produces
/// none, so they are the only sign of damage to a part that the block does not need. This check does not apply
/// to witnesses that are built from proofs, which may contain more nodes.
///
/// # Errors
/// The error is [`PrepareError::Witness`] if there are other nodes, or the headers do not lead to the parent. A
/// trie node that is too large gives [`PrepareError::Nodes`].
pub fn check_reach(block: &Header, witness: &Witness) -> Result<(), PrepareError> {
    let Ancestors { parent_state_root, .. } = check_ancestors(block, witness)?;
    let nodes = NodeStore::new(witness.nodes.iter().cloned()).map_err(PrepareError::Nodes)?;
    let unreachable = nodes.unreachable_from(parent_state_root);
    match unreachable.iter().min() {
        Some(first) => {
            Err(WitnessError::Unreachable { count: unreachable.len(), first: *first }.into())
        }
        None => Ok(()),
    }
}

/// Follows parent hashes back from the block through `headers`; the last header should be the parent. Returns
/// hashes by block number and the parent's header, if there is one.
pub(super) fn link_ancestors(
    block: &Header,
    headers: &[Bytes],
) -> Result<(HashMap<u64, B256>, Option<Header>), WitnessError> {
    let mut hashes = HashMap::default();
    let mut parent = None;
    let (mut expected, mut number) = (block.parent_hash, block.number);
    for (position, rlp) in headers.iter().enumerate().rev() {
        let header =
            decode_header(rlp).map_err(|source| WitnessError::BadHeader { position, source })?;
        let actual = keccak256(rlp);
        if actual != expected || header.number.checked_add(1) != Some(number) {
            return Err(WitnessError::BrokenChain { number: header.number, expected, actual });
        }
        hashes.insert(header.number, actual);
        (expected, number) = (header.parent_hash, header.number);
        parent.get_or_insert(header);
    }
    Ok((hashes, parent))
}

fn decode_header(mut rlp: &[u8]) -> Result<Header, alloy_rlp::Error> {
    let header = Header::decode(&mut rlp)?;
    if rlp.is_empty() { Ok(header) } else { Err(alloy_rlp::Error::UnexpectedLength) }
}

/// Codes by their computed hash. Hashes claimed by the witness are not used.
pub(super) fn codes_by_hash(codes: &[Bytes]) -> B256Map<Bytes> {
    codes.iter().map(|code| (keccak256(code), code.clone())).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn chain(length: u64) -> (Header, Witness) {
        let mut parent_hash = B256::ZERO;
        let mut headers = Vec::new();
        for number in 0..length {
            let header = Header {
                number,
                parent_hash,
                state_root: B256::with_last_byte(number as u8),
                ..Default::default()
            };
            parent_hash = header.hash_slow();
            headers.push(alloy_rlp::encode(&header).into());
        }
        let block = Header { number: length, parent_hash, ..Default::default() };
        (block, Witness { headers, ..Default::default() })
    }

    #[test]
    fn linked_ancestors_yield_their_hashes_and_the_parent_state_root() {
        let (block, witness) = chain(3);
        let ancestors = check_ancestors(&block, &witness).expect("the chain is whole");
        assert_eq!(ancestors.parent_state_root, B256::with_last_byte(2));
        assert_eq!(ancestors.hashes.len(), 3);
        assert_eq!(ancestors.hashes[&2], block.parent_hash);
    }

    #[test]
    fn a_gap_in_the_chain_is_named() {
        let (block, mut witness) = chain(3);
        witness.headers.remove(1);
        let error = check_ancestors(&block, &witness).expect_err("header 1 is missing");
        assert!(matches!(error, WitnessError::BrokenChain { number: 0, .. }), "{error}");
    }

    #[test]
    fn a_witness_without_the_parent_is_refused() {
        let (block, witness) = chain(0);
        assert!(matches!(check_ancestors(&block, &witness), Err(WitnessError::NoParent)));
    }
}

//! The RLP of one branch while it is written.

use alloy_primitives::B256;
use alloy_rlp::{EMPTY_STRING_CODE, Header};

use super::raw::HASH_CODE;

/// Number of bytes of the longest header of a branch.
const HEADER: usize = 3;

/// Number of bytes of a full branch, the largest node: 16 references of 33 bytes and an empty value after a header.
const FULL: usize = HEADER + 16 * 33 + 1;

/// A list of 16 references and an empty value (Yellow Paper, appendix D). The header is written last, since it has the
/// length of the rest, in the space before the first reference.
#[derive(Debug)]
pub(super) struct BranchRlp {
    bytes: [u8; FULL],
    end: usize,
}

impl BranchRlp {
    /// A branch without references.
    pub(super) const fn new() -> Self {
        Self { bytes: [0; FULL], end: HEADER }
    }

    /// Adds a reference, of at most 33 bytes.
    pub(super) fn push(&mut self, reference: &[u8]) {
        let end = self.end + reference.len();
        self.bytes[self.end..end].copy_from_slice(reference);
        self.end = end;
    }

    /// Adds a reference by hash.
    pub(super) fn push_hash(&mut self, hash: &B256) {
        let end = self.end + 1 + B256::len_bytes();
        let reference = &mut self.bytes[self.end..end];
        reference[0] = HASH_CODE;
        reference[1..].copy_from_slice(&hash.0);
        self.end = end;
    }

    /// Adds the reference of an absent child.
    pub(super) fn push_absent(&mut self) {
        self.bytes[self.end] = EMPTY_STRING_CODE;
        self.end += 1;
    }

    /// Ends a branch with 16 references, and returns its bytes.
    pub(super) fn finish(&mut self) -> &[u8] {
        // The value, which is empty.
        self.push_absent();
        let header = Header { list: true, payload_length: self.end - HEADER };
        let start = HEADER - header.length();
        header.encode(&mut &mut self.bytes[start..HEADER]);
        &self.bytes[start..self.end]
    }
}

#[cfg(test)]
mod tests {
    use alloy_rlp::Encodable as _;
    use alloy_trie::{
        TrieMask,
        nodes::{BranchNodeRef, RlpNode},
    };
    use proptest::prelude::*;

    use super::*;

    /// A child of a branch: absent, by hash, or embedded with this many bytes.
    #[derive(Clone, Debug)]
    enum Child {
        Absent,
        Hash,
        Embedded(usize),
    }

    fn child() -> impl Strategy<Value = Child> {
        prop_oneof![Just(Child::Absent), Just(Child::Hash), (1_usize..32).prop_map(Child::Embedded)]
    }

    proptest! {
        #[test]
        fn a_branch_is_encoded_as_by_alloy_trie(children in prop::collection::vec(child(), 16)) {
            let (mut branch, mut references, mut mask) = (BranchRlp::new(), Vec::new(), 0);
            for (nibble, child) in children.into_iter().enumerate() {
                let hash = B256::repeat_byte(nibble as u8);
                match child {
                    Child::Absent => branch.push_absent(),
                    Child::Hash => branch.push_hash(&hash),
                    Child::Embedded(length) => branch.push(&hash[..length]),
                }
                references.extend(match child {
                    Child::Absent => continue,
                    Child::Hash => Some(RlpNode::word_rlp(&hash)),
                    Child::Embedded(length) => RlpNode::from_raw(&hash[..length]),
                });
                mask |= 1 << nibble;
            }
            let mut expected = Vec::new();
            BranchNodeRef::new(&references, TrieMask::new(mask)).encode(&mut expected);
            prop_assert_eq!(branch.finish(), &expected[..]);
        }
    }

    #[test]
    fn a_full_branch_takes_all_space() {
        let mut branch = BranchRlp::new();
        (0..16).for_each(|nibble| branch.push_hash(&B256::repeat_byte(nibble)));
        assert_eq!(branch.finish().len(), FULL);
    }
}

//! Reconstructs the node that is left when a deletion collapses a branch.
//!
//! The collapse needs the remaining child of the branch, but no proof of the deleted key at the
//! block before holds it. The proof of the key's absence at the block itself ends in the node that
//! replaced the branch. If the child was a leaf or an extension, the new node is the child with a
//! longer path. The path begins with the nibbles of the removed extension and branch. Cutting them
//! off restores the child, and its hash shows which cut is right. A child that was a branch stays
//! unchanged and is not needed.

use std::collections::HashSet;

use alloy_primitives::{B256, Bytes, keccak256};
use alloy_rlp::Decodable;
use alloy_trie::nodes::{ExtensionNodeRef, LeafNodeRef, TrieNode};

/// The nodes with a hash in `wanted` that are a node in `nodes` with a shorter path.
pub(super) fn cut_back(nodes: &[Bytes], wanted: &HashSet<B256>) -> Vec<Bytes> {
    let cut = nodes.iter().filter_map(|rlp| TrieNode::decode(&mut rlp.as_ref()).ok());
    cut.flat_map(with_shorter_paths).filter(|rlp| wanted.contains(&keccak256(rlp))).collect()
}

/// The node, a leaf or an extension, with its path cut off after every nibble.
fn with_shorter_paths(node: TrieNode) -> Vec<Bytes> {
    match node {
        TrieNode::Leaf(leaf) => (1..=leaf.key.len())
            .map(|cut| {
                let path = leaf.key.slice(cut..);
                alloy_rlp::encode(LeafNodeRef { key: &path, value: &leaf.value }).into()
            })
            .collect(),
        // An extension without a path is its child, a branch, which is not needed.
        TrieNode::Extension(extension) => (1..extension.key.len())
            .map(|cut| {
                let path = extension.key.slice(cut..);
                alloy_rlp::encode(ExtensionNodeRef { key: &path, child: &extension.child }).into()
            })
            .collect(),
        TrieNode::Branch(_) | TrieNode::EmptyRoot => Vec::new(),
    }
}

#[cfg(test)]
mod tests {
    use alloy_trie::{
        Nibbles,
        nodes::{ExtensionNode, LeafNode, RlpNode},
    };

    use super::*;

    fn path(nibbles: &[u8]) -> Nibbles {
        Nibbles::from_nibbles(nibbles)
    }

    fn leaf(nibbles: &[u8], value: &[u8]) -> Bytes {
        alloy_rlp::encode(LeafNode::new(path(nibbles), value.to_vec())).into()
    }

    fn extension(nibbles: &[u8]) -> Bytes {
        let child = RlpNode::word_rlp(&B256::repeat_byte(7));
        alloy_rlp::encode(ExtensionNode::new(path(nibbles), child)).into()
    }

    fn cut(from: &Bytes, to: &Bytes) -> Vec<Bytes> {
        cut_back(&[leaf(&[9], &[1; 40]), from.clone()], &HashSet::from([keccak256(to)]))
    }

    #[test]
    fn a_leaf_with_a_longer_path_is_cut_back() {
        let (grown, was) = (leaf(&[1, 2, 3, 4], &[5; 40]), leaf(&[4], &[5; 40]));
        assert_eq!(cut(&grown, &was), [was]);
        let last = leaf(&[], &[5; 40]);
        assert_eq!(cut(&grown, &last), [last]);
    }

    #[test]
    fn an_extension_with_a_longer_path_is_cut_back() {
        let (grown, was) = (extension(&[1, 2, 3, 4]), extension(&[3, 4]));
        assert_eq!(cut(&grown, &was), [was]);
    }

    #[test]
    fn a_node_with_the_same_path_or_another_value_is_not_found() {
        let grown = leaf(&[1, 2, 3, 4], &[5; 40]);
        assert!(cut(&grown, &grown).is_empty());
        assert!(cut(&grown, &leaf(&[3, 4], &[6; 40])).is_empty());
        assert!(cut(&grown, &extension(&[3, 4])).is_empty());
        assert!(cut_back(&[Bytes::from_static(&[0xff])], &HashSet::new()).is_empty());
    }
}

//! Nodes that match their hash but break the rules of Ethereum's tries.

use alloy_primitives::{Address, B256, Bytes, U256, keccak256};
use alloy_rlp::{Error as RlpError, Header};
use proptest::{collection, prelude::*};

use super::{
    super::{
        MAX_NODE_BYTES, Malformed, NodeError, NodeStore, PartialTrie, StateTrie, TrieError,
        lookup::find, raw::read,
    },
    FullTrie, Leaves, any_key, any_value, insert, key, path, remove, single,
};

fn string(bytes: &[u8]) -> Vec<u8> {
    alloy_rlp::encode(bytes)
}

fn list(items: &[Vec<u8>]) -> Vec<u8> {
    let payload = items.concat();
    let mut out = Vec::new();
    Header { list: true, payload_length: payload.len() }.encode(&mut out);
    out.extend(payload);
    out
}

fn short(path: &[u8], second: &[u8]) -> Vec<u8> {
    list(&[string(path), second.to_vec()])
}

/// A branch that starts with these references, given as RLP, and has this value.
fn branch(children: &[Vec<u8>], value: &[u8]) -> Vec<u8> {
    let mut items = children.to_vec();
    items.resize(16, string(&[]));
    items.push(string(value));
    list(&items)
}

fn hash() -> Vec<u8> {
    string(&[0xab; 32])
}

/// An even leaf path of all 64 nibbles.
fn whole_path(flags: u8) -> Vec<u8> {
    [&[flags][..], &[0x11; 32]].concat()
}

#[test]
fn each_rule_is_enforced_by_its_own_error() {
    let leaf = short(&whole_path(0x20), &string(&[1]));
    let trailing = [&leaf[..], &[0, 0]].concat();
    let truncated = &leaf[..leaf.len() - 1];
    let inner = short(&[0x20], &string(&[7; 29]));
    assert_eq!(inner.len(), 32);
    let cases: Vec<(Vec<u8>, usize, Malformed)> = vec![
        (vec![], 0, Malformed::Rlp(RlpError::InputTooShort)),
        (vec![0x80], 0, Malformed::Rlp(RlpError::UnexpectedString)),
        (truncated.to_vec(), 0, Malformed::Rlp(RlpError::InputTooShort)),
        (vec![0xf8, 0x02, 0x20, 0x01], 0, Malformed::Rlp(RlpError::NonCanonicalSize)),
        (vec![0xff; 9], 0, Malformed::Rlp(RlpError::InputTooShort)),
        (trailing, 0, Malformed::TrailingBytes { bytes: 2 }),
        (list(&[]), 0, Malformed::ItemCount),
        (list(&[hash()]), 0, Malformed::ItemCount),
        (list(&[hash(), hash(), hash()]), 0, Malformed::ItemCount),
        (list(&vec![string(&[]); 18]), 0, Malformed::ItemCount),
        (short(&[], &hash()), 0, Malformed::Rlp(RlpError::InputTooShort)),
        (list(&[list(&[]), hash()]), 0, Malformed::Rlp(RlpError::UnexpectedList)),
        (short(&[0x40], &hash()), 0, Malformed::PathFlags { flags: 4 }),
        (short(&[0x01, 0x11], &hash()), 0, Malformed::PathPadding),
        (short(&whole_path(0x21), &hash()), 0, Malformed::PathPadding),
        (short(&[0x20, 0x11], &hash()), 0, Malformed::PathLength { depth: 0, nibbles: 2 }),
        (leaf.clone(), 1, Malformed::PathLength { depth: 1, nibbles: 64 }),
        (short(&whole_path(0x31), &hash()), 0, Malformed::PathLength { depth: 0, nibbles: 65 }),
        (short(&[0x20; 400], &hash()), 0, Malformed::PathLength { depth: 0, nibbles: 798 }),
        (short(&whole_path(0x00), &hash()), 0, Malformed::PathLength { depth: 0, nibbles: 64 }),
        (short(&[0x11], &hash()), 63, Malformed::PathLength { depth: 63, nibbles: 1 }),
        (short(&[0x00], &hash()), 0, Malformed::EmptyExtension),
        (short(&[0x11], &string(&[])), 0, Malformed::NoChild),
        (branch(&[hash(), hash()], &[1]), 0, Malformed::BranchValue),
        (branch(&[hash(), hash()], &[]), 64, Malformed::BranchTooDeep),
        (branch(&[hash()], &[]), 0, Malformed::TooFewChildren { children: 1 }),
        (branch(&[], &[]), 0, Malformed::TooFewChildren { children: 0 }),
        (branch(&[hash(), string(&[1; 31])], &[]), 0, Malformed::ChildHash { bytes: 31 }),
        (branch(&[hash(), string(&[1; 33])], &[]), 0, Malformed::ChildHash { bytes: 33 }),
        (branch(&[hash(), string(&[1])], &[]), 0, Malformed::ChildHash { bytes: 1 }),
        (branch(&[hash(), inner], &[]), 0, Malformed::EmbeddedTooLong { bytes: 32 }),
        (short(&whole_path(0x20), &string(&[])), 0, Malformed::EmptyValue),
        (short(&whole_path(0x20), &list(&[])), 0, Malformed::Rlp(RlpError::UnexpectedList)),
    ];
    for (rlp, depth, expected) in cases {
        match read(&rlp, depth) {
            Err(actual) => assert_eq!(actual, expected, "{}", Bytes::from(rlp)),
            Ok(node) => panic!("{expected:?} was read as {node:?}"),
        }
    }
}

#[test]
fn lookup_and_update_name_a_malformed_node() {
    let rlp = short(&[0x40; 40], &hash());
    let (nodes, root) = single(&rlp);
    let source = Malformed::PathFlags { flags: 4 };
    let expected = NodeError::Malformed { hash: root, path: Default::default(), source };
    assert_eq!(find(&nodes, &root, &key("1")).map(drop), Err(expected.clone()));
    assert_eq!(PartialTrie::open(&nodes, root).map(drop), Err(expected));
}

#[test]
fn a_malformed_embedded_node_is_named_by_the_hash_of_its_bytes() {
    let bad = short(&[0x40], &string(&[1]));
    let (nodes, root) = single(&branch(&[bad.clone(), hash(), hash()], &[]));
    let source = Malformed::PathFlags { flags: 4 };
    let expected =
        NodeError::Malformed { hash: keccak256(&bad), path: path(key("0")).slice(..1), source };
    let mut trie = PartialTrie::open(&nodes, root).unwrap();
    assert_eq!(find(&nodes, &root, &key("0")).map(drop), Err(expected.clone()));
    assert_eq!(insert(&mut trie, key("0"), vec![1]), Err(expected.clone()));
    assert_eq!(remove(&mut trie, key("0")), Err(expected));
}

#[test]
fn a_malformed_last_child_stops_a_collapse() {
    let leaf = |flags| short(&[&[flags][..], &[0x11; 31]].concat(), &string(&[1; 40]));
    let (good, bad) = (leaf(0x30), leaf(0x50));
    let top =
        branch(&[string(keccak256(&good).as_slice()), string(keccak256(&bad).as_slice())], &[]);
    let root = keccak256(&top);
    let nodes = NodeStore::new([top, good, bad.clone()].map(Bytes::from)).unwrap();
    let mut trie = PartialTrie::open(&nodes, root).unwrap();

    let gone = format!("00{}", "11".repeat(31)).parse().unwrap();
    let error = remove(&mut trie, gone).unwrap_err();
    let source = Malformed::PathFlags { flags: 5 };
    let expected =
        NodeError::Malformed { hash: keccak256(&bad), path: path(key("1")).slice(..1), source };
    assert_eq!(error, expected);
}

#[test]
fn a_short_child_referred_to_by_hash_is_refused() {
    let leaf = list(&[string(&[0x3a]), string(&[1])]);
    let top = branch(&[string(keccak256(&leaf).as_slice()), hash()], &[]);
    let root = keccak256(&top);
    let bytes = leaf.len();
    let nodes = NodeStore::new([top, leaf].map(Bytes::from)).unwrap();
    let error = find(&nodes, &root, &key("0")).map(drop).unwrap_err();
    assert!(
        matches!(error, NodeError::Malformed { source: Malformed::NotEmbedded { bytes: b }, .. } if b == bytes),
        "{error:?}",
    );
}

#[test]
fn an_embedded_node_listed_separately_belongs_to_the_state() {
    let leaf = list(&[string(&[0x3a]), string(&[1])]);
    let top = branch(&[leaf.clone(), hash()], &[]);
    let root = keccak256(&top);
    let stranger = list(&[string(&[0x3a]), string(&[2])]);
    let nodes = NodeStore::new([top, leaf, stranger.clone()].map(Bytes::from)).unwrap();
    assert_eq!(nodes.unreachable_from(root), [keccak256(&stranger)]);
}

/// A trie with a single leaf at the hash of `preimage`.
fn lone_leaf(preimage: &[u8], value: &[u8]) -> (NodeStore, B256) {
    let encoded_path = [&[0x20][..], keccak256(preimage).as_slice()].concat();
    single(&short(&encoded_path, &string(value)))
}

fn reason(error: TrieError) -> Malformed {
    match error {
        TrieError::Account { source, .. } | TrieError::Slot { source, .. } => match *source {
            NodeError::Malformed { source, .. } => source,
            missing => panic!("{missing}"),
        },
        oversized => panic!("{oversized}"),
    }
}

#[test]
fn a_storage_word_is_a_canonical_integer_and_not_zero() {
    let cases: [(&[u8], Malformed); 6] = [
        (&[0x82, 0x00, 0x01], Malformed::Slot(RlpError::LeadingZero)),
        (&[0x00], Malformed::Slot(RlpError::LeadingZero)),
        (&string(&[1; 33]), Malformed::Slot(RlpError::Overflow)),
        (&[0x01, 0x02], Malformed::Slot(RlpError::UnexpectedLength)),
        (&[0xc1, 0x01], Malformed::Slot(RlpError::UnexpectedList)),
        (&[0x80], Malformed::ZeroSlot),
    ];
    let slot = U256::from(5);
    for (value, expected) in cases {
        let (nodes, root) = lone_leaf(&B256::from(slot).0, value);
        let state = StateTrie::new(&nodes, B256::ZERO);
        let error = state.slot(Address::ZERO, root, slot).unwrap_err();
        assert_eq!(reason(error), expected, "{value:x?}");
    }
}

#[test]
fn an_account_has_four_fields_and_nothing_after_them() {
    let word = || string(&[7; 32]);
    let fields = [vec![0x01], vec![0x02], word(), word()];
    let too_few = list(&fields[..3]);
    let too_many = list(&[&fields[..], &[word()]].concat());
    let trailing = [&list(&fields)[..], &[0x01]].concat();
    let short_root = list(&[vec![0x01], vec![0x02], string(&[7; 31]), word()]);
    let padded_nonce = list(&[vec![0x00], vec![0x02], word(), word()]);
    let cases = [too_few, too_many, trailing, short_root, padded_nonce, string(&[1; 3])];
    for value in cases {
        let (nodes, root) = lone_leaf(Address::ZERO.as_slice(), &value);
        let error = StateTrie::new(&nodes, root).account(Address::ZERO).unwrap_err();
        assert!(matches!(reason(error), Malformed::Account(_)), "{value:x?}");
    }
    let (nodes, root) = lone_leaf(Address::ZERO.as_slice(), &list(&fields));
    assert_eq!(StateTrie::new(&nodes, root).account(Address::ZERO).unwrap().unwrap().nonce, 1);
}

#[test]
fn an_oversized_node_is_refused_with_its_index() {
    let fits = Bytes::from(vec![0; MAX_NODE_BYTES]);
    assert!(NodeStore::new([fits.clone()]).is_ok());
    let size = MAX_NODE_BYTES + 1;
    let error = NodeStore::new([fits, Bytes::from(vec![0; size])]).unwrap_err();
    assert_eq!(error, TrieError::OversizedNode { index: 1, size });
}

/// Looks up, inserts and removes keys below the root `rlp` and ignores the results.
fn exercise(rlp: &[u8], keys: &[B256]) {
    let (nodes, root) = single(rlp);
    for key in keys {
        let _ = find(&nodes, &root, key);
        let Ok(mut trie) = PartialTrie::open(&nodes, root) else { continue };
        let _ = insert(&mut trie, *key, vec![1]);
        trie.root();
        let Ok(mut trie) = PartialTrie::open(&nodes, root) else { continue };
        let _ = remove(&mut trie, *key);
        trie.root();
    }
}

/// Lists of lists and strings that sometimes have the shape of a node.
fn any_rlp() -> impl Strategy<Value = Vec<u8>> {
    let text = prop_oneof![
        Just(vec![]),
        collection::vec(any::<u8>(), 1..4),
        collection::vec(any::<u8>(), 32..=33),
        Just(whole_path(0x20)),
    ];
    text.prop_map(|bytes| string(&bytes)).prop_recursive(3, 64, 17, |inner| {
        prop_oneof![
            collection::vec(inner.clone(), 2).prop_map(|items| list(&items)),
            collection::vec(inner.clone(), 17).prop_map(|items| list(&items)),
            collection::vec(inner, 0..18).prop_map(|items| list(&items)),
        ]
    })
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(1024))]

    #[test]
    fn random_bytes_do_not_panic(
        rlp in collection::vec(any::<u8>(), 0..600),
        keys in collection::vec(any_key(), 1..4),
        depth in 0usize..=64,
    ) {
        let _ = read(&rlp, depth);
        exercise(&rlp, &keys);
    }

    #[test]
    fn random_lists_do_not_panic(
        rlp in any_rlp(),
        keys in collection::vec(any_key(), 1..4),
        depth in 0usize..=64,
    ) {
        let _ = read(&rlp, depth);
        exercise(&rlp, &keys);
    }

    #[test]
    fn altered_nodes_do_not_panic(
        leaves in collection::btree_map(any_key(), any_value(), 1..12),
        edits in collection::vec((any::<prop::sample::Index>(), any::<u8>()), 1..4),
    ) {
        let keys: Vec<_> = leaves.keys().copied().collect();
        let leaves: Leaves = leaves;
        for (at, rlp) in FullTrie::new(&leaves).nodes {
            let mut rlp = rlp.to_vec();
            for (index, byte) in &edits {
                let index = index.index(rlp.len());
                rlp[index] = *byte;
            }
            let _ = read(&rlp, at.len());
            exercise(&rlp, &keys);
        }
    }
}

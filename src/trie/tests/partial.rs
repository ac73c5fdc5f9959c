//! Insertion, deletion, collapse and lookups in one trie.

use alloy_primitives::{B256, Bytes, keccak256};
use alloy_trie::EMPTY_ROOT_HASH;
use proptest::{collection, prelude::*};

use super::{
    super::{Changes, NodeError, PartialTrie, lookup::find},
    FullTrie, Leaves, Siblings, any_key, any_value, insert, key, remove, store,
};

/// Effect of a block on one key.
#[derive(Clone, Debug)]
enum Change {
    Keep,
    Set(Vec<u8>),
    Remove,
}

/// Keys, with the value before the block and the change.
type Plan = Vec<(B256, Option<Vec<u8>>, Change)>;

fn any_plan() -> impl Strategy<Value = Plan> {
    let change = prop_oneof![
        Just(Change::Keep),
        any_value().prop_map(Change::Set),
        Just(Change::Remove),
        Just(Change::Remove),
    ];
    let entry = (prop::option::weighted(0.8, any_value()), change);
    collection::btree_map(any_key(), entry, 0..80)
        .prop_map(|plan| plan.into_iter().map(|(k, (value, change))| (k, value, change)).collect())
}

fn before(plan: &Plan) -> Leaves {
    plan.iter().filter_map(|(key, value, _)| Some((*key, value.clone()?))).collect()
}

fn after(plan: &Plan) -> Leaves {
    let value_after = |value: &Option<Vec<u8>>, change: &Change| match change {
        Change::Keep => value.clone(),
        Change::Set(value) => Some(value.clone()),
        Change::Remove => None,
    };
    plan.iter().filter_map(|(key, old, change)| Some((*key, value_after(old, change)?))).collect()
}

fn touched(plan: &Plan) -> Vec<B256> {
    let touched = plan.iter().filter(|(_, _, change)| !matches!(change, Change::Keep));
    touched.map(|(key, ..)| *key).collect()
}

fn removed(plan: &Plan) -> Vec<B256> {
    let removed = plan.iter().filter(|(_, _, change)| matches!(change, Change::Remove));
    removed.map(|(key, ..)| *key).collect()
}

/// Makes all changes at once, as a block update does.
fn apply(trie: &mut PartialTrie<'_>, plan: &Plan) -> Result<(), NodeError> {
    let changes = plan.iter().filter_map(|(key, _, change)| match change {
        Change::Keep => None,
        Change::Set(value) => Some((*key, Some(value.clone()))),
        Change::Remove => Some((*key, None)),
    });
    trie.write(Changes::new(changes)).map(drop).map_err(|error| error.source)
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(1024))]

    #[test]
    fn the_root_after_changes_equals_that_of_a_rebuilt_trie(plan in any_plan()) {
        let full = FullTrie::new(&before(&plan));
        let nodes = full.witness(&touched(&plan), &removed(&plan), Siblings::All);
        let mut trie = PartialTrie::open(&nodes, full.root)?;
        prop_assert_eq!(trie.root(), full.root);
        apply(&mut trie, &plan)?;
        prop_assert_eq!(trie.root(), FullTrie::new(&after(&plan)).root);
    }

    #[test]
    fn changes_at_once_and_one_by_one_give_the_same_root(plan in any_plan()) {
        let full = FullTrie::new(&before(&plan));
        let nodes = full.store();
        let mut at_once = PartialTrie::open(&nodes, full.root)?;
        apply(&mut at_once, &plan)?;
        let mut one_by_one = PartialTrie::open(&nodes, full.root)?;
        for change in &plan {
            apply(&mut one_by_one, &vec![change.clone()])?;
        }
        prop_assert_eq!(at_once.root(), one_by_one.root());
    }

    #[test]
    fn an_open_path_holds_the_value_of_its_key(plan in any_plan()) {
        let leaves = before(&plan);
        let full = FullTrie::new(&leaves);
        let nodes = full.store();
        let mut trie = PartialTrie::open(&nodes, full.root)?;
        let mut keys = Changes::new(plan.iter().map(|(key, ..)| (*key, None)));
        trie.open_paths(&mut keys).map_err(|error| error.source)?;
        for change in &keys.0 {
            let (key, ..) = &plan[change.index];
            prop_assert_eq!(trie.value(&change.key), leaves.get(key).map(|value| &value[..]));
        }
        prop_assert_eq!(trie.root(), full.root);
    }

    #[test]
    fn witnesses_need_no_branch_siblings(plan in any_plan()) {
        let full = FullTrie::new(&before(&plan));
        let nodes = full.witness(&touched(&plan), &removed(&plan), Siblings::AllButBranches);
        let mut trie = PartialTrie::open(&nodes, full.root)?;
        apply(&mut trie, &plan)?;
        prop_assert_eq!(trie.root(), FullTrie::new(&after(&plan)).root);
    }

    #[test]
    fn an_update_without_siblings_gives_a_root_or_a_missing_node(plan in any_plan()) {
        let full = FullTrie::new(&before(&plan));
        let nodes = full.witness(&touched(&plan), &[], Siblings::None);
        let mut trie = PartialTrie::open(&nodes, full.root)?;
        match apply(&mut trie, &plan) {
            Ok(()) => { trie.root(); }
            Err(error) => prop_assert!(matches!(error, NodeError::Missing { .. }), "{error}"),
        }
    }

    #[test]
    fn emptying_and_refilling_a_trie_restores_its_root(plan in any_plan()) {
        let leaves = before(&plan);
        let full = FullTrie::new(&leaves);
        let nodes = full.store();
        let mut trie = PartialTrie::open(&nodes, full.root)?;
        for key in leaves.keys() {
            remove(&mut trie, *key)?;
        }
        prop_assert_eq!(trie.root(), EMPTY_ROOT_HASH);
        for (key, value) in leaves.iter().rev() {
            insert(&mut trie, *key, value.clone())?;
        }
        prop_assert_eq!(trie.root(), full.root);
    }

    #[test]
    fn lookups_find_present_keys_and_prove_absent_ones(plan in any_plan(), other in any_key()) {
        let leaves = before(&plan);
        let full = FullTrie::new(&leaves);
        let keys: Vec<_> = plan.iter().map(|(key, ..)| *key).chain([other]).collect();
        let nodes = full.witness(&keys, &[], Siblings::None);
        for key in &keys {
            let found = find(&nodes, &full.root, key)?.map(|leaf| leaf.value.to_vec());
            prop_assert_eq!(found.as_ref(), leaves.get(key));
        }
    }

    #[test]
    fn a_flipped_bit_hides_a_node_and_changes_no_value(
        plan in any_plan(),
        at in any::<prop::sample::Index>(),
        bit in any::<prop::sample::Index>(),
    ) {
        let leaves = before(&plan);
        let full = FullTrie::new(&leaves);
        let mut nodes: Vec<_> = full.nodes.values().map(|rlp| rlp.to_vec()).collect();
        let at = at.index(nodes.len());
        let bit = bit.index(nodes[at].len() * 8);
        nodes[at][bit / 8] ^= 1 << (bit % 8);

        let nodes = store(nodes.into_iter().map(Bytes::from));
        for (key, ..) in &plan {
            match find(&nodes, &full.root, key) {
                Ok(found) => prop_assert_eq!(found.map(|leaf| leaf.value), leaves.get(key).map(|v| &v[..])),
                Err(error) => prop_assert!(matches!(error, NodeError::Missing { .. }), "{error}"),
            }
        }
    }
}

/// A value that is long enough for its leaf to be hashed.
fn long(byte: u8) -> Vec<u8> {
    vec![byte; 40]
}

/// The root after removing `gone` from a witness with its path and `siblings`, and the correct root.
fn remove_one(leaves: &Leaves, gone: B256, siblings: Siblings) -> (B256, B256) {
    let full = FullTrie::new(leaves);
    let nodes = full.witness(&[gone], &[gone], siblings);
    let mut trie = PartialTrie::open(&nodes, full.root).expect("the root is there");
    remove(&mut trie, gone).expect("the path is there");

    let mut left = leaves.clone();
    left.remove(&gone);
    (trie.root(), FullTrie::new(&left).root)
}

#[test]
fn a_missing_sibling_is_assumed_to_be_a_branch() {
    let keys = ["1", "20", "21"];
    let leaves = keys.into_iter().map(|nibbles| (key(nibbles), long(1))).collect();
    let (root, truth) = remove_one(&leaves, key("1"), Siblings::None);
    assert_eq!(root, truth);
}

#[test]
fn an_extension_above_a_collapsed_branch_absorbs_a_missing_sibling() {
    let keys = ["aa1", "aa20", "aa21"];
    let leaves = keys.into_iter().map(|nibbles| (key(nibbles), long(1))).collect();
    let (root, truth) = remove_one(&leaves, key("aa1"), Siblings::None);
    assert_eq!(root, truth);
}

#[test]
fn a_missing_sibling_that_is_a_leaf_gives_a_wrong_root() {
    let leaves = Leaves::from([(key("1"), long(1)), (key("2"), long(2))]);
    let (root, truth) = remove_one(&leaves, key("1"), Siblings::None);
    assert_ne!(root, truth);
    let (root, truth) = remove_one(&leaves, key("1"), Siblings::All);
    assert_eq!(root, truth);
}

#[test]
fn the_guess_names_the_hash_of_the_missing_sibling() {
    let leaves = Leaves::from([(key("1"), long(1)), (key("2"), long(2))]);
    let full = FullTrie::new(&leaves);
    let guessed = |siblings| {
        let nodes = full.witness(&[key("1")], &[key("1")], siblings);
        let mut trie = PartialTrie::open(&nodes, full.root).expect("the root is there");
        remove(&mut trie, key("1")).expect("the path is there")
    };
    assert_eq!(guessed(Siblings::All), None);
    let hash = guessed(Siblings::None).expect("the witness lacks the sibling");
    assert!(full.nodes.values().any(|rlp| keccak256(rlp) == hash));
}

#[test]
fn a_missing_sibling_that_is_an_extension_gives_a_wrong_root() {
    let keys = ["1", "2aa0", "2aa1"];
    let leaves = keys.into_iter().map(|nibbles| (key(nibbles), long(1))).collect();
    let (root, truth) = remove_one(&leaves, key("1"), Siblings::None);
    assert_ne!(root, truth);
    let (root, truth) = remove_one(&leaves, key("1"), Siblings::All);
    assert_eq!(root, truth);
}

#[test]
fn a_branch_that_gains_a_key_before_it_loses_one_needs_no_sibling() {
    let leaves = Leaves::from([(key("1"), long(1)), (key("2"), long(2))]);
    let full = FullTrie::new(&leaves);
    let nodes = full.witness(&[key("1")], &[], Siblings::None);
    let mut trie = PartialTrie::open(&nodes, full.root).unwrap();
    insert(&mut trie, key("3"), long(3)).unwrap();
    remove(&mut trie, key("1")).unwrap();
    let after = Leaves::from([(key("2"), long(2)), (key("3"), long(3))]);
    assert_eq!(trie.root(), FullTrie::new(&after).root);
}

#[test]
fn an_error_on_a_path_names_the_missing_node() {
    let leaves: Leaves =
        ["10", "11", "2"].into_iter().map(|nibbles| (key(nibbles), long(1))).collect();
    let full = FullTrie::new(&leaves);
    let nodes = full.witness(&[key("2")], &[], Siblings::None);
    let mut trie = PartialTrie::open(&nodes, full.root).unwrap();

    let error = insert(&mut trie, key("11"), long(2)).unwrap_err();
    let NodeError::Missing { hash, path } = error else { panic!("{error}") };
    assert_eq!(path.to_vec(), [1]);
    assert_eq!(hash, keccak256(&full.nodes[&path]));
    assert_eq!(error.to_string(), format!("trie node {hash} at path 0x1 is missing"));
    assert_eq!(remove(&mut trie, key("11")), Err(error.clone()));
    assert_eq!(find(&nodes, &full.root, &key("11")).map(drop), Err(error));
}

#[test]
fn removing_an_absent_key_changes_nothing() {
    let keys = ["aa10", "aa11", "aa2"];
    let leaves: Leaves = keys.into_iter().map(|nibbles| (key(nibbles), long(1))).collect();
    let full = FullTrie::new(&leaves);
    let nodes = full.store();
    let mut trie = PartialTrie::open(&nodes, full.root).unwrap();
    for absent in ["", "ab", "aa3", "aa12", "aa101"] {
        remove(&mut trie, key(absent)).unwrap();
        assert_eq!(trie.root(), full.root, "{absent}");
    }
}

#[test]
fn the_empty_trie_needs_no_node() {
    let nodes = store([]);
    let mut trie = PartialTrie::open(&nodes, EMPTY_ROOT_HASH).unwrap();
    assert!(find(&nodes, &EMPTY_ROOT_HASH, &key("1")).unwrap().is_none());
    remove(&mut trie, key("1")).unwrap();
    assert_eq!(trie.root(), EMPTY_ROOT_HASH);
    insert(&mut trie, key("1"), vec![1]).unwrap();
    assert_eq!(trie.root(), FullTrie::new(&Leaves::from([(key("1"), vec![1])])).root);
}

#[test]
fn embedded_branches_survive_every_change() {
    let at = |last: u8| {
        let mut key = B256::repeat_byte(0x33);
        key[31] = last;
        key
    };
    let leaves: Leaves = [0x00, 0x01, 0x10, 0x11].map(|last| (at(last), vec![last + 1])).into();
    let full = FullTrie::new(&leaves);
    assert!(full.nodes.values().any(|rlp| rlp.len() < 32 && rlp.len() > 17), "no embedded branch");

    let nodes = store([full.nodes.first_key_value().unwrap().1.clone(), branch_at(&full, 62)]);
    for gone in leaves.keys() {
        let mut trie = PartialTrie::open(&nodes, full.root).unwrap();
        remove(&mut trie, *gone).unwrap();
        let mut left = leaves.clone();
        left.remove(gone);
        assert_eq!(trie.root(), FullTrie::new(&left).root, "without {gone}");
    }
}

fn branch_at(full: &FullTrie, depth: usize) -> Bytes {
    let (_, rlp) = full.nodes.iter().find(|(at, _)| at.len() == depth).expect("a node there");
    rlp.clone()
}

//! Differences between lists are found and named, and a node's list is compared with the header.

use super::{own::GivenList, *};
use alloy_eips::eip7928::{BalanceChange, NonceChange, SlotChanges, StorageChange};
use alloy_primitives::keccak256;

const ALICE: Address = Address::repeat_byte(1);
const BOB: Address = Address::repeat_byte(2);

const fn at(index: u64) -> BlockAccessIndex {
    BlockAccessIndex::new(index)
}

fn slot(key: u64, changes: &[(u64, u64)]) -> SlotChanges {
    let change = |(index, value): &(u64, u64)| StorageChange::new(at(*index), U256::from(*value));
    SlotChanges::new(U256::from(key), changes.iter().map(change).collect())
}

/// A list of two accounts, with changes of every kind.
fn list() -> Vec<AccountChanges> {
    let alice = AccountChanges {
        storage_changes: vec![slot(1, &[(1, 10), (3, 30)]), slot(2, &[(2, 20)])],
        storage_reads: vec![U256::from(5)],
        balance_changes: vec![BalanceChange::new(at(1), U256::from(100))],
        nonce_changes: vec![NonceChange::new(at(1), 1)],
        ..AccountChanges::new(ALICE)
    };
    vec![alice, AccountChanges::new(BOB)]
}

fn named(change: impl FnOnce(&mut Vec<AccountChanges>)) -> String {
    let mut listed = list();
    change(&mut listed);
    let difference = difference::first_difference(&listed, &list()).expect("the lists differ");
    difference.to_string()
}

#[test]
fn equal_lists_do_not_differ() {
    assert_eq!(difference::first_difference(&list(), &list()), None);
}

#[test]
fn an_account_of_one_list_is_named() {
    let missing = named(|list| list.truncate(1));
    assert_eq!(missing, format!("account {BOB} is not in the list, and the block accesses it"));
    let more = Address::repeat_byte(3);
    let added = named(|list| list.push(AccountChanges::new(more)));
    assert_eq!(added, format!("account {more} is in the list, and the block does not access it"));
}

#[test]
fn a_slot_of_one_list_is_named() {
    let missing = named(|list| list[0].storage_reads.clear());
    assert_eq!(
        missing,
        format!("slot 0x5 of account {ALICE} is not in the list, and the block accesses it")
    );
    let added = named(|list| list[1].storage_reads.push(U256::from(9)));
    assert_eq!(
        added,
        format!("slot 0x9 of account {BOB} is in the list, and the block does not access it")
    );
}

#[test]
fn a_change_is_named_with_index_and_both_values() {
    let value = named(|list| list[0].storage_changes[0].changes[1].new_value = U256::from(31));
    assert_eq!(
        value,
        format!(
            "at index 3, slot 0x1 of account {ALICE} is 0x1f in the list and 0x1e by execution"
        )
    );
    let balance = named(|list| list[0].balance_changes[0].post_balance = U256::from(99));
    assert_eq!(
        balance,
        format!(
            "at index 1, the balance of account {ALICE} is 99 in the list and 100 by execution"
        )
    );
    let moved = named(|list| list[0].nonce_changes[0].block_access_index = at(2));
    assert_eq!(
        moved,
        format!(
            "at index 1, the nonce of account {ALICE} is unchanged in the list and 1 by execution"
        )
    );
}

/// Checks the list against a header with this hash, on an execution that gives [`list`].
fn checked(given: &[u8], stated: B256) -> Result<Option<OwnList>, WrongList> {
    let executed = list();
    let hash = compute_block_access_list_hash(&executed);
    GivenList::new(given, 3).check(stated, (&executed, hash))
}

#[test]
fn a_list_with_the_headers_hash_is_the_blocks_own() {
    let rlp = alloy_rlp::encode(list());
    let own = checked(&rlp, keccak256(&rlp)).expect("it is the block's").expect("it is own");
    assert_eq!((own.difference, own.list.list.accounts.len()), (None, 2));
}

#[test]
fn a_list_with_another_hash_is_an_error_of_the_node() {
    let stated = compute_block_access_list_hash(&list());
    let mut other = list();
    other[0].balance_changes[0].post_balance = U256::ZERO;
    let error = checked(&alloy_rlp::encode(&other), stated).expect_err("it is another list");
    assert!(error.to_string().contains("the balance of account"), "{error}");
    let error = checked(b"no list", stated).expect_err("it does not decode");
    assert!(matches!(*error.difference, ListDifference::Malformed(MalformedList::Rlp(_))));
}

#[test]
fn a_false_list_with_the_headers_hash_differs_from_the_execution() {
    let mut other = list();
    other.pop();
    let rlp = alloy_rlp::encode(&other);
    let own = checked(&rlp, keccak256(&rlp)).expect("it is the block's").expect("it is own");
    let expected = ListDifference::Account { address: BOB, is_listed: false };
    assert_eq!(own.difference, Some(expected));
}

#[test]
fn a_malformed_list_with_the_headers_hash_is_named() {
    let mut unordered = list();
    unordered.reverse();
    let mut trailing = alloy_rlp::encode(list());
    trailing.push(0);
    let mut late = list();
    late[0].nonce_changes[0].block_access_index = at(5);
    for rlp in [alloy_rlp::encode(&unordered), trailing, alloy_rlp::encode(&late), vec![0xc1]] {
        let own = checked(&rlp, keccak256(&rlp)).expect("it is the block's").expect("it is own");
        assert!(matches!(own.difference, Some(ListDifference::Malformed(_))), "{own:?}");
    }
}

#[test]
fn a_header_that_neither_list_has_the_hash_of_is_wrong_itself() {
    let mut other = list();
    other.pop();
    assert!(checked(&alloy_rlp::encode(&other), B256::ZERO).expect("no error").is_none());
    assert!(checked(&alloy_rlp::encode(list()), B256::ZERO).expect("no error").is_none());
}

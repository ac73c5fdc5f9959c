//! Tests of the dependencies that follow from accesses.

use super::*;
use crate::insight::model::Ordered;

const SENDERS: [AccountNumber; 4] = [0, 1, 2, 3];
const BENEFICIARY: AccountNumber = 9;
const BALANCE: Location = Location::Balance(5);
const SLOT: Location = Location::Slot(6, 0);

/// A transaction that pays a fee, with further reads and writes.
fn tx(sender: usize, reads: &[(Location, Dependency)], writes: &[(Location, Write)]) -> TxAccess {
    let sender = SENDERS[sender];
    let own =
        [(Location::Code(sender), Dependency::Exact), (Location::Nonce(sender), Dependency::Known)];
    let fee = (Location::Balance(BENEFICIARY), add(1));
    let nonce = (Location::Nonce(sender), set(1));
    let mut access = TxAccess {
        reads: [&own[..], reads].concat(),
        writes: [&[fee, nonce][..], writes].concat(),
        gas: 50_000,
    };
    access.reads.sort_unstable_by_key(|(location, _)| *location);
    access.writes.sort_unstable_by_key(|(location, _)| *location);
    access
}

fn set(value: u64) -> Write {
    Write::Set(U256::from(value))
}

fn add(value: u64) -> Write {
    Write::Add(U256::from(value))
}

fn read(location: Location) -> (Location, Dependency) {
    (location, Dependency::Exact)
}

fn at_least(minimum: u64, before: u64) -> (Location, Dependency) {
    (BALANCE, Dependency::AtLeast { minimum: U256::from(minimum), before: U256::from(before) })
}

/// The dependencies of each transaction.
fn depends(accesses: &[TxAccess], model: Model) -> Vec<Vec<TxIndex>> {
    let graph = Graph::new(accesses, model, Some(BENEFICIARY));
    (0..graph.len()).map(|tx| graph.before(tx).collect()).collect()
}

fn fields(accesses: &[TxAccess]) -> Vec<Vec<TxIndex>> {
    depends(accesses, Model::Fields)
}

#[test]
fn a_reader_depends_on_the_last_transaction_that_set_the_value() {
    let block =
        [tx(0, &[], &[(SLOT, set(1))]), tx(1, &[], &[(SLOT, set(2))]), tx(2, &[read(SLOT)], &[])];
    assert_eq!(fields(&block), [vec![], vec![], vec![1]]);
}

#[test]
fn a_balance_read_depends_on_the_last_set_and_all_additions_since() {
    let added = || tx(1, &[], &[(BALANCE, add(1))]);
    let block =
        [added(), tx(0, &[], &[(BALANCE, set(1))]), added(), added(), tx(2, &[read(BALANCE)], &[])];
    assert_eq!(fields(&block)[4], [1, 2, 3]);
}

#[test]
fn additions_and_known_nonces_have_no_dependencies() {
    let block: Vec<_> = (0..3).map(|_| tx(0, &[], &[(BALANCE, add(1))])).collect();
    assert_eq!(fields(&block), vec![Vec::<TxIndex>::new(); 3]);
}

#[test]
fn a_sufficient_balance_before_the_block_has_no_dependencies() {
    let paid = tx(0, &[], &[(BALANCE, add(7))]);
    assert!(fields(&[paid, tx(1, &[at_least(10, 10)], &[])])[1].is_empty());
}

#[test]
fn an_insufficient_balance_depends_on_the_largest_payments_that_make_it_sufficient() {
    let pay = |amount| tx(0, &[], &[(BALANCE, add(amount))]);
    let spend = tx(1, &[], &[(BALANCE, Write::Add(U256::ZERO.wrapping_sub(U256::ONE)))]);
    let block = [pay(1), pay(5), spend, pay(4), tx(2, &[at_least(10, 1)], &[])];
    assert_eq!(fields(&block)[4], [1, 3]);
}

#[test]
fn a_slot_depends_on_a_later_deletion_of_its_storage() {
    let emptied = || tx(1, &[], &[(Location::Storage(6), set(1))]);
    let written = || tx(0, &[], &[(SLOT, set(1))]);
    let reader = || tx(2, &[read(SLOT)], &[]);
    assert_eq!(fields(&[written(), emptied(), reader()])[2], [1]);
    assert_eq!(fields(&[emptied(), written(), reader()])[2], [1]);
    let both = tx(0, &[], &[(Location::Storage(6), set(1)), (SLOT, set(2))]);
    assert_eq!(fields(&[both, reader()])[1], [0]);
}

#[test]
fn each_refinement_can_be_disabled() {
    let block = [
        tx(0, &[read(Location::Code(5))], &[(BALANCE, add(1))]),
        tx(0, &[], &[]),
        tx(1, &[read(Location::Code(5))], &[(BALANCE, add(1))]),
    ];
    let but = |ordered| depends(&block, Model::FieldsBut(ordered));
    assert_eq!(but(Ordered::Nonces), [vec![], vec![0], vec![]]);
    assert_eq!(but(Ordered::Fees), [vec![], vec![0], vec![1]]);
    assert_eq!(but(Ordered::Balances), [vec![], vec![], vec![0]]);
}

#[test]
fn whole_accounts_conflict_by_any_field_and_by_an_undeferred_fee() {
    let block = [tx(0, &[], &[(SLOT, set(1))]), tx(1, &[], &[]), tx(2, &[read(SLOT)], &[])];
    assert_eq!(depends(&block, Model::Accounts), [vec![], vec![0], vec![0, 1]]);
    assert_eq!(depends(&block, Model::AccountsDeferred), [vec![], vec![], vec![0]]);
}

#[test]
fn deferred_plain_transfers_to_one_account_do_not_conflict() {
    let transfer = |sender| {
        let to = [read(Location::Code(5)), read(Location::Nonce(5))];
        TxAccess { gas: 21_000, ..tx(sender, &to, &[(BALANCE, add(1))]) }
    };
    let reader = tx(2, &[read(Location::Code(5)), read(BALANCE)], &[]);
    let block = [transfer(0), transfer(1), transfer(0), reader];
    let deferred = depends(&block, Model::AccountsDeferred);
    assert_eq!(deferred, [vec![], vec![], vec![0], vec![0, 1, 2]]);
}

#[test]
fn the_longest_chain_is_counted_in_transactions() {
    let graph = Graph::of(&[&[], &[0], &[], &[2], &[1, 3]]);
    assert_eq!(graph.longest_chain(), 3);
    assert_eq!((graph.independent(), graph.pairs()), (2, 4));
    assert_eq!(Graph::of(&[]).longest_chain(), 0);
}

#[test]
fn a_transaction_waits_where_it_reads() {
    let graph = Graph::of(&[&[], &[], &[0, 1]]);
    let share = |_, dependency: &Edge| if dependency.on == 0 { 0.75 } else { 0.25 };
    let tasks = graph.tasks(&[5, 6, 8], share);
    assert_eq!(tasks[2].waits, [Wait { at: 2, on: 1 }, Wait { at: 6, on: 0 }]);
    assert_eq!((tasks[0].weight, tasks[0].waits.len()), (5, 0));
}

//! Compares recorded accesses with alloy-evm's executor on the built-in sample.

use super::*;
use crate::{
    block::prepare,
    cache::sample,
    evm::run_block,
    execution::{Executor as _, location::Write},
    executors::Sequential,
    state::{AccountFields, BlockState, PostState},
    threads::WorkerPool,
};
use alloy_primitives::U256;
use std::{collections::BTreeMap, num::NonZeroUsize};

fn jobs() -> impl Iterator<Item = ReplayJob> {
    let blocks = sample().expect("the built-in sample is valid");
    blocks.into_iter().take(6).map(|block| prepare(block, |_| ()).expect("the witness is valid"))
}

/// Changes of the block, up to its last transaction.
fn changes_by_transactions(job: &ReplayJob) -> PostState {
    let mut changes = PostState::default();
    let between = |_, state: &BlockState<_>| -> Result<(), ExecuteError> {
        changes = state.post_state()?;
        Ok(())
    };
    let state = BlockState::new(&job.pre_state);
    run_block(&job.context(), &job.transactions, state, between).expect("the block is valid");
    changes
}

/// Values at all locations after the recorded writes.
fn left_by(accesses: &Accesses, job: &ReplayJob) -> BTreeMap<Location, U256> {
    let before = |location| match location {
        Location::Balance(number) => {
            let account = &job.indexed_state.accounts()[number as usize];
            account.info.as_ref().map_or(U256::ZERO, |info| info.balance)
        }
        _ => U256::ZERO,
    };
    let mut left = BTreeMap::new();
    let transactions = accesses.transactions.iter().flat_map(|access| &access.writes);
    for (location, write) in accesses.before_all.iter().chain(transactions) {
        let value = left.entry(*location).or_insert_with(|| before(*location));
        *value = match write {
            Write::Set(value) => *value,
            Write::Add(added) => value.wrapping_add(*added),
        };
    }
    left
}

#[test]
fn recorded_writes_in_block_order_give_the_baseline_post_state() {
    for job in jobs() {
        let accesses = record_accesses(&job).expect("the block is valid");
        let left = left_by(&accesses, &job);
        for (address, change) in changes_by_transactions(&job).accounts {
            let account = job.indexed_state.account(address).expect("the account is known");
            let after = change.account.unwrap_or(AccountFields::ABSENT);
            let base = account.info.as_ref();
            let expected_balance = base.map_or(U256::ZERO, |info| info.balance);
            let balance = left.get(&Location::Balance(account.number));
            assert_eq!(*balance.unwrap_or(&expected_balance), after.balance, "{address}");
            let expected_nonce = base.map_or(0, |info| info.nonce);
            let nonce = left.get(&Location::Nonce(account.number));
            assert_eq!(nonce.map_or(expected_nonce, |nonce| nonce.to()), after.nonce, "{address}");
            for (slot, value) in change.slots {
                let location = match account.slot(slot).expect("the slot is known") {
                    Some(listed) => Location::Slot(account.number, listed.number),
                    None => Location::OtherSlot(account.number, slot),
                };
                assert_eq!(left.get(&location), Some(&value), "{address} {slot}");
            }
        }
    }
}

#[test]
fn recorded_gas_equals_gas_of_the_receipts() {
    let pool = WorkerPool::new(NonZeroUsize::MIN).expect("the threads start");
    for job in jobs() {
        let accesses = record_accesses(&job).expect("the block is valid");
        let outcome = Sequential.execute(&job, &pool).expect("the block is valid").outcome;
        let mut cumulative = 0;
        for (access, receipt) in accesses.transactions.iter().zip(&outcome.receipts) {
            cumulative += access.gas;
            assert_eq!(cumulative, receipt.cumulative_gas_used);
        }
    }
}

#[test]
fn sender_nonce_is_known_and_sender_balance_is_a_dependency() {
    for job in jobs() {
        let accesses = record_accesses(&job).expect("the block is valid");
        for (access, transaction) in accesses.transactions.iter().zip(&job.transactions) {
            let sender =
                job.indexed_state.account(transaction.signer()).expect("the account is known");
            let need = |location| {
                access.reads.iter().find(|(at, _)| *at == location).map(|(_, need)| *need)
            };
            assert_eq!(need(Location::Nonce(sender.number)), Some(Dependency::Known));
            let balance = need(Location::Balance(sender.number)).expect("the sender pays");
            assert!(matches!(balance, Dependency::AtLeast { .. } | Dependency::Exact));
        }
        let repeats = |access: &TxAccess| access.reads.windows(2).any(|two| two[0].0 >= two[1].0);
        assert!(!accesses.transactions.iter().any(repeats), "each location occurs once");
    }
}

#[test]
fn a_location_keeps_its_strictest_need() {
    let (location, other) = (Location::Balance(1), Location::Nonce(1));
    let enough = Expected::AtLeast { before: U256::from(9), minimum: U256::from(5) };
    let known = Expected::Known { before: U256::ZERO, value: U256::ONE };
    let mut reads = ReadSet::default();
    reads.push(other, known);
    reads.push(location, enough);
    reads.push(location, Expected::Exact(Default::default()));
    assert_eq!(dependencies(&reads), [(location, Dependency::Exact), (other, Dependency::Known)]);
}

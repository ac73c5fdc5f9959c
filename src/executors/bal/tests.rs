//! Executes the built-in sample by wrong lists. Each of them must be rejected.

use super::*;
use crate::{
    block::{DerivedList, prepare},
    cache::sample,
    execution::Executor as _,
    executors::Sequential,
};
use alloy_primitives::U256;
use revm::state::bal::{BalWrites, BlockAccessIndex};

fn jobs() -> impl Iterator<Item = ReplayJob> {
    let blocks = sample().expect("the built-in sample is valid");
    let jobs =
        blocks.into_iter().map(|block| prepare(block, |_| ()).expect("the witness is valid"));
    jobs.take(2).inspect(|job| assert!(!job.transactions.is_empty()))
}

fn pool() -> WorkerPool {
    WorkerPool::new(NonZeroUsize::MIN.saturating_add(1)).expect("the threads start")
}

/// Number of entries that are changed, each in its own execution.
const FEW: usize = 5;

/// Executes by a changed list.
fn execute(
    job: &ReplayJob,
    change: impl FnOnce(&mut DerivedList),
) -> Result<BlockOutcome, ExecuteError> {
    let mut derived = derive_access_list(job).expect("the block is valid");
    change(&mut derived);
    let bal = Bal::by(job, &derived, NonZeroUsize::MIN);
    bal.execute(job, &pool()).map(|execution| execution.outcome)
}

#[test]
fn the_blocks_own_list_gives_the_outcome_of_block_order() {
    for job in jobs() {
        let expected = Sequential.execute(&job, &pool()).expect("the block is valid").outcome;
        assert_eq!(execute(&job, |_| ()).expect("the list is correct"), expected);
    }
}

#[test]
fn a_list_that_lacks_an_account_is_rejected() {
    for job in jobs() {
        let accounts = derive_access_list(&job).expect("the block is valid").list.accounts;
        for address in accounts.keys().take(FEW) {
            let without = |derived: &mut DerivedList| {
                derived.list.accounts.shift_remove(address);
            };
            assert!(execute(&job, without).is_err(), "{address}");
        }
    }
}

#[test]
fn a_list_with_a_wrong_balance_is_rejected() {
    for job in jobs() {
        let accounts = derive_access_list(&job).expect("the block is valid").list.accounts;
        for (address, account) in accounts.iter().take(FEW) {
            for change in (0..account.account_info.balance.writes.len()).take(FEW) {
                let richer = |derived: &mut DerivedList| {
                    let account = &mut derived.list.accounts[address];
                    account.account_info.balance.writes[change].1 += U256::ONE;
                };
                assert!(execute(&job, richer).is_err(), "{address}, change {change}");
            }
        }
    }
}

#[test]
fn a_list_with_a_missing_or_wrong_slot_write_is_rejected() {
    for job in jobs() {
        let accounts = derive_access_list(&job).expect("the block is valid").list.accounts;
        let written = accounts.iter().flat_map(|(address, account)| {
            let slots = account.storage.storage.iter().filter(|(_, all)| !all.is_empty());
            slots.map(move |(slot, _)| (address, slot))
        });
        for (address, slot) in written.take(2 * FEW) {
            let writes_of = |change: fn(&mut BalWrites<U256>)| {
                move |derived: &mut DerivedList| {
                    let account = &mut derived.list.accounts[address];
                    account.storage.storage.entry(*slot).and_modify(change);
                }
            };
            let altered = writes_of(|writes| writes.writes[0].1 += U256::ONE);
            assert!(execute(&job, altered).is_err(), "{address} {slot}");
            let lacking = writes_of(|writes| writes.writes.clear());
            assert!(execute(&job, lacking).is_err(), "{address} {slot}");
        }
    }
}

/// Whether the error is of the list and its message has these words.
fn names(error: &ExecuteError, words: &str) -> bool {
    matches!(error, ExecuteError::AccessList(list) if list.to_string().contains(words))
}

#[test]
fn a_list_with_an_unused_account_or_change_is_rejected() {
    let unused_account = Address::repeat_byte(0xee);
    for job in jobs() {
        let unused = |derived: &mut DerivedList| {
            derived.list.accounts.entry(unused_account).or_default();
        };
        let error = execute(&job, unused).expect_err("the account is not accessed");
        assert!(names(&error, "is in the list, and the block does not access it"), "{error:?}");
        let unchanged = |derived: &mut DerivedList| {
            let nonce =
                &mut derived.list.accounts.entry(unused_account).or_default().account_info.nonce;
            nonce.writes.push((BlockAccessIndex::new(1), 7));
        };
        let error = execute(&job, unchanged).expect_err("the change is not made");
        let named = format!("the nonce of account {unused_account} is 7 in the list");
        assert!(names(&error, &named), "{error:?}");
    }
}

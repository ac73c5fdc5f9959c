//! Compares two outcomes of the same block with each other.

use crate::{
    execution::BlockOutcome,
    state::{AccountChange, PostState},
};
use alloy_primitives::Address;
use std::fmt;

/// The first difference between two outcomes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Difference {
    /// A receipt differs, or only one side has it.
    Receipt {
        /// Position in the block, from 0.
        index: usize,
    },
    /// Gas used, blob gas used or requests.
    Totals,
    /// An account differs.
    Account {
        /// Address of the account.
        address: Address,
        /// Change in the first outcome, if any.
        expected: Option<Box<AccountChange>>,
        /// Change in the second outcome, if any.
        actual: Option<Box<AccountChange>>,
    },
}

impl fmt::Display for Difference {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Receipt { index } => write!(f, "the receipt of transaction {index} differs"),
            Self::Totals => f.write_str("gas used, blob gas used or requests differ"),
            Self::Account { address, expected, actual } => {
                let words = |change: &Option<Box<AccountChange>>| {
                    change.as_ref().map_or_else(|| "no change".to_owned(), ToString::to_string)
                };
                let [actual, expected] = [actual, expected].map(words);
                write!(f, "the change of account {address} is: {actual}; expected: {expected}")
            }
        }
    }
}

/// The first difference between two outcomes; `None` if they are equal. Receipts come before totals, and totals
/// before accounts.
pub fn first_difference(expected: &BlockOutcome, actual: &BlockOutcome) -> Option<Difference> {
    first_receipt(expected, actual)
        .or_else(|| totals(expected, actual))
        .or_else(|| first_account(&expected.post_state, &actual.post_state))
}

fn first_receipt(expected: &BlockOutcome, actual: &BlockOutcome) -> Option<Difference> {
    let longest = expected.receipts.len().max(actual.receipts.len());
    let differs = |index: &usize| expected.receipts.get(*index) != actual.receipts.get(*index);
    (0..longest).find(differs).map(|index| Difference::Receipt { index })
}

fn totals(expected: &BlockOutcome, actual: &BlockOutcome) -> Option<Difference> {
    let same = expected.gas_used == actual.gas_used
        && expected.blob_gas_used == actual.blob_gas_used
        && expected.requests == actual.requests;
    (!same).then_some(Difference::Totals)
}

fn first_account(expected: &PostState, actual: &PostState) -> Option<Difference> {
    let find = |post: &PostState, address: Address| {
        let found = post.accounts.binary_search_by_key(&address, |(at, _)| *at).ok();
        found.map(|index| Box::new(post.accounts[index].1.clone()))
    };
    let addresses = expected.accounts.iter().chain(&actual.accounts).map(|(address, _)| *address);
    let differing = addresses.filter(|at| find(expected, *at) != find(actual, *at)).min()?;
    Some(Difference::Account {
        address: differing,
        expected: find(expected, differing),
        actual: find(actual, differing),
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::evm::Receipt;
    use alloy_consensus::TxType;

    fn outcome(accounts: &[(u8, bool)]) -> BlockOutcome {
        let change = |cleared| AccountChange { storage_cleared: cleared, ..Default::default() };
        let accounts = accounts
            .iter()
            .map(|(byte, cleared)| (Address::repeat_byte(*byte), change(*cleared)))
            .collect();
        BlockOutcome {
            receipts: vec![],
            gas_used: 0,
            blob_gas_used: 0,
            requests: Default::default(),
            post_state: PostState { accounts },
        }
    }

    #[test]
    fn equal_outcomes_do_not_differ() {
        assert_eq!(first_difference(&outcome(&[(1, true)]), &outcome(&[(1, true)])), None);
    }

    #[test]
    fn the_lowest_differing_account_is_named() {
        let (left, right) = (outcome(&[(2, true), (3, true)]), outcome(&[(1, false), (3, true)]));
        let Some(Difference::Account { address, expected, actual }) =
            first_difference(&left, &right)
        else {
            panic!("accounts 1 and 2 differ");
        };
        assert_eq!(address, Address::repeat_byte(1));
        let said = first_difference(&left, &right).map(|difference| difference.to_string());
        let expected_words =
            format!("the change of account {address} is: removed; expected: no change");
        assert_eq!(said, Some(expected_words));
        assert_eq!((expected.is_some(), actual.is_some()), (false, true));
    }

    #[test]
    fn totals_come_before_accounts() {
        let mut other = outcome(&[(1, false)]);
        other.gas_used = 21_000;
        assert_eq!(first_difference(&outcome(&[]), &other), Some(Difference::Totals));
    }

    #[test]
    fn the_first_differing_or_missing_receipt_is_named() {
        let receipts = |gas: &[u64]| {
            let receipt = |&cumulative_gas_used: &u64| Receipt {
                tx_type: TxType::Legacy,
                success: true,
                cumulative_gas_used,
                logs: vec![],
            };
            BlockOutcome { receipts: gas.iter().map(receipt).collect(), ..outcome(&[]) }
        };
        let cases: [(&[u64], usize); 2] = [(&[1, 7, 8], 1), (&[1, 2], 2)];
        for (actual, index) in cases {
            let found = first_difference(&receipts(&[1, 2, 3]), &receipts(actual));
            assert_eq!(found, Some(Difference::Receipt { index }));
        }
    }
}

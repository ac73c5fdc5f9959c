//! Accounts, slots and codes that a block touches, derived from the block's own content.
//!
//! Tracers omit system contracts, withdrawals, rewards, and accounts that do not exist before the
//! block. Most of these follow from the header and the transactions.

use std::collections::{BTreeMap, BTreeSet};

use alloy_consensus::{Header, Transaction, TxEnvelope, transaction::SignerRecoverable};
use alloy_eips::{
    eip2935::{HISTORY_SERVE_WINDOW, HISTORY_STORAGE_ADDRESS},
    eip4788::{BEACON_ROOTS_ADDRESS, SYSTEM_ADDRESS},
    eip4895::Withdrawal,
    eip7002::{MAX_WITHDRAWAL_REQUESTS_PER_BLOCK, WITHDRAWAL_REQUEST_PREDEPLOY_ADDRESS},
    eip7251::{CONSOLIDATION_REQUEST_PREDEPLOY_ADDRESS, MAX_CONSOLIDATION_REQUESTS_PER_BLOCK},
};
use alloy_primitives::{Address, B256, Bytes, U256, keccak256, map::B256Map};

/// Length of the ring buffer of beacon roots (EIP-4788). The buffer of parent hashes has the same
/// length.
const BEACON_ROOTS: u64 = 8191;

/// A contract that queues requests to the consensus layer (EIP-7002, EIP-7251).
struct Queue {
    contract: Address,
    /// Maximum number of requests that leave the queue in one block.
    most: usize,
    /// Number of slots of one request.
    slots: usize,
}

const QUEUES: [Queue; 2] = [
    Queue {
        contract: WITHDRAWAL_REQUEST_PREDEPLOY_ADDRESS,
        most: MAX_WITHDRAWAL_REQUESTS_PER_BLOCK,
        slots: 3,
    },
    Queue {
        contract: CONSOLIDATION_REQUEST_PREDEPLOY_ADDRESS,
        most: MAX_CONSOLIDATION_REQUESTS_PER_BLOCK,
        slots: 4,
    },
];

/// Slots at the start of a queue's contract: excess, count, head, tail. The requests follow.
const QUEUE_SLOTS: usize = 4;
const QUEUE_HEAD: U256 = U256::from_limbs([2, 0, 0, 0]);
const QUEUE_TAIL: U256 = U256::from_limbs([3, 0, 0, 0]);

/// Accounts with slots, and codes by their hash.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Touched {
    pub(super) accounts: BTreeMap<Address, BTreeSet<U256>>,
    pub(super) codes: B256Map<Bytes>,
}

impl Touched {
    /// One account with some of its slots.
    pub(super) fn account(address: Address, slots: impl IntoIterator<Item = U256>) -> Self {
        let mut touched = Self::default();
        touched.touch(address, slots);
        touched
    }

    /// Adds an account and some of its slots.
    pub(super) fn touch(&mut self, address: Address, slots: impl IntoIterator<Item = U256>) {
        self.accounts.entry(address).or_default().extend(slots);
    }

    pub(super) fn add_code(&mut self, code: Bytes) {
        self.codes.insert(keccak256(&code), code);
    }

    /// Adds all of `other`.
    pub(super) fn add(&mut self, other: Self) {
        for (address, slots) in other.accounts {
            self.touch(address, slots);
        }
        self.codes.extend(other.codes);
    }

    /// Removes everything that `known` has.
    pub(super) fn remove(&mut self, known: &Self) {
        self.accounts.retain(|address, slots| match known.accounts.get(address) {
            None => true,
            Some(known) => {
                slots.retain(|slot| !known.contains(slot));
                !slots.is_empty()
            }
        });
    }

    /// Accounts and slots that the rules of the block's fork touch: rewards, withdrawals and system
    /// calls.
    pub(super) fn by_rule(header: &Header, ommers: &[Header], withdrawals: &[Withdrawal]) -> Self {
        let mut touched = Self::account(header.beneficiary, []);
        for paid in ommers.iter().map(|ommer| ommer.beneficiary) {
            touched.touch(paid, []);
        }
        for paid in withdrawals.iter().map(|withdrawal| withdrawal.address) {
            touched.touch(paid, []);
        }
        if header.parent_beacon_block_root.is_some() {
            let slot = header.timestamp % BEACON_ROOTS;
            let slots = [slot, slot + BEACON_ROOTS].map(U256::from);
            touched.touch(BEACON_ROOTS_ADDRESS, slots);
            touched.touch(SYSTEM_ADDRESS, []);
        }
        if header.requests_hash.is_some() {
            let slot = header.number.saturating_sub(1) % HISTORY_SERVE_WINDOW as u64;
            touched.touch(HISTORY_STORAGE_ADDRESS, [U256::from(slot)]);
            for queue in &QUEUES {
                touched.touch(queue.contract, (0..QUEUE_SLOTS).map(U256::from));
            }
        }
        touched
    }

    /// Senders, recipients, created contracts and delegates. Access lists omit senders. The others may not exist yet.
    /// Tracers omit such accounts, and their absence needs a proof.
    pub(super) fn by_transactions(transactions: &[TxEnvelope]) -> Self {
        let mut touched = Self::default();
        for transaction in transactions {
            // A block with an invalid signature is rejected elsewhere.
            let sender = transaction.recover_signer_unchecked().ok();
            let created = || sender.map(|sender| sender.create(transaction.nonce()));
            let called = transaction.to().or_else(created);
            let delegates = transaction.authorization_list().unwrap_or_default();
            let delegates = delegates.iter().map(|one| one.address);
            for address in sender.into_iter().chain(called).chain(delegates) {
                touched.touch(address, []);
            }
        }
        touched
    }

    /// The requests that leave the queues in this block. They follow from the heads and tails
    /// before it.
    pub(super) fn by_queues(value: impl Fn(Address, U256) -> Option<U256>) -> Self {
        let mut touched = Self::default();
        for Queue { contract, most, slots } in QUEUES {
            let Some((head, tail)) = value(contract, QUEUE_HEAD).zip(value(contract, QUEUE_TAIL))
            else {
                continue;
            };
            let count = tail.saturating_sub(head).saturating_to::<usize>().min(most);
            let first = head.wrapping_mul(U256::from(slots)).wrapping_add(U256::from(QUEUE_SLOTS));
            if count > 0 {
                let slots = (0..count * slots).map(|n| first.wrapping_add(U256::from(n)));
                touched.touch(contract, slots);
            }
        }
        touched
    }

    /// The account that the code delegates to (EIP-7702). `None` if the code is not a delegation.
    pub(super) fn delegate(code: &Bytes) -> Option<Address> {
        let address = code.strip_prefix(&[0xef, 0x01, 0x00])?;
        Address::try_from(address).ok()
    }

    /// Accounts of `hashes` with unknown code. Each code hash is listed once.
    pub(super) fn without_code(&self, hashes: &BTreeMap<Address, B256>) -> Vec<Address> {
        let mut unknown = BTreeMap::new();
        for (address, hash) in hashes.iter().filter(|(_, hash)| !self.codes.contains_key(*hash)) {
            unknown.entry(*hash).or_insert(*address);
        }
        unknown.into_values().collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn slots(touched: &Touched, address: Address) -> Vec<u64> {
        let slots = touched.accounts.get(&address).into_iter().flatten();
        slots.map(U256::saturating_to).collect()
    }

    #[test]
    fn system_contracts_are_touched_from_their_forks_on() {
        let old = Touched::by_rule(&Header::default(), &[], &[]);
        assert_eq!(old, Touched::account(Address::ZERO, []));

        let header = Header {
            number: 8193,
            timestamp: 8191 * 5 + 7,
            parent_beacon_block_root: Some(B256::ZERO),
            requests_hash: Some(B256::ZERO),
            ..Header::default()
        };
        let touched = Touched::by_rule(&header, &[], &[]);
        assert_eq!(slots(&touched, BEACON_ROOTS_ADDRESS), [7, 8198]);
        assert_eq!(slots(&touched, HISTORY_STORAGE_ADDRESS), [1]);
        assert_eq!(slots(&touched, WITHDRAWAL_REQUEST_PREDEPLOY_ADDRESS), [0, 1, 2, 3]);
        assert_eq!(slots(&touched, CONSOLIDATION_REQUEST_PREDEPLOY_ADDRESS), [0, 1, 2, 3]);
    }

    #[test]
    fn paid_accounts_are_touched() {
        let paid = |byte| Header { beneficiary: Address::repeat_byte(byte), ..Header::default() };
        let withdrawal = Withdrawal { address: Address::repeat_byte(3), ..Withdrawal::default() };
        let touched = Touched::by_rule(&paid(1), &[paid(2)], &[withdrawal]);
        let expected: Vec<_> = [1, 2, 3].map(Address::repeat_byte).into();
        assert_eq!(touched.accounts.into_keys().collect::<Vec<_>>(), expected);
    }

    #[test]
    fn queued_requests_follow_from_head_and_tail() {
        let queue = |head: u64, tail: u64| {
            Touched::by_queues(move |_, slot| {
                Some(U256::from(if slot == QUEUE_HEAD { head } else { tail }))
            })
        };
        assert_eq!(queue(5, 5), Touched::default());
        let two = queue(1, 3);
        assert_eq!(slots(&two, WITHDRAWAL_REQUEST_PREDEPLOY_ADDRESS), [7, 8, 9, 10, 11, 12]);
        let many = queue(0, u64::MAX);
        assert_eq!(slots(&many, WITHDRAWAL_REQUEST_PREDEPLOY_ADDRESS).len(), 16 * 3);
        assert_eq!(slots(&many, CONSOLIDATION_REQUEST_PREDEPLOY_ADDRESS).len(), 2 * 4);
    }

    #[test]
    fn removing_the_known_leaves_only_the_new() {
        let (known, new) = (Address::repeat_byte(1), Address::repeat_byte(2));
        let mut touched = Touched::account(known, [1, 2].map(U256::from));
        touched.touch(new, []);
        touched.remove(&Touched::account(known, [U256::from(1)]));
        let mut expected = Touched::account(known, [U256::from(2)]);
        expected.touch(new, []);
        assert_eq!(touched, expected);
        touched.remove(&expected);
        assert_eq!(touched, Touched::default());
    }

    #[test]
    fn a_delegation_is_exactly_its_prefix_and_an_address() {
        let delegate = Address::repeat_byte(7);
        let code = |tail: &[u8]| Bytes::from([&[0xef, 0x01, 0x00], tail].concat());
        assert_eq!(Touched::delegate(&code(delegate.as_slice())), Some(delegate));
        assert_eq!(Touched::delegate(&code(&[7; 19])), None);
        assert_eq!(Touched::delegate(&Bytes::new()), None);
    }
}

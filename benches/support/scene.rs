//! A synthetic state and a block on top of it.

use alloy_consensus::{Header, SignableTransaction, TxEip1559, TxEnvelope, transaction::Recovered};
use alloy_hardforks::{EthereumHardfork, ForkCondition};
use alloy_primitives::{Address, B256, Bytes, Signature, TxKind, U256, keccak256, map::HashMap};
use blockrace::{
    block::{FoundedAccount, FullState, OpenBlock, ReplayJob},
    evm::Chain,
};
use std::collections::BTreeMap;

/// A call, with its gas limit.
#[derive(Clone, Debug)]
pub(crate) struct Call {
    pub(crate) to: Address,
    /// Amount in wei.
    pub(crate) value: u64,
    pub(crate) input: Bytes,
    pub(crate) gas_limit: u64,
}

/// Accounts before a block, and the block's transactions.
#[derive(Debug, Default)]
pub(crate) struct Scene {
    accounts: BTreeMap<Address, FoundedAccount>,
    /// Slots are separate from accounts, as each may be set more than once.
    slots: BTreeMap<(Address, U256), U256>,
    sent: HashMap<Address, u64>,
    transactions: Vec<Recovered<TxEnvelope>>,
}

/// An address for a role and a number.
pub(crate) fn address(role: &str, number: usize) -> Address {
    Address::from_word(keccak256(format!("{role} {number}")))
}

impl Scene {
    /// Adds an account with ether.
    pub(crate) fn fund(&mut self, address: Address) {
        let ether = U256::from(10).pow(U256::from(18));
        let account = || FoundedAccount { balance: ether, ..Default::default() };
        self.accounts.entry(address).or_insert_with(account);
    }

    /// Adds a contract.
    pub(crate) fn deploy(&mut self, address: Address, code: Bytes) {
        let account = || FoundedAccount { nonce: 1, code, ..Default::default() };
        self.accounts.entry(address).or_insert_with(account);
    }

    /// Sets a contract's slot before the block.
    pub(crate) fn set(&mut self, address: Address, slot: U256, value: U256) {
        self.slots.insert((address, slot), value);
    }

    /// Adds a transaction to the block. Its signature is a placeholder, because the sender is
    /// given.
    pub(crate) fn send(&mut self, from: Address, Call { to, value, input, gas_limit }: Call) {
        let nonce = self.sent.entry(from).or_default();
        let transaction = TxEip1559 {
            chain_id: 1,
            nonce: *nonce,
            gas_limit,
            max_fee_per_gas: 10,
            max_priority_fee_per_gas: 1,
            to: TxKind::Call(to),
            value: U256::from(value),
            input,
            ..Default::default()
        };
        *nonce += 1;
        let signed = transaction.into_signed(Signature::test_signature());
        self.transactions.push(Recovered::new_unchecked(signed.into(), from));
    }

    /// The block, ready to execute under the rules of `fork`, with this gas limit.
    pub(crate) fn job_of(mut self, fork: EthereumHardfork, gas_limit: u64) -> ReplayJob {
        for ((address, slot), value) in self.slots {
            let account = self.accounts.get_mut(&address).expect("slots belong to contracts");
            account.slots.push((slot, value));
        }
        let mut ledger = FullState::default();
        let root = ledger.found(self.accounts).expect("a new state is complete");
        let header = header(fork, gas_limit);
        let block = OpenBlock::unchecked(chain(fork), header, self.transactions, Some(Vec::new()));
        let rehearsal = ledger.rehearse(block, root, HashMap::default()).expect("it is complete");
        rehearsal.result.expect("the block is valid");
        rehearsal.job
    }
}

fn chain(newest: EthereumHardfork) -> Chain {
    let forks = EthereumHardfork::VARIANTS.iter().copied();
    let forks = forks.filter(|fork| *fork <= newest && *fork != EthereumHardfork::Dao);
    let condition = |fork| match fork > EthereumHardfork::Paris {
        true => ForkCondition::ZERO_TIMESTAMP,
        false => ForkCondition::ZERO_BLOCK,
    };
    Chain::of_forks(1, forks.map(|fork| (fork, condition(fork))))
}

fn header(fork: EthereumHardfork, gas_limit: u64) -> Header {
    let is_amsterdam = fork >= EthereumHardfork::Amsterdam;
    Header {
        number: 20_000_000,
        timestamp: 1_720_000_000,
        gas_limit,
        beneficiary: address("beneficiary", 0),
        base_fee_per_gas: Some(7),
        blob_gas_used: Some(0),
        excess_blob_gas: Some(0),
        parent_beacon_block_root: Some(B256::ZERO),
        requests_hash: (fork >= EthereumHardfork::Prague).then_some(B256::ZERO),
        block_access_list_hash: is_amsterdam.then_some(B256::ZERO),
        slot_number: is_amsterdam.then_some(1),
        ..Default::default()
    }
}

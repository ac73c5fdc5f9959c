//! Creations of contracts at addresses that have storage but neither nonce nor code. No chain has such an account, but
//! Ethereum's tests do.

use crate::support::world::agree::{chain, panel};
use alloy_consensus::{Header, SignableTransaction, TxEnvelope, TxLegacy, transaction::Recovered};
use alloy_hardforks::{EthereumHardfork, ForkCondition};
use alloy_primitives::{Address, Bytes, Signature, TxKind, U256, bytes, map::HashMap};
use blockrace::{
    block::{FoundedAccount, FullState, OpenBlock, Rehearsal},
    evm::Chain,
};

const SENDER: Address = Address::repeat_byte(0x5e);

/// Transactions that create contracts with these init codes, each at an account with storage alone.
fn rehearse(codes: &[Bytes], fork: EthereumHardfork) -> Rehearsal {
    let mut state = FullState::default();
    let rich = FoundedAccount { balance: U256::from(u64::MAX), ..Default::default() };
    let with_storage = FoundedAccount {
        balance: U256::ONE,
        slots: vec![(U256::ZERO, U256::from(7)), (U256::from(1), U256::from(8))],
        ..Default::default()
    };
    let created = (0..codes.len() as u64).map(|nonce| (SENDER.create(nonce), with_storage.clone()));
    let accounts = std::iter::once((SENDER, rich)).chain(created);
    let root = state.found(accounts).expect("a state makes a trie");
    let transaction = |(nonce, code): (usize, &Bytes)| {
        let (nonce, input, to) = (nonce as u64, code.clone(), TxKind::Create);
        let signed = TxLegacy { nonce, gas_limit: 200_000, to, input, ..Default::default() };
        let signed = signed.into_signed(Signature::test_signature());
        Recovered::new_unchecked(TxEnvelope::Legacy(signed), SENDER)
    };
    let transactions = codes.iter().enumerate().map(transaction).collect();
    let known = EthereumHardfork::VARIANTS.iter().filter(|known| **known <= fork);
    let forks = known.filter(|fork| **fork != EthereumHardfork::Dao);
    let rules = Chain::of_forks(1, forks.map(|fork| (*fork, ForkCondition::Block(0))));
    let header = Header { number: 1, timestamp: 1, gas_limit: 30_000_000, ..Default::default() };
    let block = OpenBlock::unchecked(rules, header, transactions, None);
    state.rehearse(block, root, HashMap::default()).expect("the state is complete")
}

/// The init codes read or write a slot and then revert, stop, or run out of gas.
#[test]
fn executors_agree_on_creations_over_storage() {
    let codes = [
        bytes!("6000545060006000fd"),
        bytes!("600160005560006000fd"),
        bytes!("60015450fe"),
        bytes!("6000545000"),
        bytes!("600060015500"),
    ];
    let mut panel = panel();
    for fork in [EthereumHardfork::Byzantium, EthereumHardfork::Berlin] {
        for code in &codes {
            let rehearsal = rehearse(std::slice::from_ref(code), fork);
            assert!(rehearsal.result.is_ok(), "{:?}", rehearsal.result);
            panel.examine(rehearsal).unwrap_or_else(|error| panic!("{code}: {}", chain(&error)));
        }
        let rehearsal = rehearse(&codes, fork);
        panel.examine(rehearsal).unwrap_or_else(|error| panic!("all: {}", chain(&error)));
    }
}

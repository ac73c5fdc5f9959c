//! The contracts that queue requests to the consensus layer, and calls that do so.

use super::Fork;
use alloy_eips::{
    eip7002::{WITHDRAWAL_REQUEST_PREDEPLOY_ADDRESS, WITHDRAWAL_REQUEST_PREDEPLOY_CODE},
    eip7251::{CONSOLIDATION_REQUEST_PREDEPLOY_ADDRESS, CONSOLIDATION_REQUEST_PREDEPLOY_CODE},
    eip8282::{
        BUILDER_DEPOSIT_CONTRACT_ADDRESS, BUILDER_DEPOSIT_CONTRACT_CODE,
        BUILDER_EXIT_CONTRACT_ADDRESS, BUILDER_EXIT_CONTRACT_CODE,
    },
};
use alloy_primitives::{Address, Bytes, U256};
use blockrace::block::FoundedAccount;

/// Number of contracts.
pub(crate) const QUEUES: u8 = 4;

/// Number of the contract of builder deposits (EIP-8282).
const DEPOSITS: u8 = 2;

/// Lowest deposit of a builder, in gwei, and where a request has it.
const DEPOSIT: u64 = 1_000_000_000;
const DEPOSIT_AT: usize = 80;

/// The address of a contract.
pub(super) const fn address(number: u8) -> Address {
    match number % QUEUES {
        0 => WITHDRAWAL_REQUEST_PREDEPLOY_ADDRESS,
        1 => CONSOLIDATION_REQUEST_PREDEPLOY_ADDRESS,
        DEPOSITS => BUILDER_DEPOSIT_CONTRACT_ADDRESS,
        _ => BUILDER_EXIT_CONTRACT_ADDRESS,
    }
}

/// The contracts that a fork has, with their real codes.
pub(super) fn contracts(fork: Fork) -> impl Iterator<Item = (Address, FoundedAccount)> {
    let all = [
        (Fork::Prague, &WITHDRAWAL_REQUEST_PREDEPLOY_CODE),
        (Fork::Prague, &CONSOLIDATION_REQUEST_PREDEPLOY_CODE),
        (Fork::Amsterdam, &BUILDER_DEPOSIT_CONTRACT_CODE),
        (Fork::Amsterdam, &BUILDER_EXIT_CONTRACT_CODE),
    ];
    let account =
        |code: &Bytes| FoundedAccount { nonce: 1, code: code.clone(), ..Default::default() };
    let numbered = (0..QUEUES).zip(all);
    numbered
        .filter(move |(_, (since, _))| fork >= *since)
        .map(move |(number, (_, code))| (address(number), account(code)))
}

/// Value and input of a call that queues a request, if `fee` is enough.
pub(super) fn request(number: u8, fee: u16) -> (U256, Bytes) {
    let length = [56, 96, 184, 48][usize::from(number % QUEUES)];
    let mut input = vec![0x5a; length];
    let fee = U256::from(fee);
    if number % QUEUES != DEPOSITS {
        return (fee, input.into());
    }
    input[DEPOSIT_AT..DEPOSIT_AT + 8].copy_from_slice(&DEPOSIT.to_be_bytes());
    (fee + U256::from(DEPOSIT) * U256::from(1_000_000_000_u64), input.into())
}

//! Blocks for the tests of this module.

use alloy_consensus::{
    Block, BlockBody, Header, SignableTransaction, TxEip1559, TxEip2930, TxEip4844, TxEip7702,
    TxEnvelope, TxLegacy,
};
use alloy_eips::{
    eip2930::{AccessList, AccessListItem},
    eip4895::{Withdrawal, Withdrawals},
    eip7702::{Authorization, SignedAuthorization},
};
use alloy_primitives::{Address, B256, Bytes, Signature, TxKind, U256};

use crate::block::{
    Assumed, BlockId, FlatAccount, FlatFields, FlatState, RecordedBlock, RecordedState, Witness,
};

/// A block from before Shanghai, without transactions and with an empty witness.
pub(super) fn empty_block(number: u64) -> RecordedBlock {
    let header = Header { number, ..Header::default() };
    let block = Block::new(header, BlockBody::default());
    RecordedBlock::new(1, block, RecordedState::Witness(Witness::default()))
}

/// A block with a transaction of every type, an ommer, a withdrawal, an access list and rules.
/// Every list of the witness has an item.
pub(super) fn full_block(number: u64) -> RecordedBlock {
    let header = Header {
        number,
        base_fee_per_gas: Some(7),
        withdrawals_root: Some(B256::repeat_byte(1)),
        blob_gas_used: Some(131_072),
        excess_blob_gas: Some(0),
        parent_beacon_block_root: Some(B256::repeat_byte(2)),
        requests_hash: Some(B256::repeat_byte(3)),
        ..Header::default()
    };
    let body = BlockBody {
        transactions: transactions(),
        ommers: vec![Header { extra_data: Bytes::from_static(b"ommer"), ..Header::default() }],
        withdrawals: Some(withdrawals()),
    };
    let state = RecordedState::Witness(witness());
    RecordedBlock {
        access_list: Bytes::from_static(&[0xc1, 0xc0]),
        rules: Bytes::from_static(b"rules"),
        ..RecordedBlock::new(1, Block::new(header, body), state)
    }
}

/// The same block with a flat pre-state that has an item in every list.
pub(super) fn flat_block(number: u64) -> RecordedBlock {
    RecordedBlock { state: RecordedState::Flat(flat()), ..full_block(number) }
}

fn flat() -> FlatState {
    let address = Address::repeat_byte;
    let fields = FlatFields { nonce: 1, balance: U256::MAX, code_hash: B256::repeat_byte(6) };
    let slots = vec![(U256::ZERO, U256::from(5)), (U256::MAX, U256::ZERO)];
    FlatState {
        accounts: vec![
            FlatAccount { address: address(1), fields: None, slots: vec![] },
            FlatAccount { address: address(2), fields: Some(fields), slots },
        ],
        codes: vec![Bytes::from_static(&[0x60]), Bytes::from_static(&[0x60, 0x00])],
        headers: vec![Bytes::from(vec![0xf9; 300])],
        assumed: Assumed {
            absent: vec![address(3), address(4)],
            empty: vec![address(5)],
            zero: vec![(address(2), U256::from(1)), (address(2), U256::from(2))],
            unknown_hash: vec![7, 9],
            ommers: vec![B256::repeat_byte(9), B256::repeat_byte(8)],
        },
    }
}

/// Like `block`, but with another hash.
pub(super) fn reorged(block: &RecordedBlock) -> RecordedBlock {
    let mut other = block.clone();
    other.block.header.extra_data = Bytes::from_static(b"the other side");
    other
}

/// The id of a block that no cache has.
pub(super) fn unknown_id(number: u64) -> BlockId {
    BlockId { chain_id: 1, number, hash: B256::repeat_byte(0xee) }
}

fn witness() -> Witness {
    Witness {
        nodes: vec![Bytes::from(vec![0xc0; 60]), Bytes::new(), Bytes::from_static(&[5])],
        codes: vec![Bytes::from_static(&[0x60, 0x00])],
        headers: vec![Bytes::from(vec![0xf9; 300])],
        keys: vec![Bytes::from(vec![9; 20]), Bytes::from(vec![8; 52])],
    }
}

fn withdrawals() -> Withdrawals {
    let address = Address::repeat_byte(4);
    Withdrawals::new(vec![Withdrawal { index: 1, validator_index: 2, address, amount: 3 }])
}

fn transactions() -> Vec<TxEnvelope> {
    let to = Address::repeat_byte(5);
    let input = Bytes::from_static(b"input");
    vec![
        signed(TxLegacy { chain_id: None, to: TxKind::Create, ..TxLegacy::default() }),
        signed(TxLegacy { chain_id: Some(1), to: TxKind::Call(to), ..TxLegacy::default() }),
        signed(TxEip2930 { chain_id: 1, access_list: access_list(), ..TxEip2930::default() }),
        signed(TxEip1559 { value: U256::MAX, input, ..TxEip1559::default() }),
        signed(TxEip4844 {
            blob_versioned_hashes: vec![B256::repeat_byte(1)],
            ..TxEip4844::default()
        }),
        signed(TxEip7702 { authorization_list: vec![authorization()], ..TxEip7702::default() }),
    ]
}

fn access_list() -> AccessList {
    let item = AccessListItem { address: Address::ZERO, storage_keys: vec![B256::ZERO] };
    AccessList(vec![item])
}

fn authorization() -> SignedAuthorization {
    let inner = Authorization { chain_id: U256::ONE, address: Address::ZERO, nonce: 1 };
    SignedAuthorization::new_unchecked(inner, 1, U256::from(2), U256::from(3))
}

fn signed<T>(transaction: T) -> TxEnvelope
where
    T: SignableTransaction<Signature>,
    TxEnvelope: From<alloy_consensus::Signed<T>>,
{
    transaction.into_signed(Signature::test_signature()).into()
}

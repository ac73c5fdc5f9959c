//! Surveys of blocks with payments from generated senders.

use super::*;
use crate::block::prepare;
use alloy_consensus::{
    SignableTransaction, TxEnvelope, TxLegacy, proofs, transaction::SignerRecoverable,
};
use alloy_primitives::{Signature, TxKind};

/// An account that does not exist before the block.
const NEWCOMER: Address = Address::repeat_byte(0xaa);
/// The block's beneficiary, which has a balance.
const MINER: Address = Address::repeat_byte(0xbb);

/// After Spurious Dragon and before Byzantium: no system calls, no withdrawals.
const NUMBER: u64 = 3_000_000;

/// A transaction that sends `value` to the newcomer, and the sender recovered from its signature.
fn payment(value: u64) -> (TxEnvelope, Address) {
    let transaction = TxLegacy {
        gas_limit: 21_000,
        to: TxKind::Call(NEWCOMER),
        value: U256::from(value),
        ..TxLegacy::default()
    };
    let signed: TxEnvelope = transaction.into_signed(Signature::test_signature()).into();
    let sender = signed.recover_signer().expect("the signature is one");
    (signed, sender)
}

fn rich(since: usize) -> TracedAccount {
    let fields = AccountFields { balance: U256::from(1_000_000), ..Default::default() };
    TracedAccount { since, fields, slots: Default::default() }
}

/// A block of two payments, with the reply of a tracer that omits empty accounts.
fn traced(number: u64) -> (TracedBlock, [Address; 2]) {
    let (payments, senders): (Vec<_>, Vec<_>) = [5, 6].map(payment).into_iter().unzip();
    let header = Header {
        number,
        beneficiary: MINER,
        gas_limit: 100_000,
        gas_used: 42_000,
        transactions_root: proofs::calculate_transaction_root(&payments),
        ..Header::default()
    };
    let mut newcomer = rich(1);
    newcomer.fields.balance = U256::from(5);
    let accounts =
        [(senders[0], rich(0)), (senders[1], rich(1)), (NEWCOMER, newcomer), (MINER, rich(0))];
    let state = TracedState { accounts: accounts.into_iter().collect() };
    let body = BlockBody { transactions: payments, ommers: vec![], withdrawals: None };
    let block = Block::new(header, body);
    let (unknown_ommers, rules, access_list) = (vec![], Bytes::new(), Bytes::new());
    let traced = TracedBlock { chain_id: 1, block, unknown_ommers, rules, state, access_list };
    (traced, [senders[0], senders[1]])
}

fn gaps(survey: &TraceCompletion) -> Vec<MissingState> {
    match survey.run().expect("the block is valid") {
        Surveyed::Gaps(gaps) => gaps,
        Surveyed::Whole(_) => vec![],
    }
}

fn whole(survey: &TraceCompletion) -> RecordedBlock {
    match survey.run().expect("the block is valid") {
        Surveyed::Whole(recorded) => *recorded,
        Surveyed::Gaps(gaps) => panic!("{gaps:?}"),
    }
}

fn assumed(recorded: &RecordedBlock) -> &Assumed {
    match &recorded.state {
        RecordedState::Flat(flat) => &flat.assumed,
        RecordedState::Witness(_) => panic!("a survey gives a flat state"),
    }
}

#[test]
fn traced_values_seen_after_a_write_of_the_block_are_ignored() {
    let mut survey = TraceCompletion::new(traced(NUMBER).0).unwrap();
    assert_eq!(gaps(&survey), [MissingState::Account(NEWCOMER)]);
    survey.fill_account(NEWCOMER, Some(AccountFields::default()));
    let recorded = whole(&survey);
    assert!(assumed(&recorded).is_nothing());

    let job = prepare(recorded, |_| ()).unwrap();
    assert_eq!(job.pre_state.accounts[&NEWCOMER].info, None);
    assert!(job.pre_state.accounts[&NEWCOMER].rest_is_zero);
    assert_eq!(job.pre_state.accounts.len(), 4);
}

#[test]
fn values_that_no_node_returns_are_assumed_and_listed() {
    let mut survey = TraceCompletion::new(traced(NUMBER).0).unwrap();
    survey.fill_account(NEWCOMER, None);
    let recorded = whole(&survey);
    let expected = Assumed { absent: vec![NEWCOMER], ..Default::default() };
    assert_eq!(*assumed(&recorded), expected);
    assert!(prepare(recorded, |_| ()).is_ok());
}

#[test]
fn a_survey_of_an_invalid_block_is_an_error() {
    let (mut traced, [poor, _]) = traced(NUMBER);
    traced.state.accounts.get_mut(&poor).expect("it is traced").fields.balance = U256::ZERO;
    let mut survey = TraceCompletion::new(traced).unwrap();
    survey.fill_account(NEWCOMER, None);
    assert!(matches!(survey.run(), Err(PrepareError::Execution(_))));
}

#[test]
fn before_eip161_a_listed_empty_account_has_two_readings() {
    let mut block = traced(2_600_000).0;
    block.state.accounts.insert(
        NEWCOMER,
        TracedAccount { since: 0, fields: AccountFields::default(), slots: Default::default() },
    );
    let mut survey = TraceCompletion::new(block.clone()).unwrap();
    let exists = Assumed { empty: vec![NEWCOMER], ..Default::default() };
    assert_eq!(*assumed(&whole(&survey)), exists);
    assert!(survey.read_otherwise());
    let absent = Assumed { absent: vec![NEWCOMER], ..Default::default() };
    assert_eq!(*assumed(&whole(&survey)), absent);
    assert!(!survey.read_otherwise());

    block.block.header.number = NUMBER;
    let mut survey = TraceCompletion::new(block).unwrap();
    assert!(assumed(&whole(&survey)).is_nothing());
    assert!(!survey.read_otherwise());
}

#[test]
fn a_traced_value_counts_if_seen_no_later_than_its_first_reader() {
    let (before, second, after) = (Position::Before, Position::Transaction(1), Position::After);
    assert_eq!([0, 1, 2].map(|seen| second.has_slot(seen)), [true, true, false]);
    assert_eq!([0, 1, 2].map(|seen| second.has_account(seen)), [true, true, false]);
    assert_eq!([0, 1].map(|seen| before.has_slot(seen)), [false, false]);
    assert!(before.has_account(1) && after.has_account(1) && after.has_slot(1));
}

#[test]
fn ommers_that_no_node_returns_are_left_out_and_listed() {
    let mut block = traced(NUMBER).0;
    block.block.header.ommers_hash = B256::repeat_byte(1);
    assert!(matches!(TraceCompletion::new(block.clone()), Err(PrepareError::Body(_))));

    block.unknown_ommers = vec![B256::repeat_byte(2)];
    let mut survey = TraceCompletion::new(block).unwrap();
    survey.fill_account(NEWCOMER, None);
    let mut recorded = whole(&survey);
    assert_eq!(assumed(&recorded).ommers, [B256::repeat_byte(2)]);
    assert!(prepare(recorded.clone(), |_| ()).is_ok());

    recorded.block.body.ommers.push(Header::default());
    assert!(matches!(prepare(recorded, |_| ()), Err(PrepareError::Body(_))));
}

#[test]
fn malformed_code_names_its_account() {
    let (mut block, [sender, _]) = traced(NUMBER);
    let account = block.state.accounts.get_mut(&sender).expect("it is traced");
    // The prefix of a delegation (EIP-7702) without its target address.
    account.fields.code = Bytes::from_static(&[0xef, 0x01, 0x00, 0x01]);
    let mut survey = TraceCompletion::new(block).unwrap();
    survey.fill_account(NEWCOMER, None);
    let Err(PrepareError::Traced(error)) = survey.run() else { panic!("the code is malformed") };
    assert!(error.to_string().contains(&sender.to_string()), "{error}");
}

//! Surveys of blocks that pay from made-up senders.

use super::*;
use crate::block::prepare;
use alloy_consensus::{
    SignableTransaction, TxEnvelope, TxLegacy, proofs, transaction::SignerRecoverable,
};
use alloy_primitives::{Signature, TxKind};

/// Who has nothing before the block.
const NEWCOMER: Address = Address::repeat_byte(0xaa);
/// The block's beneficiary, who has something.
const MINER: Address = Address::repeat_byte(0xbb);

/// After Spurious Dragon and before Byzantium: no system calls, no withdrawals.
const NUMBER: u64 = 3_000_000;

/// A transaction that sends `value` to the newcomer, with the sender that its signature gives.
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

/// A block of two payments, and its tracer's reply from a node that leaves out what is empty.
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
    (TracedBlock { chain_id: 1, block, unknown_ommers: vec![], state }, [senders[0], senders[1]])
}

fn gaps(survey: &Survey) -> Vec<Gap> {
    match survey.run().expect("the block is valid") {
        Surveyed::Gaps(gaps) => gaps,
        Surveyed::Whole(_) => vec![],
    }
}

fn whole(survey: &Survey) -> RecordedBlock {
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
fn what_the_tracer_saw_after_the_block_wrote_it_does_not_count() {
    let mut survey = Survey::new(traced(NUMBER).0).unwrap();
    assert_eq!(gaps(&survey), [Gap::Account(NEWCOMER)]);
    survey.fill_account(NEWCOMER, Some(AccountFields::default()));
    let recorded = whole(&survey);
    assert!(assumed(&recorded).is_nothing());

    let job = prepare(recorded, |_| ()).unwrap();
    assert_eq!(job.pre_state.accounts[&NEWCOMER].info, None);
    assert!(job.pre_state.accounts[&NEWCOMER].rest_is_zero);
    assert_eq!(job.pre_state.accounts.len(), 4);
}

#[test]
fn what_nobody_can_tell_is_assumed_and_named() {
    let mut survey = Survey::new(traced(NUMBER).0).unwrap();
    survey.fill_account(NEWCOMER, None);
    let recorded = whole(&survey);
    let expected = Assumed { absent: vec![NEWCOMER], ..Default::default() };
    assert_eq!(*assumed(&recorded), expected);
    assert!(prepare(recorded, |_| ()).is_ok());
}

#[test]
fn a_survey_does_not_pass_over_a_block_that_is_invalid() {
    let (mut traced, [poor, _]) = traced(NUMBER);
    traced.state.accounts.get_mut(&poor).expect("it is traced").fields.balance = U256::ZERO;
    let mut survey = Survey::new(traced).unwrap();
    survey.fill_account(NEWCOMER, None);
    assert!(matches!(survey.run(), Err(PrepareError::Execution(_))));
}

#[test]
fn before_eip161_an_account_that_is_listed_with_nothing_can_be_read_in_two_ways() {
    let mut block = traced(2_600_000).0;
    block.state.accounts.insert(
        NEWCOMER,
        TracedAccount { since: 0, fields: AccountFields::default(), slots: Default::default() },
    );
    let mut survey = Survey::new(block.clone()).unwrap();
    let exists = Assumed { empty: vec![NEWCOMER], ..Default::default() };
    assert_eq!(*assumed(&whole(&survey)), exists);
    assert!(survey.read_otherwise());
    let absent = Assumed { absent: vec![NEWCOMER], ..Default::default() };
    assert_eq!(*assumed(&whole(&survey)), absent);
    assert!(!survey.read_otherwise());

    block.block.header.number = NUMBER;
    let mut survey = Survey::new(block).unwrap();
    assert!(assumed(&whole(&survey)).is_nothing());
    assert!(!survey.read_otherwise());
}

#[test]
fn positions_tell_what_counts() {
    let (before, second, after) = (Position::Before, Position::Transaction(1), Position::After);
    assert_eq!([0, 1, 2].map(|seen| second.has_slot(seen)), [true, true, false]);
    assert_eq!([0, 1, 2].map(|seen| second.has_account(seen)), [true, true, false]);
    assert_eq!([0, 1].map(|seen| before.has_slot(seen)), [false, false]);
    assert!(before.has_account(1) && after.has_account(1) && after.has_slot(1));
}

#[test]
fn ommers_that_nobody_had_are_left_out_and_named() {
    let mut block = traced(NUMBER).0;
    block.block.header.ommers_hash = B256::repeat_byte(1);
    assert!(matches!(Survey::new(block.clone()), Err(PrepareError::Body(_))));

    block.unknown_ommers = vec![B256::repeat_byte(2)];
    let mut survey = Survey::new(block).unwrap();
    survey.fill_account(NEWCOMER, None);
    let mut recorded = whole(&survey);
    assert_eq!(assumed(&recorded).ommers, [B256::repeat_byte(2)]);
    assert!(prepare(recorded.clone(), |_| ()).is_ok());

    recorded.block.body.ommers.push(Header::default());
    assert!(matches!(prepare(recorded, |_| ()), Err(PrepareError::Body(_))));
}

#[test]
fn a_code_that_is_none_is_named() {
    let (mut block, [sender, _]) = traced(NUMBER);
    let account = block.state.accounts.get_mut(&sender).expect("it is traced");
    // The start of a delegation (EIP-7702), and nothing that it could be to.
    account.fields.code = Bytes::from_static(&[0xef, 0x01, 0x00, 0x01]);
    let mut survey = Survey::new(block).unwrap();
    survey.fill_account(NEWCOMER, None);
    let Err(PrepareError::Traced(error)) = survey.run() else { panic!("the code is malformed") };
    assert!(error.to_string().contains(&sender.to_string()), "{error}");
}

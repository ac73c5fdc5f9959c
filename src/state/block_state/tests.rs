use super::*;
use crate::state::{PreAccount, PreState, StateError};
use revm::state::{AccountStatus, EvmStorageSlot, TransactionId};

const ALICE: Address = Address::repeat_byte(0xa1);
const BOB: Address = Address::repeat_byte(0xb0);

fn info(balance: u64) -> AccountInfo {
    AccountInfo::from_balance(U256::from(balance))
}

fn before(balance: u64, slots: &[(u64, u64)]) -> PreAccount {
    let slots = slots.iter().map(|(slot, value)| (U256::from(*slot), U256::from(*value))).collect();
    PreAccount { info: Some(info(balance)), slots, rest_is_zero: false }
}

fn world() -> PreState {
    let mut state = PreState::default();
    state.accounts.insert(ALICE, before(10, &[(1, 5), (2, 6)]));
    state.accounts.insert(BOB, PreAccount { rest_is_zero: true, ..Default::default() });
    state
}

fn after(balance: u64, status: AccountStatus, slots: &[(u64, u64, u64)]) -> Account {
    let mut account = Account::from(info(balance));
    account.status = status | AccountStatus::Touched;
    for (slot, old, new) in slots {
        let changed =
            EvmStorageSlot::new_changed(U256::from(*old), U256::from(*new), TransactionId::ZERO);
        account.storage.insert(U256::from(*slot), changed);
    }
    account
}

fn committed<'a>(world: &'a PreState, steps: &[(Address, Account)]) -> BlockState<&'a PreState> {
    let mut state = BlockState::new(world);
    for (address, account) in steps {
        state.commit(AddressMap::from_iter([(*address, account.clone())]));
    }
    state
}

fn only_change(state: &BlockState<&PreState>) -> AccountChange {
    let post = state.post_state().expect("the base knows every account of this test");
    let [(_, change)] = &post.accounts[..] else { panic!("one account changed: {post:?}") };
    change.clone()
}

#[test]
fn a_restored_account_is_no_change() {
    let world = world();
    let touched = after(11, AccountStatus::empty(), &[(1, 5, 7)]);
    let restored = after(10, AccountStatus::empty(), &[(1, 7, 5)]);
    let state = committed(&world, &[(ALICE, touched), (ALICE, restored)]);
    assert_eq!(state.post_state(), Ok(PostState::default()));
}

#[test]
fn a_destroyed_account_loses_its_storage_and_reads_as_zero() {
    let world = world();
    let gone = after(10, AccountStatus::SelfDestructed, &[]);
    let state = committed(&world, &[(ALICE, gone)]);
    assert_eq!(state.basic_ref(ALICE), Ok(None));
    assert_eq!(state.storage_ref(ALICE, U256::ONE), Ok(U256::ZERO));
    let change = only_change(&state);
    assert_eq!(change, AccountChange { account: None, storage_cleared: true, slots: vec![] });
}

#[test]
fn a_re_created_account_starts_from_empty_storage() {
    let world = world();
    let gone = after(10, AccountStatus::SelfDestructed, &[]);
    let back = after(3, AccountStatus::Created, &[(2, 0, 9)]);
    let state = committed(&world, &[(ALICE, gone), (ALICE, back)]);
    assert_eq!(state.storage_ref(ALICE, U256::ONE), Ok(U256::ZERO));
    let change = only_change(&state);
    assert!(change.storage_cleared);
    assert_eq!(change.slots, vec![(U256::from(2), U256::from(9))]);
}

#[test]
fn a_touched_empty_account_is_removed() {
    let world = world();
    let state = committed(&world, &[(ALICE, after(0, AccountStatus::empty(), &[]))]);
    assert_eq!(only_change(&state).account, None);
}

#[test]
fn a_touched_absent_account_is_no_change() {
    let world = world();
    let state = committed(&world, &[(BOB, after(0, AccountStatus::empty(), &[]))]);
    assert_eq!(state.post_state(), Ok(PostState::default()));
}

#[test]
fn reads_fall_through_to_the_base_and_keep_its_errors() {
    let world = world();
    let state = committed(&world, &[(ALICE, after(10, AccountStatus::empty(), &[(1, 5, 7)]))]);
    assert_eq!(state.storage_ref(ALICE, U256::ONE), Ok(U256::from(7)));
    assert_eq!(state.storage_ref(ALICE, U256::from(2)), Ok(U256::from(6)));
    let unknown = StateError::UnknownSlot { address: ALICE, slot: U256::from(3) };
    assert_eq!(state.storage_ref(ALICE, U256::from(3)), Err(unknown));
}

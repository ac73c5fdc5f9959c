//! Accounts and storage: proofs, and the root after a block.

use std::collections::BTreeMap;

use alloy_primitives::{Address, B256, Bytes, U256, keccak256};
use alloy_trie::{
    EMPTY_ROOT_HASH, KECCAK_EMPTY, TrieAccount,
    root::{state_root_unhashed, storage_root_unhashed},
};
use proptest::{collection, prelude::*};
use rayon::ThreadPoolBuilder;

use super::{
    super::{EarlySlot, EarlyStorage, EarlyStorages, NodeError, StateTrie, TrieError},
    FullTrie, Leaves, store,
};
use crate::state::{AccountChange, AccountFields, PostState};

type Slots = BTreeMap<U256, U256>;

#[derive(Clone, Debug)]
struct Account {
    fields: AccountFields,
    /// Slots with values other than zero.
    slots: Slots,
}

type World = BTreeMap<Address, Account>;

/// Effect of a block on one account.
#[derive(Clone, Debug)]
enum Change {
    Keep,
    Delete,
    Update { fields: AccountFields, slots: Slots },
    Recreate { fields: AccountFields, slots: Slots },
}

fn fields(nonce: u64) -> AccountFields {
    AccountFields { nonce, balance: U256::from(nonce) << 70, code_hash: KECCAK_EMPTY }
}

fn any_fields() -> impl Strategy<Value = AccountFields> {
    (any::<u64>(), any::<[u64; 4]>(), any::<[u8; 32]>()).prop_map(|(nonce, balance, code)| {
        AccountFields { nonce, balance: U256::from_limbs(balance), code_hash: B256::from(code) }
    })
}

/// Slots from a small range, so that writes hit existing slots; some values are zero.
fn any_slots() -> impl Strategy<Value = Slots> {
    let value = prop_oneof![Just(U256::ZERO), any::<u64>().prop_map(U256::from), Just(U256::MAX)];
    collection::btree_map((0u8..40).prop_map(U256::from), value, 0..24)
}

fn any_account() -> impl Strategy<Value = Account> {
    (any_fields(), any_slots()).prop_map(|(fields, mut slots)| {
        slots.retain(|_, value| !value.is_zero());
        Account { fields, slots }
    })
}

fn any_change() -> impl Strategy<Value = Change> {
    prop_oneof![
        Just(Change::Keep),
        Just(Change::Delete),
        (any_fields(), any_slots()).prop_map(|(fields, slots)| Change::Update { fields, slots }),
        (any_fields(), any_slots()).prop_map(|(fields, slots)| Change::Recreate { fields, slots }),
    ]
}

type Plan = BTreeMap<Address, (Option<Account>, Change)>;

fn any_plan() -> impl Strategy<Value = Plan> {
    let address = any::<[u8; 20]>().prop_map(Address::from);
    let entry = (prop::option::weighted(0.8, any_account()), any_change());
    collection::btree_map(address, entry, 0..40)
}

fn before(plan: &Plan) -> World {
    plan.iter().filter_map(|(a, (account, _))| Some((*a, account.clone()?))).collect()
}

fn after(plan: &Plan) -> World {
    plan.iter().filter_map(|(a, (old, change))| Some((*a, account_after(old, change)?))).collect()
}

fn account_after(old: &Option<Account>, change: &Change) -> Option<Account> {
    let (fields, base, writes) = match change {
        Change::Keep => return old.clone(),
        Change::Delete => return None,
        Change::Update { fields, slots } => (fields, old.as_ref().map(|a| &a.slots), slots),
        Change::Recreate { fields, slots } => (fields, None, slots),
    };
    let mut slots = base.cloned().unwrap_or_default();
    slots.extend(writes);
    slots.retain(|_, value| !value.is_zero());
    Some(Account { fields: *fields, slots })
}

fn post_state(plan: &Plan) -> PostState {
    let listed = |slots: &Slots| slots.iter().map(|(slot, value)| (*slot, *value)).collect();
    let accounts = plan.iter().filter_map(|(address, (_, change))| {
        let change = match change {
            Change::Keep => return None,
            Change::Delete => {
                AccountChange { account: None, storage_cleared: true, slots: Vec::new() }
            }
            Change::Update { fields, slots } => AccountChange {
                account: Some(*fields),
                storage_cleared: false,
                slots: listed(slots),
            },
            Change::Recreate { fields, slots } => AccountChange {
                account: Some(*fields),
                storage_cleared: true,
                slots: listed(slots),
            },
        };
        Some((*address, change))
    });
    PostState { accounts: accounts.collect() }
}

/// The storage root computed by alloy-trie.
fn storage_root(slots: &Slots) -> B256 {
    storage_root_unhashed(slots.iter().map(|(slot, value)| (B256::from(*slot), *value)))
}

fn trie_account(account: &Account) -> TrieAccount {
    let AccountFields { nonce, balance, code_hash } = account.fields;
    TrieAccount::new(nonce, balance, storage_root(&account.slots), code_hash)
}

/// The state root computed by alloy-trie.
fn state_root(world: &World) -> B256 {
    state_root_unhashed(world.iter().map(|(address, account)| (*address, trie_account(account))))
}

fn storage_trie(slots: &Slots) -> FullTrie {
    let leaf =
        |(slot, value): (&U256, &U256)| (keccak256(B256::from(*slot)), alloy_rlp::encode(value));
    FullTrie::new(&slots.iter().map(leaf).collect())
}

fn account_trie(world: &World) -> FullTrie {
    let leaf = |(address, account): (&Address, &Account)| {
        (keccak256(address), alloy_rlp::encode(trie_account(account)))
    };
    FullTrie::new(&world.iter().map(leaf).collect::<Leaves>())
}

/// Every node of the state, children before parents. Storage nodes occur twice.
fn all_nodes(world: &World) -> Vec<Bytes> {
    let storages = || world.values().flat_map(|a| storage_trie(&a.slots).nodes.into_values());
    let accounts = account_trie(world).nodes.into_values().rev();
    storages().chain(accounts).chain(storages()).collect()
}

/// Storage tries in which some slots have their value after the block or another one.
fn early<'a>(state: &StateTrie<'a>, plan: &Plan, seed: u64) -> EarlyStorages<'a> {
    let storages = plan.iter().filter_map(|(address, (old, change))| {
        let old = old.as_ref()?;
        let after = account_after(&Some(old.clone()), change).map(|account| account.slots);
        let slot = |(slot, before): (&U256, &U256)| {
            let text =
                [address.as_slice(), &seed.to_be_bytes(), &slot.to_be_bytes::<32>()].concat();
            let [choice, other] = [keccak256(&text)[0], keccak256(&text)[1]];
            let now = match choice % 3 {
                0 => None,
                1 => after.as_ref().and_then(|after| after.get(slot)).copied(),
                _ => Some(U256::from(other) + U256::ONE),
            };
            let (slot, before) = (*slot, *before);
            now.map(|now| EarlySlot { slot, key: EarlySlot::key(slot), before, now })
        };
        let mut storage = EarlyStorage::open(state, *address).expect("all nodes are there")?;
        let slots: Vec<_> = old.slots.iter().filter_map(slot).collect();
        for part in slots.chunks(EarlyStorage::MOST_AT_ONCE) {
            storage.write(part).expect("all nodes are there");
        }
        assert_eq!(storage.count(), slots.len());
        Some((*address, storage))
    });
    storages.collect()
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(256))]

    #[test]
    fn slots_that_were_written_early_leave_the_root_of_the_whole_state(
        plan in any_plan(),
        seed in any::<u64>(),
    ) {
        let world = before(&plan);
        let nodes = store(all_nodes(&world));
        let state = StateTrie::new(&nodes, state_root(&world));
        let tries = early(&state, &plan, seed);
        let written: usize = tries.values().map(|storage| storage.count()).sum();
        let updated = state.root_after_early(&post_state(&plan), tries)?;
        prop_assert_eq!(updated.root(), state_root(&after(&plan)));
        prop_assert!(updated.written_again() <= written);
        let kept = store(updated.new_nodes().iter().map(Bytes::copy_from_slice));
        let whole = StateTrie::new(&kept, updated.root());
        for (address, (_, change)) in &plan {
            if !matches!(change, Change::Keep) {
                let expected = after(&plan).get(address).map(trie_account);
                prop_assert_eq!(whole.account(*address)?, expected);
            }
        }
    }

    #[test]
    fn the_root_after_a_block_equals_that_of_the_whole_state(plan in any_plan()) {
        let world = before(&plan);
        let nodes = store(all_nodes(&world));
        let state = StateTrie::new(&nodes, state_root(&world));
        let expected = state_root(&after(&plan));
        for threads in [1, 3] {
            let pool = ThreadPoolBuilder::new().num_threads(threads).build()?;
            let updated = pool.install(|| state.root_after(&post_state(&plan)))?;
            prop_assert_eq!(updated.root(), expected, "with {} threads", threads);
        }
    }

    #[test]
    fn the_needed_nodes_are_enough_and_each_is_needed(plan in any_plan()) {
        let world = before(&plan);
        let (nodes, root, post) = (store(all_nodes(&world)), state_root(&world), post_state(&plan));
        let state = StateTrie::new(&nodes, root);
        let updated = state.root_after(&post)?;
        let reads = post.accounts.iter().map(|(address, change)| {
            let slots = if change.storage_cleared { &[][..] } else { &change.slots[..] };
            (*address, slots.iter().map(|(slot, _)| *slot))
        });
        let needed = state.needed(reads, updated.siblings())?;
        let root_from = |nodes: &[Bytes]| {
            let nodes = store(nodes.iter().cloned());
            StateTrie::new(&nodes, root).root_after(&post).map(|updated| updated.root())
        };
        prop_assert_eq!(root_from(&needed)?, updated.root());
        for left_out in (0..needed.len()).step_by(needed.len() / 8 + 1) {
            let rest = [&needed[..left_out], &needed[left_out + 1..]].concat();
            prop_assert!(root_from(&rest).ok() != Some(updated.root()), "node {} is not needed", left_out);
        }
    }

    #[test]
    fn accounts_and_slots_read_back(plan in any_plan()) {
        let world = before(&plan);
        let nodes = store(all_nodes(&world));
        let state = StateTrie::new(&nodes, state_root(&world));
        for address in plan.keys() {
            let account = state.account(*address)?;
            prop_assert_eq!(account, world.get(address).map(trie_account));
            let Some(account) = account else { continue };
            for slot in (0..40).map(U256::from) {
                let value = state.slot(*address, account.storage_root, slot)?;
                let expected = world[address].slots.get(&slot).copied().unwrap_or_default();
                prop_assert_eq!(value, expected);
            }
        }
    }
}

const ALICE: Address = Address::repeat_byte(0xa1);
const BOB: Address = Address::repeat_byte(0xb0);

fn world() -> World {
    let slots = (1..=9).map(|n| (U256::from(n), U256::from(n * 7))).collect();
    World::from([
        (ALICE, Account { fields: fields(1), slots }),
        (BOB, Account { fields: fields(2), slots: Slots::new() }),
    ])
}

fn only(address: Address, change: AccountChange) -> PostState {
    PostState { accounts: vec![(address, change)] }
}

fn update(nonce: u64, slots: &[(u64, u64)]) -> AccountChange {
    let slots = slots.iter().map(|(slot, value)| (U256::from(*slot), U256::from(*value)));
    AccountChange { account: Some(fields(nonce)), storage_cleared: false, slots: slots.collect() }
}

fn root_after(world: &World, post: &PostState) -> B256 {
    let nodes = store(all_nodes(world));
    StateTrie::new(&nodes, state_root(world)).root_after(post).expect("all is proved").root()
}

#[test]
fn no_change_needs_no_node() {
    let nodes = store([]);
    let root = B256::repeat_byte(1);
    let updated = StateTrie::new(&nodes, root).root_after(&PostState::default()).unwrap();
    assert_eq!(updated.root(), root);
}

#[test]
fn the_first_account_of_an_empty_state_needs_no_node() {
    let nodes = store([]);
    let state = StateTrie::new(&nodes, EMPTY_ROOT_HASH);
    assert_eq!(state.account(ALICE).unwrap(), None);
    let updated = state.root_after(&only(ALICE, update(3, &[(1, 2)]))).unwrap();
    let slots = Slots::from([(U256::from(1), U256::from(2))]);
    let expected = World::from([(ALICE, Account { fields: fields(3), slots })]);
    assert_eq!(updated.root(), state_root(&expected));
}

#[test]
fn an_account_without_written_slots_keeps_its_storage() {
    let mut expected = world();
    expected.get_mut(&ALICE).unwrap().fields = fields(9);
    assert_eq!(root_after(&world(), &only(ALICE, update(9, &[]))), state_root(&expected));
}

#[test]
fn a_deleted_account_leaves_the_trie() {
    let change = AccountChange { account: None, storage_cleared: true, slots: Vec::new() };
    let mut expected = world();
    expected.remove(&ALICE);
    assert_eq!(root_after(&world(), &only(ALICE, change)), state_root(&expected));
}

#[test]
fn cleared_storage_starts_empty() {
    let change = AccountChange { storage_cleared: true, ..update(1, &[(2, 5)]) };
    let mut expected = world();
    expected.get_mut(&ALICE).unwrap().slots = [(U256::from(2), U256::from(5))].into();
    assert_eq!(root_after(&world(), &only(ALICE, change)), state_root(&expected));
}

#[test]
fn storage_with_all_slots_deleted_has_the_empty_root() {
    let deletions: Vec<_> = (1..=9).map(|slot| (slot, 0)).collect();
    let mut expected = world();
    expected.get_mut(&ALICE).unwrap().slots.clear();
    assert_eq!(root_after(&world(), &only(ALICE, update(1, &deletions))), state_root(&expected));
}

#[test]
fn storage_that_gains_a_slot_while_it_loses_one_needs_no_sibling() {
    // Two slots with keys that differ in the first nibble, and a third that differs from both.
    let nibble = |slot: u64| keccak256(B256::from(U256::from(slot)))[0] >> 4;
    let kept = (2..).find(|slot| nibble(*slot) != nibble(1)).unwrap();
    let added = (2..).find(|slot| ![nibble(1), nibble(kept)].contains(&nibble(*slot))).unwrap();
    let word = |slot: u64, value: U256| (U256::from(slot), value);
    let slots = Slots::from([word(1, U256::MAX), word(kept, U256::MAX)]);
    let world = World::from([(ALICE, Account { fields: fields(1), slots: slots.clone() })]);

    // The witness lacks the leaf that is kept, and the branch does not collapse onto it.
    let storage = storage_trie(&slots);
    let gone = keccak256(B256::from(U256::from(1)));
    let partial = storage.witness(&[gone], &[], super::Siblings::None);
    assert_eq!(storage.nodes.len(), 3);
    let proved = storage.nodes.values().filter(|rlp| partial.get(&keccak256(rlp)).is_some());
    let nodes = store(proved.cloned().chain(account_trie(&world).nodes.into_values()));

    let mut writes = vec![(1, 0), (added, 3)];
    writes.sort_unstable();
    let state = StateTrie::new(&nodes, state_root(&world));
    let updated = state.root_after(&only(ALICE, update(1, &writes))).unwrap();

    let slots = Slots::from([word(kept, U256::MAX), word(added, U256::from(3))]);
    let expected = World::from([(ALICE, Account { fields: fields(1), slots })]);
    assert_eq!(updated.root(), state_root(&expected));
}

#[test]
fn a_missing_node_is_an_error_that_names_the_account_or_slot() {
    let world = world();
    let root = state_root(&world);
    let storage = storage_root(&world[&ALICE].slots);
    let missing = |hash| Box::new(NodeError::Missing { hash, path: Default::default() });
    let slot = U256::from(3);
    let no_account = TrieError::Account { address: ALICE, source: missing(root) };
    let no_slot = TrieError::Slot { address: ALICE, slot, source: missing(storage) };

    let nothing = store([]);
    let state = StateTrie::new(&nothing, root);
    assert_eq!(state.account(ALICE), Err(no_account.clone()));
    assert_eq!(state.slot(ALICE, storage, slot), Err(no_slot.clone()));
    let post = only(ALICE, update(1, &[(3, 4)]));
    assert_eq!(state.root_after(&post).map(drop), Err(no_account.clone()));
    let deletion = only(ALICE, AccountChange::default());
    assert_eq!(state.root_after(&deletion).map(drop), Err(no_account));

    let accounts_only = account_trie(&world).store();
    let state = StateTrie::new(&accounts_only, root);
    assert_eq!(state.root_after(&post).map(drop), Err(no_slot));
}

#[test]
fn the_first_unproved_account_is_reported_for_every_number_of_threads() {
    let nothing = store([]);
    let root = B256::repeat_byte(1);
    let accounts = (1..200).map(|n| (Address::with_last_byte(n), update(1, &[]))).collect();
    let post = PostState { accounts };
    for threads in [1, 4] {
        let pool = ThreadPoolBuilder::new().num_threads(threads).build().unwrap();
        let state = StateTrie::new(&nothing, root);
        let error = pool.install(|| state.root_after(&post)).map(drop).unwrap_err();
        assert!(
            matches!(error, TrieError::Account { address, .. } if address == Address::with_last_byte(1))
        );
    }
}

//! Overlay of a block's changes over the state before it.

use super::{AccountChange, AccountFields, PostState, SlotValues};
use alloy_primitives::{
    Address, B256, Bytes, U256,
    map::{AddressMap, U256Map},
};
use revm::{
    Database, DatabaseCommit, DatabaseRef,
    bytecode::Bytecode,
    state::{Account, AccountInfo, EvmStorage},
};

/// The written values of one account.
#[derive(Clone, Debug, Default)]
struct Written {
    /// The account; `None` if it no longer exists.
    info: Option<AccountInfo>,
    /// Whether the account's storage in the base was emptied. Only the slots below exist then.
    cleared: bool,
    slots: U256Map<U256>,
}

/// State within a block, for one executor. Commits stay in the overlay; other reads go to `base`.
///
/// Commits follow EIP-161. For earlier forks, revm already expresses the differences in these terms: its
/// journal marks an empty account that must stay as created, and an account that was merely touched as
/// untouched.
#[derive(Clone, Debug)]
pub struct BlockState<B> {
    base: B,
    written: AddressMap<Written>,
}

impl<B: DatabaseRef> BlockState<B> {
    /// A state without changes.
    pub fn new(base: B) -> Self {
        Self { base, written: AddressMap::default() }
    }

    /// Returns the written values, so that the caller can free them later.
    pub fn into_written(self) -> impl Send + 'static {
        self.written
    }

    /// The state below the changes.
    pub const fn base(&self) -> &B {
        &self.base
    }

    /// The changes so far against the base, in canonical order.
    ///
    /// # Errors
    /// The base does not know the former value of a changed one. The EVM reads before it writes, so this does
    /// not happen after an execution over the same base.
    pub fn post_state(&self) -> Result<PostState, B::Error> {
        let mut accounts = Vec::with_capacity(self.written.len());
        for (address, written) in &self.written {
            let before = self.base.basic_ref(*address)?;
            if let Some(change) = self.change(*address, before, written)? {
                accounts.push((*address, change));
            }
        }
        accounts.sort_unstable_by_key(|(address, _)| *address);
        Ok(PostState { accounts })
    }

    /// The loaded codes of the written accounts, which include all new codes.
    pub fn codes(&self) -> impl Iterator<Item = Bytes> {
        let infos = self.written.values().filter_map(|written| written.info.as_ref());
        let codes = infos.filter_map(|info| info.code.as_ref()).filter(|code| !code.is_empty());
        codes.map(Bytecode::original_bytes)
    }

    /// Commits the changes of several transactions that shared one journal.
    ///
    /// revm forgets the value that a slot had before an earlier transaction as soon as a later one loads the slot.
    /// Therefore all loaded slots of a touched account are written. No account may have been created or destroyed
    /// before the last of these transactions.
    pub fn commit_together(&mut self, changes: impl Iterator<Item = (Address, Account)>) {
        for (address, mut account) in changes.filter(|(_, account)| account.is_touched()) {
            let info = std::mem::take(&mut account.info);
            let written = self.written.entry(address).or_default();
            commit_account(written, &account, info);
            if written.info.is_some() {
                let slots = account.storage.iter();
                written.slots.extend(slots.map(|(key, slot)| (*key, slot.present_value)));
            }
        }
    }

    /// The difference between an account before the block and its written values; `None` if they are equal.
    fn change(
        &self,
        address: Address,
        before: Option<AccountInfo>,
        written: &Written,
    ) -> Result<Option<AccountChange>, B::Error> {
        let account = written.info.as_ref().map(AccountFields::from);
        let slots = written.slots.iter().map(|(key, after)| {
            // The value before the block may be unknown, and does not matter, if the storage was emptied.
            let before =
                if written.cleared { U256::ZERO } else { self.base.storage_ref(address, *key)? };
            Ok(SlotValues { key: *key, before, after: *after })
        });
        AccountChange::between(before.as_ref(), account, written.cleared, slots)
    }
}

fn write_changed(slots: &mut U256Map<U256>, storage: &EvmStorage) {
    let changed = storage.iter().filter(|(_, slot)| slot.is_changed());
    slots.extend(changed.map(|(key, slot)| (*key, slot.present_value)));
}

impl<B: DatabaseRef> DatabaseRef for BlockState<B> {
    type Error = B::Error;

    fn basic_ref(&self, address: Address) -> Result<Option<AccountInfo>, B::Error> {
        match self.written.get(&address) {
            Some(written) => Ok(written.info.clone()),
            None => self.base.basic_ref(address),
        }
    }

    fn code_by_hash_ref(&self, hash: B256) -> Result<Bytecode, B::Error> {
        self.base.code_by_hash_ref(hash)
    }

    fn storage_ref(&self, address: Address, slot: U256) -> Result<U256, B::Error> {
        let Some(written) = self.written.get(&address) else {
            return self.base.storage_ref(address, slot);
        };
        match written.slots.get(&slot) {
            Some(value) => Ok(*value),
            None if written.cleared => Ok(U256::ZERO),
            None => self.base.storage_ref(address, slot),
        }
    }

    fn block_hash_ref(&self, number: u64) -> Result<B256, B::Error> {
        self.base.block_hash_ref(number)
    }
}

impl<B: DatabaseRef> Database for BlockState<B> {
    type Error = B::Error;

    fn basic(&mut self, address: Address) -> Result<Option<AccountInfo>, B::Error> {
        self.basic_ref(address)
    }

    fn code_by_hash(&mut self, hash: B256) -> Result<Bytecode, B::Error> {
        self.code_by_hash_ref(hash)
    }

    fn storage(&mut self, address: Address, slot: U256) -> Result<U256, B::Error> {
        self.storage_ref(address, slot)
    }

    fn block_hash(&mut self, number: u64) -> Result<B256, B::Error> {
        self.block_hash_ref(number)
    }
}

impl<B: DatabaseRef> DatabaseCommit for BlockState<B> {
    fn commit(&mut self, changes: AddressMap<Account>) {
        self.commit_iter(&mut changes.into_iter());
    }

    fn commit_iter(&mut self, changes: &mut dyn Iterator<Item = (Address, Account)>) {
        for (address, mut account) in changes.filter(|(_, account)| account.is_touched()) {
            let info = std::mem::take(&mut account.info);
            commit_account(self.written.entry(address).or_default(), &account, info);
        }
    }
}

/// Whether a transaction removes an account that it touched. It does if the account self-destructed or became
/// empty (EIP-161). For earlier forks, revm marks an empty account that stays as created.
pub fn is_removed(account: &Account) -> bool {
    account.is_selfdestructed() || (account.is_empty() && !account.is_created())
}

/// Commits an account. `info` replaces its fields, since their balance may be corrected to that in block order.
fn commit_account(written: &mut Written, account: &Account, info: AccountInfo) {
    if account.is_selfdestructed() || (info.is_empty() && !account.is_created()) {
        *written = Written { info: None, cleared: true, slots: U256Map::default() };
        return;
    }
    if account.is_created() {
        written.cleared = true;
        written.slots.clear();
    }
    write_changed(&mut written.slots, &account.storage);
    written.info = Some(info);
}

#[cfg(test)]
mod tests;

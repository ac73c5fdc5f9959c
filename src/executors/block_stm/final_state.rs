//! State after the block, read from multi-version memory when all transactions have committed.

use super::{
    accounts::{Before, NewCodes, info, slot_location},
    shared::Shared,
    writes::phase_writes,
};
use crate::{
    execution::location::{AccountNumber, Location, TxIndex},
    state::{
        AccountChange, AccountFields, IndexedState, NumberedAccount, PostState, SlotValues,
        StateError, Storage,
    },
};
use alloy_primitives::{Address, B256, U256, map::HashMap};
use blockrace_stm::memory::{AFTER_ALL, Memory, Observed};
use revm::{DatabaseRef, bytecode::Bytecode, primitives::hardfork::SpecId, state::AccountInfo};
use std::convert::Infallible;

/// Written slots without an index, by account.
pub(super) type Others = HashMap<AccountNumber, Vec<U256>>;

/// State after all publications so far. It is not final while transactions run.
#[derive(Clone, Copy, Debug)]
pub(super) struct FinalState<'a> {
    base: &'a IndexedState,
    storage: &'a Storage<'a>,
    memory: &'a Memory,
    new_codes: &'a NewCodes,
    spec: SpecId,
}

impl<'a> FinalState<'a> {
    pub(super) const fn new(shared: &'a Shared<'a>) -> Self {
        let Shared { job, storage, memory, new_codes } = shared;
        Self { base: &job.indexed_state, storage, memory, new_codes, spec: job.env.cfg_env.spec }
    }

    fn read(&self, location: Location) -> Observed {
        // No estimates are left after the last commit, and there are none before the first execution.
        self.memory.read(location, AFTER_ALL).unwrap_or_default()
    }

    /// Returns whether the block wrote to a field of an account.
    fn has_written(&self, number: AccountNumber) -> bool {
        let fields = [Location::Balance, Location::Nonce, Location::Code];
        fields.iter().any(|field| !self.memory.is_unwritten(field(number)))
    }

    /// Returns an account with the block's writes. Returns `None` if it does not exist.
    fn fields(&self, account: &NumberedAccount) -> Option<AccountFields> {
        let before = Before::new(account.info.as_ref());
        let number = account.number;
        let nonce = self.memory.settled(Location::Nonce(number)).over(before.nonce);
        let code = self.memory.settled(Location::Code(number)).over(before.code_hash);
        before.with(self.memory.settled(Location::Balance(number)), nonce, code, self.spec)
    }

    /// Returns all accounts in the order of their indices.
    pub(super) fn accounts(&self) -> &'a [NumberedAccount] {
        self.base.accounts()
    }

    /// Returns the account as it was before the block.
    ///
    /// # Errors
    /// The account is not in the state before the block.
    pub(super) fn account(&self, address: Address) -> Result<&'a NumberedAccount, StateError> {
        self.base.account(address)
    }

    /// Returns all written slots without an index, by account.
    pub(super) fn others(&self) -> Others {
        let mut others = Others::default();
        for (account, slot) in self.memory.written_others() {
            others.entry(account).or_default().push(slot);
        }
        others
    }

    /// Returns the change of an account. Returns `None` if it is unchanged.
    pub(super) fn change(
        &self,
        account: &NumberedAccount,
        others: Option<&Vec<U256>>,
    ) -> Option<AccountChange> {
        let number = account.number;
        let written = self.has_written(number);
        let mut listed = account.slot_numbers().filter(|slot| self.memory.has_written_slot(*slot));
        let first = listed.next();
        if !written && first.is_none() && others.is_none() {
            return None;
        }
        let before = account.info.as_ref().map(AccountFields::from);
        let after = if written { self.fields(account) } else { before };
        let emptied = self.memory.settled(Location::Storage(number)).set.is_some();
        let listed = first.into_iter().chain(listed);
        let listed = listed.map(|slot| self.listed_slot(account, slot, emptied));
        let others = others.into_iter().flatten().map(|key| self.other_slot(account, *key));
        let slots = listed.chain(others).map(Ok);
        let Ok(change) =
            AccountChange::between::<Infallible>(account.info.as_ref(), after, emptied, slots);
        change
    }

    fn listed_slot(&self, account: &NumberedAccount, slot: u32, emptied: bool) -> SlotValues {
        let (key, before) = self.base.slots()[slot as usize];
        let location = Location::Slot(account.number, slot);
        let after = if emptied {
            self.read(location).over(U256::ZERO)
        } else {
            self.memory.settled(location).over(before)
        };
        SlotValues { key, before, after }
    }

    /// A slot without an index, which was zero before the block.
    fn other_slot(&self, account: &NumberedAccount, key: U256) -> SlotValues {
        let before = U256::ZERO;
        let after = self.read(Location::OtherSlot(account.number, key)).over(before);
        SlotValues { key, before, after }
    }

    /// Publishes the changes of a phase before or after the transactions, as if transaction `tx` had made them.
    ///
    /// # Errors
    /// An account is not in the state before the block.
    pub(super) fn publish(&self, tx: TxIndex, changes: &PostState) -> Result<(), StateError> {
        let mut writes = phase_writes(tx, changes, self.base)?;
        writes.sort_unstable_by_key(|(location, _)| *location);
        self.memory.publish(tx, &Vec::new(), &writes);
        Ok(())
    }
}

impl DatabaseRef for FinalState<'_> {
    type Error = StateError;

    fn basic_ref(&self, address: Address) -> Result<Option<AccountInfo>, StateError> {
        let account = self.base.account(address)?;
        self.storage.wait_for_account(account.number);
        if !self.has_written(account.number) {
            return Ok(account.info.clone());
        }
        let found = self.fields(account);
        Ok(found.map(|found| info(found, account.info.as_ref(), self.new_codes)))
    }

    /// Each known code is attached to its account. revm calls this only for a missing code.
    fn code_by_hash_ref(&self, hash: B256) -> Result<Bytecode, StateError> {
        Err(StateError::UnknownCode { hash })
    }

    fn storage_ref(&self, address: Address, slot: U256) -> Result<U256, StateError> {
        let account = self.base.account(address)?;
        let before = account.slot(slot);
        match self.read(slot_location(account, &before, slot)).set {
            Some(value) => Ok(value),
            None => Ok(before?.map_or(U256::ZERO, |listed| {
                self.storage.wait_for_slot(listed.number);
                listed.value
            })),
        }
    }

    fn block_hash_ref(&self, number: u64) -> Result<B256, StateError> {
        self.base.block_hash(number)
    }
}

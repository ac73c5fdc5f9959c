//! Compact effects of a transaction, for transactions that read from it.
//!
//! A journal consists of nested maps. Readers look up single accounts or slots in it, long after it
//! has left the caches. So the worker that executed the transaction copies the readable values
//! while the journal is in its cache. It keeps the journal's allocation for its next transaction.

use crate::{
    execution::{
        beneficiary::rebase,
        dependency::{BalanceRule, Dependency},
        location::AccountNumber,
        receipts::TxReceipt,
    },
    state::{IndexedState, StateError, is_removed},
};
use alloy_primitives::{Address, B256, U256};
use parking_lot::Mutex;
use revm::{
    bytecode::Bytecode,
    state::{Account, AccountInfo, AccountStatus, EvmState},
};
use std::ops::Range;

/// Effects of one transaction.
#[derive(Debug)]
pub(super) struct TxEffects {
    /// Guards receipt and gas, which the block takes out once at its end.
    pub(super) share: Mutex<TxReceipt>,
    /// Gas after refunds.
    pub(super) gas: u64,
    /// The deferred fee in wei, if no account holds it.
    pub(super) deferred_fee: Option<U256>,
    /// Accounts that the transaction touched or depends on, ascending by number.
    accounts: Vec<AccountEffect>,
    /// Changed slots with their values. The slots of one account are consecutive and ascending by
    /// key.
    slots: Vec<(U256, U256)>,
}

/// An account after one transaction.
#[derive(Debug)]
pub(super) struct AccountEffect {
    number: AccountNumber,
    /// Dependency of the transaction on the balance, which was `seen` when it loaded the account.
    pub(super) dependency: Option<Dependency>,
    pub(super) seen: U256,
    balance: U256,
    nonce: u64,
    /// Whether the transaction changed the nonce. The nonce that it saw may have been outdated.
    has_new_nonce: bool,
    code_hash: B256,
    /// The code, if the transaction had loaded it.
    pub(super) code: Option<Bytecode>,
    status: AccountStatus,
    /// Whether the account was touched and removed, given the balance that was seen.
    is_removed: bool,
    /// Range of its slots.
    slots: Range<u32>,
}

impl TxEffects {
    /// Moves the journal's content into effects. The journal keeps its allocation.
    ///
    /// # Errors
    /// One of its accounts is not in the pre-state. This does not happen, as the EVM reads before
    /// it writes.
    pub(super) fn new(
        base: &IndexedState,
        journal: &mut EvmState,
        mut dependencies: Vec<(Address, Dependency)>,
        share: TxReceipt,
        deferred_fee: Option<U256>,
    ) -> Result<Self, StateError> {
        let touched = journal.values().filter(|account| account.is_touched()).count();
        let (accounts, slots) = (Vec::with_capacity(touched), Vec::new());
        let gas = share.gas();
        let mut left = Self { share: Mutex::new(share), gas, deferred_fee, accounts, slots };
        dependencies.sort_unstable_by_key(|(of, _)| *of);
        for (address, account) in journal.drain() {
            let dependency = dependencies.binary_search_by_key(&address, |(of, _)| *of);
            let dependency = dependency.ok().map(|found| dependencies[found].1);
            if account.is_touched() || dependency.is_some() {
                let number = base.number_loaded(address, &account.info)?;
                left.add(number, account, dependency);
            }
        }
        left.accounts.sort_unstable_by_key(|account| account.number);
        Ok(left)
    }

    fn add(&mut self, number: AccountNumber, account: Account, dependency: Option<Dependency>) {
        let first = self.slots.len();
        let changed = account.changed_storage_slots();
        self.slots.extend(changed.map(|(key, slot)| (*key, slot.present_value)));
        self.slots[first..].sort_unstable();
        let is_removed = account.is_touched() && is_removed(&account);
        let original = account.original_info();
        let (seen, has_new_nonce) = (original.balance, original.nonce != account.info.nonce);
        let AccountInfo { balance, nonce, code_hash, code, .. } = account.info;
        self.accounts.push(AccountEffect {
            number,
            dependency,
            seen,
            balance,
            nonce,
            has_new_nonce,
            code_hash,
            code,
            status: account.status,
            is_removed,
            slots: first as u32..self.slots.len() as u32,
        });
    }

    /// Accounts with a balance that the transaction depends on.
    pub(super) fn needed(&self) -> impl Iterator<Item = AccountNumber> {
        let needed = self.accounts.iter().filter(|account| account.dependency.is_some());
        needed.map(|account| account.number)
    }

    /// The account, if the transaction touched it or depends on it.
    pub(super) fn account(&self, number: AccountNumber) -> Option<&AccountEffect> {
        let found = self.accounts.binary_search_by_key(&number, |account| account.number);
        Some(&self.accounts[found.ok()?])
    }

    /// The account, if the transaction touched it.
    pub(super) fn touched(&self, number: AccountNumber) -> Option<&AccountEffect> {
        self.account(number).filter(|account| account.is_touched())
    }

    /// The slot's value after the transaction; `None` if the transaction did not write it.
    pub(super) fn slot(&self, number: AccountNumber, key: U256) -> Option<U256> {
        let account = self.account(number)?;
        if account.is_removed {
            return Some(U256::ZERO);
        }
        let slots = &self.slots[account.slots.start as usize..account.slots.end as usize];
        match slots.binary_search_by_key(&key, |(key, _)| *key) {
            Ok(found) => Some(slots[found].1),
            Err(_) => account.is_created().then_some(U256::ZERO),
        }
    }
}

impl AccountEffect {
    pub(super) const fn is_touched(&self) -> bool {
        self.status.is_touched()
    }

    pub(super) const fn is_created(&self) -> bool {
        self.status.contains(AccountStatus::Created)
    }

    /// The account with nonce and code after the transaction, and with this balance; `None` if it
    /// self-destructed.
    pub(super) fn identity(&self, balance: U256) -> Option<AccountInfo> {
        self.without_code(balance).map(|info| AccountInfo { code: self.code.clone(), ..info })
    }

    /// The account after the transaction, without its code, if it was `before` at the start. Other
    /// transactions may have paid it meanwhile. `None` if it no longer exists. Before EIP-161 an
    /// account that exists stays, even if it is empty.
    pub(super) fn over(
        &self,
        before: Option<&AccountInfo>,
        rule: BalanceRule,
    ) -> Option<AccountInfo> {
        let found = before.map_or(U256::ZERO, |before| before.balance);
        let after = self.without_code(rebase(found, self.seen, self.balance));
        let nonce = before.map_or(0, |before| before.nonce);
        let kept = |after: AccountInfo| AccountInfo { nonce, ..after };
        let after = if self.has_new_nonce { after } else { after.map(kept) };
        let stays = rule == BalanceRule::Existence && before.is_some();
        after.filter(|after| stays || self.is_created() || !after.is_empty())
    }

    fn without_code(&self, balance: U256) -> Option<AccountInfo> {
        let (nonce, code_hash) = (self.nonce, self.code_hash);
        let info = AccountInfo { balance, nonce, code_hash, account_id: None, code: None };
        (!self.status.contains(AccountStatus::SelfDestructed)).then_some(info)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use revm::state::{AccountId, EvmStorageSlot, TransactionId};

    const SLOT: U256 = U256::ONE;

    /// A touched account of 100 wei with a slot that was set to 7.
    fn touched(number: usize) -> Account {
        let account_id = AccountId::new(number);
        let info = AccountInfo { balance: U256::from(100), account_id, ..AccountInfo::default() };
        let mut account = Account::from(info);
        account.mark_touch();
        let slot = EvmStorageSlot::new_changed(U256::ZERO, U256::from(7), TransactionId::ZERO);
        account.storage.insert(SLOT, slot);
        account
    }

    fn left(account: Account, dependencies: &[(Address, Dependency)]) -> TxEffects {
        let mut journal = EvmState::default();
        journal.insert(Address::ZERO, account);
        let share = TxReceipt::default();
        let left = TxEffects::new(
            &IndexedState::default(),
            &mut journal,
            dependencies.to_vec(),
            share,
            None,
        );
        assert!(journal.is_empty());
        left.expect("loaded accounts have numbers")
    }

    #[test]
    fn slots_have_the_values_after_the_transaction() {
        let other = U256::from(2);
        let changed = left(touched(3), &[]);
        assert_eq!(changed.slot(3, SLOT), Some(U256::from(7)));
        assert_eq!((changed.slot(3, other), changed.slot(4, SLOT)), (None, None));
        let mut created = touched(3);
        created.mark_created();
        let created = left(created, &[]);
        assert_eq!(created.slot(3, SLOT), Some(U256::from(7)));
        assert_eq!(created.slot(3, other), Some(U256::ZERO), "a created account has empty storage");
        let mut emptied = touched(3);
        emptied.info.balance = U256::ZERO;
        assert_eq!(left(emptied, &[]).slot(3, SLOT), Some(U256::ZERO), "EIP-161 removes it");
    }

    #[test]
    fn payments_of_other_transactions_are_kept() {
        let mut account = touched(3);
        account.info.balance = U256::from(60);
        let left = left(account, &[]);
        let before = AccountInfo { balance: U256::from(500), ..AccountInfo::default() };
        let after =
            left.touched(3).and_then(|left| left.over(Some(&before), BalanceRule::Emptiness));
        assert_eq!(after.map(|after| after.balance), Some(U256::from(460)));
    }

    /// A generated world found this: a contract is destroyed, exists again after a call, and is
    /// called once more.
    #[test]
    fn an_empty_account_stays_until_eip_161() {
        let left = left(touched(3), &[]);
        let account = left.touched(3).expect("it was touched");
        let empty = AccountInfo::default();
        let after = |rule| account.over(Some(&empty), rule);
        assert_eq!(after(BalanceRule::Existence).map(|after| after.balance), Some(empty.balance));
        assert_eq!(after(BalanceRule::Emptiness), None);
    }

    #[test]
    fn destroyed_accounts_are_gone_and_untouched_ones_are_kept_only_if_needed() {
        let mut destroyed = touched(3);
        destroyed.mark_selfdestruct();
        let destroyed = left(destroyed, &[]);
        let account = destroyed.touched(3).expect("it was touched");
        assert!(
            account.over(None, BalanceRule::Existence).is_none()
                && account.identity(U256::ONE).is_none()
        );
        let mut looked_at = touched(3);
        looked_at.unmark_touch();
        assert!(left(looked_at.clone(), &[]).account(3).is_none());
        let needed = left(looked_at, &[(Address::ZERO, Dependency::Exact)]);
        assert_eq!(needed.needed().collect::<Vec<_>>(), [3]);
        assert!(needed.account(3).is_some() && needed.touched(3).is_none());
    }
}

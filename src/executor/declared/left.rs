//! What a transaction left for others to read, in little memory.
//!
//! A journal is maps of maps, and others look for one account or slot in it when it is long out of the caches. So the
//! worker that ran the transaction, which has it at hand, picks out what they may ask for, and keeps the journal for
//! its next one.

use crate::{
    executor::{
        access::AccountNumber,
        demands::{BalanceRule, Need},
        fees::rebase,
        tally::TxReceipt,
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

/// What one transaction left.
#[derive(Debug)]
pub(super) struct TxEffects {
    /// Guards what the block takes out of it, once, in the end.
    pub(super) share: Mutex<TxReceipt>,
    /// After refunds.
    pub(super) gas: u64,
    /// In wei, where no account holds it.
    pub(super) deferred_fee: Option<U256>,
    /// Those that it touched or needs something of, ascending by number.
    accounts: Vec<AccountEffect>,
    /// Slots that it changed, with their values, those of each account ascending by key.
    slots: Vec<(U256, U256)>,
}

/// An account as one transaction left it.
#[derive(Debug)]
pub(super) struct AccountEffect {
    number: AccountNumber,
    /// What the transaction needs of the balance, which was `seen` when it loaded the account.
    pub(super) need: Option<Need>,
    pub(super) seen: U256,
    balance: U256,
    nonce: u64,
    /// Whether it has another nonce than the transaction saw, which may have been an outdated one.
    has_new_nonce: bool,
    code_hash: B256,
    /// Where the transaction had it at hand.
    pub(super) code: Option<Bytecode>,
    status: AccountStatus,
    /// Whether it was touched and nothing is left of it, given the balance that was seen.
    is_removed: bool,
    /// Where its slots are.
    slots: Range<u32>,
}

impl TxEffects {
    /// Empties the journal, but for its allocation.
    ///
    /// # Errors
    /// If one of its accounts is not in the state before the block. The EVM reads before it writes, so this does not
    /// happen.
    pub(super) fn new(
        base: &IndexedState,
        journal: &mut EvmState,
        mut needs: Vec<(Address, Need)>,
        share: TxReceipt,
        deferred_fee: Option<U256>,
    ) -> Result<Self, StateError> {
        let touched = journal.values().filter(|account| account.is_touched()).count();
        let (accounts, slots) = (Vec::with_capacity(touched), Vec::new());
        let gas = share.gas();
        let mut left = Self { share: Mutex::new(share), gas, deferred_fee, accounts, slots };
        needs.sort_unstable_by_key(|(of, _)| *of);
        for (address, account) in journal.drain() {
            let need = needs.binary_search_by_key(&address, |(of, _)| *of);
            let need = need.ok().map(|found| needs[found].1);
            if account.is_touched() || need.is_some() {
                let number = base.number_loaded(address, &account.info)?;
                left.add(number, account, need);
            }
        }
        left.accounts.sort_unstable_by_key(|account| account.number);
        Ok(left)
    }

    fn add(&mut self, number: AccountNumber, account: Account, need: Option<Need>) {
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
            need,
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

    /// The accounts that it needs something of.
    pub(super) fn needed(&self) -> impl Iterator<Item = AccountNumber> {
        let needed = self.accounts.iter().filter(|account| account.need.is_some());
        needed.map(|account| account.number)
    }

    /// The account, if the transaction touched it or needs something of it.
    pub(super) fn account(&self, number: AccountNumber) -> Option<&AccountEffect> {
        let found = self.accounts.binary_search_by_key(&number, |account| account.number);
        Some(&self.accounts[found.ok()?])
    }

    /// The account, if the transaction touched it.
    pub(super) fn touched(&self, number: AccountNumber) -> Option<&AccountEffect> {
        self.account(number).filter(|account| account.is_touched())
    }

    /// What the transaction left in a slot; `None` if it left it alone.
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

    /// Nonce and code as they were left, with this balance; `None` if it destroyed itself.
    pub(super) fn identity(&self, balance: U256) -> Option<AccountInfo> {
        self.without_code(balance).map(|info| AccountInfo { code: self.code.clone(), ..info })
    }

    /// The account after the transaction, without its code, given that it was this before: then others may have paid it
    /// meanwhile. `None` if it does not exist any more. Until EIP-161 what exists goes on to, with nothing in it.
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

    /// An account of 100 wei that a transaction touched and wrote 7 to a slot of.
    fn touched(number: usize) -> Account {
        let account_id = AccountId::new(number);
        let info = AccountInfo { balance: U256::from(100), account_id, ..AccountInfo::default() };
        let mut account = Account::from(info);
        account.mark_touch();
        let slot = EvmStorageSlot::new_changed(U256::ZERO, U256::from(7), TransactionId::ZERO);
        account.storage.insert(SLOT, slot);
        account
    }

    fn left(account: Account, needs: &[(Address, Need)]) -> TxEffects {
        let mut journal = EvmState::default();
        journal.insert(Address::ZERO, account);
        let share = TxReceipt::default();
        let left =
            TxEffects::new(&IndexedState::default(), &mut journal, needs.to_vec(), share, None);
        assert!(journal.is_empty());
        left.expect("accounts that were loaded have numbers")
    }

    #[test]
    fn slots_are_what_the_transaction_made_of_them() {
        let other = U256::from(2);
        let changed = left(touched(3), &[]);
        assert_eq!(changed.slot(3, SLOT), Some(U256::from(7)));
        assert_eq!((changed.slot(3, other), changed.slot(4, SLOT)), (None, None));
        let mut created = touched(3);
        created.mark_created();
        let created = left(created, &[]);
        assert_eq!(created.slot(3, SLOT), Some(U256::from(7)));
        assert_eq!(created.slot(3, other), Some(U256::ZERO), "its storage began empty");
        let mut emptied = touched(3);
        emptied.info.balance = U256::ZERO;
        assert_eq!(left(emptied, &[]).slot(3, SLOT), Some(U256::ZERO), "EIP-161 removes it");
    }

    #[test]
    fn what_others_paid_meanwhile_stays() {
        let mut account = touched(3);
        account.info.balance = U256::from(60);
        let left = left(account, &[]);
        let before = AccountInfo { balance: U256::from(500), ..AccountInfo::default() };
        let after =
            left.touched(3).and_then(|left| left.over(Some(&before), BalanceRule::Emptiness));
        assert_eq!(after.map(|after| after.balance), Some(U256::from(460)));
    }

    /// Found by a generated world: a contract is destroyed, called and so made to exist again, and called once more.
    #[test]
    fn what_exists_with_nothing_in_it_stays_until_eip_161() {
        let left = left(touched(3), &[]);
        let account = left.touched(3).expect("it was touched");
        let empty = AccountInfo::default();
        let after = |rule| account.over(Some(&empty), rule);
        assert_eq!(after(BalanceRule::Existence).map(|after| after.balance), Some(empty.balance));
        assert_eq!(after(BalanceRule::Emptiness), None);
    }

    #[test]
    fn who_destroyed_itself_is_gone_and_who_was_only_looked_at_is_left_out_unless_needed() {
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
        let needed = left(looked_at, &[(Address::ZERO, Need::Exact)]);
        assert_eq!(needed.needed().collect::<Vec<_>>(), [3]);
        assert!(needed.account(3).is_some() && needed.touched(3).is_none());
    }
}

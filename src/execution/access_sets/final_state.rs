//! The state after a block's transactions, account by account.
//!
//! The final state of an account is computed by visiting its transactions in block order. The same
//! visit validates their assumptions: that the sender's nonce is that of the block, and that
//! balances satisfied the dependencies. The value of a slot is that of its last writer.

use super::{
    error::AccessError,
    run::{Run, UndeclaredRead},
    tx_effects::AccountEffect,
    writers::BySystem,
};
use crate::{
    execution::{beneficiary::left_with, location::TxIndex},
    state::{AccountChange, AccountFields, NumberedAccount, SlotValues},
};
use alloy_consensus::Transaction as _;
use alloy_primitives::{Address, B256, U256};
use revm::{DatabaseRef, bytecode::Bytecode, context_interface::Block as _, state::AccountInfo};
use std::borrow::Cow;

/// The state after all transactions of a run. All of them are done.
#[derive(Clone, Copy, Debug)]
pub(super) struct FinalState<'a> {
    run: &'a Run<'a>,
    /// Undeclared dependencies, validated beside the declared visitors. Ascending.
    undeclared: &'a [UndeclaredRead],
}

/// An account after the block, without its slots.
struct AccountOutcome {
    info: Option<AccountInfo>,
    /// Whether its storage from before the block was cleared.
    is_emptied: bool,
}

impl<'a> FinalState<'a> {
    pub(super) const fn new(run: &'a Run<'a>, undeclared: &'a [UndeclaredRead]) -> Self {
        Self { run, undeclared }
    }

    /// Change of an account by the transactions; `None` if it is unchanged.
    ///
    /// # Errors
    /// [`AccessError::Undeclared`] if an assumption of a transaction is wrong.
    pub(super) fn change(
        &self,
        account: &NumberedAccount,
    ) -> Result<Option<AccountChange>, AccessError> {
        let AccountOutcome { info, is_emptied } = self.outcome(account)?;
        let after = info.as_ref().map(AccountFields::from);
        AccountChange::between(account.info.as_ref(), after, is_emptied, self.slots(account))
    }

    fn outcome(&self, account: &NumberedAccount) -> Result<AccountOutcome, AccessError> {
        let is_emptied = self.run.by_system(account) == BySystem::Emptied;
        let mut outcome = AccountOutcome { info: self.run.base(account)?, is_emptied };
        if account.address == self.run.job.env.block_env.beneficiary() {
            let spec = self.run.job.env.cfg_env.spec;
            for tx in 0..self.end() {
                match self.run.left_by(tx, self.end())?.deferred_fee {
                    // It has not loaded the beneficiary. Otherwise its journal would contain the
                    // payment.
                    Some(fee) => {
                        outcome.info = left_with(outcome.info, fee, spec);
                        outcome.is_emptied |= outcome.info.is_none();
                    }
                    None => self.visit(tx, account, &mut outcome)?,
                }
            }
        } else {
            for tx in self.visitors(account).iter() {
                self.visit(*tx, account, &mut outcome)?;
            }
        }
        Ok(outcome)
    }

    /// All transactions that visit the account, in block order.
    fn visitors(&self, account: &NumberedAccount) -> Cow<'a, [TxIndex]> {
        let declared = self.run.declared.visitors.of(account.number);
        let first = self.undeclared.partition_point(|(of, _)| *of < account.number);
        let undeclared =
            self.undeclared[first..].iter().take_while(|(of, _)| *of == account.number);
        let mut visitors = Cow::Borrowed(declared);
        if undeclared.clone().next().is_some() {
            visitors.to_mut().extend(undeclared.map(|(_, tx)| *tx));
            visitors.to_mut().sort_unstable();
        }
        visitors
    }

    /// Applies a transaction's change of the account, without its deferred fee.
    fn visit(
        &self,
        tx: TxIndex,
        account: &NumberedAccount,
        outcome: &mut AccountOutcome,
    ) -> Result<(), AccessError> {
        let left = self.run.left_by(tx, self.end())?.account(account.number);
        self.check(tx, account.address, outcome.info.as_ref(), left)?;
        if let Some(left) = left.filter(|left| left.is_touched()) {
            outcome.info = left.over(outcome.info.as_ref(), self.run.rule);
            outcome.is_emptied |= left.is_created() || outcome.info.is_none();
        }
        Ok(())
    }

    /// Validates the assumptions of a transaction about the account.
    fn check(
        &self,
        tx: TxIndex,
        address: Address,
        found: Option<&AccountInfo>,
        left: Option<&AccountEffect>,
    ) -> Result<(), AccessError> {
        let transaction = &self.run.job.transactions[tx];
        let nonce = found.map_or(0, |info| info.nonce);
        let balance = found.map_or(U256::ZERO, |info| info.balance);
        let is_enough = left.is_none_or(|left| {
            left.dependency.is_none_or(|dependency| dependency.holds(left.seen, balance))
        });
        let holds = (transaction.signer() != address || transaction.nonce() == nonce) && is_enough;
        if holds { Ok(()) } else { Err(AccessError::Undeclared) }
    }

    /// The slots that the block may have changed.
    fn slots(
        &self,
        account: &NumberedAccount,
    ) -> impl Iterator<Item = Result<SlotValues, AccessError>> {
        let (declared, base) = (self.run.declared, &self.run.job.indexed_state);
        let by_system = self.run.by_system(account) != BySystem::Nothing;
        let is_written = move |slot: &u32| by_system || !declared.slots.of(*slot).is_empty();
        let listed = account.slot_numbers().filter(is_written);
        let listed = listed.map(|slot| base.slots()[slot as usize]);
        let unlisted = declared.unlisted.get(&account.number);
        let others = unlisted.into_iter().flatten().map(|key| (*key, U256::ZERO));
        listed.chain(others).map(move |(key, before)| {
            let after = self.run.slot(account, key, self.end())?;
            Ok(SlotValues { key, before, after })
        })
    }

    /// Index of a reader after all transactions.
    const fn end(&self) -> TxIndex {
        self.run.job.transactions.len()
    }

    /// The code of an account with this code hash after the block.
    fn code(&self, account: &NumberedAccount, hash: B256) -> Result<Option<Bytecode>, AccessError> {
        if let Some(before) = account.info.as_ref().filter(|info| info.code_hash == hash) {
            return Ok(before.code.clone());
        }
        let Some(writer) = self.run.declared.identity.of(account.number).last() else {
            return Ok(None);
        };
        let left = self.run.left_by(*writer, self.end())?.account(account.number);
        Ok(left.and_then(|left| left.code.clone()))
    }
}

impl DatabaseRef for FinalState<'_> {
    type Error = AccessError;

    fn basic_ref(&self, address: Address) -> Result<Option<AccountInfo>, AccessError> {
        let account = self.run.job.indexed_state.account(address)?;
        let Some(info) = self.outcome(account)?.info else { return Ok(None) };
        let code = self.code(account, info.code_hash)?;
        Ok(Some(AccountInfo { code, ..info }))
    }

    /// Each known code is part of its account, so revm asks here only for a code that was not
    /// given.
    fn code_by_hash_ref(&self, hash: B256) -> Result<Bytecode, AccessError> {
        Ok(self.run.begun.code_by_hash_ref(hash)?)
    }

    fn storage_ref(&self, address: Address, slot: U256) -> Result<U256, AccessError> {
        self.run.slot(self.run.job.indexed_state.account(address)?, slot, self.end())
    }

    fn block_hash_ref(&self, number: u64) -> Result<B256, AccessError> {
        Ok(self.run.job.indexed_state.block_hash(number)?)
    }
}

//! The rule for the beneficiary's payment, for all executors: the fee, and when it is paid.
//!
//! Every transaction pays the beneficiary. Loading that account in order to pay it would make each
//! transaction depend on all earlier ones. A transaction that has not loaded the account cannot
//! observe the time of payment, so its fee is deferred. `block-stm` publishes it as an addition.
//! The other executors add it in block order. A transaction that has loaded the account pays in its
//! own journal, as revm does. A self-destructed beneficiary then loses the fee, for instance.
//!
//! [`rebase`] and [`paid`] compute a balance in block order when other transactions have paid the
//! same account.

use super::hashes::WorkerContext;
use crate::block::ReplayJob;
use alloy_primitives::U256;
use revm::{
    Database,
    context::Evm,
    context_interface::{
        Block, Cfg, ContextTr, JournalTr, Transaction,
        result::{EVMError, HaltReason},
    },
    handler::{
        EthFrame, EthPrecompiles, FrameResult, Handler, PrecompileProvider,
        instructions::EthInstructions, post_execution,
    },
    interpreter::{InterpreterResult, interpreter::EthInterpreter},
    primitives::hardfork::SpecId,
    state::{Account, AccountInfo, TransactionId},
};
use std::{cell::Cell, marker::PhantomData};

/// The EVM of one worker.
pub(crate) type WorkerEvm<DB, P = EthPrecompiles> = Evm<
    WorkerContext<DB>,
    (),
    EthInstructions<EthInterpreter, WorkerContext<DB>>,
    P,
    EthFrame<EthInterpreter>,
>;

/// When the beneficiary is paid.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum FeePayment {
    /// At the commit, if the transaction has not loaded the beneficiary.
    Deferred,
    /// In the transaction, because even a zero fee changes the state. It removes an empty
    /// beneficiary (EIP-161), and before that fork it creates a missing one.
    AtOnce,
}

impl FeePayment {
    /// The payment that is correct in this block.
    pub(crate) fn of_block(job: &ReplayJob) -> Self {
        let beneficiary = job.indexed_state.account(job.env.block_env.beneficiary()).ok();
        let before = beneficiary.and_then(|account| account.info.as_ref());
        Self::for_beneficiary(before, job.env.cfg_env.spec)
    }

    /// The payment that is correct for this beneficiary, given its account before the block.
    fn for_beneficiary(before: Option<&AccountInfo>, spec: SpecId) -> Self {
        let touch_matters = if spec.is_enabled_in(SpecId::SPURIOUS_DRAGON) {
            before.is_some_and(AccountInfo::is_empty)
        } else {
            before.is_none()
        };
        if touch_matters { Self::AtOnce } else { Self::Deferred }
    }
}

/// revm's mainnet handler, except for the time of the beneficiary's payment.
pub(crate) struct DeferFee<DB, P = EthPrecompiles> {
    payment: FeePayment,
    deferred: Cell<Option<U256>>,
    _evm: PhantomData<(DB, P)>,
}

impl<DB, P> DeferFee<DB, P> {
    pub(crate) const fn new(payment: FeePayment) -> Self {
        Self { payment, deferred: Cell::new(None), _evm: PhantomData }
    }

    /// The deferred fee in wei; `None` if the journal holds it.
    pub(crate) const fn deferred(&self) -> Option<U256> {
        self.deferred.get()
    }
}

impl<DB, P> Handler for DeferFee<DB, P>
where
    DB: Database,
    P: PrecompileProvider<WorkerContext<DB>, Output = InterpreterResult>,
{
    type Evm = WorkerEvm<DB, P>;
    type Error = EVMError<DB::Error>;
    type HaltReason = HaltReason;

    fn reward_beneficiary(
        &self,
        evm: &mut Self::Evm,
        frame: &mut FrameResult,
    ) -> Result<(), Self::Error> {
        let beneficiary = evm.ctx.block.beneficiary();
        let is_loaded = || evm.ctx.journal().evm_state().contains_key(&beneficiary);
        if self.payment == FeePayment::AtOnce || is_loaded() {
            return Ok(post_execution::reward_beneficiary(&mut evm.ctx, frame.gas())?);
        }
        self.deferred.set(Some(fee(&evm.ctx, frame)));
        Ok(())
    }
}

/// The priority fee since London (EIP-1559), and the whole fee before. The formula is that of
/// [`post_execution`].
fn fee<CTX: ContextTr>(context: &CTX, frame: &FrameResult) -> U256 {
    let basefee = u128::from(context.block().basefee());
    let price = context.tx().effective_gas_price(basefee);
    let spec: SpecId = context.cfg().spec().into();
    let burnt = if spec.is_enabled_in(SpecId::LONDON) { basefee } else { 0 };
    let used = frame.gas().used().saturating_sub(frame.gas().reservoir());
    U256::from(price.saturating_sub(burnt) * u128::from(used))
}

/// Applies the balance change of a transaction to another balance. The transaction changed `seen`
/// to `after`, and the account's balance at its commit is `found`. The two differ if other
/// transactions paid the account.
pub(crate) fn rebase(found: U256, seen: U256, after: U256) -> U256 {
    found.wrapping_add(after.wrapping_sub(seen))
}

/// The account after a transaction, with its balance from [`rebase`]. It keeps the code of `found`
/// if the code has not changed.
pub(crate) fn settled(found: Option<AccountInfo>, account: &Account) -> AccountInfo {
    let before = found.as_ref().map_or(U256::ZERO, |info| info.balance);
    let balance = if account.is_selfdestructed() {
        account.info.balance
    } else {
        rebase(before, account.original_info().balance, account.info.balance)
    };
    let mut info = AccountInfo { balance, ..account.info.clone() };
    if let Some(found) = found.filter(|found| found.code_hash == info.code_hash) {
        info.code = found.code;
    }
    info
}

/// The beneficiary without its code after a deferred fee, as by [`paid`].
pub(crate) fn left_with(
    before: Option<AccountInfo>,
    fee: U256,
    spec: SpecId,
) -> Option<AccountInfo> {
    match before {
        Some(info) if !info.is_empty() => {
            Some(AccountInfo { balance: info.balance.saturating_add(fee), ..info })
        }
        before => match paid(before.clone(), fee, spec) {
            Some(account) if account.is_created() || !account.is_empty() => {
                Some(AccountInfo { code: None, ..account.info })
            }
            Some(_) => None,
            None => before,
        },
    }
}

/// The beneficiary after a deferred fee, as revm's journal has it at the end of the transaction;
/// `None` if nothing changes.
pub(crate) fn paid(before: Option<AccountInfo>, fee: U256, spec: SpecId) -> Option<Account> {
    let exists = before.is_some();
    let mut account = before.map_or_else(
        || Account::new_not_existing(TransactionId::ZERO),
        |info: AccountInfo| Account::from(info),
    );
    account.info.balance = account.info.balance.saturating_add(fee);
    account.mark_touch();
    if account.is_empty() && !spec.is_enabled_in(SpecId::SPURIOUS_DRAGON) {
        if exists {
            return None;
        }
        account.mark_created();
    }
    Some(account)
}

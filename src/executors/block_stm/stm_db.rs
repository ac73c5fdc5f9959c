//! Database of a worker's EVM: the writes of the block over the state before it.

use super::{
    accounts::{Before, NewCodes, info, slot_location},
    dependencies::{Dependencies, Loaded},
    shared::Shared,
};
use crate::{
    execution::{
        dependency::{BalanceRule, BalanceTracker, BalanceUse},
        location::{AccountNumber, Location},
    },
    state::{AccountFields, IndexedState, NumberedAccount, StateError, Storage},
};
use alloy_consensus::{Transaction as _, TxEnvelope, transaction::Recovered};
use alloy_primitives::{Address, B256, U256};
use blockrace_stm::{
    memory::{Blocked, Observed},
    read_set::Expected,
    scheduler::ExecutionPoint,
    view::{IncarnationView, Peek},
};
use revm::{
    Database,
    bytecode::Bytecode,
    context_interface::Block as _,
    database_interface::DBErrorMarker,
    primitives::hardfork::SpecId,
    state::{Account, AccountId, AccountInfo, EvmStorageSlot},
};

/// Error of a worker's read.
#[derive(Clone, Debug, thiserror::Error)]
pub(super) enum WorkerError {
    /// The incarnation should abort. The engine drops it, so this error never leaves the worker.
    #[error("transaction {} has to publish first", .0.on)]
    Blocked(Blocked),
    /// The state before the block lacks the value.
    #[error(transparent)]
    State(#[from] StateError),
}

impl From<Blocked> for WorkerError {
    fn from(blocked: Blocked) -> Self {
        Self::Blocked(blocked)
    }
}

impl DBErrorMarker for WorkerError {}

/// Sender of a transaction, and the nonce that it has in block order at that point.
#[derive(Clone, Copy, Debug)]
struct Sender {
    address: Address,
    nonce: u64,
}

/// Database of one worker.
#[derive(Debug)]
pub(super) struct StmDb<'m> {
    pub(super) view: IncarnationView<'m>,
    base: &'m IndexedState,
    storage: &'m Storage<'m>,
    new_codes: &'m NewCodes,
    spec: SpecId,
    rule: BalanceRule,
    beneficiary: Address,
    dependencies: Dependencies,
    /// Senders of the batch, each with the nonce of its first transaction.
    senders: Vec<Sender>,
    /// Deferred fees of the batch so far, in wei. The journal does not hold them.
    fees: Option<U256>,
    journal: JournalSpan,
    /// Whether an account may have been created or destroyed since the journal was last empty.
    replaces: bool,
}

/// Number of transactions in the journal. The journal's original values are those of the last transaction.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum JournalSpan {
    One,
    Several,
}

/// Whether the result depends on everything that is read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Certainty {
    Exact,
    /// Only on the dependencies that the transaction reports.
    Demanded,
}

/// Account as it was when the journal loaded it.
#[derive(Clone, Copy, Debug)]
pub(super) struct Was<'a> {
    pub(super) base: &'a NumberedAccount,
    /// `None` if it did not exist.
    pub(super) found: Option<AccountFields>,
}

impl<'m> StmDb<'m> {
    pub(super) fn new(view: IncarnationView<'m>, shared: &'m Shared<'m>) -> Self {
        let Shared { job, storage, new_codes, .. } = shared;
        let (base, spec) = (&job.indexed_state, job.env.cfg_env.spec);
        Self {
            view,
            base,
            storage,
            new_codes,
            spec,
            rule: BalanceRule::of(spec),
            beneficiary: job.env.block_env.beneficiary(),
            dependencies: Dependencies::new(base.accounts().len()),
            senders: Vec::new(),
            fees: None,
            journal: JournalSpan::One,
            replaces: false,
        }
    }

    /// Prepares for a batch.
    ///
    /// In a valid block, the nonce of a sender equals the nonce of its transaction. A transaction therefore
    /// does not wait for lower transactions of the same sender.
    pub(super) fn begin(&mut self, transactions: &[Recovered<TxEnvelope>]) {
        self.dependencies.clear();
        self.senders.clear();
        self.fees = None;
        self.replaces = false;
        let alone = transactions.len() == 1;
        self.journal = if alone { JournalSpan::One } else { JournalSpan::Several };
        self.fetch(transactions);
        if self.view.start() == ExecutionPoint::Speculative {
            for transaction in transactions {
                let (address, nonce) = (transaction.signer(), transaction.nonce());
                if !self.senders.iter().any(|sender| sender.address == address) {
                    self.senders.push(Sender { address, nonce });
                }
            }
        }
    }

    /// Prefetches the locations that a batch certainly reads and writes. The cache misses then overlap. In a
    /// large block these locations are rarely in the cache. The callee of a call mostly is.
    fn fetch(&self, transactions: &[Recovered<TxEnvelope>]) {
        for transaction in transactions {
            if let Some(sender) = self.fetch_account(transaction.signer()) {
                self.view.fetch(Location::Balance(sender));
                self.view.fetch(Location::Nonce(sender));
            }
        }
        for payment in transactions.iter().filter(|transaction| transaction.input().is_empty()) {
            if let Some(paid) = payment.to().and_then(|paid| self.fetch_account(paid)) {
                self.view.fetch(Location::Balance(paid));
            }
        }
    }

    /// Returns the index of an account, if it is known. It loads the account's value without using it, so that
    /// the CPU does not wait for it.
    fn fetch_account(&self, address: Address) -> Option<AccountNumber> {
        let account = self.base.account(address).ok()?;
        // The two fields lie on the cache lines that an account takes.
        std::hint::black_box(account.info.as_ref().map(|info| (info.nonce, info.code_hash)));
        Some(account.number)
    }

    /// Adds a fee for the beneficiary that the journal does not hold.
    pub(super) fn defer_fee(&mut self, fee: U256) {
        self.fees = Some(self.fees.unwrap_or_default() + fee);
    }

    /// Makes the incarnation depend on all nonces. A transaction is invalid on the state that it found, and a
    /// nonce may be the cause.
    pub(super) const fn note_nonces(&mut self) {
        self.dependencies.note_nonces_of_all();
    }

    /// Turns the reported dependencies on the loaded accounts into expectations of the read set. Returns the
    /// fees that are still to be paid.
    pub(super) fn settle(&mut self) -> Option<U256> {
        self.dependencies.settle(&mut self.view, self.rule);
        self.fees.take()
    }

    /// Returns whether an account may have been created or destroyed since the journal was last empty.
    pub(super) const fn replaces(&self) -> bool {
        self.replaces
    }

    /// Prepares for an empty journal. Accounts will be loaded again, including the batch's own writes.
    pub(super) fn start_over(&mut self) {
        self.dependencies.clear();
        self.replaces = false;
    }

    /// Returns the account as it was loaded, with its value before the block.
    ///
    /// # Errors
    /// The account is not in the state before the block.
    pub(super) fn loaded(
        &self,
        address: Address,
        account: &Account,
    ) -> Result<Was<'_>, StateError> {
        let base = self.base.loaded(address, &account.info)?;
        let loaded = self.dependencies.loaded(base.number);
        Ok(Was { base, found: loaded.and_then(|loaded| loaded.found) })
    }

    /// Returns whether a slot of the journal differs from the value that was read.
    pub(super) fn has_changed(
        &self,
        base: &NumberedAccount,
        account: &Account,
        key: U256,
        slot: &EvmStorageSlot,
    ) -> bool {
        match self.journal {
            _ if account.is_created() => !slot.present_value.is_zero(),
            JournalSpan::One => slot.is_changed(),
            // The journal's original value is that of the slot's last transaction.
            JournalSpan::Several => {
                let listed = base.slot(key);
                let before = listed.as_ref().ok().copied().flatten();
                let before = before.map_or(U256::ZERO, |listed| listed.value);
                let found = self.view.found(slot_location(base, &listed, key));
                found.is_none_or(|found| found.over(before) != slot.present_value)
            }
        }
    }

    /// Returns a nonce and the block's writes to it. The nonce of a sender is assumed: in a valid block it is
    /// known.
    fn nonce(
        &mut self,
        account: &NumberedAccount,
        before: U256,
        certainty: Certainty,
    ) -> Result<(U256, Peek), Blocked> {
        let location = Location::Nonce(account.number);
        let sender = self.senders.iter().find(|sender| sender.address == account.address);
        match sender.filter(|_| !self.view.wrote(location)) {
            Some(sender) => {
                let value = U256::from(sender.nonce);
                self.view.expect(location, Expected::Known { before, value });
                Ok((value, Peek::Noted(Observed::default())))
            }
            None => {
                let peeked = self.peek(location, certainty)?;
                Ok((peeked.observed().over(before), peeked))
            }
        }
    }

    fn peek(&mut self, location: Location, certainty: Certainty) -> Result<Peek, Blocked> {
        match certainty {
            Certainty::Exact => self.view.read(location).map(Peek::Noted),
            Certainty::Demanded => Ok(self.view.peek(location)),
        }
    }

    /// Returns a balance. If another payment could overflow it, the incarnation depends on its exact value. No
    /// real balance is that large, but stale payments of several transactions can add up to a negative sum.
    fn balance(
        &mut self,
        location: Location,
        before: U256,
        certainty: Certainty,
    ) -> Result<Peek, Blocked> {
        let peeked = self.peek(location, certainty)?;
        match peeked {
            Peek::Open(seen) if seen.over(before).bit(U256::BITS - 1) => {
                self.view.expect(location, Expected::Exact(seen));
                Ok(Peek::Noted(seen))
            }
            peeked => Ok(peeked),
        }
    }

    fn certainty(&self, code_hash: U256, is_hollow: bool) -> Certainty {
        match self.rule {
            // Touching the account removes it, unless an earlier payment has given it a balance.
            _ if is_hollow => Certainty::Exact,
            BalanceRule::Emptiness => Certainty::Demanded,
            BalanceRule::Existence if !code_hash.is_zero() => Certainty::Demanded,
            BalanceRule::Existence => Certainty::Exact,
        }
    }

    fn load(&mut self, address: Address) -> Result<Option<AccountInfo>, WorkerError> {
        let account = self.base.account(address)?;
        let (number, base) = (account.number, account.info.as_ref());
        self.storage.wait_for_account(number);
        let before = Before::new(base);
        let code = self.view.read(Location::Code(number))?;
        let code_hash = code.over(before.code_hash);
        let was_empty = base.map(AccountInfo::is_empty);
        let lasts = was_empty == Some(false) && code == Observed::default();
        let is_hollow = self.rule == BalanceRule::Emptiness && was_empty == Some(true);
        // If a batch removes and pays this account, the journal cannot tell its two lives apart.
        self.replaces |= is_hollow;
        let certainty = self.certainty(code_hash, is_hollow);
        let (value, nonce) = self.nonce(account, before.nonce, certainty)?;
        let balance = self.balance(Location::Balance(number), before.balance, certainty)?;
        let found = before.with(balance.observed(), value, code_hash, self.spec);
        self.dependencies.add(Loaded {
            number,
            address,
            found,
            balance: balance.open(),
            before: before.balance,
            nonce: nonce.open(),
            lasts,
        });
        Ok(found.map(|found| AccountInfo {
            account_id: AccountId::new(number as usize),
            ..info(found, base, self.new_codes)
        }))
    }

    /// Loads the beneficiary. Its balance includes the deferred fees, which are thereby paid.
    fn load_beneficiary(&mut self) -> Result<Option<AccountInfo>, WorkerError> {
        let found = self.load(self.beneficiary)?;
        let Some(fees) = self.fees.take().filter(|fees| !fees.is_zero()) else {
            return Ok(found);
        };
        let mut paid = found.unwrap_or_default();
        paid.balance += fees;
        Ok(Some(paid))
    }

    fn slot(&mut self, account: &NumberedAccount, slot: U256) -> Result<U256, WorkerError> {
        let before = account.slot(slot);
        match self.view.read(slot_location(account, &before, slot))?.set {
            Some(value) => Ok(value),
            None => Ok(before?.map_or(U256::ZERO, |listed| {
                self.storage.wait_for_slot(listed.number);
                listed.value
            })),
        }
    }
}

impl BalanceTracker for StmDb<'_> {
    fn note_use(&mut self, address: Address, balance_use: BalanceUse) {
        if self.view.start() == ExecutionPoint::Speculative {
            self.dependencies.note_use(address, balance_use);
        }
    }

    fn note_replacement(&mut self) {
        self.replaces = true;
        self.dependencies.note_nonces_of_all();
    }

    fn note_emptiness_of_all(&mut self) {
        self.dependencies.note_emptiness_of_all();
    }
}

impl Database for StmDb<'_> {
    type Error = WorkerError;

    fn basic(&mut self, address: Address) -> Result<Option<AccountInfo>, WorkerError> {
        if address == self.beneficiary { self.load_beneficiary() } else { self.load(address) }
    }

    /// Each known code is attached to its account. revm calls this only for a missing code, and never for the
    /// empty one.
    fn code_by_hash(&mut self, hash: B256) -> Result<Bytecode, WorkerError> {
        Err(StateError::UnknownCode { hash }.into())
    }

    fn storage(&mut self, address: Address, slot: U256) -> Result<U256, WorkerError> {
        self.slot(self.base.account(address)?, slot)
    }

    fn storage_by_account_id(
        &mut self,
        _address: Address,
        account: AccountId,
        slot: U256,
    ) -> Result<U256, WorkerError> {
        self.slot(&self.base.accounts()[account.get()], slot)
    }

    fn block_hash(&mut self, number: u64) -> Result<B256, WorkerError> {
        Ok(self.base.block_hash(number)?)
    }
}

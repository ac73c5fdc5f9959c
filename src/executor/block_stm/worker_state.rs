//! The EVM's database in a worker: what the block wrote so far, over the state before it.

use super::{
    demands::{BalanceRule, Demand, Demands, Loaded},
    memory::{Blocked, Location, Observed},
    scheduler::Start,
    view::{Expected, View},
    writes::slot_location,
};
use crate::state::{NumberedAccount, NumberedState, StateError};
use alloy_primitives::{Address, B256, KECCAK256_EMPTY, U256, map::B256Map};
use parking_lot::RwLock;
use revm::{
    Database, bytecode::Bytecode, database_interface::DBErrorMarker, primitives::hardfork::SpecId,
    state::AccountInfo,
};

/// Codes that transactions of this block have deployed, by hash. The lock guards the whole map; a
/// code is put here before the hash is published, and never changes.
pub(super) type NewCodes = RwLock<B256Map<Bytecode>>;

/// Why a worker's read has no answer.
#[derive(Clone, Debug, thiserror::Error)]
pub(super) enum WorkerError {
    /// It met an estimate. The incarnation is dropped, so nobody sees this.
    #[error("transaction {} has to publish first", .0.on)]
    Blocked(Blocked),
    /// The state before the block does not know.
    #[error(transparent)]
    State(#[from] StateError),
}

impl From<Blocked> for WorkerError {
    fn from(blocked: Blocked) -> Self {
        Self::Blocked(blocked)
    }
}

impl DBErrorMarker for WorkerError {}

/// A transaction's sender, and the nonce that block order will have given it by then.
#[derive(Clone, Copy, Debug)]
struct Sender {
    address: Address,
    nonce: u64,
}

/// One worker's window on the state.
#[derive(Debug)]
pub(super) struct WorkerState<'a, 'm> {
    pub(super) view: View<'m>,
    base: &'a NumberedState,
    new_codes: &'a NewCodes,
    spec: SpecId,
    rule: BalanceRule,
    demands: Demands,
    sender: Option<Sender>,
}

impl<'a, 'm> WorkerState<'a, 'm> {
    pub(super) fn new(
        view: View<'m>,
        base: &'a NumberedState,
        new_codes: &'a NewCodes,
        spec: SpecId,
    ) -> Self {
        let (rule, demands) = (BalanceRule::of(spec), Demands::default());
        Self { view, base, new_codes, spec, rule, demands, sender: None }
    }

    pub(super) const fn rule(&self) -> BalanceRule {
        self.rule
    }

    /// Gets ready for a transaction that spends `spends` wei at most, and delegates if `delegates`
    /// (EIP-7702). In a valid block the sender's nonce will be the transaction's, so nobody has to wait
    /// for the sender's transactions before it.
    pub(super) fn begin(&mut self, sender: Address, nonce: u64, spends: U256, delegates: bool) {
        self.demands.clear(delegates);
        self.demands.demand(sender, Demand::Pay(spends));
        let ahead = self.view.start() == Start::Ahead;
        self.sender = ahead.then_some(Sender { address: sender, nonce });
    }

    pub(super) fn demand(&mut self, address: Address, demand: Demand) {
        self.demands.demand(address, demand);
    }

    /// The transaction is done: what it demanded becomes what it expects.
    pub(super) fn settle(&mut self) {
        if self.rule == BalanceRule::Demanded {
            self.demands.settle(&mut self.view);
        }
    }

    fn nonce(
        &mut self,
        address: Address,
        location: Location,
        before: U256,
    ) -> Result<U256, Blocked> {
        match self.sender {
            Some(sender) if sender.address == address => {
                let value = U256::from(sender.nonce);
                self.view.expect(location, Expected::Value { before, value });
                Ok(value)
            }
            _ => Ok(self.view.read(location)?.over(before)),
        }
    }

    fn balance(&mut self, location: Location) -> Result<Observed, Blocked> {
        match self.rule {
            BalanceRule::Exact => self.view.read(location),
            BalanceRule::Demanded => Ok(self.view.peek(location)),
        }
    }

    /// Whether an account without a nonce exists that the block has only ever paid. Before EIP-161 a payment of
    /// nothing made it exist, too.
    fn exists_by_payment(&self, paid: Observed) -> bool {
        if self.spec.is_enabled_in(SpecId::SPURIOUS_DRAGON) {
            !paid.over(U256::ZERO).is_zero()
        } else {
            paid.added.is_some()
        }
    }

    fn code(&self, hash: B256, base: Option<&AccountInfo>) -> Option<Bytecode> {
        if hash == KECCAK256_EMPTY {
            return Some(Bytecode::default());
        }
        match base {
            Some(info) if info.code_hash == hash => info.code.clone(),
            _ => self.new_codes.read().get(&hash).cloned(),
        }
    }
}

impl Database for WorkerState<'_, '_> {
    type Error = WorkerError;

    fn basic(&mut self, address: Address) -> Result<Option<AccountInfo>, WorkerError> {
        let NumberedAccount { number, info: base, .. } = self.base.account(address)?;
        let (number, base) = (*number, base.as_ref());
        let (hash_before, nonce_before, balance_before) = base
            .map_or((B256::ZERO, U256::ZERO, U256::ZERO), |info| {
                (info.code_hash, U256::from(info.nonce), info.balance)
            });
        let code = self.view.read(Location::Code(number))?;
        let nonce = self.nonce(address, Location::Nonce(number), nonce_before)?;
        let seen = self.balance(Location::Balance(number))?;

        let mut code_hash = B256::from(code.over(hash_before.into()));
        let bare = nonce.is_zero() && (code_hash.is_zero() || code_hash == KECCAK256_EMPTY);
        self.demands.loaded(address, Loaded { number, seen, before: balance_before, bare });
        if code_hash.is_zero() {
            if nonce.is_zero() && !self.exists_by_payment(seen) {
                return Ok(None);
            }
            code_hash = KECCAK256_EMPTY;
        }
        Ok(Some(AccountInfo {
            balance: seen.over(balance_before),
            nonce: nonce.saturating_to(),
            code_hash,
            account_id: None,
            code: self.code(code_hash, base),
        }))
    }

    /// Every known code hangs on its account, so revm only comes here for one that was not given.
    fn code_by_hash(&mut self, hash: B256) -> Result<Bytecode, WorkerError> {
        Err(StateError::UnknownCode { hash }.into())
    }

    fn storage(&mut self, address: Address, slot: U256) -> Result<U256, WorkerError> {
        let account = self.base.account(address)?;
        let before = account.slot(address, slot);
        match self.view.read(slot_location(account, &before, slot))?.set {
            Some(value) => Ok(value),
            None => Ok(before?.map_or(U256::ZERO, |listed| listed.value)),
        }
    }

    fn block_hash(&mut self, number: u64) -> Result<B256, WorkerError> {
        Ok(self.base.block_hash(number)?)
    }
}

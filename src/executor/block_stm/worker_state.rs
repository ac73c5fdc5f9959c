//! The EVM's database in a worker: what the block wrote so far, over the state before it.

use super::{
    memory::{Blocked, Location},
    view::View,
};
use crate::state::{BlockState, PreState, StateError};
use alloy_primitives::{Address, B256, KECCAK256_EMPTY, U256, map::B256Map};
use parking_lot::RwLock;
use revm::{
    Database, DatabaseRef, bytecode::Bytecode, database_interface::DBErrorMarker,
    primitives::hardfork::SpecId, state::AccountInfo,
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

/// One worker's window on the state.
#[derive(Debug)]
pub(super) struct WorkerState<'a, 'm> {
    pub(super) view: View<'m>,
    base: &'a BlockState<&'a PreState>,
    new_codes: &'a NewCodes,
    spec: SpecId,
}

impl<'a, 'm> WorkerState<'a, 'm> {
    pub(super) const fn new(
        view: View<'m>,
        base: &'a BlockState<&'a PreState>,
        new_codes: &'a NewCodes,
        spec: SpecId,
    ) -> Self {
        Self { view, base, new_codes, spec }
    }

    /// Whether an account exists for having been paid fees that are not in its code's location.
    /// Before EIP-161 a payment of nothing created an account, too.
    fn exists_by_fees(&self, added: Option<U256>) -> bool {
        let before_eip161 = !self.spec.is_enabled_in(SpecId::SPURIOUS_DRAGON);
        added.is_some_and(|sum| before_eip161 || !sum.is_zero())
    }

    fn code(&self, hash: B256, base: Option<AccountInfo>) -> Option<Bytecode> {
        if hash == KECCAK256_EMPTY {
            return Some(Bytecode::default());
        }
        match base {
            Some(info) if info.code_hash == hash => info.code,
            _ => self.new_codes.read().get(&hash).cloned(),
        }
    }
}

impl Database for WorkerState<'_, '_> {
    type Error = WorkerError;

    fn basic(&mut self, address: Address) -> Result<Option<AccountInfo>, WorkerError> {
        let code = self.view.read(Location::Code(address))?;
        let nonce = self.view.read(Location::Nonce(address))?;
        let balance = self.view.read(Location::Balance(address))?;
        let base = self.base.basic_ref(address)?;

        let hash_before = base.as_ref().map_or(B256::ZERO, |info| info.code_hash);
        let mut code_hash = B256::from(code.over(hash_before.into()));
        if code_hash.is_zero() {
            if !self.exists_by_fees(balance.added) {
                return Ok(None);
            }
            code_hash = KECCAK256_EMPTY;
        }
        let (balance_before, nonce_before) =
            base.as_ref().map_or((U256::ZERO, 0), |info| (info.balance, info.nonce));
        Ok(Some(AccountInfo {
            balance: balance.over(balance_before),
            nonce: nonce.over(U256::from(nonce_before)).saturating_to(),
            code_hash,
            account_id: None,
            code: self.code(code_hash, base),
        }))
    }

    fn code_by_hash(&mut self, hash: B256) -> Result<Bytecode, WorkerError> {
        Ok(self.base.code_by_hash_ref(hash)?)
    }

    fn storage(&mut self, address: Address, slot: U256) -> Result<U256, WorkerError> {
        match self.view.read(Location::Slot(address, slot))?.set {
            Some(value) => Ok(value),
            None => Ok(self.base.storage_ref(address, slot)?),
        }
    }

    fn block_hash(&mut self, number: u64) -> Result<B256, WorkerError> {
        Ok(self.base.block_hash_ref(number)?)
    }
}

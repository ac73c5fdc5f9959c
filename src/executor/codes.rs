//! Contracts' codes, a copy for each worker.
//!
//! A code is shared by counting who holds it. The EVM takes and drops it many times in every call, and if
//! several processors do that to one counter, they wait for each other: workers that share nothing else
//! would run no faster than about one and a half of them. So each has codes of its own, analysed before the
//! timer starts like all code. Accounts without code get none at all.

use crate::state::PreState;
use alloy_primitives::{B256, Bytes, map::B256Map};
use revm::{bytecode::Bytecode, state::AccountInfo};
use std::num::NonZeroUsize;

/// The codes of the pre-state, once for each worker.
#[derive(Debug)]
pub(super) struct Codes {
    workers: Vec<B256Map<Bytecode>>,
}

impl Codes {
    pub(super) fn new(state: &PreState, workers: NonZeroUsize) -> Self {
        let infos = || state.accounts.values().filter_map(|account| account.info.as_ref());
        let codes = |_| infos().filter_map(|info| Some((info.code_hash, copy(info)?))).collect();
        Self { workers: (0..workers.get()).map(codes).collect() }
    }

    /// Those of one worker. Workers that were not planned for share.
    pub(super) fn of(&self, worker: usize) -> &B256Map<Bytecode> {
        &self.workers[worker % self.workers.len()]
    }
}

/// A copy that shares nothing; `None` where there is no code.
fn copy(info: &AccountInfo) -> Option<Bytecode> {
    let code = info.code.as_ref().filter(|code| !code.is_empty())?;
    Bytecode::new_raw_checked(Bytes::copy_from_slice(code.original_byte_slice())).ok()
}

/// Takes the code out of an account if the pre-state has it, so that a copy can be put in its place.
pub(super) fn strip(info: &mut AccountInfo, before: Option<&AccountInfo>) {
    let is_before = |hash: B256| before.is_some_and(|before| before.code_hash == hash);
    if info.is_empty_code_hash() || is_before(info.code_hash) {
        info.code = None;
    }
}

/// Puts the worker's copy into an account that was stripped.
pub(super) fn supply(info: &mut AccountInfo, codes: &B256Map<Bytecode>) {
    if info.code.is_none() && !info.is_empty_code_hash() {
        info.code = codes.get(&info.code_hash).cloned();
    }
}

//! Contract codes, one copy for each worker.
//!
//! A code is reference-counted. The EVM clones and drops it many times in every call. Workers that
//! share one counter wait for its cache line, and speed up little with more threads even without
//! any conflict. So each worker has its own codes. They are analysed before the timer starts, as
//! all codes are. An account without code gets no copy.

use crate::state::PreState;
use alloy_primitives::{B256, Bytes, map::B256Map};
use revm::{bytecode::Bytecode, state::AccountInfo};
use std::num::NonZeroUsize;

/// Codes of the pre-state, once for each worker.
#[derive(Debug)]
pub(crate) struct Codes {
    workers: Vec<B256Map<Bytecode>>,
}

impl Codes {
    pub(crate) fn new(state: &PreState, workers: NonZeroUsize) -> Self {
        let infos = || state.accounts.values().filter_map(|account| account.info.as_ref());
        let codes = |_| infos().filter_map(|info| Some((info.code_hash, copy(info)?))).collect();
        Self { workers: (0..workers.get()).map(codes).collect() }
    }

    /// Codes of one worker. Workers beyond the planned number share copies.
    pub(crate) fn of(&self, worker: usize) -> &B256Map<Bytecode> {
        &self.workers[worker % self.workers.len()]
    }
}

/// A copy with its own reference counter; `None` for an account without code.
fn copy(info: &AccountInfo) -> Option<Bytecode> {
    let code = info.code.as_ref().filter(|code| !code.is_empty())?;
    Bytecode::new_raw_checked(Bytes::copy_from_slice(code.original_byte_slice())).ok()
}

/// Removes the code from an account if the pre-state has it. [`supply`] puts a worker's copy in its
/// place.
pub(crate) fn strip(info: &mut AccountInfo, before: Option<&AccountInfo>) {
    let is_before = |hash: B256| before.is_some_and(|before| before.code_hash == hash);
    if info.is_empty_code_hash() || is_before(info.code_hash) {
        info.code = None;
    }
}

/// Puts the worker's copy into an account that [`strip`] has emptied of its code.
pub(crate) fn supply(info: &mut AccountInfo, codes: &B256Map<Bytecode>) {
    if info.code.is_none() && !info.is_empty_code_hash() {
        info.code = codes.get(&info.code_hash).cloned();
    }
}

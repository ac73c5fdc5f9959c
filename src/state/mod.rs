//! Flat state: the known state before a block, the changes of the block, and the overlay between them.
//!
//! A [`PreState`] answers the EVM's reads from memory and contains only known values. A [`Storage`] is the
//! pre-state of one execution, with simulated latency on request. A [`BlockState`] lays the changes of a block
//! over it in block order. A [`PostState`] holds the resulting differences. A [`IndexedState`] is the
//! pre-state with dense indices for the tables of parallel executors, and [`Names`] maps the indices back. A
//! [`Watched`] database reports its reads. The `trie` module handles tries, roots and proofs; executors handle
//! reads of uncommitted parallel work.
//!
//! Correctness lives in two rules. An unknown value is an error, never zero. The EVM's result becomes state by
//! the same rules for every executor. A [`BlockState`] applies them in block order. Executors with a state of
//! their own share [`is_removed`] and [`AccountChange::between`].

mod block_state;
mod names;
mod numbered;
mod post_state;
mod pre_state;
mod storage;
mod watched;

pub use block_state::{BlockState, is_removed};
pub use names::Names;
pub use numbered::{IndexedState, NumberedAccount, NumberedSlot};
pub use post_state::{AccountChange, AccountFields, PostState, SlotValues};
pub use pre_state::{PreAccount, PreState, StateError};
pub use storage::Storage;
pub use watched::{Read, Watched};

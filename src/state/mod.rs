//! Flat state: what is known before a block, what it changed, and the overlay between the two.
//!
//! [`PreState`] answers the EVM's reads from memory and knows only what was proved; [`BlockState`]
//! lays a block's changes over it in block order; [`Storage`] is the pre-state of one execution, with a
//! latency if one is asked for; [`PostState`] is what then differs. [`NumberedState`] is the pre-state
//! again, in the form that parallel executors index their tables by, and [`Names`] the way back. Tries,
//! roots and proofs are the `trie` module's business, and reads of unfinished parallel work the
//! executors'.
//!
//! Correctness lives in two rules: what is not known is an error and never zero, and [`BlockState`]
//! is the only place where the EVM's result becomes state, for every executor alike.

mod block_state;
mod names;
mod numbered;
mod post_state;
mod pre_state;
mod storage;
mod watched;

pub use block_state::{BlockState, is_removed};
pub use names::Names;
pub use numbered::{NumberedAccount, NumberedSlot, NumberedState};
pub use post_state::{AccountChange, AccountFields, PostState};
pub use pre_state::{PreAccount, PreState, StateError};
pub use storage::Storage;
pub use watched::{Read, Watched};

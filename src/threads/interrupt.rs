//! A flag that ends running work early, such as after Ctrl-C.

use std::sync::{
    Arc,
    atomic::{AtomicBool, Ordering},
};

/// A flag that is raised once and stays raised. Clones share it.
#[derive(Clone, Debug, Default)]
pub struct Interrupt(Arc<AtomicBool>);

impl Interrupt {
    /// Raises the flag.
    pub fn raise(&self) {
        // Pairs with the load of `is_raised`. No other data depends on the flag.
        self.0.store(true, Ordering::Relaxed);
    }

    /// Whether the flag was raised.
    pub fn is_raised(&self) -> bool {
        // Pairs with the store of `raise`.
        self.0.load(Ordering::Relaxed)
    }
}

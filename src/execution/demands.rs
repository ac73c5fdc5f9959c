//! How the outcome of a transaction depends on the balances that it loads.
//!
//! revm loads a whole account for every call, balance included. Few outcomes depend on that
//! balance: receiving a payment works with any balance, and paying works with any sufficient one.
//! So loading an account is not a read of its balance. This module collects the actual dependencies
//! while the transaction runs: opcodes that return a balance (such as `BALANCE`), payments, and
//! operations that check whether an account is empty (EIP-161). At the end they become the
//! transaction's *expectations* about each balance. The transaction's own change of a balance is an
//! addition.
//!
//! The rules depend on the fork; see [`BalanceRule`].

use alloy_primitives::{Address, U256, map::AddressMap};
use revm::primitives::hardfork::SpecId;

/// When a transaction may load balances and nonces without depending on them.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum BalanceRule {
    /// Never. Since Amsterdam more operations check whether an account is empty (EIP-8037).
    Exact,
    /// If the account exists. Whether it is empty does not matter. Before EIP-161 an account can
    /// exist and be empty, and its existence matters. An executor with attempts on the pre-state
    /// does not know whether the account exists by now. Such an executor treats this as `Exact`.
    Existence,
    /// Always. Nonce, code and balance determine the whole account (EIP-161).
    Emptiness,
}

impl BalanceRule {
    pub(crate) fn of(spec: SpecId) -> Self {
        if spec.is_enabled_in(SpecId::AMSTERDAM) {
            Self::Exact
        } else if spec.is_enabled_in(SpecId::SPURIOUS_DRAGON) {
            Self::Emptiness
        } else {
            Self::Existence
        }
    }
}

/// One dependency on an account's balance.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Demand {
    /// The exact amount matters.
    Exact,
    /// This amount is paid from the balance.
    Pay(U256),
    /// Emptiness of the account matters. It depends on the balance only if the account has neither
    /// nonce nor code.
    Emptiness,
}

/// A database that collects the dependencies of a transaction on balances.
pub(crate) trait Demanding {
    /// Adds a dependency on the account's balance.
    fn demand(&mut self, address: Address, demand: Demand);

    /// The transaction may create or destroy an account from now on.
    fn note_replacement(&mut self) {}
}

/// A balance that was loaded. `look` holds what the database has to remember about the load.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Loaded<L> {
    pub(crate) address: Address,
    pub(crate) balance: U256,
    /// Neither nonce nor code. The balance alone decides whether the account is empty.
    pub(crate) bare: bool,
    pub(crate) look: L,
}

/// The dependency of the outcome on a balance.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Need {
    /// The exact amount that was loaded.
    Exact,
    /// At least this amount.
    AtLeast(U256),
}

/// All dependencies of a transaction on one account's balance.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Wanted {
    pub(crate) exact: bool,
    /// Whether emptiness of the account matters. For an account with nonce or code the caller has
    /// to clear this before it calls [`Wanted::need`].
    pub(crate) emptiness: bool,
    /// Sum of all payments.
    paid: U256,
}

impl Wanted {
    pub(crate) const fn add(&mut self, demand: Demand) {
        match demand {
            Demand::Exact => self.exact = true,
            Demand::Emptiness => self.emptiness = true,
            // The sum suffices in every order, with any incoming payments in between.
            Demand::Pay(amount) => self.paid = self.paid.saturating_add(amount),
        }
    }

    /// The dependency on a balance of this amount.
    pub(crate) fn need(self, balance: U256) -> Option<Need> {
        match self.paid {
            _ if self.exact || self.emptiness => Some(Need::Exact),
            U256::ZERO => None,
            minimum if balance >= minimum => Some(Need::AtLeast(minimum)),
            _ => Some(Need::Exact),
        }
    }
}

/// Dependencies of one transaction on the balances that it loaded.
#[derive(Debug)]
pub(crate) struct Demands<L> {
    loaded: Vec<Loaded<L>>,
    demanded: AddressMap<Wanted>,
    /// Whether emptiness of every account matters. EIP-7702 checks it for authorities.
    emptiness_matters: bool,
}

impl<L> Default for Demands<L> {
    fn default() -> Self {
        Self { loaded: Vec::new(), demanded: AddressMap::default(), emptiness_matters: false }
    }
}

impl<L> Demands<L> {
    /// Starts over for the next transaction.
    pub(crate) fn clear(&mut self, emptiness_matters: bool) {
        self.loaded.clear();
        self.demanded.clear();
        self.emptiness_matters = emptiness_matters;
    }

    pub(crate) fn demand(&mut self, address: Address, demand: Demand) {
        self.demanded.entry(address).or_default().add(demand);
    }

    pub(crate) fn loaded(&mut self, loaded: Loaded<L>) {
        self.loaded.push(loaded);
    }

    /// Dependencies of the transaction. Each account occurs at most once.
    pub(crate) fn needs(&self) -> impl Iterator<Item = (Address, &L, Need)> {
        let need = |loaded: &Loaded<L>| self.need(loaded);
        self.loaded
            .iter()
            .filter_map(move |loaded| need(loaded).map(|need| (loaded.address, &loaded.look, need)))
    }

    fn need(&self, loaded: &Loaded<L>) -> Option<Need> {
        let mut wanted = self.demanded.get(&loaded.address).copied().unwrap_or_default();
        wanted.emptiness |= self.emptiness_matters;
        wanted.emptiness &= loaded.bare;
        wanted.need(loaded.balance)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const ALICE: Address = Address::repeat_byte(0xa1);

    /// The dependency on Alice's balance, which is 105 wei.
    fn need(demands: &[Demand], bare: bool) -> Option<Need> {
        let mut all = Demands::default();
        for demand in demands {
            all.demand(ALICE, *demand);
        }
        all.demand(Address::ZERO, Demand::Exact);
        all.loaded(Loaded { address: ALICE, balance: U256::from(105), bare, look: () });
        all.needs().next().map(|(_, (), need)| need)
    }

    fn pay(amount: u64) -> Demand {
        Demand::Pay(U256::from(amount))
    }

    #[test]
    fn a_loaded_balance_is_no_dependency_by_itself() {
        assert_eq!(need(&[], true), None);
        assert_eq!(need(&[Demand::Emptiness], false), None);
    }

    #[test]
    fn payments_depend_on_their_sum() {
        let enough = |minimum| Some(Need::AtLeast(U256::from(minimum)));
        assert_eq!(need(&[pay(60)], true), enough(60));
        assert_eq!(need(&[pay(60), pay(45)], true), enough(105));
    }

    #[test]
    fn an_insufficient_balance_is_an_exact_dependency() {
        assert_eq!(need(&[pay(60), pay(46)], true), Some(Need::Exact));
        assert_eq!(need(&[pay(1), Demand::Exact], true), Some(Need::Exact));
        assert_eq!(need(&[Demand::Emptiness], true), Some(Need::Exact));
    }
}

//! What a transaction's outcome depends on of the balances it loaded.
//!
//! revm loads an account as a whole, balance included, for every call. Few transactions care what that
//! balance is: to be paid works with any, and to pay works with any that is enough. So a balance is
//! looked at without a note when its account is loaded, and what depends on it is collected here while
//! the transaction runs: who looked (`BALANCE` and its like), who paid how much, and where it mattered
//! whether an account is empty (EIP-161). When the transaction is done, that becomes what the
//! transaction *expects* of the balance, and its own change of it is an addition.
//!
//! What an account is has changed over the forks; see [`BalanceRule`].

use alloy_primitives::{Address, U256, map::AddressMap};
use revm::primitives::hardfork::SpecId;

/// When balances and nonces may be looked at without depending on them.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum BalanceRule {
    /// Never. In Amsterdam more of the protocol asks whether an account is empty (EIP-8037).
    Exact,
    /// If the account exists; emptiness does not matter. Before EIP-161 an account can exist with nothing
    /// in it, and existing makes a difference. Where attempts see nothing but the state before the block, nobody
    /// can tell whether it does by now, and this is `Exact`.
    Existence,
    /// Always: an account is what its nonce, code and balance are (EIP-161).
    Emptiness,
}

impl BalanceRule {
    pub(super) fn of(spec: SpecId) -> Self {
        if spec.is_enabled_in(SpecId::AMSTERDAM) {
            Self::Exact
        } else if spec.is_enabled_in(SpecId::SPURIOUS_DRAGON) {
            Self::Emptiness
        } else {
            Self::Existence
        }
    }
}

/// What the transaction wants of one account's balance.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Demand {
    /// The exact amount.
    Exact,
    /// To pay this from it.
    Pay(U256),
    /// To know whether the account is empty, which is a matter of its balance only if it has neither
    /// nonce nor code.
    Emptiness,
}

/// A database that is told what its transaction wants of balances.
pub(super) trait Demanding {
    /// The transaction wants this of the account's balance.
    fn demand(&mut self, address: Address, demand: Demand);

    /// The transaction may create or destroy an account from now on.
    fn note_replacement(&mut self) {}
}

/// A balance that was looked at, and how: whatever the database wants to know of it afterwards.
#[derive(Clone, Copy, Debug)]
pub(super) struct Loaded<L> {
    pub(super) address: Address,
    pub(super) balance: U256,
    /// Neither nonce nor code, so that the balance alone decides whether the account is empty.
    pub(super) bare: bool,
    pub(super) look: L,
}

/// What of a balance the outcome depends on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Need {
    /// The amount that was seen.
    Exact,
    /// That there is as much.
    AtLeast(U256),
}

/// All that was demanded of one account's balance.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Wanted {
    pub(super) exact: bool,
    /// Whether it matters that the account is empty. Only its balance says so where it has neither nonce nor code, and
    /// elsewhere this is to be taken back before asking for the need.
    pub(super) emptiness: bool,
    /// In all.
    paid: U256,
}

impl Wanted {
    pub(super) const fn add(&mut self, demand: Demand) {
        match demand {
            Demand::Exact => self.exact = true,
            Demand::Emptiness => self.emptiness = true,
            // What is paid in all is enough in any order, with any payments received in between.
            Demand::Pay(amount) => self.paid = self.paid.saturating_add(amount),
        }
    }

    /// What of the balance, of which there was so much, the outcome depends on.
    pub(super) fn need(self, balance: U256) -> Option<Need> {
        match self.paid {
            _ if self.exact || self.emptiness => Some(Need::Exact),
            U256::ZERO => None,
            minimum if balance >= minimum => Some(Need::AtLeast(minimum)),
            _ => Some(Need::Exact),
        }
    }
}

/// Demands of one transaction on the balances it loaded.
#[derive(Debug)]
pub(super) struct Demands<L> {
    loaded: Vec<Loaded<L>>,
    demanded: AddressMap<Wanted>,
    /// Whether emptiness of all accounts matters: EIP-7702 asks for that of authorities.
    emptiness_matters: bool,
}

impl<L> Default for Demands<L> {
    fn default() -> Self {
        Self { loaded: Vec::new(), demanded: AddressMap::default(), emptiness_matters: false }
    }
}

impl<L> Demands<L> {
    /// Starts over for another transaction.
    pub(super) fn clear(&mut self, emptiness_matters: bool) {
        self.loaded.clear();
        self.demanded.clear();
        self.emptiness_matters = emptiness_matters;
    }

    pub(super) fn demand(&mut self, address: Address, demand: Demand) {
        self.demanded.entry(address).or_default().add(demand);
    }

    pub(super) fn loaded(&mut self, loaded: Loaded<L>) {
        self.loaded.push(loaded);
    }

    /// What the transaction depends on, each account at most once.
    pub(super) fn needs(&self) -> impl Iterator<Item = (Address, &L, Need)> {
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

    /// What is needed of Alice, who has 105 wei.
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
    fn a_balance_that_nobody_asks_for_is_not_depended_on() {
        assert_eq!(need(&[], true), None);
        assert_eq!(need(&[Demand::Emptiness], false), None);
    }

    #[test]
    fn payments_depend_on_there_being_enough_for_all() {
        let enough = |minimum| Some(Need::AtLeast(U256::from(minimum)));
        assert_eq!(need(&[pay(60)], true), enough(60));
        assert_eq!(need(&[pay(60), pay(45)], true), enough(105));
    }

    #[test]
    fn what_may_not_be_enough_is_depended_on_exactly() {
        assert_eq!(need(&[pay(60), pay(46)], true), Some(Need::Exact));
        assert_eq!(need(&[pay(1), Demand::Exact], true), Some(Need::Exact));
        assert_eq!(need(&[Demand::Emptiness], true), Some(Need::Exact));
    }
}

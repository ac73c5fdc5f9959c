//! What a transaction's outcome depends on of the balances it loaded.
//!
//! revm loads an account as a whole, balance included, for every call. Few transactions care what that
//! balance is: to be paid works with any, and to pay works with any that is enough. So a balance is
//! looked at without a note when its account is loaded, and what depends on it is collected here while
//! the transaction runs: who looked (`BALANCE` and its like), who paid how much, and where it mattered
//! whether an account is empty (EIP-161). When the transaction is done, that becomes what the
//! transaction *expects* of the balance, and its own change of it is an addition.
//!
//! This holds from Spurious Dragon, when an account became the same as its nonce, code and balance, to
//! Osaka; see [`BalanceRule`].

use super::{
    memory::{AccountNumber, Location, Observed},
    view::{Expected, View},
};
use alloy_primitives::{Address, U256};
use revm::primitives::hardfork::SpecId;

/// Whether balances may be looked at without depending on them.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum BalanceRule {
    /// Every load depends on the exact balance. Before EIP-161 an account can exist with nothing in
    /// it, and in Amsterdam more of the protocol asks whether an account is empty (EIP-8037).
    Exact,
    /// A load depends on what was demanded.
    Demanded,
}

impl BalanceRule {
    pub(super) fn of(spec: SpecId) -> Self {
        let since_eip161 = spec.is_enabled_in(SpecId::SPURIOUS_DRAGON);
        if since_eip161 && !spec.is_enabled_in(SpecId::AMSTERDAM) {
            Self::Demanded
        } else {
            Self::Exact
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

/// A balance that was looked at.
#[derive(Clone, Copy, Debug)]
pub(super) struct Loaded {
    pub(super) number: AccountNumber,
    /// What the block had written to it.
    pub(super) seen: Observed,
    /// The balance before the block.
    pub(super) before: U256,
    /// Neither nonce nor code, so that the balance alone decides whether the account is empty.
    pub(super) bare: bool,
}

/// Demands of one transaction on the balances it loaded.
#[derive(Debug, Default)]
pub(super) struct Demands {
    loaded: Vec<(Address, Loaded)>,
    demanded: Vec<(Address, Demand)>,
    /// Whether emptiness of all accounts matters: EIP-7702 asks for that of authorities.
    emptiness_matters: bool,
}

impl Demands {
    /// Starts over for another transaction.
    pub(super) fn clear(&mut self, emptiness_matters: bool) {
        self.loaded.clear();
        self.demanded.clear();
        self.emptiness_matters = emptiness_matters;
    }

    pub(super) fn demand(&mut self, address: Address, demand: Demand) {
        self.demanded.push((address, demand));
    }

    pub(super) fn loaded(&mut self, address: Address, loaded: Loaded) {
        self.loaded.push((address, loaded));
    }

    /// Turns the demands into expectations of the view.
    pub(super) fn settle(&self, view: &mut View<'_>) {
        for (address, loaded) in &self.loaded {
            if let Some(expected) = self.expected(*address, loaded) {
                view.expect(Location::Balance(loaded.number), expected);
            }
        }
    }

    fn expected(&self, address: Address, loaded: &Loaded) -> Option<Expected> {
        let exact = Some(Expected::Seen(loaded.seen));
        if self.emptiness_matters && loaded.bare {
            return exact;
        }
        let mut paid = U256::ZERO;
        for (_, demand) in self.demanded.iter().filter(|(of, _)| *of == address) {
            match demand {
                Demand::Exact => return exact,
                Demand::Emptiness if loaded.bare => return exact,
                Demand::Emptiness => {}
                Demand::Pay(amount) => paid = paid.saturating_add(*amount),
            }
        }
        // What is paid in all is enough in any order, with any payments received in between.
        let before = loaded.before;
        match paid {
            U256::ZERO => None,
            minimum if loaded.seen.over(before) >= minimum => {
                Some(Expected::AtLeast { before, minimum })
            }
            _ => exact,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const ALICE: Address = Address::repeat_byte(0xa1);

    /// What is expected of Alice, who had 100 wei before the block and was paid 5 in it.
    fn expected(demands: &[Demand], bare: bool) -> Option<Expected> {
        let mut all = Demands::default();
        for demand in demands {
            all.demand(ALICE, *demand);
        }
        all.demand(Address::ZERO, Demand::Exact);
        let seen = Observed { set: None, added: Some(U256::from(5)) };
        all.expected(ALICE, &Loaded { number: 0, seen, before: U256::from(100), bare })
    }

    fn pay(amount: u64) -> Demand {
        Demand::Pay(U256::from(amount))
    }

    #[test]
    fn a_balance_that_nobody_asks_for_is_not_depended_on() {
        assert_eq!(expected(&[], true), None);
        assert_eq!(expected(&[Demand::Emptiness], false), None);
    }

    #[test]
    fn payments_depend_on_there_being_enough_for_all() {
        let enough = |minimum| {
            Some(Expected::AtLeast { before: U256::from(100), minimum: U256::from(minimum) })
        };
        assert_eq!(expected(&[pay(60)], true), enough(60));
        assert_eq!(expected(&[pay(60), pay(45)], true), enough(105));
    }

    #[test]
    fn what_may_not_be_enough_is_depended_on_exactly() {
        assert!(matches!(expected(&[pay(60), pay(46)], true), Some(Expected::Seen(_))));
        assert!(matches!(expected(&[pay(1), Demand::Exact], true), Some(Expected::Seen(_))));
        assert!(matches!(expected(&[Demand::Emptiness], true), Some(Expected::Seen(_))));
    }
}

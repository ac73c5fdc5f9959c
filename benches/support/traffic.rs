//! Large blocks with one kind of transaction each.

use super::{
    contracts::{self, PoolCode, allowance_slot, balance_slot, pool_slots, word},
    scene::{Call, Scene, address},
};
use alloy_hardforks::EthereumHardfork;
use alloy_primitives::{Address, Bytes, U256};
use blockrace::block::ReplayJob;
use rand::{RngExt, SeedableRng, rngs::Xoshiro256PlusPlus};

/// Gas limit of a block, more than any of them uses.
const GAS_LIMIT: u64 = 30_000_000_000;
/// Gas limit of a swap. It suffices under Amsterdam, where a new slot costs more (EIP-8037).
pub(crate) const SWAP_LIMIT: u64 = 1_000_000;
/// Percentage of transactions at hot spots, in a block that has them.
const HOT_PERCENT: u32 = 30;
/// Number of accounts that send and receive hot transactions.
const HOT_ACCOUNTS: usize = 10;
/// Number of pools that hot swaps use.
const HOT_POOLS: usize = 4;
/// Balance of a token holder.
const PLENTY: u128 = 1_000_000_000_000_000_000_000_000;
/// Amount that a swap sells.
const SOLD: u128 = 500_000_000_000_000_000;

/// Kind of a block's transactions.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Kind {
    /// Ether, from one account to another.
    Transfer,
    /// One token, from one holder to another.
    Erc20,
    /// A sale through a router, at a pool of two tokens.
    Swap,
}

/// How often transactions conflict.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Traffic {
    /// Never: accounts, holders and pools are distinct.
    Independent,
    /// Some transactions use the same few accounts, or the same few pools.
    Hot,
}

/// Chooses the accounts and pools of each transaction. Every run makes the same choice.
struct Draw {
    traffic: Traffic,
    rng: Xoshiro256PlusPlus,
}

impl Draw {
    fn new(traffic: Traffic) -> Self {
        Self { traffic, rng: Xoshiro256PlusPlus::seed_from_u64(4) }
    }

    fn is_hot(&mut self) -> bool {
        self.traffic == Traffic::Hot && self.rng.random_range(0..100) < HOT_PERCENT
    }

    /// Sender and recipient of the transaction at `index`.
    fn pair(&mut self, index: usize) -> [Address; 2] {
        if !self.is_hot() {
            return [address("sender", index), address("recipient", index)];
        }
        let from = self.rng.random_range(0..HOT_ACCOUNTS);
        let step = self.rng.random_range(1..HOT_ACCOUNTS);
        [from, (from + step) % HOT_ACCOUNTS].map(|number| address("hot", number))
    }

    /// Number of the pool of the transaction at `index`.
    fn pool(&mut self, index: usize) -> usize {
        match self.is_hot() {
            true => self.rng.random_range(0..HOT_POOLS),
            false => HOT_POOLS + index,
        }
    }
}

impl Kind {
    /// All kinds, with the number of transactions that use about a gigagas.
    pub(crate) const ALL: [(Self, usize); 3] =
        [(Self::Transfer, 47_620), (Self::Erc20, 37_123), (Self::Swap, 6_413)];

    /// A block with this number of transactions, ready to execute.
    pub(crate) fn block(self, transactions: usize, traffic: Traffic) -> ReplayJob {
        self.scene(transactions, traffic).job_of(EthereumHardfork::Cancun, GAS_LIMIT)
    }

    /// The state and the transactions of such a block.
    pub(crate) fn scene(self, transactions: usize, traffic: Traffic) -> Scene {
        let draw = Draw::new(traffic);
        match self {
            Self::Transfer => transfers(transactions, draw),
            Self::Erc20 => token_transfers(transactions, draw),
            Self::Swap => swaps(transactions, draw),
        }
    }
}

fn transfers(transactions: usize, mut draw: Draw) -> Scene {
    let mut scene = Scene::default();
    for index in 0..transactions {
        let [from, to] = draw.pair(index);
        scene.fund(from);
        scene.fund(to);
        scene.send(from, Call { to, value: 1, input: Bytes::new(), gas_limit: 21_000 });
    }
    scene
}

fn token_transfers(transactions: usize, mut draw: Draw) -> Scene {
    let mut scene = Scene::default();
    let token = address("token", 0);
    scene.deploy(token, contracts::token());
    for index in 0..transactions {
        let [from, to] = draw.pair(index);
        scene.fund(from);
        for holder in [from, to] {
            scene.set(token, balance_slot(holder), U256::from(PLENTY));
        }
        let input = contracts::call("transfer(address,uint256)", &[word(to), U256::from(900)]);
        scene.send(from, Call { to: token, value: 0, input, gas_limit: 60_000 });
    }
    scene
}

fn swaps(transactions: usize, mut draw: Draw) -> Scene {
    let mut scene = Scene::default();
    let mut market = Market::new(&mut scene);
    for index in 0..transactions {
        let (pool, seller) = (draw.pool(index), address("sender", index));
        scene.fund(seller);
        market.open(&mut scene, pool);
        let token = address("token0", pool);
        scene.set(token, balance_slot(seller), U256::from(PLENTY));
        scene.set(token, allowance_slot(seller, market.router), U256::from(PLENTY));
        let arguments = [word(address("pool", pool)), word(token), U256::from(SOLD)];
        let input = contracts::call("sell(address,address,uint256)", &arguments);
        scene.send(seller, Call { to: market.router, value: 0, input, gas_limit: SWAP_LIMIT });
    }
    scene
}

/// A router, and pools that are deployed on demand.
struct Market {
    router: Address,
    pool_code: PoolCode,
    token_code: Bytes,
}

impl Market {
    fn new(scene: &mut Scene) -> Self {
        let router = address("router", 0);
        scene.deploy(router, contracts::router());
        Self { router, pool_code: PoolCode::new(), token_code: contracts::token() }
    }

    /// Deploys a pool and its tokens, and gives it a balance of each. A second call changes
    /// nothing.
    fn open(&mut self, scene: &mut Scene, number: usize) {
        let pool = address("pool", number);
        let tokens = ["token0", "token1"].map(|role| address(role, number));
        for token in tokens {
            scene.deploy(token, self.token_code.clone());
            scene.set(token, balance_slot(pool), U256::from(PLENTY));
        }
        scene.deploy(pool, self.pool_code.of(tokens));
        for (slot, value) in pool_slots() {
            scene.set(pool, slot, value);
        }
    }
}

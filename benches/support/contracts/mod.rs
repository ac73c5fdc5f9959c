//! A token, a pool of two tokens and a router, assembled, with their storage layouts.
//!
//! The pool repeats the steps of a Uniswap V3 swap, in the same order:
//!
//! 1. It locks itself, finds the next tick in the bitmap, and computes its price.
//! 2. It computes one step of the swap with 512-bit products, and updates fees and the observation.
//! 3. It computes the tick of the new price, and pays out.
//! 4. It calls back for the payment, and reads its balance before and after.
//! 5. It emits an event and unlocks itself.
//!
//! The pool supports only prices above one, and never crosses a tick. With the router and a token's
//! usual share of storage writes, a sale to a fresh pool uses about 155,000 gas.

use super::assembler::{assemble, selector};
use alloy_primitives::{Address, Bytes, U256, U512, keccak256};
use std::fmt::Write;

/// Ticks with liquidity are multiples of this.
const SPACING: u64 = 60;
/// Initial tick of a pool, a little above a multiple of [`SPACING`].
const TICK: u64 = 6_030;
/// Liquidity of a pool.
const LIQUIDITY: u128 = 1_000_000_000_000_000_000_000_000;
/// Fee in millionths of the sold amount, and the divisor that gives the protocol's share of the
/// fee.
const FEE: u64 = 3_000;
const PROTOCOL_PART: u64 = 10;
/// The unlocked bit of a pool's first slot.
const UNLOCKED: usize = 240;

/// The token's code.
pub(crate) fn token() -> Bytes {
    assemble(include_str!("erc20.evm"), &[])
}

/// The router's code.
pub(crate) fn router() -> Bytes {
    assemble(include_str!("router.evm"), &[])
}

/// Source of the pools, without their tokens.
pub(crate) struct PoolCode(String);

impl PoolCode {
    pub(crate) fn new() -> Self {
        let mut source = include_str!("pool.evm").to_owned();
        most_significant_bit(&mut source);
        price_at_tick(&mut source);
        tick_at_price(&mut source);
        Self(source)
    }

    /// The code of the pool that buys the first token for the second. It contains the addresses of
    /// both.
    pub(crate) fn of(&self, [token0, token1]: [Address; 2]) -> Bytes {
        let below = U256::ONE << 122;
        let constants = [
            ("token0", word(token0)),
            ("token1", word(token1)),
            ("spacing", U256::from(SPACING)),
            ("keptOfMillion", U256::from(1_000_000 - FEE)),
            ("protocolPart", U256::from(PROTOCOL_PART)),
            ("ticksPerDoubling", U256::from(ticks_per_doubling())),
            ("below", below),
            // Fourteen bits of a logarithm leave 0.85 of a tick undetermined.
            ("above", below * U256::from(56)),
        ];
        assemble(&self.0, &constants)
    }
}

/// The slots of a pool, before the block.
pub(crate) fn pool_slots() -> Vec<(U256, U256)> {
    let price = 1.000_1_f64.powf((TICK as f64 + 0.5) / 2.0) * 64_f64.exp2();
    let price = U256::from(price as u128) << 32;
    let compressed = U256::from(TICK / SPACING);
    let first = price | (U256::from(TICK) << 160) | (U256::ONE << UNLOCKED);
    let word = mapping_slot(compressed >> 8, U256::from(6));
    vec![
        (U256::ZERO, first),
        (U256::ONE, U256::from(LIQUIDITY)),
        (U256::from(4), U256::from(LIQUIDITY)),
        (word, U256::ONE << (compressed & U256::from(255)).to::<usize>()),
        (U256::from(8), U256::from(1_000)),
    ]
}

/// The slot of a holder's balance in a token.
pub(crate) fn balance_slot(holder: Address) -> U256 {
    mapping_slot(word(holder), U256::ZERO)
}

/// The slot of an allowance in a token.
pub(crate) fn allowance_slot(owner: Address, spender: Address) -> U256 {
    mapping_slot(word(spender), mapping_slot(word(owner), U256::ONE))
}

/// Calldata of a call.
pub(crate) fn call(function: &str, arguments: &[U256]) -> Bytes {
    let mut data = selector(function).to_be_bytes::<32>()[28..].to_vec();
    data.extend(arguments.iter().flat_map(U256::to_be_bytes::<32>));
    data.into()
}

/// An address as an argument.
pub(crate) fn word(address: Address) -> U256 {
    address.into_word().into()
}

fn mapping_slot(key: U256, mapping: U256) -> U256 {
    keccak256([key.to_be_bytes::<32>(), mapping.to_be_bytes()].concat()).into()
}

/// Number of ticks that double the square root of a price, with 64 fractional bits.
fn ticks_per_doubling() -> u128 {
    (64_f64.exp2() / (1.000_1_f64.log2() / 2.0)) as u128
}

/// `mostSignificantBit`: of `.x`, into `.bit`.
fn most_significant_bit(source: &mut String) {
    source.push_str("mostSignificantBit: 0 =bit\n");
    for bits in [128, 64, 32, 16, 8, 4, 2, 1] {
        _ = writeln!(
            source,
            ".x {bits} SHR ISZERO @less{bits} JUMPI .x {bits} SHR =x .bit {bits} ADD =bit less{bits}:"
        );
    }
    source.push_str("JUMP\n");
}

/// `priceAtTick`: the square root of 1.0001 to the power of a positive tick, from squares of its
/// inverse.
fn price_at_tick(source: &mut String) {
    source.push_str("priceAtTick: SWAP1 =exponent 1 128 SHL =ratio\n");
    let tenthousandth: U512 = (U512::ONE << 256) * U512::from(10_000) / U512::from(10_001);
    let mut factor: U256 = tenthousandth.root(2).to();
    for bit in 0..20 {
        _ = writeln!(
            source,
            ".exponent {} AND ISZERO @unset{bit} JUMPI .ratio {factor} MUL 128 SHR =ratio unset{bit}:",
            1 << bit
        );
        factor = (factor * factor) >> 128;
    }
    source.push_str(".ratio 0 NOT DIV =ratio\n");
    source.push_str(".ratio 32 SHR .ratio 0xffffffff AND ISZERO ISZERO ADD SWAP1 JUMP\n");
}

/// `tickAtPrice`: of `.after`, into `.tick`. It computes a logarithm to fourteen bits. If that
/// leaves two ticks, it compares prices.
fn tick_at_price(source: &mut String) {
    source.push_str("tickAtPrice: .after 32 SHL =wide .wide =x !mostSignificantBit\n");
    source.push_str(".wide 127 .bit SUB SHR =r 128 .bit SUB 64 SHL =log\n");
    for bit in (50..64).rev() {
        _ = writeln!(
            source,
            ".r .r MUL 127 SHR =r .r 128 SHR =f .f {bit} SHL .log OR =log .r .f SHR =r"
        );
    }
    source.push_str(".log $ticksPerDoubling MUL =log\n");
    source.push_str("$below .log SUB 128 SHR =tick .log $above ADD 128 SHR =higher\n");
    source.push_str(".tick .higher EQ @found JUMPI\n");
    source.push_str(".after .higher !priceAtTick GT @found JUMPI .higher =tick found: JUMP\n");
}

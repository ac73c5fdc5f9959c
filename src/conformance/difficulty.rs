//! Computes the difficulty of a block before the merge (Yellow Paper, section 4.3.4).

use crate::evm::Chain;
use alloy_consensus::{EMPTY_OMMER_ROOT_HASH, Header};
use alloy_hardforks::EthereumHardfork;
use alloy_primitives::U256;

/// Minimum difficulty.
const MINIMUM: U256 = U256::from_limbs([131_072, 0, 0, 0]);

/// The difficulty of a block. It follows from the number and time of its header, and from its parent.
pub(super) fn difficulty(chain: &Chain, header: &Header, parent: &Header) -> U256 {
    let step = parent.difficulty / U256::from(2048);
    let elapsed = header.timestamp.saturating_sub(parent.timestamp);
    // Number of steps up and down.
    let (up, down) = if chain.is_active(EthereumHardfork::Byzantium, header) {
        // EIP-100: ommers of the parent count as a short block time.
        let fast = if parent.ommers_hash == EMPTY_OMMER_ROOT_HASH { 1 } else { 2 };
        steps(fast, elapsed / 9)
    } else if chain.is_active(EthereumHardfork::Homestead, header) {
        // EIP-2.
        steps(1, elapsed / 10)
    } else if elapsed < 13 {
        (1, 0)
    } else {
        (0, 1)
    };
    let adjusted = parent.difficulty.saturating_add(step.saturating_mul(U256::from(up)));
    let adjusted = adjusted.saturating_sub(step.saturating_mul(U256::from(down)));
    adjusted.max(MINIMUM).saturating_add(bomb(chain, header))
}

/// `fast - slow`, at most 99 down.
fn steps(fast: u64, slow: u64) -> (u64, u64) {
    (fast.saturating_sub(slow), slow.saturating_sub(fast).min(99))
}

/// The difficulty bomb. It doubles every 100,000 blocks, and several forks delay it.
fn bomb(chain: &Chain, header: &Header) -> U256 {
    use EthereumHardfork::{
        ArrowGlacier, Byzantium, Constantinople, GrayGlacier, London, MuirGlacier,
    };
    let delays = [
        (GrayGlacier, 11_400_000),
        (ArrowGlacier, 10_700_000),
        (London, 9_700_000),
        (MuirGlacier, 9_000_000),
        (Constantinople, 5_000_000),
        (Byzantium, 3_000_000),
    ];
    let active = delays.into_iter().find(|(fork, _)| chain.is_active(*fork, header));
    let delay = active.map_or(0, |(_, delay)| delay);
    let period = header.number.saturating_sub(delay) / 100_000;
    match period.checked_sub(2) {
        None => U256::ZERO,
        Some(doublings) => U256::ONE.checked_shl(doublings as usize).unwrap_or(U256::MAX),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Headers of mainnet: number, time and difficulty, then time and difficulty of the parent.
    #[test]
    fn mainnet_blocks_have_the_computed_difficulty() {
        for (number, time, difficulty_of, parent_time, parent_difficulty) in [
            (1, 1_438_269_988, 17_171_480_576_u64, 0, 17_179_869_184_u64),
            (2, 1_438_270_017, 17_163_096_064, 1_438_269_988, 17_171_480_576),
        ] {
            let chain = Chain::from_id(1).expect("mainnet is known");
            let parent = Header {
                number: number - 1,
                timestamp: parent_time,
                difficulty: U256::from(parent_difficulty),
                ..Default::default()
            };
            let header = Header { number, timestamp: time, ..Default::default() };
            assert_eq!(difficulty(&chain, &header, &parent), U256::from(difficulty_of));
        }
    }

    #[test]
    fn the_bomb_doubles_and_is_delayed() {
        let chain = Chain::from_id(1).expect("mainnet is known");
        let bomb_at = |number| bomb(&chain, &Header { number, ..Default::default() });
        assert_eq!(bomb_at(199_999), U256::ZERO);
        assert_eq!(bomb_at(200_000), U256::ONE);
        assert_eq!(bomb_at(4_369_999), U256::ONE << 41);
        assert_eq!(bomb_at(4_370_000), U256::ONE << 11);
        assert_eq!(bomb_at(15_050_000), U256::ONE << 34);
    }
}

//! The genesis block and the fork id (EIP-2124) of a known chain.
//!
//! Two chains may have one id and the same forks. Their genesis blocks tell them apart, and so do the fork ids that
//! nodes state in `eth_config` (EIP-7910). A fork id is a checksum of the genesis hash and the past forks.

use super::{Activation, ChainRules, CurrentRules, Disagreement};
use alloy_consensus::constants::{
    HOLESKY_GENESIS_HASH, HOODI_GENESIS_HASH, MAINNET_GENESIS_HASH, SEPOLIA_GENESIS_HASH,
};
use alloy_eips::eip2124::ForkHash;
use alloy_hardforks::EthereumHardfork as Fork;
use alloy_primitives::{B256, hex};
use std::collections::BTreeSet;

/// Sepolia.
const SEPOLIA: u64 = 11_155_111;

/// The block that Sepolia's nodes count as a fork, to part from nodes that missed the merge.
const SEPOLIA_NETSPLIT: u64 = 1_735_371;

/// The hash of the genesis block of a known chain.
fn genesis(id: u64) -> Option<B256> {
    match id {
        1 => Some(MAINNET_GENESIS_HASH),
        SEPOLIA => Some(SEPOLIA_GENESIS_HASH),
        17_000 => Some(HOLESKY_GENESIS_HASH),
        560_048 => Some(HOODI_GENESIS_HASH),
        _ => None,
    }
}

impl ChainRules {
    /// Compares the genesis block of a node with that of this known chain.
    ///
    /// # Errors
    /// [`Disagreement`] if they differ.
    pub fn check_genesis(&self, stated: B256) -> Result<(), Disagreement> {
        match genesis(self.id).filter(|known| *known != stated) {
            Some(known) => {
                Err(self.differs(format!("the genesis block {known}"), stated.to_string()))
            }
            None => Ok(()),
        }
    }

    /// Compares the fork id that a node states with that of this known chain. A node that knows a newer fork states an
    /// id that these rules cannot have.
    ///
    /// # Errors
    /// [`Disagreement`] if they differ.
    pub fn check_fork_id(&self, stated: &CurrentRules) -> Result<(), Disagreement> {
        let (Some(theirs), Some(genesis)) = (stated.fork_id, genesis(self.id)) else {
            return Ok(());
        };
        let (_, last) = self.newest_at(u64::MAX);
        let ours = self.fork_hash_at(genesis, stated.since);
        if stated.since > last || ours.0 == theirs {
            return Ok(());
        }
        let id = |hash: [u8; 4]| hex::encode_prefixed(hash);
        let known = format!("the fork id {} at time {}", id(ours.0), stated.since);
        Err(self.differs(known, id(theirs)))
    }

    /// The checksum of the genesis block and of all forks up to a time. Forks at genesis do not count.
    fn fork_hash_at(&self, genesis: B256, time: u64) -> ForkHash {
        let (mut numbers, mut times) = (BTreeSet::new(), BTreeSet::new());
        numbers.extend((self.id == SEPOLIA).then_some(SEPOLIA_NETSPLIT));
        for (fork, at) in self.forks() {
            match at {
                // The block of the merge is not known in advance, so it does not count.
                Activation::Block(number) if fork != Fork::Paris => numbers.insert(number),
                Activation::Time(since) if since <= time => times.insert(since),
                _ => false,
            };
        }
        let past = numbers.into_iter().chain(times).filter(|at| *at > 0);
        past.fold(ForkHash::from(genesis), |hash, at| hash + at)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The fork id of a known chain at a time.
    fn fork_id(chain: u64, time: u64) -> String {
        let rules = ChainRules::known(chain).unwrap();
        hex::encode_prefixed(rules.fork_hash_at(genesis(chain).unwrap(), time).0)
    }

    #[test]
    fn fork_ids_are_those_that_clients_publish() {
        for (chain, time, expected) in [
            (1, 0, "0xf0afd0e3"),
            (1, 1_681_338_455, "0xdce96c2d"),
            (1, 1_710_338_135, "0x9f3d2254"),
            (1, 1_746_612_311, "0xc376cf8b"),
            (1, 1_764_798_551, "0x5167e2a6"),
            (1, 1_765_290_071, "0xcba2a1c0"),
            (1, 1_767_747_671, "0x07c9462e"),
            (SEPOLIA, 0, "0xb96cbd13"),
            (SEPOLIA, 1_741_159_776, "0xed88b5fd"),
            (17_000, 1_707_305_664, "0x9b192ad0"),
            (560_048, 0, "0xbef71d30"),
            (560_048, 1_742_999_832, "0x0929e24e"),
            (560_048, 1_762_955_544, "0x23aa1351"),
        ] {
            assert_eq!(fork_id(chain, time), expected, "chain {chain} at {time}");
        }
    }

    #[test]
    fn a_foreign_genesis_block_is_named() {
        let hoodi = ChainRules::known(560_048).unwrap();
        assert_eq!(hoodi.check_genesis(HOODI_GENESIS_HASH), Ok(()));
        let error = hoodi.check_genesis(HOLESKY_GENESIS_HASH).unwrap_err().to_string();
        let expected = format!(
            "chain 560048 has the genesis block {HOODI_GENESIS_HASH}, \
             but the node states {HOLESKY_GENESIS_HASH}"
        );
        assert_eq!(error, expected);
        // No genesis block is known of development nodes.
        let development = ChainRules::known(31_337).unwrap();
        assert_eq!(development.check_genesis(HOODI_GENESIS_HASH), Ok(()));
    }

    #[test]
    fn another_fork_id_at_a_known_fork_is_refused() {
        let hoodi = ChainRules::known(560_048).unwrap();
        let stated = |since, fork_id| {
            let mut stated = CurrentRules::of_fork(560_048, "prague", None).unwrap();
            (stated.since, stated.fork_id) = (since, fork_id);
            stated
        };
        let prague = 1_742_999_832;
        assert_eq!(hoodi.check_fork_id(&stated(prague, Some(hex!("0929e24e")))), Ok(()));
        assert_eq!(hoodi.check_fork_id(&stated(prague, None)), Ok(()));
        let error = hoodi.check_fork_id(&stated(prague, Some(hex!("12345678")))).unwrap_err();
        let expected = "chain 560048 has the fork id 0x0929e24e at time 1742999832, \
                        but the node states 0x12345678";
        assert_eq!(error.to_string(), expected);
        // A later fork has an id that depends on forks between, which are not known.
        assert_eq!(hoodi.check_fork_id(&stated(1_900_000_000, Some(hex!("12345678")))), Ok(()));
    }
}

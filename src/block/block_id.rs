//! Identifies a cached block, and converts the id to a file name and back.
//!
//! One block has exactly one file name. So [`BlockId::from_file_name`] accepts only the spelling of
//! [`BlockId::file_name`]. Otherwise a folder could hold the same block twice.

use alloy_primitives::{BlockHash, BlockNumber, ChainId};

/// Extension of container files, with its dot.
const EXTENSION: &str = ".block";

/// The identity of a block in a container. Sorts by chain, then number, then hash.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct BlockId {
    /// The id of the block's chain (EIP-155).
    pub chain_id: ChainId,

    /// The block's number.
    pub number: BlockNumber,

    /// Keccak-256 of the header's RLP.
    pub hash: BlockHash,
}

impl BlockId {
    /// The name of this block's file inside its chain's folder.
    pub(crate) fn file_name(&self) -> String {
        format!("{}-{}{EXTENSION}", self.number, self.hash)
    }

    /// The block that a file of this name in the folder of `chain_id` should hold. `None` if
    /// [`Self::file_name`] never returns the name.
    pub(crate) fn from_file_name(chain_id: ChainId, name: &str) -> Option<Self> {
        let (number, hash) = name.strip_suffix(EXTENSION)?.split_once('-')?;
        let is_number = number.bytes().all(|byte| byte.is_ascii_digit())
            && (number == "0" || !number.starts_with('0'));
        let digits = hash.strip_prefix("0x")?;
        let is_lower = digits.bytes().all(|byte| matches!(byte, b'0'..=b'9' | b'a'..=b'f'));
        let is_spelt = is_number && is_lower;
        let id = Self { chain_id, number: number.parse().ok()?, hash: digits.parse().ok()? };
        is_spelt.then_some(id)
    }
}

#[cfg(test)]
mod tests {
    use alloy_primitives::B256;

    use super::*;

    fn id() -> BlockId {
        BlockId { chain_id: 1, number: 24_628_608, hash: B256::repeat_byte(0xab) }
    }

    #[test]
    fn a_file_name_is_the_number_and_the_whole_hash() {
        assert_eq!(id().file_name(), format!("24628608-0x{}.block", "ab".repeat(32)));
    }

    #[test]
    fn a_file_name_leads_back_to_its_block() {
        assert_eq!(BlockId::from_file_name(1, &id().file_name()), Some(id()));
    }

    #[test]
    fn other_spellings_of_a_file_name_are_rejected() {
        let name = id().file_name();
        for other in [
            format!("0{name}"),
            format!("+{name}"),
            format!("{name}.tmp"),
            name.replace("0x", ""),
            name.replace("ab", "AB"),
            name.replace('-', "_"),
            name.replace("24628608", "18446744073709551616"),
            name.replace(".block", ""),
            String::new(),
            "-.block".to_owned(),
        ] {
            assert_eq!(BlockId::from_file_name(1, &other), None, "{other}");
        }
    }

    #[test]
    fn blocks_sort_by_number_before_hash() {
        let later = BlockId { number: id().number + 1, hash: B256::ZERO, ..id() };
        assert!(id() < later);
    }
}

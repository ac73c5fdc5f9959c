//! Size limits of a container, so that a hostile file cannot exhaust memory.
//!
//! The same limits hold for writing, so every written file can be read.

use super::ContainerError;

/// Maximum size of a container's content in bytes, decompressed. It is about a hundred times that
/// of a full mainnet block.
pub(super) const MAX_CONTENT_BYTES: u64 = 1 << 30;

/// Maximum size of a container file in bytes. It allows for content that does not compress. zstd's
/// framing adds less than one part in 256.
pub(super) const MAX_FILE_BYTES: u64 = MAX_CONTENT_BYTES + (MAX_CONTENT_BYTES >> 8);

/// Maximum size of a block's RLP in bytes. EIP-7934 allows 10 MiB. The limit on content is not
/// enough, because a transaction of ten bytes takes 400 in memory.
pub(super) const MAX_BLOCK_BYTES: u64 = 32 << 20;

/// Maximum size of a block access list's RLP in bytes. EIP-7928 allows one item per 2,000 gas, and
/// an item without changes takes 33 bytes.
pub(super) const MAX_ACCESS_LIST_BYTES: u64 = 32 << 20;

/// Maximum size of the encoded rules of a chain in bytes.
pub(super) const MAX_RULES_BYTES: u64 = 64 << 10;

/// Maximum number of byte strings in one list of a witness. Each takes 32 bytes in memory, however
/// short it is. Also the maximum number of accounts, slots and other items of a flat pre-state. An
/// account takes about 130 bytes.
pub(super) const MAX_ITEMS: u64 = 1 << 22;

/// Returns an error if `size` is over `limit`. `part` names the counted items, as in "12 trie
/// nodes".
pub(super) fn check(part: &'static str, size: u64, limit: u64) -> Result<(), ContainerError> {
    if size > limit { Err(ContainerError::TooLarge { part, size, limit }) } else { Ok(()) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_size_equal_to_the_limit_is_allowed() {
        assert!(check("codes", 7, 7).is_ok());
    }

    #[test]
    fn the_message_names_the_size_and_the_limit() {
        let refused = check("codes", 8, 7).unwrap_err();
        assert!(refused.to_string().starts_with("8 codes are over the limit of 7"), "{refused}");
    }
}

//! How large a container may be, so that a hostile file cannot exhaust memory.
//!
//! The same limits hold for writing, so that every file that was written can be read.

use super::ContainerError;

/// Most bytes that a container's content may have, decompressed: some hundred times the few megabytes
/// of a full mainnet block.
pub(super) const MAX_CONTENT_BYTES: u64 = 1 << 30;

/// Most bytes that a container file may have: content that does not compress, and room for zstd's
/// framing, which adds less than one part in 256.
pub(super) const MAX_FILE_BYTES: u64 = MAX_CONTENT_BYTES + (MAX_CONTENT_BYTES >> 8);

/// Most bytes of a block's RLP. EIP-7934 allows 10 MiB. A transaction of ten bytes takes 400
/// in memory, so that the limit on content would not do.
pub(super) const MAX_BLOCK_BYTES: u64 = 32 << 20;

/// Most byte strings in one list of a witness, each of which takes 32 bytes in memory, however short it
/// is; and most accounts, slots and so on of a flat pre-state, of which an account takes some 130.
pub(super) const MAX_ITEMS: u64 = 1 << 22;

/// Refuses a `size` over `limit`; `part` says of what, as in "12 trie nodes".
pub(super) fn check(part: &'static str, size: u64, limit: u64) -> Result<(), ContainerError> {
    if size > limit { Err(ContainerError::TooLarge { part, size, limit }) } else { Ok(()) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_limit_is_itself_allowed() {
        assert!(check("codes", 7, 7).is_ok());
    }

    #[test]
    fn a_size_over_the_limit_is_named_with_both_numbers() {
        let refused = check("codes", 8, 7).unwrap_err();
        assert!(refused.to_string().starts_with("8 codes are over the limit of 7"), "{refused}");
    }
}

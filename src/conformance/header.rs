//! Checks a header against its parent (Yellow Paper, section 4.3.4, and the EIPs named below).
//!
//! The seal is not checked: proof of work is ignored.

use super::difficulty::difficulty;
use crate::evm::{Chain, FieldError, check_fields};
use alloy_consensus::{EMPTY_OMMER_ROOT_HASH, Header};
use alloy_eips::{
    eip1559::{BaseFeeParams, INITIAL_BASE_FEE},
    eip4844::DATA_GAS_PER_BLOB,
    eip7840::BlobParams,
};
use alloy_hardforks::EthereumHardfork;
use alloy_primitives::{B64, U256};

/// The rule that a header breaks.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[expect(missing_docs, reason = "the messages name the fields")]
pub enum HeaderError {
    /// The number must be one more than the parent's.
    #[error("its number is {actual}, the parent's is {parent}")]
    Number { actual: u64, parent: u64 },
    /// The time must be later than the parent's.
    #[error("its time is {actual}, not after the parent's, which is {parent}")]
    Timestamp { actual: u64, parent: u64 },
    /// The gas limit must be within 1/1024 of the parent's, at least 5000, and below 2^63.
    #[error("its gas limit is {actual}, too far from the parent's {parent} or out of range")]
    GasLimit { actual: u64, parent: u64 },
    /// The gas used must not exceed the limit.
    #[error("it uses {used} gas, its limit is {limit}")]
    GasUsed { used: u64, limit: u64 },
    /// At most 32 bytes.
    #[error("its extra data has {bytes} bytes, above the limit of 32")]
    ExtraData { bytes: usize },
    /// EIP-779: ten blocks from the fork on carry a mark.
    #[error("its extra data is not the mark of the DAO fork")]
    DaoMark,
    /// The difficulty follows from the parent before the merge, and is zero after it (EIP-3675).
    #[error("its difficulty is {actual} instead of {expected}")]
    Difficulty { expected: U256, actual: U256 },
    /// EIP-3675: zero after the merge.
    #[error("its nonce is not zero, which it must be after the merge")]
    Nonce,
    /// EIP-3675: none after the merge.
    #[error("it has ommers, which are invalid after the merge")]
    Ommers,
    /// A field that came with a fork is present exactly from that fork on.
    #[error(transparent)]
    Field(#[from] FieldError),
    /// EIP-1559.
    #[error("its base fee is {actual} instead of {expected}")]
    BaseFee { expected: u64, actual: u64 },
    /// EIP-4844: whole blobs, up to the limit.
    #[error("its blobs use {used} gas, which exceeds {most} or is not a whole number of blobs")]
    BlobGas { used: u64, most: u64 },
    /// EIP-4844, EIP-7918.
    #[error("its excess blob gas is {actual} instead of {expected}")]
    ExcessBlobGas { expected: u64, actual: u64 },
    /// EIP-4844: the blob fee grows exponentially. It takes for ever to compute for values that no chain reaches.
    #[error("excess blob gas of {excess} gives a blob fee that is out of range")]
    BlobFee { excess: u64 },
}

/// Checks a header against its parent, which must be valid.
pub(super) fn check_header(
    chain: &Chain,
    header: &Header,
    parent: &Header,
) -> Result<(), HeaderError> {
    check_fields(chain, header)?;
    check_order(header, parent)?;
    check_extra_data(chain, header)?;
    check_gas(chain, header, parent)?;
    check_difficulty(chain, header, parent)?;
    check_base_fee(chain, header, parent)?;
    check_blobs(chain, header, parent)
}

fn check_order(header: &Header, parent: &Header) -> Result<(), HeaderError> {
    if parent.number.checked_add(1) != Some(header.number) {
        return Err(HeaderError::Number { actual: header.number, parent: parent.number });
    }
    if header.timestamp <= parent.timestamp {
        return Err(HeaderError::Timestamp { actual: header.timestamp, parent: parent.timestamp });
    }
    Ok(())
}

fn check_extra_data(chain: &Chain, header: &Header) -> Result<(), HeaderError> {
    if header.extra_data.len() > 32 {
        return Err(HeaderError::ExtraData { bytes: header.extra_data.len() });
    }
    let since_dao = chain.dao_fork_block().and_then(|fork| header.number.checked_sub(fork));
    match since_dao {
        Some(0..10) if header.extra_data.as_ref() != b"dao-hard-fork" => Err(HeaderError::DaoMark),
        _ => Ok(()),
    }
}

fn check_gas(chain: &Chain, header: &Header, parent: &Header) -> Result<(), HeaderError> {
    if header.gas_used > header.gas_limit {
        return Err(HeaderError::GasUsed { used: header.gas_used, limit: header.gas_limit });
    }
    // EIP-1559 doubles the limit once, because its gas target is half of the limit.
    let doubles = is_first_of_london(chain, header, parent);
    let before = parent.gas_limit.saturating_mul(if doubles { 2 } else { 1 });
    let (actual, parent) = (header.gas_limit, before);
    let too_far = actual.abs_diff(before) >= before / 1024;
    if too_far || actual < 5000 || i64::try_from(actual).is_err() {
        return Err(HeaderError::GasLimit { actual, parent });
    }
    Ok(())
}

fn is_first_of_london(chain: &Chain, header: &Header, parent: &Header) -> bool {
    let london = |header| chain.is_active(EthereumHardfork::London, header);
    london(header) && !london(parent)
}

fn check_difficulty(chain: &Chain, header: &Header, parent: &Header) -> Result<(), HeaderError> {
    let after_merge = chain.is_active(EthereumHardfork::Paris, header);
    let expected = if after_merge { U256::ZERO } else { difficulty(chain, header, parent) };
    if header.difficulty != expected {
        return Err(HeaderError::Difficulty { expected, actual: header.difficulty });
    }
    if after_merge && header.nonce != B64::ZERO {
        return Err(HeaderError::Nonce);
    }
    if after_merge && header.ommers_hash != EMPTY_OMMER_ROOT_HASH {
        return Err(HeaderError::Ommers);
    }
    Ok(())
}

fn check_base_fee(chain: &Chain, header: &Header, parent: &Header) -> Result<(), HeaderError> {
    let Some(actual) = header.base_fee_per_gas else { return Ok(()) };
    let expected = if is_first_of_london(chain, header, parent) {
        INITIAL_BASE_FEE
    } else {
        parent.next_block_base_fee(BaseFeeParams::ethereum()).unwrap_or(INITIAL_BASE_FEE)
    };
    if actual == expected { Ok(()) } else { Err(HeaderError::BaseFee { expected, actual }) }
}

fn check_blobs(chain: &Chain, header: &Header, parent: &Header) -> Result<(), HeaderError> {
    let (Some(params), Some(used), Some(actual)) =
        (chain.blob_params(header), header.blob_gas_used, header.excess_blob_gas)
    else {
        return Ok(());
    };
    let most = params.max_blob_gas_per_block();
    if used > most || used % DATA_GAS_PER_BLOB != 0 {
        return Err(HeaderError::BlobGas { used, most });
    }
    let excess = parent.excess_blob_gas.unwrap_or_default();
    let used = parent.blob_gas_used.unwrap_or_default();
    for excess in [excess, actual] {
        if excess.checked_add(used).is_none() || !has_blob_fee(&params, excess) {
            return Err(HeaderError::BlobFee { excess });
        }
    }
    let expected = params.next_block_excess_blob_gas_osaka(
        excess,
        used,
        parent.base_fee_per_gas.unwrap_or_default(),
    );
    if actual == expected { Ok(()) } else { Err(HeaderError::ExcessBlobGas { expected, actual }) }
}

/// Whether revm can compute the blob fee: no term of its series exceeds 128 bits.
fn has_blob_fee(params: &BlobParams, excess: u64) -> bool {
    let sum = params.calc_blob_fee(excess).checked_mul(params.update_fraction);
    sum.and_then(|sum| sum.checked_mul(excess.into())).is_some()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_blob_fee_out_of_range_is_refused_at_once() {
        for params in [BlobParams::cancun(), BlobParams::prague(), BlobParams::bpo2()] {
            let fraction = u64::try_from(params.update_fraction).expect("it has 24 bits");
            for excess in [0, 1, fraction, 20 * fraction, 45 * fraction] {
                assert!(has_blob_fee(&params, excess), "{excess}");
            }
            for excess in [60 * fraction, 1 << 40, u64::MAX] {
                assert!(!has_blob_fee(&params, excess), "{excess}");
            }
        }
    }
}

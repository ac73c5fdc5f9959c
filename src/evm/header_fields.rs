//! The header fields that each fork introduced, and whether a header has exactly those of its time.

use super::Chain;
use alloy_consensus::Header;
use alloy_hardforks::EthereumHardfork;

/// A header field that does not fit the fork at the header's time. The chain's rules are then not those of the
/// block, or the header is invalid.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error(
    "block {number}'s header has {count} {what} ({eip}), but chain {chain} has {active}{fork:?} at its time",
    count = if !*present { "no" } else if what.starts_with('e') { "an" } else { "a" },
    active = if *present { "no " } else { "" }
)]
pub struct FieldError {
    /// The block's number.
    pub number: u64,
    /// The chain's id.
    pub chain: u64,
    /// The field's name in JSON.
    pub field: &'static str,
    /// The field in words.
    pub what: &'static str,
    /// The EIP that introduced it.
    pub eip: &'static str,
    /// Whether the header has the field.
    pub present: bool,
    /// The fork that introduced the field.
    pub fork: EthereumHardfork,
}

/// Checks that each field is present exactly from its fork on.
///
/// # Errors
/// [`FieldError`] names the first field that is not.
pub fn check_fields(chain: &Chain, header: &Header) -> Result<(), FieldError> {
    use EthereumHardfork::{Amsterdam, Cancun, London, Prague, Shanghai};
    let fields = [
        ("baseFeePerGas", "base fee", "EIP-1559", header.base_fee_per_gas.is_some(), London),
        (
            "withdrawalsRoot",
            "withdrawals root",
            "EIP-4895",
            header.withdrawals_root.is_some(),
            Shanghai,
        ),
        ("blobGasUsed", "blob gas figure", "EIP-4844", header.blob_gas_used.is_some(), Cancun),
        (
            "excessBlobGas",
            "excess blob gas figure",
            "EIP-4844",
            header.excess_blob_gas.is_some(),
            Cancun,
        ),
        (
            "parentBeaconBlockRoot",
            "beacon root",
            "EIP-4788",
            header.parent_beacon_block_root.is_some(),
            Cancun,
        ),
        ("requestsHash", "requests hash", "EIP-7685", header.requests_hash.is_some(), Prague),
        (
            "blockAccessListHash",
            "block access list",
            "EIP-7928",
            header.block_access_list_hash.is_some(),
            Amsterdam,
        ),
        ("slotNumber", "slot number", "EIP-7843", header.slot_number.is_some(), Amsterdam),
    ];
    let is_due = |field: &str, fork| match field {
        "blockAccessListHash" => chain.has_access_list(header),
        _ => chain.is_active(fork, header),
    };
    let wrong =
        |(field, _, _, present, fork): &(&str, _, _, bool, _)| *present != is_due(field, *fork);
    match fields.into_iter().find(wrong) {
        Some((field, what, eip, present, fork)) => {
            let (number, chain) = (header.number, chain.id());
            Err(FieldError { number, chain, field, what, eip, present, fork })
        }
        None => Ok(()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use alloy_primitives::B256;

    #[test]
    fn a_field_of_a_later_fork_is_refused_by_name() {
        let chain = Chain::from_id(560_048).expect("Hoodi is known");
        let mut header = Header {
            number: 11,
            timestamp: 1_700_000_000,
            base_fee_per_gas: Some(7),
            withdrawals_root: Some(B256::ZERO),
            blob_gas_used: Some(0),
            excess_blob_gas: Some(0),
            parent_beacon_block_root: Some(B256::ZERO),
            ..Header::default()
        };
        header.timestamp = 1_742_999_832 - 1;
        assert_eq!(check_fields(&chain, &header), Ok(()));
        header.block_access_list_hash = Some(B256::ZERO);
        let error = check_fields(&chain, &header).expect_err("Hoodi had no Amsterdam then");
        assert_eq!(
            error.to_string(),
            "block 11's header has a block access list (EIP-7928), \
             but chain 560048 has no Amsterdam at its time"
        );
    }

    #[test]
    fn a_missing_field_is_refused_by_name() {
        let chain = Chain::from_id(1).expect("mainnet is known");
        let header = Header { number: 12_965_000, ..Header::default() };
        let error = check_fields(&chain, &header).expect_err("London needs a base fee");
        assert_eq!((error.field, error.present), ("baseFeePerGas", false));
    }
}

//! Parses the blob parameters of a test.

use super::quantity::Quantity;
use serde::Deserialize;
use std::num::NonZeroU64;

/// Blob parameters of one fork (EIP-7840).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(try_from = "Given")]
pub(super) struct Blobs {
    pub(super) target: u32,
    /// At least the target, and at least 1.
    pub(super) max: u32,
    pub(super) update_fraction: NonZeroU64,
}

/// The parameters as a file has them.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
struct Given {
    target: Quantity,
    max: Quantity,
    base_fee_update_fraction: Quantity,
}

/// The reason that parameters are not those of a fork.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
enum BlobsError {
    #[error("the base fee update fraction of a blob schedule is 0, or has more than 64 bits")]
    Fraction,
    #[error("the blob counts of a blob schedule are out of order or out of range")]
    Counts,
}

impl TryFrom<Given> for Blobs {
    type Error = BlobsError;

    fn try_from(given: Given) -> Result<Self, BlobsError> {
        let count = |quantity: Quantity| u32::try_from(quantity.0).ok();
        let counts = count(given.target).zip(count(given.max));
        let (target, max) =
            counts.filter(|(target, max)| target <= max && *max > 0).ok_or(BlobsError::Counts)?;
        let fraction = u64::try_from(given.base_fee_update_fraction.0).ok();
        let update_fraction = fraction.and_then(NonZeroU64::new).ok_or(BlobsError::Fraction)?;
        Ok(Self { target, max, update_fraction })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parse(target: &str, max: &str, fraction: &str) -> Result<Blobs, String> {
        let text = format!(
            r#"{{"target": "{target}", "max": "{max}", "baseFeeUpdateFraction": "{fraction}"}}"#
        );
        serde_json::from_str(&text).map_err(|error| error.to_string())
    }

    #[test]
    fn parameters_that_no_fork_can_have_are_errors() {
        let blobs = parse("0x03", "0x06", "0x32f0ed").expect("Cancun's parameters");
        assert_eq!((blobs.target, blobs.max, blobs.update_fraction.get()), (3, 6, 3_338_477));
        for (target, max, fraction, why) in [
            ("0x03", "0x06", "0x00", "fraction"),
            ("0x03", "0x06", "0x010000000000000000", "fraction"),
            ("0x07", "0x06", "0x01", "counts"),
            ("0x00", "0x00", "0x01", "counts"),
            ("0x03", "0x0100000000", "0x01", "counts"),
        ] {
            let error = parse(target, max, fraction).expect_err("no fork has them");
            assert!(error.contains(why), "{error}");
        }
    }
}

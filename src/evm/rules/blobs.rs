//! Blob parameters by fork (EIP-7840, EIP-7892).

use super::{
    ConfigError,
    forks::{Forks, key_of},
};
use alloy_eips::eip7840::BlobParams;
use alloy_hardforks::EthereumHardfork as Fork;
use std::{collections::BTreeMap, fmt};

/// The three numbers of a fork's blob schedule.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct BlobSchedule {
    /// Blobs per block that leave the blob base fee as it is.
    pub target: u64,
    /// Maximum number of blobs per block.
    pub max: u64,
    /// Divisor in the exponent of the blob base fee.
    pub update_fraction: u64,
}

/// Blob schedules by the fork that introduces them.
pub(super) type Blobs = BTreeMap<Fork, BlobSchedule>;

/// Maximum of each number. Sums of blob gas stay far below 2^64.
const MOST: u64 = u32::MAX as u64;

impl BlobSchedule {
    /// The parameters from `fork` on. The fork decides the parameters that no schedule names.
    pub fn params(self, fork: Fork) -> BlobParams {
        let before_osaka = fork < Fork::Osaka;
        let base = if before_osaka { BlobParams::prague() } else { BlobParams::osaka() };
        BlobParams {
            target_blob_count: self.target,
            max_blob_count: self.max,
            update_fraction: self.update_fraction.into(),
            // Before EIP-7594 a transaction may use all blobs of a block.
            max_blobs_per_tx: if before_osaka { self.max } else { base.max_blobs_per_tx },
            ..base
        }
    }

    /// Checks the numbers of `fork`.
    pub(super) fn check(self, fork: Fork) -> Result<Self, ConfigError> {
        let Self { target, max, update_fraction } = self;
        let why = match self {
            _ if target > max => "its target exceeds its max",
            _ if max == 0 || update_fraction == 0 => {
                "its max and its update fraction must not be 0"
            }
            _ if max > MOST || update_fraction > MOST => "its numbers must be below 4294967296",
            _ => return Ok(self),
        };
        Err(ConfigError::Blobs { fork: name(fork), why })
    }
}

impl fmt::Display for BlobSchedule {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { target, max, update_fraction } = self;
        write!(f, "target {target}, max {max}, update fraction {update_fraction}")
    }
}

impl From<BlobParams> for BlobSchedule {
    fn from(params: BlobParams) -> Self {
        Self {
            target: params.target_blob_count,
            max: params.max_blob_count,
            update_fraction: u64::try_from(params.update_fraction).unwrap_or(u64::MAX),
        }
    }
}

/// The schedule of mainnet. Forks of other chains have the same parameters unless their configuration has its own.
pub(in crate::evm) fn of_mainnet() -> Blobs {
    [
        (Fork::Cancun, BlobParams::cancun()),
        (Fork::Prague, BlobParams::prague()),
        (Fork::Osaka, BlobParams::osaka()),
        (Fork::Bpo1, BlobParams::bpo1()),
        (Fork::Bpo2, BlobParams::bpo2()),
    ]
    .map(|(fork, params)| (fork, params.into()))
    .into()
}

/// Adds the parameters that no schedule has to name: those of Cancun and Prague, which their EIPs set, and those of
/// Osaka, which are Prague's. Amsterdam changes none, so those before it stay.
///
/// # Errors
/// A fork that changes blob parameters alone has none.
pub(super) fn complete(mut blobs: Blobs, forks: &Forks) -> Result<Blobs, ConfigError> {
    let by_eip = of_mainnet();
    for fork in [Fork::Cancun, Fork::Prague, Fork::Osaka] {
        let before = (fork == Fork::Osaka).then(|| blobs.get(&Fork::Prague)).flatten();
        let usual = before.or_else(|| by_eip.get(&fork)).copied();
        if let Some(usual) = usual {
            blobs.entry(fork).or_insert(usual);
        }
    }
    let is_bpo = |fork: &&Fork| Fork::bpo_variants().contains(*fork);
    if let Some(fork) = forks.keys().filter(is_bpo).find(|fork| !blobs.contains_key(*fork)) {
        return Err(ConfigError::NoBlobs { fork: name(*fork), key: key_of(*fork) });
    }
    blobs.retain(|fork, _| forks.contains_key(fork));
    Ok(blobs)
}

/// The name of a fork in a blob schedule.
pub(super) fn name(fork: Fork) -> String {
    fork.to_string().to_lowercase()
}

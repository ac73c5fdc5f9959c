//! The forks of a chain configuration: their keys, their activations, and the order that they must have.

use super::ConfigError;
use alloy_hardforks::{EthereumHardfork as Fork, ForkCondition};
use alloy_primitives::U256;
use std::{collections::BTreeMap, fmt};

/// The point from which on a fork is active.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Activation {
    /// A block number.
    Block(u64),
    /// A Unix time in seconds.
    Time(u64),
    /// The first block with a parent of this total difficulty or more. Only the merge is activated so.
    TotalDifficulty(U256),
}

impl fmt::Display for Activation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Block(number) => write!(f, "block {number}"),
            Self::Time(time) => write!(f, "time {time}"),
            Self::TotalDifficulty(total) => write!(f, "total difficulty {total}"),
        }
    }
}

/// The activations of a chain's forks. A fork that is not listed is never active.
pub(super) type Forks = BTreeMap<Fork, Activation>;

/// The keys of a chain configuration that activate forks, in the order of the forks.
pub(super) const KEYS: [(&str, Fork); 27] = [
    ("homesteadBlock", Fork::Homestead),
    ("daoForkBlock", Fork::Dao),
    ("eip150Block", Fork::Tangerine),
    ("eip155Block", Fork::SpuriousDragon),
    ("eip158Block", Fork::SpuriousDragon),
    ("byzantiumBlock", Fork::Byzantium),
    ("constantinopleBlock", Fork::Constantinople),
    ("petersburgBlock", Fork::Petersburg),
    ("constantinopleFixBlock", Fork::Petersburg),
    ("istanbulBlock", Fork::Istanbul),
    ("muirGlacierBlock", Fork::MuirGlacier),
    ("berlinBlock", Fork::Berlin),
    ("londonBlock", Fork::London),
    ("arrowGlacierBlock", Fork::ArrowGlacier),
    ("grayGlacierBlock", Fork::GrayGlacier),
    ("terminalTotalDifficulty", Fork::Paris),
    ("parisBlock", Fork::Paris),
    ("shanghaiTime", Fork::Shanghai),
    ("cancunTime", Fork::Cancun),
    ("pragueTime", Fork::Prague),
    ("osakaTime", Fork::Osaka),
    ("bpo1Time", Fork::Bpo1),
    ("bpo2Time", Fork::Bpo2),
    ("bpo3Time", Fork::Bpo3),
    ("bpo4Time", Fork::Bpo4),
    ("bpo5Time", Fork::Bpo5),
    ("amsterdamTime", Fork::Amsterdam),
];

/// The forks that a later fork does not imply: an irregular state change, delays of the difficulty bomb, and changes
/// of the blob parameters alone.
const OPTIONAL: [Fork; 9] = [
    Fork::Dao,
    Fork::MuirGlacier,
    Fork::ArrowGlacier,
    Fork::GrayGlacier,
    Fork::Bpo1,
    Fork::Bpo2,
    Fork::Bpo3,
    Fork::Bpo4,
    Fork::Bpo5,
];

/// Whether later forks do not imply this one.
pub(super) fn is_optional(fork: Fork) -> bool {
    OPTIONAL.contains(&fork)
}

/// The first key of a fork, for messages.
pub(super) fn key_of(fork: Fork) -> &'static str {
    KEYS.iter().find(|(_, of)| *of == fork).map_or("?", |(key, _)| key)
}

/// Adds the forks that a later one implies, and checks the order.
///
/// Each fork changes the rules of the one before it, so a fork that is not listed is active from the next listed one
/// on. Nodes and tools write short configurations this way.
///
/// # Errors
/// The order contradicts itself, or the point of an implied fork is unknown.
pub(super) fn complete(mut forks: Forks) -> Result<Forks, ConfigError> {
    fill(&mut forks)?;
    let mandatory = |fork: &Fork| !is_optional(*fork);
    let blobs = |fork: &Fork| (Fork::Osaka..=Fork::Bpo5).contains(fork);
    check_order(&forks, mandatory)?;
    check_order(&forks, blobs)?;
    let first_blob_fork = forks.keys().find(|fork| **fork > Fork::Osaka && blobs(fork));
    match first_blob_fork {
        Some(fork) if !forks.contains_key(&Fork::Osaka) => {
            Err(ConfigError::Missing { key: key_of(Fork::Osaka), because: key_of(*fork) })
        }
        // Petersburg took EIP-1283 back. A chain that had it for a while needs it.
        _ if forks.get(&Fork::Constantinople) != forks.get(&Fork::Petersburg) => {
            Err(ConfigError::NetGasMetering)
        }
        _ => Ok(forks),
    }
}

fn fill(forks: &mut Forks) -> Result<(), ConfigError> {
    let mut next: Option<(Fork, Activation)> = None;
    for fork in Fork::VARIANTS.iter().rev().filter(|fork| **fork > Fork::Frontier) {
        if let Some(at) = forks.get(fork) {
            // A change of the blob parameters alone implies nothing; `complete` checks it.
            if !is_optional(*fork) {
                next = Some((*fork, *at));
            }
        } else if let Some((later, at)) = next.filter(|_| !is_optional(*fork)) {
            let implied = match at {
                Activation::Time(time) if *fork > Fork::Paris => Activation::Time(time),
                Activation::Time(0) | Activation::Block(0) => Activation::Block(0),
                Activation::Block(number) if later <= Fork::London => Activation::Block(number),
                _ => {
                    let (key, because) = (key_of(*fork), key_of(later));
                    return Err(ConfigError::Missing { key, because });
                }
            };
            forks.insert(*fork, implied);
            next = Some((*fork, implied));
        }
    }
    Ok(())
}

/// Checks that the selected forks ascend, by block and by time.
fn check_order(forks: &Forks, selected: impl Fn(&Fork) -> bool) -> Result<(), ConfigError> {
    let (mut block, mut time) = (None, None);
    for (fork, at) in forks.iter().filter(|(fork, _)| selected(fork)) {
        let (value, last) = match at {
            Activation::Block(number) => (*number, &mut block),
            Activation::Time(seconds) => (*seconds, &mut time),
            Activation::TotalDifficulty(_) => continue,
        };
        if let Some((earlier, before)) = *last
            && before > value
        {
            let (earlier, later) = (key_of(earlier), key_of(*fork));
            return Err(ConfigError::Order { earlier, before, later, value });
        }
        *last = Some((*fork, value));
    }
    Ok(())
}

/// The condition of alloy-hardforks, where the point is a block or a time.
pub(in crate::evm) const fn condition(at: Activation) -> ForkCondition {
    match at {
        Activation::Block(number) => ForkCondition::Block(number),
        Activation::Time(time) => ForkCondition::Timestamp(time),
        Activation::TotalDifficulty(_) => ForkCondition::Never,
    }
}

/// The inverse of [`condition`]; `None` for a fork that is not scheduled.
pub(super) fn activation(condition: ForkCondition) -> Option<Activation> {
    match condition {
        ForkCondition::Block(number) => Some(Activation::Block(number)),
        ForkCondition::TTD { activation_block_number, .. } => {
            Some(Activation::Block(activation_block_number))
        }
        // Some tables of hardforks use the last time of all for a fork without a date.
        ForkCondition::Timestamp(u64::MAX) | ForkCondition::Never => None,
        ForkCondition::Timestamp(time) => Some(Activation::Time(time)),
    }
}

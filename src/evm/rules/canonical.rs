//! The canonical encoding of rules.
//!
//! It is a chain configuration in JSON: keys in the order of their bytes, no white space, numbers as plain decimals,
//! hashes and addresses in lower case. It holds exactly what decides how a block is executed. So equal rules have
//! equal bytes and one digest, whatever document they came from.

use super::{
    Activation, BlobSchedule, ChainRules, ConfigError,
    blobs::name,
    forks::{KEYS, key_of},
};
use alloy_hardforks::EthereumHardfork as Fork;
use alloy_primitives::U256;
use serde_json::{Value, json};
use std::collections::BTreeMap;

/// First time for which the rules are known.
pub(super) const SINCE: &str = "rulesSince";

/// First time after [`SINCE`] for which the rules are not known.
pub(super) const UNTIL: &str = "rulesUntil";

impl ChainRules {
    /// The canonical encoding.
    pub fn encode(&self) -> Vec<u8> {
        let mut fields = BTreeMap::from([
            ("chainId", json!(self.id)),
            ("depositContractAddress", json!(format!("{:#x}", self.deposit_contract))),
        ]);
        for (fork, at) in self.forks() {
            fields.extend(keys_of(fork, at));
        }
        if !self.blobs.is_empty() {
            let entry = |(fork, blobs): (&Fork, &BlobSchedule)| (name(*fork), numbers(*blobs));
            let entries: BTreeMap<_, _> = self.blobs.iter().map(entry).collect();
            fields.insert("blobSchedule", json!(entries));
        }
        if self.known.since > 0 {
            fields.insert(SINCE, json!(self.known.since));
        }
        fields.extend(self.known.until.map(|until| (UNTIL, json!(until))));
        // A map of strings and numbers has an encoding.
        serde_json::to_vec(&fields).unwrap_or_default()
    }

    /// The inverse of [`encode`](Self::encode).
    ///
    /// # Errors
    /// [`ConfigError`] for any other bytes, also for another encoding of valid rules.
    pub fn decode(bytes: &[u8]) -> Result<Self, ConfigError> {
        let rules = Self::from_json(bytes)?;
        if rules.encode() == bytes { Ok(rules) } else { Err(ConfigError::NotCanonical) }
    }
}

/// The keys of a fork's activation.
fn keys_of(fork: Fork, at: Activation) -> Vec<(&'static str, Value)> {
    match (fork, at) {
        (Fork::Paris, Activation::Block(0)) => vec![(TOTAL_DIFFICULTY, json!(0))],
        (Fork::Paris, Activation::TotalDifficulty(total)) => {
            vec![(TOTAL_DIFFICULTY, json!(total.to_string()))]
        }
        (Fork::Paris, Activation::Block(number)) => vec![("parisBlock", json!(number))],
        (_, Activation::Block(value) | Activation::Time(value)) => {
            let support = (fork == Fork::Dao).then(|| (DAO_SUPPORT, json!(true)));
            [(key_of(fork), json!(value))].into_iter().chain(support).collect()
        }
        (_, Activation::TotalDifficulty(_)) => Vec::new(),
    }
}

/// The key of the merge.
pub(super) const TOTAL_DIFFICULTY: &str = "terminalTotalDifficulty";

/// Whether the chain made the DAO's irregular state change.
pub(super) const DAO_SUPPORT: &str = "daoForkSupport";

fn numbers(blobs: BlobSchedule) -> BTreeMap<&'static str, u64> {
    let BlobSchedule { target, max, update_fraction } = blobs;
    BTreeMap::from([("target", target), ("max", max), ("baseFeeUpdateFraction", update_fraction)])
}

/// The activation that a key and its number mean; `None` if the number is out of range.
pub(super) fn activation_of(key: &str, fork: Fork, number: U256) -> Option<Activation> {
    if key == TOTAL_DIFFICULTY {
        return Some(match number.is_zero() {
            true => Activation::Block(0),
            false => Activation::TotalDifficulty(number),
        });
    }
    let value = u64::try_from(number).ok()?;
    Some(if fork > Fork::Paris { Activation::Time(value) } else { Activation::Block(value) })
}

/// The fork of a key, compared without regard to case as in Go.
pub(super) fn fork_of(key: &str) -> Option<(&'static str, Fork)> {
    KEYS.into_iter().find(|(name, _)| name.eq_ignore_ascii_case(key))
}

//! The rules of a recorded block: its own, or those of its known chain id.

use super::RecordedBlock;
use crate::evm::{Chain, ChainRules, ConfigError, UnknownRules};
use alloy_consensus::Header;
use alloy_primitives::{Bytes, ChainId};

/// The reason that a recorded block has no usable rules.
#[derive(Debug, thiserror::Error)]
pub enum RulesError {
    /// The rules at the time of the block are not known.
    #[error(transparent)]
    Unknown(#[from] UnknownRules),
    /// The stored rules do not decode.
    #[error("the stored rules of the chain cannot be used; fetch the block again with --overwrite")]
    Malformed(#[source] ConfigError),
    /// The stored rules are those of another chain.
    #[error("the block is of chain {chain}, but its stored rules are of chain {rules}")]
    OtherChain {
        /// Chain id of the block.
        chain: ChainId,
        /// Chain id of the rules.
        rules: ChainId,
    },
}

impl RecordedBlock {
    /// The rules of the block's chain at the time of the block.
    ///
    /// # Errors
    /// [`RulesError`] if they are not known or not usable.
    pub fn chain(&self) -> Result<Chain, RulesError> {
        chain_of(self.chain_id, &self.rules, &self.block.header)
    }

    /// Replaces the rules, if they are of the block's chain.
    #[must_use]
    pub fn with_rules(mut self, rules: &ChainRules) -> Self {
        if rules.id() == self.chain_id {
            self.rules = stored_rules(rules);
        }
        self
    }
}

/// The encoding of rules in a [`RecordedBlock`]: empty for those of a known chain id.
pub fn stored_rules(rules: &ChainRules) -> Bytes {
    match ChainRules::known(rules.id()) {
        Ok(known) if known == *rules => Bytes::new(),
        _ => rules.encode().into(),
    }
}

/// Decodes the rules of a block of chain `id` with this header. Empty rules are those of the known id.
///
/// # Errors
/// [`RulesError`] if they are not known or not usable.
pub fn chain_of(id: ChainId, rules: &Bytes, header: &Header) -> Result<Chain, RulesError> {
    if rules.is_empty() {
        return Ok(Chain::of_block(id, None, header)?);
    }
    let decoded = ChainRules::decode(rules).map_err(RulesError::Malformed)?;
    if decoded.id() != id {
        return Err(RulesError::OtherChain { chain: id, rules: decoded.id() });
    }
    Ok(Chain::of_block(id, Some(&decoded), header)?)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::cache::sample;

    fn block() -> RecordedBlock {
        sample().unwrap().swap_remove(0)
    }

    fn rules(id: u64) -> ChainRules {
        let config = format!(r#"{{"chainId":{id},"osakaTime":0}}"#);
        ChainRules::from_json(config.as_bytes()).unwrap()
    }

    #[test]
    fn stored_rules_take_the_place_of_the_chain_id() {
        let own = rules(31_337);
        let before = block().chain().unwrap().digest();
        let replaced = block().with_rules(&own);
        assert_eq!(replaced.chain().unwrap().digest(), Some(own.digest()));
        assert_ne!(before, Some(own.digest()));
    }

    #[test]
    fn the_rules_of_a_known_chain_id_are_not_stored() {
        assert!(stored_rules(&ChainRules::known(31_337).unwrap()).is_empty());
        assert!(!stored_rules(&rules(31_337)).is_empty());
    }

    #[test]
    fn rules_of_another_chain_do_not_apply() {
        assert!(block().with_rules(&rules(1337)).rules.is_empty());
        let foreign = RecordedBlock { rules: stored_rules(&rules(1337)), ..block() };
        let error = foreign.chain().map(|chain| chain.id()).unwrap_err();
        assert!(matches!(error, RulesError::OtherChain { rules: 1337, .. }), "{error}");
    }

    #[test]
    fn damaged_rules_are_refused() {
        let damaged = RecordedBlock { rules: Bytes::from_static(b"{}"), ..block() };
        let error = damaged.chain().map(|chain| chain.id()).unwrap_err();
        assert!(matches!(error, RulesError::Malformed(_)), "{error}");
    }
}

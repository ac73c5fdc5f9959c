//! Rules that replace those of a network, for tests that were filled with other rules than its name says.

use super::network::fork;
use alloy_hardforks::EthereumHardfork;
use std::str::FromStr;

/// The suffix that adds block access lists to a fork before Amsterdam.
const ACCESS_LISTS: &str = "+7928";

/// The rules for all tests of one network.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NetworkRules {
    /// The network's name in the tests.
    pub(super) network: String,
    /// The fork that is active from genesis on.
    pub(super) fork: EthereumHardfork,
    /// Whether blocks have access lists (EIP-7928) although the fork does not.
    pub(super) access_lists: bool,
}

/// The reason that a text names no rules.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum RulesError {
    /// The text has another form.
    #[error(
        "write NETWORK=FORK or NETWORK=FORK{ACCESS_LISTS}, for example Amsterdam=Osaka{ACCESS_LISTS}"
    )]
    Form,
    /// The fork is unknown.
    #[error("fork {0} is unknown")]
    Fork(String),
}

impl FromStr for NetworkRules {
    type Err = RulesError;

    fn from_str(text: &str) -> Result<Self, RulesError> {
        let (network, rules) = text.split_once('=').ok_or(RulesError::Form)?;
        if network.is_empty() || rules.is_empty() {
            return Err(RulesError::Form);
        }
        let (name, access_lists) =
            rules.strip_suffix(ACCESS_LISTS).map_or((rules, false), |name| (name, true));
        let fork = fork(name).ok_or_else(|| RulesError::Fork(name.to_owned()))?;
        Ok(Self { network: network.to_owned(), fork, access_lists })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rules_name_a_network_a_fork_and_access_lists() {
        let rules = |fork, access_lists| NetworkRules {
            network: "Amsterdam".to_owned(),
            fork,
            access_lists,
        };
        let parse = str::parse::<NetworkRules>;
        assert_eq!(parse("Amsterdam=Osaka+7928"), Ok(rules(EthereumHardfork::Osaka, true)));
        assert_eq!(parse("Amsterdam=BPO2"), Ok(rules(EthereumHardfork::Bpo2, false)));
        assert_eq!(parse("Amsterdam=Osaka+1"), Err(RulesError::Fork("Osaka+1".to_owned())));
        for text in ["", "Osaka", "=Osaka", "Amsterdam="] {
            assert_eq!(parse(text), Err(RulesError::Form), "{text}");
        }
    }
}

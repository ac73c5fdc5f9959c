//! Maps the networks of tests to hardforks.
//!
//! A name is a single fork, active from genesis on (`Cancun`), or a transition between two forks. The
//! transition is at a block (`BerlinToLondonAt5`), a time (`ShanghaiToCancunAtTime15k`) or a total difficulty
//! (`ArrowGlacierToParisAtDiffC0000`).

use super::{blobs::Blobs, fixture::Config, rules::NetworkRules};
use crate::evm::{BlobSchedule, Chain};
use alloy_eips::eip7840::BlobParams;
use alloy_hardforks::{EthereumHardfork, ForkCondition};
use alloy_primitives::U256;

/// Reason that a network is not supported.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum NetworkError {
    /// The name is unknown.
    #[error("network {0} is unknown")]
    Unknown(String),
    /// Constantinople itself was never active on mainnet, and revm lacks the gas rule of EIP-1283.
    #[error("network {0} needs EIP-1283, which was never active on mainnet")]
    NetGasMetering(String),
}

/// A network and its forks.
#[derive(Clone, Debug)]
pub(super) struct Network {
    chain_id: u64,
    from: EthereumHardfork,
    to: Option<(EthereumHardfork, When)>,
    blobs: Vec<(EthereumHardfork, BlobParams)>,
    /// Whether blocks before Amsterdam have access lists (EIP-7928), too.
    early_access_lists: bool,
}

/// The point of a transition.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum When {
    Block(u64),
    Time(u64),
    /// The first block with a parent of at least this total difficulty.
    Difficulty(U256),
}

impl Network {
    /// The network with this name and configuration. The entry of `rules` with this name replaces its rules.
    ///
    /// # Errors
    /// The network is unknown or not supported.
    pub(super) fn new(
        name: &str,
        config: &Config,
        rules: &[NetworkRules],
    ) -> Result<Self, NetworkError> {
        let own = rules.iter().find(|rules| rules.network == name);
        let forks = own.map_or_else(|| parse(name), |own| Some((own.fork, None)));
        let (from, to) = forks.ok_or_else(|| NetworkError::Unknown(name.to_owned()))?;
        let last = to.map_or(from, |(fork, _)| fork);
        if [from, last].contains(&EthereumHardfork::Constantinople) {
            return Err(NetworkError::NetGasMetering(name.to_owned()));
        }
        let schedule = config.blob_schedule.iter();
        let schedule = schedule.filter_map(|(name, blobs)| Some((fork(name)?, blobs)));
        let mut blobs: Vec<_> =
            schedule.map(|(fork, blobs)| (fork, blob_params(fork, blobs))).collect();
        // The blob parameters of the network are those that the test gives for its name.
        let named = own.and_then(|own| Some((own.fork, config.blob_schedule.get(name)?)));
        blobs.extend(named.map(|(fork, named)| (fork, blob_params(fork, named))));
        let chain_id = config.chainid.map_or(1, |id| id.0.saturating_to());
        let early_access_lists = own.is_some_and(|own| own.access_lists);
        Ok(Self { chain_id, from, to, blobs, early_access_lists })
    }

    /// The chain id that transactions are signed for (EIP-155).
    pub(super) const fn chain_id(&self) -> u64 {
        self.chain_id
    }

    /// The fork that is active from genesis on.
    pub(super) const fn first_fork(&self) -> EthereumHardfork {
        self.from
    }

    /// The rules for a block with this number and this total difficulty of its parent.
    pub(super) fn chain(&self, number: u64, parent_total_difficulty: U256) -> Chain {
        let last = self.to.map_or(self.from, |(fork, _)| fork);
        let known = EthereumHardfork::VARIANTS.iter().filter(|fork| **fork <= last);
        let forks = known.filter(|fork| self.has(**fork)).map(|fork| {
            let condition = match self.to {
                Some((_, when)) if *fork > self.from => {
                    when.condition(*fork, number, parent_total_difficulty)
                }
                _ => from_genesis(*fork),
            };
            (*fork, condition)
        });
        let chain = Chain::of_forks(self.chain_id, forks);
        let chain = if self.early_access_lists { chain.with_early_access_lists() } else { chain };
        self.blobs.iter().fold(chain, |chain, (fork, params)| chain.with_blobs(*fork, *params))
    }

    /// The total difficulty from which on the last block is the head, as after the merge; `None` if never.
    pub(super) fn terminal_difficulty(&self) -> Option<U256> {
        match self.to {
            _ if self.from >= EthereumHardfork::Paris => Some(U256::ZERO),
            Some((_, When::Difficulty(terminal))) => Some(terminal),
            _ => None,
        }
    }

    /// Whether the network has the fork. Only networks named after the DAO fork have it.
    fn has(&self, fork: EthereumHardfork) -> bool {
        let named = self.from == fork || self.to.is_some_and(|(to, _)| to == fork);
        fork != EthereumHardfork::Dao || named
    }
}

impl When {
    fn condition(self, fork: EthereumHardfork, number: u64, parent: U256) -> ForkCondition {
        match self {
            Self::Block(block) => ForkCondition::Block(block),
            Self::Time(time) if fork > EthereumHardfork::Paris => ForkCondition::Timestamp(time),
            Self::Difficulty(terminal) if parent >= terminal => ForkCondition::Block(number),
            Self::Time(_) | Self::Difficulty(_) => ForkCondition::Never,
        }
    }
}

const fn from_genesis(fork: EthereumHardfork) -> ForkCondition {
    if (fork as u8) > (EthereumHardfork::Paris as u8) {
        ForkCondition::ZERO_TIMESTAMP
    } else {
        ForkCondition::ZERO_BLOCK
    }
}

fn parse(name: &str) -> Option<(EthereumHardfork, Option<(EthereumHardfork, When)>)> {
    let Some((path, at)) = name.rsplit_once("At") else {
        return Some((fork(name)?, None));
    };
    let (from, to) = path.split_once("To")?;
    let (from, to) = (fork(from)?, fork(to)?);
    (from < to).then_some((from, Some((to, when(at)?))))
}

/// Parses the text after `At`: `5`, `Time15k` or `DiffC0000`.
fn when(text: &str) -> Option<When> {
    if let Some(difficulty) = text.strip_prefix("Diff") {
        return U256::from_str_radix(difficulty.trim_start_matches("0x"), 16)
            .ok()
            .map(When::Difficulty);
    }
    if let Some(time) = text.strip_prefix("Time") {
        let (digits, factor) = time.strip_suffix('k').map_or((time, 1), |digits| (digits, 1000));
        return digits.parse::<u64>().ok()?.checked_mul(factor).map(When::Time);
    }
    text.parse().ok().map(When::Block)
}

/// The name of the network that has this fork from genesis on.
pub(super) fn name(of: EthereumHardfork) -> String {
    use EthereumHardfork as Fork;
    match of {
        Fork::Dao => "Homestead".to_owned(),
        Fork::Tangerine => "EIP150".to_owned(),
        Fork::SpuriousDragon => "EIP158".to_owned(),
        Fork::Petersburg => "ConstantinopleFix".to_owned(),
        fork if (Fork::Bpo1..=Fork::Bpo5).contains(&fork) => format!("{fork:?}").to_uppercase(),
        fork => format!("{fork:?}"),
    }
}

/// The fork with this name. Tests use several names for some forks.
pub(super) fn fork(name: &str) -> Option<EthereumHardfork> {
    use EthereumHardfork as Fork;
    Some(match name.to_ascii_lowercase().as_str() {
        "frontier" => Fork::Frontier,
        "homestead" => Fork::Homestead,
        "dao" | "daofork" => Fork::Dao,
        "eip150" | "tangerinewhistle" | "tangerine" => Fork::Tangerine,
        "eip158" | "spuriousdragon" => Fork::SpuriousDragon,
        "byzantium" => Fork::Byzantium,
        "constantinople" => Fork::Constantinople,
        "constantinoplefix" | "petersburg" => Fork::Petersburg,
        "istanbul" => Fork::Istanbul,
        "muirglacier" => Fork::MuirGlacier,
        "berlin" => Fork::Berlin,
        "london" => Fork::London,
        "arrowglacier" => Fork::ArrowGlacier,
        "grayglacier" => Fork::GrayGlacier,
        "merge" | "paris" => Fork::Paris,
        "shanghai" => Fork::Shanghai,
        "cancun" => Fork::Cancun,
        "prague" => Fork::Prague,
        "osaka" => Fork::Osaka,
        "bpo1" => Fork::Bpo1,
        "bpo2" => Fork::Bpo2,
        "bpo3" => Fork::Bpo3,
        "bpo4" => Fork::Bpo4,
        "bpo5" => Fork::Bpo5,
        "amsterdam" => Fork::Amsterdam,
        _ => return None,
    })
}

/// The blob parameters of a schedule. It gives three numbers; the others follow from the fork.
fn blob_params(fork: EthereumHardfork, blobs: &Blobs) -> BlobParams {
    BlobSchedule {
        target: blobs.target.into(),
        max: blobs.max.into(),
        update_fraction: blobs.update_fraction.get(),
    }
    .params(fork)
}

#[cfg(test)]
mod tests {
    use super::*;
    use alloy_consensus::Header;

    fn fork_at(name: &str, number: u64, timestamp: u64, parent_difficulty: u64) -> String {
        let network = Network::new(name, &Config::default(), &[]).expect("a known network");
        let header = Header { number, timestamp, ..Default::default() };
        network.chain(number, U256::from(parent_difficulty)).fork(&header).to_string()
    }

    #[test]
    fn a_fork_is_active_from_genesis_on() {
        for (name, fork) in [
            ("Frontier", "Frontier"),
            ("EIP150", "Tangerine"),
            ("EIP158", "SpuriousDragon"),
            ("ConstantinopleFix", "Petersburg"),
            ("Merge", "Paris"),
            ("Paris", "Paris"),
            ("Shanghai", "Shanghai"),
            ("Osaka", "Osaka"),
            ("BPO2", "Bpo2"),
            ("Amsterdam", "Amsterdam"),
        ] {
            assert_eq!(fork_at(name, 0, 0, 0), fork, "{name}");
        }
    }

    #[test]
    fn every_fork_has_the_name_of_a_network_with_it() {
        let known = |of: &&EthereumHardfork| **of <= EthereumHardfork::Amsterdam;
        for of in EthereumHardfork::VARIANTS.iter().filter(known) {
            let expected =
                if *of == EthereumHardfork::Dao { EthereumHardfork::Homestead } else { *of };
            assert_eq!(fork(&name(*of)), Some(expected), "{of:?}");
        }
    }

    #[test]
    fn transitions_come_at_a_block_a_time_or_a_difficulty() {
        assert_eq!(fork_at("BerlinToLondonAt5", 4, 9, 9), "Berlin");
        assert_eq!(fork_at("BerlinToLondonAt5", 5, 9, 9), "London");
        assert_eq!(fork_at("HomesteadToDaoAt5", 5, 9, 9), "Dao");
        assert_eq!(fork_at("ShanghaiToCancunAtTime15k", 9, 14_999, 9), "Shanghai");
        assert_eq!(fork_at("ShanghaiToCancunAtTime15k", 9, 15_000, 9), "Cancun");
        assert_eq!(fork_at("ArrowGlacierToParisAtDiffC0000", 9, 9, 0xbffff), "ArrowGlacier");
        assert_eq!(fork_at("ArrowGlacierToParisAtDiffC0000", 9, 9, 0xc0000), "Paris");
        assert_eq!(fork_at("BPO1ToBPO2AtTime15k", 9, 15_000, 9), "Bpo2");
        assert_eq!(fork_at("BPO2ToAmsterdamAtTime15k", 9, 14_999, 9), "Bpo2");
        assert_eq!(fork_at("BPO2ToAmsterdamAtTime15k", 9, 15_000, 9), "Amsterdam");
    }

    #[test]
    fn own_rules_replace_those_of_the_named_network_only() {
        let rules = ["Amsterdam=Osaka+7928".parse().expect("rules")];
        let header = Header { number: 1, timestamp: 15_000, ..Default::default() };
        let active = |name| {
            let network = Network::new(name, &Config::default(), &rules).expect("a known network");
            let chain = network.chain(1, U256::ZERO);
            (chain.fork(&header), chain.has_access_list(&header))
        };
        assert_eq!(active("Amsterdam"), (EthereumHardfork::Osaka, true));
        assert_eq!(active("BPO2ToAmsterdamAtTime15k"), (EthereumHardfork::Amsterdam, true));
        assert_eq!(active("Osaka"), (EthereumHardfork::Osaka, false));
    }

    #[test]
    fn only_a_network_named_after_it_has_the_dao_fork() {
        let dao_block = |name| {
            let network = Network::new(name, &Config::default(), &[]).expect("a known network");
            network.chain(1, U256::ZERO).dao_fork_block()
        };
        assert_eq!(dao_block("HomesteadToDaoAt5"), Some(5));
        assert_eq!(dao_block("Homestead"), None);
        assert_eq!(dao_block("HomesteadToEIP150At5"), None);
        assert_eq!(dao_block("London"), None);
    }

    #[test]
    fn an_unsupported_network_is_named() {
        let error = |name| {
            Network::new(name, &Config::default(), &[]).expect_err("the network is not supported")
        };
        assert_eq!(error("Verkle"), NetworkError::Unknown("Verkle".to_owned()));
        assert!(matches!(error("ByzantiumToConstantinopleAt5"), NetworkError::NetGasMetering(_)));
        for nonsense in ["LondonToBerlinAt5", "BerlinToLondonAtX", "At5", "BerlinToLondonAtTimek"] {
            assert!(matches!(error(nonsense), NetworkError::Unknown(_)), "{nonsense}");
        }
    }
}

//! Reads chain configurations: geth's `genesis.json` or its `config` object alone, the chain specification of reth,
//! and the genesis files of Besu and of test networks.
//!
//! Keys are compared without regard to case, as geth and Besu do. A number is a JSON number, or a string with a decimal
//! or hexadecimal number. Keys that decide nothing about execution are ignored. A key that looks like a fork and is
//! not known is an error, since ignoring it would execute blocks by wrong rules.

use super::{
    Activation, BlobSchedule, Blobs, ChainRules, ConfigError, Forks, KnownTimes, blobs,
    canonical::{DAO_SUPPORT, SINCE, UNTIL, activation_of, fork_of},
    forks,
};
use alloy_eips::{
    eip6110::MAINNET_DEPOSIT_CONTRACT_ADDRESS,
    eip7002::WITHDRAWAL_REQUEST_PREDEPLOY_ADDRESS,
    eip7251::CONSOLIDATION_REQUEST_PREDEPLOY_ADDRESS,
    eip8282::{BUILDER_DEPOSIT_CONTRACT_ADDRESS, BUILDER_EXIT_CONTRACT_ADDRESS},
};
use alloy_hardforks::EthereumHardfork as Fork;
use alloy_primitives::{Address, U256};
use serde::de::DeserializeOwned;
use serde_json::value::RawValue;
use std::collections::BTreeMap;

/// A JSON object with values that have not been read yet. Their text keeps numbers of any size.
type Object = BTreeMap<String, Box<RawValue>>;

/// Keys that end like a fork and activate none. The merge is known by the total difficulty or by the header.
const NO_FORKS: [&str; 3] = ["mergeForkBlock", "mergeNetsplitBlock", "preMergeForkBlock"];

/// Keys of settings that change the rules. They are refused unless they are off.
const OTHER_RULES: [&str; 14] = [
    "contractSizeLimit",
    "evmStackSize",
    "ecCurve",
    "zeroBaseFee",
    "fixedBaseFee",
    "enableVerkleAtGenesis",
    "enableUBTAtGenesis",
    "pbt",
    "optimism",
    "parlia",
    "bor",
    "aura",
    "taiko",
    "arbitrum",
];

/// Keys of consensus engines that pay the block's author in other ways before the merge.
const OTHER_ENGINES: [&str; 5] = ["clique", "ibft", "ibft2", "qbft", "istanbul"];

impl ChainRules {
    /// Reads the rules from a chain configuration.
    ///
    /// A fork that is missing is active from the next listed one on. Without a deposit contract, the chain has
    /// mainnet's.
    ///
    /// # Errors
    /// [`ConfigError`] if the document holds no configuration, contradicts itself, or names rules that are not known.
    pub fn from_json(document: &[u8]) -> Result<Self, ConfigError> {
        Config(config_of(serde_json::from_slice(document)?)?).rules()
    }
}

/// The `config` object of a document.
fn config_of(mut document: Object) -> Result<Object, ConfigError> {
    if let Some(config) = document.remove("config") {
        return parse("config", &config, "an object");
    }
    if let Some(genesis) = document.remove("genesis")
        && let Some(config) = parse::<Object>("genesis", &genesis, "an object")?.remove("config")
    {
        return parse("genesis.config", &config, "an object");
    }
    let is_config = document.keys().any(|key| key.eq_ignore_ascii_case("chainId"));
    let has_forks = document.keys().any(|key| fork_of(key).is_some());
    match (is_config, has_forks) {
        (true, _) => Ok(document),
        (false, true) => Err(ConfigError::NoChainId),
        (false, false) => Err(ConfigError::NoConfig),
    }
}

fn parse<T: DeserializeOwned>(
    key: &str,
    value: &RawValue,
    expected: &'static str,
) -> Result<T, ConfigError> {
    let wrong = |_| ConfigError::NotA { key: key.to_owned(), expected };
    serde_json::from_str(value.get()).map_err(wrong)
}

/// A configuration's keys and values.
struct Config(Object);

impl Config {
    fn rules(&self) -> Result<ChainRules, ConfigError> {
        let id = self.u64("chainId")?.ok_or(ConfigError::NoChainId)?;
        self.refuse_other_rules()?;
        let forks = forks::complete(self.forks()?)?;
        self.refuse_other_engines(&forks)?;
        let blobs = blobs::complete(self.blobs()?, &forks)?;
        let deposit_contract = self.address("depositContractAddress")?;
        let known =
            KnownTimes { since: self.u64(SINCE)?.unwrap_or_default(), until: self.u64(UNTIL)? };
        Ok(ChainRules {
            id,
            forks,
            blobs,
            deposit_contract: deposit_contract.unwrap_or(MAINNET_DEPOSIT_CONTRACT_ADDRESS),
            known,
        })
    }

    /// The value of a key; `None` if it is absent, null or false.
    fn get(&self, key: &str) -> Option<&RawValue> {
        let found = self.0.iter().find(|(name, _)| name.eq_ignore_ascii_case(key));
        found.map(|(_, value)| &**value).filter(|value| is_on(value))
    }

    fn u64(&self, key: &str) -> Result<Option<u64>, ConfigError> {
        let wrong = || ConfigError::NotANumber { key: key.to_owned() };
        let read = |value| number(value).and_then(|number| number.try_into().ok());
        self.get(key).map(|value| read(value).ok_or_else(wrong)).transpose()
    }

    fn address(&self, key: &str) -> Result<Option<Address>, ConfigError> {
        let wrong = || ConfigError::NotAnAddress { key: key.to_owned() };
        let read = |value: &RawValue| serde_json::from_str(value.get()).map_err(|_| wrong());
        self.get(key).map(read).transpose()
    }

    fn forks(&self) -> Result<Forks, ConfigError> {
        let mut forks: BTreeMap<Fork, (&str, Activation)> = BTreeMap::new();
        for (key, value) in self.0.iter().filter(|(_, value)| is_on(value)) {
            let Some((key, fork)) = fork_of(key) else {
                refuse_unknown_fork(key)?;
                continue;
            };
            if fork == Fork::Dao && !self.supports_dao()? {
                continue;
            }
            let wrong = || ConfigError::NotANumber { key: key.to_owned() };
            let number = number(value).ok_or_else(wrong)?;
            let at = activation_of(key, fork, number).ok_or_else(wrong)?;
            match forks.get(&fork) {
                // The block of the merge, which sorts before the total difficulty, says more.
                Some(_) if fork == Fork::Paris => {}
                Some((one, before)) if *before != at => {
                    return Err(ConfigError::TwoValues { one, other: key });
                }
                _ => {
                    forks.insert(fork, (key, at));
                }
            }
        }
        Ok(forks.into_iter().map(|(fork, (_, at))| (fork, at)).collect())
    }

    fn supports_dao(&self) -> Result<bool, ConfigError> {
        let read = |value| parse(DAO_SUPPORT, value, "true or false");
        self.get(DAO_SUPPORT).map_or(Ok(false), read)
    }

    fn blobs(&self) -> Result<Blobs, ConfigError> {
        const KEY: &str = "blobSchedule";
        let Some(value) = self.get(KEY) else { return Ok(Blobs::new()) };
        let mut blobs = Blobs::new();
        for (name, entry) in parse::<Object>(KEY, value, "an object")? {
            let fork = name.parse::<Fork>().ok().filter(|fork| *fork <= Fork::Amsterdam);
            let fork =
                fork.ok_or_else(|| ConfigError::UnknownFork { key: format!("{KEY}.{name}") })?;
            let key = format!("{KEY}.{name}");
            let entry = Self(parse(&key, &entry, "an object")?);
            let number = |field| {
                let key = || format!("{key}.{field}");
                entry.u64(field)?.ok_or_else(|| ConfigError::NotANumber { key: key() })
            };
            let (target, max) = (number("target")?, number("max")?);
            let update_fraction = number("baseFeeUpdateFraction")?;
            blobs.insert(fork, BlobSchedule { target, max, update_fraction }.check(fork)?);
        }
        Ok(blobs)
    }

    fn refuse_other_rules(&self) -> Result<(), ConfigError> {
        if let Some(key) = OTHER_RULES.into_iter().find(|key| self.get(key).is_some()) {
            return Err(ConfigError::OtherRules { key: key.to_owned() });
        }
        for (key, standard) in [
            ("withdrawalRequestContractAddress", WITHDRAWAL_REQUEST_PREDEPLOY_ADDRESS),
            ("consolidationRequestContractAddress", CONSOLIDATION_REQUEST_PREDEPLOY_ADDRESS),
            ("builderDepositRequestContractAddress", BUILDER_DEPOSIT_CONTRACT_ADDRESS),
            ("builderExitRequestContractAddress", BUILDER_EXIT_CONTRACT_ADDRESS),
        ] {
            if self.address(key)?.is_some_and(|address| address != standard) {
                return Err(ConfigError::OtherRules { key: key.to_owned() });
            }
        }
        Ok(())
    }

    /// Refuses engines other than proof of work, unless the chain is merged from genesis on.
    fn refuse_other_engines(&self, forks: &Forks) -> Result<(), ConfigError> {
        if forks.get(&Fork::Paris) == Some(&Activation::Block(0)) {
            return Ok(());
        }
        match OTHER_ENGINES.into_iter().find(|key| self.get(key).is_some()) {
            Some(key) => Err(ConfigError::OtherRules { key: key.to_owned() }),
            None => Ok(()),
        }
    }
}

/// Whether a value says something.
fn is_on(value: &RawValue) -> bool {
    !matches!(value.get(), "null" | "false")
}

fn refuse_unknown_fork(key: &str) -> Result<(), ConfigError> {
    let lower = key.to_ascii_lowercase();
    let is_harmless = NO_FORKS.iter().any(|known| known.eq_ignore_ascii_case(key));
    if !is_harmless && (lower.ends_with("time") || lower.ends_with("block")) {
        return Err(ConfigError::UnknownFork { key: key.to_owned() });
    }
    Ok(())
}

/// A number, or a string with a decimal or hexadecimal one.
fn number(value: &RawValue) -> Option<U256> {
    let text = value.get();
    let text = text.strip_prefix('"').and_then(|text| text.strip_suffix('"')).unwrap_or(text);
    match text.strip_prefix("0x") {
        Some(digits) if !digits.is_empty() => U256::from_str_radix(digits, 16).ok(),
        Some(_) => None,
        None if text.is_empty() => None,
        None => U256::from_str_radix(text, 10).ok(),
    }
}

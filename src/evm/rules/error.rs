//! The reasons that a chain configuration is refused.

/// The reason that a chain configuration is refused.
#[derive(Debug, thiserror::Error)]
#[expect(missing_docs, reason = "the messages name the fields")]
pub enum ConfigError {
    /// The text is not JSON of the expected shape.
    #[error("it is not a chain configuration")]
    NotJson(#[from] serde_json::Error),
    /// The document holds no configuration.
    #[error(
        "it holds no chain configuration: give a genesis.json with a config object, a chain \
         specification with genesis.config, or the config object itself"
    )]
    NoConfig,
    /// The chain id is missing.
    #[error("its configuration has no chainId")]
    NoChainId,
    /// A value is not a number of the expected range.
    #[error("{key} is not a whole number of at most 64 bits")]
    NotANumber { key: String },
    /// A value is not an address.
    #[error("{key} is not an address")]
    NotAnAddress { key: String },
    /// A value has another type.
    #[error("{key} is not {expected}")]
    NotA { key: String, expected: &'static str },
    /// A key that activates a fork that is not implemented.
    #[error("it sets {key}, but a fork of that name is not known")]
    UnknownFork { key: String },
    /// A key that changes rules in a way that is not implemented.
    #[error("it sets {key}, which changes the rules in a way that is not implemented")]
    OtherRules { key: String },
    /// Two keys of one fork differ.
    #[error("{one} and {other} differ, but they activate one fork")]
    TwoValues { one: &'static str, other: &'static str },
    /// The forks do not ascend.
    #[error("{later} is {value}, before {earlier}, which is {before}")]
    Order { earlier: &'static str, before: u64, later: &'static str, value: u64 },
    /// A fork is missing, and the later fork does not say when it is activated.
    #[error("{key} is missing, but {because} is set")]
    Missing { key: &'static str, because: &'static str },
    /// Constantinople without Petersburg.
    #[error("petersburgBlock is not constantinopleBlock, but EIP-1283 is not implemented")]
    NetGasMetering,
    /// A fork has no blob parameters.
    #[error("blobSchedule has no entry for {fork}, but {key} is set")]
    NoBlobs { fork: String, key: &'static str },
    /// Blob parameters contradict themselves.
    #[error("the entry of {fork} in blobSchedule is wrong: {why}")]
    Blobs { fork: String, why: &'static str },
    /// Stored rules that are not in the canonical form.
    #[error("the stored rules are not in their canonical form")]
    NotCanonical,
    /// A node's answer names no fork that is known.
    #[error("it names no known fork")]
    NoFork,
}

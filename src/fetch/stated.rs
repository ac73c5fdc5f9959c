//! The rules that a node states for its chain.
//!
//! Nodes answer different methods, and few answer all: geth has its whole chain configuration, most clients have the
//! rules of the present fork (`eth_config`, EIP-7910), anvil has the name of its fork. A node may refuse any of them,
//! so a failed call means that nothing is stated. An answer that cannot be used is an error.

use std::{error::Error, iter::successors};

use alloy_eips::eip7910::EthConfig;
use alloy_primitives::{B256, U64};
use futures::join;
use serde::{Deserialize, de::DeserializeOwned};
use serde_json::{json, value::RawValue};

use super::{error::RpcError, node::Node, redact::SafeText};
use crate::evm::{ChainRules, ConfigError, CurrentRules};

/// A method by which a node states rules, and the rules.
#[derive(Clone, Debug)]
pub struct NodeStatement {
    /// Name of the JSON-RPC method.
    pub method: &'static str,
    /// The stated rules.
    pub stated: Stated,
}

/// The rules that a node states.
#[derive(Clone, Debug)]
pub enum Stated {
    /// The whole history, and the present fork if the node states it, too.
    All(Box<ChainRules>, Option<CurrentRules>),
    /// The present fork.
    Current(CurrentRules),
}

/// The reason that a node's statement cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum StatementError {
    /// The configuration is refused.
    #[error("the node's answer to {method} cannot be used: {source}")]
    Config {
        /// Name of the JSON-RPC method.
        method: &'static str,
        /// The reason.
        source: SafeText,
    },
    /// The answer has another shape.
    #[error("the node's answer to {method} cannot be read: {source}")]
    Shape {
        /// Name of the JSON-RPC method.
        method: &'static str,
        /// The reason.
        source: SafeText,
    },
    /// A call failed for a reason that may pass, so that it is not known whether the node states rules.
    #[error("the node did not say which rules its chain has")]
    Unanswered(#[source] RpcError),
    /// Two methods name different chains.
    #[error("the node's chain id is {id}, but its answer to {method} has {stated}")]
    OtherChain {
        /// Answer to `eth_chainId`.
        id: u64,
        /// Name of the JSON-RPC method.
        method: &'static str,
        /// The id in the other answer.
        stated: u64,
    },
}

/// An answer as JSON; `None` if the node has none.
type Answer = Option<Box<RawValue>>;

/// The answers to the methods with whole configurations, to `eth_config` and to `anvil_nodeInfo`.
type Answers = ([Answer; 2], Answer, Answer);

impl StatementError {
    /// Whether nothing is known of what the node states, rather than a stated rule refused.
    pub const fn is_silence(&self) -> bool {
        matches!(self, Self::Shape { .. } | Self::Unanswered(_))
    }
}

const CHAIN_CONFIG: &str = "debug_chainConfig";
const NODE_INFO: &str = "admin_nodeInfo";
const ETH_CONFIG: &str = "eth_config";
const ANVIL_INFO: &str = "anvil_nodeInfo";

/// The part of geth's `admin_nodeInfo` that has the configuration.
#[derive(Debug, Deserialize)]
struct NodeInfo {
    protocols: Protocols,
}

#[derive(Debug, Deserialize)]
struct Protocols {
    eth: Option<EthProtocol>,
}

#[derive(Debug, Deserialize)]
struct EthProtocol {
    config: Option<Box<RawValue>>,
}

/// The number and the hash of a block.
#[derive(Debug, Deserialize)]
struct Numbered {
    number: U64,
    hash: B256,
}

/// The answer to `anvil_nodeInfo`.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
struct AnvilInfo {
    hard_fork: String,
    environment: Environment,
    #[serde(default)]
    fork_config: ForkConfig,
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
struct Environment {
    chain_id: ChainIdAnswer,
}

/// A chain id, as a number or as a quantity.
#[derive(Debug, Deserialize)]
#[serde(untagged)]
enum ChainIdAnswer {
    Number(u64),
    Quantity(U64),
}

/// The chain that anvil continues, if any.
#[derive(Debug, Default, Deserialize)]
#[serde(rename_all = "camelCase")]
struct ForkConfig {
    fork_url: Option<String>,
}

impl Node {
    /// Asks the node for the rules of its chain. `None` if it states none.
    ///
    /// # Errors
    /// [`StatementError`] if the node's answer cannot be used, or if it may state rules later.
    pub async fn stated_rules(&self) -> Result<Option<NodeStatement>, StatementError> {
        let answers = join!(
            self.answer(CHAIN_CONFIG),
            self.answer(NODE_INFO),
            self.answer(ETH_CONFIG),
            self.answer(ANVIL_INFO),
        );
        let mut unanswered = None;
        let mut answered = |answer: Result<_, RpcError>| {
            answer.unwrap_or_else(|error| {
                unanswered.get_or_insert(error);
                None
            })
        };
        let answers =
            ([answered(answers.0), answered(answers.1)], answered(answers.2), answered(answers.3));
        let stated = self.statement(answers)?;
        match unanswered {
            Some(error) if stated.is_none() => Err(StatementError::Unanswered(error)),
            _ => Ok(stated),
        }
    }

    /// The hash of the genesis block; `None` if the node does not give it, or gives another block.
    pub async fn genesis_hash(&self) -> Option<B256> {
        let block = self.client().call("eth_getBlockByNumber", json!(["0x0", false])).await;
        let Numbered { number, hash } = block.ok().flatten()?;
        number.is_zero().then_some(hash)
    }

    /// The statement in the answers to the methods with whole configurations, `eth_config` and `anvil_nodeInfo`.
    fn statement(
        &self,
        ([config, info], current, anvil): Answers,
    ) -> Result<Option<NodeStatement>, StatementError> {
        let anvil: Option<AnvilInfo> = self.read(ANVIL_INFO, anvil)?;
        // A development node that continues another chain has that chain's rules up to its own first block.
        if anvil.as_ref().is_some_and(|anvil| anvil.fork_config.fork_url.is_some()) {
            return Ok(None);
        }
        let of_info = |info: NodeInfo| info.protocols.eth?.config;
        // Other clients answer `admin_nodeInfo` in other shapes, which state no rules.
        let info = info.and_then(|info| serde_json::from_str(info.get()).ok()).and_then(of_info);
        for (method, config) in [(CHAIN_CONFIG, config), (NODE_INFO, info)] {
            if let Some(config) = config {
                let rules = ChainRules::from_json(config.get().as_bytes());
                let rules = rules.map_err(|error| self.refused(method, &error))?;
                self.check_id(method, rules.id())?;
                let current = self.read(ETH_CONFIG, current).ok().flatten();
                let current =
                    current.and_then(|config| CurrentRules::from_eth_config(&config).ok());
                let stated = Stated::All(Box::new(rules), current);
                return Ok(Some(NodeStatement { method, stated }));
            }
        }
        self.current(current, anvil)
    }

    /// The rules of the present fork. anvil's name of the fork says more than the contracts in its `eth_config`.
    fn current(
        &self,
        config: Answer,
        anvil: Option<AnvilInfo>,
    ) -> Result<Option<NodeStatement>, StatementError> {
        let config = self.read::<EthConfig>(ETH_CONFIG, config)?;
        let current =
            config.map(|config| (config.current.chain_id, CurrentRules::from_eth_config(&config)));
        let (method, id, rules) = match (anvil, current) {
            (Some(AnvilInfo { hard_fork, environment, .. }), current) => {
                let id = match environment.chain_id {
                    ChainIdAnswer::Number(id) => id,
                    ChainIdAnswer::Quantity(id) => id.to(),
                };
                let others = current.and_then(|(_, current)| current.ok());
                (ANVIL_INFO, id, CurrentRules::of_fork(id, &hard_fork, others.as_ref()))
            }
            (None, Some((id, current))) => (ETH_CONFIG, id, current),
            (None, None) => return Ok(None),
        };
        self.check_id(method, id)?;
        let rules = rules.map_err(|error| self.refused(method, &error))?;
        Ok(Some(NodeStatement { method, stated: Stated::Current(rules) }))
    }

    /// The answer to a method without parameters; `None` if the node has none.
    async fn answer(&self, method: &'static str) -> Result<Answer, RpcError> {
        match self.client().call(method, json!([])).await {
            Err(error) if !error.is_transient() => Ok(None),
            answer => answer,
        }
    }

    fn read<T: DeserializeOwned>(
        &self,
        method: &'static str,
        answer: Answer,
    ) -> Result<Option<T>, StatementError> {
        let Some(answer) = answer else { return Ok(None) };
        let wrong = |error: serde_json::Error| StatementError::Shape {
            method,
            source: self.client().safe_words(&error.to_string()),
        };
        serde_json::from_str(answer.get()).map(Some).map_err(wrong)
    }

    fn refused(&self, method: &'static str, error: &ConfigError) -> StatementError {
        let causes = successors(Some(error as &dyn Error), |error| (*error).source());
        let words = causes.map(ToString::to_string).collect::<Vec<_>>().join(": ");
        StatementError::Config { method, source: self.client().safe_words(&words) }
    }

    fn check_id(&self, method: &'static str, stated: u64) -> Result<(), StatementError> {
        match self.chain_id() {
            id if id == stated => Ok(()),
            id => Err(StatementError::OtherChain { id, method, stated }),
        }
    }
}

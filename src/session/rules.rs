//! The rules of a node's chain: from a file, from the node, or by the chain id, in this order.

use crate::{
    evm::{ChainRules, CurrentRules, Disagreement},
    fetch::{Node, NodeStatement, Stated},
    input,
};
use eyre::{WrapErr, ensure};
use std::{
    fmt, io,
    path::{Path, PathBuf},
};

/// Maximum size of a chain configuration. A genesis.json with all accounts of a test network has tens of megabytes.
const MOST_BYTES: u64 = 512 << 20;

/// Rules from a file.
#[derive(Clone, Debug)]
pub struct RulesFile {
    path: PathBuf,
    rules: ChainRules,
}

impl RulesFile {
    /// Reads a chain configuration ([`ChainRules::from_json`]). `-` is standard input.
    ///
    /// # Errors
    /// If the file cannot be read or holds no usable configuration.
    pub fn read(path: &Path) -> eyre::Result<Self> {
        let context = || format!("{} cannot be used as chain configuration", path.display());
        let read: io::Result<_> = input::read_or_stream(path, MOST_BYTES);
        let rules = ChainRules::from_json(&read.wrap_err_with(context)?).wrap_err_with(context)?;
        Ok(Self { path: path.to_owned(), rules })
    }

    /// The rules in the file.
    pub const fn rules(&self) -> &ChainRules {
        &self.rules
    }
}

/// Source of a chain's rules.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum RulesSource {
    /// A file that the user names.
    File(PathBuf),
    /// The node, which names the chain's rules by this JSON-RPC method.
    Node(&'static str),
    /// The known chain id. The node states the same by this method.
    Confirmed(&'static str),
    /// The known chain id. The node states nothing.
    Id,
    /// The id of development nodes. The node states nothing, so its rules are an assumption.
    Assumed,
}

impl fmt::Display for RulesSource {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::File(path) => write!(f, "{}", path.display()),
            Self::Node(method) => write!(f, "the node's {method}"),
            Self::Confirmed(method) => write!(f, "the chain id, confirmed by the node's {method}"),
            Self::Id => f.write_str("the chain id"),
            Self::Assumed => f.write_str("the chain id of development nodes, an assumption"),
        }
    }
}

/// The rules of a node's chain.
#[derive(Clone, Debug)]
pub struct NodeRules {
    /// The rules.
    pub rules: ChainRules,
    /// Their source.
    pub source: RulesSource,
    /// Remarks for the user.
    pub notes: Vec<String>,
}

impl fmt::Display for NodeRules {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "chain {} by {}: {}", self.rules.id(), self.source, self.rules)
    }
}

/// Finds the rules of a node's chain. Compares what the node states with the rules and the genesis block of a known
/// chain id.
///
/// # Errors
/// If the file is of another chain, if the node disagrees with a known chain id, or if the rules are unknown.
pub async fn node_rules(node: &Node, file: Option<&RulesFile>) -> eyre::Result<NodeRules> {
    let id = node.chain_id();
    let statement = node.stated_rules().await;
    if let Some(RulesFile { path, rules }) = file {
        let of = rules.id();
        ensure!(of == id, "{} is of chain {of}, but the node follows chain {id}", path.display());
        let notes = statement.ok().flatten().and_then(|stated| conflict(rules, &stated));
        let source = RulesSource::File(path.clone());
        return Ok(NodeRules { rules: rules.clone(), source, notes: notes.into_iter().collect() });
    }
    let known = ChainRules::known(id).ok().filter(|_| !ChainRules::is_assumed(id));
    if let Some(known) = &known
        && let Some(genesis) = node.genesis_hash().await
    {
        let disagrees =
            || format!("the node's genesis block is not that of its chain id; {REMEDY}");
        known.check_genesis(genesis).wrap_err_with(disagrees)?;
    }
    match (known, statement) {
        (Some(known), Ok(Some(stated))) => confirmed(known, &stated),
        (Some(rules), Ok(None)) => Ok(NodeRules { rules, source: RulesSource::Id, notes: vec![] }),
        (Some(rules), Err(error)) if error.is_silence() => {
            Ok(NodeRules { rules, source: RulesSource::Id, notes: vec![format!("{error:#}")] })
        }
        (_, Err(error)) => Err(error.into()),
        (None, Ok(Some(NodeStatement { method, stated }))) => {
            let (rules, differs) = match stated {
                Stated::All(rules, current) => {
                    let differs =
                        current.and_then(|current| differences(&rules, &Stated::Current(current)));
                    (*rules, differs)
                }
                Stated::Current(current) => (current.into_rules(), None),
            };
            let note = |differs| {
                format!("the node's {method} is used, but its eth_config differs: {differs}")
            };
            let notes = differs.map(note).into_iter().collect();
            Ok(NodeRules { rules, source: RulesSource::Node(method), notes })
        }
        (None, Ok(None)) => assumed(id),
    }
}

/// The rules of a known chain, with those forks that only the node states.
fn confirmed(known: ChainRules, stated: &NodeStatement) -> eyre::Result<NodeRules> {
    let method = stated.method;
    let disagrees =
        || format!("the node's {method} disagrees with the rules of its chain id; {REMEDY}");
    let rules = agreed(&known, &stated.stated).wrap_err_with(disagrees)?;
    current(&stated.stated)
        .map_or(Ok(()), |current| known.check_fork_id(current))
        .wrap_err_with(disagrees)?;
    let source = match rules == known {
        true => RulesSource::Confirmed(method),
        false => RulesSource::Node(method),
    };
    Ok(NodeRules { rules, source, notes: vec![] })
}

/// The remedy for another chain with a known id.
const REMEDY: &str =
    "if it follows another chain with that id, give the rules with --chain-config FILE";

/// The present fork, if the node states it.
const fn current(stated: &Stated) -> Option<&CurrentRules> {
    match stated {
        Stated::All(_, current) => current.as_ref(),
        Stated::Current(current) => Some(current),
    }
}

/// The rules, with those forks that only the node states.
fn agreed(rules: &ChainRules, stated: &Stated) -> Result<ChainRules, Disagreement> {
    match stated {
        Stated::All(stated, _) => rules.clone().agreed(stated),
        Stated::Current(current) => rules.clone().agreed_with_current(current),
    }
}

/// The first difference between rules and what a node states.
fn differences(rules: &ChainRules, stated: &Stated) -> Option<String> {
    match agreed(rules, stated) {
        Ok(both) => {
            let here: Vec<_> = rules.forks().collect();
            let (fork, at) = both.forks().find(|fork| !here.contains(fork))?;
            Some(format!("{fork} at {at} is missing"))
        }
        Err(error) => Some(error.to_string()),
    }
}

/// A note if the node states other rules than the file.
fn conflict(file: &ChainRules, NodeStatement { method, stated }: &NodeStatement) -> Option<String> {
    let differs = differences(file, stated)?;
    Some(format!("the file's rules are used, but the node's {method} differs: {differs}"))
}

fn assumed(id: u64) -> eyre::Result<NodeRules> {
    let rules = ChainRules::known(id).wrap_err(
        "the node states no rules: it answers none of debug_chainConfig, admin_nodeInfo, eth_config, anvil_nodeInfo",
    )?;
    let notes = vec![format!(
        "the node states no rules, so chain {id} is assumed to have those of anvil's default; --chain-config gives others"
    )];
    Ok(NodeRules { rules, source: RulesSource::Assumed, notes })
}

//! Several nodes of one chain, for one fetch.
//!
//! The blocks are dealt out in turn. If a node fails for a block, the caller tries the others. A node that could not be
//! reached gets no more blocks as long as another one is left, because every retry costs time.

use std::sync::Arc;

use tokio::sync::OnceCell;

use super::{client::Traffic, node::Node};
use crate::evm::ChainRules;

/// Nodes of one chain; at least one. Cheap to clone.
#[derive(Clone, Debug)]
pub struct Nodes {
    all: Arc<[Member]>,
}

#[derive(Clone, Debug)]
struct Member {
    node: Node,
    /// Set once the node could not be reached.
    is_out: Arc<OnceCell<()>>,
}

impl Member {
    fn new(node: Node) -> Self {
        Self { node, is_out: Arc::default() }
    }
}

impl From<Node> for Nodes {
    fn from(node: Node) -> Self {
        Self::new(node, [])
    }
}

impl Nodes {
    /// Creates the list. All nodes must follow the same chain.
    pub fn new(first: Node, others: impl IntoIterator<Item = Node>) -> Self {
        Self { all: [first].into_iter().chain(others).map(Member::new).collect() }
    }

    /// The first node, which answers the questions that are no block's.
    pub fn first(&self) -> &Node {
        &self.all[0].node
    }

    /// The nodes in order.
    pub fn iter(&self) -> impl Iterator<Item = &Node> {
        self.all.iter().map(|member| &member.node)
    }

    /// Number of nodes.
    pub fn count(&self) -> usize {
        self.all.len()
    }

    /// These nodes, with rules for their chain.
    #[must_use]
    pub fn with_rules(&self, rules: &ChainRules) -> Self {
        let all = self.iter().map(|node| Member::new(node.clone().with_rules(rules))).collect();
        Self { all }
    }

    /// Requests and bytes of all nodes so far.
    pub async fn traffic(&self) -> Traffic {
        let mut sum = Traffic::default();
        for node in self.iter() {
            sum = sum + node.client().traffic().await;
        }
        sum
    }

    /// Notes that the node at a position could not be reached.
    pub fn note_outage(&self, position: usize) {
        if let Some(member) = self.all.get(position) {
            // `set` fails if another task has set it already, which is harmless.
            let _ = member.is_out.set(());
        }
    }

    /// Positions of the nodes to try for a block, the first one first. `turn` counts the blocks.
    pub fn order(&self, turn: usize) -> Vec<usize> {
        let count = self.count();
        let mut order: Vec<_> = (0..count).map(|step| (turn % count + step) % count).collect();
        order.sort_by_key(|position| self.all[*position].is_out.initialized());
        order
    }

    /// The node at a position of [`order`](Self::order).
    pub fn at(&self, position: usize) -> &Node {
        &self.all[position % self.count()].node
    }
}

//! Fetches many blocks, a bounded number at a time.
//!
//! Each block is a task of its own, so all threads of the runtime read and decode answers. They
//! continue while the consumer works on a block. The consumer still limits the rate: a new task
//! starts only when a finished block is taken.

use std::{num::NonZeroUsize, panic::resume_unwind, pin::Pin};

use alloy_primitives::BlockNumber;
use futures::stream::{self, Stream, StreamExt};
use tokio::task::{JoinError, JoinSet};

use super::{
    block_error::FetchError,
    choice::{FetchedBlock, WitnessChoice},
    node::Node,
    pool::Nodes,
};

/// A block number, and the block or the error.
type Fetched = (BlockNumber, Result<FetchedBlock, FetchError>);

/// A block with the position of its node.
type FetchedFrom = (usize, Fetched);

/// Blocks that are being fetched, and those that follow.
struct Running<S> {
    nodes: Nodes,
    /// Number of blocks that have been started.
    turn: usize,
    choice: WitnessChoice,
    /// The remaining block numbers. `None` when there are no more.
    rest: Option<Pin<Box<S>>>,
    /// Tasks that run, or are finished and not taken yet. Dropping the set aborts them.
    tasks: JoinSet<FetchedFrom>,
    most: usize,
}

impl Node {
    /// Fetches `blocks` by the method that `choice` names, at most `in_flight` of them at a time.
    /// Each block is returned when it is complete, in no particular order. An error ends its block
    /// only. `blocks` may be long and slow. It is polled only as blocks are taken, so memory is
    /// bounded by `in_flight` blocks. Dropping the returned stream aborts the running tasks.
    ///
    /// Needs a tokio runtime. A panic in a task continues in the consumer.
    pub fn fetch_many<S: Stream<Item = BlockNumber>>(
        &self,
        blocks: S,
        choice: WitnessChoice,
        in_flight: NonZeroUsize,
    ) -> impl Stream<Item = Fetched> + use<S> {
        Nodes::from(self.clone()).fetch_many(blocks, choice, in_flight).map(|(_, fetched)| fetched)
    }
}

impl Nodes {
    /// As [`Node::fetch_many`], from these nodes in turn. Each block comes with the position of its node.
    pub fn fetch_many<S: Stream<Item = BlockNumber>>(
        &self,
        blocks: S,
        choice: WitnessChoice,
        in_flight: NonZeroUsize,
    ) -> impl Stream<Item = FetchedFrom> + use<S> {
        let (nodes, rest, most) = (self.clone(), Some(Box::pin(blocks)), in_flight.get());
        let running = Running { nodes, turn: 0, choice, rest, tasks: JoinSet::new(), most };
        stream::unfold(running, |mut running| async {
            running.next().await.map(|fetched| (fetched, running))
        })
    }
}

impl<S: Stream<Item = BlockNumber>> Running<S> {
    /// Waits for a finished block. Meanwhile it starts tasks up to the limit.
    async fn next(&mut self) -> Option<FetchedFrom> {
        loop {
            let room = self.tasks.len() < self.most;
            let (rest, tasks) = (&mut self.rest, &mut self.tasks);
            tokio::select! {
                // New tasks start first, so that the node is never idle without need.
                biased;
                number = next_number(rest), if room && rest.is_some() => match number {
                    Some(number) => self.start(number),
                    None => self.rest = None,
                },
                Some(joined) = tasks.join_next() => return finished(joined),
                else => return None,
            }
        }
    }

    fn start(&mut self, number: BlockNumber) {
        let position = self.nodes.order(self.turn)[0];
        self.turn += 1;
        let (node, choice) = (self.nodes.at(position).clone(), self.choice);
        self.tasks.spawn(async move { (position, (number, node.fetch(number, choice).await)) });
    }
}

async fn next_number<S: Stream<Item = BlockNumber>>(
    rest: &mut Option<Pin<Box<S>>>,
) -> Option<BlockNumber> {
    rest.as_mut()?.next().await
}

fn finished(joined: Result<FetchedFrom, JoinError>) -> Option<FetchedFrom> {
    match joined {
        Ok(fetched) => Some(fetched),
        Err(error) if error.is_panic() => resume_unwind(error.into_panic()),
        // The runtime shuts down and cancels its tasks.
        Err(_) => None,
    }
}

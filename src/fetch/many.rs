//! Fetches many blocks, a bounded number at a time.
//!
//! Each block is a task of its own, so that answers are read and decoded on all of the runtime's
//! threads, and go on being read while the consumer is busy with a block. The consumer still sets the
//! pace: a new task starts only when a finished block is taken.

use std::{num::NonZeroUsize, panic::resume_unwind};

use alloy_primitives::BlockNumber;
use futures::stream::{self, Stream};
use tokio::task::JoinSet;

use super::{
    choice::{FetchedBlock, WitnessChoice},
    error::FetchError,
    node::Node,
};

/// What came of one block.
type Fetched = (BlockNumber, Result<FetchedBlock, FetchError>);

/// Blocks that are being fetched, and those that will be.
struct Running<I> {
    node: Node,
    choice: WitnessChoice,
    rest: I,
    /// Running, or finished and not taken yet. Dropping it ends them.
    tasks: JoinSet<Fetched>,
    most: usize,
}

impl Node {
    /// Fetches `blocks` by the method that `choice` says, at most `in_flight` of them at a time, and gives each as it is there, in no
    /// order. An error ends its block only. The iterator is drawn from as blocks are taken, so it may be
    /// long: memory is bounded by `in_flight` blocks. Dropping the stream ends what is running.
    ///
    /// Needs a tokio runtime. A panic in a task goes on in the consumer.
    pub fn fetch_many<I: IntoIterator<Item = BlockNumber>>(
        &self,
        blocks: I,
        choice: WitnessChoice,
        in_flight: NonZeroUsize,
    ) -> impl Stream<Item = Fetched> + use<I> {
        let (node, rest, most) = (self.clone(), blocks.into_iter(), in_flight.get());
        let running = Running { node, choice, rest, tasks: JoinSet::new(), most };
        stream::unfold(running, |mut running| async {
            running.start();
            running.next().await.map(|fetched| (fetched, running))
        })
    }
}

impl<I: Iterator<Item = BlockNumber>> Running<I> {
    /// Starts as many blocks as there is room for.
    fn start(&mut self) {
        let room = self.most.saturating_sub(self.tasks.len());
        for number in self.rest.by_ref().take(room) {
            let (node, choice) = (self.node.clone(), self.choice);
            self.tasks.spawn(async move { (number, node.fetch(number, choice).await) });
        }
    }

    async fn next(&mut self) -> Option<Fetched> {
        match self.tasks.join_next().await? {
            Ok(fetched) => Some(fetched),
            Err(error) if error.is_panic() => resume_unwind(error.into_panic()),
            // The runtime is going down, and with it everything here.
            Err(_) => None,
        }
    }
}

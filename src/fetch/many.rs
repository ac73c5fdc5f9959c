//! Fetches many blocks, a bounded number at a time.
//!
//! Each block is a task of its own, so that answers are read and decoded on all of the runtime's
//! threads, and go on being read while the consumer is busy with a block. The consumer still sets the
//! pace: a new task starts only when a finished block is taken.

use std::{num::NonZeroUsize, panic::resume_unwind, pin::Pin};

use alloy_primitives::BlockNumber;
use futures::stream::{self, Stream, StreamExt};
use tokio::task::{JoinError, JoinSet};

use super::{
    choice::{FetchedBlock, WitnessChoice},
    error::FetchError,
    node::Node,
};

/// What came of one block.
type Fetched = (BlockNumber, Result<FetchedBlock, FetchError>);

/// Blocks that are being fetched, and those that will be.
struct Running<S> {
    node: Node,
    choice: WitnessChoice,
    /// `None` at its end.
    rest: Option<Pin<Box<S>>>,
    /// Running, or finished and not taken yet. Dropping it ends them.
    tasks: JoinSet<Fetched>,
    most: usize,
}

impl Node {
    /// Fetches `blocks` by the method that `choice` says, at most `in_flight` of them at a time, and
    /// gives each as it is there, in no order. An error ends its block only. The stream is drawn from as
    /// blocks are taken, so it may be long, and slow: memory is bounded by `in_flight` blocks. Dropping
    /// the stream that is returned ends what is running.
    ///
    /// Needs a tokio runtime. A panic in a task goes on in the consumer.
    pub fn fetch_many<S: Stream<Item = BlockNumber>>(
        &self,
        blocks: S,
        choice: WitnessChoice,
        in_flight: NonZeroUsize,
    ) -> impl Stream<Item = Fetched> + use<S> {
        let (node, rest, most) = (self.clone(), Some(Box::pin(blocks)), in_flight.get());
        let running = Running { node, choice, rest, tasks: JoinSet::new(), most };
        stream::unfold(running, |mut running| async {
            running.next().await.map(|fetched| (fetched, running))
        })
    }
}

impl<S: Stream<Item = BlockNumber>> Running<S> {
    /// Waits for a finished block, and meanwhile starts as many as there is room for.
    async fn next(&mut self) -> Option<Fetched> {
        loop {
            let room = self.tasks.len() < self.most;
            let (rest, tasks) = (&mut self.rest, &mut self.tasks);
            tokio::select! {
                // Room is filled first, so that the node is never waited for without need.
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
        let (node, choice) = (self.node.clone(), self.choice);
        self.tasks.spawn(async move { (number, node.fetch(number, choice).await) });
    }
}

async fn next_number<S: Stream<Item = BlockNumber>>(
    rest: &mut Option<Pin<Box<S>>>,
) -> Option<BlockNumber> {
    rest.as_mut()?.next().await
}

fn finished(joined: Result<Fetched, JoinError>) -> Option<Fetched> {
    match joined {
        Ok(fetched) => Some(fetched),
        Err(error) if error.is_panic() => resume_unwind(error.into_panic()),
        // The runtime is going down, and with it everything here.
        Err(_) => None,
    }
}

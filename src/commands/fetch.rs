//! `blockrace fetch`: from a node into the cache, proving every block on the way.

mod kept;
mod summary;

use self::{kept::Kept, summary::Summary};
use super::{Context, Outcome, interrupt, machine, node::client};
use crate::{
    block::{PrepareError, WitnessReadError, range::BlockNumbers},
    cache::{Cache, RecordedBlock},
    cli::FetchArgs,
    evm::Chain,
    executor::{ExecutorKind, WorkerPool},
    fetch::{FetchError, Node},
    progress::Progress,
    verify::{Verdict, VerifyError, verify_block},
};
use eyre::WrapErr;
use futures::StreamExt;
use std::{num::NonZeroUsize, pin::pin, sync::Arc};
use tokio::{select, sync::oneshot::Receiver};

pub(super) fn run(args: FetchArgs, context: &Context) -> eyre::Result<Outcome> {
    let mut interrupted = interrupt::watch()?;
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build()?;
    runtime.block_on(async {
        let asked = select! {
            asked = ask(&args) => asked?,
            _ = &mut interrupted => {
                eprintln!("interrupted before the first block");
                return Ok(Outcome::Interrupted);
            }
        };
        fetch(&args, asked, interrupted, context).await
    })
}

/// What has to be known before the first block is fetched.
async fn ask(args: &FetchArgs) -> eyre::Result<(Node, BlockNumbers)> {
    let list = args.blocks.clone().load()?;
    let node = Node::connect(client(&args.node)?).await?;
    Chain::from_id(node.chain_id()).wrap_err("the node follows a chain that cannot be replayed")?;
    let head = if list.needs_head() { Some(node.head().await?) } else { None };
    Ok((node, list.resolve(head)?))
}

/// Fetches what is not there, until all is done or the user ends it. What is under way then is
/// dropped: a block is stored whole or not at all.
async fn fetch(
    args: &FetchArgs,
    (node, numbers): (Node, BlockNumbers),
    mut interrupted: Receiver<()>,
    context: &Context,
) -> eyre::Result<Outcome> {
    let progress = Progress::new(context.chatter, numbers.count(), "blocks");
    let kept = match args.overwrite {
        true => Kept::default(),
        false => Kept::of(&context.cache, node.chain_id())?,
    };
    let prover = Arc::new(Prover::new(node.clone(), context.cache.clone())?);
    let mut stored = pin!(
        node.fetch_many(kept.missing(numbers.iter(), || progress.step()), args.node.concurrency)
            .map(|(number, fetched)| keep(prover.clone(), number, fetched))
            .buffer_unordered(machine::cores().get())
    );
    let mut summary = Summary::new(numbers.count());
    loop {
        select! {
            next = stored.next() => match next {
                Some((number, result)) => summary.take(number, result, &progress),
                None => break,
            },
            _ = &mut interrupted => {
                summary.interrupt();
                break;
            }
        }
    }
    progress.finish();
    Ok(summary.print(kept.whole(), context))
}

/// Proves blocks, and stores those that hold.
struct Prover {
    node: Node,
    cache: Cache,
    pool: WorkerPool,
}

/// What kept a block out of the cache.
enum Refused {
    /// It could not be fetched, proved or stored.
    Failed(eyre::Report),
    /// It was executed, and is not what its header says.
    Mismatch(Verdict),
}

impl<E: Into<eyre::Report>> From<E> for Refused {
    fn from(error: E) -> Self {
        Self::Failed(error.into())
    }
}

async fn keep(
    prover: Arc<Prover>,
    number: u64,
    fetched: Result<RecordedBlock, FetchError>,
) -> (u64, Result<(), Refused>) {
    let stored = match fetched {
        Ok(recorded) => prover.prove_and_store(recorded).await,
        Err(error) => Err(error.into()),
    };
    (number, stored)
}

impl Prover {
    fn new(node: Node, cache: Cache) -> eyre::Result<Self> {
        Ok(Self { node, cache, pool: WorkerPool::new(NonZeroUsize::MIN)? })
    }

    async fn prove_and_store(self: Arc<Self>, mut recorded: RecordedBlock) -> Result<(), Refused> {
        loop {
            let (prover, candidate) = (self.clone(), recorded.clone());
            let proved = tokio::task::spawn_blocking(move || prover.prove(candidate)).await?;
            match proved {
                Ok(Verdict::Match) => break,
                Ok(mismatch @ Verdict::Mismatch { .. }) => return Err(Refused::Mismatch(mismatch)),
                Err(error) => match missing_ancestor(&error) {
                    Some(number) => self.node.fetch_ancestors(&mut recorded, number).await?,
                    None => return Err(error.into()),
                },
            }
        }
        tokio::task::spawn_blocking(move || self.cache.put(&recorded)).await??;
        Ok(())
    }

    fn prove(&self, recorded: RecordedBlock) -> Result<Verdict, VerifyError> {
        let executor = ExecutorKind::Sequential.executor();
        verify_block(recorded, executor, &self.pool, |_| ()).map(|(_, verdict)| verdict)
    }
}

/// The ancestor whose header `BLOCKHASH` asked for, if that is what is missing.
const fn missing_ancestor(error: &VerifyError) -> Option<u64> {
    match error {
        VerifyError::Prepare(PrepareError::NotProved(WitnessReadError::AncestorMissing {
            number,
        })) => Some(*number),
        _ => None,
    }
}

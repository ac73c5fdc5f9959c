//! The state root of cached blocks beside its limit: the Keccak-256 of the trie nodes that a block makes.
//!
//! `BLOCKRACE_CACHE=DIR cargo bench --bench root` prints one row for each block with a witness. Rounds alternate
//! between the three measurements, and a figure is the median of its rounds.

mod support;

use alloy_primitives::keccak256;
use blockrace::{
    block::ReplayJob, execution::Executor as _, executors::Sequential, state::PostState,
    threads::WorkerPool, trie::UpdatedTrie,
};
use std::{
    hint::black_box,
    num::NonZeroUsize,
    time::{Duration, Instant},
};

const ROUNDS: usize = 41;

/// Medians of one block.
struct Figures {
    nodes: usize,
    bytes: usize,
    keccak: Duration,
    one_thread: Duration,
    two_threads: Duration,
}

fn main() {
    let pools = [1, 2].map(|threads| {
        let threads = NonZeroUsize::new(threads).expect("it is not zero");
        WorkerPool::new(threads).expect("the threads start")
    });
    println!(
        "{:>10} {:>6} {:>8} {:>11} {:>9} {:>9} {:>10} {:>11}",
        "block", "nodes", "KiB", "keccak [us]", "1 thread", "2 threads", "1t/keccak", "2t/1t"
    );
    let mut all = Vec::new();
    for job in support::heaviest(usize::MAX).into_iter().map(support::job) {
        let post =
            Sequential.execute(&job, &pools[0]).expect("the block is valid").outcome.post_state;
        let Some(figures) = measure(&job, &post, &pools) else { continue };
        print(&job.header.number.to_string(), &figures);
        all.push(figures);
    }
    if !all.is_empty() {
        print("all", &total(&all));
    }
}

/// `None` if the block has no witness.
fn measure(job: &ReplayJob, post: &PostState, pools: &[WorkerPool; 2]) -> Option<Figures> {
    let trie = job.trie_after(post).expect("the witness proves the block")?;
    let nodes = trie.new_nodes();
    let (mut keccak, mut one, mut two) = (Vec::new(), Vec::new(), Vec::new());
    for _ in 0..ROUNDS {
        keccak.push(timed(|| nodes.iter().for_each(|node| _ = black_box(keccak256(node)))));
        one.push(root(job, post, &pools[0]));
        two.push(root(job, post, &pools[1]));
    }
    Some(Figures {
        nodes: nodes.iter().count(),
        bytes: nodes.iter().map(<[u8]>::len).sum(),
        keccak: median(keccak),
        one_thread: median(one),
        two_threads: median(two),
    })
}

/// The time until the root is known. The tries are dropped after it.
fn root(job: &ReplayJob, post: &PostState, pool: &WorkerPool) -> Duration {
    let mut trie = None;
    let time = timed(|| {
        trie = pool.install(|| job.trie_after(post)).expect("the witness proves the block");
        black_box(trie.as_ref().map(UpdatedTrie::root));
    });
    drop(trie);
    time
}

fn timed(work: impl FnOnce()) -> Duration {
    let start = Instant::now();
    work();
    start.elapsed()
}

fn median(mut times: Vec<Duration>) -> Duration {
    times.sort_unstable();
    times[times.len() / 2]
}

fn total(all: &[Figures]) -> Figures {
    Figures {
        nodes: all.iter().map(|figures| figures.nodes).sum(),
        bytes: all.iter().map(|figures| figures.bytes).sum(),
        keccak: all.iter().map(|figures| figures.keccak).sum(),
        one_thread: all.iter().map(|figures| figures.one_thread).sum(),
        two_threads: all.iter().map(|figures| figures.two_threads).sum(),
    }
}

fn print(block: &str, figures: &Figures) {
    let Figures { nodes, bytes, keccak, one_thread, two_threads } = figures;
    let [keccak, one, two] = [keccak, one_thread, two_threads].map(Duration::as_secs_f64);
    let [keccak_us, one_us, two_us] = [keccak, one, two].map(|seconds| (seconds * 1e6).round());
    println!(
        "{block:>10} {nodes:>6} {:>8} {keccak_us:>11} {one_us:>9} {two_us:>9} {:>10.2} {:>11.2}",
        bytes / 1024,
        one / keccak,
        two / one
    );
}

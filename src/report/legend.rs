//! Explains the columns of the tables.

/// The columns of the tables of `replay`, `analyze` and `compare`, in paragraphs.
pub const COLUMNS: &str = "\
replay, a line for each block

block: number; a star means that it was verified to the receipts only, because without a witness there is no state \
root to compare.

txs, Mgas: transactions, and gas in millions.

baseline: median time of the sequential executor on one thread.

each executor: its speedup with its 95 % interval. A speedup is the median of baseline time / executor time over the \
iterations. It is bold if its interval lies above 1, and red if it lies below 1.

! after a speedup: the executor fell back to another way of execution.

= after a speedup: the executor left the block to one thread, because it is too small for several.

MISMATCH: the result is wrong, so no time is shown.

fastest, executor: on a narrow terminal, the fastest executor of the block in place of all.

With --verbose, each block has three lines as well: median time and Mgas/s; speedup with its interval; the speedup as \
a share of the bound, or of the number of threads if no bound is known. Under the baseline stands the time of the \
state root.

replay, over all blocks

verified: rows that matched, of all rows.

geometric mean: of the speedups. All blocks weigh the same. The interval reflects the noise between iterations.

total ratio: sum of the baseline's median times / sum of the executor's. Long blocks weigh more.

Mgas/s: all gas / sum of the median times.

of bound: geometric mean of speedup / bound. The bound is the speedup that the block's dependencies allow.

replay, use of the threads' time in profiled runs, in per cent

useful: executing valid incarnations, at the speed of a single thread.

slowdown: the rest of that execution, since cores share caches and memory.

wasted: aborted incarnations and prefetching.

waiting: for a dependency.

idle: without work between transactions.

tail: without work at the end.

validate: validation and commit.

outside: before the first and after the last transaction.

final: share of the block's time after which half of the results are final.

analyze

time: of all transactions on one thread, the shortest of several runs.

root: share of the state root in the time of execution and root on one thread.

chain: transactions in the longest chain of dependencies.

indep.: share of transactions without a dependency.

longest: share of the time of the longest transaction.

bound: time / critical path, the bound of the speedup on any number of threads. The critical path is the chain of \
dependent transactions that takes longest.

on 2, on 4: bounds on 2 and 4 threads, from a schedule of the measured times. A transaction waits at a read for the \
transaction that writes the value. There are no aborts and no overhead. Conflicts are on balance, nonce, code and \
slot; payments commute, and senders' nonces are known.

worst in: number of blocks in which removing the contract would raise the bound most.

compare

change of time: new / base, the median over the blocks. Above zero the new run is slower.

95 % interval: of the change, from resampling blocks, or iterations if there are few blocks.

SLOWER: by more than the threshold and the noise floor. not slower: the whole interval is below the threshold. \
cannot tell, slower?: the runs show neither.
";

//! Ten thousand blocks in several chunks, in processes that are killed.

#![cfg(unix)]

use crate::{
    outputs::{files, journaled, rows, text},
    support::{assert_code, blockrace, made_up::MadeUp, start},
};
use blockrace::cache::Cache;
use rand::{RngExt, SeedableRng, rngs::Xoshiro256PlusPlus};
use std::{
    collections::BTreeSet,
    path::{Path, PathBuf},
    thread::sleep,
    time::{Duration, Instant},
};

/// Number of blocks. They have no transactions, so each takes little time.
const BLOCKS: usize = 10_000;

/// Number of processes that are killed.
const KILLS: usize = 20;

/// The files of the finished chunks, by their paths in the output.
fn chunks(output: &Path) -> BTreeSet<PathBuf> {
    let inside = |path: PathBuf| path.strip_prefix(output).expect("it is inside").to_owned();
    files(&output.join("verdicts"), "parquet").into_iter().map(inside).collect()
}

#[test]
fn every_chunk_is_there_once_after_twenty_kills() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let cache = Cache::new(folder.path());
    for block in MadeUp::chain(BLOCKS) {
        cache.put(&block).expect("the folder can be written");
    }
    let [whole, output] = ["whole", "out"].map(|name| folder.path().join(name));
    let verify = |output: &Path| {
        let begin = Instant::now();
        assert_code(&blockrace(folder.path(), &["verify", "-q", "--output", &text(output)]), 0);
        begin.elapsed()
    };
    let time = verify(&whole);
    assert_eq!(rows(&whole).len(), BLOCKS);

    let mut random = Xoshiro256PlusPlus::seed_from_u64(11);
    let mut running = 0;
    for _ in 0..KILLS {
        let mut child = start(folder.path(), &["verify", "-q", "--output", &text(&output)]);
        sleep(Duration::from_millis(random.random_range(0..=time.as_millis() as u64 / 8)));
        running += usize::from(child.try_wait().expect("the test owns it").is_none());
        child.kill().expect("the test owns it");
        child.wait().expect("the test owns it");
    }
    assert!(running > KILLS / 2, "the process was running at {running} of {KILLS} moments");
    verify(&output);
    assert_eq!(chunks(&output), chunks(&whole));
    assert_eq!(chunks(&output).len(), BLOCKS / 1_000 + 1, "the first number is not a multiple");
    assert_eq!(rows(&output), rows(&whole));
    assert_eq!(journaled(&output), 0);
}

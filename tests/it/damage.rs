//! Damaged files never lead to a wrong result.

use crate::support::{fetched, recordings, witness_of_mut};
use blockrace::{
    block::{RecordedBlock, prepare},
    cache::{Cache, container},
    executors::ExecutorKind,
    threads::WorkerPool,
    verify::{Verdict, verify_block},
};
use rand::{RngExt, SeedableRng, rngs::Xoshiro256PlusPlus};
use std::{fs, num::NonZeroUsize};

/// Result of verifying a damaged block.
#[derive(Debug, PartialEq)]
enum Fate {
    /// The block was refused with this message.
    Refused(String),
    /// The damage does not affect the result.
    Unharmed,
}

/// Verifies a block with damage inside the compressed frame, which no checksum detects.
fn fate(recorded: RecordedBlock, pool: &WorkerPool) -> Fate {
    match verify_block(recorded, ExecutorKind::SEQUENTIAL, pool, |_| ()) {
        Ok((_, Verdict::Match)) => Fate::Unharmed,
        Ok((_, mismatch)) => Fate::Refused(mismatch.to_string()),
        Err(error) => Fate::Refused(error.to_string()),
    }
}

fn one_thread() -> WorkerPool {
    WorkerPool::new(NonZeroUsize::MIN).expect("a thread is available")
}

#[test]
fn a_flipped_byte_in_a_file_never_gives_a_wrong_result() {
    let Some(recordings) = recordings() else { return };
    let (folder, _) = fetched(&recordings, "mainnet");
    let cache = Cache::new(folder.path());
    let mut rng = Xoshiro256PlusPlus::seed_from_u64(7);
    let ids = cache.list(1).expect("the cache is readable");
    let pool = one_thread();
    for _ in 0..1_000 {
        let id = ids[rng.random_range(0..ids.len())];
        let mut bytes = fs::read(cache.path(&id)).expect("the file is there");
        let at = rng.random_range(0..bytes.len());
        bytes[at] ^= 1 << rng.random_range(0..8);
        let Ok(damaged) = container::decode(&bytes) else { continue };
        if damaged.id() != id {
            continue;
        }
        assert_eq!(fate(damaged, &pool), Fate::Unharmed, "block {}, byte {at}", id.number);
    }
}

#[test]
fn a_flipped_byte_in_a_witness_is_refused_or_harmless() {
    let Some(recordings) = recordings() else { return };
    let (folder, _) = fetched(&recordings, "mainnet");
    let cache = Cache::new(folder.path());
    let mut rng = Xoshiro256PlusPlus::seed_from_u64(11);
    let ids = cache.list(1).expect("the cache is readable");
    let pool = one_thread();
    let mut refused = 0;
    for _ in 0..1_000 {
        let id = ids[rng.random_range(0..ids.len())];
        let mut recorded = cache.get(&id).expect("the file is whole");
        let witness = witness_of_mut(&mut recorded);
        let lists = [&mut witness.nodes, &mut witness.codes, &mut witness.headers];
        let mut items: Vec<_> = lists.into_iter().flatten().collect();
        let chosen = rng.random_range(0..items.len());
        let mut bytes = items[chosen].to_vec();
        if bytes.is_empty() {
            continue;
        }
        let at = rng.random_range(0..bytes.len());
        bytes[at] ^= 1 << rng.random_range(0..8);
        *items[chosen] = bytes.into();
        if let Fate::Refused(message) = fate(recorded, &pool) {
            assert!(!message.is_empty());
            refused += 1;
        }
    }
    assert!(refused > 800, "most of a witness matters, and {refused} of 1,000 were refused");
}

#[test]
fn a_changed_body_does_not_belong_to_its_header() {
    let Some(recordings) = recordings() else { return };
    let (folder, _) = fetched(&recordings, "mainnet");
    let cache = Cache::new(folder.path());
    let get = || cache.get_by_number(1, 24_628_608).expect("the block is cached");
    let refused = |recorded, link: &str| {
        let error = prepare(recorded, |_| ()).expect_err(link);
        let chain = format!("{:#}", eyre::Report::from(error));
        assert!(chain.contains(link), "{chain:?} names the {link}");
    };
    let mut fewer = get();
    fewer.block.body.transactions.pop();
    refused(fewer, "transactions");
    let mut other = get();
    other.block.body.ommers.push(Default::default());
    refused(other, "ommers");
    let mut unpaid = get();
    unpaid.block.body.withdrawals = None;
    refused(unpaid, "withdrawals");
    let mut orphan = get();
    witness_of_mut(&mut orphan).headers.clear();
    refused(orphan, "parent");
    let mut bare = get();
    witness_of_mut(&mut bare).nodes.truncate(10);
    refused(bare, "account");
    let mut codeless = get();
    witness_of_mut(&mut codeless).codes.clear();
    refused(codeless, "code");
}

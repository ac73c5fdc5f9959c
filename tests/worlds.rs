//! Generated worlds with few keys and many conflicts: all executors have to agree on every one.
//!
//! `BLOCKRACE_WORLDS` says how many, and `BLOCKRACE_SEED` which; a failure prints the smallest world that
//! still fails, and belongs into this file as a test of its own.

#[path = "support/world/mod.rs"]
#[allow(dead_code, reason = "every test file uses another part")]
mod world;

use blockrace::{
    conformance::{Disagreement, Panel},
    executor::ExecutorKind,
};
use proptest::test_runner::{Config, RngAlgorithm, TestCaseError, TestRng, TestRunner};
use std::{cell::RefCell, env, num::NonZeroUsize, str::FromStr, time::Duration};
use world::World;

fn panel() -> Panel {
    let threads = [1, 2, 8].map(|threads| NonZeroUsize::new(threads).expect("not zero"));
    Panel::new(&ExecutorKind::ALL, &threads, Duration::from_secs(60)).expect("threads can be had")
}

fn number<N: FromStr>(variable: &str, default: N) -> N {
    let set = env::var(variable).ok();
    set.map_or(default, |text| text.parse().ok().expect("the variable is a number"))
}

/// Executes the block as it is, which may be invalid, and then without what made it so.
fn check(world: World, panel: &mut Panel) -> Result<(), Disagreement> {
    let rehearsal = world.rehearse();
    let is_valid = rehearsal.result.is_ok();
    panel.examine(rehearsal)?;
    if !is_valid {
        panel.examine(world.made_valid().1)?;
    }
    Ok(())
}

#[test]
fn all_executors_agree_on_generated_worlds() {
    let config = Config {
        cases: number("BLOCKRACE_WORLDS", 500),
        failure_persistence: None,
        max_shrink_iters: 20_000,
        ..Config::default()
    };
    let mut seed = [0; 32];
    seed[..8].copy_from_slice(&number("BLOCKRACE_SEED", 1_u64).to_le_bytes());
    let rng = TestRng::from_seed(RngAlgorithm::ChaCha, &seed);
    let panel = RefCell::new(panel());
    let result = TestRunner::new_with_rng(config, rng).run(&world::world(), |world| {
        let mut panel = panel.borrow_mut();
        check(world, &mut panel).map_err(|error| {
            let causes = std::iter::successors(std::error::Error::source(&error), |e| e.source());
            let text = causes.fold(error.to_string(), |text, cause| format!("{text}: {cause}"));
            TestCaseError::fail(text)
        })
    });
    if let Err(error) = result {
        panic!("{error}");
    }
}

#[test]
fn most_generated_transactions_are_valid_and_worlds_meet_all_forks() {
    let config = Config { cases: 200, failure_persistence: None, ..Config::default() };
    let rng = TestRng::from_seed(RngAlgorithm::ChaCha, &[7; 32]);
    let (all, valid, forks) =
        (RefCell::new(0), RefCell::new(0), RefCell::new(std::collections::BTreeSet::new()));
    let run = TestRunner::new_with_rng(config, rng).run(&world::world(), |world| {
        *all.borrow_mut() += world.txs.len();
        forks.borrow_mut().insert(world.fork);
        *valid.borrow_mut() += world.made_valid().0.txs.len();
        Ok(())
    });
    run.expect("nothing is claimed of single worlds");
    let (all, valid) = (all.into_inner(), valid.into_inner());
    assert!(valid * 10 > all * 7, "{valid} of {all} transactions are valid");
    assert_eq!(forks.into_inner().len(), world::FORKS.len());
}

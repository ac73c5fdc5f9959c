//! Checks that run under every schedule, and their blocks.

use crate::{
    stm::{
        engine::no_other_work,
        memory::ReaderSet,
        scheduler::{Scheduler, Speculation, Steps, Task},
        testing::{
            Program, Step,
            Step::{
                Add, Count, Empty, Read, ReadFollowing, Set, SetFollowing, Spend, StopIfEven,
                Surprise,
            },
            handed_on_up_to, in_order, in_parallel, step,
        },
    },
    thread,
    witness::Witness,
};
use proptest::{
    prelude::*,
    strategy::ValueTree as _,
    test_runner::{Config, RngAlgorithm, TestRng, TestRunner},
};

/// A block, and the way it is executed.
#[derive(Clone, Debug)]
pub struct Scene {
    /// Short description of the scene.
    pub name: String,
    programs: Vec<Program>,
    early: Vec<usize>,
    threads: usize,
}

impl Scene {
    fn new(name: &str, threads: usize, programs: Vec<Program>) -> Self {
        Self { name: name.to_owned(), programs, early: Vec::new(), threads }
    }

    /// Executes the scene once. Panics if a result differs from block order.
    pub fn run(&self) {
        let witness = Witness::default();
        let (outcome, _) = in_parallel(&self.programs, &self.early, self.threads, &witness);
        assert_eq!(outcome, in_order(&self.programs), "{self:?}");
        witness.judge(self.programs.len());
    }
}

/// Blocks so small that nearly all schedules can be explored.
pub fn tiny() -> Vec<Scene> {
    vec![
        Scene::new("more workers than transactions", 2, vec![vec![Set(0)]]),
        Scene::new("the second reads the first's write", 2, vec![vec![Set(0)], vec![Read(0)]]),
        Scene::new("two transactions assume a nonce", 2, vec![vec![Count(0)], vec![Count(0)]]),
        Scene::new("an empty block", 2, vec![]),
    ]
}

/// Hand-made blocks, each for one hazard.
pub fn by_hand() -> Vec<Scene> {
    let twice = |step: [Step; 2]| vec![step.to_vec(), step.to_vec()];
    let chain = vec![vec![Read(0), Set(0)]; 4];
    let astray = vec![
        vec![Read(1), Set(0)],
        vec![Read(0), SetFollowing(0), StopIfEven, Set(1)],
        vec![ReadFollowing(0), Read(1), SetFollowing(3)],
        vec![Read(0), Read(1), ReadFollowing(3), Set(2)],
    ];
    let emptied = vec![
        vec![Read(0), Set(3), Set(0)],
        vec![Read(6), Empty(0)],
        vec![Read(3), Read(0), Set(3)],
        vec![Read(3), Read(0)],
    ];
    let spent = vec![
        vec![Spend(0), Add(1)],
        vec![Spend(0), Spend(1)],
        vec![Add(0), Read(9)],
        vec![Spend(0), Read(10)],
    ];
    let counted = vec![
        vec![Count(0)],
        vec![Read(0), Read(1), Surprise(0)],
        vec![Count(0), Read(0)],
        vec![Count(0), Set(0)],
    ];
    let withdrawn = vec![
        vec![Set(1)],
        vec![Read(1), StopIfEven, Set(0)],
        vec![Read(0), Set(2)],
        vec![Read(2), Read(0)],
    ];
    let mut scenes = vec![
        Scene::new("a chain on two threads", 2, chain.clone()),
        Scene::new("a chain on three threads", 3, chain.clone()),
        Scene::new("two dependent transactions and an idle worker", 3, twice([Read(0), Set(0)])),
        Scene::new("incarnations with invalid reads", 3, astray),
        Scene::new("a storage is cleared and written again", 3, emptied),
        Scene::new("a balance is spent and paid", 3, spent),
        Scene::new("an assumed nonce is wrong", 3, counted),
        Scene::new("a write that the next incarnation does not repeat", 3, withdrawn),
    ];
    let late = Scene::new("the last transaction starts first", 3, chain);
    scenes.push(Scene { early: vec![3, 1], ..late });
    scenes
}

/// This number of generated blocks. A seed always gives the same blocks.
pub fn generated(count: usize, seed: u64) -> Vec<Scene> {
    let mut bytes = [0; 32];
    bytes[..8].copy_from_slice(&seed.to_le_bytes());
    let rng = TestRng::from_seed(RngAlgorithm::ChaCha, &bytes);
    let mut runner = TestRunner::new_with_rng(Config::default(), rng);
    let program = prop::collection::vec(step(), 0..6);
    let early = prop::collection::vec(0..2_usize, 0..2);
    let scene = (prop::collection::vec(program, 2..7), early, 2..4_usize);
    (0..count)
        .map(|index| {
            let tree = scene.new_tree(&mut runner).expect("nothing is filtered");
            let (programs, early, threads) = tree.current();
            Scene { name: format!("seed {seed}, block {index}"), programs, early, threads }
        })
        .collect()
}

/// After the commit that ends the run no transaction commits, and every worker returns.
pub fn a_commit_ends_the_run() {
    assert_eq!(handed_on_up_to(1, 4, 3), 2);
}

/// A scheduler in which all transactions wait for the first one, which is running.
fn all_wait(transactions: usize) -> Scheduler {
    let scheduler = Scheduler::new(Steps { count: transactions, ..Steps::default() });
    for expected in 0..transactions {
        let task = scheduler.next_task(no_other_work);
        assert!(matches!(task, Some(Task::Execute { tx, .. }) if tx == expected), "{task:?}");
    }
    for tx in 1..transactions {
        assert_eq!(scheduler.blocked(tx, 0), None);
    }
    scheduler
}

/// S3: a sleeping worker is woken by work that another worker reports, while that worker itself is
/// busy. A full run does not test this, as it completes with the workers that are awake.
pub fn a_sleeper_is_woken_by_work() {
    let scheduler = all_wait(3);
    let woken = thread::scope(|scope| {
        let sleeper = scope.spawn(|| scheduler.next_task(no_other_work));
        let next = scheduler.executed(0, ReaderSet::EMPTY, Speculation::None);
        assert!(matches!(next, Some(Task::Execute { tx: 1, .. })), "{next:?}");
        sleeper.join().expect("the worker does not panic")
    });
    assert!(matches!(woken, Some(Task::Execute { tx: 2, .. })), "{woken:?}");
}

/// S3: the first of two sleeping workers leaves a task after it was woken, and wakes the second
/// one.
pub fn a_woken_worker_wakes_the_next() {
    let scheduler = all_wait(4);
    thread::scope(|scope| {
        let sleepers = [(); 2].map(|()| scope.spawn(|| scheduler.next_task(no_other_work)));
        assert!(scheduler.executed(0, ReaderSet::EMPTY, Speculation::None).is_some());
        for sleeper in sleepers {
            let woken = sleeper.join().expect("the worker does not panic");
            assert!(matches!(woken, Some(Task::Execute { .. })), "{woken:?}");
        }
    });
}

/// Stopping the scheduler also ends sleeping workers.
pub fn sleeping_workers_stop() {
    let scheduler = all_wait(2);
    thread::scope(|scope| {
        let sleepers = [(); 2].map(|()| scope.spawn(|| scheduler.next_task(no_other_work)));
        scheduler.stop();
        for sleeper in sleepers {
            assert_eq!(sleeper.join().expect("the worker does not panic"), None);
        }
    });
}

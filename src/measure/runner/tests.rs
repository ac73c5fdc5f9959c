//! Known answers: executors with scripted times run through the whole measuring path, verification included.
//! The clock is scripted too, so the tests do not depend on the speed of the machine.

use std::{num::NonZeroU32, sync::Arc, time::Duration};

use parking_lot::Mutex;
use rand::{RngExt, SeedableRng, rngs::Xoshiro256PlusPlus};

use super::*;
use crate::{
    block::prepare,
    cache,
    execution::Execution,
    executors::{ExecutorKind, Sequential},
    measure::plan::{Readiness, Rounds, SelfCheck},
    threads::Pinning,
};

/// A clock that advances only by the scripts of the executors.
#[derive(Clone, Debug, Default)]
struct ScriptClock(Arc<Mutex<Duration>>);

impl Clock for ScriptClock {
    fn wall(&self) -> Duration {
        *self.0.lock()
    }

    fn cpu(&self) -> Option<Duration> {
        Some(2 * self.wall())
    }

    fn until_quiet(&self) {}
}

/// The time of each sample, by its number.
type Script = Box<dyn Fn(usize) -> Duration + Send + Sync>;

/// Executes the block, and advances the clock by the scripted time.
struct Scripted {
    clock: ScriptClock,
    script: Arc<Script>,
    laps: Arc<Mutex<usize>>,
    wrong_at: Option<usize>,
}

impl std::fmt::Debug for Scripted {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Scripted")
    }
}

impl Executor for Scripted {
    fn execute(&self, job: &ReplayJob, pool: &WorkerPool) -> Result<Execution, ExecuteError> {
        let mut execution = Sequential.execute(job, pool)?;
        let mut laps = self.laps.lock();
        *self.clock.0.lock() += (self.script)(*laps);
        if self.wrong_at == Some(*laps) {
            execution.outcome.gas_used += 1;
        }
        *laps += 1;
        Ok(execution)
    }
}

/// No execution here takes as long.
const LIMIT: Duration = Duration::from_secs(60);

fn ms(millis: f64) -> Duration {
    Duration::from_secs_f64(millis / 1e3)
}

fn constant(millis: f64) -> Script {
    Box::new(move |_| ms(millis))
}

/// Times within five percent of `millis`.
fn noisy(millis: f64, seed: u64) -> Script {
    Box::new(move |lap| {
        let mut rng = Xoshiro256PlusPlus::seed_from_u64(seed + 1_000 * lap as u64);
        ms(millis * rng.random_range(0.95..1.05))
    })
}

fn rounds(iterations: u32) -> Rounds {
    Rounds {
        warmup: Warmup::Rounds(1),
        iterations: Iterations::Rounds(NonZeroU32::new(iterations).unwrap()),
        self_check: SelfCheck::Off,
        pinning: Pinning::Free,
        readiness: Readiness::Awake,
        seed: 3,
    }
}

type PrepareScripted =
    Box<dyn Fn(Contender, &ReplayJob) -> Result<Box<dyn Executor>, ExecuteError> + Send + Sync>;

struct Stage {
    runner: Runner<ScriptClock, PrepareScripted>,
    job: Arc<ReplayJob>,
}

/// The baseline and one contender on one thread, over the smallest block of the sample.
fn stage(rounds: Rounds, baseline: Script, contender: Script, wrong_at: Option<usize>) -> Stage {
    let clock = ScriptClock::default();
    let (baseline, contender) = (Arc::new(baseline), Arc::new(contender));
    let (baselines, contenders) = <(Arc<Mutex<usize>>, Arc<Mutex<usize>>)>::default();
    let scripted: PrepareScripted = {
        let clock = clock.clone();
        Box::new(move |Contender { executor: kind, .. }, _| {
            let (script, laps, wrong_at) = match kind {
                kind if kind == ExecutorKind::SEQUENTIAL => {
                    (baseline.clone(), baselines.clone(), None)
                }
                _ => (contender.clone(), contenders.clone(), wrong_at),
            };
            let clock = clock.clone();
            Ok(Box::new(Scripted { clock, script, laps, wrong_at }) as Box<dyn Executor>)
        })
    };
    let executors = [ExecutorKind::BLOCK_STM];
    let plan = Plan::new(ExecutorKind::SEQUENTIAL, &executors, &[NonZeroUsize::MIN], rounds);
    let runner = Runner::with(plan, clock.clone(), scripted, LIMIT).unwrap();
    let blocks = cache::sample().unwrap();
    let smallest = blocks.into_iter().min_by_key(|block| block.block.header.gas_used).unwrap();
    Stage { runner, job: Arc::new(prepare(smallest, |_| ()).unwrap()) }
}

impl Stage {
    fn race(&mut self) -> Race {
        self.runner.race(&self.job, || ControlFlow::Continue(())).unwrap()
    }
}

fn times(finish: &ContenderResult) -> Vec<Duration> {
    finish.result.as_ref().unwrap().samples.iter().map(|sample| sample.execute).collect()
}

#[test]
fn samples_have_the_scripted_times_in_order_without_the_warm_up() {
    let script: Script = Box::new(|lap| ms(100.0 + lap as f64));
    let race = stage(rounds(3), constant(200.0), script, None).race();
    assert_eq!(times(&race.results[0]), [ms(200.0); 3]);
    assert_eq!(times(&race.results[1]), [ms(101.0), ms(102.0), ms(103.0)]);
    assert_eq!((race.rounds, race.warmup, race.end), (3, 1, End::Done));
    let sample = race.results[1].result.as_ref().unwrap().samples[0];
    assert_eq!(sample.cpu, Some(ms(202.0)));
    assert_eq!(sample.root, Some(Duration::ZERO), "no script advances the clock during the root");
    let speedup = Speedup::paired(&times(&race.results[0]), &times(&race.results[1]), 0).unwrap();
    assert!((speedup.ratio - 200.0 / 102.0).abs() < 1e-9, "{speedup:?}");
}

#[test]
fn a_contender_that_panics_during_preparation_does_not_stop_the_others() {
    let Stage { runner: Runner { plan, prepare, meter, .. }, job } =
        stage(rounds(2), constant(200.0), constant(100.0), None);
    let breaks = move |contender: Contender, job: &ReplayJob| match contender.executor {
        kind if kind == ExecutorKind::SEQUENTIAL => prepare(contender, job),
        _ => panic!("this contender panics on purpose"),
    };
    let mut runner = Runner::with(plan, meter.clock, breaks, LIMIT).unwrap();
    let race = runner.race(&job, || ControlFlow::Continue(())).unwrap();
    assert_eq!(times(&race.results[0]), [ms(200.0); 2]);
    let wrong = race.results[1].result.as_ref().unwrap_err();
    assert!(wrong.contains("panicked"), "{wrong}");
}

#[test]
fn warm_up_ends_when_no_contender_gets_faster() {
    let steady = Rounds { warmup: Warmup::UntilSteady, ..rounds(2) };
    let cold: Script = Box::new(|lap| ms([900.0, 500.0, 300.0].get(lap).copied().unwrap_or(200.0)));
    let race = stage(steady, constant(200.0), cold, None).race();
    assert_eq!((race.warmup, race.settled), (6, true));
    assert_eq!(times(&race.results[1]), [ms(200.0); 2]);
}

#[test]
fn warm_up_of_a_contender_that_keeps_getting_faster_ends_at_the_limit() {
    let steady = Rounds { warmup: Warmup::UntilSteady, ..rounds(2) };
    let script: Script = Box::new(|lap| ms(1_000.0 * 0.9_f64.powi(lap as i32)));
    let race = stage(steady, constant(200.0), script, None).race();
    assert_eq!((race.warmup, race.settled), (MOST_ROUNDS, false));
}

#[test]
fn automatic_iterations_end_when_the_interval_is_narrow() {
    let limit = Duration::from_secs(3_600);
    let auto = Rounds { iterations: Iterations::UntilPrecise { limit }, ..rounds(1) };
    let race = stage(auto, constant(100.0), constant(50.0), None).race();
    assert_eq!((race.rounds, race.end), (FEWEST_ROUNDS, End::Done));

    let race = stage(auto, noisy(100.0, 1), noisy(50.0, 2), None).race();
    assert!(race.rounds > FEWEST_ROUNDS, "{}", race.rounds);
    assert_eq!(race.end, End::Done);
    let speedup = Speedup::paired(&times(&race.results[0]), &times(&race.results[1]), 3).unwrap();
    assert!(speedup.precision() <= PRECISE, "{speedup:?}");
}

#[test]
fn automatic_iterations_end_at_the_time_limit() {
    let limit = Duration::from_secs(2);
    let auto = Rounds { iterations: Iterations::UntilPrecise { limit }, ..rounds(1) };
    let race = stage(auto, constant(400.0), constant(400.0), None).race();
    // An iteration takes 0.8 s, the warm-up iteration included.
    assert_eq!((race.rounds, race.end), (2, End::TimeLimit));
}

#[test]
fn an_a_a_run_compares_the_baseline_with_itself() {
    let cores = NonZeroUsize::MIN;
    let checked = Rounds { self_check: SelfCheck::On { cores }, ..rounds(30) };
    let race = stage(checked, noisy(100.0, 8), constant(50.0), None).race();
    assert_eq!(race.results.len(), 2);
    let [itself] = race.self_checks.as_slice() else { panic!("{race:?}") };
    assert_eq!(itself.contender, Contender::on_one_thread(ExecutorKind::SEQUENTIAL));
    let speedup = Speedup::paired(&times(&race.results[0]), &times(itself), 0).unwrap();
    assert!(speedup.ci_low < 1.0 && 1.0 < speedup.ci_high, "{speedup:?}");
}

#[test]
fn an_interrupted_run_keeps_its_complete_iterations() {
    let mut stage = stage(rounds(10), constant(100.0), constant(50.0), None);
    let mut laps = 0;
    let race = stage.runner.race(&stage.job, || {
        laps += 1;
        // Two samples of warm-up, three whole iterations, and one sample of the fourth.
        if laps == 9 { ControlFlow::Break(()) } else { ControlFlow::Continue(()) }
    });
    let race = race.unwrap();
    assert_eq!((race.rounds, race.end), (3, End::Interrupted));
    assert!(race.results.iter().all(|finish| times(finish).len() == 3));
}

#[test]
fn a_run_that_is_interrupted_during_warm_up_has_no_result() {
    let mut stage = stage(rounds(10), constant(100.0), constant(50.0), None);
    let race = stage.runner.race(&stage.job, || ControlFlow::Break(()));
    assert!(matches!(race, Err(RunError::Interrupted)), "{race:?}");
}

#[test]
fn a_contender_with_one_wrong_outcome_has_no_times_and_does_not_stop_the_others() {
    let race = stage(rounds(5), constant(100.0), constant(50.0), Some(3)).race();
    assert_eq!(times(&race.results[0]).len(), 5);
    let wrong = race.results[1].result.as_ref().unwrap_err();
    assert!(wrong.starts_with("gas used"), "{wrong}");
}

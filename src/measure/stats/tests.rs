use std::f64::consts::TAU;

use proptest::collection::vec;
use proptest::prelude::*;
use rand::rngs::Xoshiro256PlusPlus;
use rand::seq::SliceRandom;
use rand::{RngExt, SeedableRng};

use super::*;

const SEED: u64 = 42;

fn ns(times: &[u64]) -> Vec<Duration> {
    times.iter().copied().map(Duration::from_nanos).collect()
}

fn summary(median: u64, ci_low: u64, ci_high: u64) -> Summary {
    let [median, ci_low, ci_high] = [median, ci_low, ci_high].map(Duration::from_nanos);
    Summary { median, ci_low, ci_high }
}

/// Two independent standard normal numbers, by the method of Box and Muller.
fn normals(rng: &mut Xoshiro256PlusPlus) -> (f64, f64) {
    let radius = (-2.0 * (1.0 - rng.random::<f64>()).ln()).sqrt();
    let angle = TAU * rng.random::<f64>();
    (radius * angle.cos(), radius * angle.sin())
}

/// Log-normal times with a median of 1 ms.
fn log_normal_times(rng: &mut Xoshiro256PlusPlus, count: usize) -> Vec<Duration> {
    let time = |_| Duration::from_secs_f64(1e-3 * (0.5 * normals(rng).0).exp());
    (0..count).map(time).collect()
}

/// Iterations in which both contenders slow down by half. The contender is 1.6 times as fast.
fn drifting_rounds(count: usize) -> (Vec<Duration>, Vec<Duration>) {
    let mut rng = Xoshiro256PlusPlus::seed_from_u64(7);
    let round = |at: usize| {
        let drift = 1.0 + 0.5 * at as f64 / count as f64;
        let (noise, other) = normals(&mut rng);
        let baseline = Duration::from_secs_f64(16e-3 * drift * (1.0 + 0.002 * noise));
        (baseline, Duration::from_secs_f64(10e-3 * drift * (1.0 + 0.002 * other)))
    };
    (0..count).map(round).unzip()
}

#[test]
fn the_median_is_the_middle_or_the_mean_of_the_middle_two() {
    for (times, middle) in [
        (ns(&[7]), 7),
        (ns(&[9, 1, 5]), 5),
        (ns(&[8, 2, 4, 100]), 6),
        (ns(&[1, 2]), 1),
        (ns(&[3, 3, 3, 3]), 3),
    ] {
        assert_eq!(median(&times), Ok(Duration::from_nanos(middle)), "{times:?}");
    }
}

#[test]
fn the_median_of_the_longest_durations_does_not_overflow() {
    assert_eq!(median(&[Duration::MAX, Duration::MAX]), Ok(Duration::MAX));
}

#[test]
fn an_empty_series_has_no_statistics() {
    assert_eq!(median(&[]), Err(StatsError::NoSamples));
    assert_eq!(Summary::of(&[], SEED), Err(StatsError::NoSamples));
    assert_eq!(Speedup::paired(&[], &[], SEED), Err(StatsError::NoSamples));
    assert_eq!(geometric_mean(&[]), None);
}

#[test]
fn a_single_sample_is_its_own_interval() {
    assert_eq!(Summary::of(&ns(&[450]), SEED), Ok(summary(450, 450, 450)));

    let speedup = Speedup::paired(&ns(&[300]), &ns(&[200]), SEED);
    assert_eq!(speedup, Ok(Speedup { ratio: 1.5, ci_low: 1.5, ci_high: 1.5 }));
}

#[test]
fn the_interval_of_two_times_spans_both() {
    // A quarter of all draws take the same time twice. That is far more than the share that is cut off.
    assert_eq!(Summary::of(&ns(&[30, 10]), SEED), Ok(summary(20, 10, 30)));
}

#[test]
fn the_interval_of_a_median_follows_the_normal_approximation() {
    // The 2.5 % quantile of the resampled median of 101 times is near the 41st, by the normal approximation: 51
    // - 1.96 * sqrt(101) / 2.
    let times: Vec<u64> = (1..=101).collect();
    let Summary { median, ci_low, ci_high } = Summary::of(&ns(&times), SEED).unwrap();
    assert_eq!(median.as_nanos(), 51);
    assert!((40..=42).contains(&ci_low.as_nanos()), "{ci_low:?}");
    assert!((60..=62).contains(&ci_high.as_nanos()), "{ci_high:?}");
}

#[test]
fn the_interval_depends_on_the_seed() {
    let times = log_normal_times(&mut Xoshiro256PlusPlus::seed_from_u64(1), 16);
    assert_eq!(Summary::of(&times, 1), Summary::of(&times, 1));
    assert!((2..20).any(|seed| Summary::of(&times, 1) != Summary::of(&times, seed)));
}

#[test]
fn a_seed_gives_the_same_interval_in_every_release() {
    let times: Vec<u64> = (1..=40).map(|n: u64| 1_000 + n * n).collect();
    assert_eq!(Summary::of(&ns(&times), SEED), Ok(summary(1_420, 1_210, 1_702)));
}

/// Iterations of two contenders with a shared drift of some percent. The contender is 1.6 times as fast in the
/// median, and varies more.
fn noisy_rounds(rng: &mut Xoshiro256PlusPlus, count: usize) -> (Vec<Duration>, Vec<Duration>) {
    let round = |_| {
        let (shared, noise) = normals(rng);
        let (other, _) = normals(rng);
        let shared = (0.05 * shared).exp();
        let slow = Duration::from_secs_f64(16e-3 * shared * (0.02 * noise).exp());
        (slow, Duration::from_secs_f64(10e-3 * shared * (0.04 * other).exp()))
    };
    (0..count).map(round).unzip()
}

#[test]
fn intervals_of_medians_contain_the_true_value_in_93_to_97_percent() {
    let mut rng = Xoshiro256PlusPlus::seed_from_u64(2_013);
    let truth = Duration::from_millis(1);
    for rounds in [10, 15, 30] {
        let held = (0..1_000)
            .map(|seed| Summary::of(&log_normal_times(&mut rng, rounds), seed).unwrap())
            .filter(|summary| summary.ci_low <= truth && truth <= summary.ci_high)
            .count();
        assert!((930..=970).contains(&held), "{held} of 1000 with {rounds} iterations");
    }
}

#[test]
fn intervals_of_speedups_contain_the_true_value_in_93_to_97_percent() {
    let mut rng = Xoshiro256PlusPlus::seed_from_u64(2_014);
    for rounds in [10, 15, 30] {
        let held = (0..1_000)
            .map(|seed| {
                let (baseline, contender) = noisy_rounds(&mut rng, rounds);
                Speedup::paired(&baseline, &contender, seed).unwrap()
            })
            .filter(|speedup| speedup.ci_low <= 1.6 && 1.6 <= speedup.ci_high)
            .count();
        assert!((930..=970).contains(&held), "{held} of 1000 with {rounds} iterations");
    }
}

#[test]
fn the_overall_speedup_is_the_geometric_mean_with_a_narrower_interval() {
    let speedup = |ratio: f64| Speedup { ratio, ci_low: ratio / 1.1, ci_high: ratio * 1.1 };
    let overall = Speedup::overall(&[speedup(2.0), speedup(0.5), speedup(4.0), speedup(4.0)]);
    let overall = overall.unwrap();
    assert!((overall.ratio - 2.0).abs() < 1e-12, "{overall:?}");
    // The error of the mean of four equal errors is half of one.
    assert!((overall.ci_high / overall.ratio - 1.1_f64.sqrt()).abs() < 1e-9, "{overall:?}");
    assert!((overall.ratio / overall.ci_low - 1.1_f64.sqrt()).abs() < 1e-9, "{overall:?}");
    assert_eq!(Speedup::overall(&[]), None);
}

#[test]
fn pairing_removes_a_shared_drift_from_the_interval() {
    let (baseline, contender) = drifting_rounds(25);
    let mut strangers = contender.clone();
    strangers.shuffle(&mut Xoshiro256PlusPlus::seed_from_u64(3));

    let paired = Speedup::paired(&baseline, &contender, SEED).unwrap();
    let unpaired = Speedup::paired(&baseline, &strangers, SEED).unwrap();

    let width = |speedup: Speedup| speedup.ci_high - speedup.ci_low;
    assert!(4.0 * width(paired) < width(unpaired), "{paired:?} against {unpaired:?}");
    assert!(paired.ci_low <= 1.6 && 1.6 <= paired.ci_high, "{paired:?}");
}

#[test]
fn a_speedup_needs_paired_nonzero_times() {
    let unpaired = Speedup::paired(&ns(&[1, 2]), &ns(&[1]), SEED);
    assert_eq!(unpaired, Err(StatsError::Unpaired { baseline: 2, contender: 1 }));

    let zero = Speedup::paired(&ns(&[1, 2]), &ns(&[1, 0]), SEED);
    assert_eq!(zero, Err(StatsError::NoTime { round: 1 }));
}

#[test]
fn twice_and_half_cancel_in_the_geometric_mean() {
    let mean = geometric_mean(&[2.0, 0.5, 8.0]).unwrap();
    assert!((mean - 2.0).abs() < 1e-12, "{mean}");
}

#[test]
fn the_geometric_mean_takes_only_positive_finite_ratios() {
    for ratio in [0.0, -1.0, f64::NAN, f64::INFINITY] {
        assert_eq!(geometric_mean(&[1.0, ratio]), None, "{ratio}");
    }
}

/// Up to 30 times of an even number of nanoseconds, so that all medians are whole.
fn even_times() -> impl Strategy<Value = Vec<u64>> {
    vec((1..1_000_000_u64).prop_map(|half| 2 * half), 1..30)
}

/// Two series of the same iterations.
fn rounds() -> impl Strategy<Value = Vec<(u64, u64)>> {
    vec((1..1_000_000_u64, 1..1_000_000_u64), 1..30)
}

fn split(rounds: &[(u64, u64)]) -> (Vec<Duration>, Vec<Duration>) {
    let nanoseconds =
        |(base, other): &(u64, u64)| (Duration::from_nanos(*base), Duration::from_nanos(*other));
    rounds.iter().map(nanoseconds).unzip()
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    #[test]
    fn the_interval_contains_the_median_and_stays_within_the_times(
        times in even_times(), seed: u64,
    ) {
        let times = ns(&times);
        let Summary { median, ci_low, ci_high } = Summary::of(&times, seed).unwrap();
        prop_assert!(ci_low <= median && median <= ci_high);
        prop_assert!(times.iter().min() <= Some(&ci_low) && Some(&ci_high) <= times.iter().max());
    }

    #[test]
    fn the_order_of_times_does_not_matter(
        (times, shuffled) in even_times().prop_flat_map(|t| (Just(t.clone()), Just(t).prop_shuffle())),
    ) {
        prop_assert_eq!(Summary::of(&ns(&times), SEED), Summary::of(&ns(&shuffled), SEED));
    }

    #[test]
    fn scaled_times_have_a_scaled_summary(
        times in even_times(), factor in 1..1_000_u64,
    ) {
        let scaled: Vec<u64> = times.iter().map(|time| time * factor).collect();
        let Summary { median, ci_low, ci_high } = Summary::of(&ns(&times), SEED).unwrap();
        let [median, ci_low, ci_high] =
            [median, ci_low, ci_high].map(|time| time * u32::try_from(factor).unwrap());
        prop_assert_eq!(Summary::of(&ns(&scaled), SEED), Ok(Summary { median, ci_low, ci_high }));
    }

    #[test]
    fn the_order_of_iterations_does_not_matter(
        (rounds, shuffled) in rounds().prop_flat_map(|r| (Just(r.clone()), Just(r).prop_shuffle())),
    ) {
        let of = |rounds: &[(u64, u64)]| {
            let (baseline, contender) = split(rounds);
            Speedup::paired(&baseline, &contender, SEED)
        };
        prop_assert_eq!(of(&rounds), of(&shuffled));
    }

    #[test]
    fn a_contender_that_is_always_twice_as_fast_has_a_speedup_of_exactly_two(
        times in even_times(), seed: u64,
    ) {
        // The times are doubled, so that the mean of the middle two stays whole when halved.
        let [baseline, contender] = [2, 1].map(|factor| {
            ns(&times.iter().map(|time| time * factor).collect::<Vec<_>>())
        });
        let speedup = Speedup::paired(&baseline, &contender, seed);
        prop_assert_eq!(speedup, Ok(Speedup { ratio: 2.0, ci_low: 2.0, ci_high: 2.0 }));
    }
}

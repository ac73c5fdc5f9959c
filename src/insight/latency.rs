//! Computes when results become final within a block. Early results are a further benefit of parallel
//! executors.

use std::time::Duration;

/// Shares of the block's time after which a percentile of the results is final, from 0 to 1.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Latency {
    /// Share until the first result is final.
    pub first: f64,
    /// Share until half of the results are final.
    pub p50: f64,
    /// Share until 90 % of the results are final.
    pub p90: f64,
    /// Share until 99 % of the results are final.
    pub p99: f64,
}

impl Latency {
    /// Computes the shares from the times at which results became final. `None` without results, or if the
    /// total time is zero.
    pub(super) fn of(mut finals: Vec<Duration>, total: Duration) -> Option<Self> {
        finals.sort_unstable();
        let first = finals.first()?;
        if total.is_zero() {
            return None;
        }
        let share = |at: &Duration| at.div_duration_f64(total);
        let after = |percent| nearest_rank(&finals, percent).map_or(1.0, share);
        Some(Self { first: share(first), p50: after(50), p90: after(90), p99: after(99) })
    }
}

/// The smallest of the ascending times that at least `percent` of them do not exceed.
fn nearest_rank(ascending: &[Duration], percent: usize) -> Option<&Duration> {
    let rank = (ascending.len() * percent).div_ceil(100);
    ascending.get(rank.saturating_sub(1))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn percentiles_use_the_nearest_rank() {
        let finals = (1..=100).rev().map(Duration::from_millis).collect();
        let latency = Latency::of(finals, Duration::from_millis(200));
        let expected = Latency { first: 0.005, p50: 0.25, p90: 0.45, p99: 0.495 };
        assert_eq!(latency, Some(expected));
    }

    #[test]
    fn a_single_result_gives_all_percentiles() {
        let latency = Latency::of(vec![Duration::from_millis(1)], Duration::from_millis(2));
        assert_eq!(latency, Some(Latency { first: 0.5, p50: 0.5, p90: 0.5, p99: 0.5 }));
        assert_eq!(Latency::of(vec![], Duration::from_millis(2)), None);
    }
}

//! The scale, the range and the numbers of an axis.
//!
//! A few extreme values would press all others together. The range therefore covers the bulk of the values, and a chart
//! marks a value beyond it with an arrow at the edge. The table beside the chart has every value.

use std::ops::Range;

use plotters::coord::ranged1d::{DefaultFormatting, KeyPointHint, Ranged};
use plotters::coord::types::RangedCoordf64;

use crate::units;

/// Fewer values are never clipped.
const FEWEST_CLIPPED: usize = 8;

/// A value is beyond the bulk if it is farther from the middle half of the values than this many times its width.
const FENCE: f64 = 3.0;

/// Minimum width of the middle half, as a share of the largest value, or in doublings.
const LEAST_WIDTH: f64 = 0.1;

/// Fractions of a doubling that a logarithmic axis may number, the coarsest first.
const FRACTIONS: [&[f64]; 4] = [
    &[1.0],
    &[1.0, 1.5],
    &[1.0, 1.25, 1.5, 1.75],
    &[1.0, 1.125, 1.25, 1.375, 1.5, 1.625, 1.75, 1.875],
];

/// Steps between the numbers of a linear axis, as multiples of a power of ten.
const STEPS: [f64; 4] = [1.0, 2.0, 2.5, 5.0];

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Scale {
    Linear,
    /// Linear, with whole numbers from 1 on.
    Counts,
    Log2,
}

/// An axis of a chart.
#[derive(Clone, Debug, PartialEq)]
pub(in crate::report) struct Axis {
    scale: Scale,
    /// Positions on the scale.
    range: Range<f64>,
}

/// The position of a value relative to the range of an axis.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::report) enum Side {
    Below,
    Inside,
    Above,
}

impl Axis {
    /// A linear axis.
    pub(in crate::report) const fn linear(range: Range<f64>) -> Self {
        Self { scale: Scale::Linear, range }
    }

    /// A linear axis from zero over the bulk of the values.
    pub(in crate::report) fn from_zero(values: impl IntoIterator<Item = f64>) -> Self {
        let (_, most) = bulk(values, |most| most * LEAST_WIDTH).unwrap_or((0.0, 1.0));
        Self::linear(0.0..padded(0.0, most).end)
    }

    /// A linear axis of whole numbers from 0 to `most` and some more.
    pub(in crate::report) fn counts(most: f64) -> Self {
        Self { scale: Scale::Counts, range: 0.0..most + 1.0 }
    }

    /// A logarithmic axis over the bulk of positive values. It contains all of `always`.
    pub(in crate::report) fn log2(
        values: impl IntoIterator<Item = f64>,
        always: impl IntoIterator<Item = f64>,
    ) -> Self {
        let doublings = |value: f64| (value > 0.0).then(|| value.log2());
        let bulk = bulk(values.into_iter().filter_map(doublings), |_| LEAST_WIDTH);
        let always = always.into_iter().filter_map(doublings);
        let ends = bulk.into_iter().flat_map(|(least, most)| [least, most]).chain(always);
        let (least, most) = ends
            .fold((f64::INFINITY, f64::NEG_INFINITY), |(least, most), value| {
                (least.min(value), most.max(value))
            });
        let range = if least > most { -1.0..1.0 } else { padded(least, most) };
        Self { scale: Scale::Log2, range }
    }

    /// The range in positions on the scale.
    pub(super) fn range(&self) -> Range<f64> {
        self.range.clone()
    }

    fn exact(&self, value: f64) -> f64 {
        if self.scale == Scale::Log2 { value.max(f64::MIN_POSITIVE).log2() } else { value }
    }

    /// The position of a value, at most at the edge.
    pub(super) fn place(&self, value: f64) -> f64 {
        self.exact(value).clamp(self.range.start, self.range.end)
    }

    /// Whether a value is within the range.
    pub(super) fn side(&self, value: f64) -> Side {
        match self.exact(value) {
            at if at < self.range.start => Side::Below,
            at if at > self.range.end => Side::Above,
            _ => Side::Inside,
        }
    }

    /// Positions of the numbers, at most `most` of them.
    pub(super) fn ticks(&self, most: usize) -> Vec<f64> {
        match self.scale {
            Scale::Linear => linear_ticks(&self.range, most, 0.0),
            Scale::Counts => linear_ticks(&(1.0..self.range.end), most, 1.0),
            Scale::Log2 => log2_ticks(&self.range, most),
        }
    }

    /// The number at a position.
    pub(super) fn label(&self, position: f64) -> String {
        number(if self.scale == Scale::Log2 { position.exp2() } else { position })
    }
}

/// An axis with its numbers, for the drawing library.
pub(super) struct Keyed {
    positions: RangedCoordf64,
    numbers: Vec<f64>,
}

/// The axis with at most `most` numbers.
pub(super) fn keyed(axis: &Axis, most: usize) -> Keyed {
    Keyed { positions: axis.range().into(), numbers: axis.ticks(most) }
}

impl Ranged for Keyed {
    type FormatOption = DefaultFormatting;
    type ValueType = f64;

    fn map(&self, value: &f64, limit: (i32, i32)) -> i32 {
        self.positions.map(value, limit)
    }

    fn key_points<Hint: KeyPointHint>(&self, hint: Hint) -> Vec<f64> {
        // The light lines between the numbers are not drawn.
        if hint.weight().allow_light_points() { vec![] } else { self.numbers.clone() }
    }

    fn range(&self) -> Range<f64> {
        self.positions.range()
    }
}

/// The range of the values without those that are far from the middle half. `width` is the minimum width of the middle
/// half for a largest value. `None` without values.
fn bulk(values: impl IntoIterator<Item = f64>, width: fn(f64) -> f64) -> Option<(f64, f64)> {
    let mut values: Vec<_> = values.into_iter().filter(|value| value.is_finite()).collect();
    values.sort_unstable_by(f64::total_cmp);
    let (least, most) = (*values.first()?, *values.last()?);
    if values.len() < FEWEST_CLIPPED {
        return Some((least, most));
    }
    let at = |quarters: usize| values[(values.len() - 1) * quarters / 4];
    let (lower, upper) = (at(1), at(3));
    let fence = FENCE * (upper - lower).max(width(upper.abs()));
    let inside = |value: &&f64| (lower - fence..=upper + fence).contains(*value);
    Some((*values.iter().find(inside)?, *values.iter().rfind(inside)?))
}

fn padded(least: f64, most: f64) -> Range<f64> {
    let air = ((most - least) * 0.04).max(most.abs() * 0.02).max(0.02);
    let from = if least == 0.0 { 0.0 } else { least - air };
    from..most + air
}

/// Multiples of a round step, from `least_step` on.
fn linear_ticks(range: &Range<f64>, most: usize, least_step: f64) -> Vec<f64> {
    let length = range.end - range.start;
    let wanted = (length / most.max(1) as f64).max(f64::MIN_POSITIVE);
    let power = 10_f64.powf(wanted.log10().floor());
    let mut steps = STEPS.iter().map(|step| step * power).chain([10.0 * power]);
    let step = steps.find(|step| *step >= wanted && *step >= least_step);
    let mut step = step.unwrap_or(10.0 * power).max(least_step);
    if least_step >= 1.0 {
        step = step.ceil();
    }
    let first = (range.start / step).ceil() as i64;
    (first..).map(|count| count as f64 * step).take_while(|at| *at <= range.end).take(100).collect()
}

/// Round numbers on a logarithmic scale, as many as there is space for.
fn log2_ticks(range: &Range<f64>, most: usize) -> Vec<f64> {
    let ticks = |fractions: &[f64]| -> Vec<f64> {
        let doublings = range.start.floor() as i32..=range.end.ceil() as i32;
        let all = doublings.flat_map(|doubling| {
            fractions.iter().map(move |fraction| fraction.log2() + f64::from(doubling))
        });
        all.filter(|at| range.contains(at)).collect()
    };
    let mut finest_first = FRACTIONS.iter().rev().map(|fractions| ticks(fractions));
    let coarsest = ticks(FRACTIONS[0]);
    finest_first.find(|level| level.len() <= most).unwrap_or_else(|| {
        let every = coarsest.len().div_ceil(most.max(1));
        coarsest.into_iter().step_by(every).collect()
    })
}

/// Formats a number on an axis with the decimals it needs, at most three.
fn number(value: f64) -> String {
    let text = format!("{value:.3}");
    let text = text.trim_end_matches('0').trim_end_matches('.');
    match text.parse::<u64>() {
        Ok(whole) => units::count(whole),
        Err(_) => text.to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn labels(axis: &Axis, most: usize) -> Vec<String> {
        axis.ticks(most).into_iter().map(|at| axis.label(at)).collect()
    }

    #[test]
    fn a_value_far_from_the_bulk_is_beyond_the_axis() {
        let most: Vec<f64> = (0..20).map(|step| 1.0 + f64::from(step) * 0.05).collect();
        let axis = Axis::log2(most.iter().copied().chain([0.01, 90.0]), [1.0]);
        assert_eq!(
            [0.01, 1.0, 1.95, 90.0].map(|value| axis.side(value)),
            [Side::Below, Side::Inside, Side::Inside, Side::Above]
        );
        assert_eq!(axis.place(90.0), axis.range().end);
        let few = Axis::log2([0.01, 1.0, 90.0], []);
        assert!([0.01, 90.0].iter().all(|value| few.side(*value) == Side::Inside));
        let rates = Axis::from_zero((0..20).map(f64::from).chain([5_000.0]));
        assert_eq!((rates.side(19.0), rates.side(5_000.0)), (Side::Inside, Side::Above));
    }

    #[test]
    fn a_logarithmic_axis_has_round_numbers_as_far_as_there_is_space() {
        let axis = Axis::log2([0.5, 4.0], []);
        assert_eq!(labels(&axis, 5), ["0.5", "1", "2", "4"]);
        assert_eq!(labels(&axis, 8), ["0.5", "0.75", "1", "1.5", "2", "3", "4"]);
        assert_eq!(labels(&Axis::log2([1.0, 1_024.0], []), 4), ["1", "8", "64", "512"]);
        assert_eq!(Axis::log2([], []).side(1.0), Side::Inside);
    }

    #[test]
    fn a_linear_axis_has_round_numbers() {
        assert_eq!(labels(&Axis::linear(0.0..100.0), 5), ["0", "20", "40", "60", "80", "100"]);
        assert_eq!(labels(&Axis::linear(0.0..1.3), 6), ["0", "0.25", "0.5", "0.75", "1", "1.25"]);
        assert_eq!(labels(&Axis::counts(4.0), 12), ["1", "2", "3", "4", "5"]);
        assert_eq!(labels(&Axis::from_zero([40_000.0]), 3), ["0", "20,000", "40,000"]);
    }

    #[test]
    fn numbers_have_the_decimals_they_need() {
        for (value, text) in
            [(0.0, "0"), (0.85, "0.85"), (0.9 + 0.1, "1"), (1.25, "1.25"), (40_000.0, "40,000")]
        {
            assert_eq!(number(value), text);
        }
    }
}

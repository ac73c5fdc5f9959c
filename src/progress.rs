//! Shows a progress bar on standard error. The bar is hidden if standard error is not a terminal.

use crate::{output, session::Observer, text};
use alloy_primitives::BlockNumber;
use indicatif::{HumanDuration, ProgressBar, ProgressState, ProgressStyle};
use std::{fmt::Write, time::Duration};

/// Amount of output besides the result.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Chatter {
    /// Only the result and errors.
    Quiet,
    /// A progress bar.
    Normal,
    /// A progress bar, and one line per completed block.
    Verbose,
}

/// A progress bar over a number of steps, with a message about the current step.
#[derive(Clone, Debug)]
pub struct Progress {
    bar: ProgressBar,
    chatter: Chatter,
}

/// Prints the steps per second without decimals, since these change too often to be read.
fn rate(state: &ProgressState, out: &mut dyn Write) {
    // A write to the bar's own text does not fail.
    let _ = write!(out, "{:.0}/s", state.per_sec());
}

/// Prints the estimated time left, assuming the same speed as so far.
fn left(state: &ProgressState, out: &mut dyn Write) {
    let (done, all) = (state.pos(), state.len().unwrap_or_default());
    let left =
        (done > 0).then(|| state.elapsed().mul_f64(all.saturating_sub(done) as f64 / done as f64));
    // A write to the bar's own text does not fail.
    let _ = match left {
        Some(left) => write!(out, "{:#}", HumanDuration(left)),
        None => write!(out, "?"),
    };
}

/// Estimates the total number of steps from the completed steps and their share of the whole.
fn projected(done: u64, share: f64) -> u64 {
    if share > 0.0 { (done as f64 / share).round() as u64 } else { 0 }
}

impl Progress {
    /// Creates a bar of `steps` steps. `unit` is the plural name of a step.
    pub fn new(chatter: Chatter, steps: u64, unit: &str) -> Self {
        let bar = match chatter {
            Chatter::Quiet => ProgressBar::hidden(),
            Chatter::Normal | Chatter::Verbose => ProgressBar::new(steps),
        };
        let template =
            format!("{{bar:24}} {{pos}}/{{len}} {unit}, {{rate}}, {{eta}} left  {{msg}}");
        if let Ok(style) = ProgressStyle::with_template(&template) {
            bar.set_style(style.with_key("rate", rate));
        }
        bar.enable_steady_tick(Duration::from_millis(250));
        Self { bar, chatter }
    }

    /// Creates a bar for an unknown number of steps. The caller reports the completed share of the work with
    /// [`Progress::step_to`]. `unit` is the plural name of a step.
    pub fn projected(chatter: Chatter, unit: &str) -> Self {
        // A bar of zero steps would be full.
        let progress = Self::new(chatter, 1, unit);
        let template = format!("{{bar:24}} {{pos}} {unit}, {{rate}}, {{left}} left  {{msg}}");
        if let Ok(style) = ProgressStyle::with_template(&template) {
            progress.bar.set_style(style.with_key("rate", rate).with_key("left", left));
        }
        progress
    }

    /// Completes one step. `share` is the completed share of the whole work, from 0 to 1.
    pub fn step_to(&self, share: f64) {
        self.bar.inc(1);
        self.bar.set_length(projected(self.bar.position(), share));
    }

    /// Sets the message about the current step.
    pub fn at(&self, what: impl AsRef<str>) {
        self.bar.set_message(text::one_line(what.as_ref()).to_string());
    }

    /// Adds steps to the total.
    pub fn expect(&self, more: u64) {
        self.bar.inc_length(more);
    }

    /// Completes one step.
    pub fn step(&self) {
        self.bar.inc(1);
    }

    /// Removes the bar, so that only the result stays on the terminal.
    pub fn finish(&self) {
        self.bar.finish_and_clear();
    }

    /// Prints a line above the bar with `--verbose` only.
    pub fn note(&self, line: &str) {
        if self.chatter == Chatter::Verbose {
            self.say(line);
        }
    }

    /// Prints a line above the bar, at every verbosity.
    pub fn say(&self, line: &str) {
        self.bar.suspend(|| output::diagnose(line));
    }
}

impl Observer for Progress {
    fn begin(&self, number: BlockNumber, position: usize, count: usize) {
        self.at(format!("block {number}, {position} of {count}"));
    }

    fn step(&self) {
        self.step();
    }

    fn sample(&self, share: f64) {
        self.step_to(share);
    }

    fn note(&self, line: &str) {
        self.note(line);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_total_is_estimated_from_the_completed_share() {
        assert_eq!(projected(30, 0.25), 120);
        assert_eq!(projected(30, 1.0), 30);
        assert_eq!(projected(30, 0.0), 0);
    }
}

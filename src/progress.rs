//! Progress on standard error; nothing at all where that is no terminal.

use indicatif::{HumanDuration, ProgressBar, ProgressState, ProgressStyle};
use std::{fmt::Write, time::Duration};

/// Whether and how much the user wants to be told besides the result.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Chatter {
    /// Nothing.
    Quiet,
    /// A progress bar.
    Normal,
    /// The bar, and a line for each block that is done.
    Verbose,
}

/// A bar over a number of steps, with what is being worked on.
#[derive(Clone, Debug)]
pub struct Progress {
    bar: ProgressBar,
    chatter: Chatter,
}

/// Steps per second, without the decimals that nobody reads while they change.
fn rate(state: &ProgressState, out: &mut dyn Write) {
    // Writing to the bar's own text does not fail.
    let _ = write!(out, "{:.0}/s", state.per_sec());
}

/// The time that is left if the rest goes on as what is done did.
fn left(state: &ProgressState, out: &mut dyn Write) {
    let (done, all) = (state.pos(), state.len().unwrap_or_default());
    let left =
        (done > 0).then(|| state.elapsed().mul_f64(all.saturating_sub(done) as f64 / done as f64));
    // Writing to the bar's own text does not fail.
    let _ = match left {
        Some(left) => write!(out, "{:#}", HumanDuration(left)),
        None => write!(out, "?"),
    };
}

/// As many steps in all as make the steps that are done this share of them.
fn projected(done: u64, share: f64) -> u64 {
    if share > 0.0 { (done as f64 / share).round() as u64 } else { 0 }
}

impl Progress {
    /// A bar of `steps` steps, each called a `unit`.
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

    /// A bar over a number of steps that nobody knows, each called a `unit`, for work of which the share that
    /// is done is known instead: see [`Progress::step_to`].
    pub fn projected(chatter: Chatter, unit: &str) -> Self {
        // Of none at all the bar would be full.
        let progress = Self::new(chatter, 1, unit);
        let template = format!("{{bar:24}} {{pos}} {unit}, {{rate}}, {{left}} left  {{msg}}");
        if let Ok(style) = ProgressStyle::with_template(&template) {
            progress.bar.set_style(style.with_key("rate", rate).with_key("left", left));
        }
        progress
    }

    /// One step is done, and with it this share of the whole, from 0 to 1.
    pub fn step_to(&self, share: f64) {
        self.bar.inc(1);
        self.bar.set_length(projected(self.bar.position(), share));
    }

    /// Says what is being worked on.
    pub fn at(&self, what: impl Into<String>) {
        self.bar.set_message(what.into());
    }

    /// There are more steps than were known at first.
    pub fn expect(&self, more: u64) {
        self.bar.inc_length(more);
    }

    /// One step is done.
    pub fn step(&self) {
        self.bar.inc(1);
    }

    /// Takes the bar away, so that the result stands alone.
    pub fn finish(&self) {
        self.bar.finish_and_clear();
    }

    /// A line for whoever wants one for each block.
    pub fn note(&self, line: &str) {
        if self.chatter == Chatter::Verbose {
            self.say(line);
        }
    }

    /// A line for everybody, above the bar.
    pub fn say(&self, line: &str) {
        self.bar.suspend(|| eprintln!("{line}"));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn steps_are_projected_from_the_share_that_is_done() {
        assert_eq!(projected(30, 0.25), 120);
        assert_eq!(projected(30, 1.0), 30);
        assert_eq!(projected(30, 0.0), 0);
    }
}

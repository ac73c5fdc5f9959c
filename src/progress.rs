//! Progress on standard error; nothing at all where that is no terminal.

use indicatif::{ProgressBar, ProgressState, ProgressStyle};
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

    /// How many steps are done.
    pub fn done(&self) -> u64 {
        self.bar.position()
    }

    /// There will be so many steps in all, it turns out.
    pub fn expect_in_all(&self, steps: u64) {
        self.bar.set_length(steps);
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

//! Shows a progress bar on standard error. If standard error is not a terminal, a status line every half a minute takes
//! the place of the bar. If messages are JSON, objects take the place of both.

use crate::{output, session::Observer, text};
use alloy_primitives::BlockNumber;
use indicatif::{HumanDuration, ProgressBar, ProgressDrawTarget, ProgressState, ProgressStyle};
use serde_json::{Value, json};
use std::{
    fmt::Write,
    sync::{
        Arc,
        mpsc::{self, RecvTimeoutError, Sender},
    },
    thread,
    time::Duration,
};

/// Time between two status lines.
const STATUS_EVERY: Duration = Duration::from_secs(30);

/// Time between two objects with the progress.
const OBJECT_EVERY: Duration = Duration::from_secs(1);

/// Width of a terminal below which the bar is short.
const NARROW: usize = 100;

/// An estimate of the time left is shown after this time and this share of the work.
const LEAST_ELAPSED: Duration = Duration::from_secs(5);
const LEAST_SHARE: f64 = 0.05;

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
    /// The thread of the status lines ends when the last clone is dropped.
    _status: Option<Arc<Sender<()>>>,
}

/// Prints the steps per second without decimals, since these change too often to be read.
fn rate(state: &ProgressState, out: &mut dyn Write) {
    // A write to the bar's own text does not fail.
    let _ = write!(out, "{:.0}/s", state.per_sec());
}

/// Prints the estimated time left behind a comma, once it means something.
fn left(state: &ProgressState, out: &mut dyn Write) {
    let left = time_left(state.elapsed(), state.pos(), state.len().unwrap_or_default());
    // A write to the bar's own text does not fail.
    let _ = out.write_str(&left_words(left));
}

fn left_words(left: Option<Duration>) -> String {
    left.map_or_else(String::new, |left| format!(", about {:#} left", HumanDuration(left)))
}

/// The time left at the same speed as so far. `None` at the start, where the estimate means nothing.
fn time_left(elapsed: Duration, done: u64, all: u64) -> Option<Duration> {
    let share = done as f64 / all.max(1) as f64;
    let is_known = done > 0 && elapsed >= LEAST_ELAPSED && share >= LEAST_SHARE;
    is_known.then(|| elapsed.mul_f64(all.saturating_sub(done) as f64 / done as f64))
}

/// The line that takes the place of a hidden bar.
fn status(bar: &ProgressBar) -> String {
    let (done, all) = (bar.position(), bar.length().unwrap_or_default());
    let percent = done * 100 / all.max(1);
    let left = left_words(time_left(bar.elapsed(), done, all));
    let message = bar.message();
    let at = if message.is_empty() { String::new() } else { format!(": {message}") };
    format!("{percent} % done{left}{at}")
}

/// The steps so far as an object. The total of a race is an estimate.
fn progress_object(bar: &ProgressBar) -> Value {
    let (done, all) = (bar.position(), bar.length().unwrap_or_default());
    let elapsed = bar.elapsed().as_secs_f64();
    json!({ "reason": "progress", "done": done, "all": all, "elapsed_s": elapsed })
}

/// Starts a thread that prints status lines until the sender is dropped.
fn print_status(bar: ProgressBar) -> Option<Arc<Sender<()>>> {
    let (alive, ended) = mpsc::channel();
    let print = move || {
        let every = if output::are_messages_json() { OBJECT_EVERY } else { STATUS_EVERY };
        while ended.recv_timeout(every) == Err(RecvTimeoutError::Timeout) {
            match bar.is_finished() {
                true => {}
                false if output::are_messages_json() => output::message(&progress_object(&bar)),
                false => output::diagnose(status(&bar)),
            }
        }
    };
    // Without the thread there are no status lines, and the work goes on.
    thread::Builder::new().name("status".into()).spawn(print).ok().map(|_| Arc::new(alive))
}

/// Estimates the total number of steps from the completed steps and their share of the whole.
fn projected(done: u64, share: f64) -> u64 {
    if share > 0.0 { (done as f64 / share).round() as u64 } else { 0 }
}

impl Progress {
    /// Creates a bar of `steps` steps. `unit` is the plural name of a step.
    pub fn new(chatter: Chatter, steps: u64, unit: &str) -> Self {
        let bar = match chatter {
            _ if output::are_messages_json() => {
                ProgressBar::with_draw_target(Some(steps), ProgressDrawTarget::hidden())
            }
            Chatter::Quiet => ProgressBar::hidden(),
            Chatter::Normal | Chatter::Verbose => ProgressBar::new(steps),
        };
        let is_quiet = chatter == Chatter::Quiet;
        let status = if bar.is_hidden() && !is_quiet { print_status(bar.clone()) } else { None };
        let progress = Self { bar, chatter, _status: status };
        progress.set_template(&format!("{{pos}}/{{len}} {unit}"));
        progress.bar.enable_steady_tick(Duration::from_millis(250));
        progress
    }

    /// Shows `steps` between a bar and the speed. The message is cut at the end of the line.
    fn set_template(&self, steps: &str) {
        let bar = if output::width() < NARROW { 10 } else { 24 };
        let template = format!("{{bar:{bar}}} {steps}, {{rate}}{{left}}  {{wide_msg}}");
        if let Ok(style) = ProgressStyle::with_template(&template) {
            self.bar.set_style(style.with_key("rate", rate).with_key("left", left));
        }
    }

    /// Creates a bar for an unknown number of steps. The caller reports the completed share of the work with
    /// [`Progress::step_to`]. `unit` is the plural name of a step.
    pub fn projected(chatter: Chatter, unit: &str) -> Self {
        // A bar of zero steps would be full.
        let progress = Self::new(chatter, 1, unit);
        progress.set_template(&format!("{{pos}} {unit}"));
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

    /// Names a block and its result in an object.
    pub fn block(&self, number: BlockNumber, result: &str) {
        output::message(&json!({ "reason": "block", "block_number": number, "result": result }));
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
        output::message(&progress_object(&self.bar));
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
        self.above(|| output::diagnose(line));
    }

    /// Runs `print`, which prints above the bar.
    pub fn above<T>(&self, print: impl FnOnce() -> T) -> T {
        self.bar.suspend(print)
    }
}

impl Observer for Progress {
    fn begin(&self, number: BlockNumber, position: usize, count: usize) {
        self.at(format!("block {number}, {position} of {count}"));
        output::message(&json!({
            "reason": "begin", "block_number": number, "position": position, "count": count,
        }));
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
    fn no_time_left_is_shown_before_it_means_something() {
        let left = |seconds, done, all| time_left(Duration::from_secs(seconds), done, all);
        assert_eq!(left(1, 50, 100), None, "too early");
        assert_eq!(left(10, 1, 100), None, "too little is done");
        assert_eq!(left(10, 0, 0), None);
        assert_eq!(left(10, 50, 100), Some(Duration::from_secs(10)));
        assert_eq!(left(10, 100, 100), Some(Duration::ZERO));
    }

    #[test]
    fn a_status_line_names_the_share_and_the_step() {
        let bar = ProgressBar::hidden();
        bar.set_length(200);
        bar.set_position(50);
        assert_eq!(status(&bar), "25 % done");
        bar.set_message("block 7, 3 of 24");
        assert_eq!(status(&bar), "25 % done: block 7, 3 of 24");
    }

    #[test]
    fn the_total_is_estimated_from_the_completed_share() {
        assert_eq!(projected(30, 0.25), 120);
        assert_eq!(projected(30, 1.0), 30);
        assert_eq!(projected(30, 0.0), 0);
    }
}

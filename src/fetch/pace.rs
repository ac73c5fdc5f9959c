//! Decides how many requests may be open at once, and when the next may start.
//!
//! Two limits hold at the same time. The *window* bounds the open requests. It starts at the user's
//! limit. It is halved when the node answers that the load is too high. It grows by one per window
//! of served requests (additive increase, multiplicative decrease). The *budget* spaces the starts
//! of requests evenly, if the user set one. An answer with `Retry-After` delays the next starts of
//! all requests, because the limit applies to the whole client.
//!
//! This module does not know the content of the requests. A mistake here costs time, but never
//! changes a result.
//!
//! P1: The number of open turns never exceeds the ceiling. Each turn holds a permit, and at most
//! that many permits are issued.
//! P2: A dropped turn returns its permit, for instance when a task is cancelled.
//! P3: Answers to requests from before a cut do not cut again, because they carry no new
//! information.
//!
//! A lock guards `state`. While the lock is held, no code waits for anything else.

use std::{
    num::{NonZeroU32, NonZeroUsize},
    time::Duration,
};

use tokio::{
    sync::{Mutex, Semaphore, SemaphorePermit},
    time::{Instant, sleep_until},
};

/// Issues turns to send a request.
#[derive(Debug)]
pub(super) struct Pace {
    permits: Semaphore,
    state: Mutex<State>,
    /// Time between two starts.
    spacing: Duration,
    ceiling: usize,
}

#[derive(Debug)]
struct State {
    /// Estimated number of open requests that the node can bear, from 1 to the ceiling.
    window: f64,
    /// Number of issued permits, in use or not. It follows `window`, with a delay while requests
    /// are open.
    issued: usize,
    /// Number of times that the window was cut.
    cuts: u64,
    /// No request starts before this time.
    next_start: Instant,
}

/// Permission to send one request.
#[derive(Debug)]
pub(super) struct Turn<'a> {
    permit: Option<SemaphorePermit<'a>>,
    cuts_before: u64,
}

/// Information that an answer gives about the node's load.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Load {
    /// The node kept up.
    Served,
    /// The load was too high. Holds the time to wait, if the node stated one.
    TooMuch(Option<Duration>),
    /// No information, because the fault was of another kind.
    Unclear,
}

impl Pace {
    pub(super) fn new(concurrency: NonZeroUsize, per_second: Option<NonZeroU32>) -> Self {
        let ceiling = concurrency.get().min(Semaphore::MAX_PERMITS);
        let spacing = per_second.map_or(Duration::ZERO, |n| Duration::from_secs(1) / n.get());
        let state =
            State { window: ceiling as f64, issued: ceiling, cuts: 0, next_start: Instant::now() };
        Self { permits: Semaphore::new(ceiling), state: Mutex::new(state), spacing, ceiling }
    }

    /// Waits for a turn.
    pub(super) async fn enter(&self) -> Turn<'_> {
        // `acquire` fails only on a closed semaphore, and this one is never closed.
        let permit = self.permits.acquire().await.ok();
        let (start, cuts_before) = self.state.lock().await.book(self.spacing);
        sleep_until(start).await;
        Turn { permit, cuts_before }
    }

    /// Ends a turn and adjusts the window to its result.
    pub(super) async fn leave(&self, turn: Turn<'_>, load: Load) {
        let mut state = self.state.lock().await;
        match load {
            Load::Served => state.grow(self.ceiling),
            Load::TooMuch(wait) => state.cut(turn.cuts_before, wait.unwrap_or_default()),
            Load::Unclear => {}
        }
        self.follow_window(&mut state, turn.permit);
    }

    /// Issues or withdraws permits until their number equals the window. If too many are in use,
    /// the rest is withdrawn when later turns end.
    fn follow_window(&self, state: &mut State, permit: Option<SemaphorePermit<'_>>) {
        let wanted = state.window as usize;
        if let Some(permit) = permit
            && state.issued > wanted
        {
            permit.forget();
            state.issued -= 1;
        }
        state.issued -= self.permits.forget_permits(state.issued.saturating_sub(wanted));
        let missing = wanted.saturating_sub(state.issued);
        self.permits.add_permits(missing);
        state.issued += missing;
    }
}

impl State {
    /// Takes the next free start. Returns it with the number of cuts so far.
    fn book(&mut self, spacing: Duration) -> (Instant, u64) {
        let start = self.next_start.max(Instant::now());
        self.next_start = start + spacing;
        (start, self.cuts)
    }

    fn grow(&mut self, ceiling: usize) {
        self.window = (self.window + 1.0 / self.window).min(ceiling as f64);
    }

    fn cut(&mut self, cuts_before: u64, wait: Duration) {
        self.next_start = self.next_start.max(Instant::now() + wait);
        if cuts_before == self.cuts {
            self.window = (self.window / 2.0).max(1.0);
            self.cuts += 1;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn pace(concurrency: usize, per_second: u32) -> Pace {
        Pace::new(NonZeroUsize::new(concurrency).unwrap(), NonZeroU32::new(per_second))
    }

    async fn window(pace: &Pace) -> usize {
        pace.state.lock().await.window as usize
    }

    #[tokio::test(start_paused = true)]
    async fn p1_turns_never_exceed_the_ceiling() {
        let pace = pace(2, 0);
        let (first, _second) = (pace.enter().await, pace.enter().await);
        assert_eq!(pace.permits.available_permits(), 0);

        pace.leave(first, Load::Served).await;
        assert_eq!(pace.permits.available_permits(), 1);
    }

    #[tokio::test(start_paused = true)]
    async fn p2_a_dropped_turn_returns_its_permit() {
        let pace = pace(1, 0);
        drop(pace.enter().await);
        drop(pace.enter().await);
        assert_eq!(pace.permits.available_permits(), 1);
    }

    #[tokio::test(start_paused = true)]
    async fn p3_one_burst_of_rate_limits_cuts_once() {
        let pace = pace(8, 0);
        let mut turns = Vec::new();
        for _ in 0..8 {
            turns.push(pace.enter().await);
        }
        for turn in turns {
            pace.leave(turn, Load::TooMuch(None)).await;
        }
        assert_eq!(window(&pace).await, 4);
        assert_eq!(pace.permits.available_permits(), 4);
    }

    #[tokio::test(start_paused = true)]
    async fn the_window_falls_to_one_and_grows_back_to_the_ceiling() {
        let pace = pace(4, 0);
        for _ in 0..10 {
            let turn = pace.enter().await;
            pace.leave(turn, Load::TooMuch(None)).await;
        }
        assert_eq!((window(&pace).await, pace.permits.available_permits()), (1, 1));

        for _ in 0..20 {
            let turn = pace.enter().await;
            pace.leave(turn, Load::Served).await;
        }
        assert_eq!((window(&pace).await, pace.permits.available_permits()), (4, 4));
    }

    #[tokio::test(start_paused = true)]
    async fn other_faults_do_not_change_the_window() {
        let pace = pace(4, 0);
        for _ in 0..10 {
            let turn = pace.enter().await;
            pace.leave(turn, Load::Unclear).await;
        }
        assert_eq!(window(&pace).await, 4);
    }

    #[tokio::test(start_paused = true)]
    async fn a_budget_spaces_the_starts() {
        let (pace, begin) = (pace(100, 10), Instant::now());
        for _ in 0..21 {
            pace.enter().await;
        }
        assert_eq!(begin.elapsed().as_millis() / 10, 200);
    }

    #[tokio::test(start_paused = true)]
    async fn retry_after_delays_all_requests() {
        let (pace, begin) = (pace(4, 0), Instant::now());
        let turn = pace.enter().await;
        pace.leave(turn, Load::TooMuch(Some(Duration::from_secs(3)))).await;
        pace.enter().await;
        assert_eq!(begin.elapsed().as_secs(), 3);
    }
}

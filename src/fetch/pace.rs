//! Decides how many requests may be open at once, and when the next may start.
//!
//! Two limits hold at the same time. The *window* bounds open requests: it starts at what the user
//! allows, is halved when the node answers that this is too much, and grows by one per window of
//! served requests (additive increase, multiplicative decrease). The *budget* spaces the starts of
//! requests evenly, if the user set one. An answer with `Retry-After` holds back the next starts of
//! everyone, as a limit that one request ran into stands in the way of all.
//!
//! Knows nothing of what the requests are. A mistake here costs speed or patience, never a result.
//!
//! P1: never are more turns taken than the ceiling. Each holds a permit, and no more permits are issued.
//! P2: a turn that is dropped, as when a task is cancelled, gives its permit back.
//! P3: answers to requests from before a cut do not cut again: they tell nothing new.
//!
//! `state` is guarded by its lock, which is never held while waiting for anything but the lock.

use std::{
    num::{NonZeroU32, NonZeroUsize},
    time::Duration,
};

use tokio::{
    sync::{Mutex, Semaphore, SemaphorePermit},
    time::{Instant, sleep_until},
};

/// Hands out turns to send a request.
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
    /// Open requests that are thought to be bearable, from 1 to the ceiling.
    window: f64,
    /// Permits there are, in use or not. Follows `window`, late while requests are open.
    issued: usize,
    /// How often the window was cut.
    cuts: u64,
    /// No request starts before.
    next_start: Instant,
}

/// Leave to send one request.
#[derive(Debug)]
pub(super) struct Turn<'a> {
    permit: Option<SemaphorePermit<'a>>,
    cuts_before: u64,
}

/// What an answer tells about the node's load.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Load {
    /// It kept up.
    Served,
    /// It was too much; come back after this time, if the node said so.
    TooMuch(Option<Duration>),
    /// Nothing: something else went wrong.
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
        // The semaphore is never closed, which is the only way in which this can fail.
        let permit = self.permits.acquire().await.ok();
        let (start, cuts_before) = self.state.lock().await.book(self.spacing);
        sleep_until(start).await;
        Turn { permit, cuts_before }
    }

    /// Ends a turn and learns from what came of it.
    pub(super) async fn leave(&self, turn: Turn<'_>, load: Load) {
        let mut state = self.state.lock().await;
        match load {
            Load::Served => state.grow(self.ceiling),
            Load::TooMuch(wait) => state.cut(turn.cuts_before, wait.unwrap_or_default()),
            Load::Unclear => {}
        }
        self.follow_window(&mut state, turn.permit);
    }

    /// Issues or withdraws permits until there are as many as the window says, or, where more are in
    /// use, until the next turn ends.
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
    /// Takes the next free start, and says how often the window was cut by now.
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
    async fn p1_no_more_turns_than_the_ceiling() {
        let pace = pace(2, 0);
        let (first, _second) = (pace.enter().await, pace.enter().await);
        assert_eq!(pace.permits.available_permits(), 0);

        pace.leave(first, Load::Served).await;
        assert_eq!(pace.permits.available_permits(), 1);
    }

    #[tokio::test(start_paused = true)]
    async fn p2_a_dropped_turn_is_given_back() {
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
    async fn other_faults_leave_the_window_alone() {
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
    async fn a_pause_that_the_node_asks_for_holds_everyone() {
        let (pace, begin) = (pace(4, 0), Instant::now());
        let turn = pace.enter().await;
        pace.leave(turn, Load::TooMuch(Some(Duration::from_secs(3)))).await;
        pace.enter().await;
        assert_eq!(begin.elapsed().as_secs(), 3);
    }
}

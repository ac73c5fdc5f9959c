//! Decides whether a fault is transient, and how long to wait before a retry.
//!
//! Waits grow exponentially, with full jitter: they are uniform from zero to the bound. So requests
//! that failed together are not retried together. `Retry-After` sets the least wait, up to
//! [`LONGEST_REQUESTED_WAIT`].

use std::time::Duration;

use super::error::Fault;

/// Bound of the first wait.
const FIRST_WAIT: Duration = Duration::from_millis(250);

/// Bound of every wait that the client chooses itself.
const LONGEST_WAIT: Duration = Duration::from_secs(20);

/// Bound of a wait that the node requests with `Retry-After`.
const LONGEST_REQUESTED_WAIT: Duration = Duration::from_secs(60);

/// Retries of the first connection. The client does not wait long for a node that is down.
const FIRST_CONTACT_RETRIES: u32 = 2;

/// Retries on a connection that was established but never carried an answer.
const FIRST_SILENCE_RETRIES: u32 = 1;

/// Retries of a call that took the node too long. It will hardly become faster, and each retry
/// costs the time again.
const OUT_OF_TIME_RETRIES: u32 = 2;

/// Retries of a call about a block that a backend lacks although it is far below the head.
const DEEP_RETRIES: u32 = 4;

/// Whether the node has ever answered.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Contact {
    /// It has not: this is the first call.
    First,
    /// It has answered before.
    Made,
}

/// Time to wait before the next attempt, or `None` if there is none. `retries` were made already.
pub(super) fn wait_before_retry(
    fault: &Fault,
    retries: u32,
    max_retries: u32,
    contact: Contact,
) -> Option<Duration> {
    (may_pass(fault) && retries < allowed_retries(fault, max_retries, contact)).then(|| {
        let requested = requested_wait(fault).unwrap_or_default();
        requested + rand::random_range(Duration::ZERO..=bound(retries))
    })
}

/// The wait that the node requests from the client, bounded by [`LONGEST_REQUESTED_WAIT`].
pub(super) fn requested_wait(fault: &Fault) -> Option<Duration> {
    let (Fault::RateLimited { retry_after, .. } | Fault::Unavailable { retry_after, .. }) = fault
    else {
        return None;
    };
    retry_after.map(|wait| wait.min(LONGEST_REQUESTED_WAIT))
}

/// Whether the fault is transient, so that the same call may succeed later.
const fn may_pass(fault: &Fault) -> bool {
    match fault {
        Fault::NoConnection(_)
        | Fault::TimedOut(_)
        | Fault::BrokenOff(_)
        | Fault::NotJson { .. }
        | Fault::WrongId
        | Fault::RateLimited { .. }
        | Fault::Unavailable { .. }
        | Fault::Internal { .. }
        | Fault::Lagging { .. }
        | Fault::OutOfTime { .. } => true,
        Fault::Unsendable(_)
        | Fault::PartOfBatch { .. }
        | Fault::TooLarge { .. }
        | Fault::Refused { .. }
        | Fault::Crashed { .. }
        | Fault::NoSuchMethod { .. }
        | Fault::Oversized { .. }
        | Fault::Answered { .. }
        | Fault::Null
        | Fault::Unexpected(_) => false,
    }
}

fn allowed_retries(fault: &Fault, max_retries: u32, contact: Contact) -> u32 {
    match (contact, fault) {
        // The connection timed out, which cost time already. Lost packets rarely recover soon.
        (Contact::First, Fault::NoConnection(cause)) if cause.is_timeout() => 0,
        (Contact::First, Fault::NoConnection(_)) => max_retries.min(FIRST_CONTACT_RETRIES),
        (Contact::First, Fault::TimedOut(_)) => max_retries.min(FIRST_SILENCE_RETRIES),
        (_, Fault::Lagging { near: false, .. }) => max_retries.min(DEEP_RETRIES),
        (_, Fault::OutOfTime { .. }) => max_retries.min(OUT_OF_TIME_RETRIES),
        _ => max_retries,
    }
}

/// The longest wait after this many retries.
fn bound(retries: u32) -> Duration {
    let factor = 2_u32.checked_pow(retries).unwrap_or(u32::MAX);
    FIRST_WAIT.saturating_mul(factor).min(LONGEST_WAIT)
}

#[cfg(test)]
mod tests {
    use super::{
        super::redact::{SafeText, secrets_of},
        *,
    };

    fn limited(seconds: u64) -> Fault {
        let secrets = secrets_of(Some(&"http://h".parse().unwrap()), std::iter::empty());
        let says = SafeText::new(b"slow down", &secrets);
        Fault::RateLimited { retry_after: Some(Duration::from_secs(seconds)), says }
    }

    #[test]
    fn bounds_double_up_to_a_limit() {
        let bounds = [0, 1, 2, 6, 7, 31, 32, u32::MAX].map(|retries| bound(retries).as_millis());
        assert_eq!(bounds, [250, 500, 1000, 16_000, 20_000, 20_000, 20_000, 20_000]);
    }

    #[test]
    fn waits_are_spread_from_zero_to_the_bound() {
        let waits: Vec<_> = (0..1000)
            .filter_map(|_| wait_before_retry(&Fault::WrongId, 2, 3, Contact::Made))
            .collect();
        assert_eq!(waits.len(), 1000);
        assert!(waits.iter().all(|wait| wait.as_millis() <= 1000));
        assert!(waits.iter().any(|wait| wait.as_millis() < 250));
        assert!(waits.iter().any(|wait| wait.as_millis() > 750));
    }

    #[test]
    fn retries_end() {
        assert!(wait_before_retry(&Fault::WrongId, 2, 3, Contact::Made).is_some());
        assert_eq!(wait_before_retry(&Fault::WrongId, 3, 3, Contact::Made), None);
        assert_eq!(wait_before_retry(&Fault::WrongId, 0, 0, Contact::Made), None);
    }

    #[test]
    fn retry_after_is_the_least_wait_up_to_a_limit() {
        let wait = wait_before_retry(&limited(7), 0, 1, Contact::First).unwrap();
        assert!((7000..=7250).contains(&wait.as_millis()), "{wait:?}");
        assert_eq!(requested_wait(&limited(u64::MAX)), Some(LONGEST_REQUESTED_WAIT));
    }

    #[test]
    fn permanent_faults_are_not_retried() {
        for fault in [Fault::Null, Fault::TooLarge { limit: 1 }] {
            assert_eq!(wait_before_retry(&fault, 0, 9, Contact::Made), None, "{fault}");
        }
    }
}

//! Reads `Retry-After` (RFC 9110 section 10.2.3).
//!
//! A date is relative to the answer's own `Date`, so neither the local clock nor its time zone
//! matters. Without a `Date` it is ignored. Only one of the three date formats is read:
//! IMF-fixdate, which senders must use (section 5.6.7).

use std::time::Duration;

use reqwest::header::{DATE, HeaderMap, HeaderName, RETRY_AFTER};

const MONTHS: [&str; 12] =
    ["Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"];

/// The wait that the node requests. `None` if it states none, or in a format that is not read.
pub(super) fn retry_after(headers: &HeaderMap) -> Option<Duration> {
    let text = text_of(headers, RETRY_AFTER)?;
    if let Ok(seconds) = text.parse() {
        return Some(Duration::from_secs(seconds));
    }
    let until = seconds_of(text)?;
    let now = seconds_of(text_of(headers, DATE)?)?;
    Some(Duration::from_secs(until.saturating_sub(now)))
}

fn text_of(headers: &HeaderMap, name: HeaderName) -> Option<&str> {
    headers.get(name)?.to_str().ok().map(str::trim)
}

/// Seconds since 1970 of an IMF-fixdate such as `Sun, 06 Nov 1994 08:49:37 GMT`.
fn seconds_of(date: &str) -> Option<u64> {
    let (_, rest) = date.split_once(", ")?;
    let mut parts = rest.split([' ', ':']);
    let mut next = || parts.next();
    let day: u64 = next()?.parse().ok()?;
    let month = next()?;
    let month = MONTHS.iter().position(|name| *name == month)?;
    let year: u64 = next()?.parse().ok()?;
    let (hour, minute, second): (u64, u64, u64) =
        (next()?.parse().ok()?, next()?.parse().ok()?, next()?.parse().ok()?);

    let sane = (1970..10_000).contains(&year) && (1..=31).contains(&day);
    let sane = sane && hour < 24 && minute < 60 && second <= 60 && next() == Some("GMT");
    sane.then(|| ((days_before(year, month) + day - 1) * 24 + hour) * 3600 + minute * 60 + second)
}

/// Days from 1970 to the first day of a month. Months count from 0.
fn days_before(year: u64, month: usize) -> u64 {
    const BEFORE_MONTH: [u64; 12] = [0, 31, 59, 90, 120, 151, 181, 212, 243, 273, 304, 334];
    // Leap days of past years, and of this year if February is over.
    let years_over = if month >= 2 { year } else { year - 1 };
    let leap_days = years_over / 4 - years_over / 100 + years_over / 400;
    let leap_days_to_1970 = 1969 / 4 - 1969 / 100 + 1969 / 400;
    let in_year = BEFORE_MONTH.get(month).copied().unwrap_or_default();
    (year - 1970) * 365 + in_year + leap_days - leap_days_to_1970
}

#[cfg(test)]
mod tests {
    use reqwest::header::HeaderValue;

    use super::*;

    fn headers(retry_after: &'static str, date: Option<&'static str>) -> HeaderMap {
        let mut headers = HeaderMap::new();
        headers.insert(RETRY_AFTER, HeaderValue::from_static(retry_after));
        headers.extend(date.map(|date| (DATE, HeaderValue::from_static(date))));
        headers
    }

    #[test]
    fn dates_are_seconds_since_1970() {
        for (date, seconds) in [
            ("Thu, 01 Jan 1970 00:00:00 GMT", 0),
            ("Sun, 06 Nov 1994 08:49:37 GMT", 784_111_777),
            ("Tue, 29 Feb 2000 23:59:59 GMT", 951_868_799),
            ("Wed, 01 Mar 2000 00:00:00 GMT", 951_868_800),
            ("Thu, 20 Nov 2025 12:00:00 GMT", 1_763_640_000),
        ] {
            assert_eq!(seconds_of(date), Some(seconds), "{date}");
        }
    }

    #[test]
    fn text_that_is_not_a_date_is_ignored() {
        for text in [
            "",
            "soon",
            "Sun, 06 Nov",
            "Sun, 06 Foo 1994 08:49:37 GMT",
            "Sun, 00 Nov 1994 08:49:37 GMT",
        ] {
            assert_eq!(seconds_of(text), None, "{text}");
        }
    }

    #[test]
    fn seconds_and_dates_are_both_read() {
        let date = Some("Thu, 20 Nov 2025 12:00:00 GMT");
        for (text, date, expected) in [
            ("7", None, Some(7)),
            ("Thu, 20 Nov 2025 12:00:30 GMT", date, Some(30)),
            ("Thu, 20 Nov 2025 11:00:30 GMT", date, Some(0)),
            ("Thu, 20 Nov 2025 12:00:30 GMT", None, None),
            ("-1", None, None),
        ] {
            let expected = expected.map(Duration::from_secs);
            assert_eq!(retry_after(&headers(text, date)), expected, "{text}");
        }
    }
}

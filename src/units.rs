//! Formats gas, throughput, durations and sizes for people.
//!
//! Converts exact values into short text for the terminal, rounded and with a unit or thousands separators.
//! Files for programs do not use this module: they contain integers in nanoseconds and gas, and full decimals.

use std::{str::FromStr, time::Duration};

/// Units of time with their length in nanoseconds, shortest first. Each unit but the last is used below 1000 of
/// itself.
const TIME_UNITS: [(&str, u128); 3] = [("µs", 1_000), ("ms", 1_000_000), ("s", 1_000_000_000)];

/// Units of size with their length in bytes, shortest first. Each unit but the last is used below 1000 of
/// itself.
const SIZE_UNITS: [(&str, u128); 4] =
    [("kB", 1_000), ("MB", 1_000_000), ("GB", 1_000_000_000), ("TB", 1_000_000_000_000)];

/// A text that is not a duration.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{0:?} is not a duration; write a whole number and unit, such as 100us, 2ms or 1s; or 0")]
pub struct BadDuration(String);

/// Parses a whole number with the unit `ns`, `us`, `ms` or `s`; zero needs no unit.
pub fn parse_duration(text: &str) -> Result<Duration, BadDuration> {
    let bad = || BadDuration(text.to_owned());
    let digits = text.find(|char: char| !char.is_ascii_digit()).unwrap_or(text.len());
    let (number, unit) = text.split_at(digits);
    let number: u64 = number.parse().map_err(|_| bad())?;
    match unit {
        "" if number == 0 => Ok(Duration::ZERO),
        "ns" => Ok(Duration::from_nanos(number)),
        "us" | "µs" => Ok(Duration::from_micros(number)),
        "ms" => Ok(Duration::from_millis(number)),
        "s" => Ok(Duration::from_secs(number)),
        _ => Err(bad()),
    }
}

/// Units of a size that is typed, with their length in bytes.
const TYPED_SIZES: [(&str, u64); 10] = [
    ("", 1),
    ("B", 1),
    ("kB", 1_000),
    ("MB", 1_000_000),
    ("GB", 1_000_000_000),
    ("TB", 1_000_000_000_000),
    ("KiB", 1 << 10),
    ("MiB", 1 << 20),
    ("GiB", 1 << 30),
    ("TiB", 1 << 40),
];

/// A number of bytes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ByteSize(u64);

/// A text that is not a size.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{0:?} is not a size; write a whole number and unit, such as 500MB or 8GiB; or 0")]
pub struct BadSize(String);

impl ByteSize {
    /// The number of bytes.
    pub const fn bytes(self) -> u64 {
        self.0
    }
}

/// Parses a whole number with a decimal or binary unit, such as `500MB` or `8GiB`; bytes need no unit.
impl FromStr for ByteSize {
    type Err = BadSize;

    fn from_str(text: &str) -> Result<Self, BadSize> {
        let digits = text.find(|char: char| !char.is_ascii_digit()).unwrap_or(text.len());
        let (number, unit) = text.split_at(digits);
        let unit = TYPED_SIZES.iter().find(|(name, _)| *name == unit).map(|(_, length)| *length);
        let number = number.parse::<u64>().ok();
        let bytes = number.zip(unit).and_then(|(number, unit)| number.checked_mul(unit));
        bytes.map(Self).ok_or_else(|| BadSize(text.to_owned()))
    }
}

/// Digits in place of the underscores and the suffix of a number: `19_426K` becomes `19426000`. `None` if the text is no such
/// number. The suffixes are K, M and G, for 10³, 10⁶ and 10⁹.
pub fn plain_digits(text: &str) -> Option<String> {
    let (number, zeros) = match text.char_indices().next_back()? {
        (at, 'k' | 'K') => (&text[..at], "000"),
        (at, 'm' | 'M') => (&text[..at], "000000"),
        (at, 'g' | 'G') => (&text[..at], "000000000"),
        _ => (text, ""),
    };
    let is_number = number.starts_with(|char: char| char.is_ascii_digit())
        && number.ends_with(|char: char| char.is_ascii_digit())
        && number.chars().all(|char| char.is_ascii_digit() || char == '_');
    is_number.then(|| number.replace('_', "") + zeros)
}

/// Gas in millions of gas.
pub fn mgas(gas: u64) -> f64 {
    gas as f64 / 1e6
}

/// Throughput in Mgas/s: millions of gas per second. `None` if no time passed.
pub fn mgas_per_s(gas: u64, elapsed: Duration) -> Option<f64> {
    (!elapsed.is_zero()).then(|| mgas(gas) / elapsed.as_secs_f64())
}

/// Formats a finite non-negative number with one decimal and thousands separators: `1,234.5`.
pub fn grouped(value: f64) -> String {
    let text = format!("{value:.1}");
    let (whole, tenths) = text.split_once('.').unwrap_or((&text, "0"));
    format!("{}.{tenths}", with_separators(whole))
}

/// Formats a duration with three decimals, in the unit that leaves one to three digits before them: `4.512 ms`.
///
/// Less than a microsecond is given in whole nanoseconds, and more than 1000 s in seconds.
pub fn duration(elapsed: Duration) -> String {
    let ns = elapsed.as_nanos();
    if ns < 1_000 {
        return format!("{ns} ns");
    }
    // The unit is chosen after rounding, so that 999.9996 µs is 1.000 ms and not 1000.000 µs.
    let (unit, thousandths) = TIME_UNITS
        .map(|(unit, length)| (unit, (ns + length / 2_000) / (length / 1_000)))
        .into_iter()
        .find(|(unit, thousandths)| *unit == "s" || *thousandths < 1_000_000)
        .unwrap_or(("ns", ns));
    format!("{}.{:03} {unit}", thousandths / 1_000, thousandths % 1_000)
}

/// Formats a duration with three digits: `4.51 ms`, `45.1 ms`, `451 ms`. Less than a microsecond is given in
/// whole nanoseconds, and more than 1000 s in seconds.
pub fn short(elapsed: Duration) -> String {
    let text = duration(elapsed);
    let Some((number, unit)) = text.split_once(' ') else { return text };
    let Ok(value) = number.parse::<f64>() else { return text };
    match value {
        _ if unit == "ns" => text,
        // The bounds round first, so that 9.996 ms is 10.0 ms.
        value if value < 9.995 => format!("{value:.2} {unit}"),
        value if value < 99.95 => format!("{value:.1} {unit}"),
        value => format!("{value:.0} {unit}"),
    }
}

/// Formats a whole number with thousands separators: `1,234`.
pub fn count(number: u64) -> String {
    with_separators(&number.to_string())
}

/// Formats a size with one decimal, in the unit that leaves one to three digits before it: `4.5 MB`. Units are
/// powers of 1000. Less than 1000 bytes are given in bytes.
pub fn bytes(size: u64) -> String {
    if size < 1_000 {
        return format!("{size} B");
    }
    // The unit is chosen after rounding, so that 999,960 bytes are 1.0 MB and not 1000.0 kB.
    let (unit, tenths) = SIZE_UNITS
        .map(|(unit, length)| (unit, (u128::from(size) * 10 + length / 2) / length))
        .into_iter()
        .find(|(unit, tenths)| *unit == "TB" || *tenths < 10_000)
        .unwrap_or(("B", 0));
    format!("{}.{} {unit}", tenths / 10, tenths % 10)
}

/// Inserts a comma before every group of three digits, counted from the right.
fn with_separators(digits: &str) -> String {
    let mut text = String::with_capacity(digits.len() * 4 / 3);
    for (at, digit) in digits.char_indices() {
        if at > 0 && (digits.len() - at).is_multiple_of(3) {
            text.push(',');
        }
        text.push(digit);
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_size_is_a_whole_number_with_a_decimal_or_binary_unit() {
        for (text, bytes) in
            [("0", 0), ("17", 17), ("17B", 17), ("500MB", 500_000_000), ("8GiB", 8 << 30)]
        {
            assert_eq!(text.parse::<ByteSize>().map(ByteSize::bytes), Ok(bytes));
        }
        for text in ["", "-1", "8G", "8 GiB", "1.5GB", "GiB", "99999999999TiB"] {
            assert!(text.parse::<ByteSize>().is_err(), "{text}");
        }
    }

    #[test]
    fn a_duration_has_three_decimals_in_the_unit_that_fits() {
        for (ns, text) in [
            (0, "0 ns"),
            (999, "999 ns"),
            (1_000, "1.000 µs"),
            (4_512_000, "4.512 ms"),
            (123_456_789, "123.457 ms"),
            (61_000_000_000, "61.000 s"),
            (1_234_567_000_000, "1234.567 s"),
        ] {
            assert_eq!(duration(Duration::from_nanos(ns)), text, "{ns} ns");
        }
    }

    #[test]
    fn a_short_duration_has_three_digits() {
        for (ns, text) in [
            (999, "999 ns"),
            (4_512_000, "4.51 ms"),
            (9_996_000, "10.0 ms"),
            (45_123_000, "45.1 ms"),
            (451_600_000, "452 ms"),
            (1_234_567_000_000, "1235 s"),
        ] {
            assert_eq!(short(Duration::from_nanos(ns)), text, "{ns} ns");
        }
    }

    #[test]
    fn a_duration_is_a_number_with_its_unit() {
        for (text, duration) in [
            ("0", Duration::ZERO),
            ("250ns", Duration::from_nanos(250)),
            ("100us", Duration::from_micros(100)),
            ("100µs", Duration::from_micros(100)),
            ("2ms", Duration::from_millis(2)),
            ("1s", Duration::from_secs(1)),
        ] {
            assert_eq!(parse_duration(text), Ok(duration), "{text}");
        }
        for text in ["", "100", "us", "-1us", "1.5ms", "1 ms", "99999999999999999999s"] {
            assert_eq!(parse_duration(text), Err(BadDuration(text.into())), "{text}");
        }
    }

    #[test]
    fn a_duration_that_rounds_up_to_the_next_unit_is_given_in_it() {
        assert_eq!(duration(Duration::from_nanos(999_999)), "999.999 µs");
        assert_eq!(duration(Duration::from_nanos(999_999_499)), "999.999 ms");
        assert_eq!(duration(Duration::from_nanos(999_999_500)), "1.000 s");
    }

    #[test]
    fn the_longest_duration_does_not_overflow() {
        assert!(duration(Duration::MAX).ends_with(" s"));
    }

    #[test]
    fn thousands_are_separated_after_rounding() {
        for (value, text) in [
            (0.0, "0.0"),
            (12.94, "12.9"),
            (999.94, "999.9"),
            (999.96, "1,000.0"),
            (1_234.5, "1,234.5"),
            (1_234_567.0, "1,234,567.0"),
        ] {
            assert_eq!(grouped(value), text);
        }
    }

    #[test]
    fn a_size_has_one_decimal_in_the_unit_that_fits() {
        for (size, text) in [
            (0, "0 B"),
            (999, "999 B"),
            (1_000, "1.0 kB"),
            (999_949, "999.9 kB"),
            (999_950, "1.0 MB"),
            (4_512_345, "4.5 MB"),
            (u64::MAX, "18446744.1 TB"),
        ] {
            assert_eq!(bytes(size), text, "{size}");
        }
        assert_eq!(count(1_234_567), "1,234,567");
    }

    #[test]
    fn throughput_is_millions_of_gas_per_second() {
        assert_eq!(mgas_per_s(30_000_000, Duration::from_millis(10)), Some(3_000.0));
        assert_eq!(mgas_per_s(30_000_000, Duration::ZERO), None);
    }
}

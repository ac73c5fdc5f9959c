//! Parses whole numbers of arguments, with plain messages for numbers out of range.

use std::num::{IntErrorKind, NonZeroU64};

/// Maximum number of blocks or files in parallel, and of concurrent requests.
pub(super) const MOST_JOBS: u64 = 256;

/// Maximum number of concurrent requests to a node.
pub(super) const MOST_REQUESTS: u64 = 1_024;

/// Maximum size of an answer in MiB, as large as the content of a container.
pub(super) const MOST_MEBIBYTES: u64 = 1_024;

/// Maximum number of threads of a pool. It is several times the number of cores of any machine.
pub(super) const MOST_THREADS: u64 = 1_024;

/// Maximum number of iterations. Every iteration keeps its samples in memory.
pub(super) const MOST_ITERATIONS: u64 = 1_000_000;

/// Maximum time limit in seconds: one year. Longer times overflow the system's clocks.
pub(super) const MOST_SECONDS: u64 = 365 * 24 * 60 * 60;

/// The reason that a text is not a number for an argument.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum NumberError {
    /// The text is no whole number.
    #[error("write a whole number")]
    NotWhole,
    /// The number is zero or negative.
    #[error("must be at least {least}")]
    TooSmall {
        /// The least number.
        least: u64,
    },
    /// The number is too large.
    #[error("must be at most {most}")]
    TooLarge {
        /// The greatest number.
        most: u64,
    },
}

/// Parses a number from 1 to `MOST`.
pub(super) fn positive<T: TryFrom<NonZeroU64>, const MOST: u64>(
    text: &str,
) -> Result<T, NumberError> {
    let number = between(text, 1, MOST)?;
    let number = NonZeroU64::new(number).ok_or(NumberError::TooSmall { least: 1 })?;
    T::try_from(number).map_err(|_| NumberError::TooLarge { most: MOST })
}

/// Parses a number of 64 bits.
pub(super) fn whole(text: &str) -> Result<u64, NumberError> {
    between(text, 0, u64::MAX)
}

/// Parses a number of 32 bits.
pub(super) fn whole_u32(text: &str) -> Result<u32, NumberError> {
    let most = u32::MAX.into();
    u32::try_from(between(text, 0, most)?).map_err(|_| NumberError::TooLarge { most })
}

pub(super) fn between(text: &str, least: u64, most: u64) -> Result<u64, NumberError> {
    match text.parse::<i128>() {
        Ok(number) if number < least.into() => Err(NumberError::TooSmall { least }),
        Ok(number) => {
            let number = u64::try_from(number).ok().filter(|number| *number <= most);
            number.ok_or(NumberError::TooLarge { most })
        }
        Err(error) => Err(match error.kind() {
            IntErrorKind::PosOverflow => NumberError::TooLarge { most },
            IntErrorKind::NegOverflow => NumberError::TooSmall { least },
            _ => NumberError::NotWhole,
        }),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::num::NonZeroU32;

    #[test]
    fn a_number_out_of_range_is_explained_in_plain_words() {
        let said = |text| positive::<NonZeroU32, 100>(text).map_err(|error| error.to_string());
        assert_eq!(said("1"), Ok(NonZeroU32::MIN));
        assert!(said("100").is_ok());
        for (text, message) in [
            ("0", "must be at least 1"),
            ("-3", "must be at least 1"),
            ("101", "must be at most 100"),
            ("18446744073709551616", "must be at most 100"),
            ("9999999999999999999999999999999999999999999", "must be at most 100"),
            ("", "write a whole number"),
            ("1.5", "write a whole number"),
            ("ten", "write a whole number"),
        ] {
            assert_eq!(said(text), Err(message.to_owned()), "{text}");
        }
    }

    #[test]
    fn the_largest_numbers_can_be_written() {
        assert_eq!(whole("18446744073709551615"), Ok(u64::MAX));
        assert_eq!(whole_u32("4294967295"), Ok(u32::MAX));
        assert!(whole_u32("4294967296").is_err());
    }
}

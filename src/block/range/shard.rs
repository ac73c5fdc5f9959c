//! The part of a selection that one of several processes works on.
//!
//! Blocks form chunks of 1,000 numbers. The chunks of a selection, by ascending number, are split into contiguous
//! parts of nearly equal length. A part depends on the selection alone, not on what is cached or done, so all
//! processes agree without talking to each other.

use std::{fmt, num::NonZeroU64, ops::RangeInclusive, str::FromStr};

use alloy_primitives::BlockNumber;

use super::BlockNumbers;

/// Number of blocks in a chunk.
pub const CHUNK: u64 = 1_000;

/// The name of chunk `index` in paths: its first and last number.
pub fn chunk_name(index: u64) -> String {
    let numbers = chunk_numbers(index);
    format!("{}-{}", numbers.start(), numbers.end())
}

/// The numbers of chunk `index`.
pub const fn chunk_numbers(index: u64) -> RangeInclusive<BlockNumber> {
    let first = index.saturating_mul(CHUNK);
    first..=first.saturating_add(CHUNK - 1)
}

/// Part `index` of `count`, counted from 0.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Shard {
    index: u64,
    count: NonZeroU64,
}

/// The reason that a text or the environment names no shard.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[expect(missing_docs, reason = "the messages name the fields")]
pub enum ShardError {
    /// Not two numbers.
    #[error("a shard is written I/N, for example 0/8 for the first of eight parts, or env")]
    Syntax,
    /// The number of the part is too high.
    #[error("shard {index} of {count} does not exist; shards are counted from 0 to {}", .count - 1)]
    PastLast { index: u64, count: u64 },
    /// No variable of a batch system is set.
    #[error(
        "no batch system sets a task number here; known are {}",
        VARIABLES.map(|set| set.index).join(", ")
    )]
    NoTask,
    /// A variable is not a number, or its count is missing.
    #[error("{index} is {value:?}, and {count} does not give the number of tasks")]
    Task { index: &'static str, value: String, count: &'static str },
}

/// Variables in which a batch system gives a task its number.
struct Variables {
    index: &'static str,
    /// The lowest number; absent if numbers start at 0.
    first: Option<&'static str>,
    count: Count,
}

/// The variable that tells the number of tasks.
enum Count {
    Tasks(&'static str),
    /// The highest number of a task.
    Last(&'static str),
}

/// Slurm, AWS Batch, Grid Engine, and an Indexed Job of Kubernetes. Kubernetes does not tell the number of
/// completions, so the job sets `JOB_COMPLETIONS` itself.
const VARIABLES: [Variables; 4] = [
    Variables {
        index: "SLURM_ARRAY_TASK_ID",
        first: Some("SLURM_ARRAY_TASK_MIN"),
        count: Count::Tasks("SLURM_ARRAY_TASK_COUNT"),
    },
    Variables {
        index: "AWS_BATCH_JOB_ARRAY_INDEX",
        first: None,
        count: Count::Tasks("AWS_BATCH_JOB_ARRAY_SIZE"),
    },
    Variables {
        index: "SGE_TASK_ID",
        first: Some("SGE_TASK_FIRST"),
        count: Count::Last("SGE_TASK_LAST"),
    },
    Variables {
        index: "JOB_COMPLETION_INDEX",
        first: None,
        count: Count::Tasks("JOB_COMPLETIONS"),
    },
];

impl Shard {
    /// Part `index` of `count`.
    ///
    /// # Errors
    /// [`ShardError::PastLast`] if the part does not exist, or if there are no parts.
    pub fn new(index: u64, count: u64) -> Result<Self, ShardError> {
        match NonZeroU64::new(count) {
            Some(count) if index < count.get() => Ok(Self { index, count }),
            Some(_) => Err(ShardError::PastLast { index, count }),
            None => Err(ShardError::Syntax),
        }
    }

    /// The part that a batch system assigned to this process. `variable` reads an environment variable.
    ///
    /// # Errors
    /// [`ShardError::NoTask`] without a batch system. [`ShardError::Task`] if its variables are no numbers.
    pub fn from_environment(variable: impl Fn(&str) -> Option<String>) -> Result<Self, ShardError> {
        let told = |set: &&Variables| variable(set.index).is_some_and(|text| text != "undefined");
        let set = VARIABLES.iter().find(told).ok_or(ShardError::NoTask)?;
        let number = |name: &str| variable(name).and_then(|text| text.parse::<u64>().ok());
        let (count_name, count) = match set.count {
            Count::Tasks(name) => (name, number(name)),
            Count::Last(name) => {
                let first = set.first.and_then(number).unwrap_or(0);
                let tasks = |last: u64| last.checked_sub(first)?.checked_add(1);
                (name, number(name).and_then(tasks))
            }
        };
        let first = set.first.map_or(Some(0), number);
        let index =
            number(set.index).zip(first).and_then(|(index, first)| index.checked_sub(first));
        let Some((index, count)) = index.zip(count) else {
            let value = variable(set.index).unwrap_or_default();
            return Err(ShardError::Task { index: set.index, value, count: count_name });
        };
        Self::new(index, count)
    }

    /// The chunks of this part among `chunks` chunks.
    fn places(self, chunks: u64) -> RangeInclusive<u64> {
        let boundary = |part: u64| {
            let product = u128::from(part) * u128::from(chunks) / u128::from(self.count.get());
            u64::try_from(product).unwrap_or(u64::MAX)
        };
        let (first, end) = (boundary(self.index), boundary(self.index + 1));
        // A reversed range is empty.
        if first == end { RangeInclusive::new(1, 0) } else { first..=end - 1 }
    }
}

/// `I/N`, for example `0/8`.
impl FromStr for Shard {
    type Err = ShardError;

    fn from_str(text: &str) -> Result<Self, ShardError> {
        let (index, count) = text.split_once('/').ok_or(ShardError::Syntax)?;
        let number = |text: &str| text.trim().parse().map_err(|_| ShardError::Syntax);
        Self::new(number(index)?, number(count)?)
    }
}

impl fmt::Display for Shard {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}", self.index, self.count)
    }
}

impl BlockNumbers {
    /// The numbers of this part, in ascending order. The parts of all shards are disjoint and together have every
    /// number. Time and memory depend on the number of ranges, not on their length.
    #[must_use]
    pub fn part(&self, shard: Shard) -> Self {
        let mut ranges = self.ranges().to_vec();
        ranges.sort_unstable_by_key(|range| *range.start());
        let mut counted = ChunkCount::default();
        let chunks = ranges.iter().map(|range| counted.add(range)).collect::<Vec<_>>();
        let places = shard.places(counted.chunks);
        let inside = ranges
            .iter()
            .zip(chunks)
            .filter_map(|(range, first_place)| part_of(range, first_place, &places));
        inside.collect()
    }

    /// As [`BlockNumbers::part`]; without a shard, all numbers in their order.
    #[must_use]
    pub fn part_of(self, shard: Option<Shard>) -> Self {
        match shard {
            Some(shard) => self.part(shard),
            None => self,
        }
    }
}

/// Counts the chunks of ascending ranges. Ranges that share a chunk count it once.
#[derive(Default)]
struct ChunkCount {
    chunks: u64,
    last: Option<u64>,
}

impl ChunkCount {
    /// The place of the range's first chunk among all chunks.
    fn add(&mut self, range: &RangeInclusive<BlockNumber>) -> u64 {
        let (first, last) = (range.start() / CHUNK, range.end() / CHUNK);
        let shared = u64::from(self.last == Some(first));
        let place = self.chunks - shared;
        self.chunks = place + (last - first) + 1;
        self.last = Some(last);
        place
    }
}

/// The numbers of a range in the chunks of `places`. The range's first chunk has place `first_place`.
fn part_of(
    range: &RangeInclusive<BlockNumber>,
    first_place: u64,
    places: &RangeInclusive<u64>,
) -> Option<RangeInclusive<BlockNumber>> {
    let last_place = first_place + (range.end() / CHUNK - range.start() / CHUNK);
    if places.is_empty() || *places.end() < first_place || last_place < *places.start() {
        return None;
    }
    let chunk = |place: u64| range.start() / CHUNK + (place - first_place);
    let first = match *places.start() {
        place if place > first_place => chunk(place) * CHUNK,
        _ => *range.start(),
    };
    let last = match *places.end() {
        place if place < last_place => chunk(place) * CHUNK + (CHUNK - 1),
        _ => *range.end(),
    };
    Some(first..=last)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn numbers(ranges: &[RangeInclusive<u64>]) -> BlockNumbers {
        ranges.iter().cloned().collect()
    }

    fn part(ranges: &[RangeInclusive<u64>], shard: &str) -> Vec<RangeInclusive<u64>> {
        numbers(ranges).part(shard.parse().unwrap()).ranges().to_vec()
    }

    #[test]
    fn parts_end_at_chunks() {
        assert_eq!(part(&[500..=3_499], "0/2"), [500..=1_999]);
        assert_eq!(part(&[500..=3_499], "1/2"), [2_000..=3_499]);
        assert_eq!(part(&[5..=5, 7..=7, 1_500..=1_500], "0/2"), [5..=5, 7..=7]);
    }

    #[test]
    fn more_shards_than_chunks_leave_some_without_blocks() {
        let parts: Vec<_> = (0..4).map(|index| part(&[0..=1_999], &format!("{index}/4"))).collect();
        assert_eq!(parts.iter().filter(|part| part.is_empty()).count(), 2);
    }

    #[test]
    fn a_range_of_all_numbers_is_split_at_once() {
        let whole = part(&[0..=u64::MAX], "7/8");
        assert_eq!(*whole[0].end(), u64::MAX);
        assert_eq!(*whole[0].start() % CHUNK, 0);
    }

    proptest! {
        #[test]
        fn parts_are_disjoint_and_together_everything(
            starts in proptest::collection::vec((0u64..20_000, 0u64..3_000), 1..6),
            count in 1u64..9,
        ) {
            let all = numbers(&starts.iter().map(|(from, more)| *from..=from + more).collect::<Vec<_>>());
            let mut expected: Vec<_> = all.iter().collect();
            expected.sort_unstable();
            let parts = (0..count).map(|index| all.part(Shard::new(index, count).unwrap()));
            let parts: Vec<u64> = parts.flat_map(|part| part.iter().collect::<Vec<_>>()).collect();
            prop_assert_eq!(parts, expected);
        }
    }

    fn told<'a>(variables: &'a [(&str, &str)]) -> impl Fn(&str) -> Option<String> + 'a {
        |name| {
            variables.iter().find(|(known, _)| *known == name).map(|(_, value)| (*value).to_owned())
        }
    }

    #[test]
    fn batch_systems_give_the_shard() {
        let slurm = [
            ("SLURM_ARRAY_TASK_ID", "3"),
            ("SLURM_ARRAY_TASK_MIN", "1"),
            ("SLURM_ARRAY_TASK_COUNT", "8"),
        ];
        let grid_engine = [("SGE_TASK_ID", "3"), ("SGE_TASK_FIRST", "1"), ("SGE_TASK_LAST", "8")];
        let aws = [("AWS_BATCH_JOB_ARRAY_INDEX", "2"), ("AWS_BATCH_JOB_ARRAY_SIZE", "8")];
        let kubernetes = [("JOB_COMPLETION_INDEX", "2"), ("JOB_COMPLETIONS", "8")];
        for variables in [&slurm[..], &grid_engine, &aws, &kubernetes] {
            let shard = Shard::from_environment(told(variables)).unwrap();
            assert_eq!(shard.to_string(), "2/8", "{variables:?}");
        }
    }

    #[test]
    fn a_task_without_its_count_is_an_error() {
        assert_eq!(Shard::from_environment(told(&[])), Err(ShardError::NoTask));
        let error = Shard::from_environment(told(&[("JOB_COMPLETION_INDEX", "2")])).unwrap_err();
        assert!(error.to_string().contains("JOB_COMPLETIONS"), "{error}");
        // Outside an array, Grid Engine sets the number of the task to this word.
        let single = [("SGE_TASK_ID", "undefined")];
        assert_eq!(Shard::from_environment(told(&single)), Err(ShardError::NoTask));
    }

    #[test]
    fn a_shard_outside_its_count_is_refused() {
        for (text, message) in [("8/8", "counted from 0 to 7"), ("1", "I/N"), ("0/0", "I/N")] {
            let error = text.parse::<Shard>().unwrap_err().to_string();
            assert!(error.contains(message), "{text}: {error}");
        }
    }
}

//! Fuzzes the `BLOCKS` argument: every text is refused or yields block numbers.

#![no_main]

use blockrace::block::range::{BlockSpec, Names};
use libfuzzer_sys::fuzz_target;

fuzz_target!(|input: (u64, &str)| {
    let (head, text) = input;
    // Parsing must not read the file of a path, and neither may this target.
    let Ok(BlockSpec::Items(list)) = text.parse() else { return };
    let _ = list.resolve(&Names::new());
    let names = list.names().into_iter().map(|name| (name, head)).collect();
    let _ = list.hashes(&names);
    let Ok(numbers) = list.resolve(&names) else { return };
    let mut ranges = numbers.ranges().to_vec();
    ranges.sort_unstable_by_key(|range| *range.start());
    for pair in ranges.windows(2) {
        assert!(pair[0].end() < pair[1].start(), "no block occurs twice");
    }
    let most = 1_000;
    let walked = numbers.iter().take(most).count() as u64;
    assert_eq!(walked, numbers.count().min(most as u64), "all are counted");
});

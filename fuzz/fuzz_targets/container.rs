//! Fuzzes containers: every block that decodes can be encoded again and decodes to the same block.

#![no_main]

use blockrace::cache::container;
use libfuzzer_sys::fuzz_target;

fuzz_target!(|bytes: &[u8]| {
    let Ok(block) = container::decode(bytes) else { return };
    let encoded = container::encode(&block).expect("its size is within the limits, as it was read");
    assert_eq!(container::decode(&encoded).expect("it was just encoded"), block);
});

//! Fuzzes the content of containers: blocks and witnesses in RLP, up to the roots of the body.

#![no_main]

use blockrace::{
    block::check_recorded_body,
    block::RecordedState, cache::container,
};
use blockrace_fuzz::block;
use libfuzzer_sys::fuzz_target;

fuzz_target!(|content: &[u8]| {
    let Some(recorded) = block(content) else { return };
    let encoded = container::encode(&recorded).expect("its size is within the limits");
    assert_eq!(container::decode(&encoded).expect("it was just encoded"), recorded);
    let _ = check_recorded_body(&recorded);
    if let RecordedState::Witness(witness) = recorded.state {
        let _ = blockrace::trie::NodeStore::new(witness.nodes);
    }
});

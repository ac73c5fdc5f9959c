//! Every result names its date and the build of the program.

use crate::support::{assert_code, blockrace, stdout};
use serde_json::Value;

fn version(arguments: &[&str]) -> String {
    let cache = tempfile::tempdir().expect("a temporary folder");
    let output = blockrace(cache.path(), arguments);
    assert_code(&output, 0);
    stdout(&output)
}

#[test]
fn the_long_version_names_the_build_and_the_short_one_is_one_line() {
    let long = version(&["--version"]);
    for name in ["commit: ", "rustc: rustc 1.", "target: ", "target features: ", "profile: "] {
        assert!(long.contains(&format!("\n{name}")), "{long}");
    }
    assert_eq!(version(&["-V"]).lines().count(), 1);
    assert_eq!(version(&["replay", "--version"]).lines().count(), long.lines().count());
}

#[test]
fn a_result_names_the_same_build_as_the_version() {
    let cache = tempfile::tempdir().expect("a temporary folder");
    let arguments =
        "replay sample --executors block-stm --threads 1 --iterations 1 --warmup 0 --json -";
    let arguments: Vec<_> = arguments.split_whitespace().collect();
    let output = blockrace(cache.path(), &arguments);
    assert_code(&output, 0);
    let document: Value = serde_json::from_str(&stdout(&output)).expect("it is JSON");
    let provenance = &document["provenance"];
    let long = version(&["--version"]);
    for name in ["commit", "rustc", "target", "profile"] {
        let value = provenance[name].as_str().unwrap_or("unknown");
        assert!(
            long.contains(&format!("\n{name}: {value}\n")) || long.ends_with(&format!("{value}\n"))
        );
    }
    let date = provenance["date"].as_str().expect("a date");
    assert!(date.starts_with("20") && date.ends_with('Z') && date.len() == 20, "{date}");
}

//! SECURITY.md promises only what a test holds, and names the test.

use std::{
    fs,
    path::{Path, PathBuf},
};

/// The texts of all Rust sources below a folder of the repository.
fn sources(folder: &str) -> String {
    let mut text = String::new();
    let mut folders: Vec<PathBuf> = vec![Path::new(env!("CARGO_MANIFEST_DIR")).join(folder)];
    while let Some(folder) = folders.pop() {
        for entry in fs::read_dir(folder).expect("the folder is readable") {
            let path = entry.expect("the folder is readable").path();
            if path.is_dir() {
                folders.push(path);
            } else if path.extension().is_some_and(|ending| ending == "rs") {
                text += &fs::read_to_string(&path).expect("sources are text");
            }
        }
    }
    text
}

/// The names of tests in the last cell of a line of a table.
fn tests_of(line: &str) -> Vec<&str> {
    let cell = line.trim_end_matches('|').rsplit('|').next().unwrap_or_default();
    cell.split('`').skip(1).step_by(2).collect()
}

#[test]
fn every_promise_names_a_test_that_exists() {
    let path = concat!(env!("CARGO_MANIFEST_DIR"), "/SECURITY.md");
    let text = fs::read_to_string(path).expect("the file is readable");
    let sources = [sources("src"), sources("tests")].concat();
    let is_promise = |line: &&str| line.starts_with("| ") && !line.starts_with("| promise");
    let promises: Vec<_> = text.lines().filter(is_promise).collect();
    assert!(promises.len() > 20, "{promises:?}");
    for promise in promises {
        let tests = tests_of(promise);
        assert!(!tests.is_empty(), "no test: {promise}");
        for test in tests {
            assert!(sources.contains(&format!("fn {test}(")), "{test} is no test: {promise}");
        }
    }
}

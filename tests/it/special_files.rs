//! Inputs that are no regular files, that never end, or that name more blocks than memory holds. Each is an error
//! that names the input, in bounded time and memory.

#![cfg(unix)]

use crate::support::{
    assert_code, cached_sample, command, limited::limited, make_fifo, stderr, stdout,
};
use std::{
    fs::File,
    os::unix::fs::symlink,
    path::{Path, PathBuf},
    process::{Output, Stdio},
};

/// Runs the command under the limits of time and memory.
#[track_caller]
fn bounded(cache: &Path, arguments: &[&str], input: Stdio) -> Output {
    limited(command(cache, arguments).stdin(input)).output
}

/// Asserts that the command fails and names all of `parts` on one of its streams.
#[track_caller]
fn assert_named(output: &Output, parts: &[&str]) {
    assert_code(output, 2);
    let said = stdout(output) + &stderr(output);
    for part in parts {
        assert!(said.contains(part), "{part:?} is not in:\n{said}");
    }
    assert!(!said.contains("panicked"), "{said}");
}

fn text(path: &Path) -> String {
    path.to_str().expect("temporary paths are text").to_owned()
}

/// A FIFO without a writer, and a link to an endless device.
fn endless(folder: &Path, names: [&str; 2]) -> [PathBuf; 2] {
    let paths = names.map(|name| folder.join(name));
    make_fifo(&paths[0]);
    symlink("/dev/zero", &paths[1]).expect("the folder is writable");
    paths
}

const KINDS: [&str; 2] = ["it is a FIFO, not a regular file", "it is a device, not a regular file"];

#[test]
fn special_files_in_the_cache_are_named_and_the_others_are_processed() {
    let root = tempfile::tempdir().expect("a temporary folder");
    let cache = root.path().join("cache");
    cached_sample(&cache, 1);
    let hash = "ab".repeat(32);
    let names = [format!("900001-0x{hash}.block"), format!("900002-0x{hash}.block")];
    let folder = cache.join("31337");
    endless(&folder, [&names[0], &names[1]]);
    make_fifo(&folder.join(".put-fifo.tmp"));
    let archive = text(&root.path().join("blocks.tar"));
    let race = ["replay", "--iterations", "1", "--warmup", "0", "--executors", "sequential"];
    for (arguments, result) in [
        (&["cache", "list"][..], "1 block in "),
        (&["cache", "check"], "1 of 3 blocks match"),
        (&["verify"], "1 of 3 blocks match"),
        (&["cache", "export", "-o", &archive], "1 block exported"),
        (&["analyze", "--iterations", "1"], "block 900001"),
        (&race, "block 900001"),
    ] {
        let output = bounded(&cache, arguments, Stdio::null());
        assert_named(&output, &[result, KINDS[0], KINDS[1], &names[0], &names[1]]);
    }
}

#[test]
fn special_files_as_lists_results_archives_and_tests_are_named() {
    let root = tempfile::tempdir().expect("a temporary folder");
    let cache = root.path().join("cache");
    cached_sample(&cache, 1);
    let paths = endless(root.path(), ["fifo.json", "zero.json"]);
    for (path, kind) in paths.iter().zip(KINDS) {
        let path = text(path);
        let list = format!("@{path}");
        for arguments in [
            &["verify", &list][..],
            &["cache", "list", &list],
            &["compare", &path, "no-such-file"],
            &["cache", "import", &path],
            &["conformance", &path],
        ] {
            let output = bounded(&cache, arguments, Stdio::null());
            assert_named(&output, &[&path, kind]);
        }
    }
    let output = bounded(root.path(), &["conformance", &text(root.path())], Stdio::null());
    assert_named(&output, &["fifo.json", "zero.json", KINDS[0], KINDS[1]]);
}

#[test]
fn endless_standard_input_is_refused() {
    let root = tempfile::tempdir().expect("a temporary folder");
    cached_sample(root.path(), 1);
    let zero = || File::open("/dev/zero").expect("the system has it").into();
    let other = text(&root.path().join("other"));
    for arguments in [&["verify", "@-"][..], &["verify", "@/dev/stdin"], &["compare", "-", &other]]
    {
        let output = bounded(root.path(), arguments, zero());
        assert_named(&output, &["it has more than "]);
    }
    let output = bounded(root.path(), &["cache", "import", "-"], zero());
    assert_named(&output, &["- cannot be imported"]);
}

#[test]
fn a_range_without_end_costs_no_more_than_its_cached_blocks() {
    let root = tempfile::tempdir().expect("a temporary folder");
    cached_sample(root.path(), 1);
    let race = ["--iterations", "1", "--warmup", "0", "--executors", "sequential"];
    for range in ["0-1000000000000", "0-18446744073709551615", "0:+18446744073709551615,7"] {
        for arguments in [
            vec!["verify", range],
            [&["replay", range][..], &race].concat(),
            vec!["analyze", range, "--iterations", "1"],
            vec!["cache", "check", range],
        ] {
            let output = bounded(root.path(), &arguments, Stdio::null());
            assert_named(&output, &["not cached", "1 "]);
        }
        let traced = ["trace", range, "-o", &text(&root.path().join("trace.json"))];
        let output = bounded(root.path(), &traced, Stdio::null());
        assert_named(&output, &["a trace needs exactly one block"]);
    }
    let output = bounded(root.path(), &["verify", "0-1000000000000"], Stdio::null());
    let said = stderr(&output);
    let others = "error: block 0: it is not cached, and neither are 999999999999 others";
    assert!(said.contains(others), "{said}");
    assert!(stdout(&output).contains("1 of 2 blocks match"), "{}", stdout(&output));
}

#[test]
fn numbers_out_of_range_are_refused_by_name_in_plain_words() {
    let root = tempfile::tempdir().expect("a temporary folder");
    let node = ["--rpc-url", "http://127.0.0.1:9"];
    let huge = "18446744073709551615";
    for (command, flag, value, why) in [
        ("fetch", "--concurrency", huge, "must be at most 1024"),
        ("fetch", "--concurrency", "0", "must be at least 1"),
        ("fetch", "--max-retries", "4294967296", "must be at most 4294967295"),
        ("fetch", "--rpc-timeout", "0", "must be at least 1"),
        ("verify", "--jobs", "100000", "must be at most 256"),
        ("verify", "--jobs", "0", "must be at least 1"),
        ("verify", "--execution-limit", huge, "must be at most 31536000"),
        ("verify", "--chain", "one", "write a whole number"),
        ("conformance", "--jobs", "100000", "must be at most 256"),
        ("conformance", "--threads", "0", "must be at least 1"),
        ("replay", "--threads", "1,x", "write a whole number"),
        ("replay", "--iterations", "0", "must be at least 1"),
        ("replay", "--iterations", "many", "write a whole number, or auto"),
        ("replay", "--warmup", "99999999999", "must be at most 1000000"),
        ("replay", "--seed", "0x1", "write a whole number"),
        ("analyze", "--iterations", "0", "must be at least 1"),
        ("compare", "--threshold", "much", "write a number, such as 3 or 2.5"),
    ] {
        let more: &[&str] = match command {
            "fetch" => &["1", node[0], node[1]],
            "conformance" => &["a"],
            "compare" => &["a", "b"],
            _ => &[],
        };
        let arguments = [&[command, flag, value], more].concat();
        let output = bounded(root.path(), &arguments, Stdio::null());
        assert_named(&output, &[flag, why]);
        let said = stderr(&output);
        for rust in ["non-zero type", "target type", "digit found", "float literal", "empty string"]
        {
            assert!(!said.contains(rust), "{said}");
        }
    }
}

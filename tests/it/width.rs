//! Every command keeps to the width of the terminal, and cuts no word.

use crate::support::{assert_code, cached_sample, command, stdout};
use std::{collections::BTreeSet, path::Path};

const WIDTHS: [&str; 4] = ["60", "80", "100", "140"];

/// The output of a command at a width.
fn output(folder: &Path, arguments: &[&str], width: &str) -> String {
    let mut command = command(folder, arguments);
    let output = command.env("COLUMNS", width).current_dir(folder).output();
    let output = output.expect("the command starts");
    assert!(output.status.code().is_some_and(|code| code <= 2), "{arguments:?}: {output:?}");
    stdout(&output)
}

/// Words of letters. Figures differ from run to run.
fn words(text: &str) -> BTreeSet<String> {
    let split = text.split(|char: char| char.is_whitespace() || char == ',');
    let is_word = |word: &&str| {
        word.len() > 3 && word.chars().all(|char| char.is_ascii_alphabetic() || char == '-')
    };
    split.filter(is_word).map(str::to_owned).collect()
}

#[track_caller]
fn assert_lines_fit(text: &str, arguments: &[&str], width: &str) {
    let most: usize = width.parse().expect("a number");
    for line in text.lines() {
        // A path, a hash or a URL is one word.
        let is_one_word = line.split_whitespace().count() <= 1;
        let length = line.chars().count();
        assert!(length <= most || is_one_word, "{arguments:?} at {width}: {length}: {line}");
    }
}

/// Measured results differ from run to run in their words, too. The unit tests of the table compare those.
#[track_caller]
fn assert_measured_fits(folder: &Path, arguments: &[&str]) {
    for width in WIDTHS {
        assert_lines_fit(&output(folder, arguments, width), arguments, width);
    }
}

#[track_caller]
fn assert_fits(folder: &Path, arguments: &[&str]) {
    let known = words(&output(folder, arguments, "200"));
    for width in WIDTHS {
        let text = output(folder, arguments, width);
        assert_lines_fit(&text, arguments, width);
        let narrow = ["executor", "fastest"].map(str::to_owned);
        let unknown: Vec<_> = words(&text)
            .into_iter()
            .filter(|word| !known.contains(word) && !narrow.contains(word))
            .collect();
        assert!(unknown.is_empty(), "{arguments:?} at {width}: {unknown:?} in:\n{text}");
    }
}

#[test]
fn results_fit_the_width() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let folder = folder.path();
    cached_sample(folder, 2);
    let few = ["--iterations", "1", "--warmup", "0"];
    for name in ["a.json", "b.json"] {
        let replay = ["replay", "--threads", "2", "--json", name];
        let mut command = command(folder, &[&replay[..], &few].concat());
        assert_code(&command.current_dir(folder).output().expect("the command starts"), 0);
    }
    let all = ["--executors", "all", "--threads", "1,2"];
    for arguments in [
        &["replay"][..],
        &["replay", "-q"],
        &["replay", "-v", "--self-check"],
        &[&["replay"], &all[..]].concat(),
    ] {
        assert_measured_fits(folder, &[arguments, &few].concat());
    }
    assert_measured_fits(folder, &["analyze", "--iterations", "1"]);
    assert_measured_fits(folder, &["trace", "5", "--threads", "2", "-o", "trace.json"]);
    for arguments in [
        &["verify"][..],
        &["compare", "a.json", "b.json"],
        &["cache", "list"],
        &["cache", "check"],
        &["columns"],
    ] {
        assert_fits(folder, arguments);
    }
}

#[test]
fn help_fits_the_width() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    for command in [
        "fetch",
        "replay",
        "analyze",
        "trace",
        "compare",
        "verify",
        "conformance",
        "cache",
        "rpc-check",
        "completions",
        "man",
        "columns",
    ] {
        assert_fits(folder.path(), &["help", command]);
        assert_fits(folder.path(), &[command, "-h"]);
    }
    assert_fits(folder.path(), &["--help"]);
}

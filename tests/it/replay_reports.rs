//! Output of `replay` over the built-in sample: files in every format, `compare` over them, and the results
//! that remain after an interrupt.

#![cfg(unix)]

use crate::support::{assert_code, blockrace, cached_sample, start, stderr, stdout};
use serde_json::{Value, json};
use std::{
    fs,
    io::{BufRead, BufReader, Read},
    num::NonZeroUsize,
    path::{Path, PathBuf},
    process::Command,
    thread,
};

const FEW: [&str; 10] = [
    "replay",
    "sample",
    "--executors",
    "block-stm",
    "--threads",
    "2",
    "--iterations",
    "2",
    "--warmup",
    "0",
];

/// Number of blocks in the built-in sample.
const BLOCKS: usize = 24;

fn file(folder: &Path, name: &str) -> PathBuf {
    folder.join(name)
}

fn json_of(path: &Path) -> Value {
    let text = fs::read_to_string(path).expect("the file is there");
    serde_json::from_str(&text).expect("it is JSON")
}

#[track_caller]
fn assert_obeys_the_schema(document: &Value) {
    let schema = include_str!("../../data/replay.schema.json");
    let schema = serde_json::from_str(schema).expect("the schema is JSON");
    let validator = jsonschema::validator_for(&schema).expect("it is a schema");
    let errors: Vec<_> = validator.iter_errors(document).map(|error| error.to_string()).collect();
    assert!(errors.is_empty(), "{}", errors.join("\n"));
}

/// Runs `compare` over two files with these further arguments.
fn compare(folder: &Path, base: &str, new: &str, more: &[&str]) -> std::process::Output {
    let paths = [base, new].map(|name| file(folder, name).display().to_string());
    let arguments = [&["compare", &paths[0], &paths[1]], more].concat();
    blockrace(folder, &arguments)
}

/// Copies the run of a file with the contender's times multiplied.
fn slowed(folder: &Path, base: &str, new: &str, factor: f64) {
    let mut document = json_of(&file(folder, base));
    for sample in document["samples"].as_array_mut().expect("there are samples") {
        if sample["executor"] == "block-stm" {
            let time = sample["execute_ns"].as_f64().expect("a time");
            sample["execute_ns"] = json!((time * factor).round() as u64);
        }
    }
    fs::write(file(folder, new), document.to_string()).expect("it is writable");
}

#[test]
fn a_replay_writes_every_format_and_compare_reads_its_json() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let names = ["r.csv", "r.json", "r.md", "r.html"];
    let paths = names.map(|name| file(folder.path(), name).display().to_string());
    let options = ["--csv", "--json", "--markdown", "--html"];
    let files: Vec<_> =
        options.iter().zip(&paths).flat_map(|(option, path)| [*option, path.as_str()]).collect();
    let output = blockrace(folder.path(), &[&FEW[..], &["--self-check"], &files].concat());
    assert_code(&output, 0);
    let said = stdout(&output);
    assert!(said.contains("noise floor"), "{said}");
    assert!(said.contains("24 blocks, 48 rows: all match chain 31337"), "{said}");
    assert!(said.lines().all(|line| line.chars().count() <= 200), "{said}");
    assert!(!said.contains('\u{1b}'), "no colours without a terminal");

    let document = json_of(&file(folder.path(), "r.json"));
    assert_obeys_the_schema(&document);
    let count = |field: &str| document[field].as_array().map(Vec::len);
    assert_eq!(count("results"), Some(2 * BLOCKS));
    assert_eq!(count("samples"), Some(4 * BLOCKS));
    let cores = thread::available_parallelism().map_or(1, NonZeroUsize::get);
    // The baseline is measured once more. With at least two cores, two copies of it also run at once.
    assert_eq!(count("self_checks"), Some(cores.min(2) * BLOCKS));
    assert_eq!(said.contains("effective cores"), cores >= 2, "{said}");
    assert_eq!(count("preparation"), Some(BLOCKS));
    let text = |name: &str| fs::read_to_string(file(folder.path(), name)).expect("it is there");
    assert_eq!(text("r.csv").lines().count(), 2 * BLOCKS + 1);
    assert!(text("r.md").contains("| block-stm | 2 | 24 of 24 |"), "{}", text("r.md"));
    let page = text("r.html");
    assert_eq!(page.matches("<details class=\"block\"").count(), BLOCKS);
    assert!(page.len() < 3_000_000, "{} bytes", page.len());
    compared(folder.path());
}

/// A threshold far above the noise of a few iterations.
const WIDE: [&str; 2] = ["--threshold", "900"];

/// Compares the run with itself, with slower runs and with incompatible ones.
fn compared(folder: &Path) {
    let itself = compare(folder, "r.json", "./r.json", &[]);
    assert_code(&itself, 2);
    assert!(stderr(&itself).contains("r.json is given twice"), "{}", stderr(&itself));
    fs::copy(file(folder, "r.json"), file(folder, "same.json")).expect("it is writable");
    // Two iterations may give a wide noise floor, so the threshold is far above it.
    let same = compare(folder, "r.json", "same.json", &WIDE);
    assert_code(&same, 0);
    assert!(stdout(&same).contains("no regression"), "{}", stdout(&same));
    assert!(stdout(&same).contains("warning: base run: "), "{}", stdout(&same));

    slowed(folder, "r.json", "slow.json", 20.0);
    let slower = compare(folder, "r.json", "slow.json", &["--threshold", "5"]);
    assert_code(&slower, 1);
    assert!(stdout(&slower).contains("REGRESSION: block-stm on 2 threads"), "{}", stdout(&slower));
    let faster = compare(folder, "slow.json", "r.json", &[]);
    assert_code(&faster, 0);

    let mut other = json_of(&file(folder, "r.json"));
    other["machine"]["logical_cpus"] = json!(4_096);
    fs::write(file(folder, "other.json"), other.to_string()).expect("it is writable");
    let refused = compare(folder, "r.json", "other.json", &[]);
    assert_code(&refused, 2);
    assert!(stderr(&refused).contains("in the second run"), "{}", stderr(&refused));
    assert!(stderr(&refused).contains("--ignore machine"), "{}", stderr(&refused));
    assert_code(
        &compare(folder, "r.json", "other.json", &[&WIDE[..], &["--ignore", "machine"]].concat()),
        0,
    );

    let mut wrong = json_of(&file(folder, "r.json"));
    let row = wrong["results"].as_array_mut().and_then(|rows| rows.last_mut()).expect("a row");
    row["verdict"] = json!("mismatch");
    fs::write(file(folder, "wrong.json"), wrong.to_string()).expect("it is writable");
    let worse = compare(folder, "r.json", "wrong.json", &[]);
    assert_code(&worse, 1);
    assert!(
        stdout(&worse).ends_with("WRONG: rows of the new run that do not match: 1\n"),
        "{}",
        stdout(&worse)
    );
    assert_code(&compare(folder, "wrong.json", "r.json", &WIDE), 0);
    compared_with_damaged_runs(folder);
    compared_with_chosen_exit_codes(folder);
    let third = file(folder, "r.json").display().to_string();
    assert_code(&compare(folder, "r.json", "r.json", &[&third]), 2);

    let no_run = compare(folder, "r.json", "r.csv", &[]);
    assert_code(&no_run, 2);
    assert!(stderr(&no_run).contains("r.csv"), "{}", stderr(&no_run));
}

/// Compares the run with one that lacks a row, and with one that has a negative time.
fn compared_with_damaged_runs(folder: &Path) {
    let mut less = json_of(&file(folder, "r.json"));
    let lost = less["results"].as_array_mut().and_then(Vec::pop).expect("a row");
    let is_lost = |sample: &Value| {
        ["block_number", "executor", "threads"].iter().all(|field| sample[field] == lost[field])
    };
    let samples = less["samples"].as_array_mut().expect("there are samples");
    samples.retain(|sample| !is_lost(sample));
    fs::write(file(folder, "less.json"), less.to_string()).expect("it is writable");
    let incomplete = compare(folder, "r.json", "less.json", &[]);
    assert_code(&incomplete, 2);
    let said = stdout(&incomplete);
    let named = format!("missing in the new run: block {}, block-stm on", lost["block_number"]);
    assert!(said.contains(&named) && said.contains("cannot tell"), "{said}");
    assert!(!said.contains("no regression"), "{said}");

    let mut negative = json_of(&file(folder, "r.json"));
    negative["samples"][0]["execute_ns"] = json!(-5);
    fs::write(file(folder, "negative.json"), negative.to_string()).expect("it is writable");
    let refused = compare(folder, "r.json", "negative.json", &[]);
    assert_code(&refused, 2);
    assert!(stderr(&refused).contains("times must be positive"), "{}", stderr(&refused));
}

/// Each answer has an exit code of the user's choice, and the result files contain the answer.
fn compared_with_chosen_exit_codes(folder: &Path) {
    let codes = ["--exit-code", "regressed=7,not-regressed=8,cannot-tell=9"];
    let [page, text] = ["c.html", "c.md"].map(|name| file(folder, name).display().to_string());
    let files = ["--html", &page, "--markdown", &text];
    let compared = |new: &str, more: &[&str]| {
        compare(folder, "r.json", new, &[&codes[..], &files, more].concat())
    };
    assert_code(&compared("slow.json", &[]), 7);
    let written = [&page, &text].map(|path| fs::read_to_string(path).expect("it is there"));
    assert!(written.iter().all(|text| text.contains("REGRESSION")), "{}", written[1]);
    assert_code(&compared("same.json", &WIDE), 8);
    assert_code(&compared("less.json", &WIDE), 9);
    assert_code(&compared("wrong.json", &WIDE), 1);
    let refused = compare(folder, "r.json", "same.json", &["--exit-code", "better=1"]);
    assert_code(&refused, 2);
    assert!(stderr(&refused).contains("cannot-tell"), "{}", stderr(&refused));
}

#[test]
fn a_run_is_compared_with_a_baseline_by_name() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    cached_sample(folder.path(), 2);
    let new = file(folder.path(), "new.json").display().to_string();
    let unknown = blockrace(folder.path(), &["compare", "--baseline", "main", &new]);
    assert_code(&unknown, 2);
    assert!(stderr(&unknown).contains("--save-baseline main"), "{}", stderr(&unknown));
    let cached = [&["replay"], &FEW[2..]].concat();
    let saved = blockrace(folder.path(), &[&cached[..], &["--save-baseline", "main"]].concat());
    assert_code(&saved, 0);
    assert_obeys_the_schema(&json_of(&folder.path().join("baselines/main.json")));
    assert_code(&blockrace(folder.path(), &[&cached[..], &["--json", &new]].concat()), 0);
    let compared = blockrace(folder.path(), &["compare", "--baseline", "main", &new]);
    // Two blocks with two iterations have no interval.
    assert_code(&compared, 2);
    assert!(stdout(&compared).contains("cannot tell: "), "{}", stdout(&compared));
    let other = blockrace(folder.path(), &["compare", "--baseline", "other", &new]);
    assert!(stderr(&other).contains("there are: main"), "{}", stderr(&other));
    let both = blockrace(folder.path(), &["compare", "--baseline", "main", &new, &new]);
    assert_code(&both, 2);
}

#[test]
fn an_incomplete_run_replaces_no_baseline() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let [number] = cached_sample(folder.path(), 1)[..] else { panic!("there is one") };
    let blocks = format!("{number},99999999");
    let mut arguments = vec!["replay", &blocks];
    arguments.extend(&FEW[2..]);
    arguments.extend(["--save-baseline", "main"]);
    let output = blockrace(folder.path(), &arguments);
    assert_code(&output, 2);
    assert!(stderr(&output).contains("the baseline is not saved"), "{}", stderr(&output));
    assert!(!folder.path().join("baselines/main.json").exists());
}

#[test]
fn quiet_prints_only_totals_and_forced_colour_is_kept() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let short = [&FEW[..6], &["--iterations", "1", "--warmup", "0"]].concat();
    let output =
        blockrace(folder.path(), &[&short[..], &["-q", "--pin", "--color", "always"]].concat());
    assert_code(&output, 0);
    let said = stdout(&output);
    assert!(!said.contains("geometric mean"), "{said}");
    assert!(said.contains("\u{1b}["), "{said:?}");
    assert!(said.contains("do not quote: ") && said.contains("too few for 95 %"), "{said}");
    assert!(said.contains("noise floor: not measured"), "{said}");
    assert!(said.contains("all match chain 31337"), "{said}");
    assert!(said.lines().count() < 15, "{said}");
}

#[test]
fn ctrl_c_ends_a_replay_with_a_report_of_finished_rows() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let json = file(folder.path(), "r.json");
    let path = json.display().to_string();
    let many = ["--iterations", "5", "--warmup", "0", "-v", "--json", &path];
    let mut child = start(folder.path(), &[&FEW[..6], &many].concat());
    // The note on the first block appears when the block is done.
    let mut errors = BufReader::new(child.stderr.take().expect("it is piped"));
    let mut line = String::new();
    while !line.starts_with("block ") {
        line.clear();
        assert!(errors.read_line(&mut line).expect("it is text") > 0, "it ended too early");
    }
    let sent = Command::new("kill").args(["-INT", &child.id().to_string()]).status();
    assert!(sent.expect("kill runs").success(), "the process is there");
    let mut rest = String::new();
    errors.read_to_string(&mut rest).expect("it is text");
    let output = child.wait_with_output().expect("the test owns it");
    assert_code(&output, 130);
    assert!(stdout(&output).contains("interrupted: "), "{}", stdout(&output));
    let document = json_of(&json);
    assert_obeys_the_schema(&document);
    let rows = document["results"].as_array().map_or(0, Vec::len);
    assert!((2..2 * BLOCKS).contains(&rows), "{rows} rows");
    assert_eq!(document["warnings"][0]["kind"], "interrupted");
}

#[test]
fn files_are_written_even_if_standard_output_is_closed() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let json = file(folder.path(), "r.json");
    let path = json.display().to_string();
    let mut child = start(folder.path(), &[&FEW[..], &["--json", &path]].concat());
    drop(child.stdout.take().expect("it is piped"));
    let output = child.wait_with_output().expect("the test owns it");
    assert_code(&output, 0);
    assert!(!stderr(&output).contains("error"), "{}", stderr(&output));
    assert_obeys_the_schema(&json_of(&json));
}

#[test]
fn no_file_is_written_if_no_block_could_be_run() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    cached_sample(folder.path(), 1);
    let [kept, new] = ["kept.json", "new.json"].map(|name| file(folder.path(), name));
    fs::write(&kept, "an earlier run").expect("it is writable");
    for command in ["replay", "analyze"] {
        for (json, expected) in [(&kept, Some("an earlier run")), (&new, None)] {
            let path = json.display().to_string();
            let output = blockrace(folder.path(), &[command, "99999999", "--json", &path]);
            assert_code(&output, 2);
            assert!(stdout(&output).contains("block 99999999: it is not cached"), "{command}");
            assert_eq!(fs::read_to_string(json).ok().as_deref(), expected, "{command}");
        }
    }
}

#[test]
fn an_existing_file_is_kept_until_a_result_replaces_it() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let kept = file(folder.path(), "kept.json");
    fs::write(&kept, "an earlier run").expect("it is writable");
    let path = kept.display().to_string();
    let unknown = [&["replay", "99999999"][..], &["--json", &path]].concat();
    assert_code(&blockrace(folder.path(), &unknown), 2);
    assert_eq!(fs::read_to_string(&kept).expect("it is there"), "an earlier run");
    let twice = [&FEW[..], &["--json", &path, "--csv", &path]].concat();
    let refused = blockrace(folder.path(), &twice);
    assert_code(&refused, 2);
    assert!(stderr(&refused).contains("cannot hold two results"), "{}", stderr(&refused));
    fs::write(&kept, "x".repeat(1 << 24)).expect("it is writable");
    assert_code(&blockrace(folder.path(), &[&FEW[..], &["--json", &path]].concat()), 0);
    assert_obeys_the_schema(&json_of(&kept));
}

#[test]
fn speedups_are_relative_to_the_chosen_baseline() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let path = file(folder.path(), "tuned.json");
    let path = path.to_str().expect("a temporary path is text");
    let executors = ["replay", "sample:10", "--executors", "all", "--baseline", "sequential-tuned"];
    let rest = ["--threads", "2", "--iterations", "2", "--warmup", "0", "--self-check"];
    let output = blockrace(folder.path(), &[&executors[..], &rest, &["--json", path]].concat());
    assert_code(&output, 0);

    let document = json_of(Path::new(path));
    assert_obeys_the_schema(&document);
    assert_eq!(document["settings"]["baseline"], "sequential-tuned");
    let command = document["settings"]["command"].as_str().expect("a command");
    assert!(command.contains("--baseline sequential-tuned"), "{command}");
    let rows = document["results"].as_array().expect("there are rows");
    assert_eq!(rows[0]["executor"], "sequential-tuned");
    for row in rows {
        let is_baseline = row["executor"] == "sequential-tuned";
        assert_eq!(row["speedup_ci_low"].is_null(), is_baseline, "{row}");
        let is_on_one_thread = is_baseline || row["executor"] == "sequential";
        assert_eq!(row["threads"], if is_on_one_thread { 1 } else { 2 }, "{row}");
    }
    assert!(rows.iter().any(|row| row["executor"] == "sequential"), "sequential is a contender");
}

#[test]
fn a_root_beside_the_execution_is_measured_as_one_time() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let path = file(folder.path(), "beside.json");
    let path = path.to_str().expect("a temporary path is text");
    let arguments = ["replay", "sample:10", "--executors", "block-stm,bal", "--threads", "1,2"];
    let rest = ["--iterations", "3", "--warmup", "0", "--json", path];
    let output = blockrace(folder.path(), &[&arguments[..], &rest].concat());
    assert_code(&output, 0);

    // `block-stm` needs a core for each thread.
    let cores = thread::available_parallelism().map_or(1, NonZeroUsize::get) as u64;
    let is_beside = |row: &Value| match row["executor"].as_str() {
        Some("block-stm") => (2..=cores).contains(&row["threads"].as_u64().unwrap_or(0)),
        executor => executor == Some("bal"),
    };
    let document = json_of(Path::new(path));
    for sample in document["samples"].as_array().expect("there are samples") {
        assert_eq!(sample["whole_ns"].is_u64(), is_beside(sample), "{sample}");
    }
    for row in document["results"].as_array().expect("there are rows") {
        assert_eq!(row["total_speedup_in_turn"].is_f64(), is_beside(row), "{row}");
        assert_eq!(
            row["early_slots"].is_u64(),
            is_beside(row) && row["executor"] != "bal",
            "{row}"
        );
        let [execute, root, total] = ["execute_ns_median", "root_ns_median", "total_ns_median"]
            .map(|column| row[column].as_u64().expect("a time"));
        assert!(total > 0 && execute > 0 && root > 0, "{row}");
    }
}

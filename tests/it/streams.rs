//! Standard output and standard error that are closed or full, result files, and `-` for the standard streams.

#![cfg(unix)]

use crate::support::{
    self, RecordedNode, assert_code, blockrace, cached_sample, command, fetched, recordings,
    stderr, stdout,
};
use blockrace::cache::Cache;
use serde_json::Value;
use std::{
    collections::BTreeSet,
    fs::{self, File},
    io,
    os::unix::fs::FileTypeExt as _,
    path::Path,
    process::{Command, Stdio},
    thread,
};

/// The write end of a pipe without a reader.
fn closed() -> Stdio {
    let (_, writer) = io::pipe().expect("pipes are available");
    writer.into()
}

/// A device that is always full.
fn full() -> Stdio {
    File::options().write(true).open("/dev/full").expect("the system has it").into()
}

/// Races one block once.
const RACE: [&str; 7] =
    ["replay", "--iterations", "1", "--warmup", "0", "--executors", "sequential"];

fn text(path: &Path) -> String {
    path.to_str().expect("temporary paths are text").to_owned()
}

/// A command line, its exit code, and whether it prints on standard output.
struct Case {
    arguments: Vec<String>,
    code: i32,
    prints: bool,
}

fn case(arguments: &[&str], code: i32, prints: bool) -> Case {
    let arguments = arguments.iter().map(|word| (*word).to_owned()).collect();
    Case { arguments, code, prints }
}

/// Every subcommand over a cache of one block, with small work.
fn cases(folder: &Path, number: &str, node: Option<&RecordedNode>) -> Vec<Case> {
    let [run, copy, archive, timeline, tests] =
        ["run.json", "copy.json", "blocks.tar", "timeline.json", "tests.json"]
            .map(|name| text(&folder.join(name)));
    let cache = folder.join("cache");
    assert_code(&blockrace(&cache, &[&RACE[..], &["--json", &run]].concat()), 0);
    fs::copy(&run, &copy).expect("the folder is writable");
    assert_code(&blockrace(&cache, &["cache", "export", "-o", &archive]), 0);
    fs::write(&tests, r#"{"a": {}}"#).expect("the folder is writable");
    let output = text(&folder.join("output"));
    assert_code(&blockrace(&cache, &["verify", "--output", &output]), 0);
    let mut cases = vec![
        case(&RACE, 0, true),
        case(&["analyze", "--iterations", "1"], 0, true),
        case(&["trace", number, "--threads", "1", "-o", &timeline], 0, true),
        // One sample per row is too little to tell.
        case(&["compare", &run, &copy, "--by", "time"], 2, true),
        case(&["merge", &run], 0, true),
        case(&["status", &output], 0, true),
        case(&["submit", "slurm", "--dry-run", "verify", "--output", &output], 0, true),
        case(&["verify"], 0, true),
        case(&["conformance", &tests, "--threads", "1"], 2, true),
        case(&["cache", "list"], 0, true),
        case(&["cache", "check"], 0, true),
        case(&["cache", "remove", "--leftovers"], 0, true),
        case(&["cache", "export", "-o", &archive], 0, true),
        case(&["cache", "import", &archive], 0, true),
        case(&["columns"], 0, true),
        case(&["completions", "bash"], 0, true),
        case(&["man", &text(&folder.join("man"))], 0, true),
        case(&["--help"], 0, true),
        case(&["replay", "--help"], 0, true),
        case(&["--version"], 0, true),
        case(&["verify", "--no-such-flag"], 2, false),
        case(&["verify", "1-1000000000000"], 2, true),
    ];
    match node {
        Some(node) => cases.extend([
            case(
                &[
                    "fetch",
                    &format!("@{}", text(&node.list)),
                    "--rpc-url",
                    &node.url,
                    "--overwrite",
                ],
                0,
                true,
            ),
            case(&["rpc-check", "--rpc-url", &node.url], 0, true),
        ]),
        None => cases.extend([
            case(
                &["fetch", "1", "--rpc-url", "http://127.0.0.1:9", "--max-retries", "0"],
                75,
                false,
            ),
            case(
                &["rpc-check", "--rpc-url", "http://127.0.0.1:9", "--max-retries", "0"],
                75,
                false,
            ),
        ]),
    }
    cases
}

/// The subcommands that the help lists, as `cache list` or `verify`.
fn subcommands(cache: &Path, parent: &[&str]) -> BTreeSet<String> {
    let help = stdout(&blockrace(cache, &[parent, &["--help"]].concat()));
    let listed = help.split("Commands:\n").nth(1).expect("it has subcommands");
    let names = listed.lines().take_while(|line| !line.is_empty());
    let names = names.filter(|line| line.starts_with("  ") && !line.starts_with("   "));
    let names = names.filter_map(|line| line.split_whitespace().next());
    names.map(|name| [parent, &[name]].concat().join(" ")).collect()
}

#[test]
fn no_subcommand_panics_if_a_stream_is_closed_or_full() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let cache = folder.path().join("cache");
    let number = cached_sample(&cache, 1)[0].to_string();
    let node = recordings().map(|recordings| RecordedNode::serve(&recordings, "hoodi", &[]));
    let cases = cases(folder.path(), &number, node.as_ref());

    let mut all = subcommands(&cache, &[]);
    all.remove("cache");
    all.extend(subcommands(&cache, &["cache"]));
    // `help` takes no other argument and prints the same text as `--help`.
    all.retain(|name| !name.ends_with("help"));
    let covered = |name: &str| cases.iter().any(|case| case.arguments.join(" ").starts_with(name));
    let missed: Vec<_> = all.iter().filter(|name| !covered(name)).collect();
    assert!(missed.is_empty(), "no case for {missed:?}");

    for Case { arguments, code, prints } in &cases {
        let words: Vec<_> = arguments.iter().map(String::as_str).collect();
        let when_full = if *prints { 2 } else { *code };
        let streams: [(&str, Stdio, Stdio, i32); 5] = [
            ("closed output", closed(), Stdio::piped(), *code),
            ("full output", full(), Stdio::piped(), when_full),
            ("closed errors", Stdio::piped(), closed(), *code),
            ("full errors", Stdio::piped(), full(), *code),
            ("both full", full(), full(), when_full),
        ];
        for (what, out, err, code) in streams {
            let mut command = command(&cache, &words);
            let output = command.stdout(out).stderr(err).output().expect("the command starts");
            let said = stderr(&output);
            assert!(!said.contains("panicked"), "{words:?}, {what}: {said}");
            assert_eq!(output.status.code(), Some(code), "{words:?}, {what}: {said}");
            if what == "full output" && *prints {
                assert!(said.contains("standard output"), "{words:?}: {said}");
                assert!(said.contains("No space left"), "{words:?}: {said}");
            }
        }
    }
}

#[test]
fn a_fetch_without_a_terminal_stores_every_block() {
    let Some(recordings) = recordings() else { return };
    let node = RecordedNode::serve(&recordings, "mainnet", &[]);
    let cache = tempfile::tempdir().expect("a temporary folder");
    let list = format!("@{}", node.list.display());
    let mut fetch = command(cache.path(), &["fetch", "-v", &list, "--rpc-url", &node.url]);
    let output = fetch.stdout(closed()).stderr(closed()).output().expect("the command starts");
    assert_code(&output, 0);
    let stored = Cache::new(cache.path()).list(1).expect("the cache is readable");
    assert_eq!(stored.len(), node.numbers.len());
}

#[test]
fn result_files_are_written_whatever_the_terminal_does() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let cache = folder.path().join("cache");
    cached_sample(&cache, 1);
    let path = folder.path().join("run.json");
    for (out, err, code) in [(closed(), closed(), 0), (full(), full(), 2)] {
        let mut race = command(&cache, &[&RACE[..], &["-v", "--json", &text(&path)]].concat());
        let output = race.stdout(out).stderr(err).output();
        assert_code(&output.expect("the command starts"), code);
        let document: Value =
            serde_json::from_slice(&fs::read(&path).expect("it is there")).expect("it is whole");
        assert!(document["samples"].as_array().is_some_and(|samples| !samples.is_empty()));
        fs::remove_file(&path).expect("the test owns it");
    }
}

#[test]
fn a_full_disk_leaves_the_older_result() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let cache = folder.path().join("cache");
    cached_sample(&cache, 1);
    for (name, arguments) in [
        ("run.json", [&RACE[..], &["--json"]].concat()),
        ("blocks.tar", vec!["cache", "export", "-o"]),
    ] {
        let path = folder.path().join(name);
        fs::write(&path, "older").expect("the folder is writable");
        let race = command(&cache, &[&arguments[..], &[&text(&path)]].concat());
        // Files of this process cannot grow past one kilobyte.
        let mut limited = Command::new("bash");
        limited.args(["-c", "trap '' XFSZ; ulimit -f 1; exec \"$@\"", "bash"]);
        limited.arg(race.get_program()).args(race.get_args());
        let output = limited.output().expect("bash runs");
        assert_code(&output, 2);
        assert!(stderr(&output).contains(name), "{}", stderr(&output));
        assert_eq!(fs::read(&path).expect("it is there"), b"older");
        let left = fs::read_dir(folder.path()).expect("a folder").flatten();
        let names: Vec<_> = left.map(|entry| entry.file_name()).collect();
        assert!(names.iter().all(|name| !name.to_string_lossy().ends_with(".tmp")), "{names:?}");
    }
}

#[test]
fn a_full_device_as_a_result_file_is_an_error() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    cached_sample(folder.path(), 1);
    let output = blockrace(folder.path(), &[&RACE[..], &["--json", "/dev/full"]].concat());
    assert_code(&output, 2);
    assert!(stderr(&output).contains("cannot write /dev/full"), "{}", stderr(&output));
    assert!(stdout(&output).contains("1 block"), "the table is printed: {}", stdout(&output));
}

#[test]
fn one_file_for_two_results_is_refused_before_the_race() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let [path, same] = ["a", "./a"].map(|name| text(&folder.path().join(name)));
    let arguments = ["replay", "--json", &path, "--html", &same];
    let output = blockrace(folder.path(), &arguments);
    assert_code(&output, 2);
    assert!(stderr(&output).contains("cannot hold two results"), "{}", stderr(&output));
    assert!(!Path::new(&path).exists());
}

#[test]
fn a_dash_is_standard_output_and_the_table_goes_to_standard_error() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let cache = folder.path().join("cache");
    let number = cached_sample(&cache, 1)[0].to_string();
    for (arguments, said) in [
        ([&RACE[..], &["--json", "-"]].concat(), "1 block"),
        (vec!["analyze", "--iterations", "1", "--json", "-"], "block"),
        (vec!["trace", &number, "--threads", "1", "-o", "-"], "match"),
    ] {
        let output = blockrace(&cache, &arguments);
        assert_code(&output, 0);
        serde_json::from_slice::<Value>(&output.stdout).expect("only the result is there");
        assert!(stderr(&output).contains(said), "{}", stderr(&output));
    }

    let exported = blockrace(&cache, &["cache", "export", "-o", "-"]);
    assert_code(&exported, 0);
    let other = folder.path().join("other");
    let imported = piped(&other, &["cache", "import", "-"], exported.stdout);
    assert_code(&imported, 0);
    assert!(stdout(&imported).starts_with("1 of 1 block proved"), "{}", stdout(&imported));
}

#[test]
fn a_list_of_blocks_may_come_from_standard_input() {
    let cache = tempfile::tempdir().expect("a temporary folder");
    let numbers = cached_sample(cache.path(), 2);
    let list = format!("# one of two\n{}\n", numbers[1]);
    let output = piped(cache.path(), &["cache", "list", "@-"], list.into_bytes());
    assert_code(&output, 0);
    assert!(stdout(&output).contains("1 block in"), "{}", stdout(&output));
}

/// Runs the command with this standard input.
fn piped(cache: &Path, arguments: &[&str], input: Vec<u8>) -> std::process::Output {
    let mut command = command(cache, arguments);
    let piped = command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
    let mut child = piped.spawn().expect("the command starts");
    let mut stdin = child.stdin.take().expect("it is piped");
    let writer = thread::spawn(move || io::Write::write_all(&mut stdin, &input));
    let output = child.wait_with_output().expect("the test owns it");
    writer.join().expect("it does not panic").expect("all of the input is read");
    output
}

#[test]
fn a_fifo_behind_a_link_gets_the_archive_and_stays() {
    let Some(recordings) = recordings() else { return };
    let (cache, _) = fetched(&recordings, "hoodi");
    let folder = tempfile::tempdir().expect("a temporary folder");
    let [fifo, link] = ["fifo", "link"].map(|name| folder.path().join(name));
    support::make_fifo(&fifo);
    std::os::unix::fs::symlink("fifo", &link).expect("the folder is writable");
    for path in [&fifo, &link] {
        let from = fifo.clone();
        let reader = thread::spawn(move || fs::read(from).expect("the FIFO is readable"));
        let output = blockrace(cache.path(), &["cache", "export", "-o", &text(path)]);
        assert_code(&output, 0);
        assert!(reader.join().expect("it does not panic").len() > 10_000);
        let kind = |path: &Path| fs::symlink_metadata(path).expect("it stays").file_type();
        assert!(kind(&fifo).is_fifo() && kind(&link).is_symlink());
    }
}

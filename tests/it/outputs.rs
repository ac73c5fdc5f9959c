//! `--output` and `merge`: what is done stays, and parts become one result.

#![cfg(unix)]

use crate::support::{
    assert_code, blockrace, cached_sample, fetched, recordings, start, stderr, stdout,
};
use blockrace::session::{FolderContent, MergeSource};
use parquet::{
    file::reader::FileReader as _, file::reader::SerializedFileReader, record::RowAccessor as _,
};
use rand::{RngExt, SeedableRng, rngs::Xoshiro256PlusPlus};
use serde_json::Value;
use std::{
    fs,
    path::{Path, PathBuf},
    process::{Child, Command, Output},
    thread::sleep,
    time::{Duration, Instant},
};

pub(crate) fn text(path: &Path) -> String {
    path.display().to_string()
}

pub(crate) fn content(output: &Path) -> FolderContent {
    match MergeSource::read(output).expect("it is an output") {
        MergeSource::Blocks(content) => *content,
        MergeSource::Races(_) => panic!("{} has races", output.display()),
    }
}

/// Whether a column depends on measured times. `critical_path_gas` does, since a dependency counts from the share of
/// the transaction's time after which it reads.
fn is_measured(column: &str) -> bool {
    column.ends_with("_ns") || column == "critical_path_gas"
}

/// The rows of an output without measured columns.
pub(crate) fn rows(output: &Path) -> Vec<String> {
    let mut rows = Vec::new();
    for block in content(output).blocks {
        for (table, row) in
            block.tables.iter().flat_map(|(table, rows)| rows.iter().map(move |row| (table, row)))
        {
            let timeless = row.iter().filter(|(name, _)| !is_measured(name));
            let timeless = timeless.filter(|(_, value)| !value.is_f64());
            rows.push(format!("{} {table} {:?}", block.block_number, timeless.collect::<Vec<_>>()));
        }
    }
    rows
}

pub(crate) fn files(folder: &Path, extension: &str) -> Vec<PathBuf> {
    let mut found = Vec::new();
    for entry in fs::read_dir(folder).into_iter().flatten().flatten() {
        let path = entry.path();
        if path.is_dir() {
            found.extend(files(&path, extension));
        } else if path.extension().is_some_and(|there| there == extension) {
            found.push(path);
        }
    }
    found
}

/// Blocks that the journals of an output have.
pub(crate) fn journaled(output: &Path) -> usize {
    let journals = files(&output.join("journal"), "jsonl");
    journals.iter().map(|path| fs::read_to_string(path).unwrap_or_default().lines().count()).sum()
}

fn send(signal: &str, child: &Child) {
    let sent = Command::new("kill").args([signal, &child.id().to_string()]).status();
    assert!(sent.expect("kill runs").success(), "the process is there");
}

#[test]
fn a_finished_output_is_parquet_and_is_not_done_again() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let numbers = cached_sample(folder.path(), 6);
    let output = folder.path().join("out");
    let arguments = ["verify", "--output", &text(&output)];
    assert_code(&blockrace(folder.path(), &arguments), 0);
    assert_eq!(journaled(&output), 0);
    let chunks = files(&output.join("verdicts"), "parquet");
    assert_eq!(chunks.len(), 1);
    let reader = SerializedFileReader::new(fs::File::open(&chunks[0]).expect("it is there"));
    let reader = reader.expect("it is a Parquet file");
    let schema = reader.metadata().file_metadata().schema_descr().root_schema().clone();
    assert_eq!(schema.get_fields()[1].name(), "block_number");
    let found: Vec<_> = reader
        .into_iter()
        .map(|row| row.expect("it is readable").get_ulong(1).expect("it is a number"))
        .collect();
    assert_eq!(found, numbers);

    let again = blockrace(folder.path(), &arguments);
    assert_code(&again, 0);
    assert!(stderr(&again).contains("has the results of 6 of 6 blocks"), "{}", stderr(&again));
    assert!(stdout(&again).contains("0 of 0 blocks"), "{}", stdout(&again));
}

#[test]
fn other_settings_are_refused_by_name() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    cached_sample(folder.path(), 2);
    let output = text(&folder.path().join("out"));
    assert_code(&blockrace(folder.path(), &["verify", "--output", &output]), 0);
    for (arguments, named) in [
        (&["verify", "--executor", "block-stm"][..], "--executor sequential, not block-stm"),
        (&["verify", "1-9"], "blocks all cached, not 1-9"),
        (&["analyze"], "results of verify"),
    ] {
        let refused = blockrace(folder.path(), &[arguments, &["--output", &output]].concat());
        assert_code(&refused, 2);
        assert!(stderr(&refused).contains(named), "{}", stderr(&refused));
    }
    let foreign = tempfile::tempdir().expect("a temporary folder");
    fs::write(foreign.path().join("notes.txt"), "mine").expect("it is writable");
    let refused = blockrace(folder.path(), &["verify", "--output", &text(foreign.path())]);
    assert_code(&refused, 2);
    assert!(stderr(&refused).contains("notes.txt"), "{}", stderr(&refused));
}

#[test]
fn a_line_that_a_killed_process_left_half_is_done_again() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    cached_sample(folder.path(), 3);
    let whole = folder.path().join("whole");
    let output = folder.path().join("out");
    assert_code(&blockrace(folder.path(), &["verify", "--output", &text(&whole)]), 0);
    assert_code(&blockrace(folder.path(), &["verify", "--output", &text(&output)]), 0);
    let chunk = &files(&output.join("verdicts"), "parquet")[0];
    let chain = chunk.parent().and_then(Path::file_name).expect("the chain").to_owned();
    let name = chunk.with_extension("jsonl").file_name().expect("a name").to_owned();
    let journal = output.join("journal").join(chain).join(name);
    let first = serde_json::to_string(&content(&output).blocks[0]).expect("it is JSON");
    fs::remove_file(chunk).expect("it is there");
    fs::write(&journal, format!("{first}\n{}", &first[..first.len() / 2])).expect("it is writable");
    let again = blockrace(folder.path(), &["verify", "--output", &text(&output)]);
    assert_code(&again, 0);
    assert!(stderr(&again).contains("has the results of 1 of 3 blocks"), "{}", stderr(&again));
    assert_eq!(rows(&output), rows(&whole));
}

/// Waits until the journals have more than `least` blocks, or the process has ended.
fn wait_for_lines(output: &Path, least: usize, child: &mut Child) {
    let start = Instant::now();
    while journaled(output) <= least
        && child.try_wait().expect("the test owns it").is_none()
        && start.elapsed() < Duration::from_secs(60)
    {
        sleep(Duration::from_millis(2));
    }
}

#[test]
fn a_verification_killed_at_any_moment_equals_an_undisturbed_one() {
    let Some(recordings) = recordings() else { return };
    let (cache, numbers) = fetched(&recordings, "mainnet");
    cached_sample(cache.path(), 24);
    let folder = tempfile::tempdir().expect("a temporary folder");
    let [whole, output] = ["whole", "out"].map(|name| folder.path().join(name));
    let arguments = |output: &Path| ["verify".to_owned(), "--output".to_owned(), text(output)];
    let run = |output: &Path| {
        let arguments = arguments(output);
        blockrace(cache.path(), &arguments.each_ref().map(String::as_str))
    };
    assert_code(&run(&whole), 0);
    let mut rng = Xoshiro256PlusPlus::seed_from_u64(5);
    let mut kills = 0;
    for _ in 0..20 {
        let arguments = arguments(&output);
        let mut child = start(cache.path(), &arguments.each_ref().map(String::as_str));
        let before = journaled(&output);
        if rng.random_range(0..3) > 0 {
            wait_for_lines(&output, before, &mut child);
        }
        sleep(Duration::from_millis(rng.random_range(0..120)));
        kills += usize::from(child.try_wait().expect("the test owns it").is_none());
        child.kill().expect("the test owns it");
        child.wait().expect("the test owns it");
    }
    assert!(kills > 3, "the process was running at {kills} of 20 moments");
    let last = run(&output);
    assert_code(&last, 0);
    assert_eq!(rows(&output), rows(&whole));
    assert_eq!(rows(&output).len(), numbers.len() + 24);
    assert_eq!(journaled(&output), 0);
    let names = |output: &Path| {
        let files = files(output, "parquet").into_iter();
        files
            .map(|path| path.strip_prefix(output).expect("inside").to_owned())
            .collect::<std::collections::BTreeSet<_>>()
    };
    assert_eq!(names(&output), names(&whole));
}

#[test]
fn a_terminated_command_keeps_what_is_done_and_continues() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    cached_sample(folder.path(), 5);
    let analyze = ["analyze", "--iterations", "1", "--threads", "2"];
    for words in [&["verify"][..], &analyze, &RACE] {
        let command = words[0];
        let output = folder.path().join(command);
        let out = text(&output);
        let arguments = [words, &["--output", &out]].concat();
        let mut child = start(folder.path(), &arguments);
        wait_for_lines(&output, 0, &mut child);
        let is_running = child.try_wait().expect("the test owns it").is_none();
        if is_running {
            send("-TERM", &child);
        }
        let ended = child.wait_with_output().expect("the test owns it");
        if ended.status.code() == Some(0) {
            // It was done before the signal.
            continue;
        }
        assert_code(&ended, 143);
        let done = journaled(&output);
        assert!((1..5).contains(&done), "{command}: {done} blocks");
        let again = blockrace(folder.path(), &arguments);
        assert_code(&again, 0);
        let expected = format!("has the results of {done} of 5 blocks");
        assert!(stderr(&again).contains(&expected), "{command}: {}", stderr(&again));
        assert_eq!(journaled(&output), 0, "{command}");
    }
}

/// The result rows of a JSON document without times.
fn results(json: &Path) -> Vec<String> {
    let document: Value =
        serde_json::from_slice(&fs::read(json).expect("it was written")).expect("it is JSON");
    let rows = document["results"].as_array().expect("it has results").iter();
    let names =
        ["block_number", "block_hash", "executor", "threads", "verdict", "transactions", "mode"];
    rows.map(|row| names.map(|name| row[name].to_string()).join(" ")).collect()
}

const RACE: [&str; 9] =
    ["replay", "--executors", "block-stm", "--threads", "1", "--iterations", "2", "--warmup", "0"];

#[test]
fn merged_shards_are_the_rows_of_one_run() {
    let Some(recordings) = recordings() else { return };
    let (cache, _) = fetched(&recordings, "mainnet");
    let folder = tempfile::tempdir().expect("a temporary folder");
    let file = |name: &str| text(&folder.path().join(name));
    let blocks = "46147,4370000,19426587";
    let run = |more: &[&str]| {
        let output = blockrace(cache.path(), &[&RACE[..], &[blocks], more].concat());
        assert_code(&output, 0);
    };
    let out = file("out");
    run(&["--json", &file("whole.json")]);
    for shard in ["0/2", "1/2"] {
        let json = file(&shard.replace('/', "-"));
        run(&["--shard", shard, "--json", &json, "--output", &out]);
    }
    let merged = file("merged.json");
    let sources = [file("0-2"), file("1-2")];
    let merge = |sources: &[&str]| {
        let more = ["--json", &merged];
        blockrace(cache.path(), &[&["merge"], sources, &more].concat())
    };
    let whole = results(Path::new(&file("whole.json")));
    for sources in [vec![sources[0].as_str(), &sources[1]], vec![&out]] {
        let output = merge(&sources);
        assert_code(&output, 0);
        assert_eq!(results(Path::new(&merged)), whole);
    }

    let gap = merge(&[&sources[0]]);
    assert_code(&gap, 2);
    assert!(stderr(&gap).contains("no results of shard 1/2"), "{}", stderr(&gap));
    let twice = merge(&[&sources[0], &sources[1], &sources[0]]);
    assert_code(&twice, 0);
    assert!(stderr(&twice).contains("the first one counts"), "{}", stderr(&twice));
}

#[test]
fn merged_verdicts_and_analyses_have_their_tables() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    cached_sample(folder.path(), 3);
    let table = |output: &Output| {
        let lines = stdout(output);
        let words = |line: &str| line.split_whitespace().map(str::to_owned).collect::<Vec<_>>();
        lines.lines().map(words).collect::<Vec<_>>()
    };
    let analyze = ["analyze", "--iterations", "1", "--threads", "2,4"];
    for words in [&["verify"][..], &analyze] {
        let out = text(&folder.path().join(words[0]));
        let whole = blockrace(folder.path(), &[words, &["--output", &out]].concat());
        assert_code(&whole, 0);
        let merged = blockrace(folder.path(), &["merge", &out]);
        assert_code(&merged, 0);
        let (whole, merged) = (table(&whole), table(&merged));
        // Everything but the conclusion below the table is the same.
        let same = whole.iter().zip(&merged).take_while(|(one, other)| one == other).count();
        assert!(same >= 5, "{whole:#?}\n{merged:#?}");
        assert!(same + 1 >= whole.len(), "{whole:#?}\n{merged:#?}");
    }
}

/// A JSON document without its date, command and number of jobs, and a CSV file as it is.
fn comparable(path: &Path) -> Value {
    let written = fs::read_to_string(path).expect("it was written");
    let Ok(mut document) = serde_json::from_str::<Value>(&written) else { return written.into() };
    for (part, field) in [("provenance", "date"), ("settings", "command"), ("settings", "jobs")] {
        document[part][field] = Value::Null;
    }
    document
}

#[test]
fn merged_verdicts_and_analyses_have_the_files_of_one_run() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let numbers = cached_sample(folder.path(), 3);
    let file = |name: &str| text(&folder.path().join(name));
    let list = file("list.txt");
    let lines: String = numbers.iter().map(|number| format!("{number}\n")).collect();
    fs::write(&list, lines).expect("it is writable");
    let blocks = format!("@{list}");
    let analyze = ["analyze", "--iterations", "1", "--threads", "2,4"];
    for (words, forms) in [(&["verify"][..], &["json"][..]), (&analyze, &["json", "csv"])] {
        let out = file(words[0]);
        let flags = |side: &str| {
            let flag =
                |form: &&str| [format!("--{form}"), file(&format!("{}-{side}.{form}", words[0]))];
            forms.iter().flat_map(flag).collect::<Vec<_>>()
        };
        let run = |before: &[&str], flags: &[String]| {
            let flags: Vec<_> = flags.iter().map(String::as_str).collect();
            assert_code(&blockrace(folder.path(), &[before, &flags].concat()), 0);
        };
        run(&[words, &[&blocks, "--output", &out]].concat(), &flags("whole"));
        run(&["merge", &out], &flags("merged"));
        for form in forms {
            let path = |side| folder.path().join(format!("{}-{side}.{form}", words[0]));
            assert_eq!(comparable(&path("merged")), comparable(&path("whole")), "{words:?} {form}");
        }
        let refused = blockrace(folder.path(), &["merge", &out, "--markdown", &file("m.md")]);
        assert_code(&refused, 2);
    }
}

#[test]
fn gaps_of_a_list_in_a_file_are_named_and_a_changed_list_is_refused() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let numbers = cached_sample(folder.path(), 2);
    let (list, out) = (folder.path().join("list.txt"), text(&folder.path().join("out")));
    let missing = numbers[1] + 5_000;
    fs::write(&list, format!("{}\n{missing}\n", numbers[0])).expect("it is writable");
    let blocks = format!("@{}", text(&list));
    let verify = || blockrace(folder.path(), &["verify", &blocks, "--output", &out]);
    assert_code(&verify(), 2);
    fs::rename(&list, folder.path().join("other.txt")).expect("it is there");
    for command in ["merge", "status"] {
        let output = blockrace(folder.path(), &[command, &out]);
        assert_code(&output, 2);
        let said = format!("{}{}", stdout(&output), stderr(&output));
        assert!(said.contains(&missing.to_string()), "{command}: {said}");
    }
    fs::write(&list, format!("{}\n", numbers[0])).expect("it is writable");
    let changed = verify();
    assert_code(&changed, 2);
    assert!(stderr(&changed).contains("the list has changed"), "{}", stderr(&changed));
}

#[test]
fn results_of_two_builds_are_merged_with_a_warning() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let numbers = cached_sample(folder.path(), 2);
    let numbers: Vec<_> = numbers.iter().map(ToString::to_string).collect();
    let file = |name: &str| text(&folder.path().join(name));
    let (one, other) = (file("one.json"), file("other.json"));
    for (number, json) in numbers.iter().zip([&one, &other]) {
        let arguments = [&RACE[..], &[number.as_str(), "--json", json]].concat();
        assert_code(&blockrace(folder.path(), &arguments), 0);
    }
    let same = blockrace(folder.path(), &["merge", &one, &other]);
    assert!(!stderr(&same).contains("builds"), "{}", stderr(&same));
    let written = fs::read_to_string(&other).expect("it was written");
    let mut document: Value = serde_json::from_str(&written).expect("it is JSON");
    document["provenance"]["rustc"] = "rustc 9.99.0".into();
    fs::write(&other, document.to_string()).expect("it is writable");
    let both = blockrace(folder.path(), &["merge", &one, &other]);
    assert_code(&both, 0);
    assert!(stderr(&both).contains("the results are of 2 builds"), "{}", stderr(&both));
    assert!(stderr(&both).contains("rustc 9.99.0"), "{}", stderr(&both));
}

#[test]
fn results_of_two_machines_stay_apart() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    cached_sample(folder.path(), 2);
    let file = |name: &str| text(&folder.path().join(name));
    let (one, other) = (file("one.json"), file("other.json"));
    assert_code(&blockrace(folder.path(), &[&RACE[..], &["--json", &one]].concat()), 0);
    let written = fs::read_to_string(&one).expect("it was written");
    let mut document: Value = serde_json::from_str(&written).expect("it is JSON");
    document["machine"]["cpu_model"] = "another processor".into();
    fs::write(&other, document.to_string()).expect("it is writable");
    let both = blockrace(folder.path(), &["merge", &one, &other]);
    assert_code(&both, 0);
    assert_eq!(stdout(&both).matches("machine ").count(), 2, "{}", stdout(&both));
    let refused = blockrace(folder.path(), &["merge", &one, &other, "--csv", &file("r.csv")]);
    assert_code(&refused, 2);
    assert!(stderr(&refused).contains("--machine"), "{}", stderr(&refused));
}

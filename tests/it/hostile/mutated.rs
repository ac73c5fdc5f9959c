//! Valid input with random changes, through the whole binary: replies of a node, archives, cached files, tests and command
//! lines. A panic, an abort, a fault of memory, too much memory and too much time are failures.
//!
//! `BLOCKRACE_HOSTILE` sets the number of cases of each kind, and `BLOCKRACE_SEED` selects them.

use crate::support::{
    assert_code, blockrace,
    bytes::{NUMBERS, mutated},
    cached_sample, command,
    fake_node::{Reply, Request, fake_node},
    limited::limited,
    made_up::{MadeUp, NUMBER},
    stderr,
};
use blockrace::cache::Cache;
use rand::{RngExt, SeedableRng, rngs::StdRng};
use serde_json::json;
use std::{env, fs, path::Path, process::Output, sync::Mutex};

/// Cases of each kind without `BLOCKRACE_HOSTILE`.
const USUAL: u64 = 6;

/// Exit codes of a panic, an abort and a fault of memory, as shells count them.
const CRASHES: [i32; 3] = [101, 134, 139];

fn number(variable: &str, default: u64) -> u64 {
    let set = env::var(variable).ok();
    set.map_or(default, |text| text.parse().expect("the variable is a number"))
}

/// Calls `case` for each case with a generator of its own, so that one case can be repeated alone.
fn each_case(kind: &str, case: impl Fn(&mut StdRng)) {
    let first = number("BLOCKRACE_SEED", 31);
    for seed in first..first + number("BLOCKRACE_HOSTILE", USUAL) {
        // A failure shows it. BLOCKRACE_SEED with this number and BLOCKRACE_HOSTILE=1 repeat the case.
        eprintln!("{kind}: seed {seed}");
        case(&mut StdRng::seed_from_u64(seed));
    }
}

/// Runs the command within the limits. It may fail, and must not crash.
#[track_caller]
fn survives(cache: &Path, arguments: &[&str]) -> Output {
    let folder = cache.parent().expect("the cache is in a temporary folder");
    let output = limited(command(cache, arguments).current_dir(folder)).output;
    let code = output.status.code();
    let is_crash = code.is_none_or(|code| CRASHES.contains(&code));
    assert!(!is_crash, "{arguments:?}: {:?} {}", output.status, stderr(&output));
    output
}

/// Whatever the input was, each stored block matches its header.
#[track_caller]
fn stores_only_valid_blocks(cache: &Path) {
    assert_code(&blockrace(cache, &["cache", "check"]), 0);
}

fn text(path: &Path) -> String {
    path.to_str().expect("temporary paths are text").to_owned()
}

fn body(made_up: &MadeUp, request: &Request) -> String {
    let id = &request.body["id"];
    let envelope = match made_up.answer(request) {
        Reply::Result(result) => json!({"jsonrpc": "2.0", "id": id, "result": result}),
        Reply::Error(code, message) => {
            json!({"jsonrpc": "2.0", "id": id, "error": {"code": code, "message": message}})
        }
        Reply::Http(..) => unreachable!("a made-up block has only JSON"),
    };
    envelope.to_string()
}

#[test]
fn changed_replies_do_no_harm() {
    each_case("replies", |random| {
        let made_up = MadeUp::among(8);
        let seeded = Mutex::new(StdRng::seed_from_u64(random.random()));
        let url = fake_node(move |request| {
            let valid = body(&made_up, request).into_bytes();
            let mut random = seeded.lock().expect("no reply panics");
            let is_changed = random.random_bool(0.4);
            let sent = if is_changed { mutated(&valid, &mut random) } else { valid };
            Reply::Http(200, String::new(), sent)
        });
        let folder = tempfile::tempdir().expect("a temporary folder");
        let (cache, block) = (folder.path().join("cache"), NUMBER.to_string());
        let limits = ["--max-retries", "2", "--rpc-timeout", "3", "--concurrency", "1"];
        let arguments = ["fetch", &block, "--rpc-url", &url];
        survives(&cache, &[&arguments[..], &limits].concat());
        stores_only_valid_blocks(&cache);
    });
}

/// A cache with some blocks of the sample, exported with these flags.
fn exported(folder: &Path, flags: &[&str]) -> Vec<u8> {
    let (cache, file) = (folder.join("whole"), text(&folder.join("exported")));
    cached_sample(&cache, 3);
    let output = blockrace(&cache, &[&["cache", "export", "-o", &file][..], flags].concat());
    assert_code(&output, 0);
    fs::read(&file).expect("it was written")
}

#[test]
fn changed_archives_do_no_harm() {
    each_case("archives", |random| {
        let folder = tempfile::tempdir().expect("a temporary folder");
        let (file, cache) = (folder.path().join("changed.tar"), folder.path().join("cache"));
        let changed = mutated(&exported(folder.path(), &[]), random);
        fs::write(&file, changed).expect("the folder is writable");
        survives(&cache, &["cache", "import", &text(&file)]);
        stores_only_valid_blocks(&cache);
    });
}

#[test]
fn changed_tests_do_no_harm() {
    each_case("tests", |random| {
        let folder = tempfile::tempdir().expect("a temporary folder");
        let (file, cache) = (folder.path().join("changed.json"), folder.path().join("cache"));
        let changed = mutated(&exported(folder.path(), &["--format", "eest"]), random);
        fs::write(&file, changed).expect("the folder is writable");
        survives(&cache, &["cache", "import", &text(&file)]);
        stores_only_valid_blocks(&cache);
        survives(&cache, &["conformance", &text(&file)]);
    });
}

#[test]
fn changed_cached_files_do_no_harm() {
    each_case("cached files", |random| {
        let folder = tempfile::tempdir().expect("a temporary folder");
        let cache = folder.path().join("cache");
        cached_sample(&cache, 2);
        let (store, chain) = (Cache::new(&cache), 31337);
        let ids = store.list(chain).expect("the sample is of this chain");
        let file = store.path(ids.last().expect("there are two"));
        let changed = mutated(&fs::read(&file).expect("it is readable"), random);
        fs::write(&file, changed).expect("the folder is writable");
        for arguments in
            [&["cache", "list"][..], &["cache", "check"], &["verify", "--executor", "bal"]]
        {
            survives(&cache, arguments);
        }
    });
}

/// Valid command lines that end soon, whatever their numbers are.
const COMMAND_LINES: [&[&str]; 14] = [
    &["cache", "list", "1-300", "--json", "out.json"],
    &["cache", "check", "--jobs", "2"],
    &["cache", "export", "-o", "blocks.tar", "--chain", "31337"],
    &["cache", "remove", "1-2", "--chain", "31337"],
    &["cache", "import", "blocks.tar"],
    &["verify", "--executor", "block-stm", "--jobs", "2", "--sample", "2"],
    &["verify", "--shard", "1:3", "--top", "2", "--sort", "gas"],
    &["fetch", "5-7", "--rpc-url", "http:127.0.0.1:9", "--concurrency", "4", "--dry-run"],
    &["fetch", "latest", "--requests-per-second", "9", "--largest-answer", "64"],
    &["rpc-check", "--rpc-url", "http:127.0.0.1:9", "--rpc-header", "A: b"],
    &["compare", "one.json", "other.json", "--threshold", "5"],
    &["merge", "one", "other", "--json", "out.json"],
    &["trace", "3", "-o", "trace.json", "--threads", "2", "--execution-limit", "9"],
    &["completions", "bash"],
];

/// Characters that terminals, shells and parsers treat specially. A slash could lead out of the folder.
const ODD: [&str; 10] =
    ["\u{1b}[31m", "\n", "\u{202e}", "\u{200b}", "=", ",", "-", "_", "@", "\u{e9}"];

fn changed_line(random: &mut StdRng) -> Vec<String> {
    let line = COMMAND_LINES[random.random_range(0..COMMAND_LINES.len())];
    let mut words: Vec<_> = line.iter().map(ToString::to_string).collect();
    for _ in 0..random.random_range(1..4) {
        change_words(&mut words, random);
    }
    words
}

fn change_words(words: &mut Vec<String>, random: &mut StdRng) {
    let at = random.random_range(1..words.len());
    match random.random_range(0..6) {
        0 if words.len() > 2 => drop(words.remove(at)),
        1 => words.insert(at, words[at].clone()),
        2 => words[at] = NUMBERS[random.random_range(0..NUMBERS.len())].to_owned(),
        3 => words[at] = String::new(),
        4 if words[at].len() < 100 => words[at] = words[at].repeat(random.random_range(2..500)),
        _ => {
            let word = &mut words[at];
            let places: Vec<_> =
                word.char_indices().map(|(place, _)| place).chain([word.len()]).collect();
            let place = places[random.random_range(0..places.len())];
            word.insert_str(place, ODD[random.random_range(0..ODD.len())]);
        }
    }
}

#[test]
fn changed_command_lines_do_no_harm() {
    each_case("command lines", |random| {
        let folder = tempfile::tempdir().expect("a temporary folder");
        let cache = folder.path().join("cache");
        cached_sample(&cache, 2);
        for _ in 0..5 {
            let words = changed_line(random);
            let output = survives(&cache, &words.iter().map(String::as_str).collect::<Vec<_>>());
            let said = [output.stdout, output.stderr].concat();
            let escapes = [&b"\x1b[31m"[..], "\u{202e}".as_bytes(), "\u{200b}".as_bytes()];
            let is_in = |escape: &&[u8]| said.windows(escape.len()).any(|part| part == *escape);
            assert!(!escapes.iter().any(is_in), "{words:?}: {}", String::from_utf8_lossy(&said));
        }
    });
}

//! Reads the sources and holds the layering and containment rules.

use std::{
    fs,
    path::{Path, PathBuf},
    process::Command,
};

/// Modules from top to bottom: each uses those below it, never above.
const LAYERS: [&str; 22] = [
    "commands",
    "cli",
    "progress",
    "output",
    "session",
    "report",
    "measure",
    "insight",
    "conformance",
    "verify",
    "fetch",
    "cache",
    "executors",
    "execution",
    "threads",
    "block",
    "evm",
    "trie",
    "state",
    "input",
    "secrets",
    "text",
];

/// The last layer; nothing of ours is below it.
const BOTTOM: &str = "units";

/// Crates and functions that only some modules may name.
const CONTAINED: [(&str, &[&str]); 25] = [
    ("tokio::", &["fetch", "cache", "session", "commands"]),
    ("object_store::", &["cache"]),
    ("reqwest::", &["fetch"]),
    ("hyper_util::", &["fetch"]),
    ("clap::", &["cli"]),
    ("clap_complete::", &["cli"]),
    ("clap_mangen::", &["cli"]),
    ("terminal_size::", &["output"]),
    ("indicatif::", &["progress"]),
    // A macro that prints panics if its stream is closed or full.
    ("println!", &[]),
    ("print!", &[]),
    ("io::stdout", &["output"]),
    ("io::stderr", &["output"]),
    ("perf_event::", &["measure"]),
    ("maud::", &["report"]),
    ("plotters::", &["report"]),
    // `insight` in one file, see below; tokio's, by which `fetch` paces requests, times nothing.
    ("Instant::now", &["measure", "insight", "fetch"]),
    ("SystemTime::now", &["measure"]),
    ("Timestamp::now", &["measure"]),
    ("sync::atomic", &["threads", "execution", "executors"]),
    ("parking_lot::", &["threads", "execution", "executors"]),
    ("std::sync::Mutex", &["threads"]),
    ("std::sync::RwLock", &[]),
    ("alloy_evm::", &["evm", "state", "execution", "executors"]),
    // `block` answers the EVM while it finds out what a block touches.
    ("revm::", &["evm", "state", "execution", "executors", "block"]),
];

/// A source file, its module, and its text without tests and comments.
pub(crate) struct Source {
    pub(crate) path: PathBuf,
    pub(crate) module: String,
    pub(crate) code: String,
}

fn sources() -> Vec<Source> {
    sources_in("src")
}

/// The sources below a folder of the repository. The first name inside it is a file's module.
pub(crate) fn sources_in(folder: &str) -> Vec<Source> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join(folder);
    let mut files = Vec::new();
    collect(&root, &mut files);
    let source = |path: PathBuf| {
        let inside = path.strip_prefix(&root).expect("it was found there");
        let first = inside.iter().next().expect("it has a name").to_string_lossy();
        let module = first.trim_end_matches(".rs").to_owned();
        let text = fs::read_to_string(&path).expect("sources are readable");
        let code = without_tests_and_comments(&text);
        Source { path, module, code }
    };
    files.into_iter().map(source).collect()
}

fn collect(folder: &Path, files: &mut Vec<PathBuf>) {
    for entry in fs::read_dir(folder).expect("sources are readable") {
        let path = entry.expect("sources are readable").path();
        let name = path.file_name().expect("entries have names").to_string_lossy().into_owned();
        if path.is_dir() && name != "tests" {
            collect(&path, files);
        } else if name.ends_with(".rs") && name != "tests.rs" && name != "testing.rs" {
            files.push(path);
        }
    }
}

/// Inline tests stand at the end of their files.
fn without_tests_and_comments(text: &str) -> String {
    let code = text.split("#[cfg(test)]\nmod tests {").next().unwrap_or_default();
    let lines = code.lines().filter(|line| !line.trim_start().starts_with("//"));
    lines.collect::<Vec<_>>().join("\n")
}

fn depth(module: &str) -> Option<usize> {
    if module == BOTTOM {
        return Some(LAYERS.len());
    }
    LAYERS.iter().position(|layer| *layer == module)
}

/// The modules that a file names as `crate::module` or inside `crate::{...}`.
fn used_modules(code: &str) -> Vec<String> {
    let mut used = Vec::new();
    for rest in code.split("crate::").skip(1) {
        match rest.strip_prefix('{') {
            Some(group) => used.extend(top_level_names(group)),
            None => used.push(leading_name(rest)),
        }
    }
    used
}

fn leading_name(text: &str) -> String {
    text.chars().take_while(|char| char.is_alphanumeric() || *char == '_').collect()
}

fn top_level_names(group: &str) -> Vec<String> {
    let (mut depth, mut names, mut at_start) = (0, Vec::new(), true);
    for (position, char) in group.char_indices() {
        match char {
            '{' => depth += 1,
            '}' if depth == 0 => break,
            '}' => depth -= 1,
            ',' if depth == 0 => at_start = true,
            char if at_start && char.is_alphabetic() => {
                names.push(leading_name(&group[position..]));
                at_start = false;
            }
            _ => {}
        }
    }
    names
}

#[test]
fn modules_use_only_those_below_them() {
    let mut wrong = Vec::new();
    for source in sources() {
        let Some(own) = depth(&source.module) else { continue };
        for used in used_modules(&source.code) {
            match depth(&used) {
                Some(other) if other < own => {
                    wrong.push(format!("{} uses {used}", source.path.display()));
                }
                _ => {}
            }
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[test]
fn every_module_has_its_layer() {
    for source in sources() {
        let known = depth(&source.module).is_some() || ["lib", "main"].contains(&&*source.module);
        assert!(known, "{} is in no layer", source.path.display());
    }
}

#[test]
fn crates_clocks_and_locks_stay_where_they_belong() {
    let mut wrong = Vec::new();
    for source in sources() {
        for (name, allowed) in CONTAINED {
            if source.code.contains(name) && !allowed.contains(&&*source.module) {
                wrong.push(format!("{} names {name}", source.path.display()));
            }
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[test]
fn insight_reads_the_clock_in_its_timeline_only() {
    for source in sources().iter().filter(|source| source.module == "insight") {
        let is_timeline = source.path.ends_with("insight/timeline.rs");
        let reads = source.code.contains("Instant::now");
        assert!(is_timeline || !reads, "{} reads the clock", source.path.display());
    }
}

#[test]
fn main_does_nothing_by_itself() {
    let main = sources().into_iter().find(|source| source.module == "main").expect("main is there");
    let lines = fs::read_to_string(main.path).expect("sources are readable").lines().count();
    assert!(lines < 40, "main.rs has {lines} lines");
}

#[test]
fn every_module_opens_with_what_it_does() {
    for source in sources() {
        let text = fs::read_to_string(&source.path).expect("sources are readable");
        assert!(text.starts_with("//! "), "{} has no opening words", source.path.display());
    }
}

#[test]
fn the_trusted_setup_of_4096_points_is_never_linked() {
    let root = env!("CARGO_MANIFEST_DIR");
    let tree = Command::new(env!("CARGO"))
        .args(["tree", "--offline", "--locked", "--edges", "normal", "--prefix", "none"])
        .current_dir(root)
        .output()
        .expect("cargo runs");
    let tree = String::from_utf8(tree.stdout).expect("names are text");
    assert!(tree.contains("revm-precompile"), "cargo lists the dependencies: {tree}");
    assert!(!tree.contains("c-kzg"), "c-kzg loads its setup for seconds; use revm's blst");
}

/// Words that have no place in the project's language: see docs/glossary.md for those that do.
const BANNED: [&str; 5] = ["who-ever", "whom-ever", "some-body", "no-body", "every-body"];

/// Words that may not open a sentence of a documentation comment: such a sentence has no subject.
const HEADLESS: [&str; 6] = ["Who ", "What ", "Whom ", "Whose ", "Those ", "Where "];

fn texts(folder: &str, endings: &[&str]) -> Vec<(PathBuf, String)> {
    let mut files = Vec::new();
    let mut folders = vec![Path::new(env!("CARGO_MANIFEST_DIR")).join(folder)];
    while let Some(folder) = folders.pop() {
        for entry in fs::read_dir(folder).expect("the folder is readable") {
            let path = entry.expect("the folder is readable").path();
            if path.is_dir() {
                folders.push(path);
            } else if endings.iter().any(|ending| path.to_string_lossy().ends_with(ending)) {
                let text = fs::read_to_string(&path).expect("sources are text");
                files.push((path, text));
            }
        }
    }
    files
}

#[test]
fn no_text_uses_a_banned_word() {
    let banned: Vec<_> = BANNED.iter().map(|word| word.replace('-', "")).collect();
    let mut wrong = Vec::new();
    for folder in ["src", "crates", "tests", "benches", "model/src", "examples", "docs"] {
        for (path, text) in texts(folder, &[".rs", ".md"]) {
            let text = text.to_lowercase();
            let words = text.split(|char: char| !char.is_alphanumeric());
            let found = words.filter(|word| banned.iter().any(|banned| banned == word));
            wrong.extend(found.map(|word| format!("{}: {word}", path.display())));
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[test]
fn no_documentation_sentence_opens_without_a_subject() {
    let mut wrong = Vec::new();
    for (path, text) in ["src", "crates"].iter().flat_map(|folder| texts(folder, &[".rs"])) {
        let mut before = String::new();
        for line in text.lines().map(str::trim_start) {
            let prose = line.strip_prefix("///").or_else(|| line.strip_prefix("//!"));
            let Some(prose) = prose.map(str::trim) else {
                before.clear();
                continue;
            };
            let opens = before.is_empty() || before.ends_with('.');
            let starts = prose.split(". ").enumerate();
            let headless = |(index, sentence): &(usize, &str)| {
                (*index > 0 || opens) && HEADLESS.iter().any(|word| sentence.starts_with(word))
            };
            let found = starts.filter(headless);
            wrong.extend(found.map(|(_, sentence)| format!("{}: {sentence}", path.display())));
            prose.clone_into(&mut before);
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

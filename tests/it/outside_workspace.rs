//! The program of `docs/own-executor.md`, built in a new folder outside the workspace.
//!
//! Its executor races in every format. The test reads the program from the document, so that the document stays true.

use crate::support::{assert_code, cached_sample, stdout};
use std::{
    env, fs,
    path::{Path, PathBuf},
    process::{Command, Output},
};

/// The checkout, on which the program depends.
const CHECKOUT: &str = env!("CARGO_MANIFEST_DIR");

/// The name of the executor in the document.
const EXECUTOR: &str = "fixed-batches";

fn read(path: &str) -> String {
    fs::read_to_string(Path::new(CHECKOUT).join(path)).expect("the checkout is readable")
}

/// The first block of code in a language, in the document's section on the program.
fn snippet(language: &str) -> String {
    let document = read("docs/own-executor.md");
    let section = document.split("## The program").nth(1).expect("the section is there");
    let code = section.split(&format!("```{language}\n")).nth(1).expect("the code is there");
    code.split("```").next().unwrap_or_default().to_owned()
}

/// The tables of the checkout's build profiles, so that its compiled dependencies fit. Only this crate is not optimised,
/// which would take minutes.
fn profiles() -> String {
    let manifest = read("Cargo.toml");
    let tables = manifest.split("\n[").filter(|table| table.starts_with("profile."));
    let tables: String = tables.map(|table| format!("[{table}\n")).collect();
    let (optimised, not_optimised) = ("opt-level = 1", "opt-level = 0");
    assert_eq!(tables.matches(optimised).count(), 1, "the profile of this crate:\n{tables}");
    tables.replace(optimised, not_optimised)
}

/// The folder of build results, and the profile of this test: `release` or `debug`.
fn build_folder() -> (PathBuf, String) {
    let command = Path::new(env!("CARGO_BIN_EXE_blockrace"));
    let profile = command.parent().expect("it is in a folder");
    let name = profile.file_name().expect("the folder has a name");
    let folder = profile.parent().expect("it is in the folder of all builds");
    (folder.to_owned(), name.to_string_lossy().into_owned())
}

fn write(folder: &Path) {
    let dependency = snippet("toml").replace("../blockrace", CHECKOUT);
    let package = "[package]\nname = \"outside\"\nversion = \"0.1.0\"\nedition = \"2024\"\n";
    let manifest = format!("{package}\n{dependency}\n[workspace]\n\n{}", profiles());
    fs::create_dir(folder.join("src")).expect("the folder is writable");
    let files = [
        ("Cargo.toml", manifest),
        ("Cargo.lock", read("Cargo.lock")),
        ("src/main.rs", snippet("rust")),
        ("src/fixed_batches.rs", read("examples/own-executor/src/fixed_batches.rs")),
    ];
    for (name, text) in files {
        fs::write(folder.join(name), text).expect("the folder is writable");
    }
}

/// Builds the program and returns its path.
fn build(folder: &Path) -> PathBuf {
    let (target, profile) = build_folder();
    let mut cargo = Command::new(env::var_os("CARGO").unwrap_or_else(|| "cargo".into()));
    cargo.args(["build", "--offline"]).current_dir(folder).env("CARGO_TARGET_DIR", &target);
    // The variable of the build that runs this test: build scripts that watch it would have all that depends on them
    // built again, here and in the next build of the checkout.
    cargo.env_remove("OUT_DIR");
    if profile == "release" {
        cargo.arg("--release");
    }
    let built = cargo.output().expect("cargo starts");
    assert_code(&built, 0);
    target.join(profile).join("outside")
}

fn race(program: &Path, folder: &Path) -> Output {
    let cache = folder.join("cache");
    cached_sample(&cache, 3);
    let mut command = Command::new(program);
    command.args(["replay", "--executors", EXECUTOR, "--threads", "2"]);
    command.args(["--iterations", "2", "--warmup", "0"]);
    command.args(["--csv", "r.csv", "--json", "r.json", "--html", "r.html"]);
    command.arg("--cache-dir").arg(cache).current_dir(folder);
    command.output().expect("the program starts")
}

#[test]
fn a_five_line_program_races_its_executor_in_every_format() {
    assert_eq!(snippet("rust").lines().count(), 5);
    let folder = tempfile::tempdir().expect("a temporary folder");
    write(folder.path());
    let output = race(&build(folder.path()), folder.path());
    assert_code(&output, 0);
    let table = stdout(&output);
    assert!(table.contains("3 blocks, 6 rows: all match"), "{table}");
    let files = ["r.csv", "r.json", "r.html"]
        .map(|name| fs::read_to_string(folder.path().join(name)).expect("the result is written"));
    for text in files.iter().chain([&table]) {
        assert!(text.contains(EXECUTOR), "{text}");
    }
}

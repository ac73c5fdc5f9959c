//! Records the commit, the compiler and the target of the build, so that results can name them.
//!
//! The commit comes from the environment variable `BLOCKRACE_COMMIT`, from git, or from the file that cargo adds to a
//! packaged crate. Without any of them it is unknown. It ends with `-modified` if the sources differ from the commit.

use std::{
    env, fs,
    path::Path,
    process::{Command, Output},
};

/// Files that decide what is built.
const SOURCES: [&str; 4] = ["src", "build.rs", "Cargo.toml", "Cargo.lock"];

/// The name of an unknown value.
const UNKNOWN: &str = "unknown";

fn main() {
    for source in SOURCES {
        println!("cargo:rerun-if-changed={source}");
    }
    println!("cargo:rerun-if-env-changed=BLOCKRACE_COMMIT");
    let commit = given().or_else(from_git).or_else(from_package);
    set("COMMIT", commit.as_deref());
    set("RUSTC", rustc().as_deref());
    set("TARGET", env::var("TARGET").ok().as_deref());
    set("TARGET_FEATURES", env::var("CARGO_CFG_TARGET_FEATURE").ok().as_deref());
    set("PROFILE", profile().as_deref());
}

fn set(name: &str, value: Option<&str>) {
    println!("cargo:rustc-env=BLOCKRACE_BUILD_{name}={}", value.unwrap_or(UNKNOWN));
}

fn given() -> Option<String> {
    env::var("BLOCKRACE_COMMIT").ok().filter(|commit| !commit.is_empty())
}

/// Asks git, if this package is the root of a repository.
fn from_git() -> Option<String> {
    if !git(&["rev-parse", "--show-prefix"])?.is_empty() {
        return None;
    }
    let commit = git(&["rev-parse", "HEAD"])?;
    let status = [&["status", "--porcelain", "--"], &SOURCES[..]].concat();
    let is_modified = !git(&status)?.is_empty();
    rerun_after_commits();
    Some(if is_modified { format!("{commit}-modified") } else { commit })
}

/// A release build follows every commit. Other builds follow changes of the sources only, since each new commit would
/// rebuild the crate. Their commit may be an earlier one, from which the sources differ as stated.
fn rerun_after_commits() {
    let log = git(&["rev-parse", "--git-path", "logs/HEAD"]).unwrap_or_default();
    if env::var("PROFILE").is_ok_and(|profile| profile == "release") && Path::new(&log).exists() {
        println!("cargo:rerun-if-changed={log}");
    }
}

fn git(arguments: &[&str]) -> Option<String> {
    text(Command::new("git").args(arguments).output().ok()?)
}

/// The commit in the file that `cargo package` writes.
fn from_package() -> Option<String> {
    let info = fs::read_to_string(".cargo_vcs_info.json").ok()?;
    let rest = info.split("\"sha1\":").nth(1)?;
    rest.split('"').nth(1).map(str::to_owned)
}

fn rustc() -> Option<String> {
    text(Command::new(env::var_os("RUSTC")?).arg("--version").output().ok()?)
}

/// The output of a command that succeeded.
fn text(output: Output) -> Option<String> {
    let text = String::from_utf8(output.stdout).ok()?;
    output.status.success().then(|| text.trim().to_owned())
}

fn profile() -> Option<String> {
    Some(format!("{}, opt-level {}", env::var("PROFILE").ok()?, env::var("OPT_LEVEL").ok()?))
}

//! `--output` in a bucket of a real S3 server: the same rows as in a folder, whatever ends the process.

use crate::{
    outputs::{files, rows, text},
    support::{
        assert_code, blockrace, cached_sample,
        s3::{ACCESS_KEY, BUCKET, Faults, S3, SECRET},
        stderr, stdout,
    },
};
use rand::{RngExt, SeedableRng, rngs::Xoshiro256PlusPlus};
use std::{
    fs,
    path::{Path, PathBuf},
    process::{Output, Stdio},
    thread,
    time::{Duration, Instant},
};
use tempfile::TempDir;

const URL: &str = "s3://blocks/results/of this";

/// A bucket, and a folder with cached blocks.
struct Place {
    s3: S3,
    cache: TempDir,
}

impl Place {
    fn new(faults: Faults, blocks: usize) -> Self {
        let cache = tempfile::tempdir().expect("a temporary folder");
        cached_sample(cache.path(), blocks);
        Self { s3: S3::serve(faults), cache }
    }

    fn run(&self, arguments: &[&str]) -> Output {
        let mut command = self.s3.command_at(&text(self.cache.path()), SECRET, arguments);
        let output = command.output().expect("the command starts");
        for shown in [stdout(&output), stderr(&output)] {
            assert!(![SECRET, ACCESS_KEY].iter().any(|secret| shown.contains(secret)), "{shown}");
        }
        output
    }

    /// The output as the server keeps it. An output without journals is like one in a folder.
    fn kept(&self) -> PathBuf {
        self.s3.root.path().join(BUCKET).join("results/of this")
    }

    /// The same command with a folder.
    fn whole(&self, words: &[&str]) -> PathBuf {
        let folder = self.cache.path().join("whole");
        let path = text(&folder);
        let arguments = [words, &["--output", &path]].concat();
        assert_code(&blockrace(self.cache.path(), &arguments), 0);
        folder
    }
}

const ANALYZE: [&str; 5] = ["analyze", "--iterations", "1", "--threads", "2"];
const RACE: [&str; 9] =
    ["replay", "--executors", "block-stm", "--threads", "1", "--iterations", "1", "--warmup", "0"];

#[test]
fn an_output_in_a_bucket_is_that_of_a_folder_and_is_merged_from_there() {
    for words in [&["verify"][..], &ANALYZE, &RACE] {
        let place = Place::new(Faults { busy: 9, ..Faults::default() }, 3);
        let arguments = [words, &["--output", URL]].concat();
        assert_code(&place.run(&arguments), 0);
        assert!(files(&place.kept().join("journal"), "jsonl").is_empty());
        // Times decide which conflicts an analysis names.
        if words[0] == "verify" {
            assert_eq!(rows(&place.kept()), rows(&place.whole(words)), "{words:?}");
        }
        let again = place.run(&arguments);
        assert_code(&again, 0);
        assert!(stderr(&again).contains("has the results of 3 of 3 blocks"), "{}", stderr(&again));
        let status = place.run(&["status", URL]);
        assert_code(&status, 0);
        assert!(stdout(&status).contains("results of 3 of 3 blocks"), "{}", stdout(&status));
        let json = text(&place.cache.path().join("merged.json"));
        assert_code(&place.run(&["merge", URL, "--json", &json]), 0);
        let merged = fs::read_to_string(&json).expect("it was written");
        assert!(merged.contains("\"schema_version\""), "{merged}");
    }
}

#[test]
fn two_shards_share_a_bucket_and_a_missing_one_is_named() {
    let place = Place::new(Faults::default(), 2);
    let verify = |shard| place.run(&["verify", "5-6,2005", "--shard", shard, "--output", URL]);
    assert_code(&verify("0/2"), 0);
    let status = place.run(&["status", URL, "--shards", "2"]);
    assert_code(&status, 2);
    assert!(stdout(&status).contains("missing: 2005"), "{}", stdout(&status));
    let merged = place.run(&["merge", URL]);
    assert_code(&merged, 2);
    assert!(stderr(&merged).contains("2005"), "{}", stderr(&merged));
}

#[test]
fn what_is_no_output_and_other_settings_are_refused_by_name() {
    let place = Place::new(Faults::default(), 2);
    for (command, code) in [("status", 2), ("merge", 2)] {
        let refused = place.run(&[command, URL]);
        assert_code(&refused, code);
        let said = stderr(&refused);
        assert!(said.contains("s3://blocks/results/of this is no output"), "{said}");
    }
    assert_code(&place.run(&["verify", "--output", URL]), 0);
    let other = place.run(&["verify", "--executor", "block-stm", "--output", URL]);
    assert_code(&other, 2);
    let said = stderr(&other);
    assert!(said.contains("s3://blocks/results/of this has results with --executor"), "{said}");
    let above = place.run(&["verify", "--output", "s3://blocks/results"]);
    assert_code(&above, 2);
    assert!(stderr(&above).contains("so it is no output"), "{}", stderr(&above));
    let secret = place.run(&["verify", "--output", &format!("s3://user:{SECRET}@blocks/a")]);
    assert_code(&secret, 2);
}

#[test]
fn a_bucket_that_stays_busy_has_the_exit_code_of_faults_that_may_pass() {
    let place = Place::new(Faults { busy: 1, ..Faults::default() }, 1);
    assert_code(&place.run(&["verify", "--output", URL]), 75);
}

/// Number of lines in the journals and finished chunks that the server has.
fn done(kept: &Path) -> usize {
    let journals = files(&kept.join("journal"), "jsonl");
    journals.iter().map(|path| fs::read_to_string(path).unwrap_or_default().lines().count()).sum()
}

#[test]
fn a_killed_process_is_continued_from_the_bucket_by_another() {
    let place = Place::new(Faults { busy: 11, cut: 13, ..Faults::default() }, 24);
    let arguments = [&RACE[..], &["--output", URL]].concat();
    let mut random = Xoshiro256PlusPlus::seed_from_u64(3);
    let mut seen = 0;
    for _ in 0..4 {
        let cache = text(place.cache.path());
        let mut command = place.s3.command_at(&cache, SECRET, &arguments);
        let mut child =
            command.stdout(Stdio::null()).stderr(Stdio::null()).spawn().expect("it starts");
        let start = Instant::now();
        while done(&place.kept()) <= seen && start.elapsed() < Duration::from_secs(60) {
            thread::sleep(Duration::from_millis(20));
        }
        thread::sleep(Duration::from_millis(random.random_range(0..400)));
        child.kill().expect("the test owns it");
        child.wait().expect("the test owns it");
        let now = done(&place.kept());
        assert!(now >= seen, "{now} blocks after {seen}");
        seen = now;
    }
    assert!(seen > 0, "no block was kept");
    let last = place.run(&arguments);
    assert_code(&last, 0);
    let said = stderr(&last);
    assert!(said.contains(&format!("has the results of {seen} of 24 blocks")), "{said}");
    assert_code(&place.run(&["status", URL]), 0);
    assert!(files(&place.kept().join("journal"), "jsonl").is_empty());
    assert_eq!(files(&place.kept().join("results"), "parquet").len(), 1);
}

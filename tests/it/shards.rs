//! `--shard`: parts of a selection are disjoint and complete, and a batch system names the part.

use crate::support::{assert_code, blockrace, command, fetched, recordings, stderr, stdout};
use tempfile::TempDir;

fn mainnet() -> Option<TempDir> {
    Some(fetched(&recordings()?, "mainnet").0)
}

/// The block numbers that a command lists in its second column.
fn listed(cache: &TempDir, arguments: &[&str]) -> Vec<String> {
    let output = blockrace(cache.path(), &[&["cache", "list"], arguments].concat());
    assert_code(&output, 0);
    let rows = stdout(&output);
    let words = rows.lines().map(|line| line.split_whitespace().collect::<Vec<_>>());
    let blocks = words.filter(|words| words.get(2).is_some_and(|hash| hash.starts_with("0x")));
    blocks.map(|words| words[1].to_owned()).collect()
}

#[test]
fn shards_are_disjoint_and_together_everything() {
    let Some(cache) = mainnet() else { return };
    let all = listed(&cache, &[]);
    let parts = (0..5).flat_map(|index| listed(&cache, &["--shard", &format!("{index}/5")]));
    assert_eq!(parts.collect::<Vec<_>>(), all);
}

#[test]
fn each_command_works_on_its_shard() {
    let Some(cache) = mainnet() else { return };
    let part = listed(&cache, &["--shard", "0/9"]);
    let output = blockrace(cache.path(), &["verify", "--shard", "0/9"]);
    assert_code(&output, 0);
    let said = stdout(&output);
    assert!(said.contains(&format!("{0} of {0} blocks", part.len())), "{said}");
}

#[test]
fn a_shard_without_blocks_succeeds() {
    let Some(cache) = mainnet() else { return };
    for command in ["verify", "analyze", "replay"] {
        let output = blockrace(cache.path(), &[command, "1-999", "--shard", "0/2"]);
        assert_code(&output, 0);
    }
}

#[test]
fn the_environment_names_the_shard() {
    let Some(cache) = mainnet() else { return };
    let mut command = command(cache.path(), &["cache", "list", "--shard", "env"]);
    command.env("SLURM_ARRAY_TASK_ID", "4").env("SLURM_ARRAY_TASK_MIN", "1");
    command.env("SLURM_ARRAY_TASK_COUNT", "5");
    let told = command.output().expect("the program starts");
    let typed = blockrace(cache.path(), &["cache", "list", "--shard", "3/5"]);
    assert_eq!(stdout(&told), stdout(&typed));

    let none = blockrace(cache.path(), &["cache", "list", "--shard", "env"]);
    assert_code(&none, 2);
    assert!(stderr(&none).contains("SLURM_ARRAY_TASK_ID"), "{}", stderr(&none));
}

#[test]
fn latest_is_refused_with_a_shard() {
    let Some(cache) = mainnet() else { return };
    let output = blockrace(cache.path(), &["verify", "latest", "--shard", "0/2"]);
    assert_code(&output, 2);
    assert!(stderr(&output).contains("latest"), "{}", stderr(&output));
}

#[test]
fn a_node_that_is_down_has_its_own_exit_code() {
    let cache = TempDir::new().expect("a folder can be made");
    let url = ["--rpc-url", "http://127.0.0.1:9", "--max-retries", "0"];
    let output = blockrace(cache.path(), &[&["fetch", "1"][..], &url].concat());
    assert_code(&output, 75);
}

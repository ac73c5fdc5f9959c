//! A block is one of the chain only if another source confirms its header. Any other block is consistent with its own
//! header, and every output says so.

use crate::support::{
    RecordedNode, assert_code, blockrace, command,
    fake_node::{Reply, fake_node},
    made_up::{MadeUp, NUMBER},
    recordings, stderr, stdout,
};
use alloy_primitives::B256;
use blockrace::cache::Cache;
use serde_json::{Value, json};
use std::{fs, path::Path};

/// A node that makes up a block, and the hash of the block.
fn liar(made_up: MadeUp) -> (String, B256) {
    let hash = made_up.block.header.hash_slow();
    (fake_node(move |request| made_up.answer(request)), hash)
}

fn json_of(path: &Path) -> Value {
    serde_json::from_slice(&fs::read(path).expect("a file")).expect("it is JSON")
}

fn is_empty(cache: &Path) -> bool {
    Cache::new(cache).list(1).expect("the cache is readable").is_empty()
}

#[test]
fn a_made_up_block_is_consistent_and_never_said_to_match_mainnet() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let (cache, file) = (folder.path().join("cache"), folder.path().join("results.json"));
    let (url, hash) = liar(MadeUp::empty());
    let fetched = blockrace(&cache, &["fetch", "5", "--rpc-url", &url]);
    assert_code(&fetched, 0);
    assert!(stdout(&fetched).contains("0 of 1 headers confirmed"), "{}", stdout(&fetched));

    let verified = blockrace(&cache, &["verify", "5"]);
    assert!(stdout(&verified).contains("consistent"), "{}", stdout(&verified));
    assert!(stdout(&verified).contains("; headers not confirmed"), "{}", stdout(&verified));

    let [page, list] = ["page.html", "rows.csv"].map(|name| folder.path().join(name));
    let [page, list] = [&page, &list].map(|path| path.to_str().expect("it is text"));
    let path = file.to_str().expect("it is text");
    let replay = ["replay", "--executors", "sequential", "--iterations", "1", "--warmup", "0"];
    let files = ["--json", path, "--html", page, "--csv", list, "--markdown", "-"];
    let raced = blockrace(&cache, &[&replay[..], &files].concat());
    assert_code(&raced, 0);
    let said = [stdout(&raced), stderr(&raced), fs::read_to_string(page).expect("a page")].concat();
    assert!(!said.contains("match mainnet"), "{said}");
    let claim = "consistent with their own headers (not confirmed)";
    assert_eq!(said.matches(claim).count(), 3, "{said}");
    let row = &json_of(&file)["results"][0];
    assert_eq!((&row["header"], &row["confirmed_by"]), (&"consistent".into(), &Value::Null));
    assert!(fs::read_to_string(list).expect("a file").contains(",state-root,consistent,\n"));

    // The same block is confirmed by its hash, which is not remembered here.
    let pinned = format!("{NUMBER}@{hash}");
    let raced = blockrace(&cache, &[&replay[..], &[&pinned]].concat());
    assert!(stdout(&raced).contains("1 row: all match mainnet"), "{}", stdout(&raced));
}

#[test]
fn a_node_with_another_genesis_block_than_its_chain_id_is_refused() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let (made_up, foreign) = (MadeUp::empty(), B256::repeat_byte(9));
    let url = fake_node(move |request| match request.body["params"][0].as_str() {
        Some("0x0") => Reply::Result(json!({"number": "0x0", "hash": foreign})),
        _ => made_up.answer(request),
    });
    let refused = blockrace(folder.path(), &["fetch", "5", "--rpc-url", &url]);
    assert_code(&refused, 2);
    for named in ["genesis block", "--chain-config", &foreign.to_string()] {
        assert!(stderr(&refused).contains(named), "{}", stderr(&refused));
    }
    assert!(is_empty(folder.path()));
}

#[test]
fn a_wrong_hash_is_an_error_that_names_both() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let cache = folder.path();
    let (url, hash) = liar(MadeUp::empty());
    let other = B256::repeat_byte(7);
    let pinned = format!("{NUMBER}@{other}");
    let refused = blockrace(cache, &["fetch", &pinned, "--rpc-url", &url]);
    assert_code(&refused, 2);
    for named in [hash, other] {
        assert!(stderr(&refused).contains(&named.to_string()), "{}", stderr(&refused));
    }
    assert!(is_empty(cache));

    let fetched = blockrace(cache, &["fetch", "5", "--rpc-url", &url]);
    assert_code(&fetched, 0);
    for arguments in [
        &["verify", &pinned][..],
        &["replay", &pinned, "--iterations", "1"],
        &["cache", "list", &pinned],
        &["cache", "remove", &pinned],
        &["fetch", &pinned, "--rpc-url", &url],
        &["verify", &format!("{NUMBER}@{other},{NUMBER}@{hash}")],
    ] {
        let refused = blockrace(cache, arguments);
        assert_code(&refused, 2);
        let said = stdout(&refused) + &stderr(&refused);
        assert!(said.contains(&other.to_string()) && said.contains(&hash.to_string()), "{said}");
    }
    assert!(!is_empty(cache));
    let malformed = blockrace(cache, &["verify", "5@0x12"]);
    assert_code(&malformed, 2);
    assert!(stderr(&malformed).contains("needs the hash of block 5"), "{}", stderr(&malformed));
}

#[test]
fn a_fetched_hash_is_remembered_and_listed() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let cache = folder.path();
    let (url, hash) = liar(MadeUp::empty());
    let pinned = format!("{NUMBER}@{hash}");
    let fetched = blockrace(cache, &["fetch", &pinned, "--rpc-url", &url]);
    assert_code(&fetched, 0);
    assert!(stdout(&fetched).contains("1 of 1 headers confirmed"), "{}", stdout(&fetched));
    let verified = blockrace(cache, &["verify"]);
    assert!(stdout(&verified).ends_with("; headers confirmed\n"), "{}", stdout(&verified));
    let listed = blockrace(cache, &["cache", "list", "--hashes"]);
    assert_eq!(stdout(&listed), format!("{pinned}\n"));

    // The confirmation is of the header, so the file is the same as without it.
    let plain = tempfile::tempdir().expect("a temporary folder");
    assert_code(&blockrace(plain.path(), &["fetch", "5", "--rpc-url", &url]), 0);
    let path = format!("1/0-999/{NUMBER}-{hash}.block");
    let [one, two] = [cache, plain.path()].map(|root| fs::read(root.join(&path)).expect("a file"));
    assert_eq!(one, two);
}

#[test]
fn further_nodes_must_all_state_the_same_hash() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let (url, hash) = liar(MadeUp::empty());
    let (same, _) = liar(MadeUp::empty());
    let (differs, other) = liar(MadeUp::looping(21_000));
    let secret = format!("{same}/v3/path-key-0123456789");
    let fetch = ["fetch", "5", "--rpc-url", &url, "-v"];

    let refused = command(folder.path(), &fetch)
        .args(["--confirm-url", &same, "--confirm-url", &differs])
        .output()
        .expect("it starts");
    assert_code(&refused, 2);
    for named in [hash, other] {
        assert!(stderr(&refused).contains(&named.to_string()), "{}", stderr(&refused));
    }
    assert!(stderr(&refused).contains("block 5"), "{}", stderr(&refused));
    assert!(is_empty(folder.path()));

    let file = folder.path().join("fetch.json");
    let fetched = command(folder.path(), &fetch)
        .args(["--json", file.to_str().expect("it is text")])
        .env("ETH_CONFIRM_URLS", format!("{secret}\n{same}"))
        .output()
        .expect("it starts");
    assert_code(&fetched, 0);
    let said = stdout(&fetched) + &stderr(&fetched);
    assert!(said.contains("1 of 1 headers confirmed") && !said.contains("path-key"), "{said}");
    assert_eq!(json_of(&file)["blocks"][0]["confirmed_by"], format!("{same}, {same}"));

    let absent = fake_node(|request| match request.method() {
        "eth_chainId" => crate::support::fake_node::Reply::Result("0x5".into()),
        _ => crate::support::fake_node::Reply::Result(Value::Null),
    });
    let refused = blockrace(folder.path(), &[&fetch[..], &["--confirm-url", &absent]].concat());
    assert_code(&refused, 2);
    assert!(stderr(&refused).contains("a node of chain 5, not 1"), "{}", stderr(&refused));
}

#[test]
fn a_confirmed_block_confirms_its_ancestors() {
    let Some(recordings) = recordings() else { return };
    let node = RecordedNode::serve(&recordings, "mainnet", &[]);
    let cache = tempfile::tempdir().expect("a temporary folder");
    let plain = ["fetch", "1149999-1150000", "--rpc-url", &node.url];
    let fetched = blockrace(cache.path(), &plain);
    assert_code(&fetched, 0);
    assert!(stdout(&fetched).contains("0 of 2 headers confirmed"), "{}", stdout(&fetched));

    let ids = Cache::new(cache.path()).list(1).expect("the cache is readable");
    let range = format!("1149999-1150000@{}", ids[1].hash);
    let file = cache.path().join("verify.json");
    let path = file.to_str().expect("it is text");
    let verified = blockrace(cache.path(), &["verify", &range, "--json", path]);
    assert_code(&verified, 0);
    let blocks = &json_of(&file)["blocks"];
    assert_eq!(blocks[0]["confirmed_by"], "block 1150000");
    assert_eq!(blocks[1]["confirmed_by"], "given hash");

    let again = blockrace(cache.path(), &["fetch", &range, "--rpc-url", &node.url]);
    assert_code(&again, 0);
    assert!(stdout(&again).contains("2 of 2 headers confirmed"), "{}", stdout(&again));
    let verified = blockrace(cache.path(), &["verify", "1149999"]);
    assert!(stdout(&verified).ends_with("; headers confirmed\n"), "{}", stdout(&verified));
}

#[test]
fn the_list_in_the_program_confirms_by_hash() {
    let Some(recordings) = recordings() else { return };
    let node = RecordedNode::serve(&recordings, "mainnet", &[]);
    let cache = tempfile::tempdir().expect("a temporary folder");
    let fetched = blockrace(cache.path(), &["fetch", "116525,46147", "--rpc-url", &node.url]);
    assert_code(&fetched, 0);
    assert!(stdout(&fetched).contains("1 of 2 headers confirmed"), "{}", stdout(&fetched));
    let listed = stdout(&blockrace(cache.path(), &["cache", "list"]));
    assert_eq!((listed.matches("confirmed").count(), listed.matches("consistent").count()), (1, 1));

    let wrong = blockrace(cache.path(), &["verify", &format!("sample:7@{}", B256::ZERO)]);
    assert_code(&wrong, 2);
    assert!(stderr(&wrong).contains("the sample has the hash 0x"), "{}", stderr(&wrong));
}

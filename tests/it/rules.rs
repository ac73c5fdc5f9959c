//! The rules of any chain: from a file, from the node or by the id, stored with each block.

use crate::support::{
    AmsterdamNode, anvil::Anvil, assert_code, blockrace, proxy::Batches, proxy::Proxy, run, stderr,
    stdout,
};
use alloy_eips::{
    eip7002::{WITHDRAWAL_REQUEST_PREDEPLOY_ADDRESS, WITHDRAWAL_REQUEST_PREDEPLOY_CODE},
    eip7251::{CONSOLIDATION_REQUEST_PREDEPLOY_ADDRESS, CONSOLIDATION_REQUEST_PREDEPLOY_CODE},
};
use alloy_primitives::Address;
use serde_json::{Value, json};
use std::{fs, path::Path, process::Output};
use tempfile::TempDir;

/// Blocks of the recorded chain that match: before Amsterdam, and without transactions after it.
const SOUND: &str = "1-10,13,18";

/// Time of the recorded chain's Amsterdam.
const AMSTERDAM: u64 = 1_795_922_164;

fn folder() -> TempDir {
    tempfile::tempdir().expect("a temporary folder")
}

/// Fetches from a node of the recorded chain, under the rules of its genesis.json.
fn fetch(cache: &Path, node: &AmsterdamNode, blocks: &str) -> Output {
    let flags = ["fetch", blocks, "--rpc-url", &node.url, "--chain-config", &node.genesis];
    blockrace(cache, &flags)
}

#[test]
fn a_chain_that_crosses_into_amsterdam_is_replayed_under_its_own_rules() {
    let Some(node) = AmsterdamNode::serve() else { return };
    let cache = folder();
    let fetched = fetch(cache.path(), &node, SOUND);
    assert_code(&fetched, 0);
    let said = stdout(&fetched);
    assert!(said.contains("12 of 12 blocks fetched, proved and stored"), "{said}");
    let source = format!("rules of chain 560048 by {}: 0x", node.genesis);
    assert!(said.contains(&source), "{said}");
    assert!(said.contains(&format!("up to Amsterdam at time {AMSTERDAM}")), "{said}");

    let verified = blockrace(cache.path(), &["verify", "--verbose"]);
    assert_code(&verified, 0);
    let said = stdout(&verified);
    assert!(
        said.contains("12 of 12 blocks match their headers, verified to the state root"),
        "{said}"
    );
    assert!(said.contains("rules of chain 560048: 0x") && said.contains(", 12 blocks"), "{said}");
    let forks = |name| said.lines().filter(|line| line.contains(name)).count();
    assert_eq!((forks("Bpo2"), forks("Amsterdam")), (10, 2), "{said}");
}

#[test]
fn every_executor_replays_the_crossing_on_any_number_of_threads() {
    let Some(node) = AmsterdamNode::serve() else { return };
    let cache = folder();
    assert_code(&fetch(cache.path(), &node, SOUND), 0);
    let json = cache.path().join("replay.json");
    let replayed = blockrace(
        cache.path(),
        &[
            "replay",
            "--executors",
            "all",
            "--threads",
            "1,2,8",
            "--iterations",
            "1",
            "--warmup",
            "0",
            "--json",
            &json.display().to_string(),
        ],
    );
    assert_code(&replayed, 0);
    let report: Value =
        serde_json::from_slice(&fs::read(json).expect("it is written")).expect("it is JSON");
    let rows = report["results"].as_array().expect("a list");
    assert!(rows.len() >= 12 * 7 * 3, "{} rows", rows.len());
    assert!(rows.iter().all(|row| row["verdict"] == "match" && row["verified_to"] == "state-root"));
    let digests = report["preparation"].as_array().expect("a list").iter();
    let digest = &report["preparation"][0]["rules_digest"];
    assert!(digest.is_string() && digests.clone().all(|block| block["rules_digest"] == *digest));
}

#[test]
fn busy_blocks_of_an_earlier_draft_are_mismatches_that_name_the_field() {
    let Some(node) = AmsterdamNode::serve() else { return };
    let fetched = fetch(folder().path(), &node, "11,12,14-17");
    assert_code(&fetched, 1);
    let errors = stderr(&fetched);
    for number in [11, 12, 14, 15, 16, 17] {
        let start = format!("error: block {number} does not match: ");
        let line = errors.lines().find_map(|line| line.strip_prefix(&start));
        let line = line.unwrap_or_else(|| panic!("block {number}: {errors}"));
        assert!(line.starts_with("gas used") || line.contains("receipt"), "{line}");
    }
}

#[test]
fn without_its_configuration_a_block_of_a_later_fork_is_refused_by_name() {
    let Some(node) = AmsterdamNode::serve() else { return };
    let fetched = blockrace(folder().path(), &["fetch", "10-13,18", "--rpc-url", &node.url]);
    assert_code(&fetched, 2);
    assert!(
        stdout(&fetched).contains("rules of chain 560048 by the chain id"),
        "{}",
        stdout(&fetched)
    );
    let errors = stderr(&fetched);
    let reason = "block 11's header has a block access list (EIP-7928), \
                  but chain 560048 has no Amsterdam at its time \
                  (and the same for 3 more blocks: 12, 13, 18)";
    assert!(errors.contains(reason), "{errors}");
    assert!(!errors.contains("does not match"), "{errors}");
}

#[test]
fn rpc_check_looks_at_the_newest_header() {
    let Some(node) = AmsterdamNode::serve() else { return };
    let check = |flags: &[&str]| {
        let flags = [&["rpc-check", "--json", "--rpc-url", &node.url], flags].concat();
        blockrace(Path::new("/nowhere"), &flags)
    };
    let report =
        |output: &Output| -> Value { serde_json::from_str(&stdout(output)).expect("it is JSON") };
    let refused = check(&[]);
    assert_code(&refused, 2);
    let found = report(&refused);
    let reason = "block 18's header has a block access list (EIP-7928), \
                  but chain 560048 has no Amsterdam at its time";
    assert_eq!((&found["head_refused_why"], &found["fetch_flags"]), (&json!(reason), &Value::Null));
    let taken = check(&["--chain-config", &node.genesis]);
    assert_code(&taken, 0);
    let found = report(&taken);
    assert_eq!(found["rules_source"], node.genesis);
    assert_eq!(found["fetch_flags"], "--witness execution-witness");
}

#[test]
fn a_cache_holds_blocks_of_one_chain_id_under_different_rules() {
    let Some(node) = AmsterdamNode::serve() else { return };
    let cache = folder();
    assert_code(&blockrace(cache.path(), &["fetch", "1-3", "--rpc-url", &node.url]), 0);
    assert_code(&fetch(cache.path(), &node, "4-6,13"), 0);
    let listed = stdout(&blockrace(cache.path(), &["cache", "list"]));
    let mut digests: Vec<_> = listed
        .lines()
        .filter(|line| line.trim_start().starts_with("560048"))
        .map(|line| {
            line.split_whitespace().filter(|word| word.starts_with("0x")).nth(1).expect("a digest")
        })
        .collect();
    assert_eq!(digests.len(), 7, "{listed}");
    digests.dedup();
    assert_eq!(digests.len(), 2, "{listed}");
    assert_code(&blockrace(cache.path(), &["verify"]), 0);

    // Rules of the command line take the place of the stored ones.
    let refused = blockrace(cache.path(), &["verify", "13", "--chain-config", "/nowhere.json"]);
    assert_code(&refused, 2);
    let hoodi = cache.path().join("hoodi.json");
    let config = json!({ "chainId": 560_048, "terminalTotalDifficulty": 0, "osakaTime": 0 });
    fs::write(&hoodi, config.to_string()).expect("the folder is writable");
    let flags = ["--chain-config", &hoodi.display().to_string()];
    let refused = blockrace(cache.path(), &[&["verify", "13"], &flags[..]].concat());
    assert_code(&refused, 2);
    assert!(stderr(&refused).contains("has no Amsterdam at its time"), "{}", stderr(&refused));

    // The same number under other rules is fetched again.
    let fetched = stdout(&fetch(cache.path(), &node, "1-3"));
    assert!(fetched.contains("3 of 3 blocks fetched"), "{fetched}");
}

/// Fetches through a node that states rules by one method, under another chain id.
async fn fetch_from(
    node: &AmsterdamNode,
    id: u64,
    method: &'static str,
    answer: Value,
    blocks: &str,
) -> Output {
    let rule = move |called: &str, _: &Value| match called {
        "eth_chainId" => Some(Ok(json!(format!("{id:#x}")))),
        called => (called == method).then(|| Ok(answer.clone())),
    };
    let proxy = Proxy::before(&node.url, Batches::Taken, rule).await;
    run(&folder(), &["fetch", blocks, "--rpc-url", &proxy.url]).await
}

fn config(node: &AmsterdamNode) -> Value {
    let text = fs::read(&node.genesis).expect("the genesis is readable");
    let genesis: Value = serde_json::from_slice(&text).expect("the genesis is JSON");
    genesis["config"].clone()
}

fn eth_config(id: u64, since: u64) -> Value {
    let none = "0x0000000000000000000000000000000000000001";
    json!({
        "current": {
            "activationTime": since,
            "blobSchedule": { "target": 14, "max": 21, "baseFeeUpdateFraction": 11_684_671 },
            "chainId": format!("{id:#x}"),
            "forkId": "0x12345678",
            "precompiles": { "P256VERIFY": "0x0000000000000000000000000000000000000100" },
            "systemContracts": {
                "BEACON_ROOTS_ADDRESS": none,
                "BUILDER_DEPOSIT_CONTRACT_ADDRESS": none,
                "HISTORY_STORAGE_ADDRESS": none,
            },
        },
        "next": null,
        "last": null,
    })
}

#[tokio::test(flavor = "multi_thread")]
async fn a_whole_configuration_from_the_node_is_used() {
    let Some(node) = AmsterdamNode::serve() else { return };
    let info = json!({ "protocols": { "eth": { "network": 1, "config": config(&node) } } });
    let answers = [("debug_chainConfig", config(&node)), ("admin_nodeInfo", info)];
    for (method, answer) in answers {
        let fetched = fetch_from(&node, 560_048, method, answer, SOUND).await;
        // The recorded chain has the id of Hoodi, but its forks are at other times.
        assert_code(&fetched, 2);
        let expected = "chain 560048 has Prague at time 1742999832, but the node states time 0";
        assert!(stderr(&fetched).contains(expected), "{}", stderr(&fetched));
        assert!(stderr(&fetched).contains(method), "{}", stderr(&fetched));
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn the_present_fork_of_the_node_is_used_from_its_activation_on() {
    let Some(node) = AmsterdamNode::serve() else { return };
    // The recorded blocks hold no signature, so that their chain id does not matter.
    let fetched =
        fetch_from(&node, 1337, "eth_config", eth_config(1337, AMSTERDAM), "10,13,18").await;
    assert_code(&fetched, 2);
    let said = stdout(&fetched);
    assert!(said.contains("2 of 3 blocks fetched"), "{said}\n{}", stderr(&fetched));
    let expected = "rules of chain 1337 by the node's eth_config: 0x";
    assert!(said.contains(expected), "{said}");
    let reason = format!("but the rules of chain 1337 are known from time {AMSTERDAM} on only");
    assert!(stderr(&fetched).contains(&reason), "{}", stderr(&fetched));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_whole_configuration_outranks_the_present_fork() {
    let Some(node) = AmsterdamNode::serve() else { return };
    let mut config = config(&node);
    config["chainId"] = json!(1337);
    let fetched = fetch_from(&node, 1337, "debug_chainConfig", config.clone(), "13,18").await;
    assert_code(&fetched, 0);
    let expected = "rules of chain 1337 by the node's debug_chainConfig: 0x";
    assert!(stdout(&fetched).contains(expected), "{}", stdout(&fetched));
    config["glamsterdamTime"] = json!(1);
    let fetched = fetch_from(&node, 1337, "debug_chainConfig", config, "13,18").await;
    assert_code(&fetched, 2);
    let expected = "answer to debug_chainConfig cannot be used: it sets glamsterdamTime";
    assert!(stderr(&fetched).contains(expected), "{}", stderr(&fetched));
}

#[tokio::test(flavor = "multi_thread")]
async fn an_unknown_chain_without_a_statement_names_the_remedy() {
    let Some(node) = AmsterdamNode::serve() else { return };
    let fetched = fetch_from(&node, 1337, "nothing", json!(null), "1").await;
    assert_code(&fetched, 2);
    let said = stderr(&fetched);
    for part in ["states no rules", "eth_config", "chain 1337", "--chain-config FILE"] {
        assert!(said.contains(part), "{said}");
    }
    // The id of development nodes has a default, which is said to be one.
    let fetched = fetch_from(&node, 31_337, "nothing", json!(null), "13").await;
    assert_code(&fetched, 2);
    let said = stderr(&fetched);
    assert!(said.contains("note: the node states no rules, so chain 31337 is assumed"), "{said}");
    assert!(said.contains("chain 31337 has no Amsterdam at its time"), "{said}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_passing_fault_is_not_taken_for_a_node_that_states_no_rules() {
    let Some(node) = AmsterdamNode::serve() else { return };
    let rule = |called: &str, _: &Value| match called {
        "eth_chainId" => Some(Ok(json!("0x7a69"))),
        called => (called == "eth_config").then_some(Err(-32005)),
    };
    let proxy = Proxy::before(&node.url, Batches::Taken, rule).await;
    let flags = ["fetch", "1", "--rpc-url", &proxy.url, "--max-retries", "0"];
    let fetched = run(&folder(), &flags).await;
    assert_ne!(fetched.status.code(), Some(0));
    let said = stderr(&fetched);
    assert!(said.contains("the node did not say which rules its chain has"), "{said}");
    assert!(said.contains("eth_config"), "{said}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_file_of_another_chain_is_refused_and_a_disagreement_is_noted() {
    let Some(node) = AmsterdamNode::serve() else { return };
    for (since, note) in [
        (AMSTERDAM, None),
        (AMSTERDAM - 1, Some("chain 560048 has Amsterdam at time")),
        (AMSTERDAM + 1, Some("Bpo3 at time")),
    ] {
        let rule = move |called: &str, _: &Value| {
            (called == "eth_config").then(|| Ok(eth_config(560_048, since)))
        };
        let proxy = Proxy::before(&node.url, Batches::Taken, rule).await;
        let flags = ["fetch", "13", "--rpc-url", &proxy.url, "--chain-config", &node.genesis];
        let fetched = run(&folder(), &flags).await;
        assert_code(&fetched, 0);
        let said = stderr(&fetched);
        let start = "note: the file's rules are used, but the node's eth_config differs: ";
        let found = said.lines().find_map(|line| line.strip_prefix(start));
        let fits = found.zip(note).is_none_or(|(found, note)| found.starts_with(note));
        assert!(found.is_some() == note.is_some() && fits, "{said}");
    }

    let cache = folder();
    let other = cache.path().join("other.json");
    fs::write(&other, r#"{"chainId":1337,"osakaTime":0}"#).expect("the folder is writable");
    let flags =
        ["fetch", "13", "--rpc-url", &node.url, "--chain-config", &other.display().to_string()];
    let fetched = run(&cache, &flags).await;
    assert_code(&fetched, 2);
    assert!(stderr(&fetched).contains("is of chain 1337, but the node follows chain 560048"));
}

#[tokio::test(flavor = "multi_thread")]
async fn development_nodes_are_replayed_under_their_own_fork_and_id() {
    for (fork, requests) in [("cancun", false), ("prague", true), ("osaka", true)] {
        let flags = ["--hardfork", fork, "--chain-id", "1337"];
        let Some(anvil) = Anvil::start_with(&flags).await else { return };
        // anvil lacks the contracts of requests, without which the blocks would be invalid from Prague on.
        for (address, code) in [
            (WITHDRAWAL_REQUEST_PREDEPLOY_ADDRESS, &WITHDRAWAL_REQUEST_PREDEPLOY_CODE),
            (CONSOLIDATION_REQUEST_PREDEPLOY_ADDRESS, &CONSOLIDATION_REQUEST_PREDEPLOY_CODE),
        ] {
            if requests {
                anvil.call("anvil_setCode", json!([address, code])).await;
            }
        }
        anvil.call("evm_mine", json!([])).await;
        let accounts = anvil.call("eth_accounts", json!([])).await;
        for number in 0..3_u8 {
            let to = Address::repeat_byte(0xa0 + number);
            let fields = json!({ "from": accounts[0], "to": to, "value": "0x5" });
            anvil.call("eth_sendTransaction", json!([fields])).await;
            anvil.call("evm_mine", json!([])).await;
        }
        let cache = folder();
        let fetched = run(&cache, &["fetch", "2-4", "--rpc-url", &anvil.url]).await;
        assert_code(&fetched, 0);
        let expected = "rules of chain 1337 by the node's anvil_nodeInfo: 0x";
        assert!(stdout(&fetched).contains(expected), "{}", stdout(&fetched));
        let verified = run(&cache, &["verify"]).await;
        assert_code(&verified, 0);
        let name = format!("{}{}", fork[..1].to_uppercase(), &fork[1..]);
        assert!(stdout(&verified).contains(&name), "{}", stdout(&verified));
    }
}

//! Nodes that offer little: no tracer, another chain than before, blocks named by hash and tag.

use crate::support::anvil::Anvil;
use crate::support::proxy::{Batches, Proxy};
use crate::support::{assert_code, run, stderr, stdout};
use alloy_primitives::hex;
use blockrace::cache::Cache;
use serde_json::{Value, json};

/// Number of slots that one transaction reads.
const SLOTS: usize = 300;

/// Reads the slots 1 to 300.
const READER: &[u8] = &hex!("61012c5b805450600190038060035700");

fn cache() -> tempfile::TempDir {
    tempfile::tempdir().expect("a temporary folder")
}

fn cached(cache: &tempfile::TempDir) -> usize {
    Cache::new(cache.path()).list(31_337).expect("the cache is readable").len()
}

/// Sends a transaction and mines it.
async fn mine(anvil: &Anvil, mut fields: Value) -> Value {
    let accounts = anvil.call("eth_accounts", json!([])).await;
    fields["from"] = accounts[0].clone();
    fields["gas"] = json!("0xe4e1c0");
    let hash = anvil.call("eth_sendTransaction", json!([fields])).await;
    anvil.call("evm_mine", json!([])).await;
    anvil.call("eth_getTransactionReceipt", json!([hash])).await
}

/// Mines blocks without transactions.
async fn mine_empty(anvil: &Anvil, count: u64) {
    anvil.call("anvil_mine", json!([format!("{count:#x}")])).await;
}

/// Mines a block with a transaction that reads many slots. Returns its number.
async fn block_with_many_reads(anvil: &Anvil) -> u64 {
    mine_empty(anvil, 2).await;
    let runtime = READER.len();
    assert!(runtime < 256);
    let mut code = initialisation(runtime);
    code.extend_from_slice(READER);
    let receipt = mine(anvil, json!({"data": hex::encode_prefixed(code)})).await;
    let reader = receipt["contractAddress"].clone();
    let receipt = mine(anvil, json!({"to": reader})).await;
    assert_eq!(receipt["status"], "0x1");
    let gas = number(&receipt["gasUsed"]);
    assert!(gas > 21_000 + 2_100 * SLOTS as u64, "{gas}");
    number(&receipt["blockNumber"])
}

/// Code that stores all slots and then returns the `runtime` bytes after it.
fn initialisation(runtime: usize) -> Vec<u8> {
    let store = hex!("61012c5b808055600190038060035750");
    let length = u8::try_from(runtime).expect("a short code");
    let offset = u8::try_from(store.len() + 12).expect("a short code");
    let copy = [0x60, length, 0x60, offset, 0x60, 0, 0x39, 0x60, length, 0x60, 0, 0xf3];
    [&store[..], &copy[..]].concat()
}

fn number(value: &Value) -> u64 {
    let digits = value.as_str().expect("hex").trim_start_matches("0x");
    u64::from_str_radix(digits, 16).expect("hex")
}

#[tokio::test(flavor = "multi_thread")]
async fn proofs_without_a_tracer_suffice_for_a_transaction_that_reads_many_slots() {
    let Some(anvil) = Anvil::start().await else { return };
    let block = block_with_many_reads(&anvil).await.to_string();
    for has_access_lists in [true, false] {
        let proxy = Proxy::before(&anvil.url, Batches::Taken, move |method, _| {
            let is_missing = method.starts_with("debug_")
                || method == "eth_createAccessList" && !has_access_lists;
            is_missing.then_some(Err(-32601))
        });
        let (proxy, cache) = (proxy.await, cache());
        let fetched = run(&cache, &["fetch", &block, "--rpc-url", &proxy.url]).await;
        assert_code(&fetched, 0);
        assert!(!stdout(&fetched).contains("receipts only"), "{}", stdout(&fetched));
        assert_code(&run(&cache, &["verify"]).await, 0);
        let counts = proxy.counts();
        let called = counts.get("eth_createAccessList").copied().unwrap_or_default();
        assert!(called > 0, "{counts:?}");
        assert!(counts["eth_getProof"] < 30, "{counts:?}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn blocks_of_a_chain_that_was_reset_are_named_and_replaced() {
    let Some(before) = Anvil::start().await else { return };
    let Some(after) = Anvil::start().await else { return };
    let to = "0x00000000000000000000000000000000000000aa";
    for (anvil, value) in [(&before, "0x1"), (&after, "0x2")] {
        mine_empty(anvil, 2).await;
        mine(anvil, json!({"to": to, "value": value})).await;
    }
    let cache = cache();
    assert_code(&run(&cache, &["fetch", "3", "--rpc-url", &before.url]).await, 0);

    let fetched = run(&cache, &["fetch", "3", "--rpc-url", &after.url]).await;
    assert_code(&fetched, 0);
    assert!(stderr(&fetched).contains("is not of the node's chain"), "{}", stderr(&fetched));
    assert_eq!(cached(&cache), 2);
    let again = run(&cache, &["fetch", "3", "--rpc-url", &after.url]).await;
    assert!(stdout(&again).contains("already cached"), "{}", stdout(&again));

    let replaced = run(&cache, &["fetch", "3", "--overwrite", "--rpc-url", &after.url]).await;
    assert_code(&replaced, 0);
    assert!(stderr(&replaced).contains("was removed"), "{}", stderr(&replaced));
    assert_eq!(cached(&cache), 1);
    assert_code(&run(&cache, &["verify", "3"]).await, 0);

    mine_empty(&before, 3).await;
    assert_code(&run(&cache, &["fetch", "6", "--rpc-url", &before.url]).await, 0);
    let beyond = run(&cache, &["fetch", "6", "--rpc-url", &after.url]).await;
    assert_code(&beyond, 0);
    assert!(stderr(&beyond).contains("may be orphaned"), "{}", stderr(&beyond));
}

#[tokio::test(flavor = "multi_thread")]
async fn blocks_are_fetched_by_hash_hex_number_and_tag() {
    let Some(anvil) = Anvil::start().await else { return };
    mine_empty(&anvil, 80).await;
    let block = anvil.call("eth_getBlockByNumber", json!(["0x5", false])).await;
    let hash = block["hash"].as_str().expect("a hash").to_owned();
    let cache = cache();
    let blocks = format!("{hash},0x6,finalized,safe");
    assert_code(&run(&cache, &["fetch", &blocks, "--rpc-url", &anvil.url]).await, 0);
    assert!(cached(&cache) >= 3);
    assert_code(&run(&cache, &["verify", &format!("{hash},0x6")]).await, 0);

    let unknown = format!("0x{}", "ab".repeat(32));
    let refused = run(&cache, &["fetch", &unknown, "--rpc-url", &anvil.url]).await;
    assert_code(&refused, 2);
    assert!(stderr(&refused).contains("has no block 0xabab"), "{}", stderr(&refused));
}

#[tokio::test(flavor = "multi_thread")]
async fn one_failure_of_all_blocks_is_printed_once() {
    let Some(anvil) = Anvil::start().await else { return };
    mine_empty(&anvil, 9).await;
    let proxy = Proxy::before(&anvil.url, Batches::Taken, |method, _| {
        let is_state = method.starts_with("debug_") || method == "eth_getProof";
        is_state.then_some(Err(-32601))
    });
    let (proxy, cache) = (proxy.await, cache());
    let refused =
        run(&cache, &["fetch", "2-9", "--witness", "proofs", "--rpc-url", &proxy.url]).await;
    assert_code(&refused, 2);
    let said = stderr(&refused);
    assert_eq!(said.matches("error:").count(), 1, "{said}");
    assert!(said.contains("the same for 7 more blocks"), "{said}");
}

//! Tests of chain configurations, their canonical form, and their comparison.

use super::*;
use crate::evm::{Chain, UnknownRules};
use alloy_consensus::Header;
use alloy_eips::{eip7840::BlobParams, eip7910::EthConfig};
use alloy_primitives::U256;
use proptest::prelude::*;
use serde_json::{Value, json};

fn rules(config: &Value) -> Result<ChainRules, ConfigError> {
    ChainRules::from_json(config.to_string().as_bytes())
}

#[track_caller]
fn refusal(config: &Value) -> String {
    rules(config).expect_err("the configuration is refused").to_string()
}

fn chain_at(rules: &ChainRules, number: u64, timestamp: u64) -> Chain {
    let header = Header { number, timestamp, ..Header::default() };
    Chain::of_block(rules.id(), Some(rules), &header).unwrap()
}

#[track_caller]
fn fork_at(rules: &ChainRules, number: u64, timestamp: u64) -> String {
    let header = Header { number, timestamp, ..Header::default() };
    chain_at(rules, number, timestamp).fork(&header).to_string()
}

/// A development chain that crosses into Amsterdam.
fn crossing() -> Value {
    json!({
        "chainId": 1337,
        "terminalTotalDifficulty": 0,
        "shanghaiTime": 0, "cancunTime": 0, "pragueTime": 0, "osakaTime": 0,
        "bpo1Time": 50, "amsterdamTime": 100,
        "blobSchedule": {
            "cancun": { "target": 3, "max": 6, "baseFeeUpdateFraction": 3_338_477 },
            "prague": { "target": 6, "max": 9, "baseFeeUpdateFraction": 5_007_716 },
            "osaka": { "target": 6, "max": 9, "baseFeeUpdateFraction": 5_007_716 },
            "bpo1": { "target": 10, "max": 15, "baseFeeUpdateFraction": 8_346_193 },
        },
    })
}

#[test]
fn every_form_of_document_has_the_same_rules() {
    let config = crossing();
    let expected = rules(&config).unwrap();
    for document in [
        json!({ "config": config, "alloc": {}, "timestamp": "0x0" }),
        json!({ "chain": "dev", "genesis": { "config": config, "alloc": {} } }),
    ] {
        assert_eq!(rules(&document).unwrap(), expected);
    }
}

#[test]
fn numbers_have_any_usual_notation_and_keys_any_case() {
    let plain = json!({ "chainId": 7, "londonBlock": 10 });
    for other in [
        json!({ "chainId": "0x7", "londonBlock": "0xa" }),
        json!({ "chainid": "7", "LONDONBLOCK": "10" }),
        json!({ "chainId": 7, "londonBlock": 10, "shanghaiTime": null, "clique": null }),
    ] {
        assert_eq!(rules(&other).unwrap(), rules(&plain).unwrap(), "{other}");
    }
}

#[test]
fn a_later_fork_implies_the_forks_before_it() {
    let short = json!({ "chainId": 1337, "osakaTime": 0 });
    assert_eq!(fork_at(&rules(&short).unwrap(), 1, 1), "Osaka");
    let later = json!({ "chainId": 1, "berlinBlock": 5, "londonBlock": 9 });
    let later = rules(&later).unwrap();
    assert_eq!(fork_at(&later, 4, 0), "Frontier");
    assert_eq!(fork_at(&later, 5, 0), "Berlin");
    let unknown = json!({ "chainId": 1, "londonBlock": 5, "shanghaiTime": 9 });
    assert_eq!(refusal(&unknown), "terminalTotalDifficulty is missing, but shanghaiTime is set");
}

#[test]
fn forks_are_active_from_their_time_on() {
    let rules = rules(&crossing()).unwrap();
    for (time, fork) in [(49, "Osaka"), (50, "Bpo1"), (99, "Bpo1"), (100, "Amsterdam")] {
        assert_eq!(fork_at(&rules, 1, time), fork);
    }
    assert_eq!(rules.to_string().split(", ").nth(1), Some("up to Amsterdam at time 100"));
}

#[test]
fn blob_parameters_follow_the_activation_and_not_the_name() {
    let mut config = crossing();
    config["bpo2Time"] = json!(200);
    config["blobSchedule"]["bpo2"] =
        json!({ "target": 14, "max": 21, "baseFeeUpdateFraction": 11_684_671 });
    let rules = rules(&config).unwrap();
    for (timestamp, expected) in [
        (49, BlobParams::osaka()),
        (50, BlobParams::bpo1()),
        (100, BlobParams::bpo1()),
        (200, BlobParams::bpo2()),
    ] {
        let header = Header { timestamp, ..Header::default() };
        let found = chain_at(&rules, 0, timestamp).blob_params(&header);
        assert_eq!(found, Some(expected), "at {timestamp}");
    }
}

#[test]
fn the_merge_is_told_by_the_header_if_only_its_total_difficulty_is_known() {
    let config = json!({
        "chainId": 1, "londonBlock": 0, "terminalTotalDifficulty": "58750000000000000000000",
    });
    let rules = rules(&config).unwrap();
    let of = |difficulty| {
        let header = Header { number: 5, difficulty: U256::from(difficulty), ..Header::default() };
        Chain::of_block(1, Some(&rules), &header).unwrap().fork(&header).to_string()
    };
    assert_eq!((of(0), of(131_072)), ("Paris".to_owned(), "London".to_owned()));
}

#[test]
fn contradictions_and_unknown_rules_are_named() {
    let with = |key: &str, value: Value| {
        let mut config = crossing();
        config[key] = value;
        config
    };
    let mut no_blobs = crossing();
    no_blobs["blobSchedule"].as_object_mut().unwrap().remove("bpo1");
    let mut no_id = crossing();
    no_id.as_object_mut().unwrap().remove("chainId");
    for (config, expected) in [
        (no_id, "its configuration has no chainId"),
        (json!({ "nonce": "0x0" }), "it holds no chain configuration"),
        (with("fooTime", json!(5)), "it sets fooTime, but a fork of that name is not known"),
        (with("bogotaTime", json!(5)), "it sets bogotaTime, but"),
        (with("fooBlock", json!(5)), "it sets fooBlock, but"),
        (with("osakaTime", json!(60)), "bpo1Time is 50, before osakaTime, which is 60"),
        (with("amsterdamTime", json!(-1)), "amsterdamTime is not a whole number"),
        (with("eip155Block", json!(3)), "byzantiumBlock is 0, before eip155Block, which is 3"),
        (no_blobs, "blobSchedule has no entry for bpo1, but bpo1Time is set"),
        (with("contractSizeLimit", json!(9)), "it sets contractSizeLimit, which changes the rules"),
        (with("depositContractAddress", json!("0x12")), "depositContractAddress is not an address"),
        (with("constantinopleBlock", json!(0)), ""),
        (
            json!({ "chainId": 1, "constantinopleBlock": 0, "petersburgBlock": 9 }),
            "petersburgBlock is not",
        ),
        (
            json!({ "chainId": 1, "eip155Block": 3, "eip158Block": 4 }),
            "eip155Block and eip158Block differ",
        ),
        (json!({ "chainId": 1, "londonBlock": 0, "clique": {} }), "it sets clique"),
    ] {
        match expected {
            "" => assert!(rules(&config).is_ok(), "{config}"),
            expected => {
                let found = refusal(&config);
                assert!(found.starts_with(expected), "{found}");
            }
        }
    }
}

#[test]
fn blob_parameters_that_divide_by_zero_are_refused() {
    for (target, max, fraction) in [(7, 6, 1), (0, 0, 1), (3, 6, 0), (3, 1_u64 << 40, 1)] {
        let mut config = crossing();
        config["blobSchedule"]["bpo1"] =
            json!({ "target": target, "max": max, "baseFeeUpdateFraction": fraction });
        let found = refusal(&config);
        assert!(found.starts_with("the entry of bpo1 in blobSchedule is wrong"), "{found}");
    }
}

#[test]
fn equal_rules_have_one_encoding_and_decode_to_themselves() {
    let [one, other] = [crossing(), json!({ "config": crossing(), "difficulty": "0x1" })];
    let [one, other] = [one, other].map(|config| rules(&config).unwrap());
    assert_eq!((one.encode(), one.digest()), (other.encode(), other.digest()));
    let merged_later = json!({ "chainId": 1, "londonBlock": 0, "terminalTotalDifficulty": "9" });
    let known = [1, 11_155_111, 17_000, 560_048, 7_091_047_534, 31_337]
        .map(|id| ChainRules::known(id).unwrap());
    for rules in [one, rules(&merged_later).unwrap()].into_iter().chain(known) {
        assert_eq!(ChainRules::decode(&rules.encode()).unwrap(), rules, "{rules}");
    }
}

#[test]
fn stored_rules_in_another_form_are_refused() {
    let encoded = String::from_utf8(rules(&crossing()).unwrap().encode()).unwrap();
    assert!(encoded.starts_with(r#"{"amsterdamTime":100,"berlinBlock":0,"blobSchedule":{"#));
    for other in [encoded.replace(':', ": "), encoded.replace("100", "\"100\"")] {
        let error = ChainRules::decode(other.as_bytes()).unwrap_err();
        assert!(matches!(error, ConfigError::NotCanonical), "{error}");
    }
}

#[test]
fn the_published_configuration_of_a_test_network_agrees_with_its_id() {
    // It has no entry for Osaka, whose blob parameters are Prague's.
    let published = rules(&json!({ "config": {
        "chainId": 11_155_111,
        "homesteadBlock": 0, "eip150Block": 0, "eip155Block": 0, "eip158Block": 0,
        "byzantiumBlock": 0, "constantinopleBlock": 0, "petersburgBlock": 0, "istanbulBlock": 0,
        "berlinBlock": 0, "londonBlock": 0, "mergeNetsplitBlock": 1_735_371,
        "terminalTotalDifficulty": 17_000_000_000_000_000_u64,
        "terminalTotalDifficultyPassed": true,
        "shanghaiTime": 1_677_557_088, "cancunTime": 1_706_655_072, "pragueTime": 1_741_159_776,
        "osakaTime": 1_760_427_360, "bpo1Time": 1_761_017_184, "bpo2Time": 1_761_607_008,
        "amsterdamTime": 1_791_294_816,
        "blobSchedule": {
            "cancun": blobs(3, 6, 3_338_477), "prague": blobs(6, 9, 5_007_716),
            "bpo1": blobs(10, 15, 8_346_193), "bpo2": blobs(14, 21, 11_684_671),
        },
        "depositContractAddress": "0x7f02C3E3c98b133055B8B348B2Ac625669Ed295D",
    } }));
    let known = ChainRules::known(11_155_111).unwrap();
    assert_eq!(known.clone().agreed(&published.unwrap()), Ok(known));
}

#[test]
fn a_known_chain_agrees_with_its_configuration_and_takes_later_forks_from_it() {
    let known = ChainRules::known(560_048).unwrap();
    let mut config: Value = serde_json::from_slice(&known.encode()).unwrap();
    assert_eq!(known.clone().agreed(&rules(&config).unwrap()).unwrap(), known);
    config["amsterdamTime"] = json!(1_900_000_000);
    let agreed = known.clone().agreed(&rules(&config).unwrap()).unwrap();
    assert_eq!(fork_at(&agreed, 1, 1_900_000_000), "Amsterdam");
    config["pragueTime"] = json!(1_742_999_833);
    let error = known.agreed(&rules(&config).unwrap()).unwrap_err().to_string();
    let expected =
        "chain 560048 has Prague at time 1742999832, but the node states time 1742999833";
    assert_eq!(error, expected);
}

/// An answer to `eth_config`, as of a node of Hoodi in Prague.
fn eth_config(since: u64, blobs: Value, contracts: &[(&str, &str)]) -> CurrentRules {
    let mut answer = json!({ "current": {
        "activationTime": since,
        "blobSchedule": blobs,
        "chainId": "0x88bb0",
        "forkId": "0x0929e24e",
        "precompiles": { "ECREC": "0x0000000000000000000000000000000000000001" },
        "systemContracts": {
            "BEACON_ROOTS_ADDRESS": "0x000f3df6d732807ef1319fb7b8bb8522d0beac02",
            "HISTORY_STORAGE_ADDRESS": "0x0000f90827f1c53a10cb7a02335b175320002935",
        },
    }, "next": null, "last": null });
    for (group, name) in contracts {
        answer["current"][group][name] = json!("0x0000000000000000000000000000000000000100");
    }
    let answer: EthConfig = serde_json::from_value(answer).unwrap();
    CurrentRules::from_eth_config(&answer).unwrap()
}

fn blobs(target: u64, max: u64, fraction: u64) -> Value {
    json!({ "target": target, "max": max, "baseFeeUpdateFraction": fraction })
}

const OSAKA: (&str, &str) = ("precompiles", "P256VERIFY");
const AMSTERDAM: (&str, &str) = ("systemContracts", "BUILDER_DEPOSIT_CONTRACT_ADDRESS");

#[test]
fn the_present_fork_alone_has_rules_from_its_activation_on() {
    let current = eth_config(1_742_999_832, blobs(6, 9, 5_007_716), &[]);
    let rules = current.into_rules();
    assert_eq!(fork_at(&rules, 9, 1_742_999_832), "Prague");
    let older = Header { number: 8, timestamp: 1_742_999_831, ..Header::default() };
    let error = Chain::of_block(560_048, Some(&rules), &older).unwrap_err();
    assert!(matches!(error, UnknownRules::Older { number: 8, .. }), "{error}");
    assert_eq!(ChainRules::decode(&rules.encode()).unwrap(), rules);
}

#[test]
fn contracts_tell_the_present_fork() {
    let fork = |contracts| {
        let current = eth_config(5, blobs(6, 9, 5_007_716), contracts);
        fork_at(&current.into_rules(), 1, 5)
    };
    assert_eq!(fork(&[]), "Prague");
    assert_eq!(fork(&[OSAKA]), "Osaka");
    assert_eq!(fork(&[OSAKA, AMSTERDAM]), "Amsterdam");
}

#[test]
fn a_known_chain_agrees_with_its_present_fork_and_takes_a_later_one() {
    let hoodi = || ChainRules::known(560_048).unwrap();
    let bpo2 = blobs(14, 21, 11_684_671);
    for (since, blobs, contracts) in
        [(1_742_999_832, blobs(6, 9, 5_007_716), &[][..]), (1_762_955_544, bpo2.clone(), &[OSAKA])]
    {
        let current = eth_config(since, blobs, contracts);
        assert_eq!(hoodi().agreed_with_current(&current), Ok(hoodi()));
    }
    for (contracts, fork) in [(&[OSAKA][..], "Bpo3"), (&[OSAKA, AMSTERDAM], "Amsterdam")] {
        let current = eth_config(1_800_000_000, blobs(20, 30, 16_000_000), contracts);
        let agreed = hoodi().agreed_with_current(&current).unwrap();
        assert_eq!(fork_at(&agreed, 1, 1_800_000_000), fork);
        assert_eq!(fork_at(&agreed, 1, 1_799_999_999), "Bpo2");
    }
    for (since, blobs) in
        [(1_762_955_545, bpo2), (1_762_955_544, blobs(1, 2, 3)), (0, blobs(6, 9, 5_007_716))]
    {
        let current = eth_config(since, blobs, &[]);
        let error = hoodi().agreed_with_current(&current).unwrap_err().to_string();
        assert!(error.starts_with("chain 560048 has Prague at time 1742999832"), "{error}");
        assert!(error.contains(&format!("the rules of Prague from time {since} on")), "{error}");
    }
}

#[test]
fn the_name_of_a_development_nodes_fork_is_enough() {
    let rules = CurrentRules::of_fork(1337, "Osaka", None).unwrap().into_rules();
    assert_eq!((rules.id(), fork_at(&rules, 1, 1)), (1337, "Osaka".to_owned()));
    assert!(matches!(CurrentRules::of_fork(1337, "Verkle", None), Err(ConfigError::NoFork)));
}

proptest! {
    #[test]
    fn any_bytes_are_read_or_refused(document: Vec<u8>) {
        let _ = ChainRules::from_json(&document);
    }

    #[test]
    fn a_changed_configuration_is_refused_or_has_an_encoding(at: prop::sample::Index, byte in 0x20..0x7f_u8) {
        let mut document = crossing().to_string().into_bytes();
        let at = at.index(document.len());
        document[at] = byte;
        if let Ok(rules) = ChainRules::from_json(&document) {
            prop_assert_eq!(ChainRules::decode(&rules.encode()).unwrap(), rules);
        }
    }
}

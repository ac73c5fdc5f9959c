//! Tests the output formats with a small analysis.

use super::*;
use crate::{
    insight::{Bounds, HotSpot, NodeCount, Ordered, OrderedCost, Place, StorageWork},
    report::{Detail, Layout, testing},
};
use alloy_primitives::{Address, U256, address};
use serde_json::{Value, json};
use std::time::Duration;

fn threads(count: usize) -> NonZeroUsize {
    NonZeroUsize::new(count).expect("the count is not zero")
}

fn bounds(on: usize, fields: f64) -> Bounds {
    let (accounts, accounts_deferred) = (fields / 2.0, fields / 1.5);
    let threads = threads(on);
    Bounds {
        threads,
        independent: on as f64,
        fields,
        when_ready: fields,
        in_order: fields,
        accounts,
        accounts_deferred,
    }
}

fn hot_spot(place: Place, bound_without: f64) -> HotSpot {
    let path_time = Duration::from_micros(900);
    HotSpot { place, pairs: 3, path_time, bound_without: Some(bound_without) }
}

fn analysis() -> Analysis {
    let weth = address!("0xc02aaa39b223fe8d0a0e5c4f27ead9083c756cc2");
    let slot = Place::Slot(weth, U256::MAX);
    Analysis {
        total: Duration::from_millis(4),
        outside: Duration::from_micros(200),
        longest_transaction: Duration::from_millis(1),
        critical_path: Duration::from_millis(2),
        gas: 3_000,
        critical_path_gas: 2_000,
        longest_chain: 4,
        independent: 6,
        dependencies: vec![(0, 1), (1, 2), (2, 3), (0, 4), (4, 5)],
        bounds: vec![bounds(2, 1.75), bounds(8, 2.0)],
        ordered: Ordered::ALL
            .map(|ordered| OrderedCost {
                ordered,
                pairs: 7,
                critical_path: Duration::from_millis(3),
            })
            .to_vec(),
        contracts: vec![hot_spot(Place::Account(weth), 2.5)],
        fields: vec![hot_spot(slot, 2.5)],
    }
}

/// A state root that takes as long as the execution.
fn root() -> RootWork {
    let storage = StorageWork {
        address: Address::repeat_byte(0xaa),
        slots: 3,
        nodes: NodeCount { count: 7, bytes: 2_048 },
    };
    RootWork {
        time: analysis().total + analysis().outside,
        nodes: NodeCount { count: 20, bytes: 10_240 },
        storage_tries: vec![storage],
    }
}

fn report(blocks: usize) -> AnalysisReport {
    let facts = BlockFacts { transactions: 8, ..testing::baseline().block };
    let block =
        AnalysedBlock { facts, analysis: analysis(), root: Some(root()), transactions: vec![] };
    AnalysisReport {
        provenance: testing::provenance(),
        machine: testing::report().machine,
        settings: AnalysisSettings {
            threads: vec![threads(2), threads(8)],
            runs: NonZeroU32::MIN,
            blocks: "19426587".to_owned(),
            command: "blockrace analyze 19426587 --threads 2,8 --iterations 1".to_owned(),
        },
        blocks: vec![block; blocks],
        failures: testing::report().failures,
    }
}

fn text(report: &AnalysisReport, write: fn(&AnalysisReport, &mut Vec<u8>) -> bool) -> String {
    let mut out = Vec::new();
    assert!(write(report, &mut out), "writing to memory does not fail");
    String::from_utf8(out).expect("the output is UTF-8")
}

fn table(report: &AnalysisReport) -> String {
    const LAYOUT: Layout = Layout { detail: Detail::Blocks, width: 100 };
    text(report, |report, out| table::write(report, LAYOUT, out).is_ok())
}

#[test]
fn a_field_is_the_worst_hot_spot_unless_its_contract_raises_the_bound_more() {
    let mut analysis = analysis();
    assert_eq!(analysis.worst(), analysis.fields.first());
    analysis.contracts[0].bound_without = Some(2.6);
    assert_eq!(analysis.worst(), analysis.contracts.first());
    analysis.bounds = vec![bounds(8, 2.6)];
    assert_eq!(analysis.worst(), None);
}

#[test]
fn the_csv_has_a_column_for_each_kind_of_bound_and_number_of_threads() {
    let csv = text(&report(1), |report, out| csv::write(report, out).is_ok());
    let mut reader = ::csv::Reader::from_reader(csv.as_bytes());
    let header = reader.headers().expect("the CSV has a header").clone();
    let line =
        reader.records().next().expect("the CSV has a line").expect("the line is well-formed");
    let column = |name| {
        let place = header.iter().position(|column| column == name);
        line[place.unwrap_or_else(|| panic!("{name} must be a column"))].to_owned()
    };
    assert_eq!(column("bound_fields_2"), "1.75");
    assert_eq!(column("bound_accounts_8"), "1");
    assert_eq!(column("parallelism"), "2");
    assert_eq!(column("parallelism_gas"), "1.5");
    assert_eq!(column("independent_share"), "0.75");
    assert_eq!(column("worst_kind"), "slot");
    assert_eq!(column("bound_without_worst"), "2.5");
    assert_eq!(column("root_share"), "0.5");
}

#[test]
fn the_json_has_full_addresses_and_keys_of_hot_spots() {
    let json = text(&report(1), |report, out| json::write(report, out).is_ok());
    let document: Value = serde_json::from_str(&json).expect("the output is JSON");
    let block = &document["blocks"][0];
    assert_eq!(
        block["fields"][0],
        json!({
            "kind": "slot",
            "address": "0xC02aaA39b223FE8D0A0e5C4F27eAD9083C756Cc2",
            "name": "WETH",
            "slot": "0xffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff",
            "pairs": 3,
            "path_ns": 900_000,
            "bound_without": 2.5,
        })
    );
    assert_eq!(block["bounds"][1]["threads"], 8);
    assert_eq!(block["in_order"][0]["what"], "beneficiary");
    assert_eq!(block["root_bytes"], 10_240);
    assert_eq!(
        block["storage_tries"],
        json!([{ "address": Address::repeat_byte(0xaa).to_checksum(None), "name": null,
                 "slots": 3, "nodes": 7, "bytes": 2_048 }])
    );
    assert_eq!(document["failures"][0]["block_number"], 19_426_588);
}

#[test]
fn the_table_shows_hot_spots_per_block_for_few_blocks_only() {
    let one = table(&report(1));
    assert!(one.contains("Without WETH slot 0xffffff…ffff the bound would rise most"), "{one}");
    assert!(!one.contains("medians by fork"), "{one}");
    let unfolded = one.replace('\n', " ");
    assert!(
        unfolded.contains("50 % of execution and root on one thread; 20 nodes, 10 KiB"),
        "{one}"
    );
    assert!(unfolded.contains("(3 slots, 2 KiB)"), "{one}");
    let many = table(&report(5));
    assert!(many.contains("medians by fork") && many.contains("hottest contracts"), "{many}");
    assert!(!many.contains("Without WETH"), "{many}");
    for text in [&one, &many] {
        assert!(text.contains("not analysed: block 19426588"), "{text}");
        assert!(text.lines().all(|line| line.chars().count() <= 100), "{text}");
    }
}

fn page(report: &AnalysisReport) -> String {
    text(report, |report, out| html::write(report, out).is_ok())
}

#[test]
fn the_page_shows_the_bounds_and_every_block() {
    let mut report = report(1);
    report.machine.cpu_model = "<script>".to_owned();
    let page = page(&report);
    let place = |words: &str| page.find(words).unwrap_or_else(|| panic!("the page lacks {words}"));
    let order = [
        place("On 8 threads, 1 block allows a speedup of 2.00; 1.00 if"),
        place("not analysed: block 19426588"),
        place("Bound against threads"),
        place("Bound of each block"),
        place(r##"href="#block-19426587-0x"##),
        place(r#"id="block-19426587-0x"#),
        place("Without WETH slot 0xffffff…ffff the bound would rise most: from 2.00 to 2.50."),
        place("Block 19426587: dependencies between transactions"),
        place("blockrace analyze 19426587 --threads 2,8 --iterations 1"),
        place("<dd>&lt;script&gt;"),
    ];
    assert!(order.is_sorted(), "{order:?}");
    testing::assert_self_contained(&page);
}

#[test]
fn the_page_of_a_thousand_blocks_draws_those_with_the_smallest_bounds() {
    let mut report = report(1_000);
    for (number, block) in report.blocks.iter_mut().enumerate() {
        block.facts.number = number as u64;
        block.facts.hash.0[..8].copy_from_slice(&u64::to_be_bytes(number as u64));
        block.analysis.bounds = vec![bounds(2, 1.9), bounds(8, 7.0 - number as f64 / 200.0)];
    }
    let page = page(&report);
    let drawn = page.matches("<h3>Block ").count();
    assert_eq!(drawn, 50);
    assert!(page.contains("<h3>Block 999: dep") && !page.contains("<h3>Block 949: dep"));
    assert!(page.contains("The chart shows the 100 blocks with the smallest bounds, of 1000."));
}

#[test]
fn an_analysis_without_blocks_is_a_valid_page() {
    let page = page(&report(0));
    assert!(page.contains("not analysed: block 19426588"), "{page}");
    assert!(!page.contains("a speedup of"), "{page}");
}

#[test]
fn a_block_without_transactions_has_no_bound() {
    let mut report = report(1);
    let empty =
        Analysis { total: Duration::ZERO, critical_path: Duration::ZERO, gas: 0, ..analysis() };
    report.blocks[0].analysis = Analysis {
        critical_path_gas: 0,
        bounds: vec![],
        contracts: vec![],
        fields: vec![],
        ..empty
    };
    report.blocks[0].facts.transactions = 0;
    let line = table(&report).lines().find(|line| line.contains("19426587  ")).map(str::to_owned);
    let line = line.expect("the block has a line");
    let cells: Vec<_> = line.split_whitespace().rev().take(3).collect();
    assert_eq!(cells, ["-"; 3], "bounds of the block");
}

#[test]
fn every_document_conforms_to_the_schema() {
    let validator = testing::validator(include_str!("../../../data/analyze.schema.json"));
    for blocks in [0, 2] {
        let text = text(&report(blocks), |report, out| json::write(report, out).is_ok());
        let document = serde_json::from_str(&text).expect("the output is JSON");
        testing::assert_valid(&validator, &document);
    }
}

use super::{
    parquet::{Metadata, TableColumns, TableFile},
    *,
};
use crate::report::{Report, Row, json, testing, verification::VerifiedBlock};
use std::{collections::BTreeSet, io::Seek as _, time::Duration};

const MACHINE: &str = "0123456789abcdef";

/// The results of the blocks of a report.
fn results(report: &Report) -> Vec<BlockResult> {
    let blocks = crate::report::by_block(&report.rows);
    let result = |rows: Vec<&Row>| {
        let number = rows[0].block.number;
        let rows: Vec<_> = rows.into_iter().cloned().collect();
        let of = |of: u64| of == number;
        let checks: Vec<_> =
            report.self_checks.iter().filter(|row| of(row.number)).cloned().collect();
        let profiled: Vec<_> =
            report.profiled.iter().filter(|run| of(run.number)).cloned().collect();
        let preparation = report.preparation.iter().find(|row| of(row.number));
        let preparation = preparation.copied().unwrap_or_default();
        let raced = RacedBlock {
            rows: &rows,
            self_checks: &checks,
            preparation: &preparation,
            profiled: &profiled,
        };
        BlockResult::of_race(raced, MACHINE).unwrap().unwrap()
    };
    blocks.into_iter().map(result).collect()
}

/// The file of a table, read back.
fn read_back(table: &'static Table, blocks: &[BlockResult]) -> TableFile {
    let mut columns = TableColumns::new(table);
    blocks.iter().for_each(|block| columns.append(block).unwrap());
    let mut file = tempfile::tempfile().unwrap();
    let metadata = Metadata::from([("settings_digest".to_owned(), "0x12".to_owned())]);
    columns.write(&metadata, &mut file).unwrap();
    file.rewind().unwrap();
    TableFile::open(file).unwrap()
}

#[test]
fn every_field_is_a_column_and_every_column_a_field() {
    let blocks = results(&testing::full_report());
    for table in TableSet::Races.tables() {
        let columns: BTreeSet<_> = table.columns.iter().map(|column| column.name).collect();
        let mut fields = BTreeSet::new();
        for row in blocks.iter().flat_map(|block| &block.tables[table.name]) {
            fields.extend(row.keys().map(String::as_str));
        }
        assert!(fields.is_subset(&columns), "{}: {fields:?}", table.name);
        let missing: Vec<_> = columns.difference(&fields).collect();
        assert!(missing.is_empty(), "{}: {missing:?}", table.name);
    }
}

#[test]
fn the_rows_of_a_parquet_file_are_those_of_the_blocks() {
    let blocks = results(&testing::full_report());
    for table in TableSet::Races.tables() {
        let file = read_back(table, &blocks);
        assert_eq!(file.metadata["table"], table.name);
        assert_eq!(file.metadata["settings_digest"], "0x12");
        assert_eq!(file.metadata["schema_version"], SCHEMA_VERSION.to_string());
        let rows = file.rows().unwrap();
        let expected = blocks.iter().flat_map(|block| {
            block.tables[table.name].iter().map(|row| {
                let mut row = row.clone();
                for (column, value) in BLOCK_COLUMNS.iter().zip(block.block_values()) {
                    row.insert(column.name.to_owned(), value);
                }
                for column in table.columns {
                    row.entry(column.name).or_insert(Value::Null);
                }
                row
            })
        });
        assert_eq!(rows, expected.collect::<Vec<_>>(), "{}", table.name);
    }
}

#[test]
fn a_race_is_the_same_after_it_was_stored() {
    let report = testing::full_report();
    let blocks = results(&report);
    let mut rows = Vec::new();
    for block in &blocks {
        let line = serde_json::to_vec(block).unwrap();
        let again: BlockResult = serde_json::from_slice(&line).unwrap();
        assert_eq!(&again, block);
        rows.extend(again.race_rows().unwrap().rows);
    }
    let sorted = |rows: &[Row]| {
        let mut rows: Vec<_> = rows.iter().map(|row| format!("{row:?}")).collect();
        rows.sort();
        rows
    };
    assert_eq!(sorted(&rows), sorted(&report.rows));
}

#[test]
fn the_json_of_a_race_has_the_same_results() {
    let report = testing::full_report();
    let mut text = Vec::new();
    json::write(&report, &mut text).unwrap();
    let document = RaceDocument::read(&text).unwrap();
    assert_eq!(document.settings, report.settings);
    assert_eq!(document.machine, report.machine);
    let mut blocks = results(&report);
    blocks.sort_by_key(|block| block.block_number);
    assert_eq!(document.blocks.len(), blocks.len());
    for (read, block) in document.blocks.iter().zip(&blocks) {
        let (read, block) = (read.race_rows().unwrap(), block.race_rows().unwrap());
        let without_header = |row: &Row| {
            let mut row = row.clone();
            (row.block.timestamp, row.block.gas_limit) = (0, 0);
            row
        };
        assert_eq!(read.rows, block.rows.iter().map(without_header).collect::<Vec<_>>());
        assert_eq!(read.self_checks, block.self_checks);
        assert_eq!(read.profiled, block.profiled);
    }
}

#[test]
fn a_verdict_is_a_row_with_the_times_of_the_steps() {
    let steps = ["decode", "senders", "witness", "flatten", "execute", "root", "check"];
    let block = VerifiedBlock {
        facts: testing::baseline().block,
        rules: None,
        verdict: crate::verify::Verdict::Match,
        verified_to: crate::verify::VerifiedTo::StateRoot,
        times: steps.map(|step| (step, Duration::from_nanos(7))).to_vec(),
    };
    let result = BlockResult::of_verdict(&block).unwrap();
    let [table] = TableSet::Verdicts.tables() else { panic!("there is one table") };
    let rows = read_back(table, &[result]).rows().unwrap();
    assert_eq!(rows[0]["verdict"], "match");
    assert_eq!(rows[0]["root_ns"], 7);
    assert_eq!(rows[0]["gas_limit"], 30_000_000);
    assert_eq!(rows[0]["what"], Value::Null);
}

//! The Parquet files of `--output`, read by DuckDB: types, nulls, rows, and the queries of docs/formats.md.

#![cfg(unix)]

use crate::support::{assert_code, blockrace, cached_sample};
use blockrace::{
    report::tables::{BlockResult, Column, Kind, TableRow, TableSet},
    session::MergeSource,
};
use serde::Deserialize;
use serde_json::Value;
use std::{
    collections::BTreeMap,
    env,
    io::Write as _,
    path::Path,
    process::{Command, Stdio},
};
use tempfile::TempDir;

/// The folder into which `pip install --target target/duckdb duckdb` puts its packages.
const PACKAGES: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/target/duckdb");

const PROGRAM: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/programs/duckdb_queries.py");

const QUERIES: &str = include_str!("../../docs/formats.md");

/// The folders that the queries name, with the commands that write them.
const OUTPUTS: [(&str, TableSet, &[&str]); 3] = [
    ("verified", TableSet::Verdicts, &["verify"]),
    ("analysis", TableSet::Analyses, &["analyze", "--iterations", "1", "--threads", "2,4"]),
    (
        "out",
        TableSet::Races,
        &[
            "replay",
            "--executors",
            "block-stm,bal",
            "--threads",
            "1,2",
            "--iterations",
            "2",
            "--warmup",
            "0",
        ],
    ),
];

const BLOCKS: usize = 5;

/// The result of a query.
#[derive(Debug, Deserialize)]
struct Found {
    /// Names and types.
    columns: Vec<(String, String)>,
    rows: Vec<Vec<Value>>,
}

impl Found {
    /// The only value of the result.
    fn value(&self) -> &Value {
        &self.rows[0][0]
    }

    /// The rows, by the names of their columns.
    fn named(&self) -> Vec<BTreeMap<&str, &Value>> {
        let names = || self.columns.iter().map(|(name, _)| name.as_str());
        self.rows.iter().map(|row| names().zip(row).collect()).collect()
    }
}

/// Whether Python finds DuckDB. Without it, a test prints a notice and passes. If `BLOCKRACE_REQUIRE_DUCKDB` is set, it fails.
fn is_installed() -> bool {
    let imported = python().args(["-c", "import duckdb"]).stderr(Stdio::null()).status();
    if imported.is_ok_and(|status| status.success()) {
        return true;
    }
    assert!(env::var_os("BLOCKRACE_REQUIRE_DUCKDB").is_none(), "no DuckDB in {PACKAGES}");
    eprintln!(
        "SKIPPED: no DuckDB; run python3 -m pip install --target target/duckdb duckdb==2.0.1"
    );
    false
}

fn python() -> Command {
    let mut command = Command::new("python3");
    command.env("PYTHONPATH", PACKAGES);
    command
}

/// Runs queries in a folder.
fn query(folder: &Path, queries: &[String]) -> Vec<Found> {
    let mut command = python();
    command.arg(PROGRAM).current_dir(folder).stdin(Stdio::piped()).stdout(Stdio::piped());
    let mut process = command.spawn().expect("Python starts");
    let text = serde_json::to_vec(queries).expect("it is JSON");
    let mut stdin = process.stdin.take().expect("it is piped");
    stdin.write_all(&text).expect("the program reads it");
    drop(stdin);
    let output = process.wait_with_output().expect("the test owns it");
    assert!(output.status.success(), "{queries:#?}");
    serde_json::from_slice(&output.stdout).expect("it is JSON")
}

/// The outputs of the three commands, and what this crate reads from them.
fn outputs() -> (TempDir, Vec<Vec<BlockResult>>) {
    let folder = tempfile::tempdir().expect("a temporary folder");
    cached_sample(folder.path(), BLOCKS);
    let written = OUTPUTS.map(|(name, set, words)| {
        let output = folder.path().join(name);
        let path = output.display().to_string();
        assert_code(&blockrace(folder.path(), &[words, &["--output", &path]].concat()), 0);
        match MergeSource::read(&output).expect("it is an output") {
            MergeSource::Blocks(content) => content.blocks,
            MergeSource::Races(parts) => {
                assert_eq!(set, TableSet::Races);
                parts.into_iter().flat_map(|part| part.blocks).collect()
            }
        }
    });
    (folder, written.into())
}

/// All rows of a table.
fn rows<'a>(blocks: &'a [BlockResult], table: &str) -> Vec<&'a TableRow> {
    blocks.iter().filter_map(|block| block.tables.get(table)).flatten().collect()
}

const fn kind(column: &Column) -> &'static str {
    match column.kind {
        Kind::Whole => "UBIGINT",
        Kind::Decimal => "DOUBLE",
        Kind::Text => "VARCHAR",
    }
}

#[test]
fn types_nulls_and_rows_are_those_of_the_tables() {
    if !is_installed() {
        return;
    }
    let (folder, written) = outputs();
    for ((name, set, _), blocks) in OUTPUTS.iter().zip(&written) {
        for table in set.tables() {
            let files = format!("'{name}/{}/*/*.parquet'", table.name);
            let [all, ids] = <[Found; 2]>::try_from(query(
                folder.path(),
                &[
                    format!("SELECT * FROM {files}"),
                    format!("SELECT count(DISTINCT block_hash), min(block_number) FROM {files}"),
                ],
            ))
            .expect("a result for each query");
            let expected =
                table.columns().map(|column| (column.name.to_owned(), kind(column).to_owned()));
            assert_eq!(all.columns, expected.collect::<Vec<_>>(), "{files}");
            let own = rows(blocks, table.name);
            assert_eq!(all.rows.len(), own.len(), "{files}");
            for column in table.columns().filter(|column| !column.nullable) {
                let rows = all.named();
                assert!(
                    rows.iter().all(|row| !row[column.name].is_null()),
                    "{files} {}",
                    column.name
                );
            }
            // A null is where a row of this crate has none, and nowhere else.
            for column in table.columns().skip(3) {
                let nulls = |is_null: &dyn Fn(usize) -> bool| {
                    (0..own.len()).filter(|at| is_null(*at)).count()
                };
                let found = nulls(&|at| all.named()[at][column.name].is_null());
                let here = nulls(&|at| own[at].get(column.name).is_none_or(Value::is_null));
                assert_eq!(found, here, "{files} {}", column.name);
            }
            if table.name == set.tables()[0].name {
                assert_eq!(ids.value(), BLOCKS, "{files}");
            }
        }
    }
}

/// The queries of the document, in their order.
fn documented() -> Vec<String> {
    let blocks = QUERIES.split("```sql\n").skip(1);
    blocks.filter_map(|block| block.split("```").next()).map(str::to_owned).collect()
}

fn number(value: &Value) -> f64 {
    value
        .as_f64()
        .unwrap_or_else(|| value.as_str().and_then(|text| text.parse().ok()).expect("a number"))
}

#[test]
fn each_query_of_the_document_has_the_answer_that_the_rows_give() {
    if !is_installed() {
        return;
    }
    let (folder, written) = outputs();
    let [_, analysis, races] = &written[..] else { panic!("there are three outputs") };
    let found = query(folder.path(), &documented());
    let [by_month, worst, contracts, independent, forks] = &found[..] else {
        panic!("the document has {} queries", found.len());
    };

    let results = rows(races, "results");
    let speedups = |executor: &str, threads: u64| {
        let own = results
            .iter()
            .filter(move |row| row["executor"] == executor && row["threads"] == threads);
        own.filter_map(|row| row.get("speedup")?.as_f64()).collect::<Vec<_>>()
    };
    // The sample is of one month. The baseline is a row, with a speedup of 1.
    assert_eq!(by_month.rows.len(), 5, "{by_month:?}");
    for row in by_month.named() {
        let executor = row["executor"].as_str().expect("a name");
        let own = speedups(executor, row["threads"].as_u64().expect("a number"));
        let mean = own.iter().map(|value| value.ln()).sum::<f64>() / own.len() as f64;
        assert!((number(row["speedup"]) / mean.exp() - 1.0).abs() < 1e-9, "{row:?} {own:?}");
        assert_eq!(row["blocks"], &Value::from(BLOCKS));
    }

    let speedups: Vec<_> = worst.named().iter().map(|row| number(row["speedup"])).collect();
    assert_eq!(speedups.len(), 2 * BLOCKS, "a block has a row for each number of threads");
    assert!(speedups.is_sorted(), "{speedups:?}");

    let hot: Vec<_> =
        rows(analysis, "conflicts").into_iter().filter(|row| row["scope"] == "contract").collect();
    let costs: Vec<_> = contracts.named().iter().map(|row| number(row["path_s"])).collect();
    assert!(costs.is_sorted_by(|a, b| a >= b) && !costs.is_empty(), "{costs:?}");
    let addresses: std::collections::BTreeSet<_> =
        hot.iter().map(|row| row["address"].to_string()).collect();
    assert_eq!(costs.len(), addresses.len().min(20));

    let counted: f64 = independent.named().iter().map(|row| number(row["transactions"])).sum();
    assert_eq!(counted as usize, rows(analysis, "transactions").len());
    assert!(
        independent.named().iter().all(|row| (0.0..=1.0).contains(&number(row["independent"])))
    );

    let row = &forks.named()[0];
    assert_eq!(
        (forks.rows.len(), number(row["blocks"]), number(row["wrong"])),
        (1, BLOCKS as f64, 0.0)
    );
    assert!(number(row["execute_s"]) > 0.0, "{row:?}");
}

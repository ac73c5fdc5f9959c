//! `blockrace cache list`: prints the contents and the size of every cached block.

use super::{Context, Outcome, blocks, counted, of_block, print_errors, report_missing};
use crate::{
    block::{BlockId, RecordedBlock, RecordedState, Witness},
    cli::CachedBlocks,
    output::print,
    progress::Progress,
    report::{
        Detail,
        grid::{self, Column},
    },
    session::CachedSelection,
    units,
    verify::VerifiedTo,
};
use alloy_primitives::B256;
use comfy_table::CellAlignment::{Left, Right};

/// Placeholder for a value that does not apply.
const NONE: &str = "-";

const COLUMNS: [Column; 12] = [
    ("chain", Right),
    ("block", Right),
    ("hash", Left),
    ("fork", Left),
    ("txs", Right),
    ("gas", Right),
    ("nodes", Right),
    ("codes", Right),
    ("ancestors", Right),
    ("to", Left),
    ("rules", Left),
    ("size", Right),
];

/// Prints the list. It reads every file, so that it lists only blocks with a complete file.
pub(super) fn run(args: CachedBlocks, context: &Context) -> eyre::Result<Outcome> {
    let found = CachedSelection::new(args.into(), &context.cache)?;
    let progress = Progress::new(context.chatter, found.ids.len() as u64, "blocks");
    let (mut rows, mut errors, mut total) = (Vec::new(), Vec::new(), Facts::default());
    for id in &found.ids {
        match facts(id, context) {
            Ok(facts) => {
                total.add(&facts);
                rows.push([names(id), facts.cells()].concat());
            }
            Err(error) => errors.push(of_block(id, error)),
        }
        progress.step();
    }
    progress.finish();
    let outcome = print_errors(&errors).and(report_missing(&found));
    print_list(rows, &total, context)?;
    Ok(outcome)
}

/// Chain, number and short hash of a block.
fn names(id: &BlockId) -> Vec<String> {
    vec![id.chain_id.to_string(), id.number.to_string(), short(id.hash)]
}

/// The start of a hash.
fn short(hash: B256) -> String {
    let hash = hash.to_string();
    format!("{}…", hash.get(..10).unwrap_or(&hash))
}

/// Contents of a block's file, or the sums over several files.
#[derive(Default)]
struct Facts {
    fork: Option<String>,
    /// Start of the digest of the chain's rules.
    rules: Option<String>,
    transactions: usize,
    gas_used: u64,
    nodes: usize,
    codes: usize,
    ancestors: usize,
    /// Verification depth of the block.
    to: Option<VerifiedTo>,
    size: u64,
}

fn facts(id: &BlockId, context: &Context) -> eyre::Result<Facts> {
    let recorded = context.cache.get(id)?;
    let chain = recorded.chain().ok();
    let RecordedBlock { block, state, .. } = recorded;
    let (nodes, codes, ancestors, to) = match &state {
        RecordedState::Witness(witness) => {
            let Witness { nodes, codes, headers, .. } = witness;
            (nodes.len(), codes.len(), headers.len(), VerifiedTo::StateRoot)
        }
        RecordedState::Flat(flat) => {
            (0, flat.codes.len(), flat.headers.len(), VerifiedTo::Receipts)
        }
    };
    Ok(Facts {
        fork: chain.as_ref().map(|chain| chain.fork(&block.header).to_string()),
        rules: chain.and_then(|chain| chain.digest()).map(short),
        transactions: block.body.transactions.len(),
        gas_used: block.header.gas_used,
        nodes,
        codes,
        ancestors,
        to: Some(to),
        size: context.cache.size(id)?,
    })
}

impl Facts {
    fn add(&mut self, other: &Self) {
        self.transactions += other.transactions;
        self.gas_used = self.gas_used.saturating_add(other.gas_used);
        self.nodes += other.nodes;
        self.codes += other.codes;
        self.ancestors += other.ancestors;
        self.size += other.size;
    }

    fn cells(&self) -> Vec<String> {
        let fork = self.fork.clone().unwrap_or_else(|| NONE.to_owned());
        let counts = [self.nodes, self.codes, self.ancestors].map(|count| count.to_string());
        let gas = units::count(self.gas_used);
        let rules = self.rules.clone().unwrap_or_else(|| NONE.to_owned());
        let start = [fork, self.transactions.to_string(), gas];
        let to = self.to.map_or("", VerifiedTo::name).to_owned();
        start.into_iter().chain(counts).chain([to, rules, units::bytes(self.size)]).collect()
    }
}

fn print_list(mut rows: Vec<Vec<String>>, total: &Facts, context: &Context) -> eyre::Result<()> {
    let count = rows.len();
    if count > 0 && context.detail() == Detail::Blocks {
        let all = vec![String::new(), "all".to_owned(), String::new()];
        let mut sums = [all, total.cells()].concat();
        for cell in [3, 10] {
            sums[cell].clear();
        }
        rows.push(sums);
        print(grid::lines(&COLUMNS, rows).join("\n"))?;
    }
    print(format_args!("{} in {}", blocks(count), context.cache_dir.display()))?;
    let mut leftovers = Vec::new();
    for chain in context.cache.chains()? {
        leftovers.extend(context.cache.leftovers(chain)?);
    }
    if !leftovers.is_empty() {
        let size = units::bytes(leftovers.iter().map(|leftover| leftover.size).sum());
        let files = counted(leftovers.len(), "temporary file");
        let remedy = "to remove: blockrace cache remove --leftovers";
        print(format_args!("{files} of killed processes, {size}; {remedy}"))?;
    }
    Ok(())
}

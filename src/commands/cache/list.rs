//! `blockrace cache list`: prints the contents and the size of every cached block.

use super::{
    super::files::ResultFiles, Context, Outcome, blocks, counted, print_errors, report_missing,
};
use crate::{
    block::{BlockId, Confirmation, RecordedBlock, RecordedState, Witness},
    cli::ListArgs,
    output::{OutputError, Stream, print_text, width},
    progress::Progress,
    report::{
        Detail, Failure,
        grid::{self, Column},
        listing::{self, CacheListing, LeftoverFiles, ListedBlock},
    },
    session::{CachedSelection, failure, provenance},
    units,
    verify::VerifiedTo,
};
use alloy_primitives::B256;
use comfy_table::CellAlignment::{Left, Right};

/// Placeholder for a value that does not apply.
const NONE: &str = "-";

const COLUMNS: [Column; 14] = [
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
    ("header", Left),
    ("rules", Left),
    ("list", Left),
    ("size", Right),
];

/// Columns that may be left out, the least important first.
const DROPPED: [usize; 8] = [8, 7, 6, 11, 0, 2, 5, 12];

/// Prints the list. It reads every file, so that it lists only blocks with a complete file.
pub(super) fn run(args: ListArgs, context: &Context) -> eyre::Result<Outcome> {
    let mut files = ResultFiles::default();
    files.add(args.json.as_deref(), listing::write)?;
    let found = CachedSelection::new(args.blocks.into(), &context.cache)?;
    if args.hashes {
        return print_hashes(&found);
    }
    let progress = Progress::new(context.chatter, found.ids.len() as u64, "blocks");
    let (mut all, mut failures) = (Vec::new(), Vec::new());
    for id in &found.ids {
        match facts(id, context) {
            Ok(facts) => {
                let confirmed = found.confirmed.get(id).cloned();
                all.push((*id, Facts { confirmed, ..facts }));
            }
            Err(error) => {
                failures.push(failure(id.number, &error));
            }
        }
        progress.step();
    }
    progress.finish();
    let errors: Vec<_> = failures
        .iter()
        .map(|Failure { block, what, .. }| format!("block {block}: {what}"))
        .collect();
    print_errors(&errors);
    let outcome = Outcome::of_failures(&failures).and(report_missing(&found));
    let leftovers = leftovers(context)?;
    let stream = files.text();
    let kept = files.write(&CacheListing {
        schema_version: listing::SCHEMA_VERSION,
        provenance: provenance(),
        cache_dir: context.cache_dir.display().to_string(),
        blocks: all.iter().map(|(id, facts)| facts.listed(id)).collect(),
        missing: found.missing,
        failures,
        leftovers,
    });
    print_list(&all, leftovers, stream, context)?;
    kept?;
    Ok(outcome)
}

/// Prints the blocks as a list for other commands. Reads no file.
fn print_hashes(found: &CachedSelection) -> eyre::Result<Outcome> {
    let lines = found.ids.iter().map(|id| format!("{}@{}", id.number, id.hash));
    let lines: Vec<_> = lines.collect();
    if !lines.is_empty() {
        print_text(lines.join("\n"))?;
    }
    Ok(report_missing(found))
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
    /// Digest of the chain's rules.
    rules: Option<B256>,
    transactions: usize,
    gas_used: u64,
    nodes: usize,
    codes: usize,
    ancestors: usize,
    /// Verification depth of the block.
    to: Option<VerifiedTo>,
    /// Source that confirms the header.
    confirmed: Option<Confirmation>,
    /// Whether the file has the block access list: `stored`, or `derived` by each replay; `None` before Amsterdam.
    list: Option<&'static str>,
    size: u64,
}

fn facts(id: &BlockId, context: &Context) -> eyre::Result<Facts> {
    let recorded = context.cache.get(id)?;
    let chain = recorded.chain().ok();
    let RecordedBlock { block, state, .. } = &recorded;
    let (nodes, codes, ancestors, to) = match state {
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
        rules: chain.and_then(|chain| chain.digest()),
        transactions: block.body.transactions.len(),
        gas_used: block.header.gas_used,
        nodes,
        codes,
        ancestors,
        to: Some(to),
        confirmed: None,
        list: recorded.has_access_list().map(|has| if has { "stored" } else { "derived" }),
        size: context.cache.size(id)?,
    })
}

impl Facts {
    fn listed(&self, id: &BlockId) -> ListedBlock {
        ListedBlock {
            chain_id: id.chain_id,
            block_number: id.number,
            block_hash: id.hash,
            fork: self.fork.clone(),
            rules: self.rules,
            transactions: self.transactions,
            gas_used: self.gas_used,
            nodes: self.nodes,
            codes: self.codes,
            ancestors: self.ancestors,
            verified_to: self.to.map_or("", VerifiedTo::name),
            header: self.level(),
            confirmed_by: self.confirmed.as_ref().map(ToString::to_string),
            access_list: self.list,
            size_bytes: self.size,
        }
    }

    fn add(&mut self, other: &Self) {
        self.transactions += other.transactions;
        self.gas_used = self.gas_used.saturating_add(other.gas_used);
        self.nodes += other.nodes;
        self.codes += other.codes;
        self.ancestors += other.ancestors;
        self.size += other.size;
    }

    const fn level(&self) -> &'static str {
        Confirmation::level(self.confirmed.as_ref())
    }

    /// The cells after the block's names. Sums have neither a verification depth nor a list.
    fn cells(&self) -> Vec<String> {
        let fork = self.fork.clone().unwrap_or_else(|| NONE.to_owned());
        let counts = [self.nodes, self.codes, self.ancestors].map(|count| count.to_string());
        let gas = units::count(self.gas_used);
        let rules = self.rules.map_or_else(|| NONE.to_owned(), short);
        let start = [fork, self.transactions.to_string(), gas];
        let to = self.to.map_or("", VerifiedTo::name).to_owned();
        let level = if self.to.is_some() { self.level() } else { "" }.to_owned();
        let no_list = if self.to.is_some() { NONE } else { "" };
        let list = self.list.unwrap_or(no_list).to_owned();
        let end = [to, level, rules, list, units::bytes(self.size)];
        start.into_iter().chain(counts).chain(end).collect()
    }
}

fn print_list(
    all: &[(BlockId, Facts)],
    leftovers: LeftoverFiles,
    stream: Stream,
    context: &Context,
) -> Result<(), OutputError> {
    if !all.is_empty() && context.detail() != Detail::Totals {
        stream.print(grid::lines(&COLUMNS, &cells(all), &DROPPED, width()).join("\n"))?;
    }
    stream.print_text(format_args!("{} in {}", blocks(all.len()), context.cache_dir.display()))?;
    if leftovers.files > 0 {
        let size = units::bytes(leftovers.size_bytes);
        let files = counted(leftovers.files, "temporary file");
        let remedy = "to remove: blockrace cache remove --leftovers";
        stream.print_text(format_args!("{files} of killed processes, {size}; {remedy}"))?;
    }
    Ok(())
}

/// One line for each block, and one with the totals.
fn cells(all: &[(BlockId, Facts)]) -> Vec<Vec<String>> {
    let mut total = Facts::default();
    all.iter().for_each(|(_, facts)| total.add(facts));
    let mut rows: Vec<_> =
        all.iter().map(|(id, facts)| [names(id), facts.cells()].concat()).collect();
    let mut sums = [vec![String::new(), "all".to_owned(), String::new()], total.cells()].concat();
    for cell in [3, 11] {
        sums[cell].clear();
    }
    rows.push(sums);
    rows
}

fn leftovers(context: &Context) -> eyre::Result<LeftoverFiles> {
    let mut all = LeftoverFiles::default();
    for chain in context.cache.chains()? {
        for leftover in context.cache.leftovers(chain)? {
            all.files += 1;
            all.size_bytes += leftover.size;
        }
    }
    Ok(all)
}

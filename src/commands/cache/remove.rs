//! `blockrace cache remove`: removes blocks, and the temporary files of killed processes.

use super::{Context, Outcome, blocks, counted, of_block, print_errors, report_missing};
use crate::{cli::RemoveArgs, output::print, session::CachedSelection, units};

pub(super) fn run(args: RemoveArgs, context: &Context) -> eyre::Result<Outcome> {
    let chain = args.blocks.chain;
    let found = match args.leftovers {
        true => CachedSelection::default(),
        false => CachedSelection::unambiguous(args.blocks.into(), &context.cache)?,
    };
    let (mut errors, mut removed) = (Vec::new(), Removed::default());
    for id in &found.ids {
        match context.cache.remove(id) {
            Ok(size) => removed.add(size),
            Err(error) => errors.push(of_block(id, error)),
        }
    }
    let outcome = print_errors(&errors).and(report_missing(&found));
    let leftovers = remove_leftovers(chain, context)?;
    print(format_args!("{} removed, {}", blocks(removed.files), units::bytes(removed.bytes)))?;
    if leftovers.files > 0 {
        let Removed { files, bytes } = leftovers;
        let files = counted(files, "temporary file");
        print(format_args!("{files} of killed processes removed, {}", units::bytes(bytes)))?;
    }
    Ok(outcome)
}

#[derive(Default)]
struct Removed {
    files: usize,
    bytes: u64,
}

impl Removed {
    fn add(&mut self, size: u64) {
        self.files += 1;
        self.bytes += size;
    }
}

fn remove_leftovers(chain: Option<u64>, context: &Context) -> eyre::Result<Removed> {
    let chains = chain.map_or_else(|| context.cache.chains(), |id| Ok(vec![id]))?;
    let mut removed = Removed::default();
    for chain in chains {
        for leftover in context.cache.leftovers(chain)? {
            context.cache.remove_leftover(&leftover)?;
            removed.add(leftover.size);
        }
    }
    Ok(removed)
}

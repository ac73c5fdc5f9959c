//! `blockrace cache remove`: blocks, and what killed writers left.

use super::{Context, Found, Outcome, blocks, print_errors};
use crate::{cli::RemoveArgs, units};

pub(super) fn run(args: RemoveArgs, context: &Context) -> eyre::Result<Outcome> {
    let (every, chain) = (args.all, args.blocks.chain);
    let found = match args.leftovers {
        true => Found { ids: Vec::new(), missing: 0, first_missing: None },
        false => Found::new(args.blocks, context)?,
    };
    // Who wants all wants those of every chain.
    let found = if every { found } else { found.of_one_chain_each()? };
    let (mut errors, mut removed) = (Vec::new(), Removed::default());
    for id in &found.ids {
        match context.cache.remove(id) {
            Ok(size) => removed.add(size),
            Err(error) => errors.push(format!("{:#}", eyre::Report::from(error))),
        }
    }
    println!("{} removed, {}", blocks(removed.files), units::bytes(removed.bytes));
    remove_leftovers(chain, context)?;
    Ok(print_errors(&errors).and(found.report_missing()))
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

fn remove_leftovers(chain: Option<u64>, context: &Context) -> eyre::Result<()> {
    let chains = chain.map_or_else(|| context.cache.chains(), |id| Ok(vec![id]))?;
    let mut removed = Removed::default();
    for chain in chains {
        for leftover in context.cache.leftovers(chain)? {
            context.cache.remove_leftover(&leftover)?;
            removed.add(leftover.size);
        }
    }
    if removed.files > 0 {
        let Removed { files, bytes } = removed;
        println!("{files} temporary files of killed writers removed, {}", units::bytes(bytes));
    }
    Ok(())
}

//! `blockrace cache export`: writes cached blocks to one archive.

use super::{
    super::files::ResultFile, Context, Outcome, blocks, of_block, print_errors, report_missing,
};
use crate::{
    cache::archive::{self, Member},
    cli::ExportArgs,
    progress::Progress,
    session::CachedSelection,
    units,
};
use eyre::{WrapErr, bail};

/// Writes the archive. Blocks that cannot be read are reported and omitted.
///
/// Every file is read twice, so that only one block is in memory at a time. The first pass is for the manifest,
/// which precedes the blocks in the archive.
pub(super) fn run(args: ExportArgs, context: &Context) -> eyre::Result<Outcome> {
    let found = CachedSelection::unambiguous(args.blocks.into(), &context.cache)?;
    let file = ResultFile::open(&args.output)?;
    let stream = file.text();
    let progress = Progress::new(context.chatter, 2 * found.ids.len() as u64, "steps");
    let (mut members, mut errors) = (Vec::new(), Vec::new());
    for id in &found.ids {
        match Member::of(&context.cache, *id) {
            Ok(member) => members.push(member),
            Err(error) => errors.push(of_block(id, error)),
        }
        progress.step();
    }
    let written = match members.is_empty() {
        true => Ok(()),
        false => {
            file.write(|out| archive::write(&context.cache, &members, out, |_| progress.step()))
        }
    };
    progress.finish();
    let outcome = print_errors(&errors).and(report_missing(&found));
    written.wrap_err("the blocks cannot be exported")?;
    if members.is_empty() {
        bail!("no block to export; {} was not written", args.output.display());
    }
    let size = units::bytes(members.iter().map(|member| member.size).sum());
    let (count, path) = (blocks(members.len()), args.output.display());
    stream.print(format_args!("{count} exported to {path}, {size}"))?;
    Ok(outcome)
}

//! `blockrace cache export`: writes cached blocks to one archive, or as blockchain tests with execution witnesses.

use super::{
    super::files::ResultFile, Context, Outcome, blocks, of_block, print_errors, report_missing,
};
use crate::{
    block::BlockId,
    cache::archive::{self, Member},
    cli::{ExportArgs, ExportFormat},
    conformance::exchange::{name_of, test_of},
    progress::Progress,
    session::CachedSelection,
    units,
};
use eyre::{WrapErr, bail};
use serde_json::Value;
use std::io::Write as _;

/// Writes the file. Blocks that cannot be read are reported and omitted.
pub(super) fn run(args: ExportArgs, context: &Context) -> eyre::Result<Outcome> {
    let found = CachedSelection::unambiguous(args.blocks.into(), &context.cache)?;
    let file = ResultFile::open(&args.output)?;
    let (stream, path) = (file.text(), args.output.display());
    let export = match args.format {
        ExportFormat::Archive => export_archive,
        ExportFormat::Eest => export_tests,
    };
    let Exported { count, bytes, errors } = export(&found, file, context)?;
    let outcome = print_errors(&errors).and(report_missing(&found));
    if count == 0 {
        bail!("no block to export; {path} was not written");
    }
    let (count, size) = (blocks(count), units::bytes(bytes));
    stream.print(format_args!("{count} exported to {path}, {size}"))?;
    Ok(outcome)
}

/// The result of an export.
#[derive(Debug, Default)]
struct Exported {
    /// Number of written blocks.
    count: usize,
    /// Size of the blocks in the file.
    bytes: u64,
    /// Errors of the other blocks.
    errors: Vec<String>,
}

/// Writes an archive. Every file of the cache is read twice, so that only one block is in memory at a time. The first
/// pass is for the manifest, which precedes the blocks in the archive.
fn export_archive(
    found: &CachedSelection,
    file: ResultFile,
    context: &Context,
) -> eyre::Result<Exported> {
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
    written.wrap_err("the blocks cannot be exported")?;
    let bytes = members.iter().map(|member| member.size).sum();
    Ok(Exported { count: members.len(), bytes, errors })
}

/// Writes an object with one test for each block. Only one block is in memory at a time.
fn export_tests(
    found: &CachedSelection,
    file: ResultFile,
    context: &Context,
) -> eyre::Result<Exported> {
    let progress = Progress::new(context.chatter, found.ids.len() as u64, "blocks");
    let mut exported = Exported::default();
    let mut texts = found.ids.iter().filter_map(|id| {
        let text = test_text(context, id);
        progress.step();
        text.map_err(|error| exported.errors.push(of_block(id, error))).ok()
    });
    // Without a first block, an older file stays as it was.
    let first = texts.next();
    let (mut count, mut bytes) = (0, 0);
    let written = first.map(|first| {
        file.write(|mut out| {
            for text in std::iter::once(first).chain(texts) {
                let before = if count == 0 { "{" } else { "," };
                write!(out, "{before}\n{text}")?;
                (count, bytes) = (count + 1, bytes + text.len() as u64);
            }
            out.write_all(b"\n}\n")?;
            out.flush()
        })
    });
    progress.finish();
    written.transpose().wrap_err("the blocks cannot be exported")?;
    Ok(Exported { count, bytes, ..exported })
}

/// The entry of a block in the object of tests.
fn test_text(context: &Context, id: &BlockId) -> eyre::Result<String> {
    let recorded = context.cache.get(id)?;
    let test = test_of(&recorded)?;
    Ok(format!("{}: {test}", Value::from(name_of(&recorded))))
}

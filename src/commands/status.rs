//! `blockrace status`: says what is done in an output folder.

use super::{Context, Outcome, files::ResultFiles};
use crate::{
    cli::StatusArgs,
    report::{
        Detail, counted,
        status::{self, BlockSpan, ChunkStatus, OutputStatus},
    },
    session::output_status,
};

/// Maximum number of chunks, gaps and shards that are named without `--verbose`.
const MOST_NAMED: usize = 10;

pub(super) fn run(args: StatusArgs, context: &Context) -> eyre::Result<Outcome> {
    let mut files = ResultFiles::default();
    files.add(args.json.as_deref(), status::write)?;
    let found = output_status(&args.output, args.shards.map(Into::into))?;
    let stream = files.text();
    let written = files.write(&found);
    let most = if context.detail() == Detail::Full { usize::MAX } else { MOST_NAMED };
    for line in lines(&found, most) {
        stream.print_text(line)?;
    }
    written?;
    let is_whole =
        found.missing.as_ref().is_none_or(Vec::is_empty) && found.unfinished().next().is_none();
    let outcome = if is_whole { Outcome::Verified } else { Outcome::Failed };
    Ok(outcome.and(if found.mismatches() > 0 { Outcome::Mismatch } else { Outcome::Verified }))
}

/// The state in words.
fn lines(found: &OutputStatus, most: usize) -> Vec<String> {
    let blocks = found.blocks();
    let unfinished: Vec<_> = found.unfinished().collect();
    let finished = counted(found.chunks.len() - unfinished.len(), "finished chunk");
    let of = found.asked.map_or_else(String::new, |asked| format!(" of {asked}"));
    let rows = found.tables.iter().map(|table| format!("{} {}", table.rows, table.table));
    let mut lines = vec![
        format!(
            "{}: results of {blocks}{of} blocks, {finished}, {} in work",
            found.command,
            unfinished.len()
        ),
        format!("rows in finished chunks: {}", rows.collect::<Vec<_>>().join(", ")),
    ];
    let wrong = found.mismatches();
    if wrong > 0 {
        let verb = if wrong == 1 { "does" } else { "do" };
        let wrong = counted(wrong, "block");
        lines.push(format!("{wrong} {verb} not match; blockrace merge names them"));
    }
    let in_work = |chunk: &&ChunkStatus| {
        format!("{}-{} ({})", chunk.first, chunk.last, counted(chunk.blocks, "block"))
    };
    lines.extend(list("in work", unfinished.iter().map(in_work), most));
    match &found.missing {
        Some(missing) => lines.extend(list("missing", missing.iter().map(span), most)),
        None => {
            lines.push("missing: not known, since the settings name no block numbers".to_owned())
        }
    }
    let shards = found.shards.iter().flatten().filter(|shard| shard.missing > 0);
    let shards =
        shards.map(|shard| format!("{} ({} of {})", shard.shard, shard.missing, shard.asked));
    lines.extend(list("shards that lack blocks", shards, most));
    if found.builds.len() > 1 {
        lines.extend(list("builds", found.builds.iter().cloned(), most));
    }
    lines
}

/// A line with the first of the items; `None` without items.
fn list(title: &str, items: impl Iterator<Item = String>, most: usize) -> Option<String> {
    let items: Vec<_> = items.collect();
    let named = items.iter().take(most).cloned().collect::<Vec<_>>().join(", ");
    let more = match items.len().saturating_sub(most) {
        0 => String::new(),
        more => format!(" and {more} more"),
    };
    (!items.is_empty()).then(|| format!("{title}: {named}{more}"))
}

fn span(BlockSpan { first, last }: &BlockSpan) -> String {
    if first == last { first.to_string() } else { format!("{first}-{last}") }
}

//! `blockrace completions` and `blockrace man`: a completion script for a shell, and the manual pages.

use super::{Outcome, files::ResultFile};
use crate::{
    cli::{CompletionsArgs, ManArgs},
    executors::Registry,
    output::{Output, print},
};
use eyre::WrapErr;
use std::{fs, io::Write};

pub(super) fn completions(args: &CompletionsArgs, registry: &Registry) -> eyre::Result<Outcome> {
    let mut out = Output::bytes();
    out.write_all(&args.script(registry))
        .and_then(|()| out.flush())
        .wrap_err("cannot write to standard output")?;
    Ok(Outcome::Verified)
}

pub(super) fn man(args: &ManArgs, registry: &Registry) -> eyre::Result<Outcome> {
    let folder = &args.folder;
    fs::create_dir_all(folder).wrap_err_with(|| format!("cannot create {}", folder.display()))?;
    let pages = args.pages(registry)?;
    let count = pages.len();
    for (name, page) in pages {
        ResultFile::open(&folder.join(name))?.write(|mut out| {
            out.write_all(&page)?;
            out.flush()
        })?;
    }
    print(format_args!("wrote {count} pages to {}", folder.display()))?;
    Ok(Outcome::Verified)
}

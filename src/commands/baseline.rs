//! Named runs: `replay --save-baseline NAME` saves a run in the cache folder, and `compare --baseline NAME` reads it.

use super::{Context, files::ResultFile};
use crate::cli::BaselineName;
use eyre::{OptionExt as _, WrapErr, bail};
use std::{
    fs,
    path::{Path, PathBuf},
};

/// Folder of the saved runs, in the cache folder. No chain has this name.
const FOLDER: &str = "baselines";

/// Opens the file of a baseline before the race. A baseline of this name is kept until the new one is complete.
pub(super) fn create(name: &BaselineName, context: &Context) -> eyre::Result<ResultFile> {
    let folder = folder(context)?;
    fs::create_dir_all(&folder).wrap_err_with(|| format!("cannot create {}", folder.display()))?;
    ResultFile::open(&path(&folder, name))
}

/// The file of a saved run.
///
/// # Errors
/// If no run is saved under this name.
pub(super) fn find(name: &BaselineName, context: &Context) -> eyre::Result<PathBuf> {
    let folder = folder(context)?;
    let path = path(&folder, name);
    if path.exists() {
        return Ok(path);
    }
    let known = known(&folder);
    let known = match known.is_empty() {
        true => String::new(),
        false => format!("there are: {}; ", known.join(", ")),
    };
    bail!(
        "there is no baseline {name} in {}; {known}save it with: blockrace replay --save-baseline {name}",
        folder.display()
    );
}

/// The folder of the saved runs.
///
/// # Errors
/// If the cache is in a bucket.
fn folder(context: &Context) -> eyre::Result<PathBuf> {
    let cache = context.cache.folder_on_disk();
    let cache = cache.ok_or_eyre(
        "runs are saved in a cache folder, and this cache is in a bucket; write the run to a file with --json FILE, and \
         compare the files",
    )?;
    Ok(cache.join(FOLDER))
}

fn path(folder: &Path, name: &BaselineName) -> PathBuf {
    folder.join(format!("{name}.json"))
}

/// Names of the saved runs. A folder that cannot be read has none.
fn known(folder: &Path) -> Vec<String> {
    let name = |entry: fs::DirEntry| {
        let name = entry.file_name().into_string().ok()?;
        Some(name.strip_suffix(".json")?.to_owned())
    };
    let entries = fs::read_dir(folder).into_iter().flatten().flatten();
    let mut names: Vec<_> = entries.filter_map(name).collect();
    names.sort_unstable();
    names
}

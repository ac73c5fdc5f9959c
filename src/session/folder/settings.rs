//! The settings of an output folder. A folder has the results of one command with one set of settings.

use crate::{
    cache::atomic::Replacement,
    report::tables::{SCHEMA_VERSION, TableSet},
};
use alloy_primitives::{B256, keccak256};
use eyre::{WrapErr as _, ensure};
use serde::{Deserialize, Serialize};
use std::{collections::BTreeMap, fs, io, io::Write as _, path::Path};

/// Name of the file in the folder.
pub(super) const FILE: &str = "settings.json";

/// Name of the format in the file.
const FORMAT: &str = "blockrace-output";

/// The settings that decide the results, by option.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct OutputSettings {
    format: String,
    schema_version: u32,
    command: String,
    pub(super) settings: BTreeMap<String, String>,
    digest: B256,
}

impl OutputSettings {
    /// The settings of a command. Each has the name of its option. The shard is none of them, since all shards of a
    /// list may share a folder.
    pub fn new(set: TableSet, settings: impl IntoIterator<Item = (&'static str, String)>) -> Self {
        let settings: BTreeMap<_, _> =
            settings.into_iter().map(|(name, value)| (name.to_owned(), value)).collect();
        let words = settings.iter().map(|(name, value)| format!("{name}\0{value}\0"));
        let text = [set.command(), "\0"].map(str::to_owned).into_iter().chain(words);
        Self {
            format: FORMAT.to_owned(),
            schema_version: SCHEMA_VERSION,
            command: set.command().to_owned(),
            digest: keccak256(text.collect::<String>()),
            settings,
        }
    }

    /// Keccak-256 of the command and the settings.
    pub const fn digest(&self) -> B256 {
        self.digest
    }

    /// The tables of the command; `None` for a command of another release.
    pub(super) fn set(&self) -> Option<TableSet> {
        let all = [TableSet::Verdicts, TableSet::Analyses, TableSet::Races];
        all.into_iter().find(|set| set.command() == self.command)
    }

    /// The value of a setting.
    pub fn get(&self, name: &str) -> Option<&str> {
        self.settings.get(name).map(String::as_str)
    }

    /// The first setting that differs.
    pub fn difference<'a>(&'a self, other: &'a Self) -> Option<&'a str> {
        let mut names = self.settings.keys().chain(other.settings.keys());
        names.find(|name| self.get(name) != other.get(name)).map(String::as_str)
    }

    /// Reads the settings of a folder; `None` for a new one.
    ///
    /// # Errors
    /// If the file cannot be read, or if it is of another format.
    pub(super) fn read(root: &Path) -> eyre::Result<Option<Self>> {
        let path = root.join(FILE);
        let text = match fs::read(&path) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
            read => read.wrap_err_with(|| format!("cannot read {}", path.display()))?,
        };
        let read: Self = serde_json::from_slice(&text)
            .wrap_err_with(|| format!("{} does not describe an output", path.display()))?;
        ensure!(
            read.format == FORMAT && read.schema_version == SCHEMA_VERSION,
            "{} has format {} {}, and this release has {FORMAT} {SCHEMA_VERSION}",
            path.display(),
            read.format,
            read.schema_version
        );
        Ok(Some(read))
    }

    /// Makes these the settings of a new folder, and refuses a folder that has others. Messages call it `name`.
    ///
    /// # Errors
    /// If the folder cannot be used, or if its settings differ.
    pub(super) fn claim(&self, root: &Path, name: &str) -> eyre::Result<()> {
        fs::create_dir_all(root).wrap_err_with(|| format!("cannot create {}", root.display()))?;
        if Self::read(root)?.is_none() {
            self.refuse_foreign(root)?;
            self.write(root).wrap_err_with(|| format!("cannot write to {}", root.display()))?;
        }
        // Another process may have been faster.
        match Self::read(root)? {
            Some(there) => self.compare(&there, name),
            None => Ok(()),
        }
    }

    /// A folder with other files is no output.
    fn refuse_foreign(&self, root: &Path) -> eyre::Result<()> {
        let mut names = fs::read_dir(root)?.map(|entry| Ok::<_, io::Error>(entry?.file_name()));
        let foreign = names
            .find(|name| !name.as_ref().is_ok_and(|name| name.to_string_lossy().starts_with('.')));
        match foreign {
            None => Ok(()),
            Some(name) => {
                let name = name?;
                eyre::bail!(
                    "{} has the file {} and no {FILE}, so it is no output; name a new folder",
                    root.display(),
                    name.display()
                )
            }
        }
    }

    fn write(&self, root: &Path) -> eyre::Result<()> {
        let mut file = Replacement::beside(root.join(FILE))?;
        let mut text = serde_json::to_vec_pretty(self)?;
        text.push(b'\n');
        file.file().write_all(&text)?;
        Ok(file.commit_new()?)
    }

    fn compare(&self, there: &Self, root: &str) -> eyre::Result<()> {
        ensure!(
            there.command == self.command,
            "{root} has results of {}; name another folder for {}",
            there.command,
            self.command
        );
        let Some(name) = self.difference(there) else { return Ok(()) };
        let value = |settings: &Self| settings.get(name).unwrap_or("unset").to_owned();
        eyre::bail!(
            "{root} has results with {name} {}, not {}; name another folder, or use the same settings",
            value(there),
            value(self)
        )
    }
}

//! Declares the commands `completions` and `man`, and writes what they print from the command line's declaration.

use super::command::command;
use crate::executors::Registry;
use clap::Args;
use clap_mangen::Man;
use std::{io, path::PathBuf};

/// Arguments of `completions`.
#[derive(Debug, Args)]
pub struct CompletionsArgs {
    /// Shell of the script
    #[arg(value_name = "SHELL")]
    pub shell: clap_complete::Shell,
}

impl CompletionsArgs {
    /// The script of the shell.
    pub fn script(&self, registry: &Registry) -> Vec<u8> {
        let mut command = command(registry);
        let name = command.get_name().to_owned();
        let mut script = Vec::new();
        clap_complete::generate(self.shell, &mut command, name, &mut script);
        script
    }
}

/// Arguments of `man`.
#[derive(Debug, Args)]
pub struct ManArgs {
    /// Folder for the pages; it is created if needed
    #[arg(value_name = "DIR")]
    pub folder: PathBuf,
}

impl ManArgs {
    /// File name and content of the page of each command.
    ///
    /// # Errors
    /// None in practice, since the pages are written to memory.
    pub fn pages(&self, registry: &Registry) -> io::Result<Vec<(String, Vec<u8>)>> {
        let mut command = command(registry).disable_help_subcommand(true);
        command.build();
        let mut pages = Vec::new();
        collect(&command, &mut pages)?;
        Ok(pages)
    }
}

fn collect(command: &clap::Command, pages: &mut Vec<(String, Vec<u8>)>) -> io::Result<()> {
    let man = Man::new(command.clone());
    let mut page = Vec::new();
    man.render(&mut page)?;
    pages.push((man.get_filename(), page));
    command.get_subcommands().try_for_each(|command| collect(command, pages))
}

#[cfg(test)]
mod tests {
    use super::*;
    use clap::ValueEnum as _;

    #[test]
    fn every_shell_has_a_script_with_the_executors() {
        for shell in clap_complete::Shell::value_variants() {
            let script = CompletionsArgs { shell: *shell }.script(&Registry::default());
            let script = String::from_utf8(script).unwrap();
            for word in ["rpc-check", "save-baseline", "block-stm"] {
                assert!(script.contains(word), "{shell}: {word}");
            }
        }
    }

    #[test]
    fn every_command_has_a_page() {
        let args = ManArgs { folder: PathBuf::new() };
        let pages = args.pages(&Registry::default()).unwrap();
        let names: Vec<_> = pages.iter().map(|(name, _)| name.as_str()).collect();
        for name in ["blockrace.1", "blockrace-replay.1", "blockrace-cache-list.1"] {
            assert!(names.contains(&name), "{name} in {names:?}");
        }
        let (_, replay) = pages.iter().find(|(name, _)| name == "blockrace-replay.1").unwrap();
        let replay = String::from_utf8_lossy(replay);
        assert!(replay.contains("sharded\\-by\\-access"), "{replay}");
    }
}

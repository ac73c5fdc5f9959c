//! The rules that the user gives with `--chain-config`.

use crate::{
    cli::RulesArgs,
    evm::ChainRules,
    session::{BlockSource, RulesFile, SelectedBlock},
};
use eyre::ensure;
use std::sync::Arc;

/// Reads the file of `--chain-config`; `None` without the flag.
pub(super) fn file(args: &RulesArgs) -> eyre::Result<Option<RulesFile>> {
    args.chain_config.as_deref().map(RulesFile::read).transpose()
}

/// The rules of `--chain-config`; `None` without the flag.
pub(super) fn given(args: &RulesArgs) -> eyre::Result<Option<Arc<ChainRules>>> {
    Ok(file(args)?.map(|file| Arc::new(file.rules().clone())))
}

/// Puts the rules of `--chain-config` in the place of the blocks' own.
///
/// # Errors
/// If no block is of the chain of the file.
pub(super) fn replace(
    blocks: Vec<SelectedBlock>,
    args: &RulesArgs,
) -> eyre::Result<Vec<SelectedBlock>> {
    let Some(rules) = given(args)? else { return Ok(blocks) };
    let is_of_chain = |source: &BlockSource| source.chain_id() == rules.id();
    let mut found = blocks.iter().filter_map(|(_, source)| source.as_ref().ok());
    ensure!(
        found.any(is_of_chain),
        "--chain-config is of chain {}, but no selected block is",
        rules.id()
    );
    let replaced =
        |(number, source): SelectedBlock| (number, source.map(|source| source.with_rules(&rules)));
    Ok(blocks.into_iter().map(replaced).collect())
}

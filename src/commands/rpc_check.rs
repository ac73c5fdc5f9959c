//! `blockrace rpc-check`: tests which methods a node serves, and prints the matching flags of `fetch`.

use super::{Outcome, node::client};
use crate::{
    cli::RpcCheckArgs,
    evm::Chain,
    fetch::{Abilities, Node, RpcError},
    output::{OutputError, print},
    report::grid::{self, Column},
};
use comfy_table::CellAlignment::Left;
use serde_json::{Value, json};
use std::{error::Error, iter::successors};

/// Version of the JSON format. It increases with each incompatible change.
const SCHEMA_VERSION: u32 = 1;

pub(super) fn run(args: RpcCheckArgs) -> eyre::Result<Outcome> {
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build()?;
    let found = runtime.block_on(async {
        let node = Node::connect(client(&args.node)?).await?;
        let head = node.head().await?;
        Ok::<_, eyre::Report>(node.abilities(head, args.block.unwrap_or(head)).await?)
    })?;
    match args.json {
        true => print(format_args!("{:#}", to_json(&found)))?,
        false => print_table(&found)?,
    }
    Ok(if flags(&found).is_some() { Outcome::Verified } else { Outcome::Failed })
}

/// The matching flags of `fetch`. `None` if no block of the node can be replayed.
fn flags(found: &Abilities) -> Option<String> {
    let known = Chain::from_id(found.chain_id).is_ok();
    let best = found.witnesses().into_iter().next().filter(|_| known)?;
    Some(format!("--witness {}", best.name()))
}

fn print_table(found: &Abilities) -> Result<(), OutputError> {
    let facts = [
        ("node", found.origin.to_string()),
        ("client", found.client.as_ref().map_or_else(why, ToString::to_string)),
        ("chain", chain(found)),
        ("newest block", found.head.to_string()),
        ("oldest state", found.oldest_state.as_ref().map_or_else(unknown, oldest)),
        ("batches", batches(found)),
    ];
    for (name, value) in facts {
        print(format_args!("{name:<14}{value}"))?;
    }
    print(format_args!("\nTested with block {}:", found.block))?;
    const COLUMNS: [Column; 3] = [("method", Left), ("served", Left), ("why not", Left)];
    let rows = found.methods.iter().map(|(method, answer)| {
        let reason = answer.as_ref().err().map(why).unwrap_or_default();
        vec![method.name().to_owned(), served(answer).to_owned(), reason]
    });
    print(format_args!("{}\n", grid::lines(&COLUMNS, rows.collect()).join("\n")))?;
    print(conclusion(found))
}

fn conclusion(found: &Abilities) -> String {
    let Some(flags) = flags(found) else {
        return "No block can be fetched from this node and replayed.".to_owned();
    };
    let names: Vec<_> = found.witnesses().iter().map(|kind| kind.name()).collect();
    let others = match &names[..] {
        [_, others @ ..] if !others.is_empty() => format!(" (also: {})", others.join(", ")),
        _ => String::new(),
    };
    format!("Fetch with: blockrace fetch BLOCKS {flags}{others}")
}

fn chain(found: &Abilities) -> String {
    match Chain::from_id(found.chain_id) {
        Ok(_) => format!("{} (supported)", found.chain_id),
        Err(unknown) => unknown.to_string(),
    }
}

fn oldest(number: &u64) -> String {
    match number {
        0 => "block 0 (archive node)".to_owned(),
        number => format!("block {number}"),
    }
}

fn unknown(error: &RpcError) -> String {
    format!("unknown: {}", why(error))
}

fn batches(found: &Abilities) -> String {
    let reason = found.larger_batch.as_ref().map(|error| format!("; larger: {}", why(error)));
    match found.batch {
        0 => format!("no{}", reason.unwrap_or_default()),
        size => format!("of {size} calls{}", reason.unwrap_or_default()),
    }
}

/// States in one word whether a method works. An existing method may still fail for this block.
fn served(answer: &Result<(), RpcError>) -> &'static str {
    match answer {
        Ok(()) => "yes",
        Err(error) if error.is_method_missing() => "no",
        Err(_) => "fails",
    }
}

/// Formats the cause of an error. It omits the method and the node, since the table shows them.
fn why(error: &RpcError) -> String {
    let cause: &(dyn Error + 'static) = match error {
        RpcError::Failed { source, .. } => source,
        error => error,
    };
    let causes = successors(Some(cause), |error| (**error).source());
    causes.map(ToString::to_string).collect::<Vec<_>>().join(": ")
}

fn to_json(found: &Abilities) -> Value {
    let reason = |answer: &Result<(), RpcError>| answer.as_ref().err().map(why);
    let methods = found.methods.iter().map(|(method, answer)| {
        json!({ "method": method.name(), "served": served(answer), "why": reason(answer) })
    });
    let witnesses: Vec<_> = found.witnesses().iter().map(|kind| kind.name()).collect();
    json!({
        "schema_version": SCHEMA_VERSION,
        "node": found.origin.to_string(),
        "client": found.client.as_ref().ok().map(ToString::to_string),
        "chain_id": found.chain_id,
        "chain_known": Chain::from_id(found.chain_id).is_ok(),
        "head": found.head,
        "oldest_state": found.oldest_state.as_ref().ok(),
        "oldest_state_unknown_why": found.oldest_state.as_ref().err().map(why),
        "asked_about": found.block,
        "methods": methods.collect::<Vec<_>>(),
        "batch": found.batch,
        "larger_batch_why": found.larger_batch.as_ref().map(why),
        "witness": witnesses,
        "fetch_flags": flags(found),
    })
}

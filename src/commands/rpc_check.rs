//! `blockrace rpc-check`: tests which methods a node serves, and prints the matching flags of `fetch`.

use super::{Outcome, node::clients, rules};
use crate::{
    cli::RpcCheckArgs,
    evm::check_fields,
    fetch::{Abilities, Client, Node, RpcError},
    output::{OutputError, diagnose, print, print_text, width},
    report::grid::{self, Column},
    session::{NodeRules, RulesFile, node_rules, provenance},
};
use alloy_primitives::BlockNumber;
use comfy_table::CellAlignment::Left;
use serde_json::{Value, json};
use std::{error::Error, iter::successors};

/// Version of the JSON format. It increases with each incompatible change.
const SCHEMA_VERSION: u32 = 1;

/// Abilities of a node, and the rules of its chain.
struct Found {
    abilities: Abilities,
    rules: eyre::Result<NodeRules>,
    /// Whether the header of the newest block has the fields of the fork at its time.
    head: eyre::Result<()>,
}

pub(super) fn run(args: RpcCheckArgs) -> eyre::Result<Outcome> {
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build()?;
    let file = rules::file(&args.rules)?;
    let clients = clients(&args.node)?;
    let is_one = clients.len() == 1;
    let (mut outcome, mut documents) = (Outcome::Verified, Vec::new());
    for (position, client) in clients.into_iter().enumerate() {
        let found = match runtime.block_on(ask(client, file.as_ref(), args.block)) {
            Err(error) if !is_one => {
                outcome = outcome.and(Outcome::of(&error));
                diagnose(format_args!("error: {error:#}"));
                continue;
            }
            found => found?,
        };
        if flags(&found).is_none() {
            outcome = outcome.and(Outcome::Failed);
        }
        match args.json {
            true => documents.push(to_json(&found)),
            false if position > 0 => print(String::new()).and_then(|()| print_table(&found))?,
            false => print_table(&found)?,
        }
    }
    match (args.json, &documents[..]) {
        (true, [document]) if is_one => print(format_args!("{document:#}"))?,
        (true, _) => print(format_args!("{:#}", Value::from(documents)))?,
        (false, _) => {}
    }
    Ok(outcome)
}

async fn ask(
    client: Client,
    file: Option<&RulesFile>,
    block: Option<BlockNumber>,
) -> eyre::Result<Found> {
    let node = Node::connect(client).await?;
    let head = node.head().await?;
    let abilities = node.abilities(head, block.unwrap_or(head)).await?;
    let rules = node_rules(&node, file).await;
    let head = match &rules {
        Ok(rules) => check_head(node.with_rules(&rules.rules), head).await,
        Err(_) => Ok(()),
    };
    Ok(Found { abilities, rules, head })
}

/// Checks the header of the newest block, which shows a fork that the rules do not have.
async fn check_head(node: Node, number: u64) -> eyre::Result<()> {
    let header = node.header_at(number).await?;
    Ok(check_fields(&node.chain_at(&header)?, &header)?)
}

/// The matching flags of `fetch`. `None` if the newest block of the node cannot be replayed.
fn flags(found: &Found) -> Option<String> {
    let is_replayed = found.rules.is_ok() && found.head.is_ok();
    let best = found.abilities.witnesses().into_iter().next().filter(|_| is_replayed)?;
    Some(format!("--witness {}", best.name()))
}

fn print_table(found: &Found) -> Result<(), OutputError> {
    let Found { abilities, rules, head } = found;
    let facts = [
        ("node", abilities.origin.to_string()),
        ("client", abilities.client.as_ref().map_or_else(why, ToString::to_string)),
        ("chain", abilities.chain_id.to_string()),
        ("rules", rules.as_ref().map_or_else(|error| format!("{error:#}"), describe)),
        ("newest block", abilities.head.to_string()),
        ("oldest state", abilities.oldest_state.as_ref().map_or_else(unknown, oldest)),
        ("batches", batches(abilities)),
    ];
    for (name, value) in facts {
        print_text(format_args!("{name:<14}{value}"))?;
    }
    if let Err(error) = head {
        print_text(format_args!("{:<14}{error:#}", "refused"))?;
    }
    for note in rules.iter().flat_map(|rules| &rules.notes) {
        print_text(format_args!("{:<14}{note}", "note"))?;
    }
    print(format_args!("\nTested with block {}:", abilities.block))?;
    const COLUMNS: [Column; 3] = [("method", Left), ("served", Left), ("why not", Left)];
    let rows = abilities.methods.iter().map(|(method, answer)| {
        let reason = answer.as_ref().err().map(why).unwrap_or_default();
        vec![method.name().to_owned(), served(answer).to_owned(), reason]
    });
    let rows: Vec<_> = rows.collect();
    print(format_args!("{}\n", grid::with_last_folded(&COLUMNS, &rows, width()).join("\n")))?;
    print_text(conclusion(found))
}

/// The methods that `fetch` needs.
const NEEDS: &str = "fetch needs one of: debug_executionWitness; eth_getProof at the block's parent; \
                     debug_traceBlockByNumber or debug_traceTransaction with prestateTracer.";

fn conclusion(found: &Found) -> String {
    let Some(flags) = flags(found) else {
        return format!("No block can be fetched from this node and replayed. {NEEDS}");
    };
    let names: Vec<_> = found.abilities.witnesses().iter().map(|kind| kind.name()).collect();
    let others = match &names[..] {
        [_, others @ ..] if !others.is_empty() => format!(" (also: {})", others.join(", ")),
        _ => String::new(),
    };
    format!("Fetch with: blockrace fetch BLOCKS {flags}{others}")
}

fn describe(NodeRules { rules, source, .. }: &NodeRules) -> String {
    format!("by {source}: {rules}")
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
        Err(RpcError::NotCalled { .. }) => "not called",
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
    causes(cause)
}

/// Formats an error with all its causes.
fn causes(error: &(dyn Error + 'static)) -> String {
    let causes = successors(Some(error), |error| (**error).source());
    causes.map(ToString::to_string).collect::<Vec<_>>().join(": ")
}

fn to_json(found: &Found) -> Value {
    let Found { abilities, rules, head } = found;
    let reason = |answer: &Result<(), RpcError>| answer.as_ref().err().map(why);
    let methods = abilities.methods.iter().map(|(method, answer)| {
        json!({ "method": method.name(), "served": served(answer), "why": reason(answer) })
    });
    let witnesses: Vec<_> = abilities.witnesses().iter().map(|kind| kind.name()).collect();
    json!({
        "schema_version": SCHEMA_VERSION,
        "provenance": provenance(),
        "node": abilities.origin.to_string(),
        "client": abilities.client.as_ref().ok().map(ToString::to_string),
        "chain_id": abilities.chain_id,
        "chain_known": rules.is_ok(),
        "rules_source": rules.as_ref().ok().map(|rules| rules.source.to_string()),
        "rules_digest": rules.as_ref().ok().map(|rules| rules.rules.digest().to_string()),
        "rules_unknown_why": rules.as_ref().err().map(|error| format!("{error:#}")),
        "head_refused_why": head.as_ref().err().map(|error| format!("{error:#}")),
        "head": abilities.head,
        "oldest_state": abilities.oldest_state.as_ref().ok(),
        "oldest_state_unknown_why": abilities.oldest_state.as_ref().err().map(why),
        "asked_about": abilities.block,
        "methods": methods.collect::<Vec<_>>(),
        "batch": abilities.batch,
        "larger_batch_why": abilities.larger_batch.as_ref().map(why),
        "witness": witnesses,
        "fetch_flags": flags(found),
    })
}

//! Completes the declaration of the command line: the executors of the program, and examples.

use super::{
    Cli,
    executors::{Executors, baseline},
};
use crate::executors::Registry;
use clap::{
    CommandFactory as _,
    builder::{PossibleValue, TypedValueParser},
};
use std::ffi::OsStr;

/// Examples in the help of each command.
const EXAMPLES: [(&str, &str); 8] = [
    (
        "fetch",
        "Examples:\n  blockrace fetch 24628600-24628619 \\\n      --rpc-url http://127.0.0.1:8545\n  \
         blockrace fetch latest-9-latest",
    ),
    (
        "replay",
        "Examples:\n  blockrace replay\n  blockrace replay sample:10 --executors all --threads 1,2\n  \
         blockrace replay 24628600:+20 --self-check \\\n      --iterations 20 --html page.html",
    ),
    (
        "analyze",
        "Examples:\n  blockrace analyze sample:10\n  blockrace analyze --threads 8,16 --html bounds.html",
    ),
    (
        "trace",
        "Examples:\n  blockrace trace sample:10 --executor block-stm \\\n      --threads 2 -o trace.json",
    ),
    (
        "compare",
        "Examples:\n  blockrace compare base.json new.json --threshold 5\n  \
         blockrace compare base1.json,base2.json \\\n      new1.json,new2.json --html diff.html\n  \
         blockrace compare --baseline main new.json \\\n      --exit-code cannot-tell=0",
    ),
    (
        "verify",
        "Examples:\n  blockrace verify sample\n  blockrace verify @data/mainnet-37.txt \\\n      --executor block-stm",
    ),
    (
        "conformance",
        "Examples:\n  blockrace conformance tests/BlockchainTests \\\n      --filter '*eip4844*'",
    ),
    ("completions", "Examples:\n  blockrace completions bash > blockrace.bash"),
];

/// The command line, with the executors of `registry` in its help and its value parsers.
pub(super) fn command(registry: &Registry) -> clap::Command {
    let many = |command: clap::Command| {
        let (names, known) = (names(registry, &["all"]), registry.clone());
        let parse = move |text: &str| Executors::parse(text, &known);
        command.mut_arg("executors", |arg| {
            listing(arg, registry).value_parser(Suggesting { parse, names })
        })
    };
    let one = |command: clap::Command| {
        let (names, known) = (names(registry, &[]), registry.clone());
        let parse = move |name: &str| known.find(name);
        command.mut_arg("executor", |arg| {
            listing(arg, registry).value_parser(Suggesting { parse, names })
        })
    };
    let base = |command: clap::Command| {
        let known = registry.clone();
        let parse = move |name: &str| baseline(name, &known);
        let one_thread = registry.all().iter().filter(|kind| !kind.is_parallel());
        let names = one_thread.map(|kind| kind.name()).collect();
        command.mut_arg("baseline", |arg| {
            arg.value_parser(Suggesting { parse, names }).hide_possible_values(true)
        })
    };
    let with_example = |command: clap::Command, (name, text): (&str, &'static str)| {
        command.mut_subcommand(name, |command| command.after_help(text))
    };
    EXAMPLES
        .into_iter()
        .fold(Cli::command(), with_example)
        .mut_subcommand("replay", many)
        .mut_subcommand("replay", base)
        .mut_subcommand("conformance", many)
        .mut_subcommand("verify", one)
        .mut_subcommand("trace", one)
}

/// Names of the executors, and further values.
fn names(registry: &Registry, more: &[&'static str]) -> Vec<&'static str> {
    registry.all().iter().map(|kind| kind.name()).chain(more.iter().copied()).collect()
}

/// Adds the names of the executors to an argument's help, and their descriptions to its long help.
fn listing(arg: clap::Arg, registry: &Registry) -> clap::Arg {
    let help = arg.get_help().map(ToString::to_string).unwrap_or_default();
    let all = registry.all().iter();
    let described: Vec<_> = all.map(|kind| format!("- {kind}: {}", kind.description())).collect();
    let listed = names(registry, &[]).join(", ");
    arg.long_help(format!("{help}\n\n{}", described.join("\n")))
        .help(format!("{help} [executors: {listed}]"))
        .hide_possible_values(true)
}

/// A parser that tells shells which values to suggest. It accepts all values that `parse` accepts.
#[derive(Clone)]
struct Suggesting<P> {
    parse: P,
    names: Vec<&'static str>,
}

impl<P, T, E> TypedValueParser for Suggesting<P>
where
    P: Fn(&str) -> Result<T, E> + Clone + Send + Sync + 'static,
    T: Clone + Send + Sync + 'static,
    E: Into<Box<dyn std::error::Error + Send + Sync>>,
{
    type Value = T;

    fn parse_ref(
        &self,
        command: &clap::Command,
        arg: Option<&clap::Arg>,
        value: &OsStr,
    ) -> Result<T, clap::Error> {
        self.parse.parse_ref(command, arg, value)
    }

    fn possible_values(&self) -> Option<Box<dyn Iterator<Item = PossibleValue> + '_>> {
        Some(Box::new(self.names.iter().map(PossibleValue::new)))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use clap::Parser as _;

    #[test]
    fn every_example_is_a_valid_command_line() {
        for (_, text) in EXAMPLES {
            for line in text.replace("\\\n", "").lines().skip(1) {
                let words = line.split('>').next().unwrap_or_default().replace('\'', "");
                let parsed = Cli::try_parse_from(words.split_whitespace());
                assert!(parsed.is_ok(), "{line}: {parsed:?}");
            }
        }
    }

    #[test]
    fn no_example_is_wider_than_a_narrow_terminal() {
        let lines = EXAMPLES.iter().flat_map(|(_, text)| text.lines());
        let wide: Vec<_> = lines.filter(|line| line.chars().count() > 60).collect();
        assert!(wide.is_empty(), "a shell does not take two lines as one command: {wide:?}");
    }
}

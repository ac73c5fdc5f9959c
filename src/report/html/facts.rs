//! Writes the section about the machine, the settings and the command that reproduces the run.
//!
//! It is the last section, for readers that check or reproduce the figures. All values come from [`Report`].
//! A value that the system did not report is shown as unavailable.

use maud::{Markup, html};

use crate::report::block_list::block_lists;
use crate::report::table::oracle_knowledge;
use crate::report::{Machine, Provenance, Report};
use crate::units;

/// The section about the machine and the settings.
pub(super) fn section(report: &Report) -> Markup {
    html! {
        section id="facts" {
            h2 { "Machine and settings" }
            (again(&report.settings.command))
            (blocks(report))
            (build(&report.provenance))
            (machine(&report.machine))
            h3 { "Settings" }
            (list(&settings(report)))
            @for line in oracle_knowledge(report) { p { (line) } }
            h3 { "Timed phases" }
            p {
                "A sample starts with a prepared block: transactions are decoded, senders are recovered, \
                 and the pre-state is in memory. It ends with the complete result: system calls, every \
                 transaction, withdrawals and requests, receipts in block order, and the state changes. \
                 Every executor produces the same result. Parallel executors also save work on one \
                 thread, for example with cached hashes. Their rows on one thread show this effect. Decoding, proofs, \
                 the state root, verification and deallocation are not timed. Every sample was compared with the \
                 block's header: gas, receipts, bloom, requests and, with a witness, the state root."
            }
            p {
                "Executors run in shuffled order in every iteration, so that drift affects all of them \
                 equally. A speedup is the median of baseline time / executor time over the iterations. \
                 Intervals are 95 % bootstrap intervals. No sample was excluded."
            }
        }
    }
}

/// The command that reproduces a run.
pub(in crate::report) fn again(command: &str) -> Markup {
    html! {
        h3 { "Reproduce this run" }
        pre tabindex="0" role="group" aria-label="The command of this run" { code { (command) } }
        p { "If the blocks are not cached yet, fetch them first: " code { "blockrace fetch BLOCKS --rpc-url URL" } "." }
    }
}

/// The date of a run and the build of the program.
pub(in crate::report) fn build(provenance: &Provenance) -> Markup {
    let unknown = || "unknown".to_owned();
    let entries = [
        ("Date", provenance.date.clone()),
        ("Commit", provenance.commit.clone().unwrap_or_else(unknown)),
        ("Compiler", provenance.rustc.clone().unwrap_or_else(unknown)),
        ("Target", provenance.target.clone()),
        ("Target features", provenance.target_features.join(", ")),
        ("Build profile", provenance.profile.clone()),
    ];
    html! { h3 { "Date and build" } (list(&entries)) }
}

/// The blocks of the report, to be copied into a command.
fn blocks(report: &Report) -> Markup {
    html! {
        @for (chain, list) in block_lists(report) {
            p { "Blocks of chain " (chain) ", for the BLOCKS argument of the commands:" }
            pre tabindex="0" role="group" aria-label="The blocks of this run" { code { (list) } }
        }
    }
}

/// The machine of a run.
pub(in crate::report) fn machine(machine: &Machine) -> Markup {
    html! { h3 { "Machine" } (list(&about(machine))) }
}

/// A list of names and values.
pub(in crate::report) fn list(entries: &[(&str, String)]) -> Markup {
    html! { dl { @for (name, value) in entries { dt { (name) } dd { (value) } } } }
}

fn about(machine: &Machine) -> Vec<(&'static str, String)> {
    let unknown = || "not reported by the system".to_owned();
    let cores = machine.physical_cores.map_or_else(unknown, |cores| cores.to_string());
    let energy = machine.energy_counters.clone();
    let energy = energy.unwrap_or_else(|| "not available".to_owned());
    let libraries: Vec<_> =
        machine.libraries.iter().map(|(name, version)| format!("{name} {version}")).collect();
    vec![
        ("Processor", machine.cpu_model.clone()),
        ("Logical CPUs", machine.logical_cpus.to_string()),
        ("Physical cores", cores),
        ("Caches", if machine.caches.is_empty() { unknown() } else { machine.caches.join(", ") }),
        ("Memory", machine.memory_bytes.map_or_else(unknown, units::bytes)),
        ("Frequency governor", machine.governor.clone().unwrap_or_else(unknown)),
        ("Energy counters", energy),
        ("Kernel", machine.kernel.clone()),
        ("Allocator", machine.allocator.clone()),
        ("blockrace", format!("{}, {} build", machine.blockrace_version, machine.build)),
        ("Libraries", libraries.join(", ")),
    ]
}

fn settings(report: &Report) -> Vec<(&'static str, String)> {
    let settings = &report.settings;
    let threads: Vec<_> = settings.threads.iter().map(ToString::to_string).collect();
    let yes_or_no = |yes: bool| if yes { "yes" } else { "no" }.to_owned();
    let mut entries = vec![
        ("Blocks", settings.blocks.clone()),
        ("Executors", settings.executors.join(", ")),
        ("Threads", threads.join(", ")),
        ("Timed iterations", settings.iterations.to_string()),
        ("Warm-up iterations", settings.warmup.to_string()),
        ("A/A run of the baseline", yes_or_no(settings.self_check)),
        ("Threads pinned to cores", yes_or_no(settings.pinned)),
        ("Threads asleep before each sample", yes_or_no(settings.asleep)),
        ("Seed", settings.seed.to_string()),
    ];
    if !settings.state_latency.is_zero() {
        entries.push(("Latency of a first state read", units::duration(settings.state_latency)));
    }
    if let Some(seconds) = settings.time_limit_s {
        entries.push(("Time limit per block", format!("{seconds} s")));
    }
    entries
}

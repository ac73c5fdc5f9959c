//! Where and how the run was made, and how it is made again.
//!
//! Last on the page, since it is for who doubts the numbers or wants them for a machine of their own. Nothing here
//! is read from the machine: [`Report`] brings it, and what the system did not tell is said to be unknown.

use maud::{Markup, html};

use crate::report::table::known_beforehand;
use crate::report::{Machine, Report};
use crate::units;

/// The last section of the page.
pub(super) fn section(report: &Report) -> Markup {
    html! {
        section id="facts" {
            h2 { "Machine and settings" }
            (again(&report.settings.command))
            (machine(&report.machine))
            h3 { "Settings" }
            (list(&settings(report)))
            @for line in known_beforehand(report) { p { (line) } }
            h3 { "What is timed" }
            p {
                "From a block that is ready (transactions decoded, senders recovered, state before the \
                 block in memory) to its complete outcome: system calls, every transaction, \
                 withdrawals and requests, receipts in order, and the changes of state. The same outcome \
                 from every executor; what workers of parallel ones spare on one thread already, such as \
                 hashes computed before in the block, shows in their rows for one thread. Decoding, \
                 proofs, the state root, verification and dropping what was built are outside. Every lap was compared with the block's header: gas, receipts, \
                 bloom, requests and, where a witness proves the state before the block, the state root."
            }
            p {
                "Executors run in shuffled order in every round, so that drift falls on all alike. A \
                 speedup is the median over the rounds of the baseline's time / the executor's; \
                 intervals are 95 % bootstrap intervals. No lap was left out."
            }
        }
    }
}

/// The command that makes a run again.
pub(in crate::report) fn again(command: &str) -> Markup {
    html! {
        h3 { "Make it again" }
        pre tabindex="0" aria-label="The command of this run" { code { (command) } }
        p { "Where the blocks are not cached yet: blockrace fetch, with the blocks and --rpc-url." }
    }
}

/// Where a run was made.
pub(in crate::report) fn machine(machine: &Machine) -> Markup {
    html! { h3 { "Machine" } (list(&about(machine))) }
}

/// Names, each with its value.
pub(in crate::report) fn list(entries: &[(&str, String)]) -> Markup {
    html! { dl { @for (name, value) in entries { dt { (name) } dd { (value) } } } }
}

fn about(machine: &Machine) -> Vec<(&'static str, String)> {
    let unknown = || "not told by the system".to_owned();
    let cores = machine.physical_cores.map_or_else(unknown, |cores| cores.to_string());
    let libraries: Vec<_> =
        machine.libraries.iter().map(|(name, version)| format!("{name} {version}")).collect();
    vec![
        ("Processor", machine.cpu_model.clone()),
        ("Logical CPUs", machine.logical_cpus.to_string()),
        ("Physical cores", cores),
        ("Caches", if machine.caches.is_empty() { unknown() } else { machine.caches.join(", ") }),
        ("Memory", machine.memory_bytes.map_or_else(unknown, units::bytes)),
        ("Frequency governor", machine.governor.clone().unwrap_or_else(unknown)),
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
        ("Timed rounds", settings.iterations.to_string()),
        ("Warm-up rounds", settings.warmup.to_string()),
        ("Baseline against itself", yes_or_no(settings.self_check)),
        ("Threads pinned to cores", yes_or_no(settings.pinned)),
        ("Threads asleep when a lap begins", yes_or_no(settings.asleep)),
        ("Seed", settings.seed.to_string()),
    ];
    if !settings.state_latency.is_zero() {
        entries.push(("First reads of the state take", units::duration(settings.state_latency)));
    }
    if let Some(seconds) = settings.time_limit_s {
        entries.push(("Time limit of a block", format!("{seconds} s")));
    }
    entries
}

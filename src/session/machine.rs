//! Describes the machine of a report. The facts come from Linux; on other systems most of them are unknown.

use crate::{
    measure::{energy::EnergyMeter, warnings::Build},
    report::{Machine, counted},
};
use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};
use std::{
    collections::{BTreeMap, BTreeSet},
    fs,
    num::NonZeroUsize,
    thread,
};

/// Folder in which Linux describes the processors.
const PROCESSORS: &str = "/sys/devices/system/cpu";

/// Contents of `Cargo.lock`, for the versions of the linked libraries.
const LOCK_FILE: &str = include_str!("../../Cargo.lock");

/// Libraries that execute blocks. A report lists their versions.
const LIBRARIES: [&str; 3] = ["alloy-evm", "revm", "revm-interpreter"];

/// Reads the facts about the machine.
pub fn describe() -> Machine {
    let system = rustix::system::uname();
    let kernel = [system.sysname(), system.release()].map(|part| part.to_string_lossy());
    let info = fs::read_to_string("/proc/cpuinfo").unwrap_or_default();
    Machine {
        cpu_model: cpu_model(&info).unwrap_or_else(|| "unknown processor".to_owned()),
        logical_cpus: cores(),
        physical_cores: physical_cores(&info),
        caches: caches(),
        memory_bytes: memory(&fs::read_to_string("/proc/meminfo").unwrap_or_default()),
        governor: governor(),
        energy_counters: EnergyMeter::open()
            .map(|meter| format!("RAPL of {}", counted(meter.packages(), "package"))),
        kernel: kernel.join(" "),
        allocator: "mimalloc".to_owned(),
        blockrace_version: env!("CARGO_PKG_VERSION").to_owned(),
        build: match build() {
            Build::Optimised => "release".to_owned(),
            Build::Debug => "debug".to_owned(),
        },
        libraries: libraries(LOCK_FILE),
    }
}

/// Build profile of this program.
pub const fn build() -> Build {
    if cfg!(debug_assertions) { Build::Debug } else { Build::Optimised }
}

/// Number of processors that this process may use; 1 if it is unknown.
pub fn cores() -> NonZeroUsize {
    thread::available_parallelism().unwrap_or(NonZeroUsize::MIN)
}

/// Raises the limit of open files of this process to `wanted`, as far as the system allows. Returns the limit; `None`
/// if there is none.
pub fn allow_files(wanted: u64) -> Option<u64> {
    let Rlimit { current, maximum } = getrlimit(Resource::Nofile);
    let now = current?;
    if now >= wanted {
        return Some(now);
    }
    let raised = maximum.map_or(wanted, |most| most.min(wanted));
    let new = Rlimit { current: Some(raised), maximum };
    // A refusal leaves the old limit.
    Some(setrlimit(Resource::Nofile, new).map_or(now, |()| raised))
}

fn cpu_model(info: &str) -> Option<String> {
    values(info, "model name").next().map(str::to_owned)
}

/// Number of distinct pairs of package and core.
fn physical_cores(info: &str) -> Option<usize> {
    let cores: BTreeSet<_> = values(info, "physical id").zip(values(info, "core id")).collect();
    (!cores.is_empty()).then_some(cores.len())
}

/// The values of a field in lines like `model name : AMD EPYC`.
fn values<'a>(info: &'a str, name: &'a str) -> impl Iterator<Item = &'a str> {
    info.lines().filter_map(move |line| {
        let (field, value) = line.split_once(':')?;
        (field.trim() == name).then_some(value.trim())
    })
}

/// Total memory in bytes. Linux writes it in KiB, although the unit there is `kB`.
fn memory(info: &str) -> Option<u64> {
    let total = values(info, "MemTotal").next()?;
    let kib: u64 = total.strip_suffix("kB")?.trim().parse().ok()?;
    kib.checked_mul(1024)
}

/// Level, kind and size of each cache of the first processor.
fn caches() -> Vec<String> {
    let read = |index: usize, file: &str| {
        let path = format!("{PROCESSORS}/cpu0/cache/index{index}/{file}");
        fs::read_to_string(path).ok().map(|text| text.trim().to_owned())
    };
    let cache = |index| {
        let kind = match read(index, "type")?.as_str() {
            "Data" => "d",
            "Instruction" => "i",
            _ => "",
        };
        Some(format!("L{}{kind} {}", read(index, "level")?, read(index, "size")?))
    };
    (0..).map_while(cache).collect()
}

/// Frequency governor of the first processor. `None` without one, as in most virtual machines.
pub fn governor() -> Option<String> {
    let path = format!("{PROCESSORS}/cpu0/cpufreq/scaling_governor");
    fs::read_to_string(path).ok().map(|name| name.trim().to_owned())
}

/// Versions of [`LIBRARIES`] in a lock file.
fn libraries(lock: &str) -> BTreeMap<String, String> {
    let version = |name: &str| {
        let entry = format!("name = \"{name}\"\nversion = \"");
        let rest = lock.get(lock.find(&entry)? + entry.len()..)?;
        Some((name.to_owned(), rest.split('"').next()?.to_owned()))
    };
    LIBRARIES.into_iter().filter_map(version).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    const INFO: &str = "processor\t: 0\nmodel name\t: AMD EPYC\nphysical id\t: 0\ncore id\t\t: 0\n\n\
        processor\t: 1\nmodel name\t: AMD EPYC\nphysical id\t: 0\ncore id\t\t: 0\n";

    #[test]
    fn two_threads_of_one_core_count_as_one_core() {
        assert_eq!(cpu_model(INFO).as_deref(), Some("AMD EPYC"));
        assert_eq!(physical_cores(INFO), Some(1));
        assert_eq!(physical_cores(""), None);
    }

    #[test]
    fn memory_is_converted_to_bytes() {
        assert_eq!(memory("MemTotal:       2 kB\nMemFree: 1 kB\n"), Some(2_048));
        assert_eq!(memory("MemTotal: much\n"), None);
    }

    #[test]
    fn versions_of_the_executing_libraries_are_found() {
        let libraries = libraries(LOCK_FILE);
        assert_eq!(libraries.keys().collect::<Vec<_>>(), ["alloy-evm", "revm", "revm-interpreter"]);
        assert!(libraries["revm"].starts_with(|digit: char| digit.is_ascii_digit()));
    }
}

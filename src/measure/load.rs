//! Measures the load of other processes, and steal time, while the samples are taken.
//!
//! Linux reports the time of its CPUs by kind (`/proc/stat`, proc(5)). The CPU time of this process is
//! subtracted. Other systems report nothing.

use super::clock::Clock;
use std::{fs, time::Duration};

/// Load that is not from this process, averaged over the measured time.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct OtherLoad {
    /// CPUs that other processes used: 0.5 is half a CPU.
    pub busy: f64,
    /// CPUs of steal time: the hypervisor gave them to other virtual machines although this one needed them.
    pub stolen: f64,
}

/// Measures the load from its start on.
#[derive(Debug)]
pub struct LoadWatch<'a, C> {
    clock: &'a C,
    before: Option<Reading>,
}

/// Times since the machine or the process started.
#[derive(Clone, Copy, Debug)]
struct Reading {
    wall: Duration,
    own: Duration,
    processors: ProcessorTime,
}

impl<'a, C: Clock> LoadWatch<'a, C> {
    /// Starts the measurement.
    pub fn start(clock: &'a C) -> Self {
        Self { clock, before: reading(clock) }
    }

    /// The load since the start; `None` if the system does not report it.
    pub fn finish(self) -> Option<OtherLoad> {
        Some(between(self.before?, reading(self.clock)?))
    }
}

fn reading(clock: &impl Clock) -> Option<Reading> {
    let processors = ProcessorTime::parse(&fs::read_to_string("/proc/stat").ok()?)?;
    Some(Reading { wall: clock.wall(), own: clock.cpu()?, processors })
}

fn between(before: Reading, after: Reading) -> OtherLoad {
    let elapsed = after.wall.saturating_sub(before.wall).as_secs_f64();
    let own = after.own.saturating_sub(before.own).as_secs_f64();
    let ticks = |of: fn(&ProcessorTime) -> u64| {
        let ticks = of(&after.processors).saturating_sub(of(&before.processors));
        ticks as f64 / rustix::param::clock_ticks_per_second() as f64
    };
    let share = |seconds: f64| if elapsed > 0.0 { (seconds / elapsed).max(0.0) } else { 0.0 };
    OtherLoad {
        busy: share(ticks(|time| time.busy) - own),
        stolen: share(ticks(|time| time.stolen)),
    }
}

/// Time of all CPUs together, in ticks.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct ProcessorTime {
    busy: u64,
    stolen: u64,
}

impl ProcessorTime {
    /// Parses the first line of `/proc/stat`: user, nice, system, idle, iowait, irq, softirq, steal.
    fn parse(stat: &str) -> Option<Self> {
        let numbers = stat.lines().next()?.strip_prefix("cpu ")?.split_whitespace();
        let numbers: Vec<u64> = numbers.map_while(|number| number.parse().ok()).collect();
        let [user, nice, system, _idle, _iowait, irq, softirq, stolen, ..] = numbers[..] else {
            return None;
        };
        Some(Self { busy: user + nice + system + irq + softirq, stolen })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(wall: u64, own: u64, busy: u64, stolen: u64) -> Reading {
        let ticks = rustix::param::clock_ticks_per_second();
        let processors = ProcessorTime { busy: busy * ticks, stolen: stolen * ticks };
        Reading { wall: Duration::from_secs(wall), own: Duration::from_secs(own), processors }
    }

    #[test]
    fn other_load_is_the_total_load_without_this_process() {
        let load = between(at(100, 10, 500, 7), at(110, 25, 520, 8));
        assert_eq!(load, OtherLoad { busy: 0.5, stolen: 0.1 });
    }

    #[test]
    fn a_load_is_never_negative_despite_rounding_to_ticks() {
        let load = between(at(100, 10, 500, 7), at(101, 12, 501, 7));
        assert_eq!(load, OtherLoad { busy: 0.0, stolen: 0.0 });
    }

    #[test]
    fn the_first_line_of_proc_stat_covers_all_cpus() {
        let stat = "cpu  10 2 3 400 5 1 4 8 0 0\ncpu0 5 1 1 200 2 0 2 4 0 0\n";
        assert_eq!(ProcessorTime::parse(stat), Some(ProcessorTime { busy: 20, stolen: 8 }));
        assert_eq!(ProcessorTime::parse("cpu  10 2 3\n"), None);
        assert_eq!(ProcessorTime::parse(""), None);
    }
}

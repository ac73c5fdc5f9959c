//! Limits that a cgroup of Linux sets to the processors of this process, in versions 1 and 2 (cgroups(7)).
//!
//! Batch systems and containers set them. A limit of processor time stops all threads for a while when it is used up.
//! A set of processors that is smaller than the machine leaves the others to other programs, which share caches and
//! memory bandwidth. Other systems report nothing.

use std::{
    fmt, fs,
    path::{Path, PathBuf},
};

/// A limit that distorts times.
#[derive(Clone, Copy, Debug, PartialEq)]
#[expect(missing_docs, reason = "the messages name the fields")]
pub enum ProcessorLimit {
    /// Less processor time than the processors have.
    Time { processors: f64, of: usize },
    /// Fewer processors than the machine has.
    Part { processors: usize, of: usize },
}

impl ProcessorLimit {
    /// Identifier of the warning in JSON.
    pub const fn kind(&self) -> &'static str {
        match self {
            Self::Time { .. } => "limited-processor-time",
            Self::Part { .. } => "part-of-the-machine",
        }
    }

    /// The remedy.
    pub const fn remedy(&self) -> &'static str {
        match self {
            Self::Time { .. } => {
                "remove the limit (cpu.max; limits.cpu of a container), since it stops all threads in the middle of samples"
            }
            Self::Part { .. } => {
                "keep other jobs away from the machine (--exclusive of Slurm; one pod for each node), since they share \
                 caches and memory bandwidth"
            }
        }
    }
}

impl fmt::Display for ProcessorLimit {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Time { processors, of } => {
                write!(f, "a cgroup limits processor time to {processors:.2} of {of} CPUs")
            }
            Self::Part { processors, of } => {
                write!(f, "a cgroup allows {processors} of the machine's {of} CPUs")
            }
        }
    }
}

/// The limits of this process.
pub fn limits() -> Vec<ProcessorLimit> {
    limits_by(&|path| fs::read_to_string(path).ok())
}

/// As [`limits`], with the content of files by path.
fn limits_by(read: &impl Fn(&Path) -> Option<String>) -> Vec<ProcessorLimit> {
    let online = read(Path::new("/sys/devices/system/cpu/online"));
    let Some(machine) = online.and_then(|list| count(&list)) else { return vec![] };
    let [groups, mounts] = ["/proc/self/cgroup", "/proc/self/mountinfo"]
        .map(|path| read(Path::new(path)).unwrap_or_default());
    let folders = |controller| folders(&groups, &mounts, controller);
    let read_in = |folder: &PathBuf, file: &str| read(&folder.join(file));
    // The nearest group with the file has the set of processors, since a set is never larger than its parent's.
    let allowed = folders("cpuset").iter().find_map(|folder| {
        let files = ["cpuset.cpus.effective", "cpuset.effective_cpus", "cpuset.cpus"];
        files.iter().find_map(|file| count(&read_in(folder, file)?))
    });
    let allowed = allowed.unwrap_or(machine).min(machine);
    // Each group on the way up has a limit of its own.
    let times = folders("cpu").into_iter().filter_map(|folder| {
        let v1 = || {
            let [quota, period] =
                ["cpu.cfs_quota_us", "cpu.cfs_period_us"].map(|file| read_in(&folder, file));
            Some(format!("{} {}", quota?.trim(), period?.trim()))
        };
        share(&read_in(&folder, "cpu.max").or_else(v1)?)
    });
    let time = times.min_by(f64::total_cmp).filter(|time| *time < allowed as f64);
    let part =
        (allowed < machine).then_some(ProcessorLimit::Part { processors: allowed, of: machine });
    let time = time.map(|processors| ProcessorLimit::Time { processors, of: allowed });
    time.into_iter().chain(part).collect()
}

/// The processors that a quota and a period, both in microseconds, are worth. `None` without a limit.
fn share(quota_and_period: &str) -> Option<f64> {
    let (quota, period) = quota_and_period.trim().split_once(' ')?;
    // Version 2 writes max, and version 1 writes -1.
    let (quota, period): (u64, u64) = (quota.parse().ok()?, period.trim().parse().ok()?);
    (period > 0).then(|| quota as f64 / period as f64)
}

/// The number of processors in a list such as `0-3,8`.
fn count(list: &str) -> Option<usize> {
    let ranges = list.trim().split(',').map(|range| {
        let (first, last) = range.split_once('-').unwrap_or((range, range));
        let (first, last): (usize, usize) = (first.parse().ok()?, last.parse().ok()?);
        Some(last.checked_sub(first)? + 1)
    });
    ranges.sum()
}

/// The folders of the process's group and of the groups above it, the nearest first. `groups` is `/proc/self/cgroup`,
/// `mounts` is `/proc/self/mountinfo`. A controller of version 1 goes first, since it is then not in version 2.
fn folders(groups: &str, mounts: &str, controller: &str) -> Vec<PathBuf> {
    let versions = [Some(controller), None];
    let found = versions.iter().find_map(|version| {
        let group = group(groups, *version)?;
        let (root, point) = mounts.lines().find_map(|line| mount(line, *version))?;
        // The mount of a container may begin below the root of all groups, or the path be that of the host.
        let below = Path::new(group).strip_prefix(root).unwrap_or(Path::new(""));
        let below = if below.starts_with("..") { Path::new("") } else { below };
        let folders = below.ancestors().map(|folder| Path::new(point).join(folder));
        Some(folders.collect())
    });
    found.unwrap_or_default()
}

/// The path of the process's group: with a controller of version 1, or in version 2.
fn group<'a>(groups: &'a str, controller: Option<&str>) -> Option<&'a str> {
    groups.lines().find_map(|line| {
        let (_, rest) = line.split_once(':')?;
        let (controllers, path) = rest.split_once(':')?;
        let is_it = match controller {
            Some(controller) => controllers.split(',').any(|each| each == controller),
            None => controllers.is_empty(),
        };
        is_it.then_some(path)
    })
}

/// The root and the point of a mount of groups with this controller, or of version 2.
fn mount<'a>(line: &'a str, controller: Option<&str>) -> Option<(&'a str, &'a str)> {
    let (place, kind) = line.split_once(" - ")?;
    let mut place = place.split(' ').skip(3);
    let (root, point) = (place.next()?, place.next()?);
    let mut kind = kind.split(' ');
    let (system, options) = (kind.next()?, kind.nth(1)?);
    let is_it = match controller {
        Some(controller) => system == "cgroup" && options.split(',').any(|each| each == controller),
        None => system == "cgroup2",
    };
    is_it.then_some((root, point))
}

#[cfg(test)]
mod tests {
    use super::*;

    const ONLINE: (&str, &str) = ("/sys/devices/system/cpu/online", "0-15\n");
    const V2_MOUNT: (&str, &str) = (
        "/proc/self/mountinfo",
        "25 30 0:23 / /sys rw - sysfs sysfs rw\n\
         35 25 0:30 / /sys/fs/cgroup rw,nosuid shared:4 - cgroup2 cgroup2 rw,nsdelegate\n",
    );

    fn of(files: &[(&str, &str)]) -> Vec<ProcessorLimit> {
        limits_by(&|path| {
            let found = files.iter().find(|(known, _)| Path::new(known) == path);
            found.map(|(_, text)| (*text).to_owned())
        })
    }

    #[test]
    fn version_2_limits_time_and_processors_in_any_group_above() {
        let files = [
            ONLINE,
            V2_MOUNT,
            ("/proc/self/cgroup", "0::/system.slice/job\n"),
            ("/sys/fs/cgroup/system.slice/job/cpu.max", "max 100000\n"),
            ("/sys/fs/cgroup/system.slice/cpu.max", "150000 100000\n"),
            ("/sys/fs/cgroup/system.slice/cpuset.cpus.effective", "0-2,8\n"),
        ];
        let [time, part] = of(&files)[..] else { panic!("{:?}", of(&files)) };
        assert_eq!(time, ProcessorLimit::Time { processors: 1.5, of: 4 });
        assert_eq!(part, ProcessorLimit::Part { processors: 4, of: 16 });
        assert_eq!(time.to_string(), "a cgroup limits processor time to 1.50 of 4 CPUs");
        assert_eq!(part.to_string(), "a cgroup allows 4 of the machine's 16 CPUs");
    }

    #[test]
    fn version_1_limits_time_and_processors_by_controller() {
        let files = [
            ONLINE,
            (
                "/proc/self/mountinfo",
                "33 31 0:30 /docker/ab /sys/fs/cgroup/cpu,cpuacct rw - cgroup cgroup rw,cpu,cpuacct\n\
                 34 31 0:31 /docker/ab /sys/fs/cgroup/cpuset rw - cgroup cgroup rw,cpuset\n\
                 41 31 0:38 / /sys/fs/cgroup/unified rw - cgroup2 cgroup2 rw\n",
            ),
            (
                "/proc/self/cgroup",
                "4:cpu,cpuacct:/docker/ab\n3:cpuset:/docker/ab/part\n0::/docker/ab\n",
            ),
            ("/sys/fs/cgroup/cpu,cpuacct/cpu.cfs_quota_us", "400000\n"),
            ("/sys/fs/cgroup/cpu,cpuacct/cpu.cfs_period_us", "100000\n"),
            ("/sys/fs/cgroup/cpuset/part/cpuset.cpus", "4-11\n"),
        ];
        let expected = [
            ProcessorLimit::Time { processors: 4.0, of: 8 },
            ProcessorLimit::Part { processors: 8, of: 16 },
        ];
        assert_eq!(of(&files), expected);
    }

    #[test]
    fn no_limit_gives_no_warning() {
        let none = [
            ONLINE,
            V2_MOUNT,
            ("/proc/self/cgroup", "0::/\n"),
            ("/sys/fs/cgroup/cpu.max", "max 100000\n"),
            ("/sys/fs/cgroup/cpuset.cpus.effective", "0-15\n"),
        ];
        assert_eq!(of(&none), []);
        assert_eq!(of(&none[..2]), []);
        assert_eq!(of(&[]), []);
        let unlimited = ["-1 100000", "max 100000", "100000 0", "", "1"];
        assert_eq!(unlimited.map(share), [None; 5]);
    }

    #[test]
    fn as_much_time_as_the_processors_have_is_no_limit() {
        let files = [
            ONLINE,
            V2_MOUNT,
            ("/proc/self/cgroup", "0::/pod\n"),
            ("/sys/fs/cgroup/pod/cpu.max", "400000 100000\n"),
            ("/sys/fs/cgroup/pod/cpuset.cpus.effective", "0-3\n"),
        ];
        assert_eq!(of(&files), [ProcessorLimit::Part { processors: 4, of: 16 }]);
    }

    #[test]
    fn lists_of_processors_are_counted() {
        assert_eq!(["0", "0-3", "0-1,4,8-9\n"].map(count), [Some(1), Some(4), Some(5)]);
        assert_eq!(["", "x", "3-1", "0-"].map(count), [None; 4]);
    }
}

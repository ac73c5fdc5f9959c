//! Reads the energy counters of the processor packages (RAPL), through Linux's powercap.
//!
//! A counter covers a whole package: all of its cores, idle ones and those of other programs too. It advances about once
//! per millisecond, so that only the mean of many samples is a figure. Since 2020, Linux lets only root read it.

use std::{
    fs,
    path::{Path, PathBuf},
};

/// Folder in which Linux shows the counters.
const POWERCAP: &str = "/sys/class/powercap";

/// The counters of all packages.
#[derive(Clone, Debug)]
pub struct EnergyMeter {
    packages: Vec<Package>,
}

#[derive(Clone, Debug)]
struct Package {
    /// The file with the counter.
    counter: PathBuf,
    /// The counter starts again at zero after this value.
    range: u64,
}

/// The counters at one moment, in microjoules.
#[derive(Clone, Debug)]
pub(super) struct EnergyReading(Vec<u64>);

impl EnergyMeter {
    /// Finds the counters; `None` if there are none, or if they cannot be read.
    pub fn open() -> Option<Self> {
        Self::in_folder(Path::new(POWERCAP))
    }

    fn in_folder(folder: &Path) -> Option<Self> {
        let mut zones: Vec<_> =
            fs::read_dir(folder).ok()?.filter_map(|zone| Some(zone.ok()?.path())).collect();
        zones.sort_unstable();
        let packages: Vec<_> = zones.iter().filter_map(|zone| Package::in_zone(zone)).collect();
        let meter = Self { packages };
        let has_counter = !meter.packages.is_empty() && meter.read().is_some();
        has_counter.then_some(meter)
    }

    /// Number of packages.
    pub const fn packages(&self) -> usize {
        self.packages.len()
    }

    pub(super) fn read(&self) -> Option<EnergyReading> {
        let counters = self.packages.iter().map(|package| number(&package.counter));
        counters.collect::<Option<_>>().map(EnergyReading)
    }

    /// Energy of all packages since a reading, in microjoules.
    pub(super) fn since(&self, before: &EnergyReading) -> Option<u64> {
        let after = self.read()?;
        let used = self.packages.iter().zip(before.0.iter().zip(&after.0));
        used.map(|(package, (before, after))| match after.checked_sub(*before) {
            Some(used) => Some(used),
            None => package.range.checked_sub(*before)?.checked_add(*after),
        })
        .sum()
    }
}

impl Package {
    /// The package of a zone. Zones of single cores or of memory are none.
    fn in_zone(zone: &Path) -> Option<Self> {
        let is_package = fs::read_to_string(zone.join("name")).ok()?.starts_with("package");
        let range = number(&zone.join("max_energy_range_uj"))?;
        is_package.then(|| Self { counter: zone.join("energy_uj"), range })
    }
}

fn number(path: &Path) -> Option<u64> {
    fs::read_to_string(path).ok()?.trim().parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn zone(folder: &Path, zone: &str, name: &str, counter: &str) -> PathBuf {
        let zone = folder.join(zone);
        fs::create_dir(&zone).unwrap();
        fs::write(zone.join("name"), name).unwrap();
        fs::write(zone.join("max_energy_range_uj"), "1000\n").unwrap();
        fs::write(zone.join("energy_uj"), counter).unwrap();
        zone
    }

    #[test]
    fn the_energy_of_all_packages_is_added_up_and_a_counter_may_start_again() {
        let folder = tempfile::tempdir().unwrap();
        let one = zone(folder.path(), "intel-rapl:0", "package-0\n", "100\n");
        let two = zone(folder.path(), "intel-rapl:1", "package-1\n", "950\n");
        zone(folder.path(), "intel-rapl:0:0", "core\n", "7\n");
        let meter = EnergyMeter::in_folder(folder.path()).unwrap();
        assert_eq!(meter.packages(), 2);
        let before = meter.read().unwrap();
        fs::write(one.join("energy_uj"), "130\n").unwrap();
        fs::write(two.join("energy_uj"), "20\n").unwrap();
        assert_eq!(meter.since(&before), Some(30 + 70));
    }

    #[test]
    fn counters_that_cannot_be_read_are_none() {
        let folder = tempfile::tempdir().unwrap();
        assert!(EnergyMeter::in_folder(folder.path()).is_none());
        let zone = zone(folder.path(), "intel-rapl:0", "package-0\n", "100\n");
        fs::remove_file(zone.join("energy_uj")).unwrap();
        assert!(EnergyMeter::in_folder(folder.path()).is_none());
        assert!(EnergyMeter::in_folder(&folder.path().join("none")).is_none());
    }
}

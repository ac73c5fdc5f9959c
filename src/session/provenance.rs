//! Describes the origin of a result: the time of the run, and the build of the program.

use crate::{measure::utc_now, report::Provenance};

/// The name of a value that the build script does not know.
const UNKNOWN: &str = "unknown";

/// The origin of a result of this program, at this moment.
pub fn provenance() -> Provenance {
    let features = env!("BLOCKRACE_BUILD_TARGET_FEATURES");
    Provenance {
        date: utc_now(),
        commit: known(env!("BLOCKRACE_BUILD_COMMIT")),
        rustc: known(env!("BLOCKRACE_BUILD_RUSTC")),
        target: env!("BLOCKRACE_BUILD_TARGET").to_owned(),
        target_features: features.split(',').map(str::to_owned).collect(),
        profile: env!("BLOCKRACE_BUILD_PROFILE").to_owned(),
    }
}

/// The build of a result, in words: commit, compiler and profile.
pub(super) fn build_of(provenance: &Provenance) -> String {
    let Provenance { commit, rustc, profile, .. } = provenance;
    let known = |value: &Option<String>| value.clone().unwrap_or_else(|| UNKNOWN.to_owned());
    [known(commit), known(rustc), profile.clone()].join(", ")
}

fn known(value: &str) -> Option<String> {
    (value != UNKNOWN).then(|| value.to_owned())
}

/// The version and the build, as `--version` prints them.
pub const LONG_VERSION: &str = concat!(
    env!("CARGO_PKG_VERSION"),
    "\ncommit: ",
    env!("BLOCKRACE_BUILD_COMMIT"),
    "\nrustc: ",
    env!("BLOCKRACE_BUILD_RUSTC"),
    "\ntarget: ",
    env!("BLOCKRACE_BUILD_TARGET"),
    "\ntarget features: ",
    env!("BLOCKRACE_BUILD_TARGET_FEATURES"),
    "\nprofile: ",
    env!("BLOCKRACE_BUILD_PROFILE"),
);

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_origin_names_the_build() {
        let origin = provenance();
        assert!(origin.rustc.expect("cargo names the compiler").starts_with("rustc "));
        assert!(origin.target.contains('-'));
        assert!(origin.profile.contains("opt-level"));
        assert!(LONG_VERSION.contains(&origin.profile));
    }
}

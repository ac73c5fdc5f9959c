//! Decides whether the figures of a report are worth quoting.

use super::{Report, totals};
use crate::cache::SAMPLE_CHAIN;

/// From this noise floor on, speedups mean little.
const LOUD: f64 = 0.1;

/// The reasons not to quote the figures. Empty without figures.
pub(super) fn doubts(report: &Report) -> Vec<String> {
    let has_figures = report.rows.iter().any(|row| row.verdict.figures().is_some());
    if !has_figures {
        return vec![];
    }
    let warned = report.warnings.iter().filter(|warning| warning.voids_figures());
    let floor = totals::self_check(report).map(|(_, floor)| floor).filter(|floor| *floor > LOUD);
    let loud = floor.map(|floor| format!("the noise floor is {:.0} %", floor * 100.0));
    let is_sample = report.rows.iter().all(|row| row.block.chain_id == SAMPLE_CHAIN);
    let sample = is_sample.then(|| "the blocks are of an artificial chain".to_owned());
    warned.map(ToString::to_string).chain(loud).chain(sample).collect()
}

#[cfg(test)]
mod tests {
    use super::super::testing;
    use super::*;
    use crate::measure::stats::Speedup;
    use crate::measure::warnings::Warning;

    fn quiet() -> Report {
        let rows = vec![testing::baseline(), testing::contender()];
        testing::report_of(rows)
    }

    #[test]
    fn figures_of_a_quiet_run_over_real_blocks_may_be_quoted() {
        assert!(doubts(&quiet()).is_empty());
        let little = vec![Warning::OtherLoad { processors: 0.1 }];
        assert!(doubts(&Report { warnings: little, ..quiet() }).is_empty());
        assert!(doubts(&testing::report_of(vec![])).is_empty(), "there are no figures");
    }

    #[test]
    fn each_grave_condition_is_a_reason_not_to_quote() {
        for warning in [
            Warning::Unoptimised,
            Warning::OtherLoad { processors: 1.4 },
            Warning::Stolen { processors: 0.5 },
            Warning::TooFewIterations { rounds: 1 },
        ] {
            let said = warning.to_string();
            assert_eq!(doubts(&Report { warnings: vec![warning], ..quiet() }), [said]);
        }
        let mut loud = quiet();
        let itself = Speedup { ratio: 1.0, ci_low: 0.7, ci_high: 1.2 };
        loud.self_checks.push(testing::self_check(itself));
        assert_eq!(doubts(&loud), ["the noise floor is 43 %"]);
        let mut sample = quiet();
        sample.rows.iter_mut().for_each(|row| row.block.chain_id = SAMPLE_CHAIN);
        assert_eq!(doubts(&sample), ["the blocks are of an artificial chain"]);
    }
}

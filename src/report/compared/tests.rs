use super::*;
use crate::report::run::RowKey;

fn contender(ratio: f64, judgement: Judgement) -> ContenderChange {
    let change = Change { ratio, ci_low: ratio - 0.01, ci_high: ratio + 0.01 };
    ContenderChange {
        baselines: Some(1),
        runner: Runner { executor: "block-stm".into(), threads: 2 },
        overall: change,
        judgement,
        blocks: vec![((1, 19_426_587), change)],
        slower_blocks: vec![],
        repeated: Repeated::Yes,
    }
}

fn written(contenders: Vec<ContenderChange>) -> String {
    written_with(contenders, vec![])
}

fn written_with(contenders: Vec<ContenderChange>, missing: Vec<RowKey>) -> String {
    text_of(&comparison(contenders, missing))
}

fn comparison(contenders: Vec<ContenderChange>, missing: Vec<RowKey>) -> Comparison {
    Comparison {
        contenders,
        noise: Some(0.012),
        threshold: 0.03,
        by: By::Speedup,
        missing,
        mismatches: 0,
        sides: Default::default(),
    }
}

fn text_of(comparison: &Comparison) -> String {
    text_in(comparison, Detail::Blocks)
}

fn text_in(comparison: &Comparison, detail: Detail) -> String {
    let mut out = Vec::new();
    let layout = Layout { detail, width: 100 };
    write(comparison, layout, anstream::StripStream::new(&mut out)).unwrap();
    String::from_utf8(out).unwrap()
}

#[test]
fn a_comparison_matches_the_snapshot() {
    let expected = "\
block     executor   threads  change of time  95 % interval
19426587  block-stm  2        +5.0 %          [+4.0 %, +6.0 %]

all blocks  executor   threads  change of time  95 % interval
1           block-stm  2        +5.0 %          [+4.0 %, +6.0 %]  SLOWER
Time relative to the baseline in the same iterations, new / base.

REGRESSION: block-stm on 2 threads (threshold 3.0 %, noise floor 1.2 %)
";
    let actual = written(vec![contender(1.05, Judgement::Slower)]);
    assert_eq!(actual, expected, "got:\n{actual}");
    assert!(expected.lines().all(|line| line.chars().count() <= 100));
}

#[test]
fn without_a_regression_the_last_line_states_it() {
    let text = written(vec![contender(0.9, Judgement::Faster)]);
    assert!(text.ends_with("no regression (threshold 3.0 %, noise floor 1.2 %)\n"), "{text}");
    assert!(text.contains("-10.0 %"), "{text}");
}

#[test]
fn missing_rows_are_named_and_no_regression_is_claimed() {
    let runner = Runner { executor: "block-stm".into(), threads: 2 };
    let missing = vec![((1, 19_426_588), runner)];
    let text = written_with(vec![contender(1.0, Judgement::Same)], missing);
    let named = "missing in the new run: block 19426588, block-stm on 2 threads";
    assert!(text.contains(named) && !text.contains("no regression"), "{text}");
    assert!(text.contains("cannot tell: the new run lacks 1 row (threshold"), "{text}");
}

#[test]
fn an_open_question_is_no_regression_and_names_its_reason() {
    for (doubt, mark, reason) in [
        (Doubt::Noise, "cannot tell", "the noise floor exceeds the threshold"),
        (Doubt::Interval, "cannot tell", "the interval of block-stm on 2 threads reaches beyond"),
        (Doubt::FewIterations, "cannot tell", "there are too few iterations"),
        (Doubt::SingleRun, "slower?", "block-stm on 2 threads looks slower, but other load"),
    ] {
        let text = written(vec![contender(1.05, Judgement::Unclear(doubt))]);
        assert!(text.contains(&format!("[+4.0 %, +6.0 %]  {mark}\n")), "{text}");
        let joined = text.replace("\n  ", " ");
        assert!(joined.contains(&format!("cannot tell: {reason}")), "{text}");
        assert!(text.contains("several runs of each side"), "{text}");
        assert!(!text.contains("no regression") && !text.contains("SLOWER"), "{text}");
    }
}

#[test]
fn a_slower_block_is_doubtful_in_one_run_and_a_regression_in_several() {
    let slower = |repeated| {
        let slower_blocks = vec![0];
        let same = contender(1.0, Judgement::Same);
        written(vec![ContenderChange { slower_blocks, repeated, ..same }])
    };
    let once = slower(Repeated::No);
    assert!(once.contains("slower?") && once.contains("looks slower on 1 block"), "{once}");
    let again = slower(Repeated::Yes);
    assert!(again.contains("SLOWER") && again.contains("REGRESSION"), "{again}");
}

#[test]
fn a_brief_comparison_has_the_answer_without_warnings() {
    let mut comparison = comparison(vec![contender(1.0, Judgement::Same)], vec![]);
    comparison.sides[1].warnings = vec!["other programs ran; stop them".into()];
    let text = text_in(&comparison, Detail::Totals);
    assert!(text.contains("no regression") && !text.contains("warning:"), "{text}");
}

#[test]
fn the_remedy_asks_for_several_runs_only_if_a_side_has_one() {
    let mut comparison = comparison(vec![contender(1.0, Judgement::Unclear(Doubt::Noise))], vec![]);
    assert!(text_of(&comparison).contains("make several runs of each side"));
    comparison.sides.iter_mut().for_each(|side| side.runs = 2);
    let text = text_of(&comparison);
    assert!(text.contains("use a quieter machine") && !text.contains("several runs"), "{text}");
}

#[test]
fn every_form_repeats_the_warnings_and_wrong_rows() {
    let mut comparison = comparison(vec![contender(1.0, Judgement::Same)], vec![]);
    comparison.sides[1].warnings = vec!["other <processes> ran; stop them".into()];
    comparison.mismatches = 2;
    let text = text_of(&comparison);
    assert!(text.contains("warning: new run: other <processes> ran; stop them\n"), "{text}");
    assert!(text.ends_with("WRONG: rows of the new run that do not match: 2\n"), "{text}");

    let mut out = Vec::new();
    markdown::write(&comparison, &mut out).unwrap();
    let text = String::from_utf8(out).unwrap();
    assert!(text.starts_with("**No regression"), "{text}");
    assert!(text.contains("- new run: other &lt;processes> ran; stop them"), "{text}");
    assert!(text.contains("**WRONG: rows of the new run that do not match: 2**"), "{text}");
    assert!(text.contains("| block-stm | 2 | 1 | +0.0 % |"), "{text}");

    let mut out = Vec::new();
    html::write(&comparison, &mut out).unwrap();
    let page = String::from_utf8(out).unwrap();
    assert!(page.contains("other &lt;processes&gt; ran"), "{page}");
    assert!(page.contains("do not match: 2"), "{page}");
    crate::report::testing::assert_self_contained(&page);
}

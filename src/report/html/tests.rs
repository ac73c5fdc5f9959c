use super::super::testing;
use super::*;

fn written(report: &Report) -> String {
    let mut out = Vec::new();
    write(report, &mut out).unwrap();
    String::from_utf8(out).unwrap()
}

#[test]
fn the_page_is_self_contained() {
    let page = written(&testing::full_report());
    testing::assert_self_contained(&page);
}

#[test]
fn the_fastest_contender_comes_before_the_charts_and_the_command_comes_last() {
    let page = written(&testing::full_report());
    let place = |words: &str| page.find(words).unwrap_or_else(|| panic!("the page lacks {words}"));
    let order = [
        place("Fastest: block-stm on 8 threads, 1.55 "),
        place("Noise floor 2.0 %"),
        place("Other processes used 0.50 CPUs"),
        place("Speedup against threads"),
        place(r#"id="block-19426587-0x"#),
        place("blockrace replay 19426587,46147,19426588 --seed 42"),
    ];
    assert!(order.is_sorted(), "{order:?}");
}

#[test]
fn every_picture_has_a_label_and_a_table_of_its_numbers() {
    let page = written(&testing::full_report());
    let pictures = page.matches("<svg").count();
    let named = page.matches(r#"role="img" aria-label="#).count();
    let swatches = page.matches(r#"class="swatch""#).count();
    assert_eq!(pictures, named + swatches);
    for figure in page.split("<figure").skip(1) {
        let figure = figure.split("</figure>").next().unwrap_or_default();
        assert!(figure.contains("<table>"), "{figure}");
    }
}

#[test]
fn ids_are_unique_and_every_link_has_a_target() {
    let page = written(&testing::full_report());
    let after = |mark: &str| -> Vec<String> {
        let parts = page.split(mark).skip(1);
        parts.filter_map(|rest| rest.split('"').next()).map(str::to_owned).collect()
    };
    let mut ids = after(" id=\"");
    for target in after("href=\"#") {
        assert!(ids.contains(&target), "{target}");
    }
    let count = ids.len();
    ids.sort_unstable();
    ids.dedup();
    assert_eq!(ids.len(), count);
}

#[test]
fn schedules_dependencies_and_conflicts_are_shown_if_the_report_has_them() {
    let mut report = testing::full_report();
    let page = written(&report);
    for words in [
        "aborted incarnation",
        ": dependencies between",
        "Hottest conflicts",
        "Critical path against",
    ] {
        assert!(page.contains(words), "{words}");
    }
    assert!(page.contains("slot 3 of 0x&lt;Router&gt;"));
    report.pictures.clear();
    let page = written(&report);
    for words in [": dependencies between", "Hottest conflicts", "Critical path against"] {
        assert!(!page.contains(words), "{words}");
    }
}

#[test]
fn external_text_is_escaped() {
    let mut report = testing::full_report();
    report.failures[0].what = "<script>alert(1)</script>".into();
    report.machine.cpu_model = "\"><img src=x>".into();
    report.rows[0].block.fork = "</style><b>".into();
    let page = written(&report);
    assert!(!page.contains("<script"));
    assert!(!page.contains("<img"));
    assert_eq!(page.matches("</style>").count(), 1);
}

#[test]
fn a_report_without_rows_is_a_valid_page() {
    let page = written(&Report { rows: vec![], ..testing::report() });
    assert!(page.contains("Nothing") || page.contains("nothing was verified"), "{page}");
    assert!(!page.contains("<svg"));
}

use super::super::testing;
use super::*;
use crate::report::Row;
use base64::{Engine as _, engine::general_purpose::STANDARD};
use flate2::read::GzDecoder;

fn written(report: &Report) -> String {
    let mut out = Vec::new();
    write(report, &mut out).unwrap();
    String::from_utf8(out).unwrap()
}

#[test]
fn the_page_is_self_contained() {
    let page = written(&testing::full_report());
    assert_eq!(page.matches("<script").count(), 2, "the results and the script");
    testing::assert_self_contained(&page.replace("<script", "<checked"));
}

#[test]
fn the_page_holds_the_results_as_json() {
    let mut report = testing::full_report();
    report.failures[0].what = "a </script> in a reason".into();
    let page = written(&report);
    let (_, rest) = page.split_once(r#"<script id="data" type="application/gzip">"#).unwrap();
    let (text, _) = rest.split_once("</script>").unwrap();
    let gzip = STANDARD.decode(text).unwrap();
    let found: serde_json::Value = serde_json::from_reader(GzDecoder::new(&*gzip)).unwrap();
    assert_eq!(found["failures"][0]["what"], "a </script> in a reason");
    assert_eq!(found["results"].as_array().map(Vec::len), Some(report.rows.len()));
}

#[test]
fn the_status_comes_first_and_the_fastest_contender_leads_the_standings() {
    let mut report = testing::full_report();
    report.warnings = vec![crate::measure::warnings::Warning::Unoptimised];
    let page = written(&report);
    let place = |words: &str| page.find(words).unwrap_or_else(|| panic!("the page lacks {words}"));
    let standings = &page[place(r#"<section id="standings">"#)..];
    assert!(standings.find("block-stm") < standings.find("sequential</th>"), "{standings}");
    let order = [place("2 blocks, 5 rows"), place("Do not quote: "), place("Fastest: block-stm")];
    assert!(order.is_sorted(), "{order:?}");
    assert!(page.contains("<title>blockrace: blocks 7-19426587, 2026-03-01, AMD EPYC"), "{page}");
    assert!(page.contains("8 threads") && !page.contains("×8"));
}

#[test]
fn a_page_of_a_thousand_blocks_is_small_enough_to_open() {
    let report = testing::full_report();
    let mut rows = Vec::new();
    let mut pictures = Vec::new();
    for number in 0..1_000 {
        let mut hash = testing::HASH;
        hash.0[..8].copy_from_slice(&u64::to_be_bytes(number));
        for row in [testing::baseline(), testing::contender()] {
            let block = crate::report::BlockFacts { number, hash, ..row.block.clone() };
            rows.push(Row { block, ..row });
        }
        let mut picture = report.pictures[0].clone();
        picture.block = hash;
        picture.dependencies = (0..150).map(|tx| (tx, tx + 1)).collect();
        pictures.push(picture);
    }
    let page = written(&Report { rows, pictures, failures: vec![], ..report });
    assert!(page.len() < 10_000_000, "{} bytes", page.len());
    assert_eq!(page.matches("<details class=\"block\"").count(), 1_000);
    let blocks = page.split("<details class=\"block\"").skip(1);
    let drawn = blocks.filter(|block| block.contains(": dependencies between")).count();
    assert_eq!(drawn, 50, "pictures of the slowest blocks only");
    assert!(page.contains("The chart shows the 100 blocks with the smallest speedups, of 1000."));
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
    assert!(!page.contains("<script>alert"));
    assert!(!page.contains("<img"));
    assert_eq!(page.matches("</style>").count(), 1);
}

#[test]
fn a_report_without_rows_is_a_valid_page() {
    let page = written(&Report { rows: vec![], ..testing::report() });
    assert!(page.contains("Nothing") || page.contains("nothing was verified"), "{page}");
    assert!(!page.contains("<svg"));
}

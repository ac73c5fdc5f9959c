//! Reads the sources that execute blocks: their files use each other in one direction.

use crate::architecture::sources_in;
use std::{collections::BTreeMap, path::Path};

/// Modules of `src` whose files are read.
const READ: [&str; 3] = ["threads", "execution", "executors"];

/// Source folder of the engine. All its files are read.
const ENGINE: &str = "crates/stm/src";

/// A path of the code, in its parts.
type Parts = Vec<String>;

/// The module of a file in a folder.
fn module(folder: &str, file: &Path) -> Parts {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join(folder);
    let inside = file.strip_prefix(root).expect("it was found there").with_extension("");
    let parts = inside.iter().map(|part| part.to_string_lossy().into_owned());
    parts.filter(|part| part != "mod").collect()
}

/// Splits at the commas that are outside of braces.
fn split(list: &str) -> Vec<&str> {
    let (mut depth, mut start, mut parts) = (0, 0, Vec::new());
    for (at, char) in list.char_indices() {
        match char {
            '{' => depth += 1,
            '}' => depth -= 1,
            ',' if depth == 0 => {
                parts.push(&list[start..at]);
                start = at + 1;
            }
            _ => {}
        }
    }
    parts.push(&list[start..]);
    parts
}

/// The paths that the tree of a `use` names.
fn leaves(tree: &str) -> Vec<Parts> {
    let parts = |path: &str| -> Parts {
        let names = path.split("::").map(str::trim).filter(|name| !name.is_empty());
        names.map(|name| name.split(' ').next().unwrap_or_default().to_owned()).collect()
    };
    let Some((before, group)) = tree.split_once('{') else { return vec![parts(tree)] };
    let inside = group.trim_end().strip_suffix('}').unwrap_or(group);
    let tails = split(inside).into_iter().filter(|tail| !tail.trim().is_empty()).flat_map(leaves);
    tails.map(|tail| [parts(before), tail].concat()).collect()
}

/// A path as it is seen from the root of the crate.
fn absolute(own: &Parts, path: &Parts) -> Parts {
    match path.first().map(String::as_str) {
        Some("crate") => path[1..].to_vec(),
        Some("super") => {
            let up = path.iter().take_while(|part| *part == "super").count();
            [&own[..own.len() - up.min(own.len())], &path[up..]].concat()
        }
        _ => [&own[..], path].concat(),
    }
}

/// Whether one of two files is above the other in the tree of modules.
fn are_related(a: &Parts, b: &Parts) -> bool {
    a.starts_with(b) || b.starts_with(a)
}

/// The files that each file uses, without its parents and children.
fn uses(folder: &str, is_read: impl Fn(&str) -> bool) -> BTreeMap<Parts, Vec<Parts>> {
    let sources = sources_in(folder);
    let files = sources.iter().filter(|source| is_read(&source.module));
    let files: BTreeMap<_, _> =
        files.map(|source| (module(folder, &source.path), &source.code)).collect();
    let used = |own: &Parts, code: &str| {
        let trees = code.split("use ").skip(1).filter_map(|rest| rest.split_once(';'));
        let paths = trees.flat_map(|(tree, _)| leaves(tree)).map(|path| absolute(own, &path));
        let file = |path: Parts| {
            let ends = (1..=path.len()).rev();
            ends.map(|end| path[..end].to_vec()).find(|file| files.contains_key(file))
        };
        paths.filter_map(file).filter(|file| !are_related(file, own)).collect()
    };
    files.iter().map(|(own, code)| (own.clone(), used(own, code))).collect()
}

/// Removes files that use no other file, until there are none.
fn assert_no_circle(mut left: BTreeMap<Parts, Vec<Parts>>) {
    assert!(left.values().any(|used| !used.is_empty()), "the files use each other");
    loop {
        let free = |used: &Vec<Parts>| !used.iter().any(|file| left.contains_key(file));
        let lowest: Vec<_> =
            left.iter().filter(|(_, used)| free(used)).map(|(file, _)| file.clone()).collect();
        if lowest.is_empty() {
            break;
        }
        for file in lowest {
            left.remove(&file);
        }
    }
    let circles: Vec<_> = left.keys().map(|file| file.join("::")).collect();
    assert!(circles.is_empty(), "in a circle, or above one: {}", circles.join(", "));
}

#[test]
fn files_that_execute_blocks_form_no_circles() {
    assert_no_circle(uses("src", |module| READ.contains(&module)));
}

#[test]
fn files_of_the_engine_form_no_circles() {
    assert_no_circle(uses(ENGINE, |_| true));
}

use super::*;
use flate2::{Compression, write::GzEncoder};
use std::io::Write;

/// Every entry below `path`: its name, then the reason if it is skipped, or the error.
fn found(path: &Path) -> Vec<String> {
    let mut all = Vec::new();
    let flow = visit(path, &mut |found| {
        all.push(match found {
            Ok(Found::File(file)) => file.name,
            Ok(Found::Skipped(Skipped { name, why })) => format!("{name} - {why}"),
            Err(FilesError::Read { path, source }) => format!("{}: {source}", path.display()),
            Err(error) => error.to_string(),
        });
        ControlFlow::Continue(())
    });
    assert!(flow.is_continue());
    let root = path.to_string_lossy();
    all.iter().map(|name| name.replacen(&*root, "", 1)).collect()
}

fn content(path: &Path) -> Vec<String> {
    let mut all = Vec::new();
    let flow = visit(path, &mut |found| {
        if let Ok(Found::File(file)) = found {
            all.push(String::from_utf8_lossy(&file.content).into_owned());
        }
        ControlFlow::Continue(())
    });
    assert!(flow.is_continue());
    all
}

fn write(folder: &Path, name: &str, content: impl AsRef<[u8]>) -> PathBuf {
    let path = folder.join(name);
    fs::create_dir_all(path.parent().expect("it has one")).expect("it can be made");
    fs::write(&path, content).expect("it can be written");
    path
}

fn gzip(content: &[u8]) -> Vec<u8> {
    let mut encoder = GzEncoder::new(Vec::new(), Compression::fast());
    encoder.write_all(content).and_then(|()| encoder.finish()).expect("memory is writable")
}

fn folder() -> tempfile::TempDir {
    let folder = tempfile::tempdir().expect("a temporary folder");
    for name in ["b/two.json", "a.json", "b/notes.txt", ".meta/index.json", "c.JSON"] {
        write(folder.path(), name, "{}");
    }
    write(folder.path(), "d.json.gz", gzip(b"{}"));
    folder
}

const OTHER: &str = "the name ends in neither .json nor .json.gz";

#[test]
fn every_entry_of_a_folder_is_read_or_named() {
    let found = found(folder().path());
    let notes = format!("/b/notes.txt - {OTHER}");
    assert_eq!(
        found,
        ["/.meta - it is hidden", "/a.json", &notes, "/b/two.json", "/c.JSON", "/d.json.gz"]
    );
}

/// An archive with these entries. A name beyond 100 bytes gets an extension header.
fn archive(entries: &[(&str, &str)]) -> Vec<u8> {
    let mut archive = tar::Builder::new(Vec::new());
    for (name, content) in entries {
        let mut header = tar::Header::new_gnu();
        header.set_size(content.len() as u64);
        archive.append_data(&mut header, name, content.as_bytes()).expect("it can be packed");
    }
    archive.into_inner().expect("memory is writable")
}

#[test]
fn every_entry_of_an_archive_is_read_or_named() {
    let folder = folder();
    let path = folder.path().join("b.tar.gz");
    let mut archive = tar::Builder::new(GzEncoder::new(Vec::new(), Compression::fast()));
    archive.append_dir_all("fixtures", folder.path()).expect("it can be packed");
    let mut link = tar::Header::new_gnu();
    link.set_entry_type(tar::EntryType::Symlink);
    link.set_size(0);
    archive.append_link(&mut link, "link.json", "a.json").expect("it can be packed");
    let bytes = archive.into_inner().and_then(GzEncoder::finish).expect("memory is writable");
    fs::write(&path, bytes).expect("it can be written");
    let mut found = found(&path);
    found.sort();
    assert_eq!(
        found,
        [
            "/fixtures/.meta/index.json - it is hidden",
            "/fixtures/a.json",
            &format!("/fixtures/b/notes.txt - {OTHER}"),
            "/fixtures/b/two.json",
            "/fixtures/c.JSON",
            "/fixtures/d.json.gz",
            "/link.json - it is not a regular file of the archive",
        ]
    );
}

#[test]
fn an_archive_cut_anywhere_is_an_error() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let long = format!("{}/b.json", "d".repeat(200));
    let whole = archive(&[("a.json", "{}"), (&long, "{\"x\": 1}"), ("c.json", "{}")]);
    assert_eq!(found(&write(folder.path(), "whole.tar", &whole)).len(), 3);
    for length in (0..whole.len() - 1024).step_by(256) {
        for (name, bytes) in
            [("cut.tar", whole[..length].to_vec()), ("cut.tar.gz", gzip(&whole[..length]))]
        {
            let path = write(folder.path(), name, bytes);
            let found = found(&path);
            let last = found.last().expect("it is named");
            assert!(last.starts_with(": "), "{length} bytes: {found:?}");
        }
    }
}

#[test]
fn joined_archives_and_later_gzip_members_are_read() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let (one, two) = (archive(&[("a.json", "1")]), archive(&[("b.json", "2")]));
    for (name, bytes) in [
        ("plain.tar", [&*one, &*two].concat()),
        ("members.tar.gz", [gzip(&one), gzip(&two)].concat()),
        ("cut-elsewhere.tgz", [gzip(&one[..700]), gzip(&[&one[700..], &*two].concat())].concat()),
    ] {
        assert_eq!(content(&write(folder.path(), name, bytes)), ["1", "2"], "{name}");
    }
    let members = [gzip(b"{\"a\": "), gzip(b"1}")].concat();
    assert_eq!(content(&write(folder.path(), "x.json.gz", members)), ["{\"a\": 1}"]);
}

#[test]
fn damaged_gzip_is_an_error() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let bytes = gzip(&archive(&[("a.json", "{}")]));
    let path = write(folder.path(), "a.tar.gz", &bytes[..bytes.len() - 4]);
    assert!(found(&path).last().is_some_and(|last| last.starts_with(": ")), "{:?}", found(&path));
    let path = write(folder.path(), "a.json.gz", [&gzip(b"{}")[..], b"rest"].concat());
    assert!(content(&path).is_empty());
}

/// An archive with one extension header of this size before its entry.
fn long_named(kind: tar::EntryType, size: u64, extension: impl Read) -> Vec<u8> {
    let mut archive = tar::Builder::new(Vec::new());
    let mut header = tar::Header::new_gnu();
    header.set_entry_type(kind);
    header.set_size(size);
    header.set_cksum();
    archive.append(&header, extension).expect("it can be packed");
    let mut header = tar::Header::new_gnu();
    header.set_size(2);
    archive.append_data(&mut header, "a.json", &b"{}"[..]).expect("it can be packed");
    archive.into_inner().expect("memory is writable")
}

#[test]
fn long_names_are_read_up_to_a_limit() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let path = folder.path().join("a.tar.gz");
    let names = |kind, text: &str| {
        let bytes = long_named(kind, text.len() as u64, text.as_bytes());
        fs::write(&path, gzip(&bytes)).expect("it can be written");
        found(&path)
    };
    let name = format!("{}/b.json", "d".repeat(300));
    assert_eq!(names(tar::EntryType::GNULongName, &format!("{name}\0")), [format!("/{name}")]);
    let record = format!("317 path={name}\n");
    assert_eq!(record.len(), 317, "a record states its own length");
    assert_eq!(names(tar::EntryType::XHeader, &record), [format!("/{name}")]);
    let refused = names(tar::EntryType::GNULongName, &"d".repeat(5_000));
    assert_eq!(refused, [": a name has 5000 bytes, more than 4096"]);
    for kind in [tar::EntryType::GNULongName, tar::EntryType::XHeader, tar::EntryType::GNULongLink]
    {
        let refused = names(kind, &"d".repeat(65_537));
        assert_eq!(refused, [": an extension header has 65537 bytes, more than 65536"]);
    }
}

#[test]
#[cfg(unix)]
fn linked_folders_are_read_once() {
    use std::os::unix::fs::symlink;
    let (folder, other) = (folder(), folder());
    symlink(other.path().join("b"), folder.path().join("e")).expect("a link");
    symlink(folder.path(), folder.path().join("b/up")).expect("a link");
    let found = found(folder.path());
    assert!(found.contains(&"/e/two.json".to_owned()), "{found:?}");
    let again = "/b/up - it leads to a folder that is already read".to_owned();
    assert!(found.contains(&again), "{found:?}");
}

#[test]
fn a_git_lfs_pointer_is_named() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let pointer = "version https://git-lfs.github.com/spec/v1\noid sha256:00\nsize 7\n";
    for name in ["a.json", "a.json.gz", "a.tar.gz", "a.tar"] {
        let path = write(folder.path(), name, pointer);
        let message = " is a Git LFS pointer; run `git lfs pull` in its repository";
        assert_eq!(found(&path), [message], "{name}");
    }
}

#[test]
fn a_missing_file_is_named() {
    assert!(found(Path::new("/no/such.json"))[0].starts_with(": No such file"));
}

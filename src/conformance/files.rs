//! Reads test files: single files, folders, and release archives.

use crate::input;
use flate2::read::GzDecoder;
use std::{
    fs::{self, File},
    io::{self, Read},
    ops::ControlFlow,
    path::{Path, PathBuf},
};

/// Maximum size of one file in bytes. The largest test files have some tens of megabytes.
const MOST_BYTES: u64 = 1 << 30;

/// A test file that was read.
#[derive(Debug)]
pub struct TestFile {
    /// Its path. In an archive, the path of the archive comes first.
    pub name: String,
    /// The content.
    pub content: Vec<u8>,
}

/// Reason that a test file cannot be read.
#[derive(Debug, thiserror::Error)]
#[expect(missing_docs, reason = "the messages name the fields")]
pub enum FilesError {
    /// The file or folder cannot be read.
    #[error("cannot read {}", path.display())]
    Read { path: PathBuf, source: io::Error },
    /// A file or an entry of an archive is too large for a test.
    #[error("{name} has more than {MOST_BYTES} bytes")]
    TooLarge { name: String },
}

type Visit<'v> = &'v mut dyn FnMut(Result<TestFile, FilesError>) -> ControlFlow<()>;

/// Passes every test file at `path` to `visit`, in the order of names, until `visit` breaks. Entries of
/// archives come in their order. Hidden folders are skipped. In folders and archives, only `.json` files count.
pub fn visit(path: &Path, visit: Visit<'_>) -> ControlFlow<()> {
    let name = path.to_string_lossy();
    if path.is_dir() {
        visit_folder(path, visit)
    } else if name.ends_with(".tar.gz") || name.ends_with(".tgz") {
        visit_archive(path, |file| Box::new(GzDecoder::new(file)), visit)
    } else if name.ends_with(".tar") {
        visit_archive(path, |file| Box::new(file), visit)
    } else {
        visit(read_file(path))
    }
}

fn read_file(path: &Path) -> Result<TestFile, FilesError> {
    let failed = |source| FilesError::Read { path: path.to_owned(), source };
    let file = input::open(path).map_err(failed)?;
    read(path.to_string_lossy().into_owned(), file).map_err(failed)?
}

fn read(name: String, from: impl Read) -> io::Result<Result<TestFile, FilesError>> {
    let mut content = Vec::new();
    from.take(MOST_BYTES + 1).read_to_end(&mut content)?;
    if content.len() as u64 > MOST_BYTES {
        return Ok(Err(FilesError::TooLarge { name }));
    }
    Ok(Ok(TestFile { name, content }))
}

fn visit_folder(folder: &Path, visit: Visit<'_>) -> ControlFlow<()> {
    let entries = match entries(folder) {
        Ok(entries) => entries,
        Err(source) => return visit(Err(FilesError::Read { path: folder.to_owned(), source })),
    };
    for (path, is_folder) in entries {
        if is_folder {
            visit_folder(&path, visit)?;
        } else if is_json(&path) {
            visit(read_file(&path))?;
        }
    }
    ControlFlow::Continue(())
}

/// The visible entries of a folder by name, each with whether it is a folder. Links to folders are not
/// followed, so that there are no cycles.
fn entries(folder: &Path) -> io::Result<Vec<(PathBuf, bool)>> {
    let mut found = Vec::new();
    for entry in fs::read_dir(folder)? {
        let entry = entry?;
        if !entry.file_name().to_string_lossy().starts_with('.') {
            found.push((entry.path(), entry.file_type()?.is_dir()));
        }
    }
    found.sort();
    Ok(found)
}

fn is_json(path: &Path) -> bool {
    path.extension().is_some_and(|extension| extension == "json")
}

fn is_hidden(path: &Path) -> bool {
    path.components().any(|part| {
        let part = part.as_os_str().to_string_lossy();
        part.starts_with('.') && part != "." && part != ".."
    })
}

fn visit_archive(
    path: &Path,
    open: impl FnOnce(File) -> Box<dyn Read>,
    visit: Visit<'_>,
) -> ControlFlow<()> {
    let flow = input::open(path).and_then(|file| visit_entries(path, open(file), visit));
    flow.unwrap_or_else(|source| visit(Err(FilesError::Read { path: path.to_owned(), source })))
}

fn visit_entries(
    archive: &Path,
    from: Box<dyn Read>,
    visit: Visit<'_>,
) -> io::Result<ControlFlow<()>> {
    for entry in tar::Archive::new(from).entries()? {
        let entry = entry?;
        let inside = entry.path()?.into_owned();
        if !entry.header().entry_type().is_file() || !is_json(&inside) || is_hidden(&inside) {
            continue;
        }
        let name = archive.join(inside).to_string_lossy().into_owned();
        if visit(read(name, entry)?).is_break() {
            return Ok(ControlFlow::Break(()));
        }
    }
    Ok(ControlFlow::Continue(()))
}

#[cfg(test)]
mod tests {
    use super::*;
    use flate2::{Compression, write::GzEncoder};

    fn names(path: &Path) -> Vec<String> {
        let mut names = Vec::new();
        let flow = visit(path, &mut |file| {
            names.push(file.map_or_else(|error| error.to_string(), |file| file.name));
            ControlFlow::Continue(())
        });
        assert!(flow.is_continue());
        let root = path.to_string_lossy();
        names.iter().map(|name| name.replacen(&*root, "", 1)).collect()
    }

    fn folder() -> tempfile::TempDir {
        let folder = tempfile::tempdir().expect("a temporary folder");
        for name in ["b/two.json", "a.json", "b/notes.txt", ".meta/index.json"] {
            let path = folder.path().join(name);
            fs::create_dir_all(path.parent().expect("it has one")).expect("it can be made");
            fs::write(path, "{}").expect("it can be written");
        }
        folder
    }

    #[test]
    fn a_folder_is_read_in_order_without_hidden_entries() {
        assert_eq!(names(folder().path()), ["/a.json", "/b/two.json"]);
    }

    #[test]
    fn an_archive_is_read_like_a_folder() {
        let folder = folder();
        let path = tempfile::tempdir().expect("a temporary folder");
        let path = path.path().join("release.tar.gz");
        fs::create_dir_all(path.parent().expect("it has one")).expect("it can be made");
        let encoder = GzEncoder::new(File::create(&path).expect("new"), Compression::fast());
        let mut archive = tar::Builder::new(encoder);
        archive.append_dir_all("fixtures", folder.path()).expect("it can be packed");
        archive.into_inner().and_then(GzEncoder::finish).expect("it can be written");
        let mut found = names(&path);
        found.sort();
        assert_eq!(found, ["/fixtures/a.json", "/fixtures/b/two.json"]);

        let bytes = fs::read(&path).expect("it was written");
        fs::write(&path, &bytes[..bytes.len() / 2]).expect("it can be cut");
        assert!(names(&path).iter().any(|name| name.starts_with("cannot read")));
    }

    #[test]
    fn a_missing_file_is_named() {
        let mut errors = Vec::new();
        let flow = visit(Path::new("/no/such.json"), &mut |file| {
            errors.extend(file.err().map(|error| error.to_string()));
            ControlFlow::Break(())
        });
        assert!(flow.is_break());
        assert_eq!(errors, ["cannot read /no/such.json"]);
    }
}

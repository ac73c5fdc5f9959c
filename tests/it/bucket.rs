//! A cache in a bucket of a real S3 server, with faults: nothing is lost, nothing is downloaded without need, and no
//! credential is printed.

use crate::support::{
    RecordedNode, assert_code, blockrace, recordings,
    s3::{ACCESS_KEY, BUCKET, Faults, S3, SECRET},
    stderr, stdout,
};
use std::{
    borrow::Cow,
    collections::BTreeSet,
    fs,
    path::{Path, PathBuf},
    process::{Command, Output, Stdio},
    thread,
    time::Duration,
};

/// Number of blocks that are fetched.
const COUNT: usize = 12;

/// Some recorded blocks of mainnet, and a node that serves them.
fn node() -> Option<(RecordedNode, String)> {
    let node = RecordedNode::serve(&recordings()?, "mainnet", &[]);
    let numbers: Vec<_> = node.numbers.iter().take(COUNT).map(ToString::to_string).collect();
    Some((node, numbers.join(",")))
}

/// An archive of the built-in sample.
fn archive(folder: &Path) -> PathBuf {
    crate::support::cached_sample(folder, 6);
    let path = folder.join("sample.tar");
    let arguments = ["cache", "export", "--output", path.to_str().expect("a temporary path")];
    assert_code(&blockrace(folder, &arguments), 0);
    path
}

/// The requests that download a block.
fn downloads(requests: &[String]) -> usize {
    let is_download = |line: &&String| {
        line.starts_with("GET ") && line.contains(".block") && !line.ends_with(" 304")
    };
    requests.iter().filter(is_download).count()
}

/// The names of the blocks in a folder or bucket.
fn blocks(paths: &[PathBuf]) -> BTreeSet<String> {
    let names = paths.iter().map(|path| path.file_name().expect("a name").to_string_lossy());
    names.filter(|name| name.ends_with(".block")).map(Cow::into_owned).collect()
}

#[track_caller]
fn assert_no_secret(s3: &S3, output: &Output) {
    for text in [stdout(output), stderr(output)] {
        let shown =
            [SECRET, ACCESS_KEY, &s3.endpoint].into_iter().find(|text_| text.contains(*text_));
        assert_eq!(shown, None, "{text}");
    }
}

#[test]
fn blocks_are_fetched_into_a_bucket_once_and_verified_from_it() {
    let Some((node, list)) = node() else { return };
    let s3 = S3::serve(Faults::default());
    let fetch = ["fetch", &list, "--rpc-url", &node.url];
    let first = s3.blockrace(&fetch);
    assert_code(&first, 0);
    assert_eq!(blocks(&s3.objects()).len(), COUNT);
    let noted = |start: &str| {
        let name = |path: &PathBuf| {
            path.file_name().is_some_and(|name| name.to_string_lossy().starts_with(start))
        };
        s3.objects().iter().filter(|path| name(path)).count()
    };
    assert!(noted("checked-") > 0 && noted("checked-") <= COUNT, "{:?}", s3.objects());
    s3.requests();

    let second = s3.blockrace(&fetch);
    assert_code(&second, 0);
    assert!(stdout(&second).contains("already cached"), "{}", stdout(&second));
    let requests = s3.requests();
    assert_eq!(downloads(&requests), 0, "{requests:?}");
    assert!(!requests.iter().any(|line| line.starts_with("PUT ")), "{requests:?}");

    let folder = tempfile::tempdir().expect("a temporary folder");
    assert_code(&blockrace(folder.path(), &fetch), 0);
    let verified = s3.blockrace(&["verify", "-q"]);
    assert_code(&verified, 0);
    assert_eq!(stdout(&verified), stdout(&blockrace(folder.path(), &["verify", "-q"])));
    for output in [&first, &second, &verified] {
        assert_no_secret(&s3, output);
    }
}

#[test]
fn blocks_are_read_through_a_bounded_local_copy() {
    let s3 = S3::serve(Faults::default());
    let folder = tempfile::tempdir().expect("a temporary folder");
    let archive = archive(folder.path());
    assert_code(&s3.blockrace(&["cache", "import", archive.to_str().expect("a path")]), 0);
    s3.requests();
    for expected in [6, 0] {
        assert_code(&s3.blockrace(&["verify"]), 0);
        assert_eq!(downloads(&s3.requests()), expected);
    }
    let copies = s3.home.path().join("blockrace/copies");
    let size = |path: &Path| -> u64 {
        let output = Command::new("du").arg("-sb").arg(path).output();
        let output = output.expect("du runs").stdout;
        let text = String::from_utf8_lossy(&output).into_owned();
        text.split_whitespace().next().and_then(|size| size.parse().ok()).unwrap_or(0)
    };
    assert!(copies.exists());
    fs::remove_dir_all(&copies).expect("it is writable");
    let whole = size(&s3.root.path().join(BUCKET));
    let limit = (whole / 2).to_string();
    assert_code(&s3.blockrace(&["verify", "--cache-copy-limit", &limit]), 0);
    let folders = 5 * 4_096;
    assert!(size(&copies) <= whole / 2 + folders, "{} of {whole}", size(&copies));
    fs::remove_dir_all(&copies).expect("it is writable");
    assert_code(&s3.blockrace(&["verify", "--cache-copy-limit", "0"]), 0);
    assert!(!copies.exists());
}

#[test]
fn every_command_works_on_a_bucket_or_says_why_not() {
    let s3 = S3::serve(Faults::default());
    let folder = tempfile::tempdir().expect("a temporary folder");
    let archive = archive(folder.path());
    let archive = archive.to_str().expect("a path");
    let out = s3.home.path().join("out");
    let out = |name: &str| out.with_extension(name).display().to_string();
    for (arguments, code) in [
        (&["verify"][..], 2),
        (&["cache", "list"], 0),
        (&["cache", "import", archive], 0),
        (&["cache", "import", archive], 0),
        (&["cache", "list"], 0),
        (&["cache", "list", "--hashes"], 0),
        (&["cache", "check"], 0),
        (&["verify", "--output", &out("verified")], 0),
        (&["replay", "7", "--iterations", "1", "--warmup", "0"], 0),
        (&["analyze", "7", "--iterations", "1"], 0),
        (&["trace", "7", "-o", &out("trace")], 0),
        (&["cache", "export", "--output", &out("tar")], 0),
        (&["replay", "7", "--iterations", "1", "--save-baseline", "main"], 2),
        (&["cache", "remove", "7"], 0),
        (&["verify", "7"], 2),
        (&["cache", "remove", "--leftovers"], 0),
    ] {
        let output = s3.blockrace(arguments);
        assert_no_secret(&s3, &output);
        assert_eq!(output.status.code(), Some(code), "{arguments:?}: {}", stderr(&output));
    }
    // An import drops what blocks do not need, so the same blocks go through a folder, too.
    let other = tempfile::tempdir().expect("a temporary folder");
    assert_code(&blockrace(other.path(), &["cache", "import", archive]), 0);
    let folder = out("folder.tar");
    assert_code(&blockrace(other.path(), &["cache", "export", "--output", &folder]), 0);
    let read = |path: &str| fs::read(path).expect("it was written");
    assert!(read(&out("tar")) == read(&folder), "the exports differ");
}

#[test]
fn faults_of_the_service_lose_nothing() {
    let Some((node, list)) = node() else { return };
    for faults in [
        Faults { busy: 3, ..Faults::default() },
        Faults { cut: 4, ..Faults::default() },
        Faults { half: 2, ..Faults::default() },
        Faults { busy: 5, cut: 7, half: 3, ignores_conditions: true },
    ] {
        let s3 = S3::serve(faults);
        assert_code(&s3.blockrace(&["fetch", &list, "--rpc-url", &node.url]), 0);
        assert_code(&s3.blockrace(&["verify"]), 0);
        s3.requests();
        assert_code(&s3.blockrace(&["fetch", &list, "--rpc-url", &node.url]), 0);
        let requests = s3.requests();
        assert_eq!(downloads(&requests), 0, "{faults:?}: {requests:?}");
        assert_eq!(blocks(&s3.objects()).len(), COUNT, "{faults:?}");
    }
}

#[test]
fn a_service_that_stays_busy_has_the_exit_code_of_faults_that_may_pass() {
    let Some((node, list)) = node() else { return };
    let s3 = S3::serve(Faults { busy: 1, ..Faults::default() });
    let mut nowhere = s3.command(SECRET, &["verify"]);
    nowhere.env("AWS_ENDPOINT_URL", "http://127.0.0.1:9");
    let verify = s3.command(SECRET, &["verify"]);
    let fetch = s3.command(SECRET, &["fetch", &list, "--rpc-url", &node.url]);
    // The retries take time, so all wait together.
    let piped = |mut command: Command| {
        command.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().expect("it starts")
    };
    let started = [verify, fetch, nowhere].map(piped);
    for (child, said) in
        started.into_iter().zip(["503, SlowDown", "503, SlowDown", "no connection"])
    {
        let output = child.wait_with_output().expect("it ends");
        assert_code(&output, 75);
        assert!(stderr(&output).contains(said), "{}", stderr(&output));
        assert_no_secret(&s3, &output);
    }
}

#[test]
fn wrong_credentials_and_a_missing_bucket_are_named_with_a_remedy() {
    let Some((node, list)) = node() else { return };
    let s3 = S3::serve(Faults::default());
    for arguments in
        [&["verify"][..], &["fetch", &list, "--rpc-url", &node.url], &["cache", "list"]]
    {
        let wrong = "another-secret-0123";
        let output = s3.command(wrong, arguments).output().expect("the command starts");
        assert_code(&output, 2);
        let said = stderr(&output);
        assert!(
            said.contains("s3://blocks/some/prefix") && said.contains("AWS_SECRET_ACCESS_KEY"),
            "{said}"
        );
        assert!(!said.contains(wrong), "{said}");
        assert_no_secret(&s3, &output);

        let mut command = s3.command_at("s3://nowhere/at/all", SECRET, arguments);
        let output = command.output().expect("the command starts");
        assert_code(&output, 2);
        assert!(stderr(&output).contains("s3://nowhere/at/all"), "{}", stderr(&output));
        assert!(stderr(&output).contains("there is no such bucket"), "{}", stderr(&output));
    }
}

#[test]
fn a_url_with_a_secret_is_refused_and_not_shown() {
    let s3 = S3::serve(Faults::default());
    for url in [
        format!("s3://user:{SECRET}@{BUCKET}/a"),
        format!("s3://{BUCKET}/a?sig={SECRET}"),
        format!("https://user:{SECRET}@host/a"),
    ] {
        for arguments in [&["verify"][..], &["verify", "--no-such-flag"], &["--help"]] {
            let output = s3.command_at(&url, SECRET, arguments).output().expect("it starts");
            assert_no_secret(&s3, &output);
            let mut command = Command::new(env!("CARGO_BIN_EXE_blockrace"));
            command.args(arguments).env("BLOCKRACE_CACHE_DIR", &url);
            assert_no_secret(&s3, &command.output().expect("it starts"));
        }
        let output = s3.command_at(&url, SECRET, &["verify"]).output().expect("it starts");
        assert_code(&output, 2);
    }
}

#[test]
fn the_index_of_a_killed_fetch_is_made_again() {
    let Some((node, list)) = node() else { return };
    let s3 = S3::serve(Faults::default());
    let fetch = ["fetch", &list, "--rpc-url", &node.url];
    let mut killed = s3.command(SECRET, &fetch).spawn().expect("the command starts");
    for _ in 0..600 {
        if blocks(&s3.objects()).len() >= 2 {
            break;
        }
        thread::sleep(Duration::from_millis(50));
    }
    killed.kill().expect("it runs or has ended");
    killed.wait().expect("it ends");
    assert_code(&s3.blockrace(&fetch), 0);
    assert_eq!(blocks(&s3.objects()).len(), COUNT);
    s3.requests();
    assert_code(&s3.blockrace(&fetch), 0);
    assert_eq!(downloads(&s3.requests()), 0);
}

#[test]
fn two_writers_of_a_bucket_do_not_harm_each_other() {
    let Some((node, list)) = node() else { return };
    let s3 = S3::serve(Faults { busy: 7, ..Faults::default() });
    let fetch = ["fetch", &list, "--rpc-url", &node.url];
    let writers = [(); 2].map(|()| s3.command(SECRET, &fetch).spawn().expect("it starts"));
    for mut writer in writers {
        assert!(writer.wait().expect("it ends").success());
    }
    assert_eq!(blocks(&s3.objects()).len(), COUNT);
    assert_code(&s3.blockrace(&["verify"]), 0);
    s3.requests();
    assert_code(&s3.blockrace(&fetch), 0);
    assert_eq!(downloads(&s3.requests()), 0);
}

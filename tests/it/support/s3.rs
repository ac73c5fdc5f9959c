//! An S3 server on a folder, in this process: s3s, with faults in front of it.

use hyper::{Method, Request, Response, body::Incoming, header, service::service_fn};
use hyper_util::{
    rt::{TokioExecutor, TokioIo},
    server::conn::auto::Builder,
};
use s3s::{
    Body, HttpResponse,
    auth::SimpleAuth,
    service::{S3Service, S3ServiceBuilder},
};
use s3s_fs::FileSystem;
use std::{
    fs, io,
    path::{Path, PathBuf},
    process::{Command, Output, Stdio},
    sync::{
        Arc, Mutex,
        atomic::{AtomicUsize, Ordering},
    },
    thread,
};
use tempfile::TempDir;
use tokio::{net::TcpListener, sync::oneshot};

/// The secret key of the server's only user.
pub(crate) const SECRET: &str = "secret-key-0123456789";

/// The access key. It must not be printed either.
pub(crate) const ACCESS_KEY: &str = "AKIAEXAMPLE987";

/// Name of the bucket.
pub(crate) const BUCKET: &str = "blocks";

/// Largest body of a request or an answer.
const MOST_BYTES: usize = 256 << 20;

/// What goes wrong. A count of 0 is never.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Faults {
    /// Every n-th request is answered with status 503.
    pub(crate) busy: usize,
    /// The connection of every n-th request is closed without an answer.
    pub(crate) cut: usize,
    /// The answer to every n-th request ends in its middle.
    pub(crate) half: usize,
    /// Whether `If-None-Match` is ignored, as some servers do.
    pub(crate) ignores_conditions: bool,
}

/// A running server. It ends with this value.
pub(crate) struct S3 {
    /// Address of the server.
    pub(crate) endpoint: String,
    /// Folder of all buckets.
    pub(crate) root: TempDir,
    /// The user's home, with the local copy of blocks.
    pub(crate) home: TempDir,
    log: Arc<Mutex<Vec<String>>>,
    _end: oneshot::Sender<()>,
}

#[derive(Clone)]
struct Front {
    service: S3Service,
    faults: Faults,
    log: Arc<Mutex<Vec<String>>>,
    count: Arc<AtomicUsize>,
}

impl S3 {
    /// Serves an empty bucket on a free port.
    pub(crate) fn serve(faults: Faults) -> Self {
        let root = tempfile::tempdir().expect("a temporary folder");
        fs::create_dir(root.path().join(BUCKET)).expect("the folder is writable");
        let files = FileSystem::new(root.path()).expect("the folder is there");
        let mut builder = S3ServiceBuilder::new(files);
        builder.set_auth(SimpleAuth::from_single(ACCESS_KEY, SECRET));
        let log = Arc::<Mutex<Vec<String>>>::default();
        let (service, count) = (builder.build(), Arc::default());
        let front = Front { service, faults, log: log.clone(), count };
        let (end, ended) = oneshot::channel();
        let (address, bound) = std::sync::mpsc::sync_channel(1);
        thread::spawn(move || {
            let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
            runtime.expect("a runtime").block_on(async move {
                let listener = TcpListener::bind("127.0.0.1:0").await.expect("a free port");
                let bound = listener.local_addr().expect("it is bound");
                address.send(bound).expect("the test waits for it");
                tokio::select! {
                    () = front.accept(listener) => {}
                    _ = ended => {}
                }
            });
        });
        let endpoint = format!("http://{}", bound.recv().expect("the server starts"));
        let home = tempfile::tempdir().expect("a temporary folder");
        Self { endpoint, root, home, log, _end: end }
    }

    /// The requests since the last call, as method, path and status.
    pub(crate) fn requests(&self) -> Vec<String> {
        std::mem::take(&mut *self.log.lock().expect("no test panics in between"))
    }

    /// Runs the command with the bucket as its cache.
    pub(crate) fn blockrace(&self, arguments: &[&str]) -> Output {
        self.command(SECRET, arguments).output().expect("the command starts")
    }

    /// The command with this secret key.
    pub(crate) fn command(&self, secret: &str, arguments: &[&str]) -> Command {
        let url = format!("s3://{BUCKET}/some/prefix");
        self.command_at(&url, secret, arguments)
    }

    /// The command with this URL as its cache.
    pub(crate) fn command_at(&self, url: &str, secret: &str, arguments: &[&str]) -> Command {
        let mut command = super::command(Path::new(url), arguments);
        for (name, _) in std::env::vars_os() {
            if name.to_string_lossy().starts_with("AWS_") {
                command.env_remove(name);
            }
        }
        command.env("AWS_ENDPOINT_URL", &self.endpoint).env("AWS_ALLOW_HTTP", "true");
        command.env("AWS_ACCESS_KEY_ID", ACCESS_KEY).env("AWS_SECRET_ACCESS_KEY", secret);
        command.env("AWS_REGION", "us-east-1").env("XDG_CACHE_HOME", self.home.path());
        command.env("HOME", self.home.path()).env("NO_PROXY", "127.0.0.1");
        command.stdin(Stdio::null());
        command
    }

    /// The objects below the prefix, as paths of files.
    pub(crate) fn objects(&self) -> Vec<PathBuf> {
        let (mut folders, mut found) = (vec![self.root.path().join(BUCKET)], Vec::new());
        while let Some(folder) = folders.pop() {
            for entry in fs::read_dir(folder).expect("it is readable").flatten() {
                if entry.path().is_dir() {
                    folders.push(entry.path())
                } else {
                    found.push(entry.path())
                }
            }
        }
        found.sort();
        found
    }
}

impl Front {
    async fn accept(self, listener: TcpListener) {
        while let Ok((stream, _)) = listener.accept().await {
            let front = self.clone();
            tokio::spawn(async move {
                let answer = service_fn(move |request| front.clone().answer(request));
                let builder = Builder::new(TokioExecutor::new());
                // The client sees the fault.
                let _ = builder.serve_connection(TokioIo::new(stream), answer).await;
            });
        }
    }

    async fn answer(self, request: Request<Incoming>) -> io::Result<HttpResponse> {
        let line = format!("{} {}", request.method(), request.uri());
        let answer = self.answer_to(request).await;
        let status = answer.as_ref().map_or(0, |answer| answer.status().as_u16());
        let mut log = self.log.lock().expect("no test panics in between");
        log.push(format!("{line} {status}"));
        answer
    }

    async fn answer_to(&self, request: Request<Incoming>) -> io::Result<HttpResponse> {
        let number = 1 + self.count.fetch_add(1, Ordering::Relaxed);
        let is_due = |every: usize| every > 0 && number.is_multiple_of(every);
        if is_due(self.faults.cut) {
            return Err(io::ErrorKind::ConnectionReset.into());
        }
        if is_due(self.faults.busy) {
            let text = "<Error><Code>SlowDown</Code><Message>Please wait</Message></Error>";
            let answer = Response::builder().status(503).body(Body::from(text.to_owned()));
            return Ok(answer.expect("it is valid"));
        }
        let is_get = request.method() == Method::GET;
        let known = request.headers().get(header::IF_NONE_MATCH).cloned();
        let answered = self.service.call(request.map(Body::from)).await;
        let mut answer = answered.map_err(|error| io::Error::other(format!("{error:?}")))?;
        let tag = answer.headers().get(header::ETAG).cloned();
        if is_get && !self.faults.ignores_conditions && known.is_some() && known == tag {
            let answer = Response::builder().status(304).header(header::ETAG, tag.expect("a tag"));
            return Ok(answer.body(Body::empty()).expect("it is valid"));
        }
        if is_get && is_due(self.faults.half) {
            let bytes = answer.body_mut().store_all_limited(MOST_BYTES).await;
            let bytes = bytes.map_err(io::Error::other)?;
            let length = bytes.len();
            let mut half = answer.map(|_| Body::from(bytes.slice(..length / 2)));
            half.headers_mut().insert(header::CONTENT_LENGTH, length.into());
            return Ok(half);
        }
        Ok(answer)
    }
}

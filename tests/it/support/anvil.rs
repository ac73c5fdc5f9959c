//! A real anvil for the duration of a test.

use blockrace::fetch::{Client, Limits};
use serde_json::{Value, json};
use std::{
    env, fs,
    net::TcpListener,
    path::PathBuf,
    process::{Child, Command, Stdio},
    time::Duration,
};

/// The folder into which `npm install --prefix target/anvil @foundry-rs/anvil` puts its packages.
const PACKAGES: &str =
    concat!(env!("CARGO_MANIFEST_DIR"), "/target/anvil/node_modules/@foundry-rs");

/// The anvil in `ANVIL`, or the one that npm installed.
///
/// Without an anvil, a test prints a notice and passes. If `BLOCKRACE_REQUIRE_ANVIL` is set, as in continuous
/// integration, it fails.
fn program() -> Option<PathBuf> {
    let program = env::var_os("ANVIL").map(PathBuf::from).or_else(installed);
    if program.is_none() {
        let required = env::var_os("BLOCKRACE_REQUIRE_ANVIL").is_some();
        assert!(!required, "no anvil in {PACKAGES}");
        eprintln!(
            "SKIPPED: no anvil in {PACKAGES}; set ANVIL to the program, or run \
             npm install --prefix target/anvil @foundry-rs/anvil@1.7.1"
        );
    }
    program
}

/// The program of this platform's package. The script in `.bin` would start it as a child process and leave it
/// running after the test.
fn installed() -> Option<PathBuf> {
    let packages = fs::read_dir(PACKAGES).ok()?;
    let programs = packages.filter_map(|package| Some(package.ok()?.path().join("bin/anvil")));
    programs.into_iter().find(|program| program.is_file())
}

/// An anvil on a free loopback port that mines on request only. It ends with the test.
#[derive(Debug)]
pub(crate) struct Anvil {
    process: Child,
    pub(crate) url: String,
    client: Client,
}

impl Anvil {
    /// Starts an anvil, if it is installed.
    pub(crate) async fn start() -> Option<Self> {
        Self::start_with(&[]).await
    }

    /// As [`start`](Self::start), with more arguments.
    pub(crate) async fn start_with(arguments: &[&str]) -> Option<Self> {
        let program = program()?;
        let port = TcpListener::bind("127.0.0.1:0").and_then(|free| free.local_addr());
        let port = port.expect("a free port").port().to_string();
        let process = Command::new(program)
            .args(["--port", &port, "--no-mining", "--order", "fifo", "--quiet"])
            .args(arguments)
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn()
            .expect("anvil runs");
        let url = format!("http://127.0.0.1:{port}");
        let limits = Limits { max_retries: 20, ..Limits::default() };
        let endpoint = url.parse().expect("a URL");
        let client = Client::new(&endpoint, &[], limits).expect("a client");
        let anvil = Self { process, url, client };
        anvil.wait().await;
        Some(anvil)
    }

    async fn wait(&self) {
        for _ in 0..100 {
            if self.client.call::<Value>("web3_clientVersion", json!([])).await.is_ok() {
                return;
            }
            tokio::time::sleep(Duration::from_millis(100)).await;
        }
        panic!("anvil does not answer at {}", self.url);
    }

    pub(crate) async fn call(&self, method: &'static str, params: Value) -> Value {
        self.client.call(method, params).await.unwrap_or_else(|error| panic!("{error:?}"))
    }
}

impl Drop for Anvil {
    fn drop(&mut self) {
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}

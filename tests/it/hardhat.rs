//! Blocks of a real hardhat node (EDR), which has proofs and no tracer.

use crate::support::{assert_code, run, stdout};
use blockrace::{
    cache::Cache,
    fetch::{Client, Limits},
};
use serde_json::{Value, json};
use std::{
    env, fs,
    net::TcpListener,
    path::{Path, PathBuf},
    process::{Child, Command, Stdio},
    time::Duration,
};

/// The folder into which `npm install --prefix target/hardhat hardhat@2` puts its packages.
const FOLDER: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/target/hardhat");

/// Hardhat's configuration. From Cancun on, it leaves out the system calls of EIP-4788 and EIP-2935, so that its state
/// is another.
const CONFIG: &str =
    "module.exports = { solidity: '0.8.28', networks: { hardhat: { hardfork: 'shanghai' } } };";

/// The same rules as a chain configuration.
const RULES: &str = r#"{ "chainId": 31337, "homesteadBlock": 0, "eip150Block": 0, "eip155Block": 0, "eip158Block": 0,
    "byzantiumBlock": 0, "constantinopleBlock": 0, "petersburgBlock": 0, "istanbulBlock": 0, "berlinBlock": 0,
    "londonBlock": 0, "terminalTotalDifficulty": 0, "terminalTotalDifficultyPassed": true, "shanghaiTime": 0 }"#;

/// The program in the folder of `HARDHAT`, or of [`FOLDER`].
///
/// Without it, a test prints a notice and passes. If `BLOCKRACE_REQUIRE_HARDHAT` is set, it fails.
fn program() -> Option<PathBuf> {
    let folder = env::var_os("HARDHAT").map_or_else(|| FOLDER.into(), PathBuf::from);
    let program = folder.join("node_modules/hardhat/internal/cli/bootstrap.js");
    if program.is_file() {
        return Some(program);
    }
    let required = env::var_os("BLOCKRACE_REQUIRE_HARDHAT").is_some();
    assert!(!required, "no hardhat in {}", folder.display());
    eprintln!(
        "SKIPPED: no hardhat in {}; run npm install --prefix target/hardhat hardhat@2, or set HARDHAT to its folder",
        folder.display()
    );
    None
}

/// A hardhat that mines a block for each transaction. It ends with the test.
struct Hardhat {
    process: Child,
    url: String,
    client: Client,
}

impl Hardhat {
    async fn start(config: &Path) -> Option<Self> {
        let program = program()?;
        let folder = program.ancestors().nth(5).expect("it is inside of the folder").to_owned();
        let port = TcpListener::bind("127.0.0.1:0").and_then(|free| free.local_addr());
        let port = port.expect("a free port").port().to_string();
        fs::write(config, CONFIG).expect("the folder is writable");
        let process = Command::new("node")
            .arg(&program)
            .arg("--config")
            .arg(config)
            .args(["node", "--hostname", "127.0.0.1", "--port", &port])
            .env("HARDHAT_DISABLE_TELEMETRY_PROMPT", "true")
            .current_dir(folder)
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn()
            .expect("node runs");
        let url = format!("http://127.0.0.1:{port}");
        let endpoint = url.parse().expect("a URL");
        let client = Client::new(&endpoint, &[], Limits::default()).expect("a client");
        let hardhat = Self { process, url, client };
        for _ in 0..300 {
            if hardhat.client.call::<Value>("web3_clientVersion", json!([])).await.is_ok() {
                return Some(hardhat);
            }
            tokio::time::sleep(Duration::from_millis(200)).await;
        }
        panic!("hardhat does not answer at {}", hardhat.url);
    }

    async fn call(&self, method: &'static str, params: Value) -> Value {
        self.client.call(method, params).await.unwrap_or_else(|error| panic!("{error:?}"))
    }
}

impl Drop for Hardhat {
    fn drop(&mut self) {
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn blocks_of_hardhat_are_proved_to_the_state_root() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let config = folder.path().join("hardhat.config.js");
    let Some(hardhat) = Hardhat::start(&config).await else { return };
    let accounts = hardhat.call("eth_accounts", json!([])).await;
    for value in ["0x1", "0x2", "0x3"] {
        let payment = json!({ "from": accounts[0], "to": accounts[1], "value": value });
        hardhat.call("eth_sendTransaction", json!([payment])).await;
    }
    let rules = folder.path().join("rules.json");
    fs::write(&rules, RULES).expect("the folder is writable");
    let rules = rules.display().to_string();
    let cache = tempfile::tempdir().expect("a temporary folder");
    let node = ["--rpc-url", &hardhat.url, "--chain-config", &rules];
    let checked = run(&cache, &[&["rpc-check"], &node[..]].concat()).await;
    assert_code(&checked, 0);
    assert!(stdout(&checked).contains("--witness proofs"), "{}", stdout(&checked));
    assert_code(&run(&cache, &[&["fetch", "1-3"], &node[..]].concat()).await, 0);
    assert_eq!(Cache::new(cache.path()).list(31_337).expect("it is readable").len(), 3);
    let verified = run(&cache, &["verify"]).await;
    assert_code(&verified, 0);
    assert!(stdout(&verified).contains("verified to the state root"), "{}", stdout(&verified));
}

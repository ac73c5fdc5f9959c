//! Nodes behind TLS: trusted certificates, and words for the others.

use crate::support::{
    anvil::Anvil, assert_code, command, fake_node::fake_node, made_up::MadeUp, stderr, stdout,
    tls::TlsNode,
};
use rcgen::{CertificateParams, SanType, date_time_ymd};
use serde_json::json;
use std::{path::Path, process::Output};

/// Runs a command against a node on a machine that trusts one authority.
async fn run(arguments: &[&str], url: String, trusted: &Path) -> Output {
    let cache = tempfile::tempdir().expect("a temporary folder");
    let mut command = command(cache.path(), arguments);
    command.args(["--rpc-url", &url]);
    command.env("SSL_CERT_FILE", trusted).env_remove("SSL_CERT_DIR");
    let run = move || (command.output().expect("the command starts"), cache);
    tokio::task::spawn_blocking(run).await.expect("it runs").0
}

#[tokio::test(flavor = "multi_thread")]
async fn a_certificate_that_the_machine_trusts_is_taken_over_http_and_websocket() {
    let Some(anvil) = Anvil::start_with(&[]).await else { return };
    anvil.call("anvil_mine", json!(["0x8"])).await;
    let node = TlsNode::before(&anvil.url, |_| ()).await;
    for scheme in ["https", "wss"] {
        let url = format!("{scheme}://{}", node.address);
        let fetched = run(&["fetch", "2-8"], url, node.authority.path()).await;
        assert_code(&fetched, 0);
        let said = stdout(&fetched);
        assert!(said.contains("7 of 7 blocks fetched"), "{scheme}: {said}");
    }
}

/// What `fetch` prints of a node with such a certificate. The machine trusts its authority, or only another one.
async fn refusal(scheme: &str, is_trusted: bool, change: fn(&mut CertificateParams)) -> String {
    let made_up = MadeUp::empty();
    let plain = fake_node(move |request| made_up.answer(request));
    let (node, other) =
        (TlsNode::before(&plain, change).await, TlsNode::before(&plain, |_| ()).await);
    let trusted = if is_trusted { &node } else { &other };
    let url = format!("{scheme}://someuser:hunter22@{}/path-key", node.address);
    let refused = run(&["fetch", "5"], url, trusted.authority.path()).await;
    assert!(!refused.status.success(), "{}", stdout(&refused));
    let said = stderr(&refused).split_whitespace().collect::<Vec<_>>().join(" ");
    assert!(!said.contains("hunter22") && !said.contains("path-key"), "{said}");
    said
}

#[tokio::test(flavor = "multi_thread")]
async fn a_certificate_that_is_not_accepted_is_explained_in_words() {
    let of_another_host = |server: &mut CertificateParams| {
        let name = "node.example".try_into().expect("a name");
        server.subject_alt_names = vec![SanType::DnsName(name)];
    };
    let expired = |server: &mut CertificateParams| server.not_after = date_time_ymd(2020, 1, 1);
    for scheme in ["https", "wss"] {
        let said = refusal(scheme, false, |_| ()).await;
        assert!(said.contains("this machine does not trust its issuer"), "{scheme}: {said}");
        let said = refusal(scheme, true, of_another_host).await;
        assert!(said.contains("node.example"), "{scheme}: {said}");
        let said = refusal(scheme, true, expired).await;
        assert!(said.contains("certificate") && said.contains("expired"), "{scheme}: {said}");
    }
}

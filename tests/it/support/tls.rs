//! TLS in front of a node, with a certificate of an authority that the test makes.

use rcgen::{BasicConstraints, CertificateParams, DnType, IsCa, KeyPair};
use std::sync::Arc;
use tempfile::NamedTempFile;
use tokio::{
    io::copy_bidirectional,
    net::{TcpListener, TcpStream},
};
use tokio_rustls::{
    TlsAcceptor,
    rustls::{
        ServerConfig,
        crypto::aws_lc_rs::default_provider,
        pki_types::{PrivateKeyDer, PrivatePkcs8KeyDer},
    },
};

/// A server that takes TLS connections to `localhost` and passes their bytes to a node.
pub(crate) struct TlsNode {
    /// Host and port.
    pub(crate) address: String,
    /// The certificate of the authority, as PEM.
    pub(crate) authority: NamedTempFile,
}

impl TlsNode {
    /// Serves for the lifetime of the runtime. `change` may alter the server's certificate before it is signed.
    pub(crate) async fn before(node: &str, change: impl FnOnce(&mut CertificateParams)) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a free port");
        let port = listener.local_addr().expect("it is bound").port();
        let (config, authority) = certified(port, change);
        let acceptor = TlsAcceptor::from(Arc::new(config));
        let node = node.trim_start_matches("http://").to_owned();
        tokio::spawn(async move {
            while let Ok((client, _)) = listener.accept().await {
                tokio::spawn(pass(acceptor.clone(), client, node.clone()));
            }
        });
        Self { address: format!("localhost:{port}"), authority }
    }
}

/// Passes the bytes of one connection. A client that refuses the certificate ends it.
async fn pass(acceptor: TlsAcceptor, client: TcpStream, node: String) {
    let Ok(mut client) = acceptor.accept(client).await else { return };
    let mut node = TcpStream::connect(node).await.expect("the node listens");
    let _ = copy_bidirectional(&mut client, &mut node).await;
}

/// The server's certificate with its key, and the certificate of the authority that signs it.
fn certified(
    port: u16,
    change: impl FnOnce(&mut CertificateParams),
) -> (ServerConfig, NamedTempFile) {
    let key = || KeyPair::generate().expect("the library makes keys");
    let named = |names: &[&str]| {
        let names: Vec<_> = names.iter().map(|&name| name.to_owned()).collect();
        CertificateParams::new(names).expect("the names are valid")
    };
    let (authority_key, server_key) = (key(), key());
    let mut authority = named(&[]);
    // Two authorities of one name would be taken for one with a bad signature.
    authority.distinguished_name.push(DnType::CommonName, port.to_string());
    authority.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
    let authority = authority.self_signed(&authority_key).expect("a certificate");
    let mut server = named(&["localhost"]);
    change(&mut server);
    let server = server.signed_by(&server_key, &authority, &authority_key).expect("a certificate");

    let file = NamedTempFile::new().expect("a temporary file");
    std::fs::write(&file, authority.pem()).expect("the file is writable");
    let secret = PrivateKeyDer::from(PrivatePkcs8KeyDer::from(server_key.serialize_der()));
    let config = ServerConfig::builder_with_provider(Arc::new(default_provider()))
        .with_safe_default_protocol_versions()
        .expect("the library has them")
        .with_no_client_auth()
        .with_single_cert(vec![server.der().clone()], secret)
        .expect("the key is the certificate's");
    (config, file)
}

//! Certificates for tests, of an authority that nobody trusts but them, and clients that do. Those of
//! `src/tls/` are good for a hundred years from 2020 on, but for the one that was never good.

use std::io::{Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::sync::Arc;

use rustls::crypto::ring::default_provider;
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, ServerName};
use rustls::{
    ClientConfig, ClientConnection, RootCertStore, StreamOwned, SupportedProtocolVersion,
};

use crate::http::Client;

/// The certificate of the authority.
pub const AUTHORITY: &str = include_str!("ca.pem");

/// A certificate and its key, both as PEM.
#[derive(Debug, Clone, Copy)]
pub struct Pair {
    /// The certificate.
    pub certificate: &'static str,
    /// Its key.
    pub key: &'static str,
}

/// For `tracker.example`, `*.swarm.example` and 127.0.0.1, with an ECDSA key.
pub const TRACKER: Pair = Pair {
    certificate: include_str!("tracker.pem"),
    key: include_str!("tracker.key"),
};

/// For `tracker.example` and 127.0.0.1, with another key.
pub const RENEWED: Pair = Pair {
    certificate: include_str!("renewed.pem"),
    key: include_str!("renewed.key"),
};

/// For `rsa.example`, with an RSA key of 2048 bits.
pub const RSA: Pair = Pair {
    certificate: include_str!("rsa.pem"),
    key: include_str!("rsa.key"),
};

/// For `tracker.example`, with a time that ended before it began.
pub const EXPIRED: Pair = Pair {
    certificate: include_str!("expired.pem"),
    key: include_str!("expired.key"),
};

impl Pair {
    /// The certificate as it is sent.
    pub fn der(self) -> CertificateDer<'static> {
        let pem = self.certificate.as_bytes();
        CertificateDer::from_pem_slice(pem).expect("it is a certificate")
    }
}

/// Returns what a client needs that trusts the authority. It remembers sessions, to resume them.
pub fn client_config() -> Arc<ClientConfig> {
    Arc::new(client_config_of(rustls::ALL_VERSIONS))
}

/// The same of a client that speaks some versions alone.
pub fn client_config_of(versions: &[&'static SupportedProtocolVersion]) -> ClientConfig {
    let mut roots = RootCertStore::empty();
    let authority = CertificateDer::from_pem_slice(AUTHORITY.as_bytes());
    let added = roots.add(authority.expect("it is a certificate"));
    added.expect("it is that of an authority");
    let builder = ClientConfig::builder_with_provider(Arc::new(default_provider()))
        .with_protocol_versions(versions)
        .expect("ring has the suites of TLS 1.2 and 1.3");
    builder.with_root_certificates(roots).with_no_client_auth()
}

/// Begins a connection to a host of this name, or of this address.
pub fn connection(config: &Arc<ClientConfig>, name: &str) -> ClientConnection {
    let name = ServerName::try_from(name.to_owned()).expect("a name or an address");
    ClientConnection::new(Arc::clone(config), name).expect("there is randomness")
}

/// Puts TLS onto a stream. The handshake is made with the first octets that are sent.
pub fn over<S: Read + Write>(
    config: &Arc<ClientConfig>,
    name: &str,
    stream: S,
) -> Client<StreamOwned<ClientConnection, S>> {
    Client::over(StreamOwned::new(connection(config, name), stream))
}

/// Connects to a host of this name at an address.
pub fn connect(
    config: &Arc<ClientConfig>,
    name: &str,
    address: SocketAddr,
) -> Client<StreamOwned<ClientConnection, TcpStream>> {
    over(config, name, Client::connect(address).stream)
}

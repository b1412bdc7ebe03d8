//! TLS under the connections of HTTP: certificates, handshakes, and streams.
//!
//! A [`Stream`] holds a [`Machine`], which has no buffers but for what is on its way: octets are read
//! into, and encrypted into, memory that all connections of a thread share.

mod certificate;
mod handshakes;
mod machine;
mod stream;
mod validity;

use std::sync::Arc;

use arc_swap::ArcSwap;
use rustls::ServerConfig;
use rustls::crypto::ring::{Ticketer, default_provider};
use rustls::server::{NoServerSessionStorage, UnbufferedServerConnection};

pub use certificate::{Certificate, CertificateError, Certificates};
pub use handshakes::Handshakers;
pub use machine::Machine;
pub use stream::{Failure, Stream};

use certificate::Resolver;

/// Tickets that a client gets with a handshake, each good for one that costs no signature.
const TICKETS: usize = 1;

/// What TLS listeners serve with: the certificates in force, and the keys of session tickets. Cheap to
/// clone.
#[derive(Debug, Clone)]
pub struct Tls {
    config: Arc<ServerConfig>,
    certificates: Arc<ArcSwap<Certificates>>,
}

/// The system has no randomness for the keys of session tickets.
#[derive(Debug, thiserror::Error)]
#[error("no keys for session tickets")]
pub struct TicketError(#[source] rustls::Error);

impl Tls {
    /// Makes it with the certificates that are served first. It serves TLS 1.2 and 1.3, and of what a
    /// client may speak inside HTTP/1.1 alone.
    ///
    /// # Errors
    ///
    /// Fails if the system has no randomness.
    pub fn new(certificates: Certificates) -> Result<Self, TicketError> {
        let certificates = Arc::new(ArcSwap::from_pointee(certificates));
        let provider = Arc::new(default_provider());
        let builder = ServerConfig::builder_with_provider(provider)
            .with_safe_default_protocol_versions()
            .expect("ring has the suites of TLS 1.2 and 1.3");
        let resolver = Arc::new(Resolver::new(Arc::clone(&certificates)));
        let mut config = builder.with_no_client_auth().with_cert_resolver(resolver);
        config.alpn_protocols = vec![b"http/1.1".to_vec()];
        config.session_storage = Arc::new(NoServerSessionStorage {});
        config.ticketer = Ticketer::new().map_err(TicketError)?;
        config.send_tls13_tickets = TICKETS;
        Ok(Self {
            config: Arc::new(config),
            certificates,
        })
    }

    /// Replaces the certificates for the handshakes that come. Sessions go on, and may be resumed.
    pub fn replace(&self, certificates: Certificates) {
        self.certificates.store(Arc::new(certificates));
    }

    /// Returns the certificates in force.
    pub fn certificates(&self) -> Arc<Certificates> {
        self.certificates.load_full()
    }

    /// Begins a connection.
    fn connection(&self) -> Result<UnbufferedServerConnection, rustls::Error> {
        UnbufferedServerConnection::new(Arc::clone(&self.config))
    }
}

//! TLS of connections, for a client that trusts everybody: it is there to make load.

use std::io::{self, Read, Write};
use std::sync::Arc;

use anyhow::{Context, Result};
use rustls::client::Resumption;
use rustls::client::danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier};
use rustls::crypto::ring::default_provider;
use rustls::pki_types::{CertificateDer, ServerName, UnixTime};
use rustls::{ClientConfig, ClientConnection, DigitallySignedStruct, Error, SignatureScheme};

/// What connections begin TLS with.
#[derive(Debug, Clone)]
pub(crate) struct Tls {
    config: Arc<ClientConfig>,
    name: ServerName<'static>,
}

/// Sessions that a run remembers, to resume them.
const SESSIONS: usize = 256;

impl Tls {
    /// Makes it for a host of this name.
    pub(crate) fn new(name: &str, resumes: bool) -> Result<Self> {
        let builder = ClientConfig::builder_with_provider(Arc::new(default_provider()))
            .with_safe_default_protocol_versions()?;
        let builder = builder.dangerous();
        let builder = builder.with_custom_certificate_verifier(Arc::new(Anybody));
        let mut config = builder.with_no_client_auth();
        config.resumption = match resumes {
            true => Resumption::in_memory_sessions(SESSIONS),
            false => Resumption::disabled(),
        };
        let host = name.rsplit_once(':').map_or(name, |(host, _port)| host);
        let host = host.trim_matches(['[', ']']).to_owned();
        Ok(Self {
            config: Arc::new(config),
            name: ServerName::try_from(host).context("it is no name of a host")?,
        })
    }

    /// Begins TLS on a connection.
    pub(crate) fn connect(&self) -> io::Result<Layer> {
        let connection = ClientConnection::new(Arc::clone(&self.config), self.name.clone());
        let mut connection = connection.map_err(io::Error::other)?;
        connection.set_buffer_limit(None);
        Ok(Layer(Box::new(connection)))
    }
}

/// The TLS of a connection.
#[derive(Debug)]
pub(crate) struct Layer(Box<ClientConnection>);

impl Layer {
    /// Takes octets, and sends as much of what these became as the socket takes.
    pub(crate) fn write(&mut self, octets: &[u8], socket: &mut impl Write) -> io::Result<()> {
        self.0.writer().write_all(octets)?;
        while self.0.wants_write() {
            self.0.write_tls(socket)?;
        }
        Ok(())
    }

    /// Reads from the socket, and returns what was in it; 0 octets are the end.
    pub(crate) fn read<S: Read + Write>(
        &mut self,
        buffer: &mut [u8],
        socket: &mut S,
    ) -> io::Result<usize> {
        loop {
            match self.0.reader().read(buffer) {
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => {}
                // Some trackers end without saying so.
                Err(error) if error.kind() == io::ErrorKind::UnexpectedEof => return Ok(0),
                read => return read,
            }
            let octets = self.0.read_tls(socket)?;
            self.0.process_new_packets().map_err(io::Error::other)?;
            match self.write(&[], socket) {
                Err(error) if error.kind() != io::ErrorKind::WouldBlock => return Err(error),
                _ => {}
            }
            if octets == 0 {
                return Ok(0);
            }
        }
    }
}

/// Takes any certificate, and spares itself what it costs to look.
#[derive(Debug)]
struct Anybody;

impl ServerCertVerifier for Anybody {
    fn verify_server_cert(
        &self,
        _certificate: &CertificateDer<'_>,
        _chain: &[CertificateDer<'_>],
        _name: &ServerName<'_>,
        _ocsp: &[u8],
        _now: UnixTime,
    ) -> Result<ServerCertVerified, Error> {
        Ok(ServerCertVerified::assertion())
    }

    fn verify_tls12_signature(
        &self,
        _message: &[u8],
        _certificate: &CertificateDer<'_>,
        _signature: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        Ok(HandshakeSignatureValid::assertion())
    }

    fn verify_tls13_signature(
        &self,
        _message: &[u8],
        _certificate: &CertificateDer<'_>,
        _signature: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        Ok(HandshakeSignatureValid::assertion())
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        let provider = default_provider();
        provider
            .signature_verification_algorithms
            .supported_schemes()
    }
}

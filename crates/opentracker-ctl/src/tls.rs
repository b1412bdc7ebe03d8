//! TLS to a tracker, as a client speaks it that trusts whom this host trusts.

use std::sync::{Arc, Mutex, PoisonError};

use anyhow::{Context, Result};
use rustls::client::WebPkiServerVerifier;
use rustls::client::danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier};
use rustls::crypto::{CryptoProvider, ring, verify_tls12_signature, verify_tls13_signature};
use rustls::pki_types::{CertificateDer, ServerName, UnixTime};
use rustls::{ClientConfig, DigitallySignedStruct, Error, RootCertStore, SignatureScheme};
use rustls_native_certs::load_native_certs;
use tokio::net::TcpStream;
use tokio_rustls::TlsConnector;
use tokio_rustls::client::TlsStream;

/// Shakes hands with the host of a name or an address, whoever vouches for it. What keeps this host from
/// trusting its certificate is returned: it is for the caller to go on or not.
pub(crate) async fn shake_hands(
    stream: TcpStream,
    name: &str,
) -> Result<(TlsStream<TcpStream>, Option<Error>)> {
    let provider = Arc::new(ring::default_provider());
    let judge = Arc::new(Judge::new(&provider));
    let config = ClientConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()?
        .dangerous()
        .with_custom_certificate_verifier(Arc::<Judge>::clone(&judge))
        .with_no_client_auth();
    let name = ServerName::try_from(name.to_owned()).context("it is no name of a host")?;
    let connector = TlsConnector::from(Arc::new(config));
    let stream = connector.connect(name, stream).await;
    let stream = stream.context("no TLS handshake")?;
    Ok((stream, judge.doubt()))
}

/// Looks at certificates, and takes them all.
#[derive(Debug)]
struct Judge {
    provider: Arc<CryptoProvider>,
    /// None without authorities on this host.
    strict: Option<Arc<WebPkiServerVerifier>>,
    doubt: Mutex<Option<Error>>,
}

impl Judge {
    fn new(provider: &Arc<CryptoProvider>) -> Self {
        let mut roots = RootCertStore::empty();
        roots.add_parsable_certificates(load_native_certs().certs);
        let strict =
            WebPkiServerVerifier::builder_with_provider(Arc::new(roots), Arc::clone(provider));
        Self {
            provider: Arc::clone(provider),
            strict: strict.build().ok(),
            doubt: Mutex::new(None),
        }
    }

    fn doubt(&self) -> Option<Error> {
        self.doubt
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .take()
    }
}

impl ServerCertVerifier for Judge {
    fn verify_server_cert(
        &self,
        certificate: &CertificateDer<'_>,
        chain: &[CertificateDer<'_>],
        name: &ServerName<'_>,
        ocsp: &[u8],
        now: UnixTime,
    ) -> Result<ServerCertVerified, Error> {
        let verified = match &self.strict {
            Some(strict) => strict.verify_server_cert(certificate, chain, name, ocsp, now),
            None => Err(Error::General("this host knows no authorities".to_owned())),
        };
        let mut doubt = self.doubt.lock().unwrap_or_else(PoisonError::into_inner);
        *doubt = verified.err();
        Ok(ServerCertVerified::assertion())
    }

    fn verify_tls12_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signature: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        let algorithms = &self.provider.signature_verification_algorithms;
        verify_tls12_signature(message, certificate, signature, algorithms)
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signature: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        let algorithms = &self.provider.signature_verification_algorithms;
        verify_tls13_signature(message, certificate, signature, algorithms)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        let algorithms = &self.provider.signature_verification_algorithms;
        algorithms.supported_schemes()
    }
}

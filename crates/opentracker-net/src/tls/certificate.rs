//! Certificates with their keys, and which one a client gets.

use std::collections::HashMap;
use std::sync::Arc;
use std::time::SystemTime;

use arc_swap::ArcSwap;
use rustls::crypto::ring::default_provider;
use rustls::pki_types::pem::{Error as PemError, PemObject};
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use rustls::server::{ClientHello, ResolvesServerCert};
use rustls::sign::CertifiedKey;
use rustls::{InconsistentKeys, SignatureScheme};
use webpki::EndEntityCert;

use super::validity::validity;

/// A certificate with those that lead to it, and its key.
#[derive(Debug, Clone)]
pub struct Certificate {
    key: Arc<CertifiedKey>,
    names: Vec<String>,
    validity: [SystemTime; 2],
}

/// Why a certificate or its key cannot be used.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum CertificateError {
    /// There is no certificate, or something is wrong with its PEM.
    #[error("there is no certificate in it as PEM")]
    NoCertificate,
    /// It is not what RFC 5280 describes.
    #[error("its first certificate is no X.509 certificate of version 3")]
    NoX509,
    /// There is no key, or something is wrong with its PEM.
    #[error("there is no private key as PEM, without a passphrase")]
    NoKey,
    /// It is a key for something else, or of a kind that nobody uses.
    #[error("the private key is of no kind that TLS takes: ECDSA (P-256, P-384), Ed25519 or RSA")]
    UnknownKey,
    /// The key is that of another certificate.
    #[error("the private key is that of another certificate")]
    OtherKey,
}

impl Certificate {
    /// Reads a chain, its own certificate first, and the key, both as PEM.
    ///
    /// # Errors
    ///
    /// Fails if one of them cannot be used, or if they do not belong together.
    pub fn from_pem(chain: &[u8], key: &[u8]) -> Result<Self, CertificateError> {
        let chain: Result<Vec<_>, PemError> = CertificateDer::pem_slice_iter(chain).collect();
        let chain = chain.map_err(|_bad| CertificateError::NoCertificate)?;
        let first = chain.first().ok_or(CertificateError::NoCertificate)?;
        let validity = validity(first).ok_or(CertificateError::NoX509)?;
        let parsed = EndEntityCert::try_from(first).map_err(|_bad| CertificateError::NoX509)?;
        let names = parsed.valid_dns_names().map(str::to_ascii_lowercase);
        let names = names.collect();
        let key = PrivateKeyDer::from_pem_slice(key).map_err(|_bad| CertificateError::NoKey)?;
        let key = CertifiedKey::from_der(chain, key, &default_provider());
        let key = key.map_err(|error| match error {
            rustls::Error::InconsistentKeys(InconsistentKeys::KeyMismatch) => {
                CertificateError::OtherKey
            }
            _ => CertificateError::UnknownKey,
        })?;
        Ok(Self {
            key: Arc::new(key),
            names,
            validity,
        })
    }

    /// Returns the host names that it is for, in small letters; `*.` stands for one label.
    pub fn names(&self) -> &[String] {
        &self.names
    }

    /// Returns from when it is good.
    pub fn not_before(&self) -> SystemTime {
        self.validity[0]
    }

    /// Returns until when it is good.
    pub fn not_after(&self) -> SystemTime {
        self.validity[1]
    }

    /// Tells whether it is the same certificate.
    pub fn is_same(&self, other: &Self) -> bool {
        self.key.cert == other.key.cert
    }

    fn can_sign(&self, schemes: &[SignatureScheme]) -> bool {
        self.key.key.choose_scheme(schemes).is_some()
    }
}

/// The certificates that are served, one at least.
#[derive(Debug)]
pub struct Certificates {
    all: Vec<Certificate>,
    /// Places of those that are for a name, in their order.
    by_name: HashMap<String, Vec<usize>>,
}

impl Certificates {
    /// Takes them in the order of preference. The first one is for clients that ask for no name, or for
    /// one that none has. `None` if there is none.
    pub fn new(all: Vec<Certificate>) -> Option<Self> {
        let mut by_name: HashMap<String, Vec<usize>> = HashMap::new();
        for (place, certificate) in all.iter().enumerate() {
            for name in &certificate.names {
                by_name.entry(name.clone()).or_default().push(place);
            }
        }
        (!all.is_empty()).then_some(Self { all, by_name })
    }

    /// Returns all of them.
    pub fn iter(&self) -> impl Iterator<Item = &Certificate> {
        self.all.iter()
    }

    /// Returns the one for a client that asks for a name, and understands signatures.
    fn choose(&self, name: Option<&str>, schemes: &[SignatureScheme]) -> &Certificate {
        let named = name.map(str::to_ascii_lowercase).and_then(|name| {
            let wildcard = || {
                let (_, domain) = name.split_once('.')?;
                self.by_name.get(&format!("*.{domain}"))
            };
            self.by_name.get(&name).or_else(wildcard)
        });
        let named = named.into_iter().flatten().map(|&place| &self.all[place]);
        let mut fitting = named.chain(&self.all);
        let first = &self.all[0];
        fitting
            .find(|certificate| certificate.can_sign(schemes))
            .unwrap_or(first)
    }
}

/// Gives each client the certificate that it asks for.
#[derive(Debug)]
pub(super) struct Resolver(Arc<ArcSwap<Certificates>>);

impl Resolver {
    pub(super) fn new(certificates: Arc<ArcSwap<Certificates>>) -> Self {
        Self(certificates)
    }
}

impl ResolvesServerCert for Resolver {
    fn resolve(&self, client: ClientHello<'_>) -> Option<Arc<CertifiedKey>> {
        let certificates = self.0.load();
        let chosen = certificates.choose(client.server_name(), client.signature_schemes());
        Some(Arc::clone(&chosen.key))
    }
}

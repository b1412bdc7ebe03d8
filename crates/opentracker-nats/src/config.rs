use std::fmt;
use std::fs;
use std::io;
use std::path::PathBuf;
use std::str::FromStr;

use async_nats::ConnectOptions;
use async_nats::rustls::pki_types::CertificateDer;
use async_nats::rustls::pki_types::pem::PemObject;

use crate::Server;

/// Which servers to ask, who asks, and what for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NatsConfig {
    /// The servers, of which one at a time is used. Others that they name are not.
    pub servers: Vec<Server>,
    /// The subject of the cluster.
    pub subject: Subject,
    /// A file with the JWT and the seed of the user, as `nsc` writes it. It is read anew for each
    /// connection.
    pub credentials: Option<PathBuf>,
    /// A PEM file with the authorities that a server's certificate may come from, instead of those
    /// of the system. It is read anew for each connection.
    pub ca: Option<PathBuf>,
}

/// A subject that is published to and subscribed, without wildcards.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Subject(async_nats::Subject);

/// A text that is no subject.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("not a subject: words without spaces, `*` and `>`, with a dot between two")]
pub struct SubjectError;

/// Why there can be no connection, whatever the servers do.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum StartError {
    /// No server is named.
    #[error("no NATS server is named")]
    NoServer,
    /// The credentials cannot be read.
    #[error("cannot read the NATS credentials {}", path.display())]
    Credentials {
        /// The file.
        path: PathBuf,
        /// What is wrong with it.
        source: io::Error,
    },
    /// The authorities cannot be read.
    #[error("cannot read the certificate authorities of NATS, {}", path.display())]
    Ca {
        /// The file.
        path: PathBuf,
        /// What is wrong with it.
        source: io::Error,
    },
}

impl FromStr for Subject {
    type Err = SubjectError;

    fn from_str(text: &str) -> Result<Self, SubjectError> {
        let is_plain = |letter: char| !letter.is_whitespace() && !letter.is_control();
        let is_word = |word: &str| !word.is_empty() && word != "*" && word != ">";
        let is_subject = text.chars().all(is_plain) && text.split('.').all(is_word);
        is_subject.then(|| Self(text.into())).ok_or(SubjectError)
    }
}

impl Default for Subject {
    fn default() -> Self {
        Self("opentracker.livesync".into())
    }
}

impl Subject {
    /// Returns it as text.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// Returns the subject that has one more word, or several with dots between.
    ///
    /// # Errors
    ///
    /// Fails if that is no subject.
    pub fn with(&self, words: &str) -> Result<Self, SubjectError> {
        format!("{self}.{words}").parse()
    }

    pub(crate) fn name(&self) -> async_nats::Subject {
        self.0.clone()
    }
}

impl fmt::Display for Subject {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

impl NatsConfig {
    /// Looks whether a connection could be made of it, without making one.
    ///
    /// # Errors
    ///
    /// Fails without a server, and where a file cannot be read or is none of its kind.
    pub fn check(&self) -> Result<(), StartError> {
        if self.servers.is_empty() {
            return Err(StartError::NoServer);
        }
        if let Some(path) = &self.credentials {
            fs::read_to_string(path)
                .and_then(|text| ConnectOptions::new().credentials(&text))
                .map_err(|source| StartError::Credentials {
                    path: path.clone(),
                    source,
                })?;
        }
        if let Some(path) = &self.ca {
            fs::read(path)
                .and_then(|octets| has_certificates(&octets))
                .map_err(|source| StartError::Ca {
                    path: path.clone(),
                    source,
                })?;
        }
        Ok(())
    }
}

fn has_certificates(pem: &[u8]) -> io::Result<()> {
    let fault = |cause| io::Error::new(io::ErrorKind::InvalidData, cause);
    let mut count = 0;
    for certificate in CertificateDer::pem_slice_iter(pem) {
        certificate.map_err(|error| fault(error.to_string()))?;
        count += 1;
    }
    (count > 0)
        .then_some(())
        .ok_or_else(|| fault("it has no certificate".to_owned()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_subject_is_words_with_dots_between() {
        for text in ["opentracker.livesync", "a", "a*.b>"] {
            assert_eq!(text.parse::<Subject>().unwrap().as_str(), text);
        }
        for text in ["", ".", "a.", ".a", "a..b", "a b", "a.*", ">", "a\r\nb"] {
            assert_eq!(text.parse::<Subject>(), Err(SubjectError), "{text}");
        }
        let subject = Subject::default().with("webtorrent.0a").unwrap();
        assert_eq!(subject.as_str(), "opentracker.livesync.webtorrent.0a");
        assert_eq!(Subject::default().with("*"), Err(SubjectError));
    }

    #[test]
    fn files_that_are_not_there_or_of_another_kind_are_found_at_the_start() {
        let manifest = concat!(env!("CARGO_MANIFEST_DIR"), "/Cargo.toml");
        let good = NatsConfig {
            servers: vec!["nats://127.0.0.1".parse().unwrap()],
            subject: "a".parse().unwrap(),
            credentials: None,
            ca: None,
        };
        good.check().unwrap();
        for path in [manifest, "/nonexistent"] {
            let path = Some(PathBuf::from(path));
            let mut bad = good.clone();
            bad.credentials.clone_from(&path);
            assert!(matches!(bad.check(), Err(StartError::Credentials { .. })));
            let mut bad = good.clone();
            bad.ca = path;
            assert!(matches!(bad.check(), Err(StartError::Ca { .. })));
        }
        let mut bad = good;
        bad.servers.clear();
        assert!(matches!(bad.check(), Err(StartError::NoServer)));
    }
}

//! An authority, and a certificate of it for a server.

use std::fs;
use std::net::Ipv4Addr;
use std::path::{Path, PathBuf};
use std::process::Command;

pub(crate) struct Files {
    pub(crate) ca: PathBuf,
    certificate: PathBuf,
    key: PathBuf,
}

/// Makes them in a folder.
pub(crate) fn make(folder: &Path, address: Ipv4Addr) -> Files {
    fs::create_dir_all(folder).unwrap();
    let (ca, ca_key) = (folder.join("ca.pem"), folder.join("ca.key"));
    let (certificate, key) = (folder.join("server.pem"), folder.join("server.key"));
    request(&ca, &ca_key, "/CN=authority")
        .args(["-addext", "basicConstraints=critical,CA:TRUE"])
        .succeed();
    request(&certificate, &key, "/CN=server")
        .args(["-addext", &format!("subjectAltName=IP:{address}")])
        .args(["-addext", "basicConstraints=critical,CA:FALSE"])
        .arg("-CA")
        .arg(&ca)
        .arg("-CAkey")
        .arg(&ca_key)
        .succeed();
    Files {
        ca,
        certificate,
        key,
    }
}

impl Files {
    /// Returns what names them in a server's configuration.
    pub(crate) fn server_config(&self) -> String {
        let (certificate, key) = (self.certificate.display(), self.key.display());
        format!("tls {{ cert_file: \"{certificate}\", key_file: \"{key}\" }}\n")
    }
}

fn request(certificate: &Path, key: &Path, subject: &str) -> Command {
    let mut command = Command::new("openssl");
    command
        .args(["req", "-x509", "-newkey", "ec", "-pkeyopt"])
        .args(["ec_paramgen_curve:P-256", "-nodes", "-days", "2"])
        .args(["-subj", subject, "-out"])
        .arg(certificate)
        .arg("-keyout")
        .arg(key);
    command
}

trait Succeed {
    fn succeed(&mut self);
}

impl Succeed for Command {
    fn succeed(&mut self) {
        let output = self.output().expect("it takes Debian's package openssl");
        let said = String::from_utf8_lossy(&output.stderr);
        assert!(output.status.success(), "{said}");
    }
}

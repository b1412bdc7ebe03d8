use std::fs;
use std::net::Ipv4Addr;
use std::path::{Path, PathBuf};
use std::process::Command;

use crate::namespace::run;
use crate::requirements::require_program;

/// The files of an authority, and of a server whose certificate is of that authority.
#[derive(Debug)]
pub struct Certificates {
    ca: PathBuf,
    certificate: PathBuf,
    key: PathBuf,
}

impl Certificates {
    /// Makes them in a folder, for a server at an address.
    ///
    /// # Panics
    ///
    /// Panics without the program `openssl`, or if it fails.
    pub fn make(folder: &Path, address: Ipv4Addr) -> Self {
        require_program("openssl");
        fs::create_dir_all(folder).unwrap_or_else(|error| panic!("{}: {error}", folder.display()));
        let (ca, ca_key) = (folder.join("ca.pem"), folder.join("ca.key"));
        let (certificate, key) = (folder.join("server.pem"), folder.join("server.key"));
        let mut authority = request(&ca, &ca_key, "/CN=authority");
        authority.args(["-addext", "basicConstraints=critical,CA:TRUE"]);
        run(&mut authority, "");
        let mut server = request(&certificate, &key, "/CN=server");
        server
            .args(["-addext", &format!("subjectAltName=IP:{address}")])
            .args(["-addext", "basicConstraints=critical,CA:FALSE"])
            .arg("-CA")
            .arg(&ca)
            .arg("-CAkey")
            .arg(&ca_key);
        run(&mut server, "");
        Self {
            ca,
            certificate,
            key,
        }
    }

    /// Returns where the authority's own certificate is.
    pub fn ca(&self) -> &Path {
        &self.ca
    }

    /// Returns the files of the server: its certificate, and the key.
    pub fn server(&self) -> [&Path; 2] {
        [&self.certificate, &self.key]
    }

    /// Returns what names the files of the server in its configuration.
    pub fn server_config(&self) -> String {
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

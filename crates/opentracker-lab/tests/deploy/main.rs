//! The files of `deploy/`, as those use them who deploy a tracker: proxies, containers and pods run in network
//! namespaces with what the files say, and what cannot run here is read by the tools of its users.
//!
//! It is run by `cargo xtask test`, as root, with packages of Debian and PyPI.
//!
//! | sentence | tests |
//! |---|---|
//! | proxies with the shipped files name the client | `proxies` |
//! | nodes with the shipped files are a cluster, over multicast, NATS and a relay | `cluster` |
//! | the three nodes of the compose file are a cluster | `container` |
//! | kustomize base and Helm chart say the same, their pod answers its probes, and several are a cluster | `kubernetes` |
//! | the kernel has what is set, and the documentation says the same | `sysctl` |

mod client;
mod cluster;
mod container;
mod kubernetes;
mod proxies;
mod sysctl;
mod tools;

use std::fs;
use std::path::{Path, PathBuf};
use std::time::Duration;

/// How long any step may take.
const PATIENCE: Duration = Duration::from_secs(60);

/// Returns the path of a file or a folder of the repository.
fn repository(path: &str) -> PathBuf {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("../..");
    let path = root.join(path).canonicalize();
    path.unwrap_or_else(|error| panic!("{}: {error}", root.display()))
}

/// Returns the text of a file of the repository.
fn text(path: &str) -> String {
    fs::read_to_string(repository(path)).unwrap_or_else(|error| panic!("{path}: {error}"))
}

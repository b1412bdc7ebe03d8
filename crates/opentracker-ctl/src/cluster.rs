//! What the nodes of a cluster share.

use std::fs::OpenOptions;
use std::io::{self, Write};
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result};
use clap::Subcommand;
use opentracker_livesync_wire::Key;
use rand::TryRng;
use rand::rngs::SysRng;
use serde_json::json;

/// Octets of a key.
const KEY_LEN: usize = 32;

#[derive(Debug, Subcommand)]
pub(crate) enum Command {
    /// Draws a key for the file of `livesync.secret` from the system's randomness, and prints it.
    Keygen {
        /// Write it to a new file instead, which its owner alone may read, and print its name.
        #[arg(long, value_name = "FILE")]
        output: Option<PathBuf>,
    },
}

/// Runs one of the commands.
pub(crate) fn run(command: &Command, json: bool) -> Result<()> {
    match command {
        Command::Keygen { output } => keygen(output.as_deref(), json),
    }
}

fn keygen(output: Option<&Path>, json: bool) -> Result<()> {
    let mut secret = [0; KEY_LEN];
    SysRng
        .try_fill_bytes(&mut secret)
        .context("the system gives no randomness")?;
    let name = Key::derive(&secret).name();
    let digits: String = secret.iter().map(|octet| format!("{octet:02x}")).collect();
    if let Some(path) = output {
        write_new(path, &digits).with_context(|| format!("cannot write {}", path.display()))?;
    }
    let text = match (output, json) {
        (None, false) => digits,
        (None, true) => json!({"key": digits, "name": name.to_string()}).to_string(),
        (Some(path), false) => format!("{}: key {name}", path.display()),
        (Some(path), true) => {
            let file = path.display().to_string();
            json!({"file": file, "name": name.to_string()}).to_string()
        }
    };
    Ok(writeln!(io::stdout(), "{text}")?)
}

/// Writes a line to a file that was not there.
fn write_new(path: &Path, line: &str) -> io::Result<()> {
    let mut file = OpenOptions::new()
        .write(true)
        .create_new(true)
        .mode(0o600)
        .open(path)?;
    writeln!(file, "{line}")?;
    file.sync_all()
}

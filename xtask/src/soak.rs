//! `cargo xtask soak`: a cluster under load for as long as one likes to wait.

use anyhow::{Result, ensure};
use xshell::cmd;

use crate::system;
use crate::workspace::Workspace;

/// Runs the task.
pub(crate) fn run(workspace: &Workspace, minutes: u32) -> Result<()> {
    let sh = &workspace.sh;
    ensure!(system::is_root(sh)?, "network namespaces need root");
    system::ensure(sh, &["iproute2", "nftables"])?;
    cmd!(
        sh,
        "cargo build --locked --release --package opentracker-daemon --package opentracker-loadgen"
    )
    .run()?;
    let target = workspace.metadata()?.target_directory;
    let minutes = minutes.to_string();
    let soak = cmd!(
        sh,
        "cargo run --locked --release --package opentracker-lab --example soak -- {minutes}"
    );
    Ok(soak
        .env("OPENTRACKER_BIN", target.join("release/opentracker"))
        .run()?)
}

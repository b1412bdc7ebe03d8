//! `cargo xtask bench`: how fast, how small.

use anyhow::{Result, bail};

use crate::workspace::Workspace;
use crate::{Args, guard};

/// Runs the task.
///
/// # Errors
///
/// There is no such benchmark, or it fails.
pub(crate) fn run(workspace: &Workspace, mut args: Args) -> Result<()> {
    match args.word().unwrap_or_default().as_str() {
        "guard" => guard::run(workspace, args),
        other => bail!("no benchmark `{other}`: bench guard"),
    }
}

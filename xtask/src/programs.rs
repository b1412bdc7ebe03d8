//! The programs that the workspace delivers.

use std::path::PathBuf;

use anyhow::Result;
use xshell::cmd;

use crate::workspace::Workspace;

/// What operators get: package and binary. `dist` ships each, the documentation may call each.
pub(crate) const PROGRAMS: &[Program] = &[
    Program {
        package: "opentracker-daemon",
        binary: "opentracker",
    },
    Program {
        package: "opentracker-ctl",
        binary: "opentracker-ctl",
    },
];

/// A binary of the workspace.
pub(crate) struct Program {
    pub(crate) package: &'static str,
    pub(crate) binary: &'static str,
}

/// Builds the programs in a profile; returns the folder that holds them.
///
/// # Errors
///
/// The build fails.
pub(crate) fn build(workspace: &Workspace, profile: &str) -> Result<PathBuf> {
    let packages = PROGRAMS
        .iter()
        .flat_map(|program| ["--package", program.package]);
    cmd!(
        workspace.sh,
        "cargo build --locked --profile {profile} {packages...}"
    )
    .run()?;
    Ok(workspace.metadata()?.target_directory.join(profile))
}

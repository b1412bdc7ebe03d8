//! `cargo xtask test`: everything that shows whether the tracker works.

use anyhow::{Result, bail};
use xshell::cmd;

use crate::steps::Steps;
use crate::workspace::Workspace;
use crate::{Args, programs, system};

/// Namespace tests wait for clients more than they work, so more of them run than there are cores.
const THREADS: &str = "8";

/// Runs the task.
///
/// # Errors
///
/// A test fails, or could not be run.
pub(crate) fn run(workspace: &Workspace, mut args: Args) -> Result<()> {
    let unprivileged = args.flag("--unprivileged");
    args.finish()?;
    let mut steps = Steps::default();
    let result = all(workspace, &mut steps, unprivileged);
    eprint!("\n{}", steps.table());
    result
}

/// Runs all tests; with `unprivileged`, those that need root may be left out.
///
/// The tests that plain `cargo test` runs need nothing but Rust. The namespace tests (see
/// `Metadata::namespace_tests`) need root and the programs of [`system`], and get the release
/// program in `OPENTRACKER_BIN`.
///
/// # Errors
///
/// A test fails, or could not be run.
pub(crate) fn all(workspace: &Workspace, steps: &mut Steps, unprivileged: bool) -> Result<()> {
    let sh = &workspace.sh;
    let root = system::is_root(sh)?;
    if root {
        steps.run("system programs", || {
            system::ensure(sh, system::NAMESPACE_TESTS)
        })?;
    }
    steps.run("tests", || {
        Ok(cmd!(sh, "cargo test --workspace --locked").run()?)
    })?;

    let metadata = workspace.metadata()?;
    let namespace_tests = metadata.namespace_tests();
    if !root {
        for (package, target) in &namespace_tests {
            steps.not_run(&format!("{package} {target}"), "needs root");
        }
        if !unprivileged && !namespace_tests.is_empty() {
            bail!(
                "the namespace tests were NOT run, because they need root: run this as root, or \
                 give --unprivileged to do without them"
            );
        }
        return Ok(());
    }
    let folder = steps.run("release program", || programs::build(workspace, "release"))?;
    let program = folder.join("opentracker");
    for (package, target) in namespace_tests {
        steps.run(&format!("{package} {target}"), || {
            let test = cmd!(
                sh,
                "cargo test --locked --package {package} --test {target} -- --test-threads={THREADS}"
            );
            Ok(test.env("OPENTRACKER_BIN", &program).run()?)
        })?;
    }
    Ok(())
}

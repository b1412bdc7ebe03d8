//! `cargo xtask test`: everything that shows whether the tracker works.

use anyhow::{Result, bail};
use xshell::cmd;

use crate::dist;
use crate::registries::Registry;
use crate::sanitize;
use crate::steps::Steps;
use crate::system;
use crate::workspace::{Workspace, namespace_tests};

/// Namespace tests wait for clients more than they work, so more of them run than there are cores.
const THREADS: &str = "8";

/// Runs the task.
pub(crate) fn run(workspace: &Workspace, unprivileged: bool) -> Result<()> {
    let mut steps = Steps::default();
    let result = all(workspace, &mut steps, unprivileged);
    eprint!("\n{}", steps.table());
    result
}

/// Runs all tests; with `unprivileged`, those that need root may be left out.
///
/// The tests that plain `cargo test` runs need nothing but Rust. The namespace tests (see
/// [`namespace_tests`]) need root and the packages that their manifests name. They get the program of
/// the release in `OPENTRACKER_BIN`, the folder of its packages in `OPENTRACKER_DIST`, and what comes
/// from npm and PyPI by a [`Registry::variable`].
pub(crate) fn all(workspace: &Workspace, steps: &mut Steps, unprivileged: bool) -> Result<()> {
    let sh = &workspace.sh;
    let metadata = workspace.metadata()?;
    let namespace_tests = namespace_tests(&metadata);
    let root = system::is_root(sh)?;
    if root {
        steps.run("system packages", || {
            let mut packages = Vec::new();
            for (package, test) in &namespace_tests {
                packages.extend(system::packages_of(package, &test.name)?);
            }
            packages.sort_unstable();
            packages.dedup();
            system::ensure(sh, &packages)
        })?;
    }
    steps.run("tests", || {
        Ok(cmd!(sh, "cargo test --workspace --all-features --locked").run()?)
    })?;
    sanitize::all(workspace, steps)?;
    if !root {
        for (package, test) in &namespace_tests {
            steps.not_run(&format!("{} {}", package.name, test.name), "needs root");
        }
        if !unprivileged && !namespace_tests.is_empty() {
            bail!(
                "the namespace tests were NOT run, because they need root: run this as root, or \
                 give --unprivileged to do without them"
            );
        }
        return Ok(());
    }
    let release = steps.run("release packages", || dist::run(workspace))?;
    let target = metadata.target_directory.as_std_path();
    let programs = target.join("dist");
    // Of the whole workspace, with all features, as above: for one package alone cargo would choose
    // fewer features of what it depends on, and build that again.
    for (package, test) in namespace_tests {
        let (name, test) = (&*package.name, &test.name);
        steps.run(&format!("{name} {test}"), || {
            let mut run = cmd!(
                sh,
                "cargo test --workspace --all-features --locked --test {test} -- --test-threads={THREADS}"
            )
            .env("OPENTRACKER_BIN", programs.join("opentracker"))
            .env("OPENTRACKER_DIST", &release);
            for registry in Registry::ALL {
                if let Some(place) = registry.ensure(sh, target, package, test)? {
                    run = run.env(registry.variable(), place);
                }
            }
            Ok(run.run()?)
        })?;
    }
    Ok(())
}

//! `cargo xtask test`: everything that shows whether the tracker works.

use std::io::{self, Write};
use std::path::Path;
use std::process::Output;
use std::thread::{self, ScopedJoinHandle};

use anyhow::{Result, bail, ensure};
use cargo_metadata::{Package, Target};
use xshell::{Cmd, Shell, cmd};

use crate::dist;
use crate::registries::Registry;
use crate::sanitize;
use crate::steps::Steps;
use crate::system;
use crate::workspace::{Workspace, namespace_tests};

/// Tests wait more than they work, so more of them run at once than two cores would have by default.
const THREADS: &str = "4";

/// Namespace tests wait for clients most of their time.
const NAMESPACE_THREADS: &str = "8";

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
    let plain = |steps: &mut Steps| {
        steps.run("tests", || {
            let test = cmd!(sh, "cargo test --workspace --all-features --locked");
            Ok(test.env("RUST_TEST_THREADS", THREADS).run()?)
        })?;
        sanitize::all(workspace, steps)
    };
    if !root {
        plain(steps)?;
        for (package, test) in &namespace_tests {
            steps.not_run(&name_of(package, test), "needs root");
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
    // Ours make the release a second time, with what all others leave of the processors.
    let (ours, others): (Vec<_>, Vec<_>) = namespace_tests
        .into_iter()
        .partition(|(package, _)| *package.name == *env!("CARGO_PKG_NAME"));
    thread::scope(|scope| {
        let ours = ours.into_iter().map(|(package, test)| {
            let release = &release;
            let run = move || {
                let sh = Workspace::open()?.sh;
                let run = namespace_test(&sh, target, release, package, test)?;
                Ok(run.quiet().ignore_status().output()?)
            };
            (name_of(package, test), scope.spawn(run))
        });
        let ours: Vec<(String, ScopedJoinHandle<'_, Result<Output>>)> = ours.collect();
        let all_others = plain(steps).and_then(|()| {
            others.into_iter().try_for_each(|(package, test)| {
                steps.run(&name_of(package, test), || {
                    Ok(namespace_test(sh, target, &release, package, test)?.run()?)
                })
            })
        });
        ours.into_iter().fold(all_others, |before, (name, thread)| {
            let step = format!("{name}, which began before the others");
            let result = steps.run(&step, || {
                let output = thread.join().expect("it does not panic")?;
                io::stdout().write_all(&output.stdout)?;
                io::stderr().write_all(&output.stderr)?;
                ensure!(output.status.success(), "{}", output.status);
                Ok(())
            });
            before.and(result)
        })
    })
}

fn name_of(package: &Package, test: &Target) -> String {
    format!("{} {}", package.name, test.name)
}

/// The command that runs the tests of a target, with what they need.
///
/// It is of the whole workspace, with all features, as for plain tests: for one package alone cargo
/// would choose fewer features of what it depends on, and build that again.
fn namespace_test<'a>(
    sh: &'a Shell,
    target: &Path,
    release: &Path,
    package: &Package,
    test: &Target,
) -> Result<Cmd<'a>> {
    let name = &test.name;
    let mut run = cmd!(
        sh,
        "cargo test --workspace --all-features --locked --test {name} -- --test-threads={NAMESPACE_THREADS}"
    )
    .env("OPENTRACKER_BIN", target.join("dist/opentracker"))
    .env("OPENTRACKER_DIST", release);
    for registry in Registry::ALL {
        if let Some(place) = registry.ensure(sh, target, package, name)? {
            run = run.env(registry.variable(), place);
        }
    }
    Ok(run)
}

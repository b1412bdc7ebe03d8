//! `cargo xtask sanitize`: tests in builds of their own, which find what no test finds by itself.

use anyhow::Result;
use xshell::cmd;

use crate::steps::Steps;
use crate::tidy::text::crates_with_unsafe_code;
use crate::workspace::Workspace;

/// The crates whose tests try interleavings of threads.
const INTERLEAVED: [&str; 1] = ["opentracker-core"];

/// Crates whose `unsafe` code is one call of the C library, which gets no memory of ours or a structure
/// of zeros. To build them under AddressSanitizer took longer than all others, and could show nothing.
const CALLS_ALONE: [&str; 2] = ["opentracker", "opentracker-ctl"];

/// Where most of the time is that tests take.
const OPTIMIZED: &str = "profile.dev.package.opentracker-store.opt-level=1";

/// Runs the task.
pub(crate) fn run(workspace: &Workspace) -> Result<()> {
    let mut steps = Steps::default();
    let result = all(workspace, &mut steps);
    eprint!("\n{}", steps.table());
    result
}

/// Runs all of them, as steps of a longer task.
pub(crate) fn all(workspace: &Workspace, steps: &mut Steps) -> Result<()> {
    let test = |folder: &str, flags: &str, options: &[&str]| {
        let target = workspace.metadata()?.target_directory.join(folder);
        let sh = &workspace.sh;
        let test = cmd!(sh, "cargo test --locked --target-dir {target} {options...}");
        // AddressSanitizer is none of the stable features of the compiler.
        let test = test.env("RUSTC_BOOTSTRAP", "1").env("RUSTFLAGS", flags);
        // Of most crates little is run, so compiling takes longer than running.
        Ok(test.env("CARGO_PROFILE_DEV_OPT_LEVEL", "0").run()?)
    };
    steps.run("interleavings", || {
        let packages = INTERLEAVED.iter().flat_map(|name| ["--package", name]);
        let packages: Vec<&str> = packages.collect();
        let options = [&packages[..], &["--lib", "interleavings"]].concat();
        test("interleavings", "--cfg shuttle", &options)
    })?;
    steps.run("address sanitizer", || {
        let crates = crates_with_unsafe_code().into_iter();
        let crates = crates.filter(|name| !CALLS_ALONE.contains(name));
        let packages = crates.flat_map(|name| ["--package", name]);
        let mut options: Vec<&str> = packages.collect();
        // With a target, the flags are not for build scripts and macros.
        let host = workspace.rustc("host")?;
        options.extend([
            "--config",
            OPTIMIZED,
            "--all-features",
            "--lib",
            "--bins",
            "--tests",
            "--target",
            &host,
        ]);
        test("address-sanitizer", "-Zsanitizer=address", &options)
    })
}

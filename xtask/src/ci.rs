//! `cargo xtask ci`: what CI runs.

use std::path::Path;

use anyhow::{Context, Result, bail, ensure};
use xshell::{Shell, cmd};

use crate::dist;
use crate::steps::Steps;
use crate::test;
use crate::tidy::{self, Repository, docs};
use crate::workspace::{Workspace, namespace_tests};

/// Configurations that are shipped.
const EXAMPLES: [&str; 2] = ["deploy/config/", "deploy/systemd/opentracker.toml"];

/// Runs the task; with `only_static`, leaves the tests to a `cargo xtask test` that follows.
pub(crate) fn run(workspace: &Workspace, only_static: bool, unprivileged: bool) -> Result<()> {
    let mut steps = Steps::default();
    let mut result = static_checks(workspace, &mut steps);
    if result.is_ok() && !only_static {
        result = test::all(workspace, &mut steps, unprivileged);
    }
    eprint!("\n{}", steps.table());
    result
}

/// The checks that run none of our tests, quick ones first.
///
/// The program is built as `dist` ships it, because the namespace tests take that one: what is
/// checked here is not built twice.
fn static_checks(workspace: &Workspace, steps: &mut Steps) -> Result<()> {
    let sh = &workspace.sh;
    steps.run("format", || format(workspace))?;
    steps.run("tidy", || tidy::run(workspace))?;
    steps.run("clippy", || clippy(workspace))?;
    steps.run("docs", || {
        let doc = cmd!(
            sh,
            "cargo doc --workspace --no-deps --all-features --locked"
        );
        Ok(doc.env("RUSTDOCFLAGS", "-D warnings").run()?)
    })?;
    steps.run("oldest compiler", || oldest_compiler(workspace))?;
    let deny = cmd!(sh, "cargo deny --version").quiet().ignore_stderr();
    if deny.ignore_stdout().run().is_ok() {
        steps.run("cargo deny", || {
            Ok(cmd!(sh, "cargo deny --locked check").run()?)
        })?;
    } else {
        steps.not_run("cargo deny", "not installed; tidy has held the bans");
    }
    if cmd!(sh, "mandoc -l -Tlint /dev/null")
        .quiet()
        .ignore_status()
        .output()
        .is_ok()
    {
        steps.run("manual pages", || manual_pages(workspace))?;
    } else {
        steps.not_run("manual pages", "mandoc is not installed");
    }
    let programs = steps.run("release program", || dist::build(workspace))?;
    let repository = Repository::read(workspace)?;
    steps.run("configurations", || {
        configurations(workspace, &repository, &programs)
    })?;
    steps.run("documented commands", || {
        documented_commands(workspace, &repository, &programs)
    })
}

/// rustfmt for Rust, and git for white space in all other files, where there is a repository.
fn format(workspace: &Workspace) -> Result<()> {
    let sh = &workspace.sh;
    cmd!(sh, "cargo fmt --all -- --check").run()?;
    let repository = cmd!(sh, "git rev-parse --git-dir").quiet();
    if repository.ignore_stderr().read().is_ok() {
        let empty = cmd!(sh, "git hash-object -t tree /dev/null").read()?;
        cmd!(sh, "git diff --check {empty}").run()?;
    }
    Ok(())
}

/// Runs clippy on all targets, also those that `--all-targets` leaves out for `test = false`, with
/// all features; and on each crate that has features, without them.
fn clippy(workspace: &Workspace) -> Result<()> {
    let metadata = workspace.metadata()?;
    let clippy = |options: &[&str]| {
        let sh = &workspace.sh;
        cmd!(sh, "cargo clippy --locked {options...} -- -D warnings").run()
    };
    clippy(&["--workspace", "--all-features", "--all-targets"])?;
    let mut options = vec!["--workspace", "--all-features"];
    for (_, test) in namespace_tests(&metadata) {
        options.extend(["--test", &test.name]);
    }
    clippy(&options)?;
    for member in metadata.workspace_packages() {
        if !member.features.is_empty() {
            let package = ["--package", &member.name, "--no-default-features"];
            clippy(&[&package[..], &["--all-targets"]].concat())?;
        }
    }
    Ok(())
}

/// mandoc has nothing to say of the manual pages beyond their style.
fn manual_pages(workspace: &Workspace) -> Result<()> {
    let files = workspace.files()?.into_iter();
    let pages = files.filter(|file| file.starts_with("docs/man/"));
    let lint = cmd!(workspace.sh, "mandoc -l -Tlint -Wwarning");
    Ok(lint.args(pages).run()?)
}

/// The workspace compiles with its `rust-version`: that is the compiler of all other steps, or one
/// that rustup has.
fn oldest_compiler(workspace: &Workspace) -> Result<()> {
    let metadata = workspace.metadata()?;
    let version = metadata.workspace_packages()[0].rust_version.as_ref();
    let version = version.context("no `rust-version`")?.to_string();
    let release = workspace.rustc("release")?;
    if release == version {
        println!("{release} is the compiler of all other steps");
        return Ok(());
    }
    let target = metadata.target_directory.join("oldest-compiler");
    let check = cmd!(
        workspace.sh,
        "rustup run {version} cargo check --workspace --all-features --locked --target-dir {target}"
    );
    Ok(check.run()?)
}

/// The program accepts every configuration that is shipped and every TOML block of the documentation.
fn configurations(workspace: &Workspace, repository: &Repository, programs: &Path) -> Result<()> {
    let sh = &workspace.sh;
    let program = programs.join("opentracker");
    let files = repository.files.keys();
    let examples: Vec<&String> = files
        .filter(|file| file.ends_with(".toml"))
        .filter(|file| EXAMPLES.iter().any(|start| file.starts_with(start)))
        .collect();
    ensure!(!examples.is_empty(), "no example in deploy/config/");
    for file in examples {
        accepts(sh, &program, Path::new(file))?;
    }
    let folder = sh.create_temp_dir()?;
    for (file, document) in docs::documents(repository) {
        let blocks = document.blocks.iter();
        for block in blocks.filter(|block| block.language == "toml") {
            let name = format!("{}-{}.toml", file.replace('/', "-"), block.line);
            let path = folder.path().join(name);
            sh.write_file(&path, &block.text)?;
            accepts(sh, &program, &path)?;
        }
    }
    Ok(())
}

/// The program finds no fault in a configuration. What it misses on this host, an address or a
/// list, is none: faults of the text begin with the name of the file.
fn accepts(sh: &Shell, program: &Path, file: &Path) -> Result<()> {
    let check = cmd!(sh, "{program} --check --config {file}");
    let output = check.ignore_status().output()?;
    let said = String::from_utf8_lossy(&output.stderr);
    let is_fault = said.contains(&format!("opentracker: {}:", file.display()));
    match output.status.code() {
        Some(0) => Ok(()),
        Some(2) if !is_fault => Ok(()),
        _ => bail!("{}: {said}", file.display()),
    }
}

/// The commands of the documentation that call our programs: those that end by themselves do so
/// with success, and of the others the options are known, or `--help` behind them would not be
/// reached.
fn documented_commands(
    workspace: &Workspace,
    repository: &Repository,
    programs: &Path,
) -> Result<()> {
    for command in docs::documented_commands(repository) {
        let Some((name, arguments)) = command.program() else {
            continue;
        };
        let help = (!command.is_harmless()).then_some("--help");
        let program = programs.join(name);
        cmd!(workspace.sh, "{program} {arguments...} {help...}")
            .envs(command.environment.iter().cloned())
            .ignore_stdout()
            .run()?;
    }
    Ok(())
}

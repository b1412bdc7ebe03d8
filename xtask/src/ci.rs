//! `cargo xtask ci`: what CI runs.

use std::path::Path;

use anyhow::{Result, bail};
use xshell::{Shell, cmd};

use crate::steps::Steps;
use crate::tidy::{self, Repository, docs};
use crate::workspace::Workspace;
use crate::{Args, markdown, programs, test};

/// Runs the task. `--static` leaves the tests to a `cargo xtask test` that follows.
///
/// # Errors
///
/// A step fails.
pub(crate) fn run(workspace: &Workspace, mut args: Args) -> Result<()> {
    let only_static = args.flag("--static");
    let unprivileged = args.flag("--unprivileged");
    args.finish()?;
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
/// The program is built in release, because the namespace tests take that one: what is checked
/// here is not built twice.
fn static_checks(workspace: &Workspace, steps: &mut Steps) -> Result<()> {
    let sh = &workspace.sh;
    steps.run("format", || {
        Ok(cmd!(sh, "cargo fmt --all -- --check").run()?)
    })?;
    steps.run("tidy", || tidy::check(workspace))?;
    steps.run("clippy", || clippy(workspace))?;
    steps.run("docs", || {
        let doc = cmd!(sh, "cargo doc --workspace --no-deps --locked");
        Ok(doc.env("RUSTDOCFLAGS", "-D warnings").run()?)
    })?;
    if cmd!(sh, "cargo deny --version")
        .quiet()
        .ignore_stdout()
        .ignore_stderr()
        .run()
        .is_ok()
    {
        steps.run("cargo deny", || {
            Ok(cmd!(sh, "cargo deny --locked check").run()?)
        })?;
    } else {
        steps.not_run(
            "cargo deny",
            "not installed; tidy has held the bans of deny.toml",
        );
    }
    let folder = steps.run("release program", || programs::build(workspace, "release"))?;
    let repository = Repository::read(workspace)?;
    let program = folder.join("opentracker");
    steps.run("configurations", || {
        configurations(workspace, &repository, &program)
    })?;
    steps.run("documented commands", || {
        documented_commands(workspace, &repository, &program)
    })
}

/// Runs clippy on all targets, also those that `--all-targets` leaves out for `test = false`.
fn clippy(workspace: &Workspace) -> Result<()> {
    let sh = &workspace.sh;
    cmd!(
        sh,
        "cargo clippy --workspace --all-targets --locked -- -D warnings"
    )
    .run()?;
    for (package, target) in workspace.metadata()?.namespace_tests() {
        let check = cmd!(
            sh,
            "cargo clippy --locked --package {package} --test {target}"
        );
        check.args(["--", "-D", "warnings"]).run()?;
    }
    Ok(())
}

/// The program accepts every file of deploy/config/ and every TOML block of the documentation.
fn configurations(workspace: &Workspace, repository: &Repository, program: &Path) -> Result<()> {
    let sh = &workspace.sh;
    let examples = repository
        .files
        .keys()
        .filter(|file| file.starts_with("deploy/config/"));
    let mut count = 0;
    for file in examples {
        accepts(sh, program, Path::new(file))?;
        count += 1;
    }
    if count == 0 {
        bail!("no example in deploy/config/");
    }
    let folder = sh.create_temp_dir()?;
    for (file, text) in docs::documents(repository) {
        for block in markdown::blocks(text)
            .iter()
            .filter(|block| block.language == "toml")
        {
            let name = format!("{}-{}.toml", file.replace('/', "-"), block.line);
            let path = folder.path().join(name);
            sh.write_file(&path, &block.text)?;
            accepts(sh, program, &path)?;
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

/// The commands of the documentation that end by themselves do so with success.
fn documented_commands(
    workspace: &Workspace,
    repository: &Repository,
    program: &Path,
) -> Result<()> {
    let commands = docs::documented_commands(repository);
    for command in commands.iter().filter(|command| command.is_harmless()) {
        let arguments = command.tracker_arguments().unwrap_or_default();
        let environment = command
            .environment
            .iter()
            .map(|(name, value)| (name, value));
        cmd!(workspace.sh, "{program} {arguments...}")
            .envs(environment)
            .ignore_stdout()
            .run()?;
    }
    Ok(())
}

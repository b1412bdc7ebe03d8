//! `cargo xtask fuzz`: the targets of `fuzz/`, each for its share of the time.
//!
//! `cargo fuzz` builds them with coverage and AddressSanitizer, which a stable compiler has behind
//! `RUSTC_BOOTSTRAP`. What libFuzzer says goes to `target/fuzz/logs`, new inputs to
//! `target/fuzz/corpus`; the committed corpora are read alone.

use std::fmt;
use std::fs::{self, File};
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context, Result, bail, ensure};
use cargo_metadata::Metadata;
use xshell::{Shell, cmd};

use crate::workspace::Workspace;

const CARGO_FUZZ_VERSION: &str = "0.13.2";

/// The package of the targets.
const PACKAGE: &str = "opentracker-fuzz";

/// A target that takes longer for one input, or more memory, has a finding.
const TIMEOUT_SECS: u32 = 10;
const MAX_MIB: u32 = 1024;

/// Runs the task: `seconds` are shared among the targets, all of them if none is named.
pub(crate) fn run(workspace: &Workspace, seconds: u32, named: &[String]) -> Result<()> {
    let metadata = workspace.metadata()?;
    let known = targets(&metadata)?;
    if let Some(unknown) = named.iter().find(|name| !known.contains(name)) {
        bail!(
            "there is no target `{unknown}`: there are {}",
            known.join(", ")
        );
    }
    let chosen = if named.is_empty() { &known } else { named };
    let share = seconds / u32::try_from(chosen.len())?;
    ensure!(share > 0, "fewer seconds than targets");
    let sh = &workspace.sh;
    let place = metadata.target_directory.as_std_path();
    let fuzz = Fuzz {
        program: installed(sh, &place.join("tools"))?,
        root: &workspace.root,
        build: place.join("fuzz"),
    };
    let built = fuzz.command("build").status()?;
    ensure!(built.success(), "the targets were not built: {built}");
    let mut findings = 0;
    println!("{}", Outcome::HEADING);
    for target in chosen {
        let (outcome, found) = fuzz.run(target, share)?;
        println!("{outcome}");
        for input in &found {
            println!("\nfound by `{target}`; this shows it again:");
            println!(
                "cargo run --locked -p {PACKAGE} --bin {target} -- {}\n",
                input.display()
            );
        }
        findings += found.len();
    }
    ensure!(
        findings == 0,
        "{findings} findings; target/fuzz/logs has more of them"
    );
    Ok(())
}

/// Lists the targets: the programs of their package.
fn targets(metadata: &Metadata) -> Result<Vec<String>> {
    let members = metadata.workspace_packages();
    let package = members.iter().find(|package| package.name == PACKAGE);
    let package = package.context("the workspace has no fuzz targets")?;
    let programs = package.targets.iter().filter(|target| target.is_bin());
    Ok(programs.map(|target| target.name.clone()).collect())
}

/// Installs `cargo fuzz` if it is not there in this version.
fn installed(sh: &Shell, root: &Path) -> Result<PathBuf> {
    let program = root.join("bin/cargo-fuzz");
    let version = cmd!(sh, "{program} --version")
        .quiet()
        .ignore_stderr()
        .read();
    if !version.is_ok_and(|version| version.ends_with(CARGO_FUZZ_VERSION)) {
        let version = CARGO_FUZZ_VERSION;
        cmd!(
            sh,
            "cargo install --locked --root {root} --version {version} cargo-fuzz"
        )
        .run()?;
    }
    Ok(program)
}

struct Fuzz<'a> {
    /// That of `cargo fuzz`.
    program: PathBuf,
    root: &'a Path,
    /// Where it builds, and what it finds is kept.
    build: PathBuf,
}

impl Fuzz<'_> {
    /// Runs a target; returns what it did, and the inputs that failed.
    fn run(&self, target: &str, seconds: u32) -> Result<(Outcome, Vec<PathBuf>)> {
        let corpus = self.build.join("corpus").join(target);
        let artifacts = self.root.join("fuzz/artifacts").join(target);
        let log = self.build.join("logs").join(format!("{target}.log"));
        for folder in [&corpus, &artifacts, &self.build.join("logs")] {
            fs::create_dir_all(folder)?;
        }
        let before = files(&artifacts)?;
        let status = self
            .command("run")
            .arg(target)
            .arg(&corpus)
            .arg(self.root.join("fuzz/corpus").join(target))
            .arg("--")
            .arg(format!("-max_total_time={seconds}"))
            .arg(format!("-timeout={TIMEOUT_SECS}"))
            .arg(format!("-rss_limit_mb={MAX_MIB}"))
            .arg("-print_final_stats=1")
            .stdout(File::create(&log)?)
            .stderr(File::options().append(true).open(&log)?)
            .status()?;
        let mut found = files(&artifacts)?;
        found.retain(|input| !before.contains(input));
        if !status.success() && found.is_empty() {
            bail!(
                "`{target}` ended with {status} and no input: see {}",
                log.display()
            );
        }
        let said = String::from_utf8_lossy(&fs::read(&log)?).into_owned();
        Ok((Outcome::read(target, seconds, &said), found))
    }

    /// A task of `cargo fuzz`.
    fn command(&self, task: &str) -> Command {
        let mut command = Command::new(&self.program);
        command
            .args(["fuzz", task, "--fuzz-dir", "fuzz", "--codegen-units", "16"])
            .arg("--target-dir")
            .arg(&self.build)
            .current_dir(self.root)
            .env("RUSTC_BOOTSTRAP", "1")
            // It would take minutes, and hide the edges that are counted.
            .env("CARGO_PROFILE_RELEASE_LTO", "off");
        command
    }
}

fn files(folder: &Path) -> Result<Vec<PathBuf>> {
    let files = fs::read_dir(folder)?.map(|file| Ok(file?.path()));
    files.collect()
}

/// What a run did, as a row of docs/reliability.md.
#[derive(Debug, PartialEq, Eq)]
struct Outcome {
    target: String,
    seconds: u32,
    executions: u64,
    edges: u64,
    features: u64,
}

impl Outcome {
    const HEADING: &str =
        "| target | seconds | executions | edges | features |\n|---|--:|--:|--:|--:|";

    /// Reads the last counters that libFuzzer printed.
    fn read(target: &str, seconds: u32, said: &str) -> Self {
        let number = |line: &str, name: &str| {
            let rest = line.split_once(name)?.1.trim_start();
            rest.split(' ').next()?.parse().ok()
        };
        let last = |name: &str| {
            let mut lines = said.lines().rev();
            lines.find_map(|line| number(line, name)).unwrap_or(0)
        };
        Self {
            target: target.to_owned(),
            seconds,
            executions: last("stat::number_of_executed_units:"),
            edges: last(" cov: "),
            features: last(" ft: "),
        }
    }
}

impl fmt::Display for Outcome {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self {
            target,
            seconds,
            executions,
            edges,
            features,
        } = self;
        write!(
            f,
            "| `{target}` | {seconds} | {executions} | {edges} | {features} |"
        )
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_last_counters_are_read() {
        let said = "#8\tINITED cov: 5 ft: 6 corp: 1/1b exec/s: 0 rss: 30Mb\n\
                    #999\tDONE   cov: 70 ft: 81 corp: 9/99b lim: 8 exec/s: 3 rss: 30Mb\n\
                    stat::number_of_executed_units: 999\nstat::peak_rss_mb: 30\n";
        let read = Outcome::read("lists", 7, said);
        assert_eq!(read.to_string(), "| `lists` | 7 | 999 | 70 | 81 |");
        assert_eq!(Outcome::read("lists", 7, "killed").edges, 0);
    }

    #[test]
    fn each_target_has_a_corpus() {
        let workspace = Workspace::open().unwrap();
        let targets = targets(&workspace.metadata().unwrap()).unwrap();
        assert!(targets.len() > 10, "{targets:?}");
        for target in targets {
            let corpus = workspace.root.join("fuzz/corpus").join(&target);
            assert!(!files(&corpus).unwrap().is_empty(), "{target}");
        }
    }
}

//! `cargo xtask bench guard`: the instructions that a request costs, against the committed figures.
//!
//! Times need a quiet machine; instructions do not. valgrind counts those of the example
//! `instructions` of `opentracker-udp`, twice for each scenario. The second run handles twice the
//! requests of the first, so that the difference holds the requests alone.
//!
//! The committed figures are a table in `docs/benchmarks.md`, between two comments. A figure that
//! moves either way by more than [`TOLERANCE_PERCENT`] fails: also a lower one wants to be committed
//! (`--update`), or the next regression would hide behind it.

use std::path::Path;

use anyhow::{Context, Result, bail, ensure};
use xshell::cmd;

use crate::workspace::Workspace;
use crate::{Args, markdown, system};

/// What the example handles: its own word for it, and what that is.
const SCENARIOS: &[(&str, &str)] = &[
    ("connect", "a connect"),
    (
        "announce-small",
        "a known peer announces again: 10 000 swarms of 3 peers",
    ),
    (
        "announce-large",
        "a known peer announces again: one swarm of 10 000 peers",
    ),
    ("scrape", "a scrape of 10 torrents, of 3 peers each"),
];

/// Requests of the first run, and those that the second adds: each peer announces at least once.
const REQUESTS: u64 = 30_000;

/// How far a figure may move.
const TOLERANCE_PERCENT: u64 = 5;

const DOCUMENT: &str = "docs/benchmarks.md";
const BEGIN: &str = "<!-- guard -->\n";
const END: &str = "<!-- /guard -->";

/// Begins the line that names the compiler.
const COMPILER: &str = "Counted with ";

/// Instructions of a request of each scenario, and what they were compiled by.
#[derive(Debug, PartialEq, Eq)]
struct Figures {
    /// Compiler, target and glibc: each may change figures that nobody touched.
    compiler: String,
    rows: Vec<(String, u64)>,
}

/// Runs the task.
///
/// # Errors
///
/// A figure has moved too far, the document holds none, or valgrind or cargo fails.
pub(crate) fn run(workspace: &Workspace, mut args: Args) -> Result<()> {
    let is_update = args.flag("--update");
    args.finish()?;
    let sh = &workspace.sh;
    let document = sh.read_file(DOCUMENT)?;
    let (before, inner, after) = split(&document)?;
    let committed = Figures::parse(inner);
    system::ensure(sh, system::INSTRUCTION_COUNTER)?;
    let now = Figures::count(workspace)?;
    if is_update {
        sh.write_file(DOCUMENT, format!("{before}{}{after}", now.write()))?;
        println!("{}", now.write().trim());
        return Ok(());
    }
    let committed = committed?;
    if committed.compiler != now.compiler {
        println!(
            "The committed figures were counted with {},\nthese with {}: a change may be theirs.\n",
            committed.compiler, now.compiler
        );
    }
    let (table, moved) = compare(&committed, &now);
    print!("{table}");
    ensure!(
        moved.is_empty(),
        "moved by more than {TOLERANCE_PERCENT} %: {}. If it is meant, \
         `cargo xtask bench guard --update` and commit {DOCUMENT}",
        moved.join(", ")
    );
    Ok(())
}

impl Figures {
    fn count(workspace: &Workspace) -> Result<Self> {
        let sh = &workspace.sh;
        cmd!(
            sh,
            "cargo build --locked --release --package opentracker-udp --example instructions"
        )
        .run()?;
        let program = workspace
            .metadata()?
            .target_directory
            .join("release/examples/instructions");
        let mut rows = Vec::new();
        for (name, _) in SCENARIOS {
            let once = instructions(workspace, &program, name, REQUESTS)?;
            let twice = instructions(workspace, &program, name, 2 * REQUESTS)?;
            let added = twice
                .checked_sub(once)
                .with_context(|| format!("{name}: more requests took fewer instructions"))?;
            rows.push(((*name).to_owned(), (added + REQUESTS / 2) / REQUESTS));
        }
        let rustc = cmd!(sh, "rustc --version").quiet().read()?;
        let glibc = cmd!(sh, "getconf GNU_LIBC_VERSION")
            .quiet()
            .ignore_stderr()
            .read()
            .unwrap_or_else(|_| "no glibc".to_owned());
        Ok(Self {
            compiler: format!("{rustc}, {}, {glibc}", workspace.host()?),
            rows,
        })
    }

    /// Reads what [`Self::write`] wrote.
    fn parse(text: &str) -> Result<Self> {
        let compiler = text
            .lines()
            .find_map(|line| line.strip_prefix(COMPILER)?.strip_suffix('.'))
            .with_context(|| format!("{DOCUMENT}: no line `{COMPILER}…` beside the figures"))?;
        let table = markdown::table(text);
        let table = table.with_context(|| format!("{DOCUMENT}: no table of figures"))?;
        let mut rows = Vec::new();
        for cells in &table.rows {
            let row = match cells.as_slice() {
                [name, _, figure] => figure
                    .replace(' ', "")
                    .parse()
                    .ok()
                    .map(|figure| (name.trim_matches('`').to_owned(), figure)),
                _ => None,
            };
            let cells = || cells.join(" | ");
            rows.push(row.with_context(|| format!("{DOCUMENT}: not a figure: {}", cells()))?);
        }
        Ok(Self {
            compiler: compiler.to_owned(),
            rows,
        })
    }

    fn write(&self) -> String {
        let mut text = String::from("\n| scenario | one request | instructions |\n|---|---|--:|\n");
        for (name, figure) in &self.rows {
            let known = SCENARIOS.iter().find(|(known, _)| known == name);
            let what = known.map_or("", |(_, what)| what);
            text += &format!("| `{name}` | {what} | {figure} |\n");
        }
        text + &format!("\n{COMPILER}{}.\n\n", self.compiler)
    }
}

/// Counts the instructions of one run.
fn instructions(
    workspace: &Workspace,
    program: &Path,
    scenario: &str,
    requests: u64,
) -> Result<u64> {
    let requests = requests.to_string();
    let output = cmd!(
        workspace.sh,
        "valgrind --tool=callgrind --callgrind-out-file=/dev/null {program} {scenario} {requests}"
    )
    .quiet()
    .ignore_status()
    .output()?;
    let said = String::from_utf8_lossy(&output.stderr);
    match collected(&said) {
        Some(count) if output.status.success() => Ok(count),
        _ => bail!("valgrind: {}\n{said}", output.status),
    }
}

/// The count in what callgrind says: `==123== Collected : 456`.
fn collected(said: &str) -> Option<u64> {
    let count = said
        .lines()
        .find_map(|line| line.split_once("Collected :"))?
        .1;
    count.trim().parse().ok()
}

/// The document up to the figures, the figures, and the rest.
fn split(document: &str) -> Result<(&str, &str, &str)> {
    let begin = document.find(BEGIN).map(|start| start + BEGIN.len());
    let places = begin.and_then(|begin| Some((begin, begin + document[begin..].find(END)?)));
    let (begin, end) =
        places.with_context(|| format!("{DOCUMENT}: no {} … {END}", BEGIN.trim()))?;
    Ok((&document[..begin], &document[begin..end], &document[end..]))
}

/// The table of both, and the scenarios that moved too far or have no committed figure.
fn compare(committed: &Figures, now: &Figures) -> (String, Vec<String>) {
    let mut table = format!(
        "{:16} {:>10} {:>10} {:>8}\n",
        "scenario", "committed", "now", "change"
    );
    let mut moved = Vec::new();
    for (name, figure) in &now.rows {
        let before = committed.rows.iter().find(|(known, _)| known == name);
        let (before, shown, is_near) = match before {
            Some((_, before)) => (
                before.to_string(),
                format!("{:+.1} %", percent(*before, *figure)),
                100 * before.abs_diff(*figure) <= TOLERANCE_PERCENT * before,
            ),
            None => ("none".to_owned(), String::new(), false),
        };
        table += format!("{name:16} {before:>10} {figure:>10} {shown:>8}").trim_end();
        table.push('\n');
        if !is_near {
            moved.push(name.clone());
        }
    }
    (table, moved)
}

#[expect(
    clippy::cast_precision_loss,
    reason = "instructions of one request are far below 2^52"
)]
fn percent(before: u64, now: u64) -> f64 {
    100.0 * (now as f64 / before as f64 - 1.0)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn figures(rows: &[(&str, u64)]) -> Figures {
        Figures {
            compiler: "rustc 1.95.0 (x), y, glibc 2.36".to_owned(),
            rows: rows.iter().map(|&(name, n)| (name.to_owned(), n)).collect(),
        }
    }

    #[test]
    fn figures_survive_the_document() {
        let written = figures(&[("connect", 321), ("announce-small", 1647)]);
        let document = format!("# Top\n\n{BEGIN}{}{END}\n\nEnd\n", written.write());
        let (before, inner, after) = split(&document).unwrap();
        assert_eq!(before, format!("# Top\n\n{BEGIN}"));
        assert_eq!(after, format!("{END}\n\nEnd\n"));
        assert_eq!(Figures::parse(inner).unwrap(), written);
    }

    #[test]
    fn a_document_without_figures_is_refused() {
        assert!(split("# Top\n").is_err());
        assert!(split(BEGIN).is_err());
        assert!(Figures::parse("").is_err());
        let torn = figures(&[("connect", 321)]).write().replace("321", "many");
        assert!(Figures::parse(&torn).is_err());
    }

    #[test]
    fn the_committed_figures_are_those_of_every_scenario() {
        let workspace = Workspace::open().unwrap();
        let document = workspace.sh.read_file(DOCUMENT).unwrap();
        let (_, inner, _) = split(&document).unwrap();
        let committed = Figures::parse(inner).unwrap();
        let names = committed.rows.iter().map(|(name, _)| name.as_str());
        assert!(names.eq(SCENARIOS.iter().map(|(name, _)| *name)));
        assert_eq!(committed.write(), inner);
    }

    #[test]
    fn a_figure_may_move_by_five_percent() {
        let committed = figures(&[("a", 1000), ("b", 1000), ("c", 1000), ("d", 1000)]);
        let now = figures(&[("a", 1050), ("b", 1051), ("c", 950), ("d", 949), ("e", 1)]);
        let (table, moved) = compare(&committed, &now);
        assert_eq!(moved, ["b", "d", "e"]);
        let line = "b                      1000       1051   +5.1 %\n";
        assert!(table.contains(line), "{table}");
    }

    #[test]
    fn the_count_is_found_in_what_callgrind_says() {
        let said = "==9== \n==9== Events    : Ir\n==9== Collected : 215485\n==9== \n";
        assert_eq!(collected(said), Some(215_485));
        assert_eq!(collected("==9== Collected : many\n"), None);
        assert_eq!(collected("valgrind: no such file\n"), None);
    }
}

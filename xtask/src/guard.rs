//! `cargo xtask bench guard`: the instructions that a request costs, against the committed figures.
//!
//! Times need a quiet machine; instructions do not. valgrind counts those of an instrument, twice
//! for each scenario. The second run handles twice the requests of the first, so that the difference
//! holds the requests alone.
//!
//! The committed figures are the table after `<!-- guard -->` in `docs/benchmarks.md`: a row for
//! each scenario, with the instrument's word for it. A figure that moves either way by more than
//! [`TOLERANCE_PERCENT`] fails. A lower one has to be committed as well (`--update`), or the next
//! regression would not show.

use std::path::Path;

use anyhow::{Context, Result, bail, ensure};
use cargo_metadata::Message;
use xshell::cmd;

use crate::markdown::Document;
use crate::plot::DOCUMENT;
use crate::system;
use crate::workspace::Workspace;

/// The package, and the bench of it whose requests are counted.
const COUNTED: (&str, &str) = ("opentracker-udp", "instructions");

/// Requests of the first run, and those that the second adds: each peer announces at least once.
const REQUESTS: u64 = 30_000;

/// How far a figure may move.
const TOLERANCE_PERCENT: u64 = 5;

/// The comment above the table.
const COMMENT: &str = "<!-- guard -->";

/// Begins the line that names compiler, target and glibc: each may change figures that nobody
/// touched.
const COMPILER: &str = "Counted with ";

/// Counts, and compares with the committed figures or, with `is_update`, replaces them.
pub(crate) fn run(workspace: &Workspace, is_update: bool) -> Result<()> {
    let sh = &workspace.sh;
    let document = sh.read_file(DOCUMENT)?;
    let committed = committed(&document)?;
    system::ensure(sh, &["valgrind"])?;
    let now = count(workspace, &committed)?;
    let compiler = compiler(workspace)?;
    if !document.contains(&compiler) {
        println!("The committed figures were not c{}\n", &compiler[1..]);
    }
    let (table, moved) = compare(&committed, &now);
    print!("{table}");
    if is_update {
        sh.write_file(DOCUMENT, updated(&document, &now, &compiler))?;
        return Ok(());
    }
    ensure!(
        moved.is_empty(),
        "moved by more than {TOLERANCE_PERCENT} %: {}. If it is meant, \
         `cargo xtask bench guard --update` and commit {DOCUMENT}",
        moved.join(", ")
    );
    Ok(())
}

/// Reads the figures of a document.
fn committed(document: &str) -> Result<Vec<(String, u64)>> {
    let tables = Document::parse(document).tables;
    let table = tables.iter().find(|table| table.comment == COMMENT);
    let table = table.with_context(|| format!("{DOCUMENT}: no table follows `{COMMENT}`"))?;
    let figure = |cells: &[String]| Some((cells.first()?.clone(), cells.last()?.parse().ok()?));
    let rows = table.rows.iter().map(|row| {
        let said = || format!("{DOCUMENT}: not a figure: {}", row.cells.join(" | "));
        figure(&row.cells).with_context(said)
    });
    rows.collect()
}

/// The document with other figures.
fn updated(document: &str, now: &[(String, u64)], compiler: &str) -> String {
    let mut text = String::new();
    for line in document.lines() {
        let row = now
            .iter()
            .find(|(name, _)| line.starts_with(&format!("| `{name}` |")));
        let cells = line.trim_end_matches(" |").rsplit_once("| ");
        text += &match (row, cells) {
            (Some((_, figure)), Some((cells, _))) => format!("{cells}| {figure} |\n"),
            _ if line.starts_with(COMPILER) => format!("{compiler}\n"),
            _ => format!("{line}\n"),
        };
    }
    text
}

/// The line that names what the figures depend on.
fn compiler(workspace: &Workspace) -> Result<String> {
    let rustc = cmd!(workspace.sh, "rustc --version").quiet().read()?;
    let glibc = cmd!(workspace.sh, "getconf GNU_LIBC_VERSION").quiet();
    let glibc = glibc.ignore_stderr().read();
    let glibc = glibc.unwrap_or_else(|_| "no glibc".to_owned());
    let host = workspace.rustc("host")?;
    Ok(format!("{COMPILER}{rustc}, {host}, {glibc}."))
}

/// Counts all scenarios.
fn count(workspace: &Workspace, scenarios: &[(String, u64)]) -> Result<Vec<(String, u64)>> {
    let (package, bench) = COUNTED;
    let built = cmd!(
        workspace.sh,
        "cargo bench --locked --no-run --package {package} --bench {bench}"
    );
    let messages = built.arg("--message-format=json").output()?.stdout;
    let program = Message::parse_stream(messages.as_slice())
        .find_map(|message| match message {
            Ok(Message::CompilerArtifact(built)) if built.target.name == bench => built.executable,
            _ => None,
        })
        .context("cargo names no program")?;
    let mut figures = Vec::new();
    for (name, _) in scenarios {
        let once = instructions(workspace, program.as_ref(), name, REQUESTS)?;
        let twice = instructions(workspace, program.as_ref(), name, 2 * REQUESTS)?;
        let added = twice
            .checked_sub(once)
            .with_context(|| format!("{name}: more requests took fewer instructions"))?;
        figures.push((name.clone(), (added + REQUESTS / 2) / REQUESTS));
    }
    Ok(figures)
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

/// The table of both, and the scenarios that moved too far.
fn compare(committed: &[(String, u64)], now: &[(String, u64)]) -> (String, Vec<String>) {
    let mut table = String::from("scenario          committed        now   change\n");
    let mut moved = Vec::new();
    for ((name, before), (_, now)) in committed.iter().zip(now) {
        let change = percent(*before, *now);
        table += &format!("{name:16} {before:>10} {now:>10} {change:>+6.1} %\n");
        if 100 * before.abs_diff(*now) > TOLERANCE_PERCENT * before {
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

    const TEXT: &str = "# Top\n\n<!-- guard -->\n\n| scenario | what | instructions |\n|---|---|--:|\n\
                        | `a` | one | 1000 |\n| `b` | two | 2000 |\n\nCounted with x.\n\nEnd\n";

    fn figures(rows: &[u64]) -> Vec<(String, u64)> {
        let names = ["a", "b", "c", "d"].map(str::to_owned);
        names.into_iter().zip(rows.iter().copied()).collect()
    }

    #[test]
    fn figures_are_read_and_replaced() {
        assert_eq!(committed(TEXT).unwrap(), figures(&[1000, 2000]));
        let text = updated(TEXT, &figures(&[1001, 2002]), "Counted with y.");
        let expected = TEXT.replace("1000", "1001").replace("2000", "2002");
        assert_eq!(text, expected.replace("with x.", "with y."));
    }

    #[test]
    fn a_document_without_figures_is_refused() {
        assert!(committed("# Top\n").is_err());
        assert!(committed(&TEXT.replace("2000", "many")).is_err());
        let workspace = Workspace::open().unwrap();
        assert!(committed(&workspace.sh.read_file(DOCUMENT).unwrap()).is_ok());
    }

    #[test]
    fn a_figure_may_move_by_five_percent() {
        let (table, moved) = compare(&figures(&[1000; 4]), &figures(&[1050, 1051, 950, 949]));
        assert_eq!(moved, ["b", "d"]);
        let line = "b                      1000       1051   +5.1 %\n";
        assert!(table.contains(line), "{table}");
    }

    #[test]
    fn the_count_is_found_in_what_callgrind_says() {
        let said = "==9== \n==9== Events    : Ir\n==9== Collected : 215485\n==9== \n";
        assert_eq!(collected(said), Some(215_485));
        assert_eq!(collected("==9== Collected : many\n"), None);
    }
}

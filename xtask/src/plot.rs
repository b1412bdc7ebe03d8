//! `cargo xtask bench plot`: the picture of the tables in `docs/benchmarks.md`.
//!
//! A table that is drawn follows a comment, such as `<!-- plot: memory -->`. It is read by the words
//! of its heading and of its cells, so that rows and columns may come and go. A bold row is ours; a
//! reflector is no tracker, it shows where the kernel is the limit.
//!
//! The picture is committed, so that the README can show it; tidy fails when it is not what the
//! tables give.

use anyhow::{Context, Result, bail, ensure};

use crate::Args;
use crate::chart::{Bar, Chart, Kind, Panel};
use crate::markdown::{self, Table};
use crate::workspace::Workspace;

/// The document with the tables.
pub(crate) const DOCUMENT: &str = "docs/benchmarks.md";

/// What is drawn of them.
pub(crate) const PICTURE: &str = "docs/benchmarks.svg";

/// How the line above a table begins.
pub(crate) const MARKER: &str = "<!-- plot: ";

/// The column of a table that is drawn, and how.
struct Source {
    /// The word in the marker above the table.
    table: &'static str,
    /// How the heading or the cells of the column end.
    column: &'static str,
    title: &'static str,
    note: &'static str,
    is_more_better: bool,
}

/// The panels, from top to bottom.
const SOURCES: [Source; 3] = [
    Source {
        table: "announces",
        column: "answers/s",
        title: "Announces answered per second on one core",
        note: "swarms by Zipf's law, more is better",
        is_more_better: true,
    },
    Source {
        table: "memory",
        column: "octets a peer",
        title: "Resident octets per peer in large swarms",
        note: "less is better",
        is_more_better: false,
    },
    Source {
        table: "memory",
        column: "octets a torrent",
        title: "Resident octets per torrent of about three peers",
        note: "less is better",
        is_more_better: false,
    },
];

/// How the rows begin that are no trackers, and what is said of them.
const REFLECTOR: (&str, &str) = ("reflector", "reflector (no tracker)");

/// Marks a figure that the load generator has limited.
const LIMITED: char = '†';

/// The spaces that may stand between thousands: plain, no-break, thin, and narrow no-break.
const GAPS: [char; 4] = [' ', '\u{a0}', '\u{2009}', '\u{202f}'];

/// Runs the task.
///
/// # Errors
///
/// A table cannot be read; or, with `--check`, the picture is not what the tables give.
pub(crate) fn run(workspace: &Workspace, mut args: Args) -> Result<()> {
    let is_check = args.flag("--check");
    args.finish()?;
    let sh = &workspace.sh;
    let document = sh.read_file(DOCUMENT)?;
    if is_check {
        let picture = sh
            .read_file(PICTURE)
            .context("run `cargo xtask bench plot` and commit the picture")?;
        return check(&document, &picture);
    }
    sh.write_file(PICTURE, draw(&document)?)?;
    println!("{PICTURE}");
    Ok(())
}

/// Holds the picture against the document.
///
/// # Errors
///
/// A table cannot be read, or the picture is not what the tables give.
pub(crate) fn check(document: &str, picture: &str) -> Result<()> {
    ensure!(
        draw(document)? == picture,
        "{PICTURE} is not what the tables of {DOCUMENT} give: \
         run `cargo xtask bench plot` and commit it"
    );
    Ok(())
}

/// Draws the tables of a document.
///
/// # Errors
///
/// A table, a row or a figure is missing.
pub(crate) fn draw(document: &str) -> Result<String> {
    let panels: Result<Vec<Panel>> = SOURCES.iter().map(|source| source.read(document)).collect();
    let chart = Chart {
        title: "opentracker beside other trackers: how fast, how small".to_owned(),
        panels: panels.with_context(|| format!("cannot draw {DOCUMENT}"))?,
    };
    Ok(chart.svg())
}

impl Source {
    fn read(&self, document: &str) -> Result<Panel> {
        let marker = format!("{MARKER}{} -->", self.table);
        let table = marked(document, &marker)?;
        let mut bars = self
            .bars(&table)
            .with_context(|| format!("the table after `{marker}`"))?;
        let rank = |bar: &Bar| {
            let figure = if self.is_more_better {
                -bar.figure
            } else {
                bar.figure
            };
            (bar.kind == Kind::Floor, figure)
        };
        // The best tracker on top, whosever it is, and below them what is none.
        bars.sort_by(|a, b| {
            let ((a_last, a), (b_last, b)) = (rank(a), rank(b));
            a_last.cmp(&b_last).then(a.total_cmp(&b))
        });
        Ok(Panel {
            title: self.title.to_owned(),
            note: self.note.to_owned(),
            bars,
        })
    }

    fn bars(&self, table: &Table) -> Result<Vec<Bar>> {
        for row in &table.rows {
            ensure!(
                row.len() == table.heading.len(),
                "row `{}` has {} cells, the heading has {}",
                row.first().map_or("", |name| plain(name)),
                row.len(),
                table.heading.len()
            );
        }
        let column = self.place(table)?;
        let mut bars = Vec::new();
        for row in &table.rows {
            let (name, kind) = contestant(&row[0]);
            ensure!(!name.is_empty(), "a row has no name: {}", row.join(" | "));
            let cell = &row[column];
            let (figure, is_limited) = figure(cell, self.column).with_context(|| {
                format!(
                    "row `{name}`: `{cell}` is no number of `{}`, such as `1 234` or `5.6`",
                    self.column
                )
            })?;
            bars.push(Bar {
                name,
                figure,
                is_limited,
                kind,
            });
        }
        let ours = bars.iter().filter(|bar| bar.kind == Kind::Ours).count();
        ensure!(
            ours == 1,
            "{ours} bold rows, and ours has to be the only one"
        );
        Ok(bars)
    }

    /// The column that says so, in its heading or in a cell.
    fn place(&self, table: &Table) -> Result<usize> {
        let says = |column: &usize| {
            let cells = table.rows.iter().filter_map(|row| row.get(*column));
            let mut all = cells.chain(&table.heading[*column..=*column]);
            all.any(|cell| plain(cell).ends_with(self.column))
        };
        let found: Vec<usize> = (1..table.heading.len()).filter(says).collect();
        match found.as_slice() {
            [column] => Ok(*column),
            [] => bail!("no column says `{}`", self.column),
            _ => bail!("{} columns say `{}`", found.len(), self.column),
        }
    }
}

/// The table after the only line that is the marker.
fn marked(document: &str, marker: &str) -> Result<Table> {
    let mut rest = document;
    let mut found = None;
    while let Some((line, after)) = rest.split_once('\n') {
        if line.trim() == marker {
            ensure!(found.is_none(), "`{marker}` stands there twice");
            found = Some(after);
        }
        rest = after;
    }
    let after = found.with_context(|| format!("no line `{marker}`"))?;
    markdown::table(after).with_context(|| format!("no table follows `{marker}`"))
}

/// The name of a row, and what it is.
fn contestant(cell: &str) -> (String, Kind) {
    let name = plain(cell);
    match name.strip_prefix(REFLECTOR.0) {
        Some(rest) => (format!("{}{rest}", REFLECTOR.1), Kind::Floor),
        None if name.len() < cell.len() => (name.to_owned(), Kind::Ours),
        None => (name.to_owned(), Kind::Other),
    }
}

/// A cell without the marks of bold text.
fn plain(cell: &str) -> &str {
    let inner = cell.strip_prefix("**").and_then(|c| c.strip_suffix("**"));
    inner.unwrap_or(cell).trim()
}

/// The figure of a cell, and whether the load generator has limited it.
fn figure(cell: &str, unit: &str) -> Option<(f64, bool)> {
    let cell = plain(cell);
    let cell = plain(cell.strip_suffix(unit).unwrap_or(cell).trim_end());
    let number = cell.trim_end_matches(LIMITED);
    let (whole, fraction) = number.split_once('.').unwrap_or((number, "0"));
    let groups: Vec<&str> = whole.split(GAPS).collect();
    let (first, others) = groups.split_first()?;
    let is_grouped = others.is_empty() || first.len() <= 3;
    let digits = |text: &str| !text.is_empty() && text.bytes().all(|b| b.is_ascii_digit());
    if !is_grouped
        || others.iter().any(|group| group.len() != 3)
        || !groups.iter().all(|group| digits(group))
        || !digits(fraction)
    {
        return None;
    }
    let figure: f64 = format!("{}.{fraction}", groups.concat()).parse().ok()?;
    (figure > 0.0).then_some((figure, number.len() < cell.len()))
}

#[cfg(test)]
mod tests {
    use super::*;

    const TEXT: &str = "\
# Figures

The marker `<!-- plot: announces -->` in a sentence is none.

<!-- plot: announces -->

| | answers/s | ratio | CPU µs an answer | ratio |
|---|--:|--:|--:|--:|
| **opentracker** | **145 576** | 1.00 × | 6.70 | 1.00 × |
| reflector, in batches | 275\u{2009}717† | 0.53 × | 3.49 | 1.92 × |
| a & b | 97\u{202f}344 | 1.50 × | 10.09 | 0.66 × |
| c | 200000 | 1.50 × | 10.09 | 0.66 × |

<!-- plot: memory -->
| | small | large |
|---|--:|--:|
| other | 155 octets a torrent | 15.7 octets a peer |
| **opentracker** | **94** octets a torrent | 11.2 octets a peer |
";

    fn panels(document: &str) -> Vec<Vec<(String, f64)>> {
        let pairs = |source: &Source| {
            let bars = source.read(document).unwrap().bars.into_iter();
            bars.map(|bar| (bar.name, bar.figure)).collect()
        };
        SOURCES.iter().map(pairs).collect()
    }

    fn fault(from: &str, to: &str) -> String {
        assert!(TEXT.contains(from), "{from}");
        format!("{:#}", draw(&TEXT.replace(from, to)).unwrap_err())
    }

    #[test]
    fn the_best_tracker_is_on_top_and_reflectors_are_below() {
        let row = |name: &str, figure| (name.to_owned(), figure);
        let announces = vec![
            row("c", 200_000.0),
            row("opentracker", 145_576.0),
            row("a & b", 97_344.0),
            row("reflector (no tracker), in batches", 275_717.0),
        ];
        let peers = vec![row("opentracker", 11.2), row("other", 15.7)];
        let torrents = vec![row("opentracker", 94.0), row("other", 155.0)];
        assert_eq!(panels(TEXT), [announces, peers, torrents]);
    }

    #[test]
    fn the_column_may_have_the_unit_in_its_heading() {
        let other = TEXT
            .replace("** octets a torrent", "**")
            .replace(" octets a torrent", "")
            .replace(" octets a peer", "")
            .replace("| small | large |", "| octets a torrent | octets a peer |");
        assert_eq!(panels(&other), panels(TEXT));
    }

    #[test]
    fn only_the_bold_row_is_ours_and_a_dagger_is_kept() {
        let panel = SOURCES[0].read(TEXT).unwrap();
        let found: Vec<(Kind, bool)> = panel
            .bars
            .iter()
            .map(|bar| (bar.kind, bar.is_limited))
            .collect();
        let expected = [
            (Kind::Other, false),
            (Kind::Ours, false),
            (Kind::Other, false),
            (Kind::Floor, true),
        ];
        assert_eq!(found, expected);
    }

    #[test]
    fn numbers_are_read_with_and_without_gaps() {
        for (cell, expected) in [
            ("145 576", 145_576.0),
            ("1\u{a0}145\u{2009}576", 1_145_576.0),
            ("145576", 145_576.0),
            ("11.2 octets a peer", 11.2),
            ("**94 octets a peer**", 94.0),
            ("1 234.5", 1234.5),
        ] {
            assert_eq!(
                figure(cell, "octets a peer"),
                Some((expected, false)),
                "{cell}"
            );
        }
        for cell in [
            "",
            "–",
            "many",
            "145 57",
            "1455 576",
            "1  455",
            "11.",
            ".5",
            "11,2",
            "-4",
            "0",
            "3.0 M",
            "1.00 ×",
            "94 octets",
            "97 a torrent, 28 octets a peer",
            "inf",
            "1e3",
            "octets a peer",
        ] {
            assert_eq!(figure(cell, "octets a peer"), None, "{cell}");
        }
    }

    #[test]
    fn a_fault_is_named() {
        for (from, to, said) in [
            (
                "<!-- plot: memory -->",
                "",
                "no line `<!-- plot: memory -->`",
            ),
            (
                "<!-- plot: memory -->",
                "<!-- plot: announces -->",
                "`<!-- plot: announces -->` stands there twice",
            ),
            (
                "| | small | large |\n",
                "Words.\n",
                "no table follows `<!-- plot: memory -->`",
            ),
            (
                "|---|--:|--:|\n",
                "",
                "no table follows `<!-- plot: memory -->`",
            ),
            ("| answers/s |", "| replies |", "no column says `answers/s`"),
            (
                "| small |",
                "| octets a peer |",
                "the table after `<!-- plot: memory -->`: 2 columns say `octets a peer`",
            ),
            (
                "15.7 octets",
                "few octets",
                "row `other`: `few octets a peer` is no number",
            ),
            (
                "97\u{202f}344",
                "",
                "row `a & b`: `` is no number of `answers/s`",
            ),
            (
                "| 155 octets a torrent |",
                "|",
                "row `other` has 2 cells, the heading has 3",
            ),
            ("| other |", "| |", "a row has no name"),
            (
                "| **opentracker** | **94**",
                "| opentracker | 94",
                "0 bold rows",
            ),
            ("| a & b |", "| **a & b** |", "2 bold rows"),
        ] {
            let error = fault(from, to);
            assert!(error.contains(said), "{error}\nlacks: {said}");
            assert!(error.contains(DOCUMENT), "{error}");
        }
    }

    #[test]
    fn a_picture_of_other_tables_is_refused() {
        let picture = draw(TEXT).unwrap();
        assert!(check(TEXT, &picture).is_ok());
        let error = check(&TEXT.replace("15.7", "25.7"), &picture).unwrap_err();
        assert!(
            error.to_string().contains("run `cargo xtask bench plot`"),
            "{error}"
        );
    }

    #[test]
    fn the_committed_picture_is_that_of_the_committed_tables() {
        let workspace = Workspace::open().unwrap();
        run(&workspace, Args::of(&["--check"])).unwrap();
    }
}

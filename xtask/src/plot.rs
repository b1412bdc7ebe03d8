//! `cargo xtask bench plot`: the picture of the tables in `docs/benchmarks.md`.
//!
//! A table that is drawn follows a comment, such as `<!-- plot: memory -->`. A column is found by
//! what its heading or its cells end with; the bars stand in the order of the rows. The bold row is
//! ours; a reflector is no tracker, it shows where the kernel is the limit.
//!
//! The picture is committed, so that the README can show it; tidy fails when it is not what the
//! tables give. No text is measured: the fonts are those of the reader's system.

use anyhow::{Context, Result, bail, ensure};

use crate::markdown::{Document, Row};
use crate::workspace::Workspace;

/// The document with the tables.
pub(crate) const DOCUMENT: &str = "docs/benchmarks.md";

/// What is drawn of them.
pub(crate) const PICTURE: &str = "docs/benchmarks.svg";

/// The panels, from top to bottom.
const PANELS: [Panel; 3] = [
    Panel {
        table: "<!-- plot: announces -->",
        column: "answers/s",
        title: "Announces answered per second on one core",
        note: "swarms by Zipf's law, more is better",
    },
    Panel {
        table: "<!-- plot: memory -->",
        column: "octets a peer",
        title: "Resident octets per peer in large swarms",
        note: "less is better",
    },
    Panel {
        table: "<!-- plot: memory -->",
        column: "octets a torrent",
        title: "Resident octets per torrent of about three peers",
        note: "less is better",
    },
];

/// How the rows begin that are no trackers.
const REFLECTOR: &str = "reflector";

/// Marks a figure that the load generator has limited.
const LIMITED: char = '†';

/// A column of a table, and what is said of it.
struct Panel {
    table: &'static str,
    column: &'static str,
    title: &'static str,
    note: &'static str,
}

/// A row of a table, as a bar.
struct Bar {
    name: String,
    figure: f64,
    /// The figure as it is shown.
    shown: String,
    class: &'static str,
    /// The attribute of its texts.
    text_class: &'static str,
}

// All lengths are in pixels of the picture's own size.
const WIDTH: f64 = 840.0;
const MARGIN: f64 = 24.0;
/// Where the bars begin: the names of trackers are before it.
const AXIS: f64 = 346.0;
/// The longest bar; its figure is behind it.
const LONGEST: f64 = 370.0;
/// From one bar to the next.
const STEP: f64 = 28.0;
const THICKNESS: f64 = 18.0;
/// From the top of a panel to its first bar.
const HEAD: f64 = 34.0;
/// Between two panels.
const GAP: f64 = 12.0;
/// Between a name and its bar, and a bar and its figure.
const SPACE: f64 = 8.0;

/// Colours for light and for dark pages. The background is part of the picture: the page need not
/// follow the system's scheme, as the picture does.
const STYLE: &str = "\
text { font: 13px system-ui, -apple-system, 'Segoe UI', Roboto, Helvetica, Arial, sans-serif; fill: #1f2328 }
.page { fill: #ffffff; stroke: #d1d9e0 }
.head, .strong { font-weight: 600 }
.note { font-weight: 400; fill: #59636e }
.axis { stroke: #818b98 }
.ours { fill: #0969da }
.other { fill: #9aa4af }
.floor { fill: #f3f5f7; stroke: #9aa4af; stroke-dasharray: 4 3 }
@media (prefers-color-scheme: dark) {
text { fill: #e6edf3 }
.page { fill: #0d1117; stroke: #3d444d }
.note { fill: #9198a1 }
.axis { stroke: #656c76 }
.ours { fill: #4493f8 }
.other { fill: #6e7681 }
.floor { fill: #161b22; stroke: #6e7681 }
}
";

/// Draws the picture.
pub(crate) fn run(workspace: &Workspace) -> Result<()> {
    let document = workspace.sh.read_file(DOCUMENT)?;
    workspace.sh.write_file(PICTURE, draw(&document)?)?;
    println!("{PICTURE}");
    Ok(())
}

/// Draws the tables of a document.
pub(crate) fn draw(document: &str) -> Result<String> {
    let document = Document::parse(document);
    let bars: Result<Vec<Vec<Bar>>> = PANELS.iter().map(|panel| panel.bars(&document)).collect();
    let bars = bars.with_context(|| format!("cannot draw {DOCUMENT}"))?;
    let (mut body, mut description, mut top) = (String::new(), Vec::new(), MARGIN);
    for (panel, bars) in PANELS.iter().zip(&bars) {
        let (title, note) = (panel.title, panel.note);
        let figures = bars.iter().map(|bar| format!("{} {}", bar.name, bar.shown));
        let figures: Vec<String> = figures.collect();
        description.push(format!("{title} ({note}): {}.", figures.join("; ")));
        body += &panel.svg(bars, &mut top);
    }
    let height = top;
    Ok(format!(
        "<svg xmlns=\"http://www.w3.org/2000/svg\" width=\"{WIDTH}\" height=\"{height}\" \
         viewBox=\"0 0 {WIDTH} {height}\" role=\"img\" aria-labelledby=\"title desc\">\n\
         <title id=\"title\">opentracker beside other trackers: how fast, how small</title>\n\
         <desc id=\"desc\">{}</desc>\n\
         <style>\n{STYLE}</style>\n\
         <rect class=\"page\" x=\"0.5\" y=\"0.5\" width=\"{}\" height=\"{}\" rx=\"6\"/>\n\
         {body}</svg>\n",
        escape(&description.join(" ")),
        WIDTH - 1.0,
        height - 1.0,
    ))
}

impl Panel {
    fn bars(&self, document: &Document) -> Result<Vec<Bar>> {
        let mut tables = document.tables.iter();
        let table = tables.find(|table| table.comment == self.table);
        let table = table.with_context(|| format!("no table follows `{}`", self.table))?;
        let says = |column: &usize| {
            let cells = table.rows.iter().map(|row| &row.cells[*column]);
            let mut all = cells.chain([&table.heading[*column]]);
            all.any(|cell| cell.ends_with(self.column))
        };
        let columns: Vec<usize> = (1..table.heading.len()).filter(says).collect();
        let [column] = columns[..] else {
            bail!("{} columns say `{}`", columns.len(), self.column);
        };
        let ours = table.rows.iter().filter(|row| row.is_bold).count();
        ensure!(ours == 1, "{ours} bold rows, and only ours may be bold");
        table.rows.iter().map(|row| self.bar(row, column)).collect()
    }

    fn bar(&self, row: &Row, column: usize) -> Result<Bar> {
        let (name, cell) = (&row.cells[0], &row.cells[column]);
        let cell = cell.strip_suffix(self.column).unwrap_or(cell).trim();
        let number = cell.trim_end_matches(LIMITED);
        let digits: String = number.chars().filter(|c| !c.is_whitespace()).collect();
        let figure = digits
            .parse()
            .ok()
            .filter(|figure| (1e-9..1e18).contains(figure));
        let figure = figure.with_context(|| format!("row `{name}`: `{cell}` is no number"))?;
        let least = if number == cell { "" } else { "≥ " };
        let (name, class, text_class) = match name.strip_prefix(REFLECTOR) {
            Some(rest) => {
                let name = format!("{REFLECTOR} (no tracker){rest}");
                (name, "floor", " class=\"note\"")
            }
            None if row.is_bold => (name.clone(), "ours", " class=\"strong\""),
            None => (name.clone(), "other", ""),
        };
        Ok(Bar {
            name,
            figure,
            shown: format!("{least}{number}"),
            class,
            text_class,
        })
    }

    /// The bars from `top`, which goes down to the next panel.
    fn svg(&self, bars: &[Bar], top: &mut f64) -> String {
        let (title, note) = (escape(self.title), escape(self.note));
        let line = *top + 13.0;
        let mut text = format!(
            "<text class=\"head\" x=\"{MARGIN}\" y=\"{line}\">{title} \
             <tspan class=\"note\" dx=\"6\">{note}</tspan></text>\n"
        );
        *top += HEAD;
        let first = *top - 4.0;
        let greatest = bars.iter().map(|bar| bar.figure).fold(0.0, f64::max);
        for bar in bars {
            let length = LONGEST * bar.figure / greatest;
            let (name_end, figure_start) = (AXIS - SPACE, AXIS + length + SPACE);
            let (class, text_class) = (bar.class, bar.text_class);
            let (name, shown) = (escape(&bar.name), escape(&bar.shown));
            let line = *top + 13.5;
            text += &format!(
                "<text{text_class} x=\"{name_end}\" y=\"{line}\" text-anchor=\"end\">{name}</text>\n\
                 <rect class=\"{class}\" x=\"{AXIS}\" y=\"{top}\" width=\"{length:.1}\" height=\"{THICKNESS}\"/>\n\
                 <text{text_class} x=\"{figure_start:.1}\" y=\"{line}\">{shown}</text>\n"
            );
            *top += STEP;
        }
        let last = *top - (STEP - THICKNESS) + 4.0;
        *top += GAP;
        text + &format!(
            "<line class=\"axis\" x1=\"{AXIS}\" y1=\"{first}\" x2=\"{AXIS}\" y2=\"{last}\"/>\n"
        )
    }
}

/// Text as XML has it.
fn escape(text: &str) -> String {
    text.replace('&', "&amp;")
        .replace('<', "&lt;")
        .replace('\'', "&#39;")
}

#[cfg(test)]
mod tests {
    use super::*;

    const TEXT: &str = "\
<!-- plot: announces -->

| | answers/s | ratio |
|---|--:|--:|
| **opentracker** | **145 576** | 1.00 × |
| reflector, in batches | 275\u{2009}717† | 0.53 × |
| a & b | 97\u{202f}344 | 1.50 × |

<!-- plot: memory -->
| | small | large |
|---|--:|--:|
| other | 155 octets a torrent | 15.7 octets a peer |
| **opentracker** | **94** octets a torrent | 11.2 octets a peer |
";

    #[test]
    fn figures_are_those_of_the_tables() {
        let svg = draw(TEXT).unwrap();
        for said in [
            "opentracker 145 576; reflector (no tracker), in batches ≥ 275\u{2009}717; a &amp; b",
            "other 15.7; opentracker 11.2.",
            "other 155; opentracker 94.",
        ] {
            assert!(svg.contains(said), "{svg}\nlacks: {said}");
        }
    }

    #[test]
    fn bars_are_scaled_to_the_greatest_of_their_panel() {
        let svg = draw(TEXT).unwrap();
        let lengths: Vec<f64> = svg
            .lines()
            .filter(|line| line.starts_with("<rect class=\"o"))
            .map(|line| line.split("width=\"").nth(1).unwrap())
            .map(|rest| rest.split('"').next().unwrap().parse().unwrap())
            .collect();
        let [_, _, other, ours, ..] = lengths[..] else {
            panic!("{svg}")
        };
        assert!((ours / other - 11.2 / 15.7).abs() < 0.01, "{svg}");
    }

    #[test]
    fn a_fault_is_named() {
        for (from, to, said) in [
            ("<!-- plot: memory -->", "", "no table follows"),
            ("| answers/s |", "| replies |", "0 columns say `answers/s`"),
            ("| small |", "| octets a peer |", "2 columns say"),
            ("15.7 octets", "few octets", "row `other`: `few`"),
            ("97\u{202f}344", "", "row `a & b`: `` is no number"),
            ("**opentracker** | **94**", "ours | 94", "0 bold rows"),
            ("| a & b |", "| **a & b** |", "2 bold rows"),
        ] {
            assert!(TEXT.contains(from), "{from}");
            let error = format!("{:#}", draw(&TEXT.replace(from, to)).err().unwrap());
            assert!(error.contains(said), "{error}\nlacks: {said}");
        }
    }
}

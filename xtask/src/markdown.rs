//! The little of Markdown that the tasks read: headings, links, tables and fenced blocks.

/// A fenced block of code.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Block {
    /// The word after the opening fence.
    pub(crate) language: String,
    /// The line of its first line of code.
    pub(crate) line: usize,
    pub(crate) text: String,
}

/// The target of a link.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Link {
    pub(crate) line: usize,
    pub(crate) target: String,
}

/// A table, cell by cell, each without the space around it.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Table {
    pub(crate) heading: Vec<String>,
    /// They may have fewer or more cells than the heading.
    pub(crate) rows: Vec<Vec<String>>,
}

/// The fenced blocks of a text.
pub(crate) fn blocks(text: &str) -> Vec<Block> {
    let mut blocks = Vec::new();
    let mut open: Option<Block> = None;
    for (number, line) in (1..).zip(text.lines()) {
        let fence = line.trim_start().strip_prefix("```");
        match (&mut open, fence) {
            (None, Some(language)) => {
                let language = language.trim().to_owned();
                open = Some(Block {
                    language,
                    line: number + 1,
                    text: String::new(),
                });
            }
            (Some(_), Some(_)) => blocks.extend(open.take()),
            (Some(block), None) => {
                block.text += line;
                block.text.push('\n');
            }
            (None, None) => {}
        }
    }
    blocks
}

/// The targets of inline links and of link definitions, outside code.
pub(crate) fn links(text: &str) -> Vec<Link> {
    let mut links = Vec::new();
    for (number, line) in prose(text) {
        let mut add = |target: &str| {
            let target = target.split_whitespace().next().unwrap_or_default();
            links.push(Link {
                line: number,
                target: target.to_owned(),
            });
        };
        let line = without_code_spans(line);
        for after in line.split("](").skip(1) {
            add(after.split(')').next().unwrap_or_default());
        }
        let definition = line
            .strip_prefix('[')
            .and_then(|rest| rest.split_once("]: "));
        if let Some((_, target)) = definition {
            add(target);
        }
    }
    links
}

/// The anchors of the headings: lower case, spaces as hyphens, without punctuation.
pub(crate) fn anchors(text: &str) -> Vec<String> {
    let mut anchors: Vec<String> = Vec::new();
    for (_, line) in prose(text) {
        let title = line.trim_start_matches('#');
        if title.len() == line.len() || !title.starts_with(' ') {
            continue;
        }
        let kept = |c: &char| c.is_alphanumeric() || matches!(c, ' ' | '-' | '_');
        let slug: String = title.trim().chars().filter(kept).collect();
        let slug = slug.to_lowercase().replace(' ', "-");
        let numbered = (1..).map(|n| format!("{slug}-{n}"));
        let mut candidates = std::iter::once(slug.clone()).chain(numbered);
        anchors.extend(candidates.find(|candidate| !anchors.contains(candidate)));
    }
    anchors
}

/// The table that a text begins with, after empty lines.
pub(crate) fn table(text: &str) -> Option<Table> {
    let lines = text.lines().map(str::trim);
    let mut rows = lines
        .skip_while(|line| line.is_empty())
        .map_while(|line| line.strip_prefix('|'))
        .map(|line| {
            let cells = line.strip_suffix('|').unwrap_or(line).split('|');
            cells.map(|cell| cell.trim().to_owned()).collect()
        });
    let heading: Vec<String> = rows.next()?;
    let rule: Vec<String> = rows.next()?;
    let is_rule = |cell: &String| {
        let dashes = cell.trim_matches(':');
        !dashes.is_empty() && dashes.chars().all(|c| c == '-')
    };
    (rule.len() == heading.len() && rule.iter().all(is_rule)).then(|| Table {
        heading,
        rows: rows.collect(),
    })
}

/// The lines outside fenced blocks, with their numbers.
fn prose(text: &str) -> Vec<(usize, &str)> {
    let mut fenced = false;
    let mut lines = Vec::new();
    for (number, line) in (1..).zip(text.lines()) {
        if line.trim_start().starts_with("```") {
            fenced = !fenced;
        } else if !fenced {
            lines.push((number, line));
        }
    }
    lines
}

fn without_code_spans(line: &str) -> String {
    line.split('`').step_by(2).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    const TEXT: &str = "\
# A title: `with` code
See [one](docs/one.md#part \"title\"), ![two](two.png) and `[no](link.md)`.

```sh
cargo run
# A comment, no heading
```

## A title with code
[three]: ../three.md
";

    #[test]
    fn blocks_have_a_language_a_line_and_their_text() {
        let expected = Block {
            language: "sh".to_owned(),
            line: 5,
            text: "cargo run\n# A comment, no heading\n".to_owned(),
        };
        assert_eq!(blocks(TEXT), [expected]);
    }

    #[test]
    fn links_are_found_outside_code() {
        let found: Vec<(usize, String)> = links(TEXT)
            .into_iter()
            .map(|link| (link.line, link.target))
            .collect();
        let expected = [(2, "docs/one.md#part"), (2, "two.png"), (10, "../three.md")];
        assert_eq!(
            found,
            expected.map(|(line, target)| (line, target.to_owned()))
        );
    }

    #[test]
    fn anchors_are_unique() {
        assert_eq!(anchors(TEXT), ["a-title-with-code", "a-title-with-code-1"]);
    }

    #[test]
    fn a_table_ends_with_its_last_row() {
        let found = table("\n| | a |\n|---|--:|\n| **x** | 1 000 |\n| y |\n\n| z | 3 |\n").unwrap();
        assert_eq!(found.heading, ["", "a"]);
        assert_eq!(found.rows, [vec!["**x**", "1 000"], vec!["y"]]);
    }

    #[test]
    fn a_text_that_begins_with_no_table_has_none() {
        for text in [
            "",
            "| a |\n",
            "| a |\n| 1 |\n",
            "| a | b |\n|---|\n",
            "First.\n\n| a |\n|---|\n",
        ] {
            assert_eq!(table(text), None, "{text:?}");
        }
    }
}
